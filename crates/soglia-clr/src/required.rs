//! What must hold, or no managed code may run: a policy, slots, deadlines that kill.
//!
//! The CLR goes on without a profiler that declines. Where something is required, the engine ends
//! the process instead, before the CLR has loaded any managed code. It writes the reason to
//! standard error, and exits with a code of its own. The tool handles the cases in which the engine
//! is not loaded at all.

use std::{env, io::Write};

use soglia_core::{
    deadline::{Action, decode},
    plain::plain,
};

use crate::variables;

/// The exit code of a process that the engine has ended. docs/policy.md and the tool's help name
/// it.
pub const EXIT: i32 = 125;

/// What the environment requires, in words. `None`: the program may run without the engine.
pub fn asked() -> Option<&'static str> {
    let is_there = |name| env::var_os(name).is_some();
    if is_there(variables::POLICY) {
        Some("the policy")
    } else if is_there(variables::SLOTS) {
        Some("the bound on tasks")
    } else if kills() {
        Some("a deadline that kills")
    } else {
        // The tool sets it in addition, in case other code removes the variables above.
        is_there(variables::REQUIRED).then_some("what was asked for")
    }
}

/// Whether a deadline kills. If it cannot be read, it may.
fn kills() -> bool {
    match env::var(variables::DEADLINES) {
        Ok(text) => decode(&text).map_or(true, |all| all.iter().any(|d| d.action == Action::Kill)),
        Err(env::VarError::NotPresent) => false,
        Err(env::VarError::NotUnicode(_)) => true,
    }
}

/// Ends the process, before any of it has run, or because it must not go on.
pub fn end(what: &str, why: &str) -> ! {
    let text = format!(
        "soglia: {what} does not hold here, so this process ends: {}\n",
        plain(why)
    );
    // One write, so that lines of several processes do not mix. If it fails, there is still the
    // exit code.
    let _ = std::io::stderr().write_all(text.as_bytes());
    // SAFETY: ends the process at once. Handlers at exit are for programs that have run.
    unsafe { libc::_exit(EXIT) }
}
