//! The account of a live task, in the recording.
#![allow(unsafe_code, reason = "slots lie in the mapped file")]

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::{
    events::{FAILED, KIND_BITS, REFUSED, UNWOUND},
    format::{ChunkHeader, LAST_RETURNS, LAST_RETURNS_OFFSET, LastReturn, Slot, TaskRecord},
    mapped_events::MappedEvents,
    sample::Returned,
    slot_table::{add, slot_at},
    writer::{Level, Recording},
};
use crate::{
    account::Account,
    coarse::{self, Elsewhere},
    crossing::{Crossing, Side, Who},
    fault::Fault,
    histogram::{BUCKETS, LONG, SHORT, bucket, bucket_of_usual},
    layer::{End, Layer},
    off_core::Flag,
    sampling::Drawer,
};

/// A return that should be looked into.
#[derive(Clone, Copy, Debug)]
pub struct Noted {
    /// The slot in which the call is counted.
    pub slot: u32,
    /// Ticks when it returned.
    pub at: u64,
    /// Ticks that it took. Where calls are timed by sample and it was not drawn: to half a period
    /// of the coarse clock.
    pub took: u64,
    /// [`Layer::since`] of it.
    pub since: u64,
    /// The side that was called.
    pub side: Side,
}

/// When a counter of calls comes to this value, its target gets a new slot.
pub(super) const FULL: u32 = u32::MAX / 2;

/// Slots and events in the mapping.
#[derive(Debug)]
pub(super) struct MappedAccount {
    pub(super) base: *mut u8,
    /// The highest slot of this task. The process believes no layer in the file: a slot above this
    /// one is not the task's.
    pub(super) highest: u32,
    wants_events: bool,
    /// See [`Account::began_later`].
    began_later: bool,
    events: MappedEvents,
    record: &'static TaskRecord,
    /// Returns so far, which say where the next one is kept.
    returns: usize,
    /// Returns are usual from [`SHORT`] ticks on, for this many ticks: they need no look.
    usual: u64,
    /// A return that should be looked into.
    pub(super) noted: Option<Noted>,
    /// A slot whose counter is about to overflow.
    pub(super) full: Option<u32>,
    recording: &'static Recording,
    /// Where calls are timed by sample.
    pub(super) drawer: Option<Drawer>,
    /// The last time that this task has asked for. Even.
    pub(super) stamped: u64,
    /// Whether the thread was off its core since the last crossing.
    pub(super) on_core: Flag,
    /// Ticks of the coarse clock by which calls that are not drawn are counted.
    pub(super) elsewhere: Elsewhere,
    /// The last return. Its `ticks` are 0 once the account of the call around it has it.
    pub(super) returned: Returned,
}

impl MappedAccount {
    /// A new account. If events are wanted, it has no room for them yet.
    pub(super) fn new(
        recording: &'static Recording,
        record: &'static TaskRecord,
        now: u64,
    ) -> Self {
        Self {
            base: recording.base(),
            highest: 0,
            wants_events: recording.level() == Level::Events,
            began_later: recording.began_later(),
            events: MappedEvents::new(record, now),
            record,
            returns: 0,
            usual: recording.noted_ticks().min(LONG).saturating_sub(SHORT),
            noted: None,
            full: None,
            recording,
            returned: Returned::default(),
            stamped: 0,
            on_core: Flag::of_this_thread(),
            elsewhere: Elsewhere::new(coarse::now()),
            drawer: recording.plan().map(|plan| {
                let number = record.number.load(Relaxed);
                Drawer::new(plan, now ^ u64::from(number) << 48)
            }),
        }
    }

    /// Notes that the task has this slot.
    pub(super) fn has_slot(&mut self, slot: u32) {
        self.highest = self.highest.max(slot);
    }

    /// A slot of this task, or the highest if it has none with this name.
    pub(super) fn slot(&self, number: u32) -> &Slot {
        // SAFETY: the name is not above the highest slot of this task, which is in this recording,
        // and recordings of live tasks are never unmapped.
        unsafe { slot_at(self.base, number.min(self.highest)) }
    }

