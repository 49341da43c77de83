//! The room that a report has for the rows of a list.
//!
//! A recording can name one stack of long names in each of a million records. That takes few bytes
//! in the recording and many in a report, so the rows of each list have a fixed room. What a
//! program records needs little of it.

/// About the most bytes that the rows of one list take.
const MOST_BYTES: usize = 16 << 20;
/// Bytes of a row without its texts.
const ROW: usize = 128;
/// Bytes of a text beside its own.
const TEXT: usize = 24;

/// The room of one list.
pub(super) struct Room {
    left: usize,
    /// Rows for which there was no room.
    pub(super) left_out: u64,
}

impl Room {
    pub(super) const fn new() -> Self {
        Self {
            left: MOST_BYTES,
            left_out: 0,
        }
    }

    /// Takes room for a row of these texts. Returns `false` if there is no room for it. From then
    /// on there is none for other rows either.
    pub(super) fn takes<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        self.takes_with(texts, 0)
    }

    /// The same for a row of these texts and so many other bytes.
    pub(super) fn takes_with<'a>(
        &mut self,
        texts: impl IntoIterator<Item = &'a str>,
        bytes: usize,
    ) -> bool {
        if self.left_out > 0 {
            self.left_out += 1;
            return false;
        }
        let texts = texts.into_iter().map(|text| text.len() + TEXT);
        let row = texts.fold(ROW.saturating_add(bytes), usize::saturating_add);
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
