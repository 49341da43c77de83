//! From code to a body, or to code in front of another body.

use soglia_abi::ids::MdToken;

use super::code::{Block, Code};
use crate::{
    clause::{self, Clause},
    format::{CATCH, FAT, FAULT, HEADER, HEADER_WORDS, INIT_LOCALS, MORE_SECTIONS},
};

impl Code {
    /// The body. `locals` is the signature of its local variables, which begin as zero.
    ///
    /// Returns `None` if the stack does not balance or is deeper than 65,535, if a label is not
    /// placed or a block not ended, or if the code is longer than 31 bits can say.
    pub fn finish(mut self, locals: Option<MdToken>) -> Option<Vec<u8>> {
        if self.odd || self.open != 0 || self.depth.is_some() {
            return None;
        }
        self.fill_in_branches()?;
        let mut flags = FAT | HEADER_WORDS << 12;
        if locals.is_some() {
            flags |= INIT_LOCALS;
        }
        if !self.blocks.is_empty() {
            flags |= MORE_SECTIONS;
        }
        let mut body = Vec::with_capacity(HEADER + self.bytes.len());
        body.extend(flags.to_le_bytes());
        body.extend(self.deepest()?.to_le_bytes());
        body.extend(offset(self.bytes.len())?.to_le_bytes());
        body.extend(locals.unwrap_or_default().0.to_le_bytes());
        body.append(&mut self.bytes);
        if !self.blocks.is_empty() {
            let clauses: Option<Vec<_>> = self.blocks.iter().map(clause_of).collect();
            clause::put_section(&mut body, &clauses?)?;
        }
        Some(body)
    }

    /// The instructions, to be put in front of others, and the stack that they need.
    ///
    /// Returns `None` as [`Code::finish`] does, and if the stack is not empty at the end or if
    /// anything is protected.
    pub fn finish_prefix(mut self) -> Option<(Vec<u8>, u16)> {
        if self.odd || self.open != 0 || self.depth != Some(self.below) || !self.blocks.is_empty() {
            return None;
        }
        self.fill_in_branches()?;
        let stack = self.deepest()?;
        Some((self.bytes, stack))
    }

    fn fill_in_branches(&mut self) -> Option<()> {
        for (at, label) in &self.branches {
            let (to, from) = (offset(self.places[label.0].at?)?, offset(at + 4)?);
            let distance = to.cast_signed().checked_sub(from.cast_signed())?;
            self.bytes[*at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        Some(())
    }
}

fn clause_of(block: &Block) -> Option<Clause> {
    Some(Clause {
        kind: if block.catches.is_some() {
            CATCH
        } else {
            FAULT
        },
        start: offset(block.start)?,
        length: offset(block.handler - block.start)?,
        handler: offset(block.handler)?,
        handler_length: offset(block.end - block.handler)?,
        last: block.catches.unwrap_or_default().0,
    })
}

/// Offsets and sizes have 31 bits, because distances between them have a sign.
fn offset(number: usize) -> Option<u32> {
    i32::try_from(number).ok().map(i32::cast_unsigned)
}
