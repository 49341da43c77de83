//! Methods of CoreLib that wrappers call.

use soglia_abi::ids::MdToken;
use soglia_il::sig;

use super::emit::Emitter;
use crate::metadata::before::Error;

/// Throws the exception of an HRESULT.
pub(super) fn throw_hresult(emitter: &mut Emitter) -> Result<MdToken, Error> {
    let signature = [0, 1, sig::VOID, sig::INT32];
    let marshal = "System.Runtime.InteropServices.Marshal";
    emitter.method_of_corelib(marshal, "ThrowExceptionForHR", &signature)
}

/// Has the runtime find the native function of a P/Invoke, as the first call would.
pub(super) fn prepare(emitter: &mut Emitter) -> Result<MdToken, Error> {
    let handle = emitter.type_of_corelib("System.RuntimeMethodHandle")?;
    let mut signature = vec![0, 1, sig::VOID, sig::VALUE_TYPE];
    sig::put_type(&mut signature, handle).ok_or(Error::UNWRITABLE)?;
    let helpers = "System.Runtime.CompilerServices.RuntimeHelpers";
    emitter.method_of_corelib(helpers, "PrepareMethod", &signature)
}
