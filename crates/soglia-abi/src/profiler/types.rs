//! Flags, enumerations and structs of corprof.idl.
//!
//! C enums are [transparent numbers](crate#numbers); bit sets that travel as `DWORD` are `u32`.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(
    non_camel_case_types,
    non_snake_case,
    reason = "names are spelled as in corprof.idl"
)]

use core::ffi::c_void;

use windows_core::BOOL;

use crate::ids::{FunctionId, MdFieldDef, MdMethodDef, ModuleId, ObjectId, ReJITId};

c_enum! {
    /// Which of the two ways a boundary is crossed: by a call, or by the return from one.
    COR_PRF_TRANSITION_REASON { COR_PRF_TRANSITION_CALL = 0, COR_PRF_TRANSITION_RETURN = 1 }

    /// What a search for precompiled code came to. Found is zero, so this is no boolean.
    COR_PRF_JIT_CACHE { COR_PRF_CACHED_FUNCTION_FOUND = 0, COR_PRF_CACHED_FUNCTION_NOT_FOUND = 1 }

    /// Why the runtime stops its threads.
    COR_PRF_SUSPEND_REASON {
        COR_PRF_SUSPEND_OTHER = 0,
        COR_PRF_SUSPEND_FOR_GC = 1,
        COR_PRF_SUSPEND_FOR_APPDOMAIN_SHUTDOWN = 2,
        COR_PRF_SUSPEND_FOR_CODE_PITCHING = 3,
        COR_PRF_SUSPEND_FOR_SHUTDOWN = 4,
        COR_PRF_SUSPEND_FOR_INPROC_DEBUGGER = 6,
        COR_PRF_SUSPEND_FOR_GC_PREP = 7,
        COR_PRF_SUSPEND_FOR_REJIT = 8,
        COR_PRF_SUSPEND_FOR_PROFILER = 9,
    }

    /// Which CLR this is; everything on Linux is the second.
    COR_PRF_RUNTIME_TYPE { COR_PRF_DESKTOP_CLR = 0x1, COR_PRF_CORE_CLR = 0x2 }

    COR_PRF_GC_REASON { COR_PRF_GC_OTHER = 0, COR_PRF_GC_INDUCED = 1 }

    COR_PRF_GC_ROOT_KIND {
        COR_PRF_GC_ROOT_OTHER = 0,
        COR_PRF_GC_ROOT_STACK = 1,
        COR_PRF_GC_ROOT_FINALIZER = 2,
        COR_PRF_GC_ROOT_HANDLE = 3,
    }

    /// A bit set.
    COR_PRF_GC_ROOT_FLAGS {
        COR_PRF_GC_ROOT_PINNING = 0x1,
        COR_PRF_GC_ROOT_WEAKREF = 0x2,
        COR_PRF_GC_ROOT_INTERIOR = 0x4,
        COR_PRF_GC_ROOT_REFCOUNTED = 0x8,
    }

    COR_PRF_GC_GENERATION {
        COR_PRF_GC_GEN_0 = 0,
        COR_PRF_GC_GEN_1 = 1,
        COR_PRF_GC_GEN_2 = 2,
        COR_PRF_GC_LARGE_OBJECT_HEAP = 3,
        COR_PRF_GC_PINNED_OBJECT_HEAP = 4,
    }

    COR_PRF_CLAUSE_TYPE {
        COR_PRF_CLAUSE_NONE = 0,
        COR_PRF_CLAUSE_FILTER = 1,
        COR_PRF_CLAUSE_CATCH = 2,
        COR_PRF_CLAUSE_FINALLY = 3,
    }

    /// A bit set.
    COR_PRF_STATIC_TYPE {
        COR_PRF_FIELD_NOT_A_STATIC = 0x0,
        COR_PRF_FIELD_APP_DOMAIN_STATIC = 0x1,
        COR_PRF_FIELD_THREAD_STATIC = 0x2,
        COR_PRF_FIELD_CONTEXT_STATIC = 0x4,
        COR_PRF_FIELD_RVA_STATIC = 0x8,
    }

    COR_PRF_HANDLE_TYPE {
        COR_PRF_HANDLE_TYPE_WEAK = 0x1,
        COR_PRF_HANDLE_TYPE_STRONG = 0x2,
        COR_PRF_HANDLE_TYPE_PINNED = 0x3,
    }
}

