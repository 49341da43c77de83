//! The slots, and who holds which.

use std::{
    num::NonZeroU16,
    sync::atomic::{AtomicU64 as Counter, Ordering::Relaxed as Loosely},
    time::Duration,
};

use super::{
    holder::{Callback, Holder},
    line::{Line, News, Signal, waiting},
    proc::{Doing, Thread},
    refusal::Refusal,
    token::{self, FREE, WAITED_FOR},
};
use crate::sync::{
    AtomicU64, Mutex, MutexGuard,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
    PoisonError,
};

/// The time between two looks at the holders' threads.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// The same when no thread has slept for long.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_millis(16);

/// Says who holds one slot, as a [`token`]. It has a cache line of its own, because other tasks
/// hold the other slots.
///
/// While a task is in line, every cell is held and marked, so that each slot is given to the line.
/// A thread sets a mark, and changes a marked cell, only under the lock of the line.
#[repr(align(64))]
#[derive(Debug)]
struct Cell(AtomicU64);

impl Cell {
    #[inline]
    fn claim(&self, token: u64) -> bool {
        let swapped = self.0.compare_exchange(FREE, token, Acquire, Relaxed);
        swapped.is_ok()
    }

    #[inline]
    fn holder(&self) -> u64 {
        self.0.load(Relaxed) & !WAITED_FOR
    }
}

/// What happened to tasks that needed slots, since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Waits in line, however they ended.
    pub waits: u64,
    /// The sum of all waits, in nanoseconds.
    pub waited_ns: u64,
    /// The longest wait, in nanoseconds.
    pub longest_ns: u64,
    /// Waits that ended with [`Refusal::TimedOut`].
    pub timed_out: u64,
    /// Slots that were lent while their holders slept.
    pub lent: u64,
    /// Slots whose owners died.
    pub abandoned: u64,
}

#[derive(Debug, Default)]
struct Counters {
    waits: Counter,
    waited_ns: Counter,
    longest_ns: Counter,
    timed_out: Counter,
    lent: Counter,
    abandoned: Counter,
}

/// A fixed number of slots. `L` says what a thread does: [`look_at`](super::look_at), or a function
/// that knows more.
#[derive(Debug)]
pub struct Slots<L> {
    cells: Box<[Cell]>,
    line: Mutex<Line>,
    limit: Option<Duration>,
    look_at: L,
    counters: Counters,
}

/// A holder whose thread slept at the last look.
#[derive(Debug, PartialEq, Eq)]
struct Sleeper {
    cell: usize,
    token: u64,
    sleep: u64,
}

impl<L: Fn(Thread) -> Doing> Slots<L> {
    /// Makes so many slots, all free. A task waits for a slot for `limit` at most; without a limit,
    /// until it gets one.
    pub fn new(count: NonZeroU16, limit: Option<Duration>, look_at: L) -> Self {
        let cell = |_| Cell(AtomicU64::new(FREE));
        Self {
            cells: (0..count.get()).map(cell).collect(),
            line: Mutex::default(),
            limit,
            look_at,
            counters: Counters::default(),
        }
    }

    /// `LeaveRuntime`: gives the slot back, if the task holds one. It holds none before its first
    /// [`Slots::enter`], after one that timed out, and when its slot was lent.
    ///
    /// # Errors
    /// [`Refusal::NotOwner`] if the task has left already. Then nothing changes.
    #[inline]
    pub fn leave(&self, task: &mut Holder) -> Result<(), Refusal> {
        if task.is_exempt() {
            return Ok(());
        }
        if task.is_out {
            return Err(Refusal::NotOwner);
        }
        task.is_out = true;
        self.give(task);
        Ok(())
    }

    /// `EnterRuntime`: takes a slot, unless the task holds one. May block.
    ///
    /// # Errors
    /// [`Refusal::TimedOut`]: the task goes on without a slot. [`Refusal::Abandoned`]: the task has
    /// a slot.
    #[inline]
    pub fn enter(&self, task: &mut Holder) -> Result<(), Refusal> {
        if task.is_exempt() {
            return Ok(());
        }
        task.is_out = false;
        if self.holds(task) {
            return Ok(());
        }
        self.take(task)
    }

