//! Layers: the open calls of a task, from the outermost to the innermost.

use crate::crossing::Side;

/// The most layers that a task may have open at a time. A managed and a native function that call
/// each other without end overflow the 8 MiB stack of a main thread at about 32,600 pairs, which is
/// 65,200 layers.
pub const MAX_DEPTH: u32 = 1 << 17;

/// One level of nesting: a call over the boundary that has not returned.
///
/// In the recorded process it lies in the mapped recording in this form. So a reader sees what is
/// open now, and what was open when the process died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Layer {
    /// Ticks when it was opened.
    pub since: u64,
    /// Ticks in layers that were nested directly in it and have been closed, by returns or
    /// exceptions. Where calls are timed by sample: for how many calls this one stands; 0: it was
    /// not drawn, and `since` is the time of the coarse clock.
    pub inner: u64,
    /// An address on the thread's stack when it was opened; 0: not known. Stacks grow downwards. So
    /// a layer is gone whose mark is not above that of a later crossing outside it: see
    /// [`Task::cross`](crate::task::Task::cross). Where calls are timed by sample: what `inner` is
    /// otherwise, as an estimate, with [`Layer::ESTIMATE`] added, and [`Layer::OFF_CORE`]. 0:
    /// nothing was nested, and the thread was on its core all the time.
    pub mark: u64,
    /// The function and the side in one number, to be compared: [`Layer::of`].
    pub function: u64,
    /// Where its call is counted: in a live process the place of a slot, in a replay a target's
    /// number.
    pub slot: u32,
    /// Bit 0: the [`Side`]. The other bits: see [`Layer::mark_counted`].
    pub bits: u32,
}

impl Layer {
    /// This bit tells a mark that is an estimate from all addresses.
    pub const ESTIMATE: u64 = 1 << 63;
    /// This bit of such a mark says that the thread was off its core while the call was open.
    pub const OFF_CORE: u64 = 1 << 62;

    /// Where calls are timed by sample: the ticks in what was nested in it.
    pub const fn estimate(&self) -> u64 {
        self.mark & !(Self::ESTIMATE | Self::OFF_CORE)
    }

    /// The number of a function's call on a side: the runtime's number of the function, times 2,
    /// plus the side.
    #[inline(always)]
    pub const fn of(function: u64, side: Side) -> u64 {
        function << 1 | side as u64
    }

    /// The side of the code that runs in this layer.
    #[inline]
    pub const fn side(&self) -> Side {
        Side::from_number(self.bits)
    }

    /// Notes that a counter of ends is about to count this layer and to come to `count`.
    ///
    /// The process can be killed between any two instructions. A reader that finds this layer open
    /// compares the note with the counter, and so finds out whether the counter has counted the
    /// layer already: [`Layer::is_counted`].
    #[inline(always)]
    pub const fn mark_counted(&mut self, side: Side, end: End, count: u32) {
        self.bits = side as u32 | (end as u32) << 1 | count << 3;
    }

    /// The counter that may have counted this layer already.
    pub const fn noted(&self) -> Option<End> {
        match self.bits >> 1 & 3 {
            1 => Some(End::Ended),
            2 => Some(End::Abandoned),
            3 => Some(End::Failed),
            _ => None,
        }
    }

    /// Whether this layer, which was found open, is among the `count` calls of the counter that was
    /// noted.
    pub const fn is_counted(&self, count: u32) -> bool {
        const BITS: u32 = 29;
        // A live process may have closed this layer and others after it since the reader read the
        // depth.
        let after = count.wrapping_sub(self.bits >> 3) & (u32::MAX >> (32 - BITS));
        self.noted().is_some() && after < 1 << (BITS - 1)
    }
}

/// The ways in which a layer can end. Each has a counter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum End {
    /// It returned.
    Ended = 1,
    /// An exception, a `longjmp` or the end of the thread unwound past it.
    Abandoned = 2,
    /// An exception ended it.
    Failed = 3,
}

/// Decides whether the innermost layer closes, for [`Layers::close_if`]. A closure can do it. A
/// type of its own does it where the compiler must inline the decision.
pub trait Close {
    /// Returns the ticks that the innermost layer took, if it closes.
    fn close(self, layer: &mut Layer) -> Option<u64>;
}

impl<F: FnOnce(&mut Layer) -> Option<u64>> Close for F {
    fn close(self, layer: &mut Layer) -> Option<u64> {
        self(layer)
    }
}

/// A stack of layers. One implementation lies in the mapped recording, the other ([`VecLayers`]) in
/// memory.
pub trait Layers {
    /// Layers open now.
    fn depth(&self) -> u32;
    /// The layer that has so many others above it; 0 is the innermost.
    fn below_top(&self, below: u32) -> Option<&Layer>;
    /// Whether there is room for another layer at once. If there is none, that stays so until a
    /// layer is closed or [`Layers::make_room`] is called.
    fn has_room(&self) -> bool;
    /// Takes the memory for another layer, and changes nothing that a reader sees. Returns `false`
    /// if there is none. [`Layers::make_room`] asks the operating system for nothing afterwards.
    fn reserve(&mut self) -> bool {
        true
    }
    /// Makes room for the layer that is pushed next, where there is none at once. Returns `false`
    /// if there is none at all.
    fn make_room(&mut self) -> bool;
    /// Opens a layer. Does nothing and returns `false` if there is no room at once.
    fn push(&mut self, layer: Layer) -> bool;
    /// Closes the innermost layer if `close` returns how many ticks it took, and adds these to
    /// `inner` of the layer around it.
    ///
    /// Returns `false` and leaves the layer open if `close` returns `None`. Returns `false` without
    /// calling `close` if there is no layer, if the layers are sealed, or if closing takes more
    /// than a few stores.
    fn close_if(&mut self, close: impl Close) -> bool;
    /// While the layers are sealed, [`Layers::close_if`] closes none.
    fn set_sealed(&mut self, sealed: bool);
    /// As [`Layers::close_if`], also where closing takes more than a few stores.
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

    fn push(&mut self, layer: Layer) -> bool {
        let has_room = self.has_room();
        if has_room {
            self.open.push(layer);
        }
        has_room
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
            // A broken recording may have any times, and must not stop a replay.
            outer.inner = outer.inner.wrapping_add(took);
        }
        true
    }
    fn set_sealed(&mut self, sealed: bool) {
        self.sealed = sealed;
    }
}