// COR_PRF_MONITOR: the event mask, or its low half beside COR_PRF_HIGH_MONITOR.

pub const COR_PRF_MONITOR_NONE: u32 = 0x0000_0000;
pub const COR_PRF_MONITOR_FUNCTION_UNLOADS: u32 = 0x0000_0001;
pub const COR_PRF_MONITOR_CLASS_LOADS: u32 = 0x0000_0002;
pub const COR_PRF_MONITOR_MODULE_LOADS: u32 = 0x0000_0004;
pub const COR_PRF_MONITOR_ASSEMBLY_LOADS: u32 = 0x0000_0008;
pub const COR_PRF_MONITOR_APPDOMAIN_LOADS: u32 = 0x0000_0010;
pub const COR_PRF_MONITOR_JIT_COMPILATION: u32 = 0x0000_0020;
pub const COR_PRF_MONITOR_EXCEPTIONS: u32 = 0x0000_0040;
pub const COR_PRF_MONITOR_GC: u32 = 0x0000_0080;
pub const COR_PRF_MONITOR_OBJECT_ALLOCATED: u32 = 0x0000_0100;
pub const COR_PRF_MONITOR_THREADS: u32 = 0x0000_0200;
pub const COR_PRF_MONITOR_REMOTING: u32 = 0x0000_0400;
/// Asks for both transition callbacks. Immutable: settable in `Initialize` only, and never by an
/// attached profiler.
pub const COR_PRF_MONITOR_CODE_TRANSITIONS: u32 = 0x0000_0800;
pub const COR_PRF_MONITOR_ENTERLEAVE: u32 = 0x0000_1000;
pub const COR_PRF_MONITOR_CCW: u32 = 0x0000_2000;
pub const COR_PRF_MONITOR_REMOTING_COOKIE: u32 = 0x0000_4000 | COR_PRF_MONITOR_REMOTING;
pub const COR_PRF_MONITOR_REMOTING_ASYNC: u32 = 0x0000_8000 | COR_PRF_MONITOR_REMOTING;
pub const COR_PRF_MONITOR_SUSPENDS: u32 = 0x0001_0000;
pub const COR_PRF_MONITOR_CACHE_SEARCHES: u32 = 0x0002_0000;
pub const COR_PRF_ENABLE_REJIT: u32 = 0x0004_0000;
pub const COR_PRF_ENABLE_INPROC_DEBUGGING: u32 = 0x0008_0000;
pub const COR_PRF_ENABLE_JIT_MAPS: u32 = 0x0010_0000;
pub const COR_PRF_DISABLE_INLINING: u32 = 0x0020_0000;
pub const COR_PRF_DISABLE_OPTIMIZATIONS: u32 = 0x0040_0000;
pub const COR_PRF_ENABLE_OBJECT_ALLOCATED: u32 = 0x0080_0000;
pub const COR_PRF_MONITOR_CLR_EXCEPTIONS: u32 = 0x0100_0000;
pub const COR_PRF_MONITOR_ALL: u32 = 0x0107_FFFF;
pub const COR_PRF_ENABLE_FUNCTION_ARGS: u32 = 0x0200_0000;
pub const COR_PRF_ENABLE_FUNCTION_RETVAL: u32 = 0x0400_0000;
pub const COR_PRF_ENABLE_FRAME_INFO: u32 = 0x0800_0000;
pub const COR_PRF_ENABLE_STACK_SNAPSHOT: u32 = 0x1000_0000;
pub const COR_PRF_USE_PROFILE_IMAGES: u32 = 0x2000_0000;
pub const COR_PRF_DISABLE_TRANSPARENCY_CHECKS_UNDER_FULL_TRUST: u32 = 0x4000_0000;
pub const COR_PRF_DISABLE_ALL_NGEN_IMAGES: u32 = 0x8000_0000;
pub const COR_PRF_ALL: u32 = 0x8FFF_FFFF;
/// These three make the runtime run without ReadyToRun code.
pub const COR_PRF_REQUIRE_PROFILE_IMAGE: u32 =
    COR_PRF_USE_PROFILE_IMAGES | COR_PRF_MONITOR_CODE_TRANSITIONS | COR_PRF_MONITOR_ENTERLEAVE;
