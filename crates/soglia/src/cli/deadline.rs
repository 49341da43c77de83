//! Reports missed deadlines while the program runs.

use std::path::Path;

use soglia::text;
use soglia_core::trace::reader::Reader;

use super::complain::complain;

/// Tells what becomes known while the program runs, line by line on standard error.
pub struct Live<'a> {
    recording: &'a Path,
    told: usize,
}

impl<'a> Live<'a> {
    /// Nothing told yet.
    pub const fn new(recording: &'a Path) -> Self {
        Self { recording, told: 0 }
    }

    /// Tells what is new.
    pub fn tell(&mut self) {
        // A recording that just grows is looked at again in a moment.
        let Ok(reader) = Reader::open_partial(self.recording) else {
            return;
        };
        let news = text::news(&reader, self.told);
        self.told += news.len();
        for line in news {
            complain(&line);
        }
    }
}
