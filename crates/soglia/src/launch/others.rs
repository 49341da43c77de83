//! .NET processes that run below the program and do not record, because nothing asked them to.
//!
//! The engine takes its variables out of the environment of the program, so the programs that it
//! starts know nothing of soglia. The tool looks at the processes below it now and then, and counts
//! those in which .NET runs.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use soglia_core::process;

use super::guard::{has_finalizer, tree};

/// The most processes that are counted.
const MOST: usize = 10_000;
/// The least pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// The pause is so many times as long as a look takes: a look must not cost anything that counts.
const PAUSES: u32 = 200;
/// The greatest pause.
const MOST_PAUSE: Duration = Duration::from_secs(1);

/// The .NET processes below a program.
#[derive(Debug)]
pub struct Others {
    program: u32,
    /// Their numbers, and when they started.
    found: HashSet<(u32, u64)>,
    next: Instant,
}

impl Others {
    /// Those below this program.
    pub fn below(program: u32) -> Self {
        Self {
            program,
            found: HashSet::new(),
            next: Instant::now(),
        }
    }

    /// Looks, if it is time to do so. `recorded` returns the process that records, or 0.
    pub fn look(&mut self, recorded: impl FnOnce() -> u32) {
        let begin = Instant::now();
        if begin < self.next || self.found.len() >= MOST {
            return;
        }
        let recorded = recorded();
        // Until a process records, all are on the way to do so.
        if recorded != 0 {
            for pid in tree(self.program) {
                let process = process::started(pid).map(|started| (pid, started));
                let process = process.filter(|process| !self.found.contains(process));
                if pid != recorded
                    && let Some(process) = process
                    && has_finalizer(pid)
                {
                    self.found.insert(process);
                }
            }
        }
        let took = begin.elapsed();
        self.next = begin + took.saturating_mul(PAUSES).clamp(PAUSE, MOST_PAUSE);
    }

    /// The number of those that were seen.
    pub fn count(&self) -> u64 {
        self.found.len() as u64
    }
}