    /// `ReverseEnterRuntime`: takes a slot for a callback, unless the task holds one because no
    /// crossing reported that it left. May block.
    ///
    /// # Errors
    /// [`Refusal::TimedOut`], [`Refusal::Abandoned`]: the callback must not run, the task holds
    /// what it held before, and [`Slots::reverse_leave`] must not be called.
    #[inline]
    pub fn reverse_enter(&self, task: &mut Holder) -> Result<(), Refusal> {
        if task.is_exempt() {
            return Ok(());
        }
        let kept = self.holds(task);
        if !kept && let Err(refusal) = self.take(task) {
            self.give(task);
            return Err(refusal);
        }
        task.push(Callback {
            kept,
            was_out: task.is_out,
        });
        task.is_out = false;
        Ok(())
    }

    /// `ReverseLeaveRuntime`: gives back what the callback's [`Slots::reverse_enter`] has taken,
    /// unless it was lent.
    ///
    /// # Errors
    /// [`Refusal::NotOwner`] if no callback is open. Then nothing changes.
    #[inline]
    pub fn reverse_leave(&self, task: &mut Holder) -> Result<(), Refusal> {
        if task.is_exempt() {
            return Ok(());
        }
        let callback = task.pop().ok_or(Refusal::NotOwner)?;
        if !callback.kept {
            self.give(task);
        }
        task.is_out = callback.was_out;
        Ok(())
    }

    /// Hands the task's slot to the first in line, if there is one, and waits at the end of the
    /// line until the task has a slot again. With a limit, it goes on without a slot when the time
    /// is up. Returns whether others have run. Costs one load while no task waits. May block.
    ///
    /// To be called where a task lets others run because it waits for what they do.
    #[inline]
    pub fn give_way(&self, task: &mut Holder) -> bool {
        waiting().load(Loosely) != 0 && self.give_way_in_line(task)
    }

    #[cold]
    #[inline(never)]
    fn give_way_in_line(&self, task: &mut Holder) -> bool {
        let mut line = self.line();
        if line.is_empty() || !self.holds(task) {
            return false;
        }
        let (token, signal) = (task.next_token(), task.signal());
        // Joins the line before it hands the slot on, so that all slots stay marked.
        let looks = line.join(token, signal.clone());
        task.token = FREE;
        self.hand_on(&mut line, task.cell, false);
        drop(line);
        // There is no caller that could handle a timeout or a dead owner here.
        let _ = self.wait(task, token, &signal, looks);
        true
    }

    /// The task is going to sleep: gives its slot to the first in line, if there is one. Costs one
    /// load while no task waits.
    #[inline]
    pub fn rest(&self, task: &mut Holder) {
        if waiting().load(Loosely) != 0 {
            self.rest_for_others(task);
        }
    }

    #[cold]
    #[inline(never)]
    fn rest_for_others(&self, task: &mut Holder) {
        let mut line = self.line();
        // The tasks that wait may be in another line.
        if !line.is_empty() && !task.is_out && self.holds(task) {
            task.rests = true;
            task.token = FREE;
            self.hand_on(&mut line, task.cell, false);
        }
    }

    /// The task is going to wait for something that others do, perhaps for long: gives its slot
    /// back, so that none of them waits for it.
    #[inline]
    pub fn park(&self, task: &mut Holder) {
        if !task.is_exempt() && !task.is_out && self.holds(task) {
            task.rests = true;
            self.give(task);
        }
    }

    /// The task has slept or waited: takes a slot again, if it has given one away for that. May
    /// block. With a limit, the task goes on without a slot when the time is up.
    #[inline]
    pub fn wake(&self, task: &mut Holder) {
        if std::mem::take(&mut task.rests) && !task.is_out && !self.holds(task) {
            let _ = self.take(task);
        }
    }

