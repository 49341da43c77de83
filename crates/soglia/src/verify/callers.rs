//! Whether both sources name the same first caller of each target.

use std::collections::BTreeMap;

use serde::Serialize;
use soglia_core::trace::names::UNMANAGED;

use super::{counts::Both, key::Key};
use crate::model::{Model, TargetRow};

/// A target whose first callers differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstCallers {
    /// The target's name, as in reports.
    pub target: String,
    /// The first callers differ between runs under `transitions` too.
    pub varies: bool,
    /// Methods of the program and its libraries, innermost first.
    #[serde(flatten)]
    pub callers: Both<Vec<String>>,
}

/// The name and the first callers of each target that is called by name.
type FirstCalls = BTreeMap<Key, (String, Vec<String>)>;

fn seen(model: &Model, is_reference: bool, scope: &str) -> FirstCalls {
    // `transitions` has one target for all function pointers.
    let own = |row: &&_| {
        let row: &TargetRow = row;
        !row.runtime_internal && row.method.is_some() && row.direction == "forward"
    };
    let named = model.targets.iter().filter(own).map(|row| {
        let callers = (row.name(), of_program(&row.first_caller));
        (Key::of(row, is_reference, scope), callers)
    });
    named.collect()
}

/// The frames of a stack without those of the framework. Native frames that only framework frames
/// separated become one.
fn of_program(stack: &[String]) -> Vec<String> {
    let mut callers: Vec<String> = Vec::new();
    for frame in stack.iter().filter(|frame| !is_of_framework(frame)) {
        let above = callers.last().map_or(UNMANAGED, String::as_str);
        if frame != UNMANAGED || above != UNMANAGED {
            callers.push(frame.clone());
        }
    }
    callers
}

/// Whether a frame is of the framework. Under `woven` the framework is precompiled, so some of its
/// methods are inlined and have no frame.
fn is_of_framework(frame: &str) -> bool {
    let family = ["System.", "Microsoft.Win32.", "Microsoft.AspNetCore."];
    family.iter().any(|family| frame.starts_with(family))
}

/// The targets whose first callers differ, of those that both sources saw. The first recording of
/// `reference` counts. The others show what varies by itself.
pub(super) fn compare(reference: &[Model], woven: &Model, scope: &str) -> Vec<FirstCallers> {
    let references: Vec<FirstCalls> = reference
        .iter()
        .map(|model| seen(model, true, scope))
        .collect();
    let Some((first, others)) = references.split_first() else {
        return Vec::new();
    };
    let seen = seen(woven, false, scope);
    let differ = seen.into_iter().filter_map(|(key, (target, woven))| {
        let (_, transitions) = first.get(&key)?;
        let is_same = |other: &FirstCalls| other.get(&key).is_some_and(|(_, c)| c == transitions);
        (*transitions != woven).then(|| FirstCallers {
            target,
            varies: !others.iter().all(is_same),
            callers: Both {
                transitions: transitions.clone(),
                woven,
            },
        })
    });
    differ.collect()
}
