//! Flags, enumerations and tokens, against numbers written down from the IDL, corhdr.h and the
//! hosting sheet.

use soglia_abi::hosting::types::*;
use soglia_abi::ids::{FunctionId, MdToken};
use soglia_abi::profiler::{metadata::*, types::*};

#[test]
fn event_mask() {
    let bits = [
        COR_PRF_MONITOR_FUNCTION_UNLOADS,
        COR_PRF_MONITOR_CLASS_LOADS,
        COR_PRF_MONITOR_MODULE_LOADS,
        COR_PRF_MONITOR_ASSEMBLY_LOADS,
        COR_PRF_MONITOR_APPDOMAIN_LOADS,
        COR_PRF_MONITOR_JIT_COMPILATION,
        COR_PRF_MONITOR_EXCEPTIONS,
        COR_PRF_MONITOR_GC,
        COR_PRF_MONITOR_OBJECT_ALLOCATED,
        COR_PRF_MONITOR_THREADS,
        COR_PRF_MONITOR_REMOTING,
        COR_PRF_MONITOR_CODE_TRANSITIONS,
        COR_PRF_MONITOR_ENTERLEAVE,
        COR_PRF_MONITOR_CCW,
    ];
    for (bit, flag) in bits.into_iter().enumerate() {
        assert_eq!(flag, 1 << bit, "bit {bit}");
    }
    assert_eq!(COR_PRF_MONITOR_THREADS, 0x200);
    assert_eq!(COR_PRF_MONITOR_CODE_TRANSITIONS, 0x800);
    assert_eq!(COR_PRF_MONITOR_REMOTING_COOKIE, 0x4400);
    assert_eq!(COR_PRF_MONITOR_REMOTING_ASYNC, 0x8400);
    assert_eq!(COR_PRF_MONITOR_SUSPENDS, 0x1_0000);
    assert_eq!(COR_PRF_MONITOR_CACHE_SEARCHES, 0x2_0000);
    assert_eq!(COR_PRF_ENABLE_REJIT, 0x4_0000);
    assert_eq!(COR_PRF_DISABLE_INLINING, 0x20_0000);
    assert_eq!(COR_PRF_DISABLE_OPTIMIZATIONS, 0x40_0000);
    assert_eq!(COR_PRF_MONITOR_CLR_EXCEPTIONS, 0x100_0000);
    assert_eq!(COR_PRF_ENABLE_STACK_SNAPSHOT, 0x1000_0000);
    assert_eq!(COR_PRF_DISABLE_ALL_NGEN_IMAGES, 0x8000_0000);
}

#[test]
fn masks_made_of_flags() {
    assert_eq!(COR_PRF_MONITOR_ALL, 0x0107_FFFF);
    assert_eq!(COR_PRF_ALL, 0x8FFF_FFFF);
    assert_eq!(COR_PRF_REQUIRE_PROFILE_IMAGE, 0x2000_1800);
    assert_eq!(COR_PRF_ALLOWABLE_AFTER_ATTACH, 0x1065_02FE);
    assert_eq!(COR_PRF_ALLOWABLE_NOTIFICATION_PROFILER, 0xB1E3_2B7F);
    assert_eq!(COR_PRF_MONITOR_IMMUTABLE, 0xEE98_CC00);
    // Transitions can be had in Initialize only, and by a profiler that only listens too.
    assert_ne!(
        COR_PRF_MONITOR_IMMUTABLE & COR_PRF_MONITOR_CODE_TRANSITIONS,
        0
    );
    assert_eq!(
        COR_PRF_ALLOWABLE_AFTER_ATTACH & COR_PRF_MONITOR_CODE_TRANSITIONS,
        0
    );
    assert_ne!(
        COR_PRF_ALLOWABLE_NOTIFICATION_PROFILER & COR_PRF_MONITOR_CODE_TRANSITIONS,
        0
    );
}

#[test]
fn high_event_mask() {
    assert_eq!(COR_PRF_HIGH_IN_MEMORY_SYMBOLS_UPDATED, 0x2);
    assert_eq!(COR_PRF_HIGH_MONITOR_DYNAMIC_FUNCTION_UNLOADS, 0x4);
    assert_eq!(COR_PRF_HIGH_DISABLE_TIERED_COMPILATION, 0x8);
    assert_eq!(COR_PRF_HIGH_BASIC_GC, 0x10);
    assert_eq!(COR_PRF_HIGH_MONITOR_EVENT_PIPE, 0x80);
    assert_eq!(COR_PRF_HIGH_MONITOR_PINNEDOBJECT_ALLOCATED, 0x100);
}

