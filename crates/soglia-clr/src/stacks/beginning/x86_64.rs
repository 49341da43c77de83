//! How methods begin that the CLR's compiler makes for x86_64: they push registers, take room and,
//! in most methods, set `rbp`.
//!
//! | `rbp` | the caller's frame | the return address is at |
//! | --- | --- | --- |
//! | set, the first register that is pushed | `rbp` + 16 | `rbp` + 8 |
//! | not set | stack pointer + room + what was pushed + 8 | the word below that |

use super::registers::Registers;

/// How many bytes of a method's beginning are read.
pub const BEGINNING: usize = 48;

/// The number of `rbp` in instructions.
const RBP: u8 = 5;

/// How far the caller's frame lies above `rbp`, where that is set.
const ABOVE: usize = 16;

/// Whether the frame outward of one with this frame pointer may have this stack pointer.
pub fn may_be_next(fp: usize, sp: usize) -> bool {
    fp.wrapping_add(ABOVE) == sp
}

/// What a method does before anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beginning {
    /// Registers, in the order in which they are pushed.
    pushes: Vec<u8>,
    /// Bytes of the stack that are taken besides.
    room: usize,
    /// Whether `rbp` then points to its own saved value.
    sets_rbp: bool,
}

impl Beginning {
    /// `None`: the engine does not understand this beginning.
    pub fn of(code: &[u8]) -> Option<Self> {
        let mut begins = Self::default();
        let mut rest = code;
        loop {
            rest = match *rest {
                // push rax: room for 8 bytes
                [0x50, ref rest @ ..] if begins.room == 0 => {
                    begins.room = 8;
                    rest
                }
                // push rbx, rbp
                [push @ (0x53 | 0x55), ref rest @ ..] if begins.room == 0 => {
                    begins.pushes.push(push - 0x50);
                    rest
                }
                // push r12 to r15
                [0x41, push @ 0x54..=0x57, ref rest @ ..] if begins.room == 0 => {
                    begins.pushes.push(push - 0x50 + 8);
                    rest
                }
                // sub rsp, bytes
                [0x48, 0x83, 0xEC, room, ref rest @ ..] if begins.room == 0 => {
                    begins.room = usize::from(room);
                    rest
                }
                [0x48, 0x81, 0xEC, a, b, c, d, ref rest @ ..] if begins.room == 0 => {
                    begins.room = u32::from_le_bytes([a, b, c, d]).try_into().ok()?;
                    rest
                }
                // vzeroupper
                [0xC5, 0xF8, 0x77, ref rest @ ..] => rest,
                // mov rbp, rsp; lea rbp, [rsp + bytes]
                [0x48, 0x8B, 0xEC, ..]
                | [0x48, 0x89, 0xE5, ..]
                | [0x48, 0x8D, 0x6C, 0x24, ..]
                | [0x48, 0x8D, 0xAC, 0x24, ..] => {
                    begins.sets_rbp = begins.pushes.first() == Some(&RBP);
                    return begins.sets_rbp.then_some(begins);
                }
                _ => return Some(begins),
            };
        }
    }
    /// How far the frame outward of this one lies above the frame pointer, if that tells.
    pub fn distance(&self) -> Option<usize> {
        self.sets_rbp.then_some(ABOVE)
    }

    /// The registers of the frame outward. `word` reads the stack.
    pub fn caller(
        &self,
        at: Registers,
        word: impl Fn(usize) -> Option<usize>,
    ) -> Option<Registers> {
        let (sp, fp) = if self.sets_rbp {
            (at.fp.checked_add(ABOVE)?, word(at.fp)?)
        } else {
            let sp = at.sp.checked_add(self.room)?;
            let pushed = self.pushes.len() * 8;
            // The register that was pushed last lies lowest.
            let rbp = self.pushes.iter().rev().position(|reg| *reg == RBP);
            let fp = match rbp {
                Some(place) => word(sp.checked_add(place * 8)?)?,
                None => at.fp,
            };
            (sp.checked_add(pushed)?.checked_add(8)?, fp)
        };
        let ip = word(sp.checked_sub(8)?)?;
        Some(Registers { ip, sp, fp })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_read() {
        let begins = |code: &[u8]| Beginning::of(code);
        let expected = |pushes: &[u8], room, sets_rbp| {
            Some(Beginning {
                pushes: pushes.to_vec(),
                room,
                sets_rbp,
            })
        };
        // push rbp; sub rsp, 16; lea rbp, [rsp+16]
        let code = [0x55, 0x48, 0x83, 0xEC, 0x10, 0x48, 0x8D, 0x6C, 0x24, 0x10];
        assert_eq!(begins(&code), expected(&[5], 16, true));
        // push rbp; push r15; push rbx; push rax; lea rbp, [rsp+24]
        let code = [0x55, 0x41, 0x57, 0x53, 0x50, 0x48, 0x8D, 0x6C, 0x24, 0x18];
        assert_eq!(begins(&code), expected(&[5, 15, 3], 8, true));
        // push rbp; mov rbp, rsp
        assert_eq!(begins(&[0x55, 0x48, 0x8B, 0xEC]), expected(&[5], 0, true));
        // push rax; mov edi, esi
        assert_eq!(begins(&[0x50, 0x8B, 0xFE]), expected(&[], 8, false));
        // push rbx; sub rsp, 512; nop
        let code = [0x53, 0x48, 0x81, 0xEC, 0, 2, 0, 0, 0x90];
        assert_eq!(begins(&code), expected(&[3], 512, false));
        // mov rbp, rsp, without having kept it
        assert_eq!(begins(&[0x53, 0x48, 0x8B, 0xEC]), None);
    }
}