/// What a profiler may ask for after it came by attach.
pub const COR_PRF_ALLOWABLE_AFTER_ATTACH: u32 = COR_PRF_MONITOR_THREADS
    | COR_PRF_MONITOR_MODULE_LOADS
    | COR_PRF_MONITOR_ASSEMBLY_LOADS
    | COR_PRF_MONITOR_APPDOMAIN_LOADS
    | COR_PRF_ENABLE_STACK_SNAPSHOT
    | COR_PRF_MONITOR_GC
    | COR_PRF_MONITOR_SUSPENDS
    | COR_PRF_MONITOR_CLASS_LOADS
    | COR_PRF_MONITOR_EXCEPTIONS
    | COR_PRF_MONITOR_JIT_COMPILATION
    | COR_PRF_DISABLE_INLINING
    | COR_PRF_DISABLE_OPTIMIZATIONS
    | COR_PRF_ENABLE_REJIT;
/// What a profiler may ask for that only listens (see `LoadAsNotificationOnly`).
pub const COR_PRF_ALLOWABLE_NOTIFICATION_PROFILER: u32 = COR_PRF_MONITOR_FUNCTION_UNLOADS
    | COR_PRF_MONITOR_CLASS_LOADS
    | COR_PRF_MONITOR_MODULE_LOADS
    | COR_PRF_MONITOR_ASSEMBLY_LOADS
    | COR_PRF_MONITOR_APPDOMAIN_LOADS
    | COR_PRF_MONITOR_JIT_COMPILATION
    | COR_PRF_MONITOR_EXCEPTIONS
    | COR_PRF_MONITOR_OBJECT_ALLOCATED
    | COR_PRF_MONITOR_THREADS
    | COR_PRF_MONITOR_CODE_TRANSITIONS
    | COR_PRF_MONITOR_CCW
    | COR_PRF_MONITOR_SUSPENDS
    | COR_PRF_MONITOR_CACHE_SEARCHES
    | COR_PRF_DISABLE_INLINING
    | COR_PRF_DISABLE_OPTIMIZATIONS
    | COR_PRF_ENABLE_OBJECT_ALLOCATED
    | COR_PRF_MONITOR_CLR_EXCEPTIONS
    | COR_PRF_ENABLE_STACK_SNAPSHOT
    | COR_PRF_USE_PROFILE_IMAGES
    | COR_PRF_DISABLE_ALL_NGEN_IMAGES;
/// What can only be set in `Initialize`.
pub const COR_PRF_MONITOR_IMMUTABLE: u32 = COR_PRF_MONITOR_CODE_TRANSITIONS
    | COR_PRF_MONITOR_REMOTING
    | COR_PRF_MONITOR_REMOTING_COOKIE
    | COR_PRF_MONITOR_REMOTING_ASYNC
    | COR_PRF_ENABLE_INPROC_DEBUGGING
    | COR_PRF_ENABLE_JIT_MAPS
    | COR_PRF_ENABLE_OBJECT_ALLOCATED
    | COR_PRF_ENABLE_FUNCTION_ARGS
    | COR_PRF_ENABLE_FUNCTION_RETVAL
    | COR_PRF_ENABLE_FRAME_INFO
    | COR_PRF_USE_PROFILE_IMAGES
    | COR_PRF_DISABLE_TRANSPARENCY_CHECKS_UNDER_FULL_TRUST
    | COR_PRF_DISABLE_ALL_NGEN_IMAGES;

