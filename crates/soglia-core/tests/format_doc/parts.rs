//! Payloads of records, as the document writes their parts.

/// A part of a payload, as the document writes it.
pub enum Part {
    /// `w`
    Word(u32),
    /// `l`
    Long(u64),
    /// `s`, and `s?`
    Text(Option<&'static str>),
}
use Part::{Long as l, Text, Word as w};

pub const fn s(text: &'static str) -> Part {
    Text(Some(text))
}
pub const NONE: Part = Text(None);

/// A payload by the rules above the document's table.
pub fn payload(parts: &[Part]) -> Vec<u32> {
    let mut words = Vec::new();
    for part in parts {
        match part {
            w(word) => words.push(*word),
            l(long) => words.extend([*long as u32, (*long >> 32) as u32]),
            Text(None) => words.push(u32::MAX),
            Text(Some(text)) => {
                words.push(text.len() as u32);
                for four in text.as_bytes().chunks(4) {
                    let mut word = [0; 4];
                    word[..four.len()].copy_from_slice(four);
                    words.push(u32::from_le_bytes(word));
                }
            }
        }
    }
    words
}

pub fn text(text: &str) -> Option<String> {
    Some(text.into())
}

/// What the document says of the parts of a payload, without the words: `wlss?`.
pub fn grammar(cell: &str) -> String {
    // The cell lost the marks at its ends.
    let cell = format!("`{cell}`");
    let parts = cell.split('`').skip(1).step_by(2);
    parts
        .filter(|part| ["w", "l", "s", "s?"].contains(part))
        .collect()
}

pub fn written(parts: &[Part]) -> String {
    let letter = |part: &Part| match part {
        w(_) => "w",
        l(_) => "l",
        Text(_) => "s",
    };
    parts.iter().map(letter).collect()
}
