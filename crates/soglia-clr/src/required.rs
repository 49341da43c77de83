//! What must hold, or no managed code may run: a policy, slots, deadlines that kill.
//!
//! The CLR goes on without a profiler that declines. Where something is required, the engine ends
//! the process instead, before the CLR has loaded any managed code. It writes the reason to
//! standard error, and exits with a code of its own. The tool handles the cases in which the engine
//! is not loaded at all.

use std::io::Write;

use soglia_core::{
    deadline::{Action, decode},
    plain::plain,
};

use crate::{
    settings::{NotText, Settings},
    variables,
};

/// The exit code of a process that the engine has ended. docs/policy.md and the tool's help name
/// it.
pub const EXIT: i32 = 125;

/// What the environment requires, in words. `None`: the program may run without the engine.
pub fn asked() -> Option<&'static str> {
    let settings = Settings::Environment;
    let is_there = |name| settings.has(name);
    if is_there(variables::POLICY) {
        Some("the policy")
    } else if is_there(variables::SLOTS) {
        Some("the bound on tasks")
    } else if kills(&settings) {
        Some("a deadline that kills")
    } else {
        // The tool sets it in addition, in case other code removes the variables above.
        is_there(variables::REQUIRED).then_some("what was asked for")
    }
}

/// Whether a deadline kills. If it cannot be read, it may.
fn kills(settings: &Settings) -> bool {
    let kills = |text: String| {
        decode(&text).map_or(true, |all| all.iter().any(|d| d.action == Action::Kill))
    };
    match settings.get(variables::DEADLINES) {
        Ok(text) => text.is_some_and(kills),
        Err(NotText) => true,
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
