//! The process that is attached to: whether it runs .NET, and its sockets.

use std::{
    fs, io,
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use soglia_core::{
    control::{self, Peer},
    process,
};

use super::{
    enter::{self, Deed, Entered, Kind},
    error::AttachError,
    ids::Ids,
    inside::Root,
};
use crate::running::process::{Process, Why};

/// The file of the runtime.
const RUNTIME: &str = "/libcoreclr.so";

/// A process that may run .NET.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its number here.
    pub pid: u32,
    /// Its number in its own namespace, by which its sockets are named.
    pub inner: u32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
}

impl Target {
    /// The process with this number.
    ///
    /// # Errors
    /// If there is none, or this user may not look into it.
    pub fn of(pid: u32) -> Result<Self, AttachError> {
        let process = Process { pid };
        match process.mappings() {
            _ if process.is_zombie() => return Err(AttachError::Ended(pid)),
            Ok(_) => {}
            Err(Why::Absent) => return Err(AttachError::NoProcess(pid)),
            Err(Why::Denied) => return Err(denied(process)),
        }
        if let Some(process) = process.has_as_thread() {
            return Err(AttachError::Thread { pid, process });
        }
        let started = process::started(pid).ok_or(AttachError::NoProcess(pid))?;
        let inner = process.numbers().last().copied().unwrap_or(pid);
        Ok(Self {
            pid,
            inner,
            started,
        })
    }

    /// Whether it still runs.
    pub fn lives(&self) -> bool {
        process::lives(self.pid, self.started)
    }

    /// The name of the program, as the kernel has it.
    pub fn name(&self) -> String {
        let name = fs::read(format!("/proc/{}/comm", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&name).trim_end().to_owned()
    }

    /// A variable of the environment that it was started with.
    pub fn variable(&self, name: &str) -> Option<String> {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).ok()?;
        environment.split(|byte| *byte == 0).find_map(|variable| {
            let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(String::from_utf8_lossy(value).into_owned())
        })
    }

    /// The files that it has mapped.
    pub fn mapped(&self) -> Vec<String> {
        let maps = fs::read(format!("/proc/{}/maps", self.pid)).unwrap_or_default();
        let maps = String::from_utf8_lossy(&maps);
        let mut files: Vec<String> = maps
            .lines()
            .filter_map(|line| Some(line.get(line.find('/')?..)?.to_owned()))
            .collect();
        files.sort();
        files.dedup();
        files
    }

    /// Whether it has loaded the runtime, as far as its files show: a program that is one file has
    /// the runtime inside.
    pub(super) fn runs_dotnet(&self) -> bool {
        self.mapped().iter().any(|file| file.ends_with(RUNTIME))
    }

    pub(super) fn not_dotnet(&self) -> AttachError {
        AttachError::NotDotnet {
            pid: self.pid,
            name: self.name(),
            children: self.children_with_dotnet(),
        }
    }

    /// The file system as it sees it.
    pub(super) fn root(&self) -> io::Result<Root> {
        Root::of(self.pid)
    }

    /// A line of its `status`, without its name.
    pub(super) fn status(&self, name: &str) -> Option<String> {
        Process { pid: self.pid }.status(name)
    }

    /// What to enter in order to do something as its user would, in its namespaces of these kinds.
    pub(super) fn as_user(&self, kinds: &[Kind]) -> io::Result<Entered> {
        let (own, its) = (Ids::of(std::process::id())?, Ids::of(self.pid)?);
        let ids = (own.user != its.user)
            .then(|| its.inside(self.pid))
            .flatten();
        Entered::of(self.pid, kinds, ids)
    }

    /// Whether it has ended, or ends within a second: the kernel closes the connections of a
    /// process a moment before it has ended.
    pub(super) fn ends_now(&self) -> bool {
        let until = Instant::now() + Duration::from_secs(1);
        while self.lives() {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// What an error of the system means.
    pub(super) fn os(&self, what: &'static str, error: io::Error) -> AttachError {
        if !self.lives() {
            return AttachError::Ended(self.pid);
        }
        AttachError::Os {
            pid: self.pid,
            what,
            error,
        }
    }

    fn children_with_dotnet(&self) -> Vec<u32> {
        let file = format!("/proc/{0}/task/{0}/children", self.pid);
        let children = fs::read_to_string(file).unwrap_or_default();
        let children = children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok());
        let with = children.filter(|pid| Self::of(*pid).is_ok_and(|child| child.runs_dotnet()));
        with.collect()
    }

    /// The name of the engine's control socket, if the engine is in the process.
    pub fn control_name(&self) -> String {
        control::name(self.inner, self.started)
    }

    /// Connects to the engine. Returns `None` if no engine listens.
    ///
    /// # Errors
    /// If another process than this one listens, if its network is another one that this user may
    /// not enter, or if the system gives an error.
    pub fn connect_control(&self) -> Result<Option<UnixStream>, AttachError> {
        const WHAT: &str = "the engine's control socket";
        let os = |error| self.os(WHAT, error);
        let entered = self.as_user(&[Kind::Network]).map_err(os)?;
        let mut listens = None;
        for name in self.control_names() {
            let name = [b"\0", name.as_bytes()].concat();
            let stream = match entered.run(Deed::Connect(&name)) {
                Ok(Some(stream)) => UnixStream::from(stream),
                Ok(None) => continue,
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                    return Err(self.elsewhere());
                }
                Err(error) => return Err(os(error)),
            };
            let peer = Peer::of(&stream).map_err(os)?;
            if peer.pid == self.pid {
                return Ok(Some(stream));
            }
            listens = Some(peer.pid);
        }
        match listens {
            None => Ok(None),
            Some(other) => Err(AttachError::Deaf {
                pid: self.pid,
                why: format!("process {other} listens in its place"),
            }),
        }
    }

    /// The name that the engine's socket should have. In another time namespace it has another
    /// one, which the kernel's list shows.
    fn control_names(&self) -> Vec<String> {
        let mut names = vec![self.control_name()];
        if enter::differ(self.pid, Kind::Time) {
            let listed = self.listens_on().into_iter();
            let listed = listed.filter_map(|name| Some(name.strip_prefix('@')?.to_owned()));
            names.extend(listed.filter(|name| name.starts_with("soglia/control/")));
        }
        names
    }

    fn elsewhere(&self) -> AttachError {
        AttachError::Elsewhere {
            pid: self.pid,
            why: "its network namespace is another one, and CAP_SYS_ADMIN is needed to enter it"
                .into(),
        }
    }
}

/// Why the kernel does not let this user look into a process.
fn denied(process: Process) -> AttachError {
    let pid = process.pid;
    let (own, its) = (Ids::of(std::process::id()).ok(), Ids::of(pid).ok());
    let why = match (own, its) {
        (Some(own), _) if own.user == 0 => {
            "root needs CAP_SYS_PTRACE for it, which containers have with `--cap-add SYS_PTRACE`"
        }
        (Some(own), Some(its)) if own.user == its.user => {
            "it has more rights than you, or has asked for that; run soglia as root"
        }
        _ => {
            let user = process.user().unwrap_or_else(|| "another user".into());
            return AttachError::NotYours { pid, user };
        }
    };
    AttachError::Hidden { pid, why }
}
