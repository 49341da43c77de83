//! What keeps a process from being attached to that has a diagnostics port.

use std::fs;

use soglia_core::plain::plain;

use super::{error::AttachError, load::Kind, target::Target};
use crate::{dotnet::platform::CLibrary, launch::check_engine};

/// The variable that lets hot reload change code.
const HOT_RELOAD: &str = "DOTNET_MODIFIABLE_ASSEMBLIES";

/// The variables that name a profiler, the first that counts first.
const PROFILERS: [&str; 3] = [
    "CORECLR_PROFILER_PATH_64",
    "CORECLR_PROFILER_PATH",
    "DOTNET_PROFILER_PATH",
];

impl Target {
    /// Checks what the process says of itself, before its runtime is asked for anything.
    ///
    /// # Errors
    /// What is in the way, and what to do about it.
    pub(crate) fn check(&self, kind: Kind) -> Result<(), AttachError> {
        let pid = self.pid;
        if let Some(why) = self.halt() {
            return Err(AttachError::Halted { pid, why });
        }
        let reloads = self.variable(HOT_RELOAD);
        if kind == Kind::Weave && reloads.is_some_and(|v| v.eq_ignore_ascii_case("debug")) {
            return Err(AttachError::HotReload(pid));
        }
        Ok(())
    }

    /// Its C library.
    pub fn c_library(&self) -> CLibrary {
        let mapped = self.mapped();
        let name = |file: &String| file.rsplit('/').next().unwrap_or(file).to_owned();
        let mut found = mapped.iter().filter_map(|file| {
            let name = name(file);
            CLibrary::of_loader(&name).or_else(|| CLibrary::of_name(&name))
        });
        found.next().unwrap_or_else(CLibrary::of_system)
    }

    /// The profiler that its runtime has: what its environment names, or else a loaded file that
    /// can be one.
    pub(super) fn profiler(&self) -> Option<String> {
        let named = PROFILERS.iter().find_map(|name| self.variable(name));
        named.or_else(|| self.loaded_profilers().into_iter().next())
    }

    /// The loaded files that can be profilers, except those of the runtime.
    pub(crate) fn loaded_profilers(&self) -> Vec<String> {
        let can_be = |file: &String| {
            let here = format!("/proc/{}/root{file}", self.pid);
            file.contains(".so") && !is_of_runtime(file) && check_engine(here.as_ref()).is_ok()
        };
        self.mapped().into_iter().filter(can_be).collect()
    }

    /// Why it does not run at the moment, for people, with what to do.
    pub fn halt(&self) -> Option<String> {
        let state = self.status("State")?;
        let waits = fs::read_to_string(format!("/proc/{}/wchan", self.pid)).unwrap_or_default();
        if is_frozen(&state, &waits) {
            return Some("it is frozen, as by `docker pause`: have it go on there".into());
        }
        let tracer = self.status("TracerPid").and_then(|pid| pid.parse().ok());
        let name = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        halted(&state, self.pid, tracer, &name)
    }
}

/// Whether a control group keeps it from running, by its state and the function of the kernel that
/// it waits in. Both versions of control groups have their own.
fn is_frozen(state: &str, waits: &str) -> bool {
    match waits.trim_end() {
        "__refrigerator" | "do_freezer_trap" => true,
        "get_signal" => state.starts_with(['S', 'D']),
        _ => false,
    }
}

/// What a state means in which no thread runs.
fn halted(
    state: &str,
    pid: u32,
    tracer: Option<u32>,
    name: &dyn Fn(u32) -> String,
) -> Option<String> {
    match (state.chars().next()?, tracer) {
        ('T', _) => Some(format!(
            "it is stopped, and `kill -CONT {pid}` has it go on"
        )),
        ('t', Some(tracer)) if tracer != 0 => {
            let name = name(tracer);
            Some(format!(
                "a debugger (process {tracer}, {}) has stopped it: let it go on there",
                plain(name.trim_end())
            ))
        }
        ('t', _) => Some("a debugger has stopped it: let it go on there".into()),
        _ => None,
    }
}

/// Whether a file is one of the runtime's own, some of which are made like profilers.
fn is_of_runtime(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.starts_with("libcoreclr") || name.starts_with("libmscor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_stands_still_is_explained() {
        let name = |pid: u32| format!("debugger{pid}\n");
        let why = |state, tracer| halted(state, 7, tracer, &name);
        assert_eq!(why("S (sleeping)", Some(9)), None);
        assert_eq!(why("R (running)", Some(0)), None);
        assert!(
            why("T (stopped)", Some(0))
                .unwrap()
                .contains("kill -CONT 7")
        );
        let traced = why("t (tracing stop)", Some(9)).unwrap();
        assert!(traced.contains("(process 9, debugger9)"), "{traced}");
        assert!(why("t (tracing stop)", Some(0)).is_some());
        assert_eq!(why("", None), None);
    }

    #[test]
    fn a_frozen_process_is_told_from_a_stopped_one() {
        assert!(is_frozen("D (disk sleep)", "__refrigerator"));
        assert!(is_frozen("S (sleeping)", "get_signal"));
        assert!(is_frozen("S (sleeping)", "do_freezer_trap\n"));
        assert!(!is_frozen("T (stopped)", "get_signal"));
        assert!(!is_frozen("S (sleeping)", "futex_do_wait") && !is_frozen("R (running)", "0"));
    }
}
