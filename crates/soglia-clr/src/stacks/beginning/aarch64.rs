//! How methods begin that the CLR's compiler makes for aarch64.
//!
//! Every method with a frame keeps `x29` and `x30` side by side, and lets `x29` point to them. How
//! far the frame of the caller lies above them, only the instructions before that say.

use super::registers::Registers;

/// How many bytes of a method's beginning are read: room for all registers that may be kept.
pub const BEGINNING: usize = 80;

/// What a method does before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// How far the stack pointer of the caller lies above `x29`.
    above: usize,
}

/// Whether the frame outward of one with this frame pointer may have this stack pointer.
pub fn may_be_next(fp: usize, sp: usize) -> bool {
    fp < sp
}

impl Beginning {
    /// `None`: the engine does not understand this beginning.
    pub fn of(code: &[u8; BEGINNING]) -> Option<Self> {
        let (mut taken, mut pair) = (0_usize, None);
        for code in code.chunks_exact(4) {
            let code = u32::from_le_bytes(code.try_into().ok()?);
            let imm7 = (code << 10).cast_signed() >> 25;
            let imm12 = (code >> 10 & 0xFFF) as usize;
            let is_pair_of_frame = code & 0x7C1F == 0x781D;
            match code {
                // hint: a landing place of a branch, a signed return address
                _ if code & 0xFFFF_F01F == 0xD503_201F => {}
                // stp first, second, [sp, #-bytes]!
                _ if matches!(code & 0xFFC0_03E0, 0xA980_03E0 | 0x6D80_03E0) => {
                    taken += usize::try_from(-imm7).ok()? * 8;
                    if code >> 31 == 1 && is_pair_of_frame {
                        pair = Some(taken);
                    }
                }
                // stp first, second, [sp, #bytes]
                _ if matches!(code & 0xFFC0_03E0, 0xA900_03E0 | 0x6D00_03E0) => {
                    if code >> 31 == 1 && is_pair_of_frame {
                        pair = Some(taken.checked_sub(usize::try_from(imm7).ok()? * 8)?);
                    }
                }
                // str register, [sp, #-bytes]!
                _ if matches!(code & 0xFFE0_0FE0, 0xF800_0FE0 | 0xFC00_0FE0) => {
                    let imm9 = (code << 11).cast_signed() >> 23;
                    taken += usize::try_from(-imm9).ok()?;
                }
                // str register, [sp, #bytes]
                _ if matches!(code & 0xFFC0_03E0, 0xF900_03E0 | 0xFD00_03E0) => {}
                // sub sp, sp, #bytes
                _ if code & 0xFF80_03FF == 0xD100_03FF => {
                    taken += imm12 << (12 * (code >> 22 & 1));
                }
                // add x29, sp, #bytes
                _ if code & 0xFFC0_03FF == 0x9100_03FD => {
                    let above = taken.checked_sub(imm12)?;
                    return (pair == Some(above)).then_some(Self { above });
                }
                _ => return None,
            }
        }
        None
    }

    /// How far the frame outward of this one lies above the frame pointer, if that tells.
    pub fn distance(&self) -> Option<usize> {
        Some(self.above)
    }

    /// The registers of the frame outward. `word` reads the stack.
    pub fn caller(
        &self,
        at: Registers,
        word: impl Fn(usize) -> Option<usize>,
    ) -> Option<Registers> {
        Some(Registers {
            ip: word(at.fp.checked_add(8)?)?,
            sp: at.fp.checked_add(self.above)?,
            fp: word(at.fp)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins(code: &[u32]) -> Option<usize> {
        let mut bytes = [0; BEGINNING];
        for (to, code) in bytes.chunks_exact_mut(4).zip(code) {
            to.copy_from_slice(&code.to_le_bytes());
        }
        Beginning::of(&bytes).map(|begins| begins.above)
    }

    #[test]
    fn beginnings_are_read() {
        // stp x29, x30, [sp, #-48]!; stp x19, x20, [sp, #32]; mov x29, sp
        assert_eq!(begins(&[0xA9BD_7BFD, 0xA902_53F3, 0x9100_03FD]), Some(48));
        // bti c; sub sp, sp, #32; stp x29, x30, [sp, #16]; add x29, sp, #16
        let code = [0xD503_245F, 0xD100_83FF, 0xA901_7BFD, 0x9100_43FD];
        assert_eq!(begins(&code), Some(16));
        // str x19, [sp, #-64]!; stp x29, x30, [sp]; mov x29, sp
        assert_eq!(begins(&[0xF81C_0FF3, 0xA900_7BFD, 0x9100_03FD]), Some(64));
        // stp d8, d9, [sp, #-16]!; stp x29, x30, [sp, #-32]!; sub sp, sp, #1, lsl #12;
        // add x29, sp, #16: not where they were kept
        let code = [0x6DBF_27E8, 0xA9BE_7BFD, 0xD140_07FF, 0x9100_43FD];
        assert_eq!(begins(&code), None);
        // mov x0, x1
        assert_eq!(begins(&[0xAA01_03E0]), None);
    }

    #[test]
    fn the_caller_is_found() {
        let stack = [0x7000_usize, 0x1234, 0, 0, 0, 0];
        let base = 0x6000;
        let word = |at: usize| stack.get((at - base) / 8).copied();
        let at = Registers {
            ip: 0x5678,
            sp: base,
            fp: base,
        };
        let caller = Beginning { above: 48 }.caller(at, word).unwrap();
        let expected = Registers {
            ip: 0x1234,
            sp: base + 48,
            fp: 0x7000,
        };
        assert_eq!(caller, expected);
    }
}
