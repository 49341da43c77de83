//! `libsoglia.so`: the engine. The CLR loads it as a profiler; it records every crossing into a mapped file.
//!
//! | module | what it does | when |
//! | --- | --- | --- |
//! | [`boundary`] | the fence: no panic goes from here into the CLR | every cold call |
//! | [`profiler`] | the COM object that the CLR talks to | start, end, modules, threads |
//! | [`clerk`] | a thread that asks the CLR what it answers only there | woven: first call of a target, slow calls |
//! | [`deadline`] | a thread that looks for calls which take too long, and tells | deadlines |
//! | [`memory`] | a reserve for when there is no more | allocations |
//! | [`engine`] | what is the same for the whole process | start, end |
//! | [`source`] | where crossings come from | **the hot path** |
//! | [`tell`] | a host that is told of crossings, and acts | **the hot path**, if there is one |
//! | [`threads`], [`tls`] | which task the running thread is | first crossing, last moments |
//! | [`names`], [`metadata`], [`modules`] | which function a number stands for | first call of a function on a task |
//! | [`objects`] | where a native function lies in memory | first return of a target |
//! | [`policy`] | which calls shall not be made as they are | load of a module, calls of a limited number |
//! | [`required`] | ends the process where what was asked for cannot hold | start |
//! | [`judge`], [`aliases`] | what a call leads to, and whether a policy allows it | first call of a target |
//! | [`stacks`] | who called | first call of a target, slow calls |
//! | [`tail_calls`] | keeps the frames that stacks have to show | start |
//! | [`targets`] | who is called, and where that lies | first call of a target, and again when objects were unloaded |
//! | [`types`] | what a signature names, in whichever module that is | load of a module, first call |
//! | [`version`] | which runtime this is | start |
//! | [`hosting`] | starts .NET for a host, as mscoree.dll did | the host asks |
//! | [`weave`] | puts wrappers around P/Invokes and callbacks | load of a module |
//!
//! Hot means: no lock, no allocation, no system call, no panic.
#![allow(
    unsafe_code,
    reason = "lives inside the CLR's process and speaks its ABI"
)]

mod aliases;
mod boundary;
mod calls;
mod clerk;
mod com;
mod deadline;
mod delegates;
mod dynamic;
mod engine;
mod frames;
mod host;
mod hosting;
mod judge;
mod known;
mod life;
mod memory;
mod metadata;
mod names;
mod notify;
mod objects;
mod policy;
mod profiler;
mod required;
mod slots;
mod source;
mod stacks;
mod start;
mod tail_calls;
mod targets;
mod threads;
mod tls;
mod types;
mod variables;
mod version;
mod weave;

use std::ffi::c_void;

use soglia_abi::{GUID, HRESULT, hresult};

/// Gives the CLR the factory of the profiler object. Called by the CLR, once, on the thread that starts it.
///
/// # Safety
/// `class`, `interface` and `object` are valid pointers, as COM asks for.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn DllGetClassObject(
    class: *const GUID,
    interface: *const GUID,
    object: *mut *mut c_void,
) -> HRESULT {
    boundary::fence(hresult::E_FAIL, || {
        // SAFETY: the caller's pointers, valid by COM's rules.
        unsafe { profiler::class_object(class, interface, object) }
    })
}

/// Asks whether the library can be unloaded: never, for threads hold on to it. Called by the CLR.
#[unsafe(no_mangle)]
pub extern "system" fn DllCanUnloadNow() -> HRESULT {
    hresult::S_FALSE
}
