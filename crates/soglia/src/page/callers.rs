//! The tree of callers, down to targets.
//!
//! A recording has the stacks of some calls: of slow ones, and of first ones. The time of slow
//! calls belongs to their own stacks. The rest of a target's time is divided among its known
//! callers.

use std::collections::HashMap;

use serde::Serialize;

use crate::{
    model::{Model, TargetRow},
    text::frames,
};

/// The most nodes of the tree.
const MOST: usize = 40_000;
/// The most frames of a stack.
const MOST_FRAMES: usize = 128;
/// The most characters of a frame.
const MOST_NAME: usize = 512;

/// Stands for callers that the recording does not have.
const UNKNOWN: &str = "[no caller is known]";

/// A method or a target. Nodes come after their parents.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct CallNode {
    /// The place of the parent's node. `None` for outermost frames.
    parent: Option<u32>,
    name: String,
    /// It is a native function, and the frames around it are its callers.
    target: bool,
    /// Native calls from here. Of a frame, those of the targets below it are not among them.
    calls: u64,
    self_ns: u64,
}

#[derive(Default)]
struct Tree {
    rows: Vec<CallNode>,
    children: HashMap<(Option<u32>, String, bool), u32>,
}

impl Tree {
    fn child(&mut self, parent: Option<u32>, name: &str, target: bool) -> Option<u32> {
        let name = super::shown::shown(name, MOST_NAME);
        let key = (parent, name, target);
        if let Some(row) = self.children.get(&key) {
            return Some(*row);
        }
        if self.rows.len() >= MOST {
            return None;
        }
        let number = self.rows.len() as u32;
        self.rows.push(CallNode {
            parent,
            name: key.1.clone(),
            target,
            ..CallNode::default()
        });
        self.children.insert(key, number);
        Some(number)
    }

    /// Counts calls of a target from a stack, whose innermost frame comes first.
    fn add(&mut self, stack: &[String], target: &str, calls: u64, self_ns: u64) {
        let stack = frames(&stack[..stack.len().min(MOST_FRAMES)]);
        let unknown = [UNKNOWN.to_owned()];
        let inner = if stack.is_empty() {
            &unknown
        } else {
            &stack[..]
        };
        let mut node = None;
        for frame in inner.iter().rev() {
            match self.child(node, frame, false) {
                Some(child) => node = Some(child),
                None => return,
            }
        }
        if let Some(row) = self.child(node, target, true) {
            let row = &mut self.rows[row as usize];
            row.calls = row.calls.saturating_add(calls);
            row.self_ns = row.self_ns.saturating_add(self_ns);
        }
    }
}

/// The tree of a report's native calls.
pub(super) fn rows(model: &Model) -> Vec<CallNode> {
    let mut tree = Tree::default();
    let mut slow: HashMap<&str, Vec<(&[String], u64)>> = HashMap::new();
    for call in model.slow.iter().filter(|call| !call.runtime_internal) {
        let of_target = slow.entry(&call.target).or_default();
        of_target.push((&call.stack, call.duration_ns));
    }
    for target in &model.targets {
        if target.direction == "forward" && !target.runtime_internal && target.calls > 0 {
            // Rows with one name share their slow calls: the first takes them.
            let slow = slow.remove(&*target.name()).unwrap_or_default();
            add(&mut tree, target, &slow);
        }
    }
    tree.rows
}

fn add(tree: &mut Tree, target: &TargetRow, slow: &[(&[String], u64)]) {
    let name = target.name();
    let (mut calls, mut own) = (target.calls, target.self_ns);
    for (stack, took) in slow {
        // What was nested in the call is not its own time. The target's share is that of all calls.
        let share = u128::from(*took) * u128::from(target.self_ns);
        let share = share.checked_div(u128::from(target.total_ns)).unwrap_or(0);
        let share = u64::try_from(share).unwrap_or(u64::MAX).min(own);
        let one = calls.min(1);
        tree.add(stack, &name, one, share);
        calls -= one;
        own -= share;
    }
    // Slow calls are among those whose stacks were kept, so these say who makes the others.
    let kept = target.callers.iter().map(|caller| caller.calls);
    let mut left = kept.fold(0, u64::saturating_add);
    for caller in &target.callers {
        let [some, part] = [calls, own].map(|whole| {
            let part = u128::from(whole) * u128::from(caller.calls);
            let part = part.checked_div(u128::from(left)).unwrap_or(0);
            u64::try_from(part).unwrap_or(u64::MAX).min(whole)
        });
        tree.add(&caller.stack, &name, some, part);
        calls -= some;
        own -= part;
        left = left.saturating_sub(caller.calls);
    }
    if calls > 0 {
        tree.add(&target.first_caller, &name, calls, own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CallerRow, SlowRow};
    use soglia_core::trace::names::UNMANAGED;

    fn stack(frames: &[&str]) -> Vec<String> {
        frames.iter().map(|frame| (*frame).to_owned()).collect()
    }

    #[test]
    fn no_call_and_no_time_is_lost() {
        let target = TargetRow {
            direction: "forward",
            library: Some("libc".to_owned()),
            entry: Some("read".to_owned()),
            calls: 10,
            total_ns: 1000,
            self_ns: 500,
            first_caller: stack(&["Inner", "Main"]),
            ..TargetRow::default()
        };
        let slow = SlowRow {
            target: "libc!read".to_owned(),
            runtime_internal: false,
            t: 0,
            time: None,
            began: 0,
            returned: 600,
            task: 1,
            duration_ns: 600,
            stack: stack(&["Other", "Main", UNMANAGED]),
            ..SlowRow::default()
        };
        let model = Model {
            targets: vec![target],
            slow: vec![slow],
            ..Model::default()
        };
        let row = |parent, name: &str, target, calls, self_ns| CallNode {
            parent,
            name: name.to_owned(),
            target,
            calls,
            self_ns,
        };
        assert_eq!(
            rows(&model),
            [
                row(None, "Main", false, 0, 0),
                row(Some(0), "Other", false, 0, 0),
                row(Some(1), "libc!read", true, 1, 300),
                row(Some(0), "Inner", false, 0, 0),
                row(Some(3), "libc!read", true, 9, 200),
            ]
        );
    }

    #[test]
    fn several_callers_share_the_rest() {
        let caller = |name: &str, calls| CallerRow {
            stack: stack(&[name]),
            calls,
        };
        let target = TargetRow {
            direction: "forward",
            method: Some("M".to_owned()),
            calls: 100,
            self_ns: 1000,
            callers: vec![caller("A", 3), caller("B", 1)],
            first_caller: stack(&["A"]),
            ..TargetRow::default()
        };
        let model = Model {
            targets: vec![target],
            ..Model::default()
        };
        let rows = rows(&model);
        let rows = rows
            .iter()
            .filter(|row| row.target)
            .map(|row| (row.calls, row.self_ns));
        assert_eq!(rows.collect::<Vec<_>>(), [(75, 750), (25, 250)]);
    }

    #[test]
    fn a_target_without_a_caller_is_in_the_tree() {
        let target = TargetRow {
            direction: "forward",
            method: Some("M".to_owned()),
            calls: 2,
            ..TargetRow::default()
        };
        let model = Model {
            targets: vec![target],
            ..Model::default()
        };
        let rows = rows(&model);
        let names: Vec<_> = rows.iter().map(|row| (&*row.name, row.calls)).collect();
        assert_eq!(names, [(UNKNOWN, 0), ("M", 2)]);
    }
}
