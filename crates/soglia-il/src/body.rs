//! Method bodies as compilers have made them: finding calls by pointer in them, and putting other calls in their place.
//!
//! `calli SIGNATURE` and `call METHOD` both take five bytes, so a body is patched in place: nothing moves, and branches, protected
//! blocks and debugging information stay true. What is around the code (ECMA-335, II.25.4) is copied unread.
//!
//! Nothing that a body says is believed: where an instruction is unknown or reaches over the end, the body counts as unreadable and
//! stays as it is. Code is read from front to end, as the CLR's compiler does when it looks for the targets of branches.

pub mod prefix;

use soglia_abi::ids::MdToken;

const TINY: u8 = 0x2;
const FAT: u16 = 0x3;
/// Bytes of a fat header.
const HEADER: usize = 12;

/// A fat header's flag: something follows the code.
const MORE_SECTIONS: u16 = 0x8;
/// The stack that a tiny header allows.
const TINY_STACK: u16 = 8;

const RET: u8 = 0x2A;
const CALL: u8 = 0x28;
const CALLI: u8 = 0x29;
const SWITCH: u8 = 0x45;
const CALLVIRT: u8 = 0x6F;
const NEWOBJ: u8 = 0x73;
const THROW: u8 = 0x7A;
const WIDE: u8 = 0xFE;
/// Behind [`WIDE`]: the next call may give up the caller's frame.
const TAIL: u8 = 0x14;
const NOP: u8 = 0x00;

/// A `calli` in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// From the start of the body.
    at: usize,
    /// The signature that it is called by.
    pub signature: MdToken,
    /// What precedes it and belongs to it.
    prefix: Prefix,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    None,
    /// `tail.`, which begins there.
    Tail(usize),
    /// One that has no meaning before a `calli`.
    Other,
}

impl Site {
    /// Puts a call of a method in its place, in a copy of the body that it was found in. `false`: it must stay as it is.
    ///
    /// A `tail.` before it goes: the CLR ignores it before unmanaged calls, and would not before this one.
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

/// The calls by pointer in a body, managed and unmanaged. `None`: the body cannot be read.
pub fn calls_by_pointer(body: &[u8]) -> Option<Vec<Site>> {
    let (start, end) = code(body)?;
    sites(&body[..end], start)
}

/// Whether there are such calls in code that has no header. What cannot be read has none.
pub fn code_calls_by_pointer(code: &[u8]) -> bool {
    sites(code, 0).is_some_and(|sites| !sites.is_empty())
}

/// Whether a body calls others or throws, so that it may be in stack traces. One that cannot be read may.
pub fn leads_on(body: &[u8]) -> bool {
    let leads_on = || {
        let (start, end) = code(body)?;
        let (code, mut at) = (&body[..end], start);
        while at < end {
            let opcode = code[at];
            if matches!(opcode, CALL | CALLI | CALLVIRT | NEWOBJ | THROW) {
                return Some(true);
            }
            at = next(code, at)?;
        }
        Some(false)
    };
    leads_on().unwrap_or(true)
}

/// The calls by pointer from there on.
fn sites(code: &[u8], start: usize) -> Option<Vec<Site>> {
    let mut sites = Vec::new();
    let (mut at, mut prefix) = (start, Prefix::None);
    while at < code.len() {
        let opcode = code[at];
        let next = next(code, at)?;
        let prefixes = opcode == WIDE && matches!(code[at + 1], 0x12..=0x14 | 0x16 | 0x19 | 0x1E);
        if opcode == CALLI {
            sites.push(Site {
                at,
                signature: MdToken(u32_at(code, at + 1)?),
                prefix,
            });
        }
        prefix = match (prefixes, prefix) {
            (false, _) => Prefix::None,
            (true, Prefix::None) if code[at + 1] == TAIL => Prefix::Tail(at),
            (true, _) => Prefix::Other,
        };
        at = next;
    }
    Some(sites)
}

/// A body whose code can be put into a larger one: nothing in it is protected, and it returns once, with its last instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain<'a> {
    /// Without the return.
    pub code: &'a [u8],
    /// Greatest stack.
    pub stack: u16,
    /// Of the local variables, if there are any.
    pub locals: Option<MdToken>,
}

impl Plain<'_> {
    /// Whether it calls this method.
    pub fn calls(&self, method: MdToken) -> bool {
        let mut at = 0;
        while at < self.code.len() {
            if self.code[at] == CALL && u32_at(self.code, at + 1) == Some(method.0) {
                return true;
            }
            let Some(next) = next(self.code, at) else {
                return false;
            };
            at = next;
        }
        false
    }
}

/// A body in which nothing is protected, with all its returns.
pub fn whole(body: &[u8]) -> Option<Plain<'_>> {
    let (start, end, stack, locals) = unprotected(body)?;
    Some(Plain {
        code: &body[start..end],
        stack,
        locals,
    })
}

