//! How hooks are called from a module: one signature for `calli` of each kind.

use soglia_abi::ids::MdToken;
use soglia_il::{asm::Hook, sig};

use super::emit::Emitter;
use crate::metadata::before::Error;

/// The signatures of hooks that take the same arguments.
pub(super) struct Signatures {
    /// Answers an `int32`, without a GC transition.
    quick: MdToken,
    /// Answers an `int32`, an ordinary native function.
    slow: MdToken,
    /// Answers nothing, likewise.
    slow_void: MdToken,
}

impl Signatures {
    /// Of hooks with these parameters.
    pub(super) fn new(emitter: &mut Emitter, params: &[&[u8]]) -> Result<Self, Error> {
        let suppressed = "System.Runtime.CompilerServices.CallConvSuppressGCTransition";
        let modopt = emitter.type_of_corelib(suppressed)?;
        let signature = |how: sig::Unmanaged, ret: u8| {
            let signature = sig::hook_signature(how, &[ret], params).ok_or(Error::UNWRITABLE)?;
            emitter.stand_alone(&signature)
        };
        Ok(Self {
            quick: signature(sig::Unmanaged::Suppressed { modopt }, sig::INT32)?,
            slow: signature(sig::Unmanaged::Cdecl, sig::INT32)?,
            slow_void: signature(sig::Unmanaged::Cdecl, sig::VOID)?,
        })
    }

    /// A hook called in cooperative mode. `pointer`: the argument that it takes besides the id.
    pub(super) fn quick(&self, address: usize, pointer: Option<u16>) -> Hook {
        Hook {
            address,
            signature: self.quick,
            answers: true,
            pointer,
        }
    }

    /// One called in preemptive mode, with an answer.
    pub(super) fn slow(&self, address: usize, pointer: Option<u16>) -> Hook {
        Hook {
            signature: self.slow,
            ..self.quick(address, pointer)
        }
    }

    /// One called in preemptive mode, without.
    pub(super) fn slow_void(&self, address: usize, pointer: Option<u16>) -> Hook {
        Hook {
            signature: self.slow_void,
            answers: false,
            ..self.quick(address, pointer)
        }
    }
}