    /// Whether events are wanted, and there is no room for them any more.
    #[inline(always)]
    pub(super) fn wants_events(&self) -> bool {
        self.wants_events
    }

    /// The task's own record.
    #[inline]
    pub(super) fn record(&self) -> &'static TaskRecord {
        self.record
    }

    /// The recording into which it writes.
    pub(super) fn recording(&self) -> &'static Recording {
        self.recording
    }

    /// Keeps a return among the last ones.
    #[inline(always)]
    pub(super) fn keep(&mut self, target: u32, at: u64) {
        let n = self.returns;
        self.returns = n.wrapping_add(1);
        let record = std::ptr::from_ref(self.record).cast::<u8>();
        let first = LAST_RETURNS_OFFSET - size_of::<ChunkHeader>();
        // SAFETY: a task's record lies behind the header of its chunk, and its last returns lie at
        // this offset of that chunk, which is in the mapping for as long as the record. The
        // remainder is below their number. All fields are atomics.
        let last = unsafe { &*record.add(first).cast::<LastReturn>().add(n % LAST_RETURNS) };
        last.target.store(target, Relaxed);
        last.at.store(at, Release);
    }

    /// Takes the slot whose counter is about to overflow.
    pub(super) fn take_full(&mut self) -> Option<u32> {
        self.full.take()
    }

    /// Takes the return that was noted last.
    pub(super) fn take_noted(&mut self) -> Option<Noted> {
        self.noted.take()
    }

    /// Whether something is left to do that takes more than a few stores: a return to look into, or
    /// a counter or a chunk of events that is nearly full.
    pub(super) fn has_more_to_do(&self) -> bool {
        self.noted.is_some() || self.full.is_some() || (self.wants_events && self.events.is_short())
    }

    /// Goes on in a new chunk of events if it is time. Asks the operating system.
    #[inline]
    pub(super) fn make_room(&mut self) {
        if self.wants_events && self.events.is_short() {
            self.events.next_chunk(self.recording);
        }
    }

    /// Gives the memory of the events back to the operating system. Their bytes are in the file.
    pub(super) fn let_go(&self) {
        self.events.let_go(self.recording);
    }

    /// Whether events are wanted, and there is no room for them any more.
    pub(super) fn is_over(&self) -> bool {
        self.events.is_over()
    }

    /// Counts a crossing that is not among the events.
    #[cold]
    pub(super) fn drop_event(&self) {
        add!(self.record.dropped, 1);
    }

    /// Counts a call that is not timed. Returns `false` if its slot is full, and then has not
    /// counted it.
    #[inline(always)]
    pub(super) fn count(&mut self, number: u32) -> bool {
        // SAFETY: the caller has the slot's name from this task's table, not from the file, and
        // recordings of live tasks are never unmapped.
        let slot = unsafe { slot_at(self.base, number) };
        let untimed = slot.untimed.load(Relaxed);
        if untimed >= FULL {
            return false;
        }
        slot.untimed.store(untimed + 1, Relaxed);
        true
    }

    /// Counts such a call in any case, and notes a full slot to be replaced.
    #[cold]
    pub(super) fn count_anyway(&mut self, number: u32) {
        let slot = self.slot(number);
        add!(slot.untimed, 1);
        if slot.untimed.load(Relaxed) >= FULL {
            self.full = Some(number);
        }
    }
}

/// The same as an [`Account`]. Without `EVENTS`, it writes no events. With `GROWS`, it may ask the
/// operating system for room: for callers in preemptive mode.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Told<const EVENTS: bool, const GROWS: bool>(MappedAccount);

impl<const EVENTS: bool, const GROWS: bool> Told<EVENTS, GROWS> {
    /// The account in that role.
    #[inline(always)]
    pub(super) fn of(account: &mut MappedAccount) -> &mut Self {
        debug_assert!(EVENTS || !account.wants_events || account.is_over());
        // SAFETY: the type is a transparent wrapper, so both have one layout, and the borrow passes
        // on.
        unsafe { &mut *std::ptr::from_mut(account).cast::<Self>() }
    }

