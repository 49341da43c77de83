//! How much of a recording fits into a report.
//!
//! A recording may name one stack of long names in each of a million records: a few bytes there, and many here. So the rows of each list
//! have so much room, and no more. What a program records needs little of it.

/// Bytes that the rows of one list take at most, about.
const MOST_BYTES: usize = 16 << 20;
/// What a row takes beside its texts.
const ROW: usize = 128;
/// What a text takes beside its bytes.
const TEXT: usize = 24;

/// The room of one list.
pub(super) struct Room {
    left: usize,
    /// Rows for which there was none.
    pub(super) left_out: u64,
}

impl Room {
    pub(super) const fn new() -> Self {
        Self {
            left: MOST_BYTES,
            left_out: 0,
        }
    }

    /// Takes room for a row of these texts; `false`: there is none, and none for the rows after it.
    pub(super) fn takes<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        if self.left_out > 0 {
            self.left_out += 1;
            return false;
        }
        let texts = texts.into_iter().map(|text| text.len() + TEXT);
        let row = texts.fold(ROW, usize::saturating_add);
        match self.left.checked_sub(row) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.left_out = 1;
                false
            }
        }
    }
}
