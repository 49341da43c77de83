//! Whether a runtime starts without the engine, for programs that may not run so.
//!
//! The CLR goes on without the engine if it cannot find or load it, or if the variables are gone.
//! So the tool watches the process that it has started and the processes below it, until one of
//! them has the engine. A runtime loads its profiler before it maps System.Private.CoreLib and
//! before it makes its finalizer thread. It runs managed code of the program long after that. So
//! the tool ends a process that has one of the two and no engine.

use std::{
    fs, io,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use soglia_core::mappings::{self, Mapping};

use super::engine::conflicts;

/// The pause between two looks in the first seconds, when runtimes start.
const OFTEN: Duration = Duration::from_millis(2);
/// The pause later.
const RARELY: Duration = Duration::from_millis(20);
/// How long the first pause applies.
const FIRST: Duration = Duration::from_secs(5);

/// A process in which .NET ran without the engine. It was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loose {
    /// The process.
    pub pid: u32,
    /// Why there is no engine in it, as far as its environment shows.
    pub why: String,
}

/// Looks after a program on a thread of its own.
#[derive(Debug)]
pub struct Guard {
    thread: JoinHandle<Option<Loose>>,
    over: Sender<()>,
}

impl Guard {
    /// Looks after a process that [`super::Launch::spawn`] has started, until `is_held` says that
    /// the engine is in it.
    ///
    /// To be called after the start of the program. From then on, signals for the program are
    /// blocked, also in the new thread.
    ///
    /// # Errors
    /// If there is no thread for it.
    pub fn over(pid: u32, is_held: impl Fn() -> bool + Send + 'static) -> io::Result<Self> {
        let (over, told) = mpsc::channel();
        let look = move || {
            go_first();
            let start = Instant::now();
            loop {
                // In this order: a process that is found may have got the engine just before.
                let found = tree(pid).into_iter().find_map(loose);
                if is_held() {
                    return None;
                }
                if let Some(loose) = found {
                    end(loose.pid);
                    end(pid);
                    return Some(loose);
                }
                let pause = if start.elapsed() < FIRST {
                    OFTEN
                } else {
                    RARELY
                };
                match told.recv_timeout(pause) {
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => return None,
                }
            }
        };
        let thread = thread::Builder::new().name("guard".into()).spawn(look)?;
        Ok(Self { thread, over })
    }

    /// To be called when the program has ended. Returns the process that ran without the engine, if
    /// one did.
    pub fn finish(self) -> Option<Loose> {
        drop(self.over);
        self.thread.join().ok().flatten()
    }
}

/// Has this thread run before others, as far as the system allows it: root may. A machine that has
/// too much to do must not keep it from looking.
fn go_first() {
    // SAFETY: the call touches no memory. The number 0 stands for the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
}

/// A process and those that it has started, and so on.
pub(super) fn tree(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        next += 1;
        for task in tasks(pid) {
            let path = format!("/proc/{pid}/task/{task}/children");
            let children = fs::read_to_string(path).unwrap_or_default();
            all.extend(
                children
                    .split_whitespace()
                    .filter_map(|c| c.parse::<u32>().ok()),
            );
        }
    }
    all
}

fn tasks(pid: u32) -> Vec<u32> {
    let Ok(folder) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let names = folder.flatten().map(|entry| entry.file_name());
    names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect()
}

/// Whether .NET runs in this process, or may run in it without being visible.
fn loose(pid: u32) -> Option<Loose> {
    let why = match mappings::of(pid) {
        Ok(maps) if runs_managed_code(&maps) || has_finalizer(pid) => why(pid),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            "it runs as another user or may not be read, so the tool cannot see what it does"
                .to_owned()
        }
        _ => return None,
    };
    Some(Loose { pid, why })
}

fn runs_managed_code(mappings: &[Mapping]) -> bool {
    let mut files = mappings.iter().filter_map(|mapping| mapping.path.as_ref());
    files.any(|file| file.ends_with("System.Private.CoreLib.dll"))
}

/// Whether a runtime runs in a process. Programs in one file have their CoreLib inside, under no
/// name. A process that was forked and has started no other program yet has no such thread.
pub(super) fn has_finalizer(pid: u32) -> bool {
    let comm = |task| fs::read_to_string(format!("/proc/{pid}/task/{task}/comm"));
    // The kernel keeps 15 characters.
    tasks(pid)
        .into_iter()
        .any(|task| comm(task).is_ok_and(|comm| comm == ".NET Finalizer\n"))
}

/// Why there is no engine in a process, by the environment that it was started with.
fn why(pid: u32) -> String {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let value = |name: &str| {
        let entries = environment.split(|byte| *byte == 0);
        let mut entries = entries.filter_map(|entry| str::from_utf8(entry).ok());
        entries.find_map(|entry| Some(entry.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    };
    if let Some(conflict) = conflicts(&|name| value(name).map(Into::into)).first() {
        return conflict.to_string();
    }
    let enabled = value("CORECLR_ENABLE_PROFILING");
    if enabled.is_none_or(|value| value != "1") || value("SOGLIA_RECORDING").is_none() {
        return "its environment has lost the variables by which a runtime finds the engine".into();
    }
    "its runtime did not take the engine: it is not .NET 8 or later, or not one for the engine that is here".into()
}

/// Ends a process at once.
pub fn end(pid: u32) {
    // SAFETY: the call touches no memory. The number is that of the tool's own child, which it has
    // not waited for, or of a descendant that existed a moment ago.
    unsafe { libc::kill(pid.cast_signed(), libc::SIGKILL) };
}

/// Whether a file is run as another user or group than the one that runs this tool.
pub fn runs_as_another(file: &Path) -> bool {
    let Ok(about) = fs::metadata(file) else {
        return false;
    };
    // SAFETY: the calls take no arguments, touch no memory and always succeed.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    about.mode() & libc::S_ISUID != 0 && about.uid() != user
        || about.mode() & libc::S_ISGID != 0
            && about.mode() & libc::S_IXGRP != 0
            && about.gid() != group
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_runtime_is_known_by_its_core_library() {
        let line = "7f00-7f01 r--p 00000000 08:01 42   ";
        for (path, expected) in [
            (
                "/usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/System.Private.CoreLib.dll",
                true,
            ),
            ("/a/my System.Private.CoreLib.dll", false),
            ("/a/System.Private.CoreLib.dll.txt", false),
            ("/a/libcoreclr.so", false),
        ] {
            let maps: Vec<Mapping> = mappings::all(format!("{line}{path}\n").as_bytes()).collect();
            assert_eq!(
                (maps.len(), runs_managed_code(&maps)),
                (1, expected),
                "{path}"
            );
        }
    }

    #[test]
    fn a_tree_has_children_of_children() {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "/bin/sh -c 'sleep 60; true'; true"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while tree(shell.id()).len() < 3 {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{:?}",
                tree(shell.id())
            );
            thread::sleep(OFTEN);
        }
        for pid in tree(shell.id()) {
            end(pid);
        }
        shell.wait().unwrap();
    }
}