/// Where the code of such a body begins and ends, its stack, its local variables.
fn unprotected(body: &[u8]) -> Option<(usize, usize, u16, Option<MdToken>)> {
    let (start, end) = code(body)?;
    let (stack, locals) = if start == HEADER {
        let flags = u16::from_le_bytes(*body.first_chunk()?);
        if flags & MORE_SECTIONS != 0 {
            return None;
        }
        let stack = u16::from_le_bytes(*body.get(2..)?.first_chunk()?);
        (stack, MdToken(u32_at(body, 8)?))
    } else {
        (TINY_STACK, MdToken(0))
    };
    Some((start, end, stack, (!locals.is_nil()).then_some(locals)))
}

/// Takes such a body apart. `None`: it is of another kind, or cannot be read.
pub fn plain(body: &[u8]) -> Option<Plain<'_>> {
    let (start, end, stack, locals) = unprotected(body)?;
    let (code, mut at) = (&body[..end], start);
    loop {
        let (opcode, next) = (*code.get(at)?, next(code, at)?);
        match (opcode, next == end) {
            (RET, true) => break,
            (RET, false) | (_, true) => return None,
            _ => at = next,
        }
    }
    Some(Plain {
        code: &code[start..at],
        stack,
        locals,
    })
}

/// Where the instruction behind this one begins. `None`: there is no such instruction, or it reaches over the end.
pub(crate) fn next(code: &[u8], at: usize) -> Option<usize> {
    let length = match *code.get(at)? {
        WIDE => 2 + wide_operand(*code.get(at + 1)?)?,
        SWITCH => {
            let count = usize::try_from(u32_at(code, at + 1)?).ok()?;
            count.checked_mul(4)?.checked_add(5)?
        }
        opcode => 1 + operand(opcode)?,
    };
    at.checked_add(length).filter(|next| *next <= code.len())
}

/// Where the code of a body begins and ends.
pub(crate) fn code(body: &[u8]) -> Option<(usize, usize)> {
    let first = *body.first()?;
    let (start, size) = if first & 0x3 == TINY {
        (1, usize::from(first >> 2))
    } else {
        let flags = u16::from_le_bytes(*body.first_chunk()?);
        // The header's own size, in words of 4 bytes.
        if flags & 0x7 != FAT || usize::from(flags >> 12) * 4 != HEADER {
            return None;
        }
        (HEADER, usize::try_from(u32_at(body, 4)?).ok()?)
    };
    let end = start.checked_add(size)?;
    (end <= body.len()).then_some((start, end))
}

/// Bytes that follow an opcode of one byte. `None`: there is no such opcode, or it is no instruction of its own.
fn operand(opcode: u8) -> Option<usize> {
    Some(match opcode {
        // ldarg.s to stloc.s; ldc.i4.s; short branches; leave.s
        0x0E..=0x13 | 0x1F | 0x2B..=0x37 | 0xDE => 1,
        // ldc.i8, ldc.r8
        0x21 | 0x23 => 8,
        // ldc.i4, ldc.r4; jmp, call, calli; long branches
        0x20 | 0x22 | 0x27..=0x29 | 0x38..=0x44 => 4,
        // callvirt, cpobj, ldobj, ldstr, newobj, castclass, isinst; unbox; fields
        0x6F..=0x75 | 0x79 | 0x7B..=0x81 => 4,
        // box, newarr; ldelema; ldelem, stelem, unbox.any; refanyval, mkrefany; ldtoken; leave
        0x8C | 0x8D | 0x8F | 0xA3..=0xA5 | 0xC2 | 0xC6 | 0xD0 | 0xDD => 4,
        0x00..=0x0D
        | 0x14..=0x1E
        | 0x25
        | 0x26
        | 0x2A
        | 0x46..=0x6E
        | 0x76
        | 0x7A
        | 0x82..=0x8B
        | 0x8E
        | 0x90..=0xA2
        | 0xB3..=0xBA
        | 0xC3
        | 0xD1..=0xDC
        | 0xDF
        | 0xE0 => 0,
        _ => return None,
    })
}

/// Bytes that follow an opcode of two bytes, by the second one.
fn wide_operand(second: u8) -> Option<usize> {
    Some(match second {
        // ldftn, ldvirtftn; initobj, constrained.; sizeof
        0x06 | 0x07 | 0x15 | 0x16 | 0x1C => 4,
        // ldarg to stloc
        0x09..=0x0E => 2,
        // unaligned., no.
        0x12 | 0x19 => 1,
        // arglist, ceq, cgt, cgt.un, clt, clt.un; localloc; endfilter, volatile., tail.; cpblk, initblk; rethrow; refanytype, readonly.
        0x00..=0x05 | 0x0F | 0x11 | 0x13 | 0x14 | 0x17 | 0x18 | 0x1A | 0x1D | 0x1E => 0,
        _ => return None,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests;
