//! Single instructions.

use soglia_abi::ids::MdToken;

use crate::{
    bytes::u32_at,
    opcode::{SWITCH, WIDE},
};

/// An instruction in a method's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction<'a> {
    at: usize,
    bytes: &'a [u8],
}

impl<'a> Instruction<'a> {
    /// Where the instruction begins.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Where the next instruction begins.
    pub const fn end(&self) -> usize {
        self.at + self.bytes.len()
    }

    /// The opcode and its operand.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The first byte of the opcode.
    pub const fn opcode(&self) -> u8 {
        self.bytes[0]
    }

    /// The second byte of the opcode, if it has two.
    pub const fn wide_opcode(&self) -> Option<u8> {
        match self.bytes {
            [WIDE, second, ..] => Some(*second),
            _ => None,
        }
    }

    /// The four bytes behind the opcode as a token, if the operand has four bytes or more.
    pub fn token(&self) -> Option<MdToken> {
        let opcode = 1 + usize::from(self.opcode() == WIDE);
        u32_at(self.bytes, opcode).map(MdToken)
    }
}

/// The instructions of a method's code, from front to end.
///
/// Each item is an instruction, or `None` where the code cannot be read; that item is the last one.
#[derive(Clone, Debug)]
pub struct Instructions<'a> {
    code: &'a [u8],
    at: usize,
}

impl<'a> Instructions<'a> {
    /// The instructions of code without a header.
    pub const fn new(code: &'a [u8]) -> Self {
        Self { code, at: 0 }
    }

    /// The instructions from `at` to the end of `bytes`.
    pub(super) const fn within(bytes: &'a [u8], at: usize) -> Self {
        Self { code: bytes, at }
    }
}

impl<'a> Iterator for Instructions<'a> {
    type Item = Option<Instruction<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.code.get(self.at..).filter(|rest| !rest.is_empty())?;
        let Some(bytes) = length(rest).and_then(|length| rest.get(..length)) else {
            self.at = self.code.len();
            return Some(None);
        };
        let at = self.at;
        self.at += bytes.len();
        Some(Some(Instruction { at, bytes }))
    }
}

/// How many bytes the first instruction takes, at least one. `None`: there is no such instruction.
fn length(code: &[u8]) -> Option<usize> {
    match *code.first()? {
        WIDE => Some(2 + wide_operand(*code.get(1)?)?),
        SWITCH => {
            let count = usize::try_from(u32_at(code, 1)?).ok()?;
            count.checked_mul(4)?.checked_add(5)
        }
        opcode => Some(1 + operand(opcode)?),
    }
}

/// How many bytes follow an opcode of one byte.
/// `None`: there is no such opcode, or it is the first byte of a longer one.
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

/// How many bytes follow an opcode of two bytes, by the second one.
fn wide_operand(second: u8) -> Option<usize> {
    Some(match second {
        // ldftn, ldvirtftn; initobj, constrained.; sizeof
        0x06 | 0x07 | 0x15 | 0x16 | 0x1C => 4,
        // ldarg to stloc
        0x09..=0x0E => 2,
        // unaligned., no.
        0x12 | 0x19 => 1,
        // arglist, ceq, cgt, cgt.un, clt, clt.un; localloc; endfilter, volatile., tail.; cpblk,
        // initblk; rethrow; refanytype, readonly.
        0x00..=0x05 | 0x0F | 0x11 | 0x13 | 0x14 | 0x17 | 0x18 | 0x1A | 0x1D | 0x1E => 0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All instructions of ECMA-335, III: opcode and bytes of the operand, as its tables have them.
    #[test]
    fn the_table_is_whole() {
        let short = |opcode| operand(opcode).map_or_else(|| "-".to_owned(), |n| n.to_string());
        let wide = |opcode| wide_operand(opcode).map_or_else(|| "-".to_owned(), |n| n.to_string());
        let row = |of: &dyn Fn(u8) -> String, row: u8| {
            (0..16).map(|n| of(row << 4 | n)).collect::<String>()
        };
        let rows: Vec<String> = (0..16).map(|n| row(&short, n)).collect();
        assert_eq!(
            rows,
            [
                "0000000000000011",
                "1111000000000001",
                "4848-00444011111",
                "1111111144444444",
                "44444-0000000000",
                "0000000000000000",
                "0000000000000004",
                "4444440--4044444",
                "4400000000004404",
                "0000000000000000",
                "000444----------",
                "---00000000-----",
                "--40--4---------",
                "4000000000000410",
                "0---------------",
                "----------------",
            ]
        );
        assert_eq!(row(&wide, 0), "00000044-2222220");
        assert_eq!(row(&wide, 1), "-01004400".to_owned() + "10-400-");
    }
}
