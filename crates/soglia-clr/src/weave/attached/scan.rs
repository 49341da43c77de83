//! Finds the callers in the IL of a module.

use std::collections::HashMap;

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::info::ICorProfilerInfo,
};
use soglia_il::body::{self, Bound, Use};

use crate::metadata;

/// What a module has of instructions that name certain methods.
#[derive(Default)]
pub(super) struct Seen {
    /// The callers, and their instructions.
    pub(super) callers: HashMap<MdToken, Vec<Use>>,
    /// How many of these instructions make function pointers.
    pub(super) pointers: u32,
    /// The delegates that are made of methods.
    pub(super) bound: Vec<Bound>,
    /// How many bodies could not be read.
    pub(super) unreadable: u32,
}

/// Finds the instructions that name a `wanted` method, in the methods below the row `end`.
pub(super) fn scan(
    info: &ICorProfilerInfo,
    module: ModuleId,
    end: u32,
    wanted: &dyn Fn(MdToken) -> bool,
) -> Seen {
    let mut seen = Seen::default();
    for method in methods(end) {
        let Some(body) = metadata::body(info, module, method) else {
            continue;
        };
        let mut found = Vec::new();
        let each = |each: Use| {
            if each.may_be_static() && wanted(each.method) {
                found.push(each);
            }
        };
        let read = body::each_use_and_bound(body, each, |bound| seen.bound.push(bound));
        if read.is_none() {
            seen.unreadable += 1;
        } else if !found.is_empty() {
            seen.pointers += found.iter().filter(|each| each.is_pointer()).count() as u32;
            seen.callers.insert(method, found);
        }
    }
    seen
}

/// The methods below this row.
pub(super) fn methods(end: u32) -> impl Iterator<Item = MdToken> {
    (1..end).map(|row| MdToken(0x0600_0000 | row))
}
