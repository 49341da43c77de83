//! What somebody has asked for that must hold, or no managed code may run: a policy, slots, deadlines that kill.
//!
//! The CLR goes on without a profiler that declines. Where something is required, the engine ends the
//! process instead, before the CLR has loaded any managed code: with a reason on standard error and an
//! exit code of its own. The tool sees to the cases in which the engine is not loaded at all.

use std::{env, io::Write};

use soglia_core::{
    deadline::{Action, decode},
    plain::plain,
};

use crate::variables;

/// The exit code of a process that the engine has ended. It is in docs/policy.md and in the tool's help.
pub const EXIT: i32 = 125;

/// What the environment requires, in words; `None`: nothing, so the program may run without the engine.
pub fn asked() -> Option<&'static str> {
    let is_there = |name| env::var_os(name).is_some();
    if is_there(variables::POLICY) {
        Some("the policy")
    } else if is_there(variables::SLOTS) {
        Some("the bound on tasks")
    } else if kills() {
        Some("a deadline that kills")
    } else {
        // The tool sets it beside the others, and somebody may have taken those away.
        is_there(variables::REQUIRED).then_some("what was asked for")
    }
}

/// Whether a deadline kills. One that cannot be read may.
fn kills() -> bool {
    match env::var(variables::DEADLINES) {
        Ok(text) => decode(&text).map_or(true, |all| all.iter().any(|d| d.action == Action::Kill)),
        Err(env::VarError::NotPresent) => false,
        Err(env::VarError::NotUnicode(_)) => true,
    }
}

/// Ends the process: nothing of it has run yet, or what runs must not go on.
pub fn end(what: &str, why: &str) -> ! {
    let text = format!(
        "soglia: {what} does not hold here, so this process ends: {}\n",
        plain(why)
    );
    // One write, so that lines of several processes do not mix. If it fails, the exit code still tells.
    let _ = std::io::stderr().write_all(text.as_bytes());
    // SAFETY: ends the process at once. Handlers at exit are for programs that have run.
    unsafe { libc::_exit(EXIT) }
}
