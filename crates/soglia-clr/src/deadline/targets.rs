//! The targets of open calls.

use std::collections::HashMap;

use soglia_core::deadline::{Deadline, of};

use crate::engine::Engine;

/// A target of open calls.
pub struct OpenTarget {
    /// Indices of the deadlines for its calls.
    pub deadlines: Vec<usize>,
    /// As its `DllImport` names it.
    pub name: Option<String>,
    /// It is called without a GC transition.
    pub suppressed: bool,
    /// It is one of the runtime's own.
    pub internal: bool,
}

/// Those that were looked at, by number.
#[derive(Default)]
pub struct OpenTargets(HashMap<u32, OpenTarget>);

impl OpenTargets {
    /// A target, with those of these deadlines that apply to it.
    pub fn get(&mut self, engine: &Engine, deadlines: &[Deadline], target: u32) -> &OpenTarget {
        self.0.entry(target).or_insert_with(|| {
            let names = engine.names_of(target).unwrap_or_default();
            let named = names.library.as_deref().zip(names.entry.as_deref());
            OpenTarget {
                deadlines: named
                    .map_or_else(Vec::new, |(library, entry)| of(deadlines, library, entry)),
                name: named.map(|(library, entry)| format!("{library}!{entry}")),
                suppressed: names.suppressed,
                internal: names.runtime_internal,
            }
        })
    }
}
