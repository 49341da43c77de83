//! Result codes, with their names in the CLR's headers.
//!
//! Every code of the CLR is `0x8013xxxx` (facility 0x13). Several `HOST_E_*` codes left today's
//! headers with the interfaces that used them. Their numbers are still reserved, and hosts expect
//! them.

use windows_core::HRESULT;

macro_rules! hresults {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        $(
            $(#[$doc])*
            pub const $name: HRESULT = HRESULT($value as u32 as i32);
        )*

        /// The name of a code, if it is one of this module's.
        pub const fn name(code: HRESULT) -> Option<&'static str> {
            match code.0 as u32 {
                $($value => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

hresults! {
    /// Done.
    S_OK = 0x0000_0000;
    /// Done, or nothing to do; the method says which.
    S_FALSE = 0x0000_0001;
    /// The method is not there.
    E_NOTIMPL = 0x8000_4001;
    /// The object does not have that interface.
    E_NOINTERFACE = 0x8000_4002;
    /// A pointer is null that must not be.
    E_POINTER = 0x8000_4003;
    /// Given up.
    E_ABORT = 0x8000_4004;
    /// Failed, and no more is known.
    E_FAIL = 0x8000_4005;
    /// Not in this state; for the hosting API also an End without its Begin.
    E_UNEXPECTED = 0x8000_FFFF;
    /// Not allowed.
    E_ACCESSDENIED = 0x8007_0005;
    /// Not a handle.
    E_HANDLE = 0x8007_0006;
    /// No memory.
    E_OUTOFMEMORY = 0x8007_000E;
    /// An argument is wrong.
    E_INVALIDARG = 0x8007_0057;
    /// The class cannot be part of an aggregate.
    CLASS_E_NOAGGREGATION = 0x8004_0110;
    /// The library has no such class.
    CLASS_E_CLASSNOTAVAILABLE = 0x8004_0111;

    /// Host: the wait is broken to end a deadlock.
    HOST_E_DEADLOCK = 0x8013_1020;
    /// Host: an alert ended the wait.
    HOST_E_INTERRUPTED = 0x8013_1021;
    /// Wrong state or wrong thread for this call.
    HOST_E_INVALIDOPERATION = 0x8013_1022;
    /// The runtime has not started, or can run managed code no more.
    HOST_E_CLRNOTAVAILABLE = 0x8013_1023;
    /// Host: the wait ran out of time.
    HOST_E_TIMEOUT = 0x8013_1024;
    /// Host: the lock belongs to somebody else.
    HOST_E_NOT_OWNER = 0x8013_1025;
    /// Host: what was waited for is gone.
    HOST_E_ABANDONED = 0x8013_1026;
    /// Exit code: policy turned a thread abort into the end of the process.
    HOST_E_EXITPROCESS_THREADABORT = 0x8013_1027;
    /// Exit code: policy turned the unload of a domain into the end of the process.
    HOST_E_EXITPROCESS_ADUNLOAD = 0x8013_1028;
    /// Exit code: policy turned a timeout into the end of the process.
    HOST_E_EXITPROCESS_TIMEOUT = 0x8013_1029;
    /// Exit code: policy turned a lack of memory into the end of the process.
    HOST_E_EXITPROCESS_OUTOFMEMORY = 0x8013_102A;
    /// Exit code: policy turned a stack overflow into the end of the process.
    HOST_E_EXITPROCESS_STACKOVERFLOW = 0x8013_102B;

    /// The domain is unloaded.
    COR_E_APPDOMAINUNLOADED = 0x8013_1014;
    /// The domain cannot be unloaded.
    COR_E_CANNOTUNLOADAPPDOMAIN = 0x8013_1015;
    /// Managed code: Exception.
    COR_E_EXCEPTION = 0x8013_1500;
    /// Managed code: SystemException.
    COR_E_SYSTEM = 0x8013_1501;
    /// Managed code: timed out.
    COR_E_TIMEOUT = 0x8013_1505;
    /// Managed code: the engine is broken.
    COR_E_EXECUTIONENGINE = 0x8013_1506;
    /// Managed code: InvalidOperationException.
    COR_E_INVALIDOPERATION = 0x8013_1509;
    /// Managed code: no such field.
    COR_E_MISSINGFIELD = 0x8013_1511;
    /// Managed code: no such member.
    COR_E_MISSINGMEMBER = 0x8013_1512;
    /// Managed code: no such method.
    COR_E_MISSINGMETHOD = 0x8013_1513;
    /// Managed code: NotSupportedException.
    COR_E_NOTSUPPORTED = 0x8013_1515;
    /// Managed code: a lock used without being held.
    COR_E_SYNCHRONIZATIONLOCK = 0x8013_1518;
    /// Managed code: the thread was interrupted.
    COR_E_THREADINTERRUPTED = 0x8013_1519;
    /// Managed code: the thread is in the wrong state.
    COR_E_THREADSTATE = 0x8013_1520;
    /// Managed code: no such type, or not loadable.
    COR_E_TYPELOAD = 0x8013_1522;
    /// Managed code: a native library has no such function.
    COR_E_ENTRYPOINTNOTFOUND = 0x8013_1523;
    /// Managed code: no such native library.
    COR_E_DLLNOTFOUND = 0x8013_1524;
    /// Managed code: one release too many.
    COR_E_SEMAPHOREFULL = 0x8013_152B;
    /// Managed code: the owner of a mutex went without releasing it.
    COR_E_ABANDONEDMUTEX = 0x8013_152D;
    /// Managed code: the thread was aborted.
    COR_E_THREADABORTED = 0x8013_1530;
    /// Managed code: a type's initialiser failed.
    COR_E_TYPEINITIALIZATION = 0x8013_1534;
    /// Managed code: OperationCanceledException.
    COR_E_OPERATIONCANCELED = 0x8013_153B;
    /// Managed code: what was called by reflection threw.
    COR_E_TARGETINVOCATION = 0x8013_1604;
    /// An assembly was found and could not be loaded.
    COR_E_FILELOAD = 0x8013_1621;
    /// There is no such assembly or file.
    COR_E_FILENOTFOUND = 0x8007_0002;
    /// Not an assembly, or not one for this machine.
    COR_E_BADIMAGEFORMAT = 0x8007_000B;
    /// Managed code: no stack left.
    COR_E_STACKOVERFLOW = 0x8007_03E9;

    /// The shim found no runtime of that version.
    CLR_E_SHIM_RUNTIMELOAD = 0x8013_1700;
    /// The shim's runtime has no such export.
    CLR_E_SHIM_RUNTIMEEXPORT = 0x8013_1701;
    /// The shim's installation root is wrong.
    CLR_E_SHIM_INSTALLROOT = 0x8013_1702;
    /// The shim misses an installed component.
    CLR_E_SHIM_INSTALLCOMP = 0x8013_1703;
    /// The process is bound to another legacy runtime.
    CLR_E_SHIM_LEGACYRUNTIMEALREADYBOUND = 0x8013_1704;
    /// The shim is on its way out.
    CLR_E_SHIM_SHUTDOWNINPROGRESS = 0x8013_1705;

    /// The function is not compiled yet.
    CORPROF_E_FUNCTION_NOT_COMPILED = 0x8013_1350;
    /// What the ID names is not fully loaded.
    CORPROF_E_DATAINCOMPLETE = 0x8013_1351;
    /// The function has no IL, as P/Invokes and abstract methods have none.
    CORPROF_E_FUNCTION_NOT_IL = 0x8013_1354;
    /// The calling thread never ran managed code.
    CORPROF_E_NOT_MANAGED_THREAD = 0x8013_1355;
    /// Only Initialize may call this.
    CORPROF_E_CALL_ONLY_FROM_INIT = 0x8013_1356;
    /// The answer does not exist yet.
    CORPROF_E_NOT_YET_AVAILABLE = 0x8013_135B;
    /// The thread's stack cannot be walked from here.
    CORPROF_E_STACKSNAPSHOT_INVALID_TGT_THREAD = 0x8013_135E;
    /// The given registers are not in managed code.
    CORPROF_E_STACKSNAPSHOT_UNMANAGED_CTX = 0x8013_135F;
    /// The stack cannot be walked at this moment.
    CORPROF_E_STACKSNAPSHOT_UNSAFE = 0x8013_1360;
    /// Our callback ended the walk.
    CORPROF_E_STACKSNAPSHOT_ABORTED = 0x8013_1361;
    /// Not from inside this callback.
    CORPROF_E_UNSUPPORTED_CALL_SEQUENCE = 0x8013_1363;
    /// Not while the thread is stopped at an arbitrary place.
    CORPROF_E_ASYNCHRONOUS_UNSAFE = 0x8013_1364;
    /// The profiler is being detached.
    CORPROF_E_PROFILER_DETACHING = 0x8013_1367;
    /// The profiler cannot be attached to a running process.
    CORPROF_E_PROFILER_NOT_ATTACHABLE = 0x8013_1368;
    /// The process has its main profiler already.
    CORPROF_E_PROFILER_ALREADY_ACTIVE = 0x8013_136A;
    /// Attaching side and process are of different versions.
    CORPROF_E_PROFILEE_INCOMPATIBLE_WITH_TRIGGER = 0x8013_136B;
    /// The attach channel broke.
    CORPROF_E_IPC_FAILED = 0x8013_136C;
    /// No such process to attach to.
    CORPROF_E_PROFILEE_PROCESS_NOT_FOUND = 0x8013_136D;
    /// The profiler must have ICorProfilerCallback3 for this.
    CORPROF_E_CALLBACK3_REQUIRED = 0x8013_136E;
    /// Not for a profiler that came by attach.
    CORPROF_E_UNSUPPORTED_FOR_ATTACHING_PROFILER = 0x8013_136F;
    /// No detach: enter and leave hooks were set.
    CORPROF_E_IRREVERSIBLE_INSTRUMENTATION_PRESENT = 0x8013_1370;
    /// Too early to attach.
    CORPROF_E_RUNTIME_UNINITIALIZED = 0x8013_1371;
    /// No detach: an immutable event flag was set.
    CORPROF_E_IMMUTABLE_FLAGS_SET = 0x8013_1372;
    /// The profiler is not ready yet.
    CORPROF_E_PROFILER_NOT_YET_INITIALIZED = 0x8013_1373;
    /// The event flags do not allow this call.
    CORPROF_E_INCONSISTENT_WITH_FLAGS = 0x8013_1374;
    /// From Initialize: run on without me, and without a complaint.
    CORPROF_E_PROFILER_CANCEL_ACTIVATION = 0x8013_1375;
    /// Concurrent GC gets in the way of profiling.
    CORPROF_E_CONCURRENT_GC_NOT_PROFILABLE = 0x8013_1376;
    /// Event flags and the host's protection setting disagree (.NET Framework).
    CORPROF_E_INCONSISTENT_FLAGS_WITH_HOST_PROTECTION_SETTING = 0x8013_1377;
    /// Debugging is switched off.
    CORPROF_E_DEBUGGING_DISABLED = 0x8013_1378;
    /// Concurrent GC did not end in time.
    CORPROF_E_TIMEOUT_WAITING_FOR_CONCURRENT_GC = 0x8013_1379;
    /// The module is made at run time and has no fixed metadata.
    CORPROF_E_MODULE_IS_DYNAMIC = 0x8013_137A;
    /// The profiler must have ICorProfilerCallback4 for this.
    CORPROF_E_CALLBACK4_REQUIRED = 0x8013_137B;
    /// Recompiling was not asked for in the event mask.
    CORPROF_E_REJIT_NOT_ENABLED = 0x8013_137C;
    /// The function can be unloaded by the GC.
    CORPROF_E_FUNCTION_IS_COLLECTIBLE = 0x8013_137E;
    /// The profiler must have ICorProfilerCallback6 for this.
    CORPROF_E_CALLBACK6_REQUIRED = 0x8013_1380;
    /// The profiler must have ICorProfilerCallback7 for this.
    CORPROF_E_CALLBACK7_REQUIRED = 0x8013_1382;
    /// Threads are being suspended right now.
    CORPROF_E_SUSPENSION_IN_PROGRESS = 0x8013_1388;

    /// Diagnostics port: the message is malformed.
    CORDIAGIPC_E_BAD_ENCODING = 0x8013_1384;
    /// Diagnostics port: no such command.
    CORDIAGIPC_E_UNKNOWN_COMMAND = 0x8013_1385;
    /// Diagnostics port: not its protocol.
    CORDIAGIPC_E_UNKNOWN_MAGIC = 0x8013_1386;
    /// Diagnostics port: failed, and no more is known.
    CORDIAGIPC_E_UNKNOWN_ERROR = 0x8013_1387;
}

/// Another name of [`E_OUTOFMEMORY`]; managed code's headers use it.
pub const COR_E_OUTOFMEMORY: HRESULT = E_OUTOFMEMORY;
