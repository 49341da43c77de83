//! `libsoglia.so`: the engine. The CLR loads it as a profiler; it records every crossing into a mapped file.
//!
//! | module | what it does | when |
//! | --- | --- | --- |
//! | [`profiler`] | the COM object that the CLR talks to | start, end, modules, threads |
//! | [`start`] | starts the engine as the environment asks | start |
//! | [`hosting`] | starts .NET for a host, as mscoree.dll did | the host asks |
//! | [`weave`] | puts wrappers around P/Invokes and callbacks | load of a module |
//! | [`delegates`] | which pointer stands for a delegate, and which for a native function | a delegate becomes a pointer, or a pointer a delegate |
//! | [`notify`] | notifies a host of crossings, which may act on them | **the hot path**, if there is one |
//! | [`source`] | records crossings: the runtime's callbacks, and the hooks of wrappers | **the hot path** |
//! | [`deadline`] | a thread that looks for calls which take too long, and reports them | deadlines |
//! | [`judge`], [`aliases`] | what a call leads to, and whether a policy allows it | first call of a target |
//! | [`slots`] | bounds how many tasks run managed code | crossings, if there is a bound |
//! | [`targets`] | who is called, and where that lies | first call of a target, and again when objects were unloaded |
//! | [`stacks`] | who called | first call of a target, slow calls |
//! | [`frames`] | which methods keep a frame, so that stacks show them | a method is compiled |
//! | [`dynamic`] | names what is made at run time | a method is compiled |
//! | [`types`] | what a signature names, in whichever module that is | load of a module, first call |
//! | [`calls`] | the calls that are watched, by number | load of a module, first call |
//! | [`names`] | which function a number stands for | first call of a function on a task |
//! | [`threads`], [`tls`] | which task the running thread is | first crossing, last moments |
//! | [`tail_calls`] | keeps the frames that stacks have to show | start |
//! | [`life`] | records that the process lives, and how it exits | start, end |
//! | [`engine`], [`known`] | what is the same for the whole process, and what was found out | start, end |
//! | [`host`] | what of a host the engine calls | crossings, if there is a host |
//! | [`policy`] | which calls shall not be made as they are | load of a module, calls of a limited number |
//! | [`required`] | ends the process where what was asked for cannot hold | start |
//! | [`metadata`] | reads the CLR's metadata | load of a module, first call |
//! | [`clerk`] | a thread that asks the CLR what it answers only there | woven: first call of a target, slow calls |
//! | [`com`] | objects that hosts get | the host asks |
//! | [`version`], [`variables`] | which runtime this is; the variables of the tool | start |
//! | [`objects`] | where a native function lies in memory | first return of a target |
//! | [`memory`] | a reserve for when there is no more | allocations |
//! | [`arch`] | what depends on the machine | crossings |
//! | [`boundary`] | the fence: no panic goes from here into the CLR | every cold call |
//!
//! `ARCHITECTURE.md` has the floors: which of these may use which.
//!
//! Hot means: no lock, no allocation, no system call, no panic.
#![allow(
    unsafe_code,
    reason = "lives inside the CLR's process and speaks its ABI"
)]

mod aliases;
mod arch;
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
