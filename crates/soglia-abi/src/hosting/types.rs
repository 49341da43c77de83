//! Scalars, enumerations and structs of the hosting API.
//!
//! Widths are those of the ABI on every platform: `DWORD`, `BOOL` and every C enum have 32 bits,
//! `TASKID` has 64, `SIZE_T` and `HANDLE` are as wide as a pointer, and `WCHAR` has 16 bits (not
//! the 32 of Linux's `wchar_t`).

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(
    non_camel_case_types,
    non_snake_case,
    reason = "names are spelled as in mscoree.idl"
)]

use core::ffi::c_void;

use windows_core::{BOOL, HRESULT};

/// The host's number for a task, for debuggers to show. Microsoft's page about `SetTaskIdentifier`
/// says `DWORD`; the ABI has 64 bits.
pub type TASKID = u64;
/// A debugger's number for a connection.
pub type CONNID = u32;
/// An enumeration of domains, in version 1.
pub type HDOMAINENUM = *mut c_void;
/// A handle of Windows. The engine passes it on without reading it.
pub type HANDLE = *mut c_void;

/// The function that a task runs.
pub type LPTHREAD_START_ROUTINE = unsafe extern "system" fn(lpThreadParameter: *mut c_void) -> u32;
/// The function that `ExecuteInAppDomain` calls.
pub type FExecuteInAppDomainCallback = unsafe extern "system" fn(cookie: *mut c_void) -> HRESULT;
/// The functions of `LockClrVersion`.
pub type FLockClrVersionCallback = unsafe extern "system" fn() -> HRESULT;
/// The function that an I/O completion calls.
pub type LPOVERLAPPED_COMPLETION_ROUTINE = unsafe extern "system" fn(
    dwErrorCode: u32,
    dwNumberOfBytesTransfered: u32,
    lpOverlapped: *mut c_void,
);
/// The function that a timer or a wait calls.
pub type WAITORTIMERCALLBACK =
    unsafe extern "system" fn(lpParameter: *mut c_void, TimerOrWaitFired: BOOL);

/// No limit, for every `dwMilliseconds`.
pub const INFINITE: u32 = 0xFFFF_FFFF;

// WAIT_OPTION: a bit set, and always a DWORD in signatures.

pub const WAIT_MSGPUMP: u32 = 0x1;
/// `Alert` may end the wait.
pub const WAIT_ALERTABLE: u32 = 0x2;
/// The wait must not be ended to break a deadlock, so it does not return `HOST_E_DEADLOCK`.
pub const WAIT_NOTINDEADLOCK: u32 = 0x4;

// THREAD_PRIORITY_*: what SetPriority takes and GetPriority gives.

pub const THREAD_PRIORITY_IDLE: i32 = -15;
pub const THREAD_PRIORITY_LOWEST: i32 = -2;
pub const THREAD_PRIORITY_BELOW_NORMAL: i32 = -1;
pub const THREAD_PRIORITY_NORMAL: i32 = 0;
pub const THREAD_PRIORITY_ABOVE_NORMAL: i32 = 1;
pub const THREAD_PRIORITY_HIGHEST: i32 = 2;
pub const THREAD_PRIORITY_TIME_CRITICAL: i32 = 15;
pub const THREAD_PRIORITY_ERROR_RETURN: i32 = 0x7FFF_FFFF;

// STARTUP_FLAGS: a bit set, and a DWORD in most signatures. .NET still reads CONCURRENT_GC,
// SERVER_GC and HOARD_GC_VM.

pub const STARTUP_CONCURRENT_GC: u32 = 0x1;
pub const STARTUP_LOADER_OPTIMIZATION_MASK: u32 = 0x6;
pub const STARTUP_LOADER_OPTIMIZATION_SINGLE_DOMAIN: u32 = 0x2;
pub const STARTUP_LOADER_OPTIMIZATION_MULTI_DOMAIN: u32 = 0x4;
pub const STARTUP_LOADER_OPTIMIZATION_MULTI_DOMAIN_HOST: u32 = 0x6;
pub const STARTUP_LOADER_SAFEMODE: u32 = 0x10;
pub const STARTUP_LOADER_SETPREFERENCE: u32 = 0x100;
pub const STARTUP_SERVER_GC: u32 = 0x1000;
pub const STARTUP_HOARD_GC_VM: u32 = 0x2000;
pub const STARTUP_SINGLE_VERSION_HOSTING_INTERFACE: u32 = 0x4000;
pub const STARTUP_LEGACY_IMPERSONATION: u32 = 0x1_0000;
pub const STARTUP_DISABLE_COMMITTHREADSTACK: u32 = 0x2_0000;
pub const STARTUP_ALWAYSFLOW_IMPERSONATION: u32 = 0x4_0000;
pub const STARTUP_TRIM_GC_COMMIT: u32 = 0x8_0000;
pub const STARTUP_ETW: u32 = 0x10_0000;
pub const STARTUP_ARM: u32 = 0x40_0000;
pub const STARTUP_SINGLE_APPDOMAIN: u32 = 0x80_0000;
pub const STARTUP_APPX_APP_MODEL: u32 = 0x100_0000;
pub const STARTUP_DISABLE_RANDOMIZED_STRING_HASHING: u32 = 0x200_0000;

c_enum! {
    /// What a task is for. The values look like a bit set, but `GetCurrentTaskType` returns exactly
    /// one.
    ETaskType {
        TT_DEBUGGERHELPER = 0x1,
        TT_GC = 0x2,
        TT_FINALIZER = 0x4,
        TT_THREADPOOL_TIMER = 0x8,
        TT_THREADPOOL_GATE = 0x10,
        TT_THREADPOOL_WORKER = 0x20,
        TT_THREADPOOL_IOCOMPLETION = 0x40,
        TT_ADUNLOAD = 0x80,
        TT_USER = 0x100,
        TT_THREADPOOL_WAIT = 0x200,
        TT_UNKNOWN = 0x8000_0000,
    }

    /// What kind of program a host is.
    HOST_TYPE {
        HOST_TYPE_DEFAULT = 0x0,
        HOST_TYPE_APPLAUNCH = 0x1,
        HOST_TYPE_CORFLAG = 0x2,
    }
}

/// `COR_GC_THREAD_STATS::Flags`: the last GC promoted bytes of this thread.
pub const COR_GC_THREAD_HAS_PROMOTED_BYTES: u32 = 0x1;

/// The result of `GetMemStats`. Set it to zero first: a flag is only ever set, never cleared.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct COR_GC_THREAD_STATS {
    /// Bytes that the thread has allocated.
    pub PerThreadAllocation: u64,
    /// A bit set, though its documentation calls it a count.
    pub Flags: u32,
}
