//! `ICorProfilerInfo` to `ICorProfilerInfo4`: questions that the CLR answers.
//!
//! A buffer that a method fills (`szName`, `map`, ...) is a pointer and a count of elements. Both
//! may be null and zero to get the size. An interface comes out with a reference that the caller
//! releases.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each method does"
)]
#![allow(non_snake_case, reason = "methods are spelled as in corprof.idl")]
#![allow(clippy::too_many_arguments, reason = "the ABI has as many as it has")]

use core::ffi::c_void;

use windows_core::{BOOL, GUID, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::ids::{
    AppDomainId, AssemblyId, ClassId, ContextId, FunctionId, MdFieldDef, MdMethodDef, MdToken,
    MdTypeDef, ModuleId, ObjectId, ProcessId, ReJITId, ThreadId,
};
use crate::profiler::types::{
    COR_DEBUG_IL_TO_NATIVE_MAP, COR_FIELD_OFFSET, COR_IL_MAP, COR_PRF_CODE_INFO, COR_PRF_ELT_INFO,
    COR_PRF_EX_CLAUSE_INFO, COR_PRF_FRAME_INFO, COR_PRF_FUNCTION, COR_PRF_FUNCTION_ARGUMENT_INFO,
    COR_PRF_FUNCTION_ARGUMENT_RANGE, COR_PRF_GC_GENERATION_RANGE, COR_PRF_METHOD,
    COR_PRF_RUNTIME_TYPE, COR_PRF_STATIC_TYPE, FunctionHook, FunctionIDMapper, FunctionIDMapper2,
    StackSnapshotCallback,
};

/// Slots 3 to 35.
#[interface("28B5557D-3F3F-48B4-90B2-5F9EEA2F6C48")]
pub unsafe trait ICorProfilerInfo: IUnknown {
    pub fn GetClassFromObject(&self, objectId: ObjectId, pClassId: *mut ClassId) -> HRESULT;
    pub fn GetClassFromToken(
        &self,
        moduleId: ModuleId,
        typeDef: MdTypeDef,
        pClassId: *mut ClassId,
    ) -> HRESULT;
    pub fn GetCodeInfo(
        &self,
        functionId: FunctionId,
        pStart: *mut *const u8,
        pcSize: *mut u32,
    ) -> HRESULT;
    pub fn GetEventMask(&self, pdwEvents: *mut u32) -> HRESULT;
    pub fn GetFunctionFromIP(&self, ip: *const u8, pFunctionId: *mut FunctionId) -> HRESULT;
    pub fn GetFunctionFromToken(
        &self,
        moduleId: ModuleId,
        token: MdToken,
        pFunctionId: *mut FunctionId,
    ) -> HRESULT;
    pub fn GetHandleFromThread(&self, threadId: ThreadId, phThread: *mut *mut c_void) -> HRESULT;
    pub fn GetObjectSize(&self, objectId: ObjectId, pcSize: *mut u32) -> HRESULT;
    pub fn IsArrayClass(
        &self,
        classId: ClassId,
        pBaseElemType: *mut u32,
        pBaseClassId: *mut ClassId,
        pcRank: *mut u32,
    ) -> HRESULT;
    pub fn GetThreadInfo(&self, threadId: ThreadId, pdwWin32ThreadId: *mut u32) -> HRESULT;
    pub fn GetCurrentThreadID(&self, pThreadId: *mut ThreadId) -> HRESULT;
    pub fn GetClassIDInfo(
        &self,
        classId: ClassId,
        pModuleId: *mut ModuleId,
        pTypeDefToken: *mut MdTypeDef,
    ) -> HRESULT;
    pub fn GetFunctionInfo(
        &self,
        functionId: FunctionId,
        pClassId: *mut ClassId,
        pModuleId: *mut ModuleId,
        pToken: *mut MdToken,
    ) -> HRESULT;
    pub fn SetEventMask(&self, dwEvents: u32) -> HRESULT;
    pub fn SetEnterLeaveFunctionHooks(
        &self,
        pFuncEnter: FunctionHook,
        pFuncLeave: FunctionHook,
        pFuncTailcall: FunctionHook,
    ) -> HRESULT;
    pub fn SetFunctionIDMapper(&self, pFunc: Option<FunctionIDMapper>) -> HRESULT;
    pub fn GetTokenAndMetaDataFromFunction(
        &self,
        functionId: FunctionId,
        riid: *const GUID,
        ppImport: *mut *mut c_void,
        pToken: *mut MdToken,
    ) -> HRESULT;
    pub fn GetModuleInfo(
        &self,
        moduleId: ModuleId,
        ppBaseLoadAddress: *mut *const u8,
        cchName: u32,
        pcchName: *mut u32,
        szName: *mut u16,
        pAssemblyId: *mut AssemblyId,
    ) -> HRESULT;
    pub fn GetModuleMetaData(
        &self,
        moduleId: ModuleId,
        dwOpenFlags: u32,
        riid: *const GUID,
        ppOut: *mut *mut c_void,
    ) -> HRESULT;
    pub fn GetILFunctionBody(
        &self,
        moduleId: ModuleId,
        methodId: MdMethodDef,
        ppMethodHeader: *mut *const u8,
        pcbMethodSize: *mut u32,
    ) -> HRESULT;
    pub fn GetILFunctionBodyAllocator(
        &self,
        moduleId: ModuleId,
        ppMalloc: *mut *mut c_void,
    ) -> HRESULT;
    pub fn SetILFunctionBody(
        &self,
        moduleId: ModuleId,
        methodid: MdMethodDef,
        pbNewILMethodHeader: *const u8,
    ) -> HRESULT;
    pub fn GetAppDomainInfo(
        &self,
        appDomainId: AppDomainId,
        cchName: u32,
        pcchName: *mut u32,
        szName: *mut u16,
        pProcessId: *mut ProcessId,
    ) -> HRESULT;
    pub fn GetAssemblyInfo(
        &self,
        assemblyId: AssemblyId,
        cchName: u32,
        pcchName: *mut u32,
        szName: *mut u16,
        pAppDomainId: *mut AppDomainId,
        pModuleId: *mut ModuleId,
    ) -> HRESULT;
    pub fn SetFunctionReJIT(&self, functionId: FunctionId) -> HRESULT;
    pub fn ForceGC(&self) -> HRESULT;
    pub fn SetILInstrumentedCodeMap(
        &self,
        functionId: FunctionId,
        fStartJit: BOOL,
        cILMapEntries: u32,
        rgILMapEntries: *const COR_IL_MAP,
    ) -> HRESULT;
    pub fn GetInprocInspectionInterface(&self, ppicd: *mut *mut c_void) -> HRESULT;
    pub fn GetInprocInspectionIThisThread(&self, ppicd: *mut *mut c_void) -> HRESULT;
    pub fn GetThreadContext(&self, threadId: ThreadId, pContextId: *mut ContextId) -> HRESULT;
    pub fn BeginInprocDebugging(
        &self,
        fThisThreadOnly: BOOL,
        pdwProfilerContext: *mut u32,
    ) -> HRESULT;
    pub fn EndInprocDebugging(&self, dwProfilerContext: u32) -> HRESULT;
    pub fn GetILToNativeMapping(
        &self,
        functionId: FunctionId,
        cMap: u32,
        pcMap: *mut u32,
        map: *mut COR_DEBUG_IL_TO_NATIVE_MAP,
    ) -> HRESULT;
}

/// Slots 36 to 56.
#[interface("CC0935CD-A518-487D-B0BB-A93214E65478")]
pub unsafe trait ICorProfilerInfo2: ICorProfilerInfo {
    pub fn DoStackSnapshot(
        &self,
        thread: ThreadId,
        callback: Option<StackSnapshotCallback>,
        infoFlags: u32,
        clientData: *mut c_void,
        context: *const u8,
        contextSize: u32,
    ) -> HRESULT;
    pub fn SetEnterLeaveFunctionHooks2(
        &self,
        pFuncEnter: FunctionHook,
        pFuncLeave: FunctionHook,
        pFuncTailcall: FunctionHook,
    ) -> HRESULT;
    pub fn GetFunctionInfo2(
        &self,
        funcId: FunctionId,
        frameInfo: COR_PRF_FRAME_INFO,
        pClassId: *mut ClassId,
        pModuleId: *mut ModuleId,
        pToken: *mut MdToken,
        cTypeArgs: u32,
        pcTypeArgs: *mut u32,
        typeArgs: *mut ClassId,
    ) -> HRESULT;
    pub fn GetStringLayout(
        &self,
        pBufferLengthOffset: *mut u32,
        pStringLengthOffset: *mut u32,
        pBufferOffset: *mut u32,
    ) -> HRESULT;
    pub fn GetClassLayout(
        &self,
        classID: ClassId,
        rFieldOffset: *mut COR_FIELD_OFFSET,
        cFieldOffset: u32,
        pcFieldOffset: *mut u32,
        pulClassSize: *mut u32,
    ) -> HRESULT;
    pub fn GetClassIDInfo2(
        &self,
        classId: ClassId,
        pModuleId: *mut ModuleId,
        pTypeDefToken: *mut MdTypeDef,
        pParentClassId: *mut ClassId,
        cNumTypeArgs: u32,
        pcNumTypeArgs: *mut u32,
        typeArgs: *mut ClassId,
    ) -> HRESULT;
    pub fn GetCodeInfo2(
        &self,
        functionID: FunctionId,
        cCodeInfos: u32,
        pcCodeInfos: *mut u32,
        codeInfos: *mut COR_PRF_CODE_INFO,
    ) -> HRESULT;
    pub fn GetClassFromTokenAndTypeArgs(
        &self,
        moduleID: ModuleId,
        typeDef: MdTypeDef,
        cTypeArgs: u32,
        typeArgs: *const ClassId,
        pClassID: *mut ClassId,
    ) -> HRESULT;
    pub fn GetFunctionFromTokenAndTypeArgs(
        &self,
        moduleID: ModuleId,
        funcDef: MdMethodDef,
        classId: ClassId,
        cTypeArgs: u32,
        typeArgs: *const ClassId,
        pFunctionID: *mut FunctionId,
    ) -> HRESULT;
    pub fn EnumModuleFrozenObjects(&self, moduleID: ModuleId, ppEnum: *mut *mut c_void) -> HRESULT;
    pub fn GetArrayObjectInfo(
        &self,
        objectId: ObjectId,
        cDimensions: u32,
        pDimensionSizes: *mut u32,
        pDimensionLowerBounds: *mut i32,
        ppData: *mut *mut u8,
    ) -> HRESULT;
    pub fn GetBoxClassLayout(&self, classId: ClassId, pBufferOffset: *mut u32) -> HRESULT;
    pub fn GetThreadAppDomain(&self, threadId: ThreadId, pAppDomainId: *mut AppDomainId)
    -> HRESULT;
    pub fn GetRVAStaticAddress(
        &self,
        classId: ClassId,
        fieldToken: MdFieldDef,
        ppAddress: *mut *mut c_void,
    ) -> HRESULT;
    pub fn GetAppDomainStaticAddress(
        &self,
        classId: ClassId,
        fieldToken: MdFieldDef,
        appDomainId: AppDomainId,
        ppAddress: *mut *mut c_void,
    ) -> HRESULT;
    pub fn GetThreadStaticAddress(
        &self,
        classId: ClassId,
        fieldToken: MdFieldDef,
        threadId: ThreadId,
        ppAddress: *mut *mut c_void,
    ) -> HRESULT;
    pub fn GetContextStaticAddress(
        &self,
        classId: ClassId,
        fieldToken: MdFieldDef,
        contextId: ContextId,
        ppAddress: *mut *mut c_void,
    ) -> HRESULT;
    pub fn GetStaticFieldInfo(
        &self,
        classId: ClassId,
        fieldToken: MdFieldDef,
        pFieldInfo: *mut COR_PRF_STATIC_TYPE,
    ) -> HRESULT;
    pub fn GetGenerationBounds(
        &self,
        cObjectRanges: u32,
        pcObjectRanges: *mut u32,
        ranges: *mut COR_PRF_GC_GENERATION_RANGE,
    ) -> HRESULT;
    pub fn GetObjectGeneration(
        &self,
        objectId: ObjectId,
        range: *mut COR_PRF_GC_GENERATION_RANGE,
    ) -> HRESULT;
    pub fn GetNotifiedExceptionClauseInfo(&self, pinfo: *mut COR_PRF_EX_CLAUSE_INFO) -> HRESULT;
}

/// Slots 57 to 70.
#[interface("B555ED4F-452A-4E54-8B39-B5360BAD32A0")]
pub unsafe trait ICorProfilerInfo3: ICorProfilerInfo2 {
    pub fn EnumJITedFunctions(&self, ppEnum: *mut *mut c_void) -> HRESULT;
    pub fn RequestProfilerDetach(&self, dwExpectedCompletionMilliseconds: u32) -> HRESULT;
    pub fn SetFunctionIDMapper2(
        &self,
        pFunc: Option<FunctionIDMapper2>,
        clientData: *mut c_void,
    ) -> HRESULT;
    pub fn GetStringLayout2(
        &self,
        pStringLengthOffset: *mut u32,
        pBufferOffset: *mut u32,
    ) -> HRESULT;
    pub fn SetEnterLeaveFunctionHooks3(
        &self,
        pFuncEnter3: FunctionHook,
        pFuncLeave3: FunctionHook,
        pFuncTailcall3: FunctionHook,
    ) -> HRESULT;
    pub fn SetEnterLeaveFunctionHooks3WithInfo(
        &self,
        pFuncEnter3WithInfo: FunctionHook,
        pFuncLeave3WithInfo: FunctionHook,
        pFuncTailcall3WithInfo: FunctionHook,
    ) -> HRESULT;
    pub fn GetFunctionEnter3Info(
        &self,
        functionId: FunctionId,
        eltInfo: COR_PRF_ELT_INFO,
        pFrameInfo: *mut COR_PRF_FRAME_INFO,
        pcbArgumentInfo: *mut u32,
        pArgumentInfo: *mut COR_PRF_FUNCTION_ARGUMENT_INFO,
    ) -> HRESULT;
    pub fn GetFunctionLeave3Info(
        &self,
        functionId: FunctionId,
        eltInfo: COR_PRF_ELT_INFO,
        pFrameInfo: *mut COR_PRF_FRAME_INFO,
        pRetvalRange: *mut COR_PRF_FUNCTION_ARGUMENT_RANGE,
    ) -> HRESULT;
    pub fn GetFunctionTailcall3Info(
        &self,
        functionId: FunctionId,
        eltInfo: COR_PRF_ELT_INFO,
        pFrameInfo: *mut COR_PRF_FRAME_INFO,
    ) -> HRESULT;
    pub fn EnumModules(&self, ppEnum: *mut *mut c_void) -> HRESULT;
    pub fn GetRuntimeInformation(
        &self,
        pClrInstanceId: *mut u16,
        pRuntimeType: *mut COR_PRF_RUNTIME_TYPE,
        pMajorVersion: *mut u16,
        pMinorVersion: *mut u16,
        pBuildNumber: *mut u16,
        pQFEVersion: *mut u16,
        cchVersionString: u32,
        pcchVersionString: *mut u32,
        szVersionString: *mut u16,
    ) -> HRESULT;
    pub fn GetThreadStaticAddress2(
        &self,
        classId: ClassId,
        fieldToken: MdFieldDef,
        appDomainId: AppDomainId,
        threadId: ThreadId,
        ppAddress: *mut *mut c_void,
    ) -> HRESULT;
    pub fn GetAppDomainsContainingModule(
        &self,
        moduleId: ModuleId,
        cAppDomainIds: u32,
        pcAppDomainIds: *mut u32,
        appDomainIds: *mut AppDomainId,
    ) -> HRESULT;
    pub fn GetModuleInfo2(
        &self,
        moduleId: ModuleId,
        ppBaseLoadAddress: *mut *const u8,
        cchName: u32,
        pcchName: *mut u32,
        szName: *mut u16,
        pAssemblyId: *mut AssemblyId,
        pdwModuleFlags: *mut u32,
    ) -> HRESULT;
}

/// Slots 71 to 80.
#[interface("0D8FDCAA-6257-47BF-B1BF-94DAC88466EE")]
pub unsafe trait ICorProfilerInfo4: ICorProfilerInfo3 {
    pub fn EnumThreads(&self, ppEnum: *mut *mut c_void) -> HRESULT;
    pub fn InitializeCurrentThread(&self) -> HRESULT;
    pub fn RequestReJIT(
        &self,
        cFunctions: u32,
        moduleIds: *const ModuleId,
        methodIds: *const MdMethodDef,
    ) -> HRESULT;
    pub fn RequestRevert(
        &self,
        cFunctions: u32,
        moduleIds: *const ModuleId,
        methodIds: *const MdMethodDef,
        status: *mut HRESULT,
    ) -> HRESULT;
    pub fn GetCodeInfo3(
        &self,
        functionID: FunctionId,
        reJitId: ReJITId,
        cCodeInfos: u32,
        pcCodeInfos: *mut u32,
        codeInfos: *mut COR_PRF_CODE_INFO,
    ) -> HRESULT;
    pub fn GetFunctionFromIP2(
        &self,
        ip: *const u8,
        pFunctionId: *mut FunctionId,
        pReJitId: *mut ReJITId,
    ) -> HRESULT;
    pub fn GetReJITIDs(
        &self,
        functionId: FunctionId,
        cReJitIds: u32,
        pcReJitIds: *mut u32,
        reJitIds: *mut ReJITId,
    ) -> HRESULT;
    pub fn GetILToNativeMapping2(
        &self,
        functionId: FunctionId,
        reJitId: ReJITId,
        cMap: u32,
        pcMap: *mut u32,
        map: *mut COR_DEBUG_IL_TO_NATIVE_MAP,
    ) -> HRESULT;
    pub fn EnumJITedFunctions2(&self, ppEnum: *mut *mut c_void) -> HRESULT;
    pub fn GetObjectSize2(&self, objectId: ObjectId, pcSize: *mut usize) -> HRESULT;
}

/// The five enumerators differ only in what `Next` stores.
macro_rules! enumerators {
    ($($(#[$doc:meta])* interface($iid:tt) $name:ident of $item:ty;)*) => {$(
        $(#[$doc])*
        #[interface($iid)]
        pub unsafe trait $name: IUnknown {
            pub fn Skip(&self, celt: u32) -> HRESULT;
            pub fn Reset(&self) -> HRESULT;
            pub fn Clone(&self, ppEnum: *mut *mut c_void) -> HRESULT;
            pub fn GetCount(&self, pcelt: *mut u32) -> HRESULT;
            pub fn Next(&self, celt: u32, items: *mut $item, pceltFetched: *mut u32) -> HRESULT;
        }
    )*};
}

enumerators! {
    /// Objects.
    interface("2C6269BD-2D13-4321-AE12-6686365FD6AF") ICorProfilerObjectEnum of ObjectId;
    /// Compiled functions.
    interface("FF71301A-B994-429D-A10B-B345A65280EF") ICorProfilerFunctionEnum of COR_PRF_FUNCTION;
    /// Loaded modules.
    interface("B0266D75-2081-4493-AF7F-028BA34DB891") ICorProfilerModuleEnum of ModuleId;
    /// Methods.
    interface("FCCEE788-0088-454B-A811-C99F298D1942") ICorProfilerMethodEnum of COR_PRF_METHOD;
    /// Managed threads.
    interface("571194F7-25ED-419F-AA8B-7016B3159701") ICorProfilerThreadEnum of ThreadId;
}
