//! Why a recording had no room for something.

use serde::Serialize;
use soglia_core::trace::{format::NoRoom, reader::Reader};

/// A reason, and how often it was one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoRoomRow {
    /// In a word.
    pub reason: &'static str,
    /// Chunks for which there was no room because of it.
    pub times: u32,
}

/// All reasons that there were.
pub fn rows(reader: &Reader) -> Vec<NoRoomRow> {
    let row = |why: NoRoom| NoRoomRow {
        reason: why.name(),
        times: reader.no_room(why),
    };
    let all = NoRoom::ALL.into_iter().map(row);
    all.filter(|row| row.times > 0).collect()
}

/// The same as the end of a sentence.
pub fn because(rows: &[NoRoomRow]) -> String {
    let words = NoRoom::ALL.map(|why| (why.name(), in_words(why)));
    let given: Vec<&str> = words
        .iter()
        .filter(|(reason, _)| rows.iter().any(|row| row.reason == *reason))
        .map(|(_, words)| *words)
        .collect();
    match given.is_empty() {
        true => "there was no room".to_owned(),
        false => given.join(", and "),
    }
}

const fn in_words(why: NoRoom) -> &'static str {
    match why {
        NoRoom::Full => "the recording was full (--max-size makes it larger)",
        NoRoom::Small => {
            "the recording was full, and a limit kept it smaller than --max-size (ulimit -f, ulimit -v)"
        }
        NoRoom::Disk => "the disk was full",
        NoRoom::Memory => "there was no memory",
        NoRoom::Cut => "somebody cut the file",
        NoRoom::Closed => "the program closed the descriptor of the recording",
        NoRoom::Refused => "the system refused room in the file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_reasons_are_named() {
        let row = |why: NoRoom| NoRoomRow {
            reason: why.name(),
            times: 1,
        };
        assert_eq!(because(&[]), "there was no room");
        for why in NoRoom::ALL {
            assert_eq!(because(&[row(why)]), in_words(why));
        }
        let both = because(&[row(NoRoom::Full), row(NoRoom::Disk)]);
        assert!(both.ends_with(", and the disk was full"), "{both}");
    }
}
