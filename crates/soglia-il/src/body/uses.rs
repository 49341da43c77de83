//! Where a body names the methods that it calls.

use soglia_abi::ids::MdToken;

use super::{instruction::Instruction, layout::Layout};
use crate::opcode::{
    CALL, CALLVIRT, JMP, NEWOBJ, WIDE,
    wide::{LDFTN, LDVIRTFTN},
};

/// An instruction that names a method: `call`, `callvirt`, `newobj`, `jmp` or `ldftn`.
///
/// Its token takes four bytes, so [`Use::patch`] changes a body in place: nothing moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    at: usize,
    opcode: u8,
    /// The method that is named.
    pub method: MdToken,
}

impl Use {
    fn of(instruction: &Instruction) -> Option<Self> {
        let is_use = match instruction.opcode() {
            CALL | CALLVIRT | NEWOBJ | JMP => true,
            WIDE => instruction.wide_opcode() == Some(LDFTN),
            _ => false,
        };
        is_use.then_some(())?;
        Some(Self {
            at: instruction.at(),
            opcode: instruction.opcode(),
            method: instruction.token()?,
        })
    }

    /// Where the instruction begins, counted from the start of the body.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Whether the instruction makes a function pointer, and calls nothing.
    pub const fn is_pointer(&self) -> bool {
        self.opcode == WIDE
    }

    /// Whether the instruction may name a static method.
    pub const fn may_be_static(&self) -> bool {
        matches!(self.opcode, CALL | JMP | WIDE)
    }

    /// Names `method` instead. `body` is a copy of the body in which the instruction was found.
    ///
    /// Returns `false` and changes nothing if the body has something else there.
    #[must_use]
    pub fn patch(&self, body: &mut [u8], method: MdToken) -> bool {
        let opcode = [self.opcode, LDFTN];
        let opcode = &opcode[..1 + usize::from(self.is_pointer())];
        let Some((there, rest)) = body
            .get_mut(self.at..)
            .and_then(|rest| rest.split_at_mut_checked(opcode.len()))
        else {
            return false;
        };
        let Some(token) = rest.first_chunk_mut::<4>().filter(|_| there == opcode) else {
            return false;
        };
        if *token != self.method.0.to_le_bytes() {
            return false;
        }
        *token = method.0.to_le_bytes();
        true
    }
}

/// The instructions of a body that name methods.
///
/// Returns `None` if the body cannot be read.
pub fn uses(body: &[u8]) -> Option<Vec<Use>> {
    let mut uses = Vec::new();
    each_use(body, |each| uses.push(each))?;
    Some(uses)
}

/// A pointer to a method, with which an object is made at once: a delegate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The method that the pointer is to.
    pub method: MdToken,
    /// The constructor of the delegate.
    pub constructor: MdToken,
    /// The pointer is to the method that overrides this one in the class of an object.
    pub is_virtual: bool,
}

/// Calls `each` with the instructions of a body that name methods, from front to end.
///
/// Returns `None` where the body cannot be read further.
pub fn each_use(body: &[u8], each: impl FnMut(Use)) -> Option<()> {
    each_use_and_bound(body, each, |_| {})
}