// COR_PRF_HIGH_MONITOR: the second half, for SetEventMask2.

pub const COR_PRF_HIGH_MONITOR_NONE: u32 = 0x000;
pub const COR_PRF_HIGH_ADD_ASSEMBLY_REFERENCES: u32 = 0x001;
pub const COR_PRF_HIGH_IN_MEMORY_SYMBOLS_UPDATED: u32 = 0x002;
pub const COR_PRF_HIGH_MONITOR_DYNAMIC_FUNCTION_UNLOADS: u32 = 0x004;
pub const COR_PRF_HIGH_DISABLE_TIERED_COMPILATION: u32 = 0x008;
pub const COR_PRF_HIGH_BASIC_GC: u32 = 0x010;
pub const COR_PRF_HIGH_MONITOR_GC_MOVED_OBJECTS: u32 = 0x020;
pub const COR_PRF_HIGH_MONITOR_LARGEOBJECT_ALLOCATED: u32 = 0x040;
pub const COR_PRF_HIGH_MONITOR_EVENT_PIPE: u32 = 0x080;
pub const COR_PRF_HIGH_MONITOR_PINNEDOBJECT_ALLOCATED: u32 = 0x100;

// Other bit sets and odd numbers.

/// `GetModuleInfo`'s assembly while the module has none. 32 bits wide on every platform.
pub const PROFILER_PARENT_UNKNOWN: u32 = 0xFFFF_FFFD;
/// A class for what belongs to no class.
pub const PROFILER_GLOBAL_CLASS: u32 = 0xFFFF_FFFE;
/// A module for what belongs to no module.
pub const PROFILER_GLOBAL_MODULE: u32 = 0xFFFF_FFFF;

pub const COR_PRF_MODULE_DISK: u32 = 0x01;
pub const COR_PRF_MODULE_NGEN: u32 = 0x02;
pub const COR_PRF_MODULE_DYNAMIC: u32 = 0x04;
pub const COR_PRF_MODULE_COLLECTIBLE: u32 = 0x08;
pub const COR_PRF_MODULE_RESOURCE: u32 = 0x10;
pub const COR_PRF_MODULE_FLAT_LAYOUT: u32 = 0x20;
pub const COR_PRF_MODULE_WINDOWS_RUNTIME: u32 = 0x40;

pub const COR_PRF_SNAPSHOT_DEFAULT: u32 = 0x0;
pub const COR_PRF_SNAPSHOT_REGISTER_CONTEXT: u32 = 0x1;
pub const COR_PRF_SNAPSHOT_X86_OPTIMIZED: u32 = 0x2;

pub const COR_PRF_CODEGEN_DISABLE_INLINING: u32 = 0x1;
pub const COR_PRF_CODEGEN_DISABLE_ALL_OPTIMIZATIONS: u32 = 0x2;
pub const COR_PRF_CODEGEN_DEBUG_INFO: u32 = 0x3;

pub const COR_PRF_REJIT_BLOCK_INLINING: u32 = 0x1;
pub const COR_PRF_REJIT_INLINING_CALLBACKS: u32 = 0x2;

pub const COR_PRF_FINALIZER_CRITICAL: u32 = 0x1;

// Scalars.

/// A frame, for as long as the callback runs that was given it.
pub type COR_PRF_FRAME_INFO = usize;
/// Arguments or return value of a frame, likewise.
pub type COR_PRF_ELT_INFO = usize;
pub type EVENTPIPE_PROVIDER = usize;
pub type EVENTPIPE_EVENT = usize;
pub type EVENTPIPE_SESSION = u64;
/// A GC handle as `CreateHandle` gives it.
pub type ObjectHandleID = *mut *mut c_void;

// Structs, in the order of the IDL.

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct COR_IL_MAP {
    pub oldOffset: u32,
    pub newOffset: u32,
    pub fAccurate: BOOL,
}

