//! The calls of all threads, summed up by what they are nested in.

use std::collections::HashMap;

use serde::Serialize;
use soglia_core::crossing::Side;

/// The most nodes of the tree. Calls for which there is no node are in [`MORE`].
const MOST: usize = 20_000;
/// The deepest node. Calls that are nested deeper belong to it.
const MOST_DEPTH: u32 = 64;

/// The node of a thread's outermost calls.
pub(super) const ROOT: u32 = 0;
/// The node of all calls for which there was no other.
const MORE: u32 = 1;

/// The calls of one target in one place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    parent: u32,
    target: u32,
    side: Side,
    depth: u32,
    calls: u64,
    own: u64,
}

/// A tree of targets: a callback below the call that it is made from, and so on.
#[derive(Debug)]
pub(super) struct Nesting {
    nodes: Vec<Node>,
    children: HashMap<(u32, u32, bool), u32>,
}

/// A node as the page has it. Nodes come after their parents.
#[derive(Debug, Serialize)]
pub(super) struct NestingRow {
    /// The place of the parent's node. `None` for outermost calls.
    parent: Option<u32>,
    /// The place of the name.
    name: u32,
    callback: bool,
    calls: u64,
    self_ns: u64,
}

impl Nesting {
    pub(super) fn new() -> Self {
        let node = |parent| Node {
            parent,
            target: 0,
            side: Side::Unmanaged,
            depth: 0,
            calls: 0,
            own: 0,
        };
        Self {
            nodes: vec![node(ROOT), node(ROOT)],
            children: HashMap::new(),
        }
    }

    /// The node of a call inside of another one.
    pub(super) fn child(&mut self, parent: u32, target: u32, side: Side) -> u32 {
        let Some(above) = self.nodes.get(parent as usize).filter(|_| parent != MORE) else {
            return MORE;
        };
        if above.depth >= MOST_DEPTH {
            return parent;
        }
        let key = (parent, target, side == Side::Managed);
        if let Some(node) = self.children.get(&key) {
            return *node;
        }
        if self.nodes.len() >= MOST {
            return MORE;
        }
        let number = self.nodes.len() as u32;
        self.nodes.push(Node {
            parent,
            target,
            side,
            depth: above.depth + 1,
            calls: 0,
            own: 0,
        });
        self.children.insert(key, number);
        number
    }

    /// Counts a call of this node.
    pub(super) fn count(&mut self, node: u32, own: u64) {
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.calls = node.calls.saturating_add(1);
            node.own = node.own.saturating_add(own);
        }
    }

    /// The rows of the tree. `name` says where the name of a target is, `ns` turns ticks into
    /// nanoseconds.
    pub(super) fn rows(
        &self,
        mut name: impl FnMut(u32) -> u32,
        ns: impl Fn(u64) -> u64,
    ) -> Vec<NestingRow> {
        let rows = self.nodes.iter().skip(1).map(|node| NestingRow {
            // Without the root, every place is one less.
            parent: node.parent.checked_sub(1),
            name: name(node.target),
            callback: node.side == Side::Managed,
            calls: node.calls,
            self_ns: ns(node.own),
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_summed_by_what_they_are_in() {
        let mut nesting = Nesting::new();
        for _ in 0..3 {
            let outer = nesting.child(ROOT, 5, Side::Unmanaged);
            let inner = nesting.child(outer, 6, Side::Managed);
            nesting.count(inner, 10);
            nesting.count(outer, 1);
        }
        let rows = nesting.rows(|target| target, |ticks| ticks);
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.parent, row.name, row.calls, row.self_ns))
            .collect();
        assert_eq!(
            rows,
            [(None, 0, 0, 0), (None, 5, 3, 3), (Some(1), 6, 3, 30)]
        );
    }

    #[test]
    fn the_tree_is_bounded() {
        let mut nesting = Nesting::new();
        let mut node = ROOT;
        for _ in 0..1000 {
            node = nesting.child(node, 1, Side::Unmanaged);
        }
        assert_eq!(nesting.nodes.len(), 2 + MOST_DEPTH as usize);
        for target in 0..50_000 {
            node = nesting.child(ROOT, target, Side::Managed);
        }
        assert_eq!((nesting.nodes.len(), node), (MOST, MORE));
        assert_eq!(nesting.child(MORE, 1, Side::Managed), MORE);
    }
}