/// As [`each_use`], and calls `bound` with the delegates that the body makes of methods that it
/// names.
pub fn each_use_and_bound(
    body: &[u8],
    mut each: impl FnMut(Use),
    mut bound: impl FnMut(Bound),
) -> Option<()> {
    let mut pointer = None;
    for instruction in Layout::read(body)?.instructions() {
        let instruction = instruction?;
        let before = pointer.take();
        if let Some(found) = Use::of(&instruction) {
            each(found);
        }
        match instruction.opcode() {
            NEWOBJ => {
                if let Some((method, is_virtual)) = before {
                    bound(Bound {
                        method,
                        constructor: instruction.token()?,
                        is_virtual,
                    });
                }
            }
            WIDE => {
                let is_virtual = match instruction.wide_opcode() {
                    Some(LDFTN) => Some(false),
                    Some(LDVIRTFTN) => Some(true),
                    _ => None,
                };
                pointer = is_virtual.and_then(|of| Some((instruction.token()?, of)));
            }
            _ => {}
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: MdToken = MdToken(0x0600_0001);
    const W: MdToken = MdToken(0x0600_0099);

    /// A body with this code, which is shorter than 64 bytes.
    fn tiny(code: &[u8]) -> Vec<u8> {
        let header = u8::try_from(code.len() << 2 | 2).expect("a short code");
        [&[header], code].concat()
    }

    #[test]
    fn calls_jumps_and_pointers_are_uses_and_others_are_not() {
        // ldc.i4 with the bytes of a call; tail. call M; ldftn M; callvirt M; ldtoken M; jmp M
        let body = tiny(&[
            0x20, 0x28, 1, 0, 6, 0xFE, 0x14, 0x28, 1, 0, 0, 6, 0xFE, 0x06, 1, 0, 0, 6, 0x6F, 1, 0,
            0, 6, 0xD0, 1, 0, 0, 6, 0x27, 1, 0, 0, 6,
        ]);
        let found = uses(&body).expect("a readable body");
        assert_eq!(
            found.iter().map(Use::at).collect::<Vec<_>>(),
            [1 + 7, 1 + 12, 1 + 18, 1 + 28]
        );
        assert_eq!(
            found.iter().map(Use::is_pointer).collect::<Vec<_>>(),
            [false, true, false, false]
        );
        assert_eq!(
            found.iter().map(Use::may_be_static).collect::<Vec<_>>(),
            [true, true, false, true]
        );
        let mut patched = body.clone();
        for each in &found {
            assert_eq!(each.method, M);
            assert!(each.patch(&mut patched, W));
            assert!(!each.patch(&mut patched, W), "it was patched before");
        }
        let again = uses(&patched).expect("a readable body");
        assert!(again.iter().all(|each| each.method == W));
        let same = body.iter().zip(&patched).filter(|(a, b)| a == b).count();
        assert_eq!(same, body.len() - 4, "only tokens have changed");
    }

    #[test]
    fn delegates_are_made_of_pointers_at_once() {
        // ldftn M; newobj W; newobj W; ldftn M; pop; newobj W; ldvirtftn M; newobj W; ldftn M; ret
        let body = tiny(&[
            0xFE, 0x06, 1, 0, 0, 6, 0x73, 0x99, 0, 0, 6, 0x73, 0x99, 0, 0, 6, 0xFE, 0x06, 1, 0, 0,
            6, 0x26, 0x73, 0x99, 0, 0, 6, 0xFE, 0x07, 1, 0, 0, 6, 0x73, 0x99, 0, 0, 6, 0xFE, 0x06,
            1, 0, 0, 6, 0x2A,
        ]);
        let bound = |body: &[u8]| {
            let mut all = Vec::new();
            each_use_and_bound(body, |_| {}, |bound| all.push(bound)).map(|()| all)
        };
        let made = [false, true].map(|is_virtual| Bound {
            method: M,
            constructor: W,
            is_virtual,
        });
        assert_eq!(bound(&body), Some(made.to_vec()));
        assert_eq!(bound(&tiny(&[0xFE, 0x06, 1])), None);
    }

    #[test]
    fn what_is_elsewhere_is_not_patched() {
        let call = uses(&tiny(&[0x28, 1, 0, 0, 6, 0x2A])).expect("a readable body")[0];
        for other in [
            &[0x2A][..],
            &[0x28, 2, 0, 0, 6, 0x2A],
            &[0x27, 1, 0, 0, 6, 0x2A],
        ] {
            let mut body = tiny(other);
            assert!(!call.patch(&mut body, W));
            assert_eq!(body, tiny(other));
        }
        assert_eq!(uses(&tiny(&[0x28, 1, 0])), None);
    }
}
