//! How far a long command is, on a terminal.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

const BETWEEN: Duration = Duration::from_millis(100);
/// A command that takes no longer than this shows nothing.
const PATIENCE: Duration = Duration::from_millis(400);
const WIDTH: u64 = 30;

/// A line on standard error, if that is a terminal.
pub struct Progress {
    all: u64,
    began: Instant,
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// Progress up to this number.
    pub fn new(all: u64) -> Self {
        let began = Instant::now();
        Self {
            all,
            began,
            next: io::stderr().is_terminal().then(|| began + PATIENCE),
            shown: false,
        }
    }

    /// So many are done.
    pub fn show(&mut self, done: u64) {
        let Some(next) = self.next else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        self.next = Some(now + BETWEEN);
        self.shown = true;
        let line = line(done, self.all, now - self.began);
        // A terminal that is gone needs no progress.
        let _ = write!(io::stderr(), "\r\x1b[K{line}");
    }

    /// Removes the line.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn line(done: u64, all: u64, took: Duration) -> String {
    let all = all.max(done).max(1);
    let part = |of: u64| (u128::from(done) * u128::from(of) / u128::from(all)) as u64;
    let full = part(WIDTH);
    let bar = format!(
        "{}{}",
        "#".repeat(full as usize),
        ".".repeat((WIDTH - full) as usize)
    );
    let left = took.as_secs_f64() * (all - done) as f64 / done.max(1) as f64;
    format!("[{bar}] {:>3} %, {left:.0} s left", part(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        let line = |done, all| line(done, all, Duration::from_secs(3));
        assert_eq!(line(0, 0), format!("[{}]   0 %, 3 s left", ".".repeat(30)));
        let half = format!("[{}{}]  50 %, 3 s left", "#".repeat(15), ".".repeat(15));
        assert_eq!(line(50, 100), half);
        // A program that runs may have made more crossings than were expected.
        let full = format!("[{}] 100 %, 0 s left", "#".repeat(30));
        assert_eq!(line(u64::MAX, 7), full);
    }
}
