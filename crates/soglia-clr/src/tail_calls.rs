//! Frames that the CLR's compiler would give up before a method's last call.
//!
//! A method that ends with a call may leave by a jump: who is called then seems to be called by the
//! caller's caller. Methods made at run time (`Expression.Compile`) end so and are always
//! optimised, and every wrapper is such a callee. Whoever starts the runtime for us tells the
//! compiler by a variable to keep frames. The CLR notes at its start which variables there are, and
//! the compiler reads this one when it is loaded, which is after our `Initialize`: so it cannot be
//! set here, and goes only when something was compiled.
//!
//! What the user has set stays. Calls that a language asks to be made so (`tail.`, F#) stay as they
//! are.

use std::{
    env,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use soglia_abi::profiler::{info::ICorProfilerInfo, info_later::ICorProfilerInfo11};
use windows_core::Interface;

use crate::engine;

/// The variable, and a value that means 0 to the compiler and is nobody's but ours.
pub const VARIABLE: (&str, &str) = ("DOTNET_TailCallOpt", "00");

/// It is in the CLR's copy of the environment.
static THERE: AtomicBool = AtomicBool::new(false);

/// Takes the variable out of the environment of the process. To be called inside `Initialize`.
pub fn start() {
    let (name, value) = VARIABLE;
    if env::var_os(name).is_some_and(|there| there == value) {
        // SAFETY: as where the engine takes out the others.
        unsafe { env::remove_var(name) };
        THERE.store(true, Relaxed);
    }
}

/// The compiler has compiled something: takes the variable out of the CLR's copy, which managed
/// code gets.
pub fn compiled() {
    if THERE.load(Relaxed)
        && THERE.swap(false, Relaxed)
        && let Some(engine) = engine::get()
    {
        forget(&engine.info, VARIABLE.0);
    }
}

/// Takes a variable out of the CLR's copy of the environment.
pub fn forget(info: &ICorProfilerInfo, name: &str) {
    if let Ok(info) = info.cast::<ICorProfilerInfo11>() {
        let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
        // SAFETY: a zero-terminated name; without a value, the variable is removed.
        let _ = unsafe { info.SetEnvironmentVariable(name.as_ptr(), std::ptr::null()) };
    }
}