/// One range of native code. `ilOffset` is -1, -2 or -3 for code that stands for no IL, a prolog or
/// an epilog.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct COR_DEBUG_IL_TO_NATIVE_MAP {
    pub ilOffset: u32,
    pub nativeStartOffset: u32,
    pub nativeEndOffset: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct COR_FIELD_OFFSET {
    pub ridOfField: MdFieldDef,
    pub ulOffset: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct COR_PRF_FUNCTION_ARGUMENT_RANGE {
    pub startAddress: usize,
    pub length: u32,
}

/// The head of a longer array: `numRanges` says how many of `ranges` there are.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct COR_PRF_FUNCTION_ARGUMENT_INFO {
    pub numRanges: u32,
    pub totalArgumentSize: u32,
    pub ranges: [COR_PRF_FUNCTION_ARGUMENT_RANGE; 1],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct COR_PRF_CODE_INFO {
    pub startAddress: usize,
    pub size: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct COR_PRF_FUNCTION {
    pub functionId: FunctionId,
    pub reJitId: ReJITId,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct COR_PRF_METHOD {
    pub moduleId: ModuleId,
    pub methodId: MdMethodDef,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct COR_PRF_GC_GENERATION_RANGE {
    pub generation: COR_PRF_GC_GENERATION,
    pub rangeStart: ObjectId,
    pub rangeLength: usize,
    pub rangeLengthReserved: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct COR_PRF_NONGC_HEAP_RANGE {
    pub rangeStart: ObjectId,
    pub rangeLength: usize,
    pub rangeLengthReserved: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct COR_PRF_EX_CLAUSE_INFO {
    pub clauseType: COR_PRF_CLAUSE_TYPE,
    pub programCounter: usize,
    pub framePointer: usize,
    pub shadowStackPointer: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct COR_PRF_EVENTPIPE_PROVIDER_CONFIG {
    pub providerName: *const u16,
    pub keywords: u64,
    pub loggingLevel: u32,
    pub filterData: *const u16,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct COR_PRF_EVENTPIPE_PARAM_DESC {
    pub r#type: u32,
    pub elementType: u32,
    pub name: *const u16,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct COR_PRF_EVENT_DATA {
    pub ptr: u64,
    pub size: u32,
    pub reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct COR_PRF_FILTER_DATA {
    pub Ptr: u64,
    pub Size: u32,
    pub Type: u32,
}

// Functions that the CLR calls, other than through a vtable.

/// Maps a function to what its enter and leave hooks are to be given. Must not answer zero.
pub type FunctionIDMapper =
    unsafe extern "system" fn(funcId: FunctionId, pbHookFunction: *mut BOOL) -> usize;
pub type FunctionIDMapper2 = unsafe extern "system" fn(
    funcId: FunctionId,
    clientData: *mut c_void,
    pbHookFunction: *mut BOOL,
) -> usize;

/// Called once for each managed frame, and with a null function for each run of native ones.
/// Anything but `S_OK` ends the walk.
pub type StackSnapshotCallback = unsafe extern "system" fn(
    funcId: FunctionId,
    ip: usize,
    frameInfo: COR_PRF_FRAME_INFO,
    contextSize: u32,
    context: *const u8,
    clientData: *mut c_void,
) -> windows_core::HRESULT;

pub type ObjectReferenceCallback = unsafe extern "system" fn(
    root: ObjectId,
    reference: *mut ObjectId,
    clientData: *mut c_void,
) -> BOOL;
pub type ObjectCallback =
    unsafe extern "system" fn(object: ObjectId, callbackState: *mut c_void) -> BOOL;
pub type EventPipeProviderCallback = unsafe extern "system" fn(
    source_id: *const u8,
    is_enabled: u32,
    level: u8,
    match_any_keywords: u64,
    match_all_keywords: u64,
    filter_data: *mut COR_PRF_FILTER_DATA,
    callback_data: *mut c_void,
);

/// An enter, leave or tailcall hook. It has to save every register itself, so it is assembly and
/// has no Rust type; null means no hook.
pub type FunctionHook = *const c_void;
