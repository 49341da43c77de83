//! Where the parts of a body lie.

use soglia_abi::ids::MdToken;

use super::instruction::Instructions;
use crate::{
    bytes::{u16_at, u32_at},
    clause::{self, Clause},
    format::{FAT, FAT_KIND, HEADER, HEADER_WORDS, KIND, MORE_SECTIONS, TINY, TINY_STACK},
};

/// What the header of a body says, once it is known to agree with the body's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout<'a> {
    body: &'a [u8],
    /// Where the code starts and ends.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The greatest stack that the code needs.
    pub(crate) stack: u16,
    /// The signature of the local variables, if there are any.
    pub(crate) locals: Option<MdToken>,
    /// Whether sections follow the code.
    pub(crate) has_sections: bool,
}

impl<'a> Layout<'a> {
    /// Reads the header of a body.
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        let first = *body.first()?;
        let layout = if first & KIND == TINY {
            Self {
                body,
                start: 1,
                end: 1 + usize::from(first >> 2),
                stack: TINY_STACK,
                locals: None,
                has_sections: false,
            }
        } else {
            let flags = u16_at(body, 0)?;
            if flags & FAT_KIND != FAT || flags >> 12 != HEADER_WORDS {
                return None;
            }
            let size = usize::try_from(u32_at(body, 4)?).ok()?;
            let locals = MdToken(u32_at(body, 8)?);
            Self {
                body,
                start: HEADER,
                end: HEADER.checked_add(size)?,
                stack: u16_at(body, 2)?,
                locals: (!locals.is_nil()).then_some(locals),
                has_sections: flags & MORE_SECTIONS != 0,
            }
        };
        (layout.end <= body.len()).then_some(layout)
    }

    /// Whether the header is a fat one.
    pub(crate) const fn is_fat(&self) -> bool {
        self.start == HEADER
    }

    /// The code.
    pub(crate) fn code(&self) -> &'a [u8] {
        &self.body[self.start..self.end]
    }

    /// The instructions of the code. Their places are counted from the start of the body.
    pub(crate) fn instructions(&self) -> Instructions<'a> {
        Instructions::within(&self.body[..self.end], self.start)
    }

    /// The protected blocks. Returns `None` if there are sections that cannot be read.
    pub(crate) fn clauses(&self) -> Option<Vec<Clause>> {
        if !self.has_sections {
            return Some(Vec::new());
        }
        clause::read_section(self.body.get(self.end.next_multiple_of(4)..)?)
    }
}
