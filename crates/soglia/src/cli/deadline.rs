//! Reports missed deadlines while the program runs.

use std::{
    io::{self, Write},
    path::Path,
    time::{Duration, Instant},
};

use soglia::text;
use soglia_core::trace::reader::Reader;

use super::complain::complain;

/// Tells what becomes known while the program runs, line by line on standard error.
pub struct Live<'a> {
    recording: &'a Path,
    news: text::Newsreader,
    /// There is no news before.
    from: Instant,
}

impl<'a> Live<'a> {
    /// Nothing told yet. No call can be reported within the first `quiet`.
    pub fn new(recording: &'a Path, quiet: Duration) -> Self {
        let now = Instant::now();
        Self {
            recording,
            news: text::Newsreader::default(),
            from: now.checked_add(quiet).unwrap_or(now),
        }
    }

    /// Tells what is new.
    pub fn tell(&mut self) {
        if Instant::now() < self.from {
            return;
        }
        // A recording that just grows is looked at again in a moment.
        let Ok(reader) = Reader::open_partial(self.recording) else {
            return;
        };
        for text::News { line, details } in self.news.look(&reader) {
            complain(&line);
            for detail in details {
                let _ = writeln!(io::stderr(), "          {}", text::plain(&detail));
            }
        }
    }
}
