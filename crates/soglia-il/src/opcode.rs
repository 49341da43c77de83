//! Opcodes (ECMA-335, III.1.2.1), as far as they are written or looked for.

use std::ops::RangeInclusive;

pub(crate) const NOP: u8 = 0x00;
pub(crate) const LDARG_0: u8 = 0x02;
pub(crate) const LDLOC_0: u8 = 0x06;
pub(crate) const LDLOC_3: u8 = 0x09;
pub(crate) const STLOC_0: u8 = 0x0A;
pub(crate) const LDARG_S: u8 = 0x0E;
pub(crate) const LDARGA_S: u8 = 0x0F;
pub(crate) const STARG_S: u8 = 0x10;
pub(crate) const LDLOC_S: u8 = 0x11;
pub(crate) const LDLOCA_S: u8 = 0x12;
pub(crate) const STLOC_S: u8 = 0x13;
pub(crate) const LDNULL: u8 = 0x14;
pub(crate) const LDC_I4_0: u8 = 0x16;
pub(crate) const LDC_I4_S: u8 = 0x1F;
pub(crate) const LDC_I4: u8 = 0x20;
pub(crate) const LDC_I8: u8 = 0x21;
pub(crate) const DUP: u8 = 0x25;
pub(crate) const POP: u8 = 0x26;
pub(crate) const JMP: u8 = 0x27;
pub(crate) const CALL: u8 = 0x28;
pub(crate) const CALLI: u8 = 0x29;
pub(crate) const RET: u8 = 0x2A;
pub(crate) const BR_S: u8 = 0x2B;
/// Branches with a distance of one byte, and in the same order those with four.
pub(crate) const BRANCHES_S: RangeInclusive<u8> = BR_S..=0x37;
pub(crate) const BRANCHES: RangeInclusive<u8> = BR..=0x44;
pub(crate) const BR: u8 = 0x38;
pub(crate) const BRFALSE: u8 = 0x39;
pub(crate) const BRTRUE: u8 = 0x3A;
pub(crate) const BGE: u8 = 0x3C;
pub(crate) const SWITCH: u8 = 0x45;
pub(crate) const LDIND_U1: u8 = 0x47;
pub(crate) const LDIND_I: u8 = 0x4D;
pub(crate) const STIND_I1: u8 = 0x52;
pub(crate) const STIND_I4: u8 = 0x54;
pub(crate) const ADD: u8 = 0x58;
pub(crate) const SUB: u8 = 0x59;
pub(crate) const AND: u8 = 0x5F;
pub(crate) const SHR_UN: u8 = 0x64;
pub(crate) const CONV_I4: u8 = 0x69;
pub(crate) const CONV_U8: u8 = 0x6E;
pub(crate) const CALLVIRT: u8 = 0x6F;
pub(crate) const LDSTR: u8 = 0x72;
pub(crate) const NEWOBJ: u8 = 0x73;
pub(crate) const ISINST: u8 = 0x75;
pub(crate) const THROW: u8 = 0x7A;
pub(crate) const LDFLD: u8 = 0x7B;
pub(crate) const STFLD: u8 = 0x7D;
pub(crate) const LDSFLD: u8 = 0x7E;
pub(crate) const LDSFLDA: u8 = 0x7F;
pub(crate) const STSFLD: u8 = 0x80;
pub(crate) const BOX: u8 = 0x8C;
pub(crate) const LDLEN: u8 = 0x8E;
pub(crate) const LDELEM_U1: u8 = 0x91;
pub(crate) const LDELEM_I4: u8 = 0x94;
pub(crate) const LDELEM_I: u8 = 0x97;
pub(crate) const LDTOKEN: u8 = 0xD0;
pub(crate) const CONV_I: u8 = 0xD3;
pub(crate) const ENDFAULT: u8 = 0xDC;
pub(crate) const LEAVE: u8 = 0xDD;
pub(crate) const LEAVE_S: u8 = 0xDE;
pub(crate) const STIND_I: u8 = 0xDF;
pub(crate) const CONV_U: u8 = 0xE0;

/// The first byte of the opcodes that have two.
pub(crate) const WIDE: u8 = 0xFE;

/// The second bytes of opcodes that begin with [`WIDE`].
pub(crate) mod wide {
    pub(crate) const CEQ: u8 = 0x01;
    pub(crate) const LDFTN: u8 = 0x06;
    pub(crate) const LDVIRTFTN: u8 = 0x07;
    pub(crate) const LDARG: u8 = 0x09;
    pub(crate) const LDARGA: u8 = 0x0A;
    pub(crate) const LDLOC: u8 = 0x0C;
    pub(crate) const STLOC: u8 = 0x0E;
    pub(crate) const LOCALLOC: u8 = 0x0F;
    /// A prefix: the next instruction may use an address that is not aligned.
    pub(crate) const UNALIGNED: u8 = 0x12;
    /// A prefix: the next instruction reads or writes what others may change.
    pub(crate) const VOLATILE: u8 = 0x13;
    /// A prefix: the next call may give up the caller's frame.
    pub(crate) const TAIL: u8 = 0x14;
    /// A prefix: the object of the next call is of this type.
    pub(crate) const CONSTRAINED: u8 = 0x16;
    /// A prefix: the next instruction may leave out checks.
    pub(crate) const NO: u8 = 0x19;
    pub(crate) const RETHROW: u8 = 0x1A;
    pub(crate) const SIZEOF: u8 = 0x1C;
    /// A prefix: the next address is only read from.
    pub(crate) const READONLY: u8 = 0x1E;
}