    fn wants_events(&self) -> bool {
        EVENTS && self.0.wants_events
    }

    fn make_room(&mut self) {
        if GROWS {
            self.0.make_room();
        }
    }

    /// Writes an event that is not a usual crossing. Returns `false` if it is not among the events.
    fn rare(&mut self, tell: impl FnOnce(&mut MappedEvents) -> bool) -> bool {
        self.make_room();
        self.wants_events() && tell(&mut self.0.events)
    }

    /// The same for a crossing.
    fn rare_crossing(&mut self, which: u32, at: u64) {
        if !self.rare(|events| events.rare_at(which, at, None)) && self.wants_events() {
            self.0.drop_event();
        }
    }

    /// The target's number, if a layer is opened.
    #[inline(always)]
    fn target(&self, crossing: Crossing, slot: u32) -> u32 {
        if !crossing.opens() {
            return 0;
        }
        // SAFETY: the caller of an opening crossing has the slot's name from this task's table, not
        // from the file, and recordings of live tasks are never unmapped.
        unsafe { slot_at(self.0.base, slot) }.target.load(Relaxed)
    }
}

impl<const EVENTS: bool, const GROWS: bool> Account for Told<EVENTS, GROWS> {
    #[inline(always)]
    fn is_ready(&self, at: u64) -> bool {
        !self.wants_events() || self.0.events.is_ready(at)
    }

    fn began_later(&self) -> bool {
        self.0.began_later
    }

    #[cold]
    fn make_ready(&mut self, at: u64) {
        self.make_room();
        if self.wants_events() {
            self.0.events.later(at);
        }
        self.make_room();
    }

    #[inline(always)]
    fn opens_plainly(&mut self, crossing: Crossing, who: Who, at: u64) {
        if self.wants_events() {
            let target = self.target(crossing, who.slot);
            self.0.events.crossing_with_room(crossing, target, at);
        }
    }

    fn crossed(&mut self, crossing: Crossing, who: Who, at: u64) {
        let target = self.target(crossing, who.slot);
        if self.wants_events() && !self.0.events.crossing(crossing, target, at) {
            self.0.drop_event();
        }
    }

    /// Not for a layer that another process has written to, nor for the first return of a slot, nor
    /// for a full slot, nor for an unusual duration.
    #[inline(always)]
    fn closes_plainly(
        &mut self,
        crossing: Crossing,
        layer: &mut Layer,
        at: u64,
        took: u64,
    ) -> bool {
        if layer.slot > self.0.highest {
            return false;
        }
        // SAFETY: the check says that the name is not above the highest slot of this task, and
        // recordings of live tasks are never unmapped.
        let slot = unsafe { slot_at(self.0.base, layer.slot) };
        let ended = slot.ended.load(Relaxed);
        if ended.cast_signed() <= 0 || took.wrapping_sub(SHORT) >= self.0.usual {
            return false;
        }
        if self.wants_events() {
            self.0.events.crossing_with_room(crossing, 0, at);
        }
        // SAFETY: the check says that `took` is from [`SHORT`] up to [`LONG`], the most to which
        // `usual` reaches. For these, `bucket_of_usual` is the bucket.
        unsafe {
            returned(
                slot,
                layer,
                crossing.side(),
                ended,
                took,
                bucket_of_usual(took),
            )
        };
        let target = slot.target.load(Relaxed);
        self.0.keep(target, at);
        true
    }

    #[cold]
    fn note(&mut self, layer: &Layer, at: u64, took: u64) -> bool {
        let number = layer.slot;
        let ended = self.0.slot(number).ended.load(Relaxed);
        let slow = took >= self.0.recording.noted_ticks();
        let side = layer.side();
        let remarkable = slow || side == Side::Unmanaged && ended == 0;
        if remarkable {
            self.0.noted = Some(Noted {
                slot: number,
                at,
                took,
                since: layer.since,
                side,
            });
        }
        if ended >= FULL {
            self.0.full = Some(number);
        }
        remarkable || ended >= FULL
    }

