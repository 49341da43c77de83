//! `libsoglia.so`: the engine. The CLR loads it as a profiler, and it records every crossing into a
//! mapped file.
//!
//! | module | what it does | when |
//! | --- | --- | --- |
//! | [`profiler`] | the COM object that the CLR calls | start, end, modules, threads |
//! | [`attached`] | serves tools that attach to a process that runs | sessions |
//! | [`start`] | starts the engine as the tool asks | start, sessions |
//! | [`hosting`] | starts .NET for a host, as mscoree.dll did | the host asks |
//! | [`weave`] | puts wrappers around P/Invokes and callbacks | load of a module |
//! | [`delegates`] | gives trampolines for delegates and for native functions | a delegate becomes a pointer, or a pointer a delegate |
//! | [`notify`] | notifies a host of crossings, which it may act on | **the hot path**, if there is a host |
//! | [`source`] | records crossings, by the runtime's callbacks and the hooks of wrappers | **the hot path** |
//! | [`deadline`] | finds calls that take too long, and reports them | deadlines |
//! | [`arguments`] | records the arguments of calls | slow, failed and denied calls |
//! | [`snapshot`] | records what every thread is doing | a tool asks |
//! | [`failures`] | finds out why calls fail | an exception is thrown inside a native call |
//! | [`judge`], [`aliases`] | find what a call leads to, and whether a policy allows it | first call of a target |
//! | [`slots`] | bounds how many tasks run managed code | crossings, if there is a bound |
//! | [`targets`] | finds what is called, and where that lies | first call of a target, and again when objects were unloaded |
//! | [`stacks`] | finds callers | first call of a target, slow calls |
//! | [`frames`] | keeps methods from being inlined, so that stacks show them | a method is compiled |
//! | [`other_threads`] | reads the stacks of other threads | deadlines, snapshots |
//! | [`dynamic`] | names what is made at run time | a method is compiled |
//! | [`types`] | resolves the types of a signature, in whichever module they are | load of a module, first call |
//! | [`calls`] | holds the calls that are watched, by number | load of a module, first call |
//! | [`names`] | names the functions that the CLR passes | first call of a function on a task |
//! | [`threads`], [`tls`] | find the running thread's task | first crossing, last moments |
//! | [`tail_calls`] | keeps frames that stacks have to show | start |
//! | [`life`] | records that the process lives, and how it exits | start, end |
//! | [`engine`], [`known`] | hold what is the same for the whole process, and what was found out | start, end |
//! | [`host`] | calls the host's objects | crossings, if there is a host |
//! | [`policy`] | decides which calls are not made as they are | load of a module, calls of a limited number |
//! | [`required`] | ends the process where a requirement cannot hold | start |
//! | [`metadata`] | reads the CLR's metadata | load of a module, first call |
//! | [`clerk`] | asks the CLR, on a thread that it answers | first call of a target, slow calls |
//! | [`com`] | the objects that hosts get | the host asks |
//! | [`version`] | which runtime this is | start |
//! | [`settings`], [`variables`] | what the tool asks for, by which names | start, sessions |
//! | [`objects`] | finds where a native function lies in memory | first return of a target |
//! | [`mapped`] | records which files are loaded where | first calls and returns, if objects were loaded |
//! | [`memory`] | a reserve for when memory is used up | allocations |
//! | [`arch`] | what depends on the machine | crossings |
//! | [`boundary`] | the fence: no panic leaves it towards the CLR | every cold call |
//!
//! `ARCHITECTURE.md` draws the floors: which of these may use which.
//!
//! The hot path takes no lock, allocates nothing, makes no system call, and does not panic.
#![allow(
    unsafe_code,
    reason = "lives inside the CLR's process and speaks its ABI"
)]

mod aliases;
mod arch;
mod arguments;
mod attached;
mod boundary;
mod calls;
mod clerk;
mod com;
mod deadline;
mod delegates;
mod dynamic;
mod engine;
mod failures;
mod frames;
mod host;
mod hosting;
mod judge;
mod known;
mod life;
mod mapped;
mod memory;
mod metadata;
mod names;
mod notify;
mod objects;
mod other_threads;
mod policy;
mod pool;
mod profiler;
mod required;
mod settings;
mod signals;
mod slots;
mod snapshot;
mod source;
mod stacks;
mod start;
mod suspensions;
mod tail_calls;
mod targets;
mod threads;
mod ticker;
mod tls;
mod types;
mod variables;
mod version;
mod weave;

use std::ffi::c_void;

use soglia_abi::{GUID, HRESULT, hresult};

/// Gives the CLR the factory of the profiler object. The CLR calls this once, on the thread that
/// starts it.
///
/// # Safety
/// `class`, `interface` and `object` are null or valid pointers, as COM demands.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn DllGetClassObject(
    class: *const GUID,
    interface: *const GUID,
    object: *mut *mut c_void,
) -> HRESULT {
    boundary::fence(hresult::E_FAIL, || {
        // SAFETY: COM's caller passes pointers that are null or valid.
        unsafe { profiler::class_object(class, interface, object) }
    })
}

/// Says whether the library can be unloaded: never, since threads use it. The CLR calls this.
#[unsafe(no_mangle)]
pub extern "system" fn DllCanUnloadNow() -> HRESULT {
    hresult::S_FALSE
}
