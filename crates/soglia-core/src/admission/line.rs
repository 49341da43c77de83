//! Who waits for a slot, in the order in which they came.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use crate::sync::{self, Arc, Condvar, Mutex, PoisonError};

/// All who wait in a line of this process.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// How many tasks of this process wait for a slot: a hint, for those who would give way to them.
pub const fn waiting() -> &'static AtomicUsize {
    &WAITING
}

/// What somebody in line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The slot with this number is yours.
    Granted {
        cell: usize,
        /// Its last owner died.
        abandoned: bool,
    },
    /// Nobody needs a slot any more.
    Lifted,
    /// You are the one who looks for sleeping holders now. Still in line.
    Look,
}

/// Wakes one task.
#[derive(Debug, Default)]
pub struct Signal {
    news: Mutex<Option<News>>,
    told: Condvar,
}

impl Signal {
    /// Tells it; what was told before and not heard is gone.
    fn tell(&self, news: News) {
        *self.news.lock().unwrap_or_else(PoisonError::into_inner) = Some(news);
        self.told.notify_one();
    }

    /// Waits for news, at most for `limit`; and how long that was.
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

/// One in line.
#[derive(Debug)]
pub struct Waiting {
    /// What goes into the cell of the slot that it gets.
    pub token: u64,
    signal: Arc<Signal>,
}

impl Waiting {
    pub fn tell(&self, news: News) {
        self.signal.tell(news);
    }
}

/// The line. One of those in it *looks*: the last, when that was settled, as it stays the longest.
#[derive(Debug, Default)]
pub struct Line {
    waiting: VecDeque<Waiting>,
    /// The token of the one who looks; 0 while there is none.
    looker: u64,
    is_lifted: bool,
}

impl Line {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether nobody needs a slot any more.
    pub fn is_lifted(&self) -> bool {
        self.is_lifted
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Goes to the end of the line. Answers whether it is the one who looks.
    pub fn join(&mut self, token: u64, signal: Arc<Signal>) -> bool {
        // Left over from a wait that was given up.
        *signal.news.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.waiting.push_back(Waiting { token, signal });
        WAITING.fetch_add(1, Relaxed);
        if self.looker == 0 {
            self.looker = token;
        }
        self.looker == token
    }

    /// The first, to be told something, if there is one.
    pub fn first(&self) -> Option<&Waiting> {
        self.waiting.front()
    }

    /// Takes out the first, who was told.
    pub fn next(&mut self) {
        if let Some(first) = self.waiting.pop_front() {
            self.has_left(first.token);
        }
    }

    /// Nobody needs a slot any more, and all are told.
    pub fn lift(&mut self) {
        self.is_lifted = true;
        self.looker = 0;
        for waiting in self.waiting.drain(..) {
            WAITING.fetch_sub(1, Relaxed);
            waiting.tell(News::Lifted);
        }
    }

    /// Takes out the one with this token, who gives up. `false`: it is out already, and was told something.
    pub fn withdraw(&mut self, token: u64) -> bool {
        let at = self.waiting.iter().position(|w| w.token == token);
        if let Some(at) = at {
            self.waiting.remove(at);
            self.has_left(token);
        }
        at.is_some()
    }

    /// Finds another one who looks, if it was this.
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