    /// The task's thread ends, or the task is not needed any more: takes its slot back. Later
    /// crossings of the task begin anew.
    pub fn end(&self, task: &mut Holder) {
        task.close_all();
        self.give(task);
    }

    /// Lifts the bound: tasks that wait go on, and no task waits any more. For the runtime's
    /// shutdown.
    pub fn lift(&self) {
        self.line().lift();
    }

    /// How many slots are free.
    pub fn free(&self) -> usize {
        let free = |cell: &&Cell| cell.holder() == FREE;
        self.cells.iter().filter(free).count()
    }

    /// How many tasks wait.
    pub fn waiting(&self) -> usize {
        self.line().len()
    }

    /// Only [`Figures::waits`], by one load.
    #[inline]
    pub fn waits(&self) -> u64 {
        self.counters.waits.load(Loosely)
    }

    /// How many slots there are.
    pub fn count(&self) -> usize {
        self.cells.len()
    }

    /// Whether this task holds a slot that was not lent.
    #[inline]
    pub fn holds(&self, task: &Holder) -> bool {
        let cell = || self.cells.get(task.cell);
        task.token != FREE && cell().is_some_and(|cell| cell.holder() == task.token)
    }

    /// The figures so far.
    pub fn figures(&self) -> Figures {
        let of = |counter: &Counter| counter.load(Loosely);
        Figures {
            waits: of(&self.counters.waits),
            waited_ns: of(&self.counters.waited_ns),
            longest_ns: of(&self.counters.longest_ns),
            timed_out: of(&self.counters.timed_out),
            lent: of(&self.counters.lent),
            abandoned: of(&self.counters.abandoned),
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn give(&self, task: &mut Holder) {
        let token = std::mem::replace(&mut task.token, FREE);
        if token == FREE {
            return;
        }
        if let Some(cell) = self.cells.get(task.cell)
            && let Err(_marked_or_lent) = cell.0.compare_exchange(token, FREE, Release, Relaxed)
        {
            self.give_by_line(task.cell, token);
        }
    }

    #[cold]
    #[inline(never)]
    fn give_by_line(&self, at: usize, token: u64) {
        let mut line = self.line();
        let cell = self.cells.get(at);
        if cell.is_some_and(|cell| cell.holder() == token) {
            self.hand_on(&mut line, at, false);
        }
    }

    /// Gives a slot without a holder to the first in line.
    fn hand_on(&self, line: &mut Line, at: usize, abandoned: bool) {
        let mark = if line.len() > 1 { WAITED_FOR } else { 0 };
        let word = line.first().map_or(FREE, |first| first.token | mark);
        self.cells[at].0.store(word, Release);
        if let Some(first) = line.first() {
            first.tell(News::Granted {
                cell: at,
                abandoned,
            });
        }
        line.next();
    }

    #[inline]
    fn take(&self, task: &mut Holder) -> Result<(), Refusal> {
        let token = task.next_token();
        if let Some(cell) = self.cells.get(task.cell)
            && cell.claim(token)
        {
            task.token = token;
            return Ok(());
        }
        self.take_another(task, token)
    }

    #[cold]
    #[inline(never)]
    fn take_another(&self, task: &mut Holder, token: u64) -> Result<(), Refusal> {
        for (at, cell) in self.cells.iter().enumerate() {
            if cell.holder() == FREE && cell.claim(token) {
                return Self::taken(task, token, at, false);
            }
        }
        self.take_by_line(task, token)
    }

    fn taken(task: &mut Holder, token: u64, at: usize, abandoned: bool) -> Result<(), Refusal> {
        (task.token, task.cell) = (token, at);
        if abandoned && !task.delays_abort() {
            return Err(Refusal::Abandoned);
        }
        Ok(())
    }

    fn take_by_line(&self, task: &mut Holder, token: u64) -> Result<(), Refusal> {
        let signal = task.signal();
        let mut line = self.line();
        if line.is_lifted() {
            return Ok(());
        }
        if line.is_empty()
            && let Some(at) = self.claim_or_mark(token)
        {
            return Self::taken(task, token, at, false);
        }
        let looks = line.join(token, signal.clone());
        drop(line);
        self.wait(task, token, &signal, looks)
    }

    /// Waits in line, which the task has joined with this token. `looks`: the task is the one that
    /// looks.
    fn wait(
        &self,
        task: &mut Holder,
        token: u64,
        signal: &Signal,
        mut looks: bool,
    ) -> Result<(), Refusal> {
        let mut limit = self.limit.filter(|_| !task.delays_abort());
        let (mut waited, mut sleepers, mut pause) = (Duration::ZERO, Vec::new(), LOOK_EVERY);
        let outcome = loop {
            let left = limit.map(|limit| limit.saturating_sub(waited));
            let until_look = looks.then_some(pause);
            let (news, took) = signal.wait(left.into_iter().chain(until_look).min());
            waited += took;
            match news {
                Some(News::Granted { cell, abandoned }) => {
                    break Self::taken(task, token, cell, abandoned);
                }
                Some(News::Lifted) => break Ok(()),
                Some(News::Look) => looks = true,
                None if limit.is_some_and(|limit| waited >= limit) => {
                    if self.line().withdraw(token) {
                        self.counters.timed_out.fetch_add(1, Loosely);
                        break Err(Refusal::TimedOut);
                    }
                    // It has just been given a slot.
                    limit = None;
                }
                None => {
                    let nobody_slept = !self.lend(&mut sleepers);
                    let longer = (pause * 2).min(LOOK_AT_LEAST_EVERY);
                    pause = if nobody_slept { longer } else { LOOK_EVERY };
                }
            }
        };
        let waited = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.counters.waits.fetch_add(1, Loosely);
        self.counters.waited_ns.fetch_add(waited, Loosely);
        self.counters.longest_ns.fetch_max(waited, Loosely);
        outcome
    }

    /// Takes a slot that has come free, or else marks all. The caller holds the lock of the line,
    /// in which no task waits.
    fn claim_or_mark(&self, token: u64) -> Option<usize> {
        for (at, cell) in self.cells.iter().enumerate() {
            let mut word = cell.0.load(Relaxed);
            loop {
                let next = match word {
                    FREE => token,
                    held => held | WAITED_FOR,
                };
                match cell.0.compare_exchange(word, next, AcqRel, Relaxed) {
                    Ok(_) if next == token => return Some(at),
                    Ok(_) => break,
                    Err(changed) => word = changed,
                }
            }
        }
        None
    }

    /// Hands on the slots of threads that sleep and are among `sleepers`, in the same sleep, and
    /// the slots of threads that are gone. `sleepers` then are those that were found now. Returns
    /// whether there were any.
    fn lend(&self, sleepers: &mut Vec<Sleeper>) -> bool {
        let (mut found, mut has_handed_on) = (Vec::new(), false);
        for (at, cell) in self.cells.iter().enumerate() {
            let token = cell.0.load(Acquire) & !WAITED_FOR;
            let is_gone = match token::thread(token).map(&self.look_at) {
                None | Some(Doing::Runs) => continue,
                Some(Doing::Gone) => true,
                Some(Doing::Sleeps(sleep)) => {
                    let sleeper = Sleeper {
                        cell: at,
                        token,
                        sleep,
                    };
                    // They are in the order of their cells.
                    let before = sleepers.binary_search_by_key(&at, |s| s.cell);
                    if !before.is_ok_and(|n| sleepers[n] == sleeper) {
                        found.push(sleeper);
                        continue;
                    }
                    false
                }
            };
            let mut line = self.line();
            if !line.is_empty() && cell.holder() == token {
                self.hand_on(&mut line, at, is_gone);
                let Counters {
                    lent, abandoned, ..
                } = &self.counters;
                if is_gone { abandoned } else { lent }.fetch_add(1, Loosely);
                has_handed_on = true;
            }
        }
        *sleepers = found;
        has_handed_on || !sleepers.is_empty()
    }
}
