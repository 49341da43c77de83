//! Layers: what is open on a task, from the outermost call to the innermost.

use crate::crossing::Side;

/// Layers that a task may have open at a time. A managed and a native function that call each other without end overflow
/// a main thread's 8 MiB stack at about 32,600 pairs, which is 65,200 layers.
pub const MAX_DEPTH: u32 = 1 << 17;

/// One level of nesting: a call over the boundary that has not come back yet.
///
/// In the recorded process it lies in the mapped recording as it stands here, so a reader sees what is open now, and
/// what was open when the process died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Layer {
    /// Ticks at which it was opened.
    pub since: u64,
    /// Ticks spent in layers that were nested directly in it and have been closed, by returns or exceptions.
    pub inner: u64,
    /// Where the stack was when it was opened: an address on the thread's stack, 0 = unknown. Stacks grow downwards, so a
    /// layer whose mark is not above that of a later, outer crossing is gone. See [`Task::cross`](crate::task::Task::cross).
    pub mark: u64,
    /// The number by which the runtime names the called function; only compared, never followed.
    pub function: u64,
    /// Where its calls are accounted: a reference to a slot in the live process, a target's number in a replay.
    pub slot: u32,
    /// Bit 0: the [`Side`]. The other bits: see [`Layer::mark_counted`].
    pub bits: u32,
}

impl Layer {
    /// The side on which this layer runs.
    #[inline]
    pub const fn side(&self) -> Side {
        Side::from_number(self.bits)
    }

    /// Notes, before the counters of ended, abandoned and failed calls go up to `gone` in sum, that it is this layer which they
    /// will count.
    ///
    /// The process can be killed between any two instructions. A reader that finds this layer open decides by the
    /// note and the counters whether it was already counted: see [`Layer::is_counted`].
    #[inline]
    pub const fn mark_counted(&mut self, gone: u32) {
        self.bits = (self.bits & 1) | (gone << 1);
    }

    /// Whether this layer, found open, is already among the `gone` calls of its slot: ended, abandoned or failed.
    pub const fn is_counted(&self, gone: u32) -> bool {
        let noted = self.bits >> 1;
        // A layer of a live process may have been closed, and others after it, since the reader looked at the depth.
        let after = gone.wrapping_sub(noted) & (u32::MAX >> 1);
        noted != 0 && after < 1 << 30
    }
}

/// A stack of layers. One implementation lies in the mapped recording, the other ([`VecLayers`]) in memory.
pub trait Layers {
    /// Layers open now.
    fn depth(&self) -> u32;
    /// The innermost layer.
    fn top(&mut self) -> Option<&mut Layer>;
    /// The layer that has `below` others above it; 0 is the innermost.
    fn below_top(&self, below: u32) -> Option<&Layer>;
    /// Opens a layer. `false`: there is no room for it.
    fn push(&mut self, layer: Layer) -> bool;
    /// Closes the innermost layer, if there is one.
    fn pop(&mut self);
}

/// Layers in ordinary memory: for replays and tests.
#[derive(Clone, Debug, Default)]
pub struct VecLayers(Vec<Layer>);

impl VecLayers {
    /// The open layers, outermost first.
    pub fn as_slice(&self) -> &[Layer] {
        &self.0
    }
}

impl Layers for VecLayers {
    fn depth(&self) -> u32 {
        self.0.len() as u32
    }

    fn top(&mut self) -> Option<&mut Layer> {
        self.0.last_mut()
    }

    fn below_top(&self, below: u32) -> Option<&Layer> {
        self.0.iter().rev().nth(below as usize)
    }

    fn push(&mut self, layer: Layer) -> bool {
        if self.0.len() as u32 >= MAX_DEPTH {
            return false;
        }
        self.0.push(layer);
        true
    }

    fn pop(&mut self) {
        self.0.pop();
    }
}
