//! The tree of callers: managed methods down to native functions, and the callbacks in these.
//!
//! The recording has the managed stacks of few calls: of the first one of each target on each task,
//! and of slow ones. All other calls of the target on that task are taken to come from there. How
//! calls nest is exact where the recording has events.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use soglia_core::{
    crossing::Side,
    trace::{
        names::{Names, SlowCall},
        reader::Reader,
    },
};

use super::{
    named::{Named, short},
    sink::{Call, Outcome, Sink, TaskInfo},
};
use crate::{model::names, text};

/// The most nodes of a tree.
const MOST_NODES: usize = 1 << 18;
/// About the most bytes of all paths together, as text.
const MOST_BYTES: usize = 64 << 20;
/// The most slow calls that are kept apart.
const MOST_SLOW: usize = 1 << 16;
/// The most bytes of names that are looked up on the way, over and over. No program has so many
/// tasks, targets and frames.
const MOST_WORK: usize = 512 << 20;
/// The most bytes of stacks that are made, and of those that are kept.
const MOST_MADE: usize = 128 << 20;
const MOST_KEPT: usize = 16 << 20;

/// What stands for all calls for which the tree has no room.
const NO_ROOM: &str = "[no room in the export]";

/// A frame with its callers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Node {
    /// The node of the caller; the root's is the root.
    pub parent: usize,
    /// The place of the frame's name.
    pub frame: usize,
    /// Bytes of the path, as text.
    bytes: usize,
    /// Calls of the target that the node stands for.
    pub calls: u64,
    /// Their time without nested calls.
    pub own: u64,
}

/// Calls and their time, by path. Node 0 is the root, and has no frame.
#[derive(Debug)]
pub struct Tree {
    /// All nodes. A node comes after its parent.
    pub nodes: Vec<Node>,
    /// Names of frames.
    pub frames: Vec<String>,
    children: HashMap<(usize, usize), usize>,
    numbers: HashMap<String, usize>,
    bytes: usize,
    work: usize,
    /// The node for what has no room, if there is one.
    full: Option<usize>,
}

impl Tree {
    fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
            frames: Vec::new(),
            children: HashMap::new(),
            numbers: HashMap::new(),
            bytes: 0,
            work: 0,
            full: None,
        }
    }

    fn frame(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.frames.push(name.to_owned());
        self.numbers.insert(name.to_owned(), self.frames.len() - 1);
        self.frames.len() - 1
    }

    /// The child of a node with this name.
    fn child(&mut self, parent: usize, name: &str) -> usize {
        if self.full == Some(parent) {
            return parent;
        }
        let bytes = self.nodes[parent].bytes + name.len() + 1;
        let known = self.numbers.get(name);
        let known = known.and_then(|frame| self.children.get(&(parent, *frame)));
        if let Some(node) = known {
            return *node;
        }
        if self.nodes.len() >= MOST_NODES || self.bytes + bytes > MOST_BYTES {
            return self.full();
        }
        self.bytes += bytes;
        let frame = self.frame(name);
        self.add(parent, frame, bytes)
    }

    fn add(&mut self, parent: usize, frame: usize, bytes: usize) -> usize {
        self.nodes.push(Node {
            parent,
            frame,
            bytes,
            ..Node::default()
        });
        let node = self.nodes.len() - 1;
        self.children.insert((parent, frame), node);
        node
    }

    fn full(&mut self) -> usize {
        if let Some(full) = self.full {
            return full;
        }
        let frame = self.frame(NO_ROOM);
        let node = self.add(0, frame, NO_ROOM.len());
        self.full = Some(node);
        node
    }

    fn path(&mut self, parent: usize, frames: &[String], name: &str) -> usize {
        self.work += name.len() + frames.iter().map(String::len).sum::<usize>();
        if self.work > MOST_WORK {
            return self.full();
        }
        let inner = frames.iter().rev();
        let node = inner.fold(parent, |node, frame| self.child(node, frame));
        self.child(node, name)
    }

    fn count(&mut self, node: usize, calls: u64, own: u64) {
        let node = &mut self.nodes[node];
        node.calls = node.calls.saturating_add(calls);
        node.own = node.own.saturating_add(own);
    }

    /// The names of a path, outermost first.
    pub fn names(&self, mut node: usize) -> Vec<&str> {
        let mut names = Vec::new();
        while node != 0 {
            names.push(&*self.frames[self.nodes[node].frame]);
            node = self.nodes[node].parent;
        }
        names.reverse();
        names
    }
}

