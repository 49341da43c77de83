//! `ICorProfilerInfo5` to `ICorProfilerInfo15`, and two small interfaces for changing a method's
//! IL.
//!
//! .NET 8 has all of them except the last, and .NET 10 has that too (both measured). Use `cast`,
//! which fails if a runtime lacks one.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each method does"
)]
#![allow(non_snake_case, reason = "methods are spelled as in corprof.idl")]
#![allow(clippy::too_many_arguments, reason = "the ABI has as many as it has")]

use core::ffi::c_void;

use windows_core::{BOOL, GUID, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::ids::{FunctionId, MdMethodDef, ModuleId, ObjectId, ReJITId};
use crate::profiler::info::{ICorProfilerInfo4, ICorProfilerInfo4_Impl, ICorProfilerInfo4_Vtbl};
use crate::profiler::types::{
    COR_DEBUG_IL_TO_NATIVE_MAP, COR_IL_MAP, COR_PRF_CODE_INFO, COR_PRF_EVENT_DATA,
    COR_PRF_EVENTPIPE_PARAM_DESC, COR_PRF_EVENTPIPE_PROVIDER_CONFIG, COR_PRF_HANDLE_TYPE,
    COR_PRF_NONGC_HEAP_RANGE, EVENTPIPE_EVENT, EVENTPIPE_PROVIDER, EVENTPIPE_SESSION,
    EventPipeProviderCallback, ObjectCallback, ObjectHandleID, ObjectReferenceCallback,
};

/// Slots 81 and 82: the event mask with both halves.
#[interface("07602928-CE38-4B83-81E7-74ADAF781214")]
pub unsafe trait ICorProfilerInfo5: ICorProfilerInfo4 {
    pub fn GetEventMask2(&self, pdwEventsLow: *mut u32, pdwEventsHigh: *mut u32) -> HRESULT;
    pub fn SetEventMask2(&self, dwEventsLow: u32, dwEventsHigh: u32) -> HRESULT;
}

/// Slot 83: who inlined a method in ReadyToRun code.
#[interface("F30A070D-BFFB-46A7-B1D8-8781EF7B698A")]
pub unsafe trait ICorProfilerInfo6: ICorProfilerInfo5 {
    pub fn EnumNgenModuleMethodsInliningThisMethod(
        &self,
        inlinersModuleId: ModuleId,
        inlineeModuleId: ModuleId,
        inlineeMethodId: MdMethodDef,
        incompleteData: *mut BOOL,
        ppEnum: *mut *mut c_void,
    ) -> HRESULT;
}

/// Slots 84 to 86: metadata changed late, symbols in memory.
#[interface("9AEECC0D-63E0-4187-8C00-E312F503F663")]
pub unsafe trait ICorProfilerInfo7: ICorProfilerInfo6 {
    pub fn ApplyMetaData(&self, moduleId: ModuleId) -> HRESULT;
    pub fn GetInMemorySymbolsLength(
        &self,
        moduleId: ModuleId,
        pCountSymbolBytes: *mut u32,
    ) -> HRESULT;
    pub fn ReadInMemorySymbols(
        &self,
        moduleId: ModuleId,
        symbolsReadOffset: u32,
        pSymbolBytes: *mut u8,
        countSymbolBytes: u32,
        pCountSymbolBytesRead: *mut u32,
    ) -> HRESULT;
}

/// Slots 87 to 89: methods without metadata.
#[interface("C5AC80A6-782E-4716-8044-39598C60CFBF")]
pub unsafe trait ICorProfilerInfo8: ICorProfilerInfo7 {
    pub fn IsFunctionDynamic(&self, functionId: FunctionId, isDynamic: *mut BOOL) -> HRESULT;
    pub fn GetFunctionFromIP3(
        &self,
        ip: *const u8,
        functionId: *mut FunctionId,
        pReJitId: *mut ReJITId,
    ) -> HRESULT;
    pub fn GetDynamicFunctionInfo(
        &self,
        functionId: FunctionId,
        moduleId: *mut ModuleId,
        ppvSig: *mut *const u8,
        pbSig: *mut u32,
        cchName: u32,
        pcchName: *mut u32,
        wszName: *mut u16,
    ) -> HRESULT;
}

/// Slots 90 to 92: every compiled version of a method, by its address.
#[interface("008170DB-F8CC-4796-9A51-DC8AA0B47012")]
pub unsafe trait ICorProfilerInfo9: ICorProfilerInfo8 {
    pub fn GetNativeCodeStartAddresses(
        &self,
        functionID: FunctionId,
        reJitId: ReJITId,
        cCodeStartAddresses: u32,
        pcCodeStartAddresses: *mut u32,
        codeStartAddresses: *mut usize,
    ) -> HRESULT;
    pub fn GetILToNativeMapping3(
        &self,
        pNativeCodeStartAddress: usize,
        cMap: u32,
        pcMap: *mut u32,
        map: *mut COR_DEBUG_IL_TO_NATIVE_MAP,
    ) -> HRESULT;
    pub fn GetCodeInfo4(
        &self,
        pNativeCodeStartAddress: usize,
        cCodeInfos: u32,
        pcCodeInfos: *mut u32,
        codeInfos: *mut COR_PRF_CODE_INFO,
    ) -> HRESULT;
}

/// Slots 93 to 98: object references, recompiling with inliners, suspending the runtime.
#[interface("2F1B5152-C869-40C9-AA5F-3ABE026BD720")]
pub unsafe trait ICorProfilerInfo10: ICorProfilerInfo9 {
    pub fn EnumerateObjectReferences(
        &self,
        objectId: ObjectId,
        callback: Option<ObjectReferenceCallback>,
        clientData: *mut c_void,
    ) -> HRESULT;
    pub fn IsFrozenObject(&self, objectId: ObjectId, pbFrozen: *mut BOOL) -> HRESULT;
    pub fn GetLOHObjectSizeThreshold(&self, pThreshold: *mut u32) -> HRESULT;
    pub fn RequestReJITWithInliners(
        &self,
        dwRejitFlags: u32,
        cFunctions: u32,
        moduleIds: *const ModuleId,
        methodIds: *const MdMethodDef,
    ) -> HRESULT;
    pub fn SuspendRuntime(&self) -> HRESULT;
    pub fn ResumeRuntime(&self) -> HRESULT;
}

/// Slots 99 and 100: the environment as managed code sees it.
#[interface("06398876-8987-4154-B621-40A00D6E4D04")]
pub unsafe trait ICorProfilerInfo11: ICorProfilerInfo10 {
    /// `pcchValue` gets the length without the terminating zero, unlike that of every other string
    /// here.
    pub fn GetEnvironmentVariable(
        &self,
        szName: *const u16,
        cchValue: u32,
        pcchValue: *mut u32,
        szValue: *mut u16,
    ) -> HRESULT;
    pub fn SetEnvironmentVariable(&self, szName: *const u16, szValue: *const u16) -> HRESULT;
}

/// Slots 101 to 107: EventPipe.
#[interface("27B24CCD-1CB1-47C5-96EE-98190DC30959")]
pub unsafe trait ICorProfilerInfo12: ICorProfilerInfo11 {
    pub fn EventPipeStartSession(
        &self,
        cProviderConfigs: u32,
        pProviderConfigs: *const COR_PRF_EVENTPIPE_PROVIDER_CONFIG,
        requestRundown: BOOL,
        pSession: *mut EVENTPIPE_SESSION,
    ) -> HRESULT;
    /// Takes its struct by value, 32 bytes of it.
    pub fn EventPipeAddProviderToSession(
        &self,
        session: EVENTPIPE_SESSION,
        providerConfig: COR_PRF_EVENTPIPE_PROVIDER_CONFIG,
    ) -> HRESULT;
    pub fn EventPipeStopSession(&self, session: EVENTPIPE_SESSION) -> HRESULT;
    pub fn EventPipeCreateProvider(
        &self,
        providerName: *const u16,
        pProvider: *mut EVENTPIPE_PROVIDER,
    ) -> HRESULT;
    pub fn EventPipeGetProviderInfo(
        &self,
        provider: EVENTPIPE_PROVIDER,
        cchName: u32,
        pcchName: *mut u32,
        providerName: *mut u16,
    ) -> HRESULT;
    pub fn EventPipeDefineEvent(
        &self,
        provider: EVENTPIPE_PROVIDER,
        eventName: *const u16,
        eventID: u32,
        keywords: u64,
        eventVersion: u32,
        level: u32,
        opcode: u8,
        needStack: BOOL,
        cParamDescs: u32,
        pParamDescs: *const COR_PRF_EVENTPIPE_PARAM_DESC,
        pEvent: *mut EVENTPIPE_EVENT,
    ) -> HRESULT;
    pub fn EventPipeWriteEvent(
        &self,
        event: EVENTPIPE_EVENT,
        cData: u32,
        data: *const COR_PRF_EVENT_DATA,
        pActivityId: *const GUID,
        pRelatedActivityId: *const GUID,
    ) -> HRESULT;
}

/// Slots 108 to 110: GC handles.
#[interface("6E6C7EE2-0701-4EC2-9D29-2E8733B66934")]
pub unsafe trait ICorProfilerInfo13: ICorProfilerInfo12 {
    pub fn CreateHandle(
        &self,
        object: ObjectId,
        r#type: COR_PRF_HANDLE_TYPE,
        pHandle: *mut ObjectHandleID,
    ) -> HRESULT;
    pub fn DestroyHandle(&self, handle: ObjectHandleID) -> HRESULT;
    pub fn GetObjectIDFromHandle(&self, handle: ObjectHandleID, pObject: *mut ObjectId) -> HRESULT;
}

/// Slots 111 to 113: objects outside the GC heap, and EventPipe providers that get callbacks
/// about their sessions.
#[interface("F460E352-D76D-4FE9-835F-F6AF9D6E862D")]
pub unsafe trait ICorProfilerInfo14: ICorProfilerInfo13 {
    pub fn EnumerateNonGCObjects(&self, ppEnum: *mut *mut c_void) -> HRESULT;
    pub fn GetNonGCHeapBounds(
        &self,
        cObjectRanges: u32,
        pcObjectRanges: *mut u32,
        ranges: *mut COR_PRF_NONGC_HEAP_RANGE,
    ) -> HRESULT;
    pub fn EventPipeCreateProvider2(
        &self,
        providerName: *const u16,
        pCallback: Option<EventPipeProviderCallback>,
        pProvider: *mut EVENTPIPE_PROVIDER,
    ) -> HRESULT;
}

/// Slot 114: the whole heap.
#[interface("B446462D-BD22-41DD-872D-DC714C49EB56")]
pub unsafe trait ICorProfilerInfo15: ICorProfilerInfo14 {
    pub fn EnumerateGCHeapObjects(
        &self,
        callback: Option<ObjectCallback>,
        callbackState: *mut c_void,
    ) -> HRESULT;
}

/// What `GetReJITParameters` gets, to say how one method is to be compiled again.
#[interface("F0963021-E1EA-4732-8581-E01B0BD3C0C6")]
pub unsafe trait ICorProfilerFunctionControl: IUnknown {
    pub fn SetCodegenFlags(&self, flags: u32) -> HRESULT;
    pub fn SetILFunctionBody(
        &self,
        cbNewILMethodHeader: u32,
        pbNewILMethodHeader: *const u8,
    ) -> HRESULT;
    pub fn SetILInstrumentedCodeMap(
        &self,
        cILMapEntries: u32,
        rgILMapEntries: *const COR_IL_MAP,
    ) -> HRESULT;
}

/// Memory for a method's new IL, from `GetILFunctionBodyAllocator`. It is never freed.
#[interface("A0EFB28B-6EE2-4D7B-B983-A75EF7BEEDB8")]
pub unsafe trait IMethodMalloc: IUnknown {
    /// Null when there is none; not an HRESULT.
    pub fn Alloc(&self, cb: u32) -> *mut c_void;
}
