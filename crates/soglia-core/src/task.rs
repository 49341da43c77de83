//! One task's life as a state machine: crossings in, layers opened and closed, calls accounted.

pub use crate::crossing::Who;
use crate::{
    account::Account,
    crossing::{Crossing, Side},
    fault::Fault,
    layer::{Close, Layer, Layers},
};

/// A stack that is further away than this from another one is no part of it: a signal handler's own, for example.
const SAME_STACK: u64 = 8 << 20;

/// A return that closes the innermost layer, of which there is nothing else to be said.
struct Plainly<'a, A> {
    crossing: Crossing,
    /// As in the layer.
    function: u64,
    at: u64,
    account: &'a mut A,
}

impl<A: Account> Close for Plainly<'_, A> {
    #[inline(always)]
    fn close(self, top: &mut Layer) -> Option<u64> {
        let fits = top.function == self.function;
        let took = self.at.wrapping_sub(top.since);
        let plain = fits
            && self
                .account
                .closes_plainly(self.crossing, top, self.at, took);
        plain.then_some(took)
    }
}

#[inline(always)]
fn new_layer(crossing: Crossing, who: Who, at: u64, mark: u64) -> Layer {
    Layer {
        since: at,
        inner: 0,
        mark,
        function: Layer::of(who.function, crossing.side()),
        slot: who.slot,
        bits: crossing.side() as u32,
    }
}

/// The layers of one task, and what moves them.
///
/// `L` says where the layers lie: in the mapped recording of a live process or in the memory of a reader.
#[derive(Clone, Debug, Default)]
pub struct Task<L> {
    layers: L,
    /// Calls open above the deepest layer that is kept.
    over: u32,
}

impl<L: Layers> Task<L> {
    /// A task with these layers open.
    pub const fn new(layers: L) -> Self {
        Self { layers, over: 0 }
    }

    /// Calls open now, those too deep to be kept included.
    pub fn depth(&self) -> u32 {
        self.layers.depth() + self.over
    }

    /// The layers that are kept.
    pub const fn layers(&self) -> &L {
        &self.layers
    }

    /// Takes one crossing at the time `at`, tells `account` what follows from it, and never fails: what does not fit
    /// is a [`Fault`], told to `account` too.
    ///
    /// `mark` is the stack address at which the crossing was told, or 0 where it is unknown. It finds layers that
    /// were left without a word (an exception that flew through unmanaged frames, `longjmp`): the marks of nested calls of one kind can
    /// only go down, so a `LeaveRuntime` whose mark is not below that of the innermost open one proves that one gone.
    /// Calls of different kinds are not compared: the runtime tells them through paths of different stack depth.
    ///
    /// Answers what [`Account::note`] says of a return; `false` where that was not asked.
    #[inline]
    pub fn cross(
        &mut self,
        crossing: Crossing,
        who: Who,
        at: u64,
        mark: u64,
        account: &mut impl Account,
    ) -> bool {
        !self.crosses_plainly(crossing, who, at, mark, account)
            && self.crosses_otherwise(crossing, who, at, mark, account)
    }

    /// The first half of [`Task::cross`]: takes the crossing if there is nothing unusual about it, by a few stores and without a call.
    /// `false`: there is, and nothing was done.
    #[inline(always)]
    pub fn crosses_plainly(
        &mut self,
        crossing: Crossing,
        who: Who,
        at: u64,
        mark: u64,
        account: &mut impl Account,
    ) -> bool {
        if crossing.opens() {
            // While there are calls too deep to be kept, there is no room.
            let plain = self.gone(crossing.side(), mark) == 0
                && account.is_ready(at)
                && self.layers.has_room();
            if plain {
                account.opens_plainly(crossing, who, at);
                self.layers.push(new_layer(crossing, who, at, mark));
            }
            return plain;
        }
        // While there are calls too deep to be kept, the layers are sealed.
        account.is_ready(at)
            && self.layers.close_if(Plainly {
                crossing,
                function: Layer::of(who.function, crossing.side()),
                at,
                account,
            })
    }

    /// The other half, for what the first does not take.
    #[cold]
    #[inline(never)]
    pub fn crosses_otherwise(
        &mut self,
        crossing: Crossing,
        who: Who,
        at: u64,
        mark: u64,
        account: &mut impl Account,
    ) -> bool {
        if crossing.opens() {
            self.open(crossing, who, at, mark, account);
            false
        } else {
            self.closes_otherwise(crossing, who.function, at, account)
        }
    }

    /// The same for a crossing that closes a layer. Makes no room for layers.
    #[cold]
    pub fn closes_otherwise(
        &mut self,
        crossing: Crossing,
        function: u64,
        at: u64,
        account: &mut impl Account,
    ) -> bool {
        self.close::<false>(crossing, function, at, account)
    }

    /// Takes the memory for a layer, so that the next crossing asks the operating system for none.
    pub fn reserve(&mut self) {
        if self.over == 0 {
            self.layers.reserve();
        }
    }

