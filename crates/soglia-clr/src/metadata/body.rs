//! The code of methods.

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::info::ICorProfilerInfo,
};

/// The body that a method has in its module now. `None`: it has none.
///
/// It is valid while the module is loaded. Callers name methods of modules that are being loaded or
/// are in use, and do not keep the body.
pub fn body(info: &ICorProfilerInfo, module: ModuleId, method: MdToken) -> Option<&'static [u8]> {
    let (mut body, mut size) = (std::ptr::null(), 0);
    // SAFETY: the module is loaded, the CLR checks the token, and the pointers are to locals.
    let answer = unsafe { info.GetILFunctionBody(module, method, &raw mut body, &raw mut size) };
    let there = answer.is_ok() && !body.is_null();
    // SAFETY: the CLR has just given this address and size, in the image of the module or in memory
    // that it frees with the module at the earliest.
    there.then(|| unsafe { std::slice::from_raw_parts(body, size as usize) })
}
