//! The line of tasks that wait for a slot, in the order in which they came.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use crate::sync::{self, Arc, Condvar, Mutex, PoisonError};

/// All tasks of this process that wait in a line.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// How many tasks of this process wait for a slot. It is a hint, for tasks that would give way to
/// them.
pub const fn waiting() -> &'static AtomicUsize {
    &WAITING
}

/// A message to a task in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The slot with this number is now the task's.
    Granted {
        cell: usize,
        /// Its last owner died.
        abandoned: bool,
    },
    /// No task needs a slot any more.
    Lifted,
    /// The task now looks for sleeping holders. It is still in line.
    Look,
}

/// Wakes one task.
#[derive(Debug, Default)]
pub struct Signal {
    news: Mutex<Option<News>>,
    told: Condvar,
}

impl Signal {
    /// Sends a message. It replaces one that was not received.
    fn tell(&self, news: News) {
        *self.news.lock().unwrap_or_else(PoisonError::into_inner) = Some(news);
        self.told.notify_one();
    }

    /// Waits for a message, for `limit` at most. Returns it, and how long the wait was.
    pub fn wait(&self, limit: Option<Duration>) -> (Option<News>, Duration) {
        let mut waited = Duration::ZERO;
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = limit.map(|limit| limit.saturating_sub(waited));
            if news.is_some() || left.is_some_and(|left| left.is_zero()) {
                return (news.take(), waited);
            }
            let (guard, took) = sync::wait(&self.told, &self.news, news, left);
            news = guard;
            waited += took;
        }
    }
}

/// A task in line.
#[derive(Debug)]
pub struct Waiting {
    /// The word for the cell of the slot that it gets.
    pub token: u64,
    signal: Arc<Signal>,
}

impl Waiting {
    pub fn tell(&self, news: News) {
        self.signal.tell(news);
    }
}

/// The line. One task in it *looks* for sleeping holders: the last one when that was decided,
/// because it stays the longest.
#[derive(Debug, Default)]
pub struct Line {
    waiting: VecDeque<Waiting>,
    /// The token of the task that looks; 0 if there is none.
    looker: u64,
    is_lifted: bool,
}

impl Line {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether no task needs a slot any more.
    pub fn is_lifted(&self) -> bool {
        self.is_lifted
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Puts a task at the end of the line. Returns whether it is the one that looks.
    pub fn join(&mut self, token: u64, signal: Arc<Signal>) -> bool {
        // A message may be left from a wait that was given up.
        *signal.news.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.waiting.push_back(Waiting { token, signal });
        WAITING.fetch_add(1, Relaxed);
        if self.looker == 0 {
            self.looker = token;
        }
        self.looker == token
    }

    /// The first task, if there is one.
    pub fn first(&self) -> Option<&Waiting> {
        self.waiting.front()
    }

    /// Takes out the first task, which has its message.
    pub fn next(&mut self) {
        if let Some(first) = self.waiting.pop_front() {
            self.has_left(first.token);
        }
    }

    /// Sends all tasks away: no task needs a slot any more.
    pub fn lift(&mut self) {
        self.is_lifted = true;
        self.looker = 0;
        for waiting in self.waiting.drain(..) {
            WAITING.fetch_sub(1, Relaxed);
            waiting.tell(News::Lifted);
        }
    }

    /// Takes out the task with this token, which gives up. Returns `false` if it is not in line any
    /// more, and has a message.
    pub fn withdraw(&mut self, token: u64) -> bool {
        let at = self.waiting.iter().position(|w| w.token == token);
        if let Some(at) = at {
            self.waiting.remove(at);
            self.has_left(token);
        }
        at.is_some()
    }

    /// Chooses another task that looks, if this one did.
    fn has_left(&mut self, token: u64) {
        WAITING.fetch_sub(1, Relaxed);
        if self.looker == token {
            let last = self.waiting.back();
            self.looker = last.map_or(0, |last| last.token);
            if let Some(last) = last {
                last.tell(News::Look);
            }
        }
    }
}
