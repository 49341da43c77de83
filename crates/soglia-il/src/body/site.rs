//! Calls by pointer.

use soglia_abi::ids::MdToken;

use super::{
    instruction::{Instruction, Instructions},
    layout::Layout,
};
use crate::opcode::{
    CALL, CALLI, NOP,
    wide::{CONSTRAINED, NO, READONLY, TAIL, UNALIGNED, VOLATILE},
};

/// A `calli` in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    at: usize,
    /// The signature that the function is called by.
    pub signature: MdToken,
    prefix: Prefix,
}

/// What precedes a `calli` and belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    None,
    /// `tail.`, which begins there.
    Tail(usize),
    /// A prefix that has no meaning before a `calli`, or several.
    Other,
}

impl Site {
    /// Where the `calli` begins, counted from the start of the body.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Puts a call of `method` in the place of the `calli`. `body` is a copy of the body in which
    /// the site was found.
    ///
    /// A `tail.` before the `calli` is removed: the CLR ignores it before unmanaged calls, but not
    /// before the new one.
    ///
    /// Returns `false` and changes nothing if another prefix precedes the `calli`.
    #[must_use]
    pub fn patch(&self, body: &mut [u8], method: MdToken) -> bool {
        match self.prefix {
            Prefix::None => {}
            Prefix::Tail(prefix) => body[prefix..prefix + 2].fill(NOP),
            Prefix::Other => return false,
        }
        body[self.at] = CALL;
        body[self.at + 1..self.at + 5].copy_from_slice(&method.0.to_le_bytes());
        true
    }
}

/// The calls by pointer in a body, managed and unmanaged.
///
/// Returns `None` if the body cannot be read.
pub fn calls_by_pointer(body: &[u8]) -> Option<Vec<Site>> {
    sites(Layout::read(body)?.instructions())
}

/// Whether there are calls by pointer in code that has no header.
///
/// Returns `false` if the code cannot be read.
pub fn code_calls_by_pointer(code: &[u8]) -> bool {
    sites(Instructions::new(code)).is_some_and(|sites| !sites.is_empty())
}

fn sites(instructions: Instructions) -> Option<Vec<Site>> {
    let (mut sites, mut prefix) = (Vec::new(), Prefix::None);
    for instruction in instructions {
        let instruction = instruction?;
        if instruction.opcode() == CALLI {
            sites.push(Site {
                at: instruction.at(),
                signature: instruction.token()?,
                prefix,
            });
        }
        prefix = match (is_prefix(&instruction), prefix) {
            (false, _) => Prefix::None,
            (true, Prefix::None) if instruction.wide_opcode() == Some(TAIL) => {
                Prefix::Tail(instruction.at())
            }
            (true, _) => Prefix::Other,
        };
    }
    Some(sites)
}

fn is_prefix(instruction: &Instruction) -> bool {
    matches!(
        instruction.wide_opcode(),
        Some(UNALIGNED | VOLATILE | TAIL | CONSTRAINED | NO | READONLY)
    )
}