/// The managed stacks in a recording.
struct Stacks {
    /// The stacks of the first calls on a task, by target and task.
    of_task: HashMap<(u32, u32), Vec<u32>>,
    first: HashMap<u32, u32>,
    /// The stacks of slow calls by target, task and end.
    slow: HashMap<(u32, u32, u64), u32>,
    frames: HashMap<u32, Vec<String>>,
    /// Bytes of `frames`, and of all that were ever made.
    kept: usize,
    made: usize,
    names: Names,
}

impl Stacks {
    fn of(reader: &Reader) -> Self {
        let names = names(reader);
        let mut of_task: HashMap<(u32, u32), Vec<u32>> = HashMap::new();
        for caller in &names.callers {
            let of = of_task.entry((caller.target, caller.task)).or_default();
            of.push(caller.stack);
        }
        let start = reader.start_ticks();
        let with_stack = names.slow.iter().filter(|call| call.stack != 0);
        let slow = with_stack.take(MOST_SLOW).map(|call| {
            let at = reader.scale().ns(call.at.saturating_sub(start));
            ((call.target, call.task, at), call.stack)
        });
        Self {
            of_task,
            slow: slow.collect(),
            first: names.first_calls.clone(),
            frames: HashMap::new(),
            kept: 0,
            made: 0,
            names,
        }
    }

    /// The stacks that calls of a target on a task are taken to have.
    fn of_calls(&self, target: u32, task: u32) -> Vec<u32> {
        let own = self.of_task.get(&(target, task)).cloned();
        own.unwrap_or_else(|| vec![self.first.get(&target).copied().unwrap_or(0)])
    }

    /// The frames of a stack as people read them, innermost first.
    fn frames(&mut self, stack: u32) -> Vec<String> {
        if let Some(frames) = self.frames.get(&stack) {
            return frames.clone();
        }
        if self.made > MOST_MADE {
            return Vec::new();
        }
        let all = self.names.stack(stack);
        let all: Vec<String> = all.into_iter().map(|frame| short(frame).into()).collect();
        let frames = text::frames(&all);
        let bytes = all.iter().map(|frame| frame.len() + 32).sum::<usize>();
        self.made += bytes;
        self.kept += bytes;
        if self.kept > MOST_KEPT {
            self.frames.clear();
            self.kept = bytes;
        }
        self.frames.insert(stack, frames.clone());
        frames
    }

    /// The frames up to native code that lies below, without the callback itself.
    fn frames_above(&mut self, stack: u32, callback: &str) -> Vec<String> {
        let mut frames = self.frames(stack);
        let native = frames.iter().position(|frame| frame == text::NATIVE);
        frames.truncate(native.unwrap_or(frames.len()));
        if frames.last().is_some_and(|outermost| outermost == callback) {
            frames.pop();
        }
        frames
    }
}

/// The tree of a recording that has no events: from its counters.
pub fn counted(reader: &Reader, named: &Named) -> Tree {
    let (mut tree, mut stacks) = (Tree::new(), Stacks::of(reader));
    let mut slow: BTreeMap<(u32, u32), Vec<SlowCall>> = BTreeMap::new();
    let with_stack = stacks.names.slow.iter().filter(|call| call.stack != 0);
    for call in with_stack.take(MOST_SLOW) {
        slow.entry((call.task, call.target))
            .or_default()
            .push(*call);
    }
    for task in reader.each_task() {
        let mut targets: Vec<_> = task.targets.iter().collect();
        targets.sort_by_key(|(key, _)| **key);
        for ((target, side), total) in targets {
            let name = frame_name(named, *target, *side);
            let (mut calls, mut ticks) = (total.calls(), total.own);
            // Slow calls have stacks of their own. How much of them was nested is not known: each
            // has the same share.
            for call in slow.get(&(task.number, *target)).into_iter().flatten() {
                let share = u128::from(call.took) * u128::from(total.own);
                let share = (share / u128::from(total.total.max(1))) as u64;
                let own = share.min(ticks);
                if calls == 0 {
                    break;
                }
                (calls, ticks) = (calls - 1, ticks - own);
                let frames = stacks.frames(call.stack);
                let node = tree.path(0, &frames, &name);
                tree.count(node, 1, reader.scale().ns(own));
            }
            let all = stacks.of_calls(*target, task.number);
            let parts = all.len() as u64;
            for (n, stack) in (0..).zip(all) {
                let part = |of: u64| of / parts + u64::from(n < of % parts);
                if part(calls) > 0 {
                    let frames = stacks.frames(stack);
                    let node = tree.path(0, &frames, &name);
                    tree.count(node, part(calls), reader.scale().ns(part(ticks)));
                }
            }
        }
    }
    tree
}

