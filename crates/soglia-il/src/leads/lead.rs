//! Instructions that may run code of other methods.

use soglia_abi::ids::MdToken;

use crate::{
    body::Layout,
    opcode::{CALL, CALLI, CALLVIRT, JMP, LDSFLD, LDSFLDA, NEWOBJ, RET, STSFLD, wide::CONSTRAINED},
};

/// How an instruction may run code of another method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It calls the named method, or the named constructor.
    Call,
    /// It calls the method that the object has for the named one.
    Virtual,
    /// It calls a pointer.
    Pointer,
    /// It uses a static field, whose type may have to be initialised.
    Field,
}

/// An instruction that may run code of another method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// How it runs that code.
    pub how: How,
    /// The method, the signature or the field that it names.
    pub token: MdToken,
    /// The type of the object, if a prefix names it: the type may have another method for `token`.
    pub constrained: Option<MdToken>,
    /// Whether the method returns right behind the instruction: a compiler may then give up the
    /// frame of the method before the call.
    pub last: bool,
}

/// The instructions of a body that may run code of other methods.
///
/// Returns `None` if the body cannot be read.
pub fn of_body(body: &[u8]) -> Option<Vec<Lead>> {
    let layout = Layout::read(body)?;
    let (mut leads, mut constrained) = (Vec::new(), None);
    for instruction in layout.instructions() {
        let instruction = instruction?;
        if instruction.wide_opcode() == Some(CONSTRAINED) {
            constrained = Some(instruction.token()?);
            continue;
        }
        let how = match instruction.opcode() {
            CALL | NEWOBJ => How::Call,
            CALLVIRT => How::Virtual,
            JMP | CALLI => How::Pointer,
            LDSFLD | LDSFLDA | STSFLD => How::Field,
            _ => continue,
        };
        let behind = body[..layout.end].get(instruction.end());
        leads.push(Lead {
            how,
            token: instruction.token()?,
            constrained: constrained.take(),
            // A method returns the new object, and not what the constructor returns.
            last: behind == Some(&RET) && instruction.opcode() != NEWOBJ,
        });
    }
    Some(leads)
}
