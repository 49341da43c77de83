//! What one task has to do with slots.

use super::{line::Signal, proc::Thread, refusal::Refusal, token};
use crate::sync::Arc;

/// How many open callbacks are kept. Those above count as callbacks of the plain kind.
const DEEPEST: u32 = 512;
/// Two bits for each.
const PER_WORD: u32 = 32;
const WORDS: usize = (DEEPEST / PER_WORD) as usize;

/// How a callback began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Callback {
    /// The task held a slot already, because no crossing had reported that it left. It keeps the
    /// slot when the callback returns.
    pub kept: bool,
    /// The task had left managed code by a crossing.
    pub was_out: bool,
}

/// One task's part of [`Slots`](super::Slots). It is kept with the task, and only the task's thread
/// uses it.
#[derive(Debug)]
pub struct Holder {
    /// 0, or the word in the cell of the slot that the task holds, or held when the slot was lent.
    pub(super) token: u64,
    /// The slot that the task held last. It tries that one first.
    pub(super) cell: usize,
    /// The task has left managed code by a crossing.
    pub(super) is_out: bool,
    /// The task takes and gives no slots.
    is_exempt: bool,
    delays_abort: bool,
    affinity: u32,
    /// The task has given its slot back for the time of a sleep.
    pub(super) rests: bool,
    /// Goes up with each token, so that no two tokens of a task are alike.
    takes: u32,
    thread: Thread,
    callbacks: u32,
    begun: [u64; WORDS],
    /// Made for the first wait of the task.
    signal: Option<Arc<Signal>>,
}

impl Holder {
    /// A task of this thread ([`Thread::current`]) that holds nothing.
    pub const fn new(thread: Thread) -> Self {
        Self::made(thread, false)
    }

    /// A task that never takes a slot and never waits: for threads of the runtime, such as the
    /// finalizer's.
    pub const fn exempt() -> Self {
        let none = Thread {
            number: 0,
            began: 0,
        };
        Self::made(none, true)
    }

    const fn made(thread: Thread, is_exempt: bool) -> Self {
        Self {
            token: 0,
            cell: 0,
            is_out: false,
            is_exempt,
            delays_abort: false,
            affinity: 0,
            rests: false,
            takes: 0,
            thread,
            callbacks: 0,
            begun: [0; WORDS],
            signal: None,
        }
    }

    /// Whether [`Holder::exempt`] made this task.
    pub const fn is_exempt(&self) -> bool {
        self.is_exempt
    }

    /// Whether the task has left managed code by a crossing.
    pub const fn is_out(&self) -> bool {
        self.is_out
    }

    /// How many callbacks are open.
    pub const fn callbacks(&self) -> u32 {
        self.callbacks
    }

    /// How many regions are open in which the task must stay on its thread.
    pub const fn affinity(&self) -> u32 {
        self.affinity
    }

    /// Whether a region is open in which the task must not be aborted.
    pub const fn delays_abort(&self) -> bool {
        self.delays_abort
    }

    /// Begins a region in which the task must stay on its thread. Such regions nest.
    pub const fn begin_thread_affinity(&mut self) {
        self.affinity = self.affinity.saturating_add(1);
    }

    /// Ends the innermost of these regions.
    ///
    /// # Errors
    /// [`Refusal::Unexpected`] if there is none. Then nothing changes.
    pub const fn end_thread_affinity(&mut self) -> Result<(), Refusal> {
        match self.affinity.checked_sub(1) {
            None => Err(Refusal::Unexpected),
            Some(left) => {
                self.affinity = left;
                Ok(())
            }
        }
    }

    /// Begins a region in which the task must not be aborted. In it, the task waits for slots
    /// without limit, and does not learn of dead owners.
    ///
    /// # Errors
    /// [`Refusal::Unexpected`] if the task is in one already. Then nothing changes.
    pub const fn begin_delay_abort(&mut self) -> Result<(), Refusal> {
        if self.delays_abort {
            return Err(Refusal::Unexpected);
        }
        self.delays_abort = true;
        Ok(())
    }

