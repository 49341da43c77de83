//! Why the recording had no room for something.

use soglia_core::trace::{format::NoRoom, reader::Reader};

use super::rows::NoRoomRow;

/// All reasons that the recording has.
pub fn rows(reader: &Reader) -> Vec<NoRoomRow> {
    let row = |why: NoRoom| NoRoomRow {
        reason: why.name(),
        times: reader.no_room(why),
    };
    let all = NoRoom::ALL.into_iter().map(row);
    all.filter(|row| row.times > 0).collect()
}

/// The reasons as the end of a sentence.
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
        NoRoom::Memory => "memory was full",
        NoRoom::Cut => "another process cut the file",
        NoRoom::Closed => "the program closed the descriptor of the recording",
        NoRoom::Refused => "the system gave no room in the file",
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
