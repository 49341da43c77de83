//! The hook that asks the policy before calls of a limited number.

use super::woven;
use crate::policy::Asked;

/// Asks whether a call may be made; 0: it may. Wrappers call this in preemptive mode before the
/// call. `asked` is the address of an [`Asked`].
pub extern "C" fn ask(asked: i64) -> i32 {
    let asked = Asked::at(asked);
    if asked.passes() {
        return 0;
    }
    woven::refused(asked.id());
    i32::from(!asked.audits())
}
