//! The vtables of `ICorProfilerInfo15`, slot by slot, and of the small interfaces around it.

use soglia_abi::profiler::{factory::*, info::*, info_later::*};

mod common;
use common::vtable;

vtable! { ICorProfilerInfo_Vtbl, 36 slots:
    3 GetClassFromObject, 4 GetClassFromToken, 5 GetCodeInfo, 6 GetEventMask, 7 GetFunctionFromIP,
    8 GetFunctionFromToken, 9 GetHandleFromThread, 10 GetObjectSize, 11 IsArrayClass, 12 GetThreadInfo,
    13 GetCurrentThreadID, 14 GetClassIDInfo, 15 GetFunctionInfo, 16 SetEventMask, 17 SetEnterLeaveFunctionHooks,
    18 SetFunctionIDMapper, 19 GetTokenAndMetaDataFromFunction, 20 GetModuleInfo, 21 GetModuleMetaData,
    22 GetILFunctionBody, 23 GetILFunctionBodyAllocator, 24 SetILFunctionBody, 25 GetAppDomainInfo,
    26 GetAssemblyInfo, 27 SetFunctionReJIT, 28 ForceGC, 29 SetILInstrumentedCodeMap,
    30 GetInprocInspectionInterface, 31 GetInprocInspectionIThisThread, 32 GetThreadContext,
    33 BeginInprocDebugging, 34 EndInprocDebugging, 35 GetILToNativeMapping,
}

vtable! { ICorProfilerInfo2_Vtbl, 57 slots:
    36 DoStackSnapshot, 37 SetEnterLeaveFunctionHooks2, 38 GetFunctionInfo2, 39 GetStringLayout, 40 GetClassLayout,
    41 GetClassIDInfo2, 42 GetCodeInfo2, 43 GetClassFromTokenAndTypeArgs, 44 GetFunctionFromTokenAndTypeArgs,
    45 EnumModuleFrozenObjects, 46 GetArrayObjectInfo, 47 GetBoxClassLayout, 48 GetThreadAppDomain,
    49 GetRVAStaticAddress, 50 GetAppDomainStaticAddress, 51 GetThreadStaticAddress, 52 GetContextStaticAddress,
    53 GetStaticFieldInfo, 54 GetGenerationBounds, 55 GetObjectGeneration, 56 GetNotifiedExceptionClauseInfo,
}

vtable! { ICorProfilerInfo3_Vtbl, 71 slots:
    57 EnumJITedFunctions, 58 RequestProfilerDetach, 59 SetFunctionIDMapper2, 60 GetStringLayout2,
    61 SetEnterLeaveFunctionHooks3, 62 SetEnterLeaveFunctionHooks3WithInfo, 63 GetFunctionEnter3Info,
    64 GetFunctionLeave3Info, 65 GetFunctionTailcall3Info, 66 EnumModules, 67 GetRuntimeInformation,
    68 GetThreadStaticAddress2, 69 GetAppDomainsContainingModule, 70 GetModuleInfo2,
}

vtable! { ICorProfilerInfo4_Vtbl, 81 slots:
    71 EnumThreads, 72 InitializeCurrentThread, 73 RequestReJIT, 74 RequestRevert, 75 GetCodeInfo3,
    76 GetFunctionFromIP2, 77 GetReJITIDs, 78 GetILToNativeMapping2, 79 EnumJITedFunctions2, 80 GetObjectSize2,
}

vtable! { ICorProfilerInfo5_Vtbl, 83 slots:
    81 GetEventMask2, 82 SetEventMask2,
}

vtable! { ICorProfilerInfo6_Vtbl, 84 slots:
    83 EnumNgenModuleMethodsInliningThisMethod,
}

vtable! { ICorProfilerInfo7_Vtbl, 87 slots:
    84 ApplyMetaData, 85 GetInMemorySymbolsLength, 86 ReadInMemorySymbols,
}

vtable! { ICorProfilerInfo8_Vtbl, 90 slots:
    87 IsFunctionDynamic, 88 GetFunctionFromIP3, 89 GetDynamicFunctionInfo,
}

vtable! { ICorProfilerInfo9_Vtbl, 93 slots:
    90 GetNativeCodeStartAddresses, 91 GetILToNativeMapping3, 92 GetCodeInfo4,
}

vtable! { ICorProfilerInfo10_Vtbl, 99 slots:
    93 EnumerateObjectReferences, 94 IsFrozenObject, 95 GetLOHObjectSizeThreshold, 96 RequestReJITWithInliners,
    97 SuspendRuntime, 98 ResumeRuntime,
}

vtable! { ICorProfilerInfo11_Vtbl, 101 slots:
    99 GetEnvironmentVariable, 100 SetEnvironmentVariable,
}

vtable! { ICorProfilerInfo12_Vtbl, 108 slots:
    101 EventPipeStartSession, 102 EventPipeAddProviderToSession, 103 EventPipeStopSession,
    104 EventPipeCreateProvider, 105 EventPipeGetProviderInfo, 106 EventPipeDefineEvent, 107 EventPipeWriteEvent,
}

vtable! { ICorProfilerInfo13_Vtbl, 111 slots:
    108 CreateHandle, 109 DestroyHandle, 110 GetObjectIDFromHandle,
}

vtable! { ICorProfilerInfo14_Vtbl, 114 slots:
    111 EnumerateNonGCObjects, 112 GetNonGCHeapBounds, 113 EventPipeCreateProvider2,
}

vtable! { ICorProfilerInfo15_Vtbl, 115 slots:
    114 EnumerateGCHeapObjects,
}

vtable! { ICorProfilerObjectEnum_Vtbl, 8 slots:
    3 Skip, 4 Reset, 5 Clone, 6 GetCount, 7 Next,
}

vtable! { ICorProfilerFunctionEnum_Vtbl, 8 slots:
    3 Skip, 4 Reset, 5 Clone, 6 GetCount, 7 Next,
}

vtable! { ICorProfilerModuleEnum_Vtbl, 8 slots:
    3 Skip, 4 Reset, 5 Clone, 6 GetCount, 7 Next,
}

vtable! { ICorProfilerMethodEnum_Vtbl, 8 slots:
    3 Skip, 4 Reset, 5 Clone, 6 GetCount, 7 Next,
}

vtable! { ICorProfilerThreadEnum_Vtbl, 8 slots:
    3 Skip, 4 Reset, 5 Clone, 6 GetCount, 7 Next,
}

vtable! { ICorProfilerFunctionControl_Vtbl, 6 slots:
    3 SetCodegenFlags, 4 SetILFunctionBody, 5 SetILInstrumentedCodeMap,
}

vtable! { IMethodMalloc_Vtbl, 4 slots:
    3 Alloc,
}

vtable! { IClassFactory_Vtbl, 5 slots:
    3 CreateInstance, 4 LockServer,
}
