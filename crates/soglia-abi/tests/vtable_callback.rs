//! The vtable of `ICorProfilerCallback11`, slot by slot.

use soglia_abi::profiler::callback::*;

mod common;
use common::vtable;

vtable! { ICorProfilerCallback_Vtbl, 72 slots:
    3 Initialize, 4 Shutdown, 5 AppDomainCreationStarted, 6 AppDomainCreationFinished, 7 AppDomainShutdownStarted,
    8 AppDomainShutdownFinished, 9 AssemblyLoadStarted, 10 AssemblyLoadFinished, 11 AssemblyUnloadStarted,
    12 AssemblyUnloadFinished, 13 ModuleLoadStarted, 14 ModuleLoadFinished, 15 ModuleUnloadStarted,
    16 ModuleUnloadFinished, 17 ModuleAttachedToAssembly, 18 ClassLoadStarted, 19 ClassLoadFinished,
    20 ClassUnloadStarted, 21 ClassUnloadFinished, 22 FunctionUnloadStarted, 23 JITCompilationStarted,
    24 JITCompilationFinished, 25 JITCachedFunctionSearchStarted, 26 JITCachedFunctionSearchFinished,
    27 JITFunctionPitched, 28 JITInlining, 29 ThreadCreated, 30 ThreadDestroyed, 31 ThreadAssignedToOSThread,
    32 RemotingClientInvocationStarted, 33 RemotingClientSendingMessage, 34 RemotingClientReceivingReply,
    35 RemotingClientInvocationFinished, 36 RemotingServerReceivingMessage, 37 RemotingServerInvocationStarted,
    38 RemotingServerInvocationReturned, 39 RemotingServerSendingReply, 40 UnmanagedToManagedTransition,
    41 ManagedToUnmanagedTransition, 42 RuntimeSuspendStarted, 43 RuntimeSuspendFinished, 44 RuntimeSuspendAborted,
    45 RuntimeResumeStarted, 46 RuntimeResumeFinished, 47 RuntimeThreadSuspended, 48 RuntimeThreadResumed,
    49 MovedReferences, 50 ObjectAllocated, 51 ObjectsAllocatedByClass, 52 ObjectReferences, 53 RootReferences,
    54 ExceptionThrown, 55 ExceptionSearchFunctionEnter, 56 ExceptionSearchFunctionLeave,
    57 ExceptionSearchFilterEnter, 58 ExceptionSearchFilterLeave, 59 ExceptionSearchCatcherFound,
    60 ExceptionOSHandlerEnter, 61 ExceptionOSHandlerLeave, 62 ExceptionUnwindFunctionEnter,
    63 ExceptionUnwindFunctionLeave, 64 ExceptionUnwindFinallyEnter, 65 ExceptionUnwindFinallyLeave,
    66 ExceptionCatcherEnter, 67 ExceptionCatcherLeave, 68 COMClassicVTableCreated, 69 COMClassicVTableDestroyed,
    70 ExceptionCLRCatcherFound, 71 ExceptionCLRCatcherExecute,
}

vtable! { ICorProfilerCallback2_Vtbl, 80 slots:
    72 ThreadNameChanged, 73 GarbageCollectionStarted, 74 SurvivingReferences, 75 GarbageCollectionFinished,
    76 FinalizeableObjectQueued, 77 RootReferences2, 78 HandleCreated, 79 HandleDestroyed,
}

vtable! { ICorProfilerCallback3_Vtbl, 83 slots:
    80 InitializeForAttach, 81 ProfilerAttachComplete, 82 ProfilerDetachSucceeded,
}

vtable! { ICorProfilerCallback4_Vtbl, 89 slots:
    83 ReJITCompilationStarted, 84 GetReJITParameters, 85 ReJITCompilationFinished, 86 ReJITError,
    87 MovedReferences2, 88 SurvivingReferences2,
}

vtable! { ICorProfilerCallback5_Vtbl, 90 slots:
    89 ConditionalWeakTableElementReferences,
}

vtable! { ICorProfilerCallback6_Vtbl, 91 slots:
    90 GetAssemblyReferences,
}

vtable! { ICorProfilerCallback7_Vtbl, 92 slots:
    91 ModuleInMemorySymbolsUpdated,
}

vtable! { ICorProfilerCallback8_Vtbl, 94 slots:
    92 DynamicMethodJITCompilationStarted, 93 DynamicMethodJITCompilationFinished,
}

vtable! { ICorProfilerCallback9_Vtbl, 95 slots:
    94 DynamicMethodUnloaded,
}

vtable! { ICorProfilerCallback10_Vtbl, 97 slots:
    95 EventPipeEventDelivered, 96 EventPipeProviderCreated,
}

vtable! { ICorProfilerCallback11_Vtbl, 98 slots:
    97 LoadAsNotificationOnly,
}
