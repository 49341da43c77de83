//! Protected blocks as the section behind a body's code lists them (ECMA-335, II.25.4.5 and .6).

use crate::{
    bytes::{u16_at, u32_at},
    format::{ANOTHER_SECTION, CLAUSES, SHORT_CLAUSE, WIDE_CLAUSE, WIDE_CLAUSES},
};

/// A protected block and its handler. Places are counted from the start of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clause {
    pub(crate) kind: u32,
    /// Where the block starts, and its length.
    pub(crate) start: u32,
    pub(crate) length: u32,
    /// Where the handler starts, and its length.
    pub(crate) handler: u32,
    pub(crate) handler_length: u32,
    /// The class that the handler takes, or where its filter starts.
    pub(crate) last: u32,
}

/// Reads a section that holds clauses and is the only one of its body.
///
/// Returns `None` for any other section.
pub(crate) fn read_section(section: &[u8]) -> Option<Vec<Clause>> {
    let kind = *section.first()?;
    if kind & (CLAUSES | ANOTHER_SECTION) != CLAUSES {
        return None;
    }
    let (bytes, size) = match kind & WIDE_CLAUSES {
        0 => (usize::from(*section.get(1)?), SHORT_CLAUSE),
        _ => ((u32_at(section, 0)? >> 8) as usize, WIDE_CLAUSE),
    };
    let clauses = section.get(4..bytes)?.chunks(size);
    clauses.map(|clause| read(clause, size)).collect()
}

fn read(clause: &[u8], size: usize) -> Option<Clause> {
    if clause.len() != size {
        return None;
    }
    if size == SHORT_CLAUSE {
        return Some(Clause {
            kind: u16_at(clause, 0)?.into(),
            start: u16_at(clause, 2)?.into(),
            length: clause[4].into(),
            handler: u16_at(clause, 5)?.into(),
            handler_length: clause[7].into(),
            last: u32_at(clause, 8)?,
        });
    }
    let word = |index: usize| u32_at(clause, 4 * index);
    Some(Clause {
        kind: word(0)?,
        start: word(1)?,
        length: word(2)?,
        handler: word(3)?,
        handler_length: word(4)?,
        last: word(5)?,
    })
}

/// Appends a section of these clauses in wide form, aligned as it must be behind the code of a body
/// that begins with `body`.
///
/// Returns `None` if there are more clauses than a section can hold.
pub(crate) fn put_section(body: &mut Vec<u8>, clauses: &[Clause]) -> Option<()> {
    let size = clauses.len().checked_mul(WIDE_CLAUSE)?.checked_add(4)?;
    let size = u32::try_from(size).ok().filter(|size| size >> 24 == 0)?;
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend((u32::from(CLAUSES | WIDE_CLAUSES) | size << 8).to_le_bytes());
    for clause in clauses {
        for word in [
            clause.kind,
            clause.start,
            clause.length,
            clause.handler,
            clause.handler_length,
            clause.last,
        ] {
            body.extend(word.to_le_bytes());
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn any_clause()(words in any::<[u32; 6]>()) -> Clause {
            let [kind, start, length, handler, handler_length, last] = words;
            Clause { kind, start, length, handler, handler_length, last }
        }
    }

    proptest! {
        #[test]
        fn a_section_that_was_written_is_read_back(
            code in 0..9_usize,
            clauses in prop::collection::vec(any_clause(), 0..40),
        ) {
            let mut body = vec![0xAA; code];
            put_section(&mut body, &clauses).unwrap();
            let section = &body[code.next_multiple_of(4)..];
            prop_assert_eq!(read_section(section), Some(clauses));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(
            kind in prop::sample::select(vec![0x01, 0x41, 0x81, 0xC1]),
            mut bytes in prop::collection::vec(any::<u8>(), 1..200),
        ) {
            bytes[0] = kind;
            let _ = read_section(&bytes);
        }
    }

    #[test]
    fn a_section_has_room_for_so_many_clauses() {
        let clause = Clause {
            kind: 0,
            start: 0,
            length: 0,
            handler: 0,
            handler_length: 0,
            last: 0,
        };
        let most = ((1 << 24) - 1 - 4) / WIDE_CLAUSE;
        assert_eq!(put_section(&mut Vec::new(), &vec![clause; most]), Some(()));
        assert_eq!(put_section(&mut Vec::new(), &vec![clause; most + 1]), None);
    }
}