#[test]
fn enumerations() {
    assert_eq!(
        (COR_PRF_TRANSITION_CALL.0, COR_PRF_TRANSITION_RETURN.0),
        (0, 1)
    );
    assert_eq!(
        (
            COR_PRF_CACHED_FUNCTION_FOUND.0,
            COR_PRF_CACHED_FUNCTION_NOT_FOUND.0
        ),
        (0, 1)
    );
    assert_eq!(
        (COR_PRF_SUSPEND_FOR_GC.0, COR_PRF_SUSPEND_FOR_GC_PREP.0),
        (1, 7)
    );
    assert_eq!(
        (COR_PRF_SUSPEND_FOR_REJIT.0, COR_PRF_SUSPEND_FOR_PROFILER.0),
        (8, 9)
    );
    assert_eq!((COR_PRF_DESKTOP_CLR.0, COR_PRF_CORE_CLR.0), (1, 2));
    assert_eq!(
        (
            COR_PRF_MODULE_DYNAMIC,
            COR_PRF_MODULE_RESOURCE,
            COR_PRF_MODULE_FLAT_LAYOUT
        ),
        (4, 0x10, 0x20)
    );
    assert_eq!(PROFILER_PARENT_UNKNOWN, 0xFFFF_FFFD);
}

#[test]
fn task_types() {
    let types = [
        TT_DEBUGGERHELPER,
        TT_GC,
        TT_FINALIZER,
        TT_THREADPOOL_TIMER,
        TT_THREADPOOL_GATE,
        TT_THREADPOOL_WORKER,
        TT_THREADPOOL_IOCOMPLETION,
        TT_ADUNLOAD,
        TT_USER,
        TT_THREADPOOL_WAIT,
    ];
    for (bit, task_type) in types.into_iter().enumerate() {
        assert_eq!(task_type, ETaskType(1 << bit), "bit {bit}");
    }
    assert_eq!(TT_UNKNOWN.0, 0x8000_0000);
}

#[test]
fn waiting_and_priorities() {
    assert_eq!(
        (WAIT_MSGPUMP, WAIT_ALERTABLE, WAIT_NOTINDEADLOCK),
        (1, 2, 4)
    );
    assert_eq!(INFINITE, 0xFFFF_FFFF);
    assert_eq!(
        (
            THREAD_PRIORITY_LOWEST,
            THREAD_PRIORITY_NORMAL,
            THREAD_PRIORITY_HIGHEST
        ),
        (-2, 0, 2)
    );
    assert_eq!(
        (THREAD_PRIORITY_IDLE, THREAD_PRIORITY_TIME_CRITICAL),
        (-15, 15)
    );
    assert_eq!(THREAD_PRIORITY_ERROR_RETURN, 0x7FFF_FFFF);
    assert_eq!(
        (
            STARTUP_CONCURRENT_GC,
            STARTUP_SERVER_GC,
            STARTUP_HOARD_GC_VM
        ),
        (1, 0x1000, 0x2000)
    );
    assert_eq!(COR_GC_THREAD_HAS_PROMOTED_BYTES, 1);
}

#[test]
fn attributes() {
    assert_eq!((ofRead, ofWrite), (0, 1));
    assert_eq!((mdStatic, mdPinvokeImpl), (0x10, 0x2000));
    assert_eq!(
        (miPreserveSig, miAggressiveInlining, miInternalCall),
        (0x80, 0x100, 0x1000)
    );
    assert_eq!((pdHasDefault, pdHasFieldMarshal), (0x1000, 0x2000));
    assert_eq!((pmNoMangle, pmSupportsLastError), (0x1, 0x40));
    assert_eq!(
        (
            pmCallConvMask,
            pmCallConvWinapi,
            pmCallConvCdecl,
            pmCallConvFastcall
        ),
        (0x700, 0x100, 0x200, 0x500)
    );
    assert_eq!((pmCharSetMask, pmCharSetUnicode), (0x6, 0x4));
}

#[test]
fn tokens() {
    let method = MdToken(mdtMethodDef | 0x2A);
    assert_eq!(
        (method.table(), method.row(), method.is_nil()),
        (0x06, 0x2A, false)
    );
    // Every table has a nil of its own, and the all-zero token is only that of modules.
    assert!(MdToken(0x0200_0000).is_nil() && !MdToken(0x0200_0000).is_null());
    assert!(MdToken::NULL.is_nil() && MdToken::NULL.is_null());
    assert_eq!(format!("{method:?}"), "MdToken(0x600002a)");
}

#[test]
fn no_function() {
    assert!(FunctionId::NULL.is_null() && FunctionId::default().is_null());
    assert!(!FunctionId(0x7F00_0000_1000).is_null());
    assert_eq!(format!("{:?}", FunctionId(0x7F00)), "FunctionId(0x7f00)");
}
