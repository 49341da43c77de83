//! Whether two sources say the same of who called each target first.

use std::collections::BTreeMap;

use serde::Serialize;
use soglia_core::trace::names::UNMANAGED;

use super::{Both, Key};
use crate::model::Model;

/// A target whose first callers are not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstCallers {
    /// The target's name, as in reports.
    pub target: String,
    /// Two runs under `transitions` do not agree either.
    pub varies: bool,
    /// Methods of the program and its libraries, innermost first.
    #[serde(flatten)]
    pub callers: Both<Vec<String>>,
}

/// Of each target that is called by its name: that name, and who called it first.
type Seen = BTreeMap<Key, (String, Vec<String>)>;

fn seen(model: &Model, is_reference: bool, scope: &str) -> Seen {
    // Of what is called by its address, `transitions` has one target for all.
    let own = |row: &&_| {
        let row: &crate::model::TargetRow = row;
        !row.runtime_internal && row.method.is_some() && row.direction == "forward"
    };
    let named = model.targets.iter().filter(own).map(|row| {
        let callers = (row.name(), of_program(&row.first_caller));
        (Key::of(row, is_reference, scope), callers)
    });
    named.collect()
}

/// The frames of a stack without those of the framework, and with one run of native frames where only such frames were between two.
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

/// Under `woven` the framework is precompiled, and some of its methods are compiled into others.
fn is_of_framework(frame: &str) -> bool {
    let family = ["System.", "Microsoft.Win32.", "Microsoft.AspNetCore."];
    family.iter().any(|family| frame.starts_with(family))
}

/// The targets whose first callers are not the same; those that both sources saw are looked at. The
/// first of `reference` counts, the others tell what varies.
pub(super) fn compare(reference: &[Model], woven: &Model, scope: &str) -> Vec<FirstCallers> {
    let told: Vec<Seen> = reference
        .iter()
        .map(|model| seen(model, true, scope))
        .collect();
    let Some((first, others)) = told.split_first() else {
        return Vec::new();
    };
    let seen = seen(woven, false, scope);
    let differ = seen.into_iter().filter_map(|(key, (target, woven))| {
        let (_, transitions) = first.get(&key)?;
        let is_same = |other: &Seen| other.get(&key).is_some_and(|(_, c)| c == transitions);
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
