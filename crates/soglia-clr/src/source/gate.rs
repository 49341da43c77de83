//! The hook that asks the policy for calls of a limited number.

use super::woven;
use crate::policy::Asked;

/// Asks for a call, before it is made. Called by wrappers in preemptive mode; `asked` is the address of an [`Asked`].
/// Answers 0 if the call may be made.
pub extern "C" fn ask(asked: i64) -> i32 {
    let asked = Asked::at(asked);
    if asked.passes() {
        return 0;
    }
    woven::refused(asked.id());
    i32::from(!asked.audits())
}
