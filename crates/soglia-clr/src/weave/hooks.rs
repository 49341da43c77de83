//! How a module calls hooks: by `calli`, with one signature for each kind of hook.

use soglia_abi::ids::MdToken;
use soglia_il::{asm::Hook, sig};

use super::emit::Emitter;
use crate::metadata::before::Error;

/// The signatures of hooks that take the same arguments.
pub(super) struct Signatures {
    /// Returns an `int32`; called without a GC transition.
    quick: MdToken,
    /// Returns an `int32`; called as an ordinary native function.
    slow: MdToken,
    /// Returns nothing; called as an ordinary native function.
    slow_void: MdToken,
}

impl Signatures {
    /// The signatures of hooks with these parameters.
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

    /// A hook that is called in cooperative mode. `pointer` is the number of the argument that it
    /// takes besides the id.
    pub(super) fn quick(&self, address: usize, pointer: Option<u16>) -> Hook {
        Hook {
            address,
            signature: self.quick,
            answers: true,
            pointer,
        }
    }

    /// A hook that is called in preemptive mode and returns a value.
    pub(super) fn slow(&self, address: usize, pointer: Option<u16>) -> Hook {
        Hook {
            signature: self.slow,
            ..self.quick(address, pointer)
        }
    }

    /// A hook that is called in preemptive mode and returns nothing.
    pub(super) fn slow_void(&self, address: usize, pointer: Option<u16>) -> Hook {
        Hook {
            signature: self.slow_void,
            answers: false,
            ..self.quick(address, pointer)
        }
    }
}
