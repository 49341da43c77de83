//! Processes that inherit nothing from the machine around the tests.

#![allow(
    unsafe_code,
    reason = "signals, limits and masks, which std does not set"
)]

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Variables that change what .NET, soglia or a terminal program does. All others are passed on.
const PREFIXES: [&str; 4] = ["CORECLR_", "COMPlus_", "DOTNET_", "SOGLIA_"];
const NAMES: [&str; 11] = [
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "LANG",
    "LANGUAGE",
    // Cargo names its own folders in it, where hosts find an engine.
    "LD_LIBRARY_PATH",
    "LINES",
    "NO_COLOR",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "TZ",
];

/// Makes the command start with default signals, without core dumps, with an empty standard input
/// and with an environment that is the same wherever the tests run.
///
/// Call this before the environment of the test itself is added.
pub fn isolate(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let is_prefixed = PREFIXES.iter().any(|prefix| text.starts_with(prefix));
        if is_prefixed || text.starts_with("LC_") || NAMES.contains(&&*text) {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    default_signals(command)
}

/// Makes the command start with default signals, without core dumps, with the usual file modes.
pub fn default_signals(command: &mut Command) -> &mut Command {
    // SAFETY: the closure makes system calls only, which a process may make between fork and exec.
    unsafe {
        command.pre_exec(|| {
            reset();
            Ok(())
        })
    }
}

/// Gives this process what a process has that a login shell starts: every signal at its default,
/// none blocked, file mode mask 022, and no core dumps.
///
/// A shell without job control starts its background jobs with SIGINT and SIGQUIT ignored, and
/// `nohup` its command with SIGHUP ignored. Both are inherited through `exec`.
pub fn reset() {
    // SAFETY: default dispositions need no handler, so no code of this process can be called
    // that is not there. `sigemptyset` initialises the set before `pthread_sigmask` reads it,
    // and the limit is initialised where it is declared.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            // Those that cannot be changed, SIGKILL and SIGSTOP, are always at their default.
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::umask(0o022);
        let no_core = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core);
    }
}
