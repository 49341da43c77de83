//! What identifies a target under both sources.

use crate::model::{FUNCTION_POINTER, TargetRow, UnwatchedRow};

/// The core library. `--corelib` watches its calls.
pub const CORELIB: &str = "System.Private.CoreLib";

/// Whether `woven` watches the runtime's own targets in this assembly.
pub(super) fn is_in_scope(assembly: Option<&str>, scope: &str) -> bool {
    match scope {
        "user" => false,
        "framework" => assembly != Some(CORELIB),
        _ => true,
    }
}

/// The name of function pointers that no module calls. `woven` has no wrappers for code made at run
/// time.
const MADE_AT_RUN_TIME: &str = "[function pointer] in code made at run time";

/// What identifies a target. A key without a method stands for all function pointers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) direction: &'static str,
    pub(super) assembly: Option<String>,
    pub(super) method: Option<String>,
    pub(super) library: Option<String>,
    pub(super) entry: Option<String>,
}

impl Key {
    /// The key of a row.
    ///
    /// `woven` has one target per function pointer, `transitions` has one per calling assembly.
    /// Function pointers that only `transitions` can see get keys of their own.
    pub(super) fn of(row: &TargetRow, is_reference: bool, scope: &str) -> Self {
        if row.method.is_none() {
            let assembly = row.assembly.as_deref();
            return Self {
                direction: row.direction,
                method: (is_reference && assembly.is_none()).then(|| MADE_AT_RUN_TIME.into()),
                assembly: row
                    .assembly
                    .clone()
                    .filter(|_| row.runtime_internal && !is_in_scope(assembly, scope)),
                ..Self::default()
            };
        }
        Self {
            direction: row.direction,
            assembly: row.assembly.clone(),
            method: row.method.clone(),
            library: row.library.clone(),
            entry: row.entry.clone(),
        }
    }

    /// Whether `woven` reported that it does not watch this target, or cannot watch it.
    pub(super) fn is_unwatched(&self, not_watched: &[UnwatchedRow]) -> bool {
        let method = self.method.as_deref().unwrap_or(FUNCTION_POINTER);
        not_watched.iter().any(|what| {
            // An entry that names no targets excuses none.
            let says = what.assembly.is_some() || what.method.is_some();
            // The key of function pointers has no assembly.
            let assembly = what.assembly.is_none()
                || what.assembly == self.assembly
                || (self.method.is_none() && what.method.as_deref() == Some(FUNCTION_POINTER));
            says && assembly
                && what.direction.is_none_or(|d| d == self.direction)
                && what.method.as_ref().is_none_or(|named| named == method)
        }) || method == MADE_AT_RUN_TIME
    }
}
