//! The state machine of one task: takes crossings, opens and closes layers, and reports to an
//! account.

pub use crate::crossing::Who;
use crate::{
    account::Account,
    crossing::{Crossing, Side},
    fault::Fault,
    layer::{Close, Layer, Layers},
};

/// Two marks that are further apart lie on different stacks, such as that of a signal handler.
const SAME_STACK: u64 = 8 << 20;

/// A return that closes the innermost layer and needs nothing else.
struct Plainly<'a, A> {
    crossing: Crossing,
    /// As in [`Layer::function`].
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

/// The layers of one task, and the rules by which crossings open and close them.
///
/// `L` says where the layers lie: in the mapped recording of a live process, or in the memory of a
/// reader.
#[derive(Clone, Debug, Default)]
pub struct Task<L> {
    layers: L,
    /// Open calls above the deepest layer that is kept.
    over: u32,
}

impl<L: Layers> Task<L> {
    /// A task with these layers open.
    pub const fn new(layers: L) -> Self {
        Self { layers, over: 0 }
    }

    /// Open calls, including those that are too deep to be kept.
    pub fn depth(&self) -> u32 {
        self.layers.depth() + self.over
    }

    /// The layers that are kept.
    pub const fn layers(&self) -> &L {
        &self.layers
    }

    /// The same, for accounts that open and close layers by themselves.
    pub(crate) const fn layers_mut(&mut self) -> &mut L {
        &mut self.layers
    }

    /// Takes one crossing at the time `at`, and calls the methods of `account` for what follows
    /// from it. Never fails: a crossing that does not fit is a [`Fault`], which `account` counts.
    ///
    /// `mark` is the stack address at which the crossing was made, or 0 if it is not known. It
    /// finds layers whose end was not reported, because an exception flew through unmanaged frames
    /// or `longjmp` was called. The marks of nested calls of one side can only go down. So a
    /// `LeaveRuntime` whose mark is not below that of the innermost open one shows that this one is
    /// gone. Calls of different sides are not compared: the runtime reports them through paths of
    /// different stack depth.
    ///
    /// Returns what [`Account::note`] returned for a return, and `false` if that was not called.
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

    /// The first half of [`Task::cross`]: takes a usual crossing by a few stores, without a call.
    /// Returns `false` and does nothing if the crossing is unusual.
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
            // While calls are open that are too deep to be kept, there is no room.
            let plain = self.gone(crossing.side(), mark) == 0
                && account.is_ready(at)
                && self.layers.has_room();
            if plain {
                account.opens_plainly(crossing, who, at);
                self.layers.push(new_layer(crossing, who, at, mark));
            }
            return plain;
        }
        // While calls are open that are too deep to be kept, the layers are sealed.
        account.is_ready(at)
            && self.layers.close_if(Plainly {
                crossing,
                function: Layer::of(who.function, crossing.side()),
                at,
                account,
            })
    }

    /// The other half: takes what the first half does not take.
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

    /// Takes the `EnterRuntime` of the innermost open call of this function, which ended by an
    /// exception. Like [`Task::cross`], except that it calls [`Account::failed`], and the call is
    /// not timed.
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
            if !account.began_later() {
                account.unmatched(crossing, function, at);
                account.fault(Fault::Unmatched);
            }
            return false;
        }
        account.make_ready(at);
        let mut noted = false;
        self.layers.close_any(|top: &mut Layer| {
            // The clocks of two cores may disagree by a few ticks.
            let took = at.saturating_sub(top.since);
            if FAILED {
                account.crossed_failing(crossing, who, at);
                account.failed(top);
            } else {
                noted = account.note(top, at, took);
                account.crossed(crossing, who, at);
                account.closed(top, took, took.saturating_sub(top.inner));
            }
            Some(account.nests(took))
        });
        noted
    }

    /// How many layers are certainly gone when a call of this side is made at this mark: none, or
    /// all down to the innermost of the same side.
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
            // A managed layer may run on the stack of a signal handler, above the frames that it
            // interrupted.
            Some(_) if side == Side::Managed => 0,
            Some(top) => match self.layers.below_top(1) {
                // A callback whose mark is not below that of the callback around this call was made
                // after that one was gone, and is alive.
                Some(below) if same(below) && !self.is_newer(top) => 2,
                _ => 0,
            },
        }
    }

    /// Whether the mark of this innermost managed layer is not below that of the managed layer two
    /// below it.
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

    /// Closes the `count` innermost calls as abandoned. Those that are too deep to be kept go
    /// first.
    ///
    /// [`Task::cross`] finds out by itself when this is due. In a replay, the recording says it.
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

    /// Abandons all layers above the innermost one that this return fits. Returns `false` if it
    /// fits none.
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