    /// Takes the `EnterRuntime` of a call that ended by an exception, of the innermost open call of this function. As
    /// [`Task::cross`], but that the call is told as [`Account::failed`], and not timed.
    #[cold]
    pub fn fail(&mut self, function: u64, at: u64, account: &mut impl Account) {
        self.close::<true>(Crossing::EnterRuntime, function, at, account);
    }

    fn open(
        &mut self,
        crossing: Crossing,
        who: Who,
        at: u64,
        mark: u64,
        account: &mut impl Account,
    ) {
        self.abandon(crossing.side(), mark, account);
        account.make_ready(at);
        account.crossed(crossing, who, at);
        if self.over == 0 && (self.layers.has_room() || self.layers.make_room()) {
            self.layers.push(new_layer(crossing, who, at, mark));
        } else {
            self.too_deep(who.slot, account);
        }
    }

    fn close<const FAILED: bool>(
        &mut self,
        crossing: Crossing,
        function: u64,
        at: u64,
        account: &mut impl Account,
    ) -> bool {
        let who = Who { function, slot: 0 };
        if self.over != 0 {
            self.set_over(self.over - 1);
            account.make_ready(at);
            account.crossed(crossing, who, at);
            account.untimed_return(crossing);
            return false;
        }
        if !self.unwind_to(crossing.side(), function, account) {
            account.unmatched(crossing, function, at);
            account.fault(Fault::Unmatched);
            return false;
        }
        account.make_ready(at);
        let mut noted = false;
        self.layers.close_any(|top: &mut Layer| {
            // Time stamps of different cores may disagree by a few ticks.
            let took = at.saturating_sub(top.since);
            if FAILED {
                account.crossed_failing(crossing, who, at);
                account.failed(top);
            } else {
                noted = account.note(top, at, took);
                account.crossed(crossing, who, at);
                account.closed(top, took, took.saturating_sub(top.inner));
            }
            Some(took)
        });
        noted
    }

    /// How many layers are gone for sure when a call of this side is told at this mark: 0, or all down to the innermost of the same side.
    #[inline(always)]
    fn gone(&self, side: Side, mark: u64) -> u32 {
        if mark == 0 {
            return 0;
        }
        let same = |layer: &Layer| {
            layer.side() == side
                && layer.mark != 0
                && mark >= layer.mark
                && mark - layer.mark < SAME_STACK
        };
        match self.layers.below_top(0) {
            None => 0,
            Some(top) if top.side() == side => u32::from(same(top)),
            // A managed layer may run on the stack of a signal handler, above the frames that it interrupted.
            Some(_) if side == Side::Managed => 0,
            Some(top) => match self.layers.below_top(1) {
                // A callback not below the callback around that call was made after it was gone, and lives.
                Some(below) if same(below) && !self.is_newer(top) => 2,
                _ => 0,
            },
        }
    }

    /// Whether the mark of this innermost managed layer is not below that of the managed layer two below it.
    fn is_newer(&self, top: &Layer) -> bool {
        self.layers.below_top(2).is_some_and(|outer| {
            outer.side() == Side::Managed && outer.mark != 0 && top.mark >= outer.mark
        })
    }

    #[cold]
    fn abandon(&mut self, side: Side, mark: u64, account: &mut impl Account) {
        loop {
            match self.gone(side, mark) {
                0 => return,
                count => self.unwind(self.over + count, account),
            }
        }
    }

    /// Drops the `count` innermost calls: layers as abandoned, and first of all those too deep to be kept.
    ///
    /// Live, [`Task::cross`] finds out by itself when that is due; a replay is told by the recording.
    #[cold]
    pub fn unwind(&mut self, count: u32, account: &mut impl Account) {
        let over = count.min(self.over);
        self.set_over(self.over - over);
        let count = (count - over).min(self.layers.depth());
        account.unwound(over + count);
        for _ in 0..count {
            self.layers.close_any(|layer: &mut Layer| {
                account.abandoned(layer);
                account.fault(Fault::Abandoned);
                Some(0)
            });
        }
    }

    /// Abandons whatever is above the innermost layer that this return fits. `false`: it fits none.
    #[cold]
    fn unwind_to(&mut self, side: Side, function: u64, account: &mut impl Account) -> bool {
        let function = Layer::of(function, side);
        for above in 0..self.layers.depth() {
            match self.layers.below_top(above) {
                Some(layer) if layer.function == function => {
                    self.unwind(above, account);
                    return true;
                }
                _ => {}
            }
        }
        false
    }

    #[cold]
    fn too_deep(&mut self, slot: u32, account: &mut impl Account) {
        if self.over == 0 {
            account.fault(Fault::TooDeep);
        }
        self.set_over(self.over + 1);
        account.untimed(slot);
    }

    fn set_over(&mut self, over: u32) {
        self.over = over;
        self.layers.set_sealed(over != 0);
    }
}
