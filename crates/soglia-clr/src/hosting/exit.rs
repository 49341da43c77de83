//! Ends the process.

use soglia_abi::HRESULT;

use super::clr;
use crate::host::failure::has_failed;

/// Ends the process, through the runtime if it runs. Returns only if the runtime does not exit.
pub fn exit(code: i32) -> HRESULT {
    if let Some(clr) = clr::get().filter(|_| !has_failed()) {
        type Exit = unsafe extern "system" fn(i32);
        // SAFETY: the method takes an int. It does not return.
        let exit =
            unsafe { clr.function::<Exit>("System.Private.CoreLib", "System.Environment", "Exit") };
        match exit {
            // SAFETY: the runtime has returned the address of that method, which takes an int.
            Ok(exit) => unsafe { exit(code) },
            Err(why) => return why,
        }
    }
    std::process::exit(code)
}
