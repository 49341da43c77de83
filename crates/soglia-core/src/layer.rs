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
    /// Who was called, and the side, in one number to compare: [`Layer::of`].
    pub function: u64,
    /// Where its calls are accounted: a reference to a slot in the live process, a target's number in a replay.
    pub slot: u32,
    /// Bit 0: the [`Side`]. The other bits: see [`Layer::mark_counted`].
    pub bits: u32,
}

impl Layer {
    /// What stands for a function's call on that side: the runtime's number for the function, times 2, plus the side.
    #[inline(always)]
    pub const fn of(function: u64, side: Side) -> u64 {
        function << 1 | side as u64
    }

    /// The side on which this layer runs.
    #[inline]
    pub const fn side(&self) -> Side {
        Side::from_number(self.bits)
    }

    /// Notes, before the counter of such ends comes to `count`, that it is this layer, of this side, which it will
    /// count.
    ///
    /// The process can be killed between any two instructions. A reader that finds this layer open decides by the
    /// note and the counter whether it was already counted: see [`Layer::is_counted`].
    #[inline(always)]
    pub const fn mark_counted(&mut self, side: Side, end: End, count: u32) {
        self.bits = side as u32 | (end as u32) << 1 | count << 3;
    }

    /// The counter that may have counted this layer, found open.
    pub const fn noted(&self) -> Option<End> {
        match self.bits >> 1 & 3 {
            1 => Some(End::Ended),
            2 => Some(End::Abandoned),
            3 => Some(End::Failed),
            _ => None,
        }
    }

    /// Whether this layer, found open, is among the `count` calls of the counter that was noted.
    pub const fn is_counted(&self, count: u32) -> bool {
        const BITS: u32 = 29;
        // A layer of a live process may have been closed, and others after it, since the reader looked at the depth.
        let after = count.wrapping_sub(self.bits >> 3) & (u32::MAX >> (32 - BITS));
        self.noted().is_some() && after < 1 << (BITS - 1)
    }
}

/// The ways in which a layer can end, each with a counter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum End {
    /// It returned.
    Ended = 1,
    /// It was unwound past.
    Abandoned = 2,
    /// An exception ended it.
    Failed = 3,
}

/// What [`Layers::close_if`] asks, a closure or what must not be left to the compiler to inline.
pub trait Close {
    /// Ticks that the innermost layer took, if it closes.
    fn close(self, layer: &mut Layer) -> Option<u64>;
}

impl<F: FnOnce(&mut Layer) -> Option<u64>> Close for F {
    fn close(self, layer: &mut Layer) -> Option<u64> {
        self(layer)
    }
}

/// A stack of layers. One implementation lies in the mapped recording, the other ([`VecLayers`]) in memory.
pub trait Layers {
    /// Layers open now.
    fn depth(&self) -> u32;
    /// The layer that has `below` others above it; 0 is the innermost.
    fn below_top(&self, below: u32) -> Option<&Layer>;
    /// Whether there is room for another layer at once. Once there is none, that stays so until a layer is closed or room is made.
    fn has_room(&self) -> bool;
    /// Takes the memory for another layer, and changes nothing that a reader sees. Returns `false` if
    /// there is none. [`Layers::make_room`] asks the operating system for nothing afterwards.
    fn reserve(&mut self) -> bool {
        true
    }
    /// Makes room for the layer that is pushed next, where there is none at once. Returns `false` if
    /// there is none at all.
    fn make_room(&mut self) -> bool;
    /// Opens a layer, if there is room at once.
    fn push(&mut self, layer: Layer);
    /// Closes the innermost layer if `close` answers how many ticks it took, and adds those to what is `inner` of the layer around
    /// it. `false`: `close` did not say, or there is no layer, or it is not closed by a few stores: then `close` was not asked.
    fn close_if(&mut self, close: impl Close) -> bool;
    /// While they are sealed, [`Layers::close_if`] closes none.
    fn set_sealed(&mut self, sealed: bool);
    /// The same as [`Layers::close_if`], for any layer that there is.
    fn close_any(&mut self, close: impl Close) -> bool {
        self.close_if(close)
    }
}

/// Layers in ordinary memory: for replays and tests.
#[derive(Clone, Debug, Default)]
pub struct VecLayers {
    open: Vec<Layer>,
    sealed: bool,
}

impl VecLayers {
    /// The open layers, outermost first.
    pub fn as_slice(&self) -> &[Layer] {
        &self.open
    }
}

impl Layers for VecLayers {
    fn depth(&self) -> u32 {
        self.open.len() as u32
    }

    fn below_top(&self, below: u32) -> Option<&Layer> {
        self.open.iter().rev().nth(below as usize)
    }

    fn has_room(&self) -> bool {
        (self.open.len() as u32) < MAX_DEPTH
    }

    fn make_room(&mut self) -> bool {
        false
    }

    fn push(&mut self, layer: Layer) {
        self.open.push(layer);
    }

    fn close_if(&mut self, close: impl Close) -> bool {
        if self.sealed {
            return false;
        }
        let Some(took) = self.open.last_mut().and_then(|layer| close.close(layer)) else {
            return false;
        };
        self.open.pop();
        if let Some(outer) = self.open.last_mut() {
            // Senseless times in a broken recording must not stop a replay.
            outer.inner = outer.inner.wrapping_add(took);
        }
        true
    }
    fn set_sealed(&mut self, sealed: bool) {
        self.sealed = sealed;
    }
}
