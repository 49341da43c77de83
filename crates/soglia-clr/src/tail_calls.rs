//! Keeps frames that the CLR's compiler would remove before a method's last call.
//!
//! A method that ends with a call may leave by a jump. The caller's caller then seems to make that
//! call. Methods made at run time (`Expression.Compile`) end so and are always optimised, and every
//! wrapper is such a callee.
//!
//! The tool, and the engine where it starts the runtime, set a variable that has the compiler keep
//! frames. The CLR notes at its start which variables there are. The compiler reads this one when
//! it is loaded, which is after `Initialize`. So the engine cannot set it there, and removes it
//! only when something was compiled.
//!
//! The user's own setting stays. Calls that a language marks as tail calls (`tail.`, F#) stay as
//! they are.

use std::{
    env,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use soglia_abi::profiler::{info::ICorProfilerInfo, info_later::ICorProfilerInfo11};
use windows_core::Interface;

use crate::engine;

/// The variable, and a value that means 0 to the compiler and that only soglia uses.
pub const VARIABLE: (&str, &str) = ("DOTNET_TailCallOpt", "00");

/// Whether the variable is in the CLR's copy of the environment.
static THERE: AtomicBool = AtomicBool::new(false);

/// Takes the variable out of the environment of the process. To be called inside `Initialize`.
pub fn start() {
    let (name, value) = VARIABLE;
    if env::var_os(name).is_some_and(|there| there == value) {
        // SAFETY: the runtime calls this while it starts, before any managed code and its threads.
        unsafe { env::remove_var(name) };
        THERE.store(true, Relaxed);
    }
}

/// Removes the variable from the CLR's copy of the environment, which managed code gets. To be
/// called when something was compiled.
pub fn compiled() {
    if THERE.load(Relaxed)
        && THERE.swap(false, Relaxed)
        && let Some(engine) = engine::get()
    {
        forget(&engine.info, VARIABLE.0);
    }
}

/// Removes a variable from the CLR's copy of the environment.
pub fn forget(info: &ICorProfilerInfo, name: &str) {
    if let Ok(info) = info.cast::<ICorProfilerInfo11>() {
        let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
        // SAFETY: the name ends with a zero. A null value removes the variable.
        let _ = unsafe { info.SetEnvironmentVariable(name.as_ptr(), std::ptr::null()) };
    }
}