/// The name of a target as a frame.
fn frame_name(named: &Named, target: u32, side: Side) -> String {
    let name = &named.target(target).name;
    match side {
        Side::Unmanaged => name.clone(),
        Side::Managed => text::method(name),
    }
}

/// Makes a tree of calls, and gives it to a format at the end.
pub struct Builder<'a, F> {
    named: &'a Named,
    stacks: Stacks,
    tree: Tree,
    /// The nodes of open calls on the task, outermost first.
    open: Vec<usize>,
    /// The node of a target below another one, on the task.
    below: HashMap<(usize, u32), usize>,
    write: Option<F>,
}

impl<'a, F> Builder<'a, F> {
    /// Nothing yet. `write` gets the tree.
    pub fn new(reader: &Reader, named: &'a Named, write: F) -> Self {
        Self {
            named,
            stacks: Stacks::of(reader),
            tree: Tree::new(),
            open: Vec::new(),
            below: HashMap::new(),
            write: Some(write),
        }
    }

    fn node(&mut self, parent: usize, call: &Call, stack: u32) -> usize {
        let frames = match parent {
            0 => self.stacks.frames(stack),
            node => {
                let callback = &self.tree.frames[self.tree.nodes[node].frame];
                self.stacks.frames_above(stack, callback)
            }
        };
        // Native code calls a callback: managed frames are those of the call below.
        let between = match (parent, call.side) {
            (0, _) | (_, Side::Unmanaged) => frames,
            (_, Side::Managed) => Vec::new(),
        };
        let name = frame_name(self.named, call.target, call.side);
        self.tree.path(parent, &between, &name)
    }
}

impl<F: FnOnce(Tree) -> io::Result<()>> Sink for Builder<'_, F> {
    fn task(&mut self, _: &TaskInfo) -> io::Result<()> {
        self.open.clear();
        self.below.clear();
        Ok(())
    }

    fn began(&mut self, call: &Call) -> io::Result<()> {
        let parent = self.open.last().copied().unwrap_or(0);
        let known = self.below.get(&(parent, call.target)).copied();
        let node = match known {
            Some(node) => node,
            None => {
                let stacks = self.stacks.of_calls(call.target, call.task);
                let node = self.node(parent, call, stacks.first().copied().unwrap_or(0));
                self.below.insert((parent, call.target), node);
                node
            }
        };
        self.open.push(node);
        Ok(())
    }

    fn ended(&mut self, call: &Call) -> io::Result<()> {
        let node = match call.outcome.is_layer() {
            true => self.open.pop().unwrap_or(0),
            false if call.outcome == Outcome::Untimed => self.open.last().copied().unwrap_or(0),
            false => return Ok(()),
        };
        let slow = (!self.stacks.slow.is_empty())
            .then(|| self.stacks.slow.get(&(call.target, call.task, call.ended)))
            .flatten();
        let node = match slow.copied() {
            Some(stack) => {
                let parent = self.open.last().copied().unwrap_or(0);
                self.node(parent, call, stack)
            }
            None => node,
        };
        self.tree.count(node, 1, call.own);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let tree = std::mem::replace(&mut self.tree, Tree::new());
        self.write.take().map_or(Ok(()), |write| write(tree))
    }
}
