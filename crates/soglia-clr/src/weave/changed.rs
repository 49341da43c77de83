//! What was changed in CoreLib, and what could not be.

use std::collections::HashSet;

use soglia_abi::ids::MdToken;

/// What was changed.
pub(super) struct Done {
    /// Rows of the changed methods.
    pub(super) changed: HashSet<u32>,
    /// The occasions that are missing, in words.
    pub(super) missing: Vec<String>,
}

impl Done {
    /// Notes whether a method was changed, or `what` is missing because it was not.
    pub(super) fn note(
        &mut self,
        method: MdToken,
        changed: Result<bool, String>,
        what: impl FnOnce() -> String,
    ) {
        match changed {
            Ok(true) => _ = self.changed.insert(method.row()),
            Ok(false) => {}
            Err(why) => self.missing.push(format!("{}: {why}", what())),
        }
    }
}