    /// Ends this region.
    ///
    /// # Errors
    /// [`Refusal::Unexpected`] if there is none. Then nothing changes.
    pub const fn end_delay_abort(&mut self) -> Result<(), Refusal> {
        if !self.delays_abort {
            return Err(Refusal::Unexpected);
        }
        self.delays_abort = false;
        Ok(())
    }

    /// The word for the next slot that the task takes.
    #[inline]
    pub(super) const fn next_token(&mut self) -> u64 {
        self.takes = self.takes.wrapping_add(1);
        token::of(self.thread, self.takes)
    }

    /// What wakes the task up.
    pub(super) fn signal(&mut self) -> Arc<Signal> {
        self.signal
            .get_or_insert_with(|| Arc::new(Signal::default()))
            .clone()
    }

    #[inline]
    pub(super) fn push(&mut self, callback: Callback) {
        if let Some(word) = self.begun.get_mut((self.callbacks / PER_WORD) as usize) {
            let at = self.callbacks % PER_WORD * 2;
            let bits = u64::from(callback.kept) | u64::from(callback.was_out) << 1;
            *word = *word & !(3 << at) | bits << at;
        }
        self.callbacks = self.callbacks.saturating_add(1);
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Callback> {
        self.callbacks = self.callbacks.checked_sub(1)?;
        let word = self.begun.get((self.callbacks / PER_WORD) as usize);
        let bits = word.map_or(0, |word| word >> (self.callbacks % PER_WORD * 2));
        Some(Callback {
            kept: bits & 1 != 0,
            was_out: bits & 2 != 0,
        })
    }

    /// Forgets what was open, because the thread has ended.
    pub(super) const fn close_all(&mut self) {
        self.callbacks = 0;
        self.is_out = false;
        self.rests = false;
        self.delays_abort = false;
        self.affinity = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_come_back_in_order_and_the_deepest_as_plain_ones() {
        let mut task = Holder::new(1.into());
        let of = |n: u32| Callback {
            kept: n.is_multiple_of(3),
            was_out: n.is_multiple_of(2),
        };
        let deep = DEEPEST + 10;
        (0..deep).for_each(|n| task.push(of(n)));
        assert_eq!(task.callbacks(), deep);
        for n in (0..deep).rev() {
            let expected = if n < DEEPEST {
                of(n)
            } else {
                Callback::default()
            };
            assert_eq!(task.pop(), Some(expected), "{n}");
        }
        assert_eq!((task.pop(), task.callbacks()), (None, 0));
    }

    #[test]
    fn tokens_name_their_thread_and_are_never_marks() {
        let thread = Thread {
            number: (1 << 22) - 1,
            began: Thread::TIMES - 1,
        };
        let mut task = Holder::new(thread);
        task.takes = u32::MAX - 1;
        let mut last = 0;
        for _ in 0..4 {
            let token = task.next_token();
            assert_ne!(token, last);
            assert_eq!(token & token::WAITED_FOR, 0);
            assert_eq!(token::thread(token | token::WAITED_FOR), Some(thread));
            last = token;
        }
        assert_eq!(token::thread(token::FREE), None);
    }

    #[test]
    fn regions_are_counted_and_unbalanced_ends_unexpected() {
        let mut task = Holder::new(1.into());
        assert_eq!(task.end_thread_affinity(), Err(Refusal::Unexpected));
        task.begin_thread_affinity();
        task.begin_thread_affinity();
        assert_eq!(task.affinity(), 2);
        assert_eq!(task.end_thread_affinity(), Ok(()));
        assert_eq!(task.end_thread_affinity(), Ok(()));
        assert_eq!(task.end_thread_affinity(), Err(Refusal::Unexpected));

        assert_eq!(task.end_delay_abort(), Err(Refusal::Unexpected));
        assert_eq!(task.begin_delay_abort(), Ok(()));
        assert_eq!(task.begin_delay_abort(), Err(Refusal::Unexpected));
        assert!(task.delays_abort());
        assert_eq!(task.end_delay_abort(), Ok(()));
        assert_eq!(task.end_delay_abort(), Err(Refusal::Unexpected));
    }
}