    #[inline]
    fn closed(&mut self, layer: &mut Layer, total: u64, _own: u64) {
        if self.0.drawer.is_some() {
            let at = layer.since.saturating_add(total);
            self.0.returned_by_sample(layer, at);
            return;
        }
        let slot = self.0.slot(layer.slot);
        let ended = slot.ended.load(Relaxed);
        // SAFETY: `bucket` returns the bucket of any duration.
        unsafe { returned(slot, layer, layer.side(), ended, total, bucket(total)) };
        let target = slot.target.load(Relaxed);
        self.0.keep(target, layer.since.wrapping_add(total));
    }

    fn nests(&self, took: u64) -> u64 {
        if self.0.drawer.is_some() { 0 } else { took }
    }

    #[cold]
    fn unmatched(&mut self, crossing: Crossing, _function: u64, at: u64) {
        add!(self.0.record.unmatched[crossing as usize - 1], 1);
        self.rare_crossing(crossing as u32, at);
    }

    #[cold]
    fn unwound(&mut self, count: u32) {
        if count != 0 {
            self.rare(|events| events.rare(&[UNWOUND | count << KIND_BITS]));
        }
    }

    #[cold]
    fn abandoned(&mut self, layer: &mut Layer) {
        let slot = self.0.slot(layer.slot);
        let abandoned = slot.abandoned.load(Relaxed).wrapping_add(1);
        layer.mark_counted(layer.side(), End::Abandoned, abandoned);
        slot.abandoned.store(abandoned, Release);
    }

    #[cold]
    fn untimed(&mut self, slot: u32) {
        self.0.count_anyway(slot);
    }

    #[cold]
    fn untimed_return(&mut self, crossing: Crossing) {
        add!(self.0.record.untimed[crossing as usize - 1], 1);
    }

    #[cold]
    fn crossed_failing(&mut self, _crossing: Crossing, _who: Who, at: u64) {
        self.rare_crossing(FAILED, at);
    }

    #[cold]
    fn failed(&mut self, layer: &mut Layer) {
        let slot = self.0.slot(layer.slot);
        let failed = slot.failed.load(Relaxed).wrapping_add(1);
        layer.mark_counted(layer.side(), End::Failed, failed);
        slot.failed.store(failed, Release);
    }

    #[cold]
    fn refused(&mut self, slot: u32, at: u64) {
        let target = self.0.slot(slot).target.load(Relaxed);
        self.rare(|events| events.rare_at(REFUSED, at, Some(target)));
        let of_target = self.0.slot(slot);
        add!(of_target.refused, 1);
    }

    #[cold]
    fn fault(&mut self, fault: Fault) {
        add!(self.0.record.faults[fault as usize], 1);
    }
}

/// Says that the branch in which it stands is rarely taken.
#[cold]
#[inline(always)]
const fn rarely() {}

/// Counts a return, `ended` of its slot last.
///
/// # Safety
/// `bucket` is that of the ticks that the call took.
#[inline(always)]
unsafe fn returned(
    slot: &Slot,
    layer: &mut Layer,
    side: Side,
    ended: u32,
    took: u64,
    bucket: usize,
) {
    let ended = ended.wrapping_add(1);
    let inner = layer.inner;
    layer.mark_counted(side, End::Ended, ended);
    add!(slot.total, took);
    if inner != 0 {
        rarely();
        add!(slot.nested, inner.min(took));
    }
    // SAFETY: only this thread stores to these fields, so a plain read cannot race. The compiler
    // makes one instruction of a comparison that is not atomic.
    let (min, max) = unsafe { (slot.min.as_ptr().read(), slot.max.as_ptr().read()) };
    if took < min {
        rarely();
        slot.min.store(took, Relaxed);
    }
    if took > max {
        rarely();
        slot.max.store(took, Relaxed);
    }
    debug_assert!(bucket < BUCKETS);
    // SAFETY: the caller says that `bucket` is a bucket, and the histogram has all of them.
    let counter = unsafe { slot.histogram.get_unchecked(bucket) };
    add!(counter, 1);
    slot.ended.store(ended, Release);
}
