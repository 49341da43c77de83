//! `ICorProfilerCallback` to `ICorProfilerCallback11`: the callbacks that the CLR makes.
//!
//! There are eleven interfaces, each derived from the previous one. So one object with one vtable
//! of 98 slots serves every runtime from 2.0 to today. The CLR asks for the highest interface that
//! it knows, then for lower ones.
//!
//! The table below is the vtable, from top to bottom. Three things are made from it: the
//! interfaces, the trait [`ProfilerCallback`] that a profiler implements, and the calls from the
//! former to the latter.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each callback means"
)]
#![allow(non_snake_case, reason = "methods are spelled as in corprof.idl")]
#![allow(
    clippy::too_many_arguments,
    reason = "EventPipeEventDelivered has as many as it has"
)]

use core::ffi::c_void;

use windows_core::{BOOL, GUID, HRESULT, IUnknown, IUnknown_Vtbl, IUnknownImpl, interface};

use crate::hresult::{CORPROF_E_PROFILER_NOT_ATTACHABLE, S_OK};
use crate::ids::{
    AppDomainId, AssemblyId, ClassId, FunctionId, GCHandleId, MdMethodDef, ModuleId, ObjectId,
    ReJITId, ThreadId,
};
use crate::profiler::types::{
    COR_PRF_GC_REASON, COR_PRF_GC_ROOT_FLAGS, COR_PRF_GC_ROOT_KIND, COR_PRF_JIT_CACHE,
    COR_PRF_SUSPEND_REASON, COR_PRF_TRANSITION_REASON, EVENTPIPE_PROVIDER,
};

/// `[unsafe]` marks a callback that gets pointers, which the CLR vouches for. The expression behind
/// `=>` is the default result of a callback, and `S_OK` is the default of the others.
macro_rules! callbacks {
    ($(
        $(#[$doc:meta])*
        interface($iid:tt) $interface:ident ($implement:ident): $parent:ident {
            $([$($unsafe:tt)?] fn $method:ident($($arg:ident: $type:ty),*) $(=> $answer:expr)?;)*
        }
    )*) => {
        $(
            $(#[$doc])*
            #[interface($iid)]
            pub unsafe trait $interface: $parent {
                $(pub fn $method(&self, $($arg: $type),*) -> HRESULT;)*
            }
        )*

        /// The callbacks of a profiler. Each has a default result; write those that you need.
        ///
        /// A type with `#[implement(ICorProfilerCallback11)]` needs nothing else: the slots of the
        /// vtable call these methods directly. The event mask chooses which of them the CLR calls,
        /// except for `Initialize`, `Shutdown`, `LoadAsNotificationOnly` and the callbacks about
        /// attaching and detaching.
        ///
        /// # Safety
        ///
        /// Methods that take pointers are `unsafe`. Their caller, the CLR, promises that each
        /// pointer is null or valid for the call, and that the count beside it is right.
        pub trait ProfilerCallback {
            $($(
                #[inline]
                #[allow(unused_variables, reason = "an answer given unseen")]
                $($unsafe)? fn $method(&self, $($arg: $type),*) -> HRESULT {
                    callbacks!(@answer $($answer)?)
                }
            )*)*
        }

        $(
            impl<T> $implement for T
            where
                T: IUnknownImpl,
                T::Impl: ProfilerCallback,
            {
                $(
                    #[inline(always)]
                    #[allow(unused_unsafe, reason = "only callbacks with pointers are unsafe")]
                    unsafe fn $method(&self, $($arg: $type),*) -> HRESULT {
                        // SAFETY: the caller of this method makes the promises that the callback
                        // needs, and the arguments are passed on unchanged.
                        unsafe { ProfilerCallback::$method(self.get_impl(), $($arg),*) }
                    }
                )*
            }
        )*
    };
    (@answer) => { S_OK };
    (@answer $answer:expr) => { $answer };
}

callbacks! {
    /// Slots 3 to 71: the callbacks of .NET 1.
    interface("176FBED1-A55C-4796-98CA-A9DA0EF883E7")
    ICorProfilerCallback (ICorProfilerCallback_Impl): IUnknown {
        [unsafe] fn Initialize(pICorProfilerInfoUnk: *mut c_void);
        [] fn Shutdown();
        [] fn AppDomainCreationStarted(appDomainId: AppDomainId);
        [] fn AppDomainCreationFinished(appDomainId: AppDomainId, hrStatus: HRESULT);
        [] fn AppDomainShutdownStarted(appDomainId: AppDomainId);
        [] fn AppDomainShutdownFinished(appDomainId: AppDomainId, hrStatus: HRESULT);
        [] fn AssemblyLoadStarted(assemblyId: AssemblyId);
        [] fn AssemblyLoadFinished(assemblyId: AssemblyId, hrStatus: HRESULT);
        [] fn AssemblyUnloadStarted(assemblyId: AssemblyId);
        [] fn AssemblyUnloadFinished(assemblyId: AssemblyId, hrStatus: HRESULT);
        [] fn ModuleLoadStarted(moduleId: ModuleId);
        [] fn ModuleLoadFinished(moduleId: ModuleId, hrStatus: HRESULT);
        [] fn ModuleUnloadStarted(moduleId: ModuleId);
        [] fn ModuleUnloadFinished(moduleId: ModuleId, hrStatus: HRESULT);
        [] fn ModuleAttachedToAssembly(moduleId: ModuleId, assemblyId: AssemblyId);
        [] fn ClassLoadStarted(classId: ClassId);
        [] fn ClassLoadFinished(classId: ClassId, hrStatus: HRESULT);
        [] fn ClassUnloadStarted(classId: ClassId);
        [] fn ClassUnloadFinished(classId: ClassId, hrStatus: HRESULT);
        [] fn FunctionUnloadStarted(functionId: FunctionId);
        [] fn JITCompilationStarted(functionId: FunctionId, fIsSafeToBlock: BOOL);
        [] fn JITCompilationFinished(functionId: FunctionId, hrStatus: HRESULT, fIsSafeToBlock: BOOL);
        [unsafe] fn JITCachedFunctionSearchStarted(functionId: FunctionId, pbUseCachedFunction: *mut BOOL);
        [] fn JITCachedFunctionSearchFinished(functionId: FunctionId, result: COR_PRF_JIT_CACHE);
        [] fn JITFunctionPitched(functionId: FunctionId);
        [unsafe] fn JITInlining(callerId: FunctionId, calleeId: FunctionId, pfShouldInline: *mut BOOL);
        [] fn ThreadCreated(threadId: ThreadId);
        [] fn ThreadDestroyed(threadId: ThreadId);
        [] fn ThreadAssignedToOSThread(managedThreadId: ThreadId, osThreadId: u32);
        [] fn RemotingClientInvocationStarted();
        [unsafe] fn RemotingClientSendingMessage(pCookie: *const GUID, fIsAsync: BOOL);
        [unsafe] fn RemotingClientReceivingReply(pCookie: *const GUID, fIsAsync: BOOL);
        [] fn RemotingClientInvocationFinished();
        [unsafe] fn RemotingServerReceivingMessage(pCookie: *const GUID, fIsAsync: BOOL);
        [] fn RemotingServerInvocationStarted();
        [] fn RemotingServerInvocationReturned();
        [unsafe] fn RemotingServerSendingReply(pCookie: *const GUID, fIsAsync: BOOL);
        [] fn UnmanagedToManagedTransition(functionId: FunctionId, reason: COR_PRF_TRANSITION_REASON);
        [] fn ManagedToUnmanagedTransition(functionId: FunctionId, reason: COR_PRF_TRANSITION_REASON);
        [] fn RuntimeSuspendStarted(suspendReason: COR_PRF_SUSPEND_REASON);
        [] fn RuntimeSuspendFinished();
        [] fn RuntimeSuspendAborted();
        [] fn RuntimeResumeStarted();
        [] fn RuntimeResumeFinished();
        [] fn RuntimeThreadSuspended(threadId: ThreadId);
        [] fn RuntimeThreadResumed(threadId: ThreadId);
        [unsafe] fn MovedReferences(
            cMovedObjectIDRanges: u32,
            oldObjectIDRangeStart: *const ObjectId,
            newObjectIDRangeStart: *const ObjectId,
            cObjectIDRangeLength: *const u32
        );
        [] fn ObjectAllocated(objectId: ObjectId, classId: ClassId);
        [unsafe] fn ObjectsAllocatedByClass(cClassCount: u32, classIds: *const ClassId, cObjects: *const u32);
        [unsafe] fn ObjectReferences(
            objectId: ObjectId,
            classId: ClassId,
            cObjectRefs: u32,
            objectRefIds: *const ObjectId
        );
        [unsafe] fn RootReferences(cRootRefs: u32, rootRefIds: *const ObjectId);
        [] fn ExceptionThrown(thrownObjectId: ObjectId);
        [] fn ExceptionSearchFunctionEnter(functionId: FunctionId);
        [] fn ExceptionSearchFunctionLeave();
        [] fn ExceptionSearchFilterEnter(functionId: FunctionId);
        [] fn ExceptionSearchFilterLeave();
        [] fn ExceptionSearchCatcherFound(functionId: FunctionId);
        [] fn ExceptionOSHandlerEnter(__unused: usize);
        [] fn ExceptionOSHandlerLeave(__unused: usize);
        [] fn ExceptionUnwindFunctionEnter(functionId: FunctionId);
        [] fn ExceptionUnwindFunctionLeave();
        [] fn ExceptionUnwindFinallyEnter(functionId: FunctionId);
        [] fn ExceptionUnwindFinallyLeave();
        [] fn ExceptionCatcherEnter(functionId: FunctionId, objectId: ObjectId);
        [] fn ExceptionCatcherLeave();
        [unsafe] fn COMClassicVTableCreated(
            wrappedClassId: ClassId,
            implementedIID: *const GUID,
            pVTable: *mut c_void,
            cSlots: u32
        );
        [unsafe] fn COMClassicVTableDestroyed(
            wrappedClassId: ClassId,
            implementedIID: *const GUID,
            pVTable: *mut c_void
        );
        [] fn ExceptionCLRCatcherFound();
        [] fn ExceptionCLRCatcherExecute();
    }

    /// Slots 72 to 79: thread names, garbage collections, GC handles. Without it the CLR turns a
    /// profiler away.
    interface("8A8CC829-CCF2-49FE-BBAE-0F022228071A")
    ICorProfilerCallback2 (ICorProfilerCallback2_Impl): ICorProfilerCallback {
        [unsafe] fn ThreadNameChanged(threadId: ThreadId, cchName: u32, name: *const u16);
        [unsafe] fn GarbageCollectionStarted(
            cGenerations: i32,
            generationCollected: *const BOOL,
            reason: COR_PRF_GC_REASON
        );
        [unsafe] fn SurvivingReferences(
            cSurvivingObjectIDRanges: u32,
            objectIDRangeStart: *const ObjectId,
            cObjectIDRangeLength: *const u32
        );
        [] fn GarbageCollectionFinished();
        [] fn FinalizeableObjectQueued(finalizerFlags: u32, objectID: ObjectId);
        [unsafe] fn RootReferences2(
            cRootRefs: u32,
            rootRefIds: *const ObjectId,
            rootKinds: *const COR_PRF_GC_ROOT_KIND,
            rootFlags: *const COR_PRF_GC_ROOT_FLAGS,
            rootIds: *const usize
        );
        [] fn HandleCreated(handleId: GCHandleId, initialObjectId: ObjectId);
        [] fn HandleDestroyed(handleId: GCHandleId);
    }

    /// Slots 80 to 82: coming to a running process, and going.
    interface("4FD2ED52-7731-4B8D-9469-03D2CC3086C5")
    ICorProfilerCallback3 (ICorProfilerCallback3_Impl): ICorProfilerCallback2 {
        // With S_OK, a profiler without this callback would be attached without being initialised.
        [unsafe] fn InitializeForAttach(
            pCorProfilerInfoUnk: *mut c_void,
            pvClientData: *const c_void,
            cbClientData: u32
        ) => CORPROF_E_PROFILER_NOT_ATTACHABLE;
        [] fn ProfilerAttachComplete();
        [] fn ProfilerDetachSucceeded();
    }

    /// Slots 83 to 88: methods compiled again, and heap ranges beyond 4 GB.
    interface("7B63B2E3-107D-4D48-B2F6-F61E229470D2")
    ICorProfilerCallback4 (ICorProfilerCallback4_Impl): ICorProfilerCallback3 {
        [] fn ReJITCompilationStarted(functionId: FunctionId, rejitId: ReJITId, fIsSafeToBlock: BOOL);
        [unsafe] fn GetReJITParameters(moduleId: ModuleId, methodId: MdMethodDef, pFunctionControl: *mut c_void);
        [] fn ReJITCompilationFinished(
            functionId: FunctionId,
            rejitId: ReJITId,
            hrStatus: HRESULT,
            fIsSafeToBlock: BOOL
        );
        [] fn ReJITError(moduleId: ModuleId, methodId: MdMethodDef, functionId: FunctionId, hrStatus: HRESULT);
        [unsafe] fn MovedReferences2(
            cMovedObjectIDRanges: u32,
            oldObjectIDRangeStart: *const ObjectId,
            newObjectIDRangeStart: *const ObjectId,
            cObjectIDRangeLength: *const usize
        );
        [unsafe] fn SurvivingReferences2(
            cSurvivingObjectIDRanges: u32,
            objectIDRangeStart: *const ObjectId,
            cObjectIDRangeLength: *const usize
        );
    }

    /// Slot 89: dependent handles.
    interface("8DFBA405-8C9F-45F8-BFFA-83B14CEF78B5")
    ICorProfilerCallback5 (ICorProfilerCallback5_Impl): ICorProfilerCallback4 {
        [unsafe] fn ConditionalWeakTableElementReferences(
            cRootRefs: u32,
            keyRefIds: *const ObjectId,
            valueRefIds: *const ObjectId,
            rootIds: *const GCHandleId
        );
    }

    /// Slot 90: references that a profiler means to add to an assembly. .NET Core never calls it.
    interface("FC13DF4B-4448-4F4F-950C-BA8D19D00C36")
    ICorProfilerCallback6 (ICorProfilerCallback6_Impl): ICorProfilerCallback5 {
        [unsafe] fn GetAssemblyReferences(wszAssemblyPath: *const u16, pAsmRefProvider: *mut c_void);
    }

    /// Slot 91: symbols of modules that live in memory only.
    interface("F76A2DBA-1D52-4539-866C-2AA518F9EFC3")
    ICorProfilerCallback7 (ICorProfilerCallback7_Impl): ICorProfilerCallback6 {
        [] fn ModuleInMemorySymbolsUpdated(moduleId: ModuleId);
    }

    /// Slots 92 and 93: methods without metadata, IL stubs among them.
    interface("5BED9B15-C079-4D47-BFE2-215A140C07E0")
    ICorProfilerCallback8 (ICorProfilerCallback8_Impl): ICorProfilerCallback7 {
        [unsafe] fn DynamicMethodJITCompilationStarted(
            functionId: FunctionId,
            fIsSafeToBlock: BOOL,
            pILHeader: *const u8,
            cbILHeader: u32
        );
        [] fn DynamicMethodJITCompilationFinished(functionId: FunctionId, hrStatus: HRESULT, fIsSafeToBlock: BOOL);
    }

    /// Slot 94: the end of a method without metadata.
    interface("27583EC3-C8F5-482F-8052-194B8CE4705A")
    ICorProfilerCallback9 (ICorProfilerCallback9_Impl): ICorProfilerCallback8 {
        [] fn DynamicMethodUnloaded(functionId: FunctionId);
    }

    /// Slots 95 and 96: EventPipe events.
    interface("CEC5B60E-C69C-495F-87F6-84D28EE16FFB")
    ICorProfilerCallback10 (ICorProfilerCallback10_Impl): ICorProfilerCallback9 {
        [unsafe] fn EventPipeEventDelivered(
            provider: EVENTPIPE_PROVIDER,
            eventId: u32,
            eventVersion: u32,
            cbMetadataBlob: u32,
            metadataBlob: *const u8,
            cbEventData: u32,
            eventData: *const u8,
            pActivityId: *const GUID,
            pRelatedActivityId: *const GUID,
            eventThread: ThreadId,
            numStackFrames: u32,
            stackFrames: *const usize
        );
        [] fn EventPipeProviderCreated(provider: EVENTPIPE_PROVIDER);
    }

    /// Slot 97: main profiler, of which there is one, or one of several that only listen.
    interface("42350846-AAED-47F7-B128-FD0C98881CDE")
    ICorProfilerCallback11 (ICorProfilerCallback11_Impl): ICorProfilerCallback10 {
        [unsafe] fn LoadAsNotificationOnly(pbNotificationOnly: *mut BOOL) => {
            if !pbNotificationOnly.is_null() {
                // SAFETY: the CLR's pointer, not null, and good for this call.
                unsafe { pbNotificationOnly.write(BOOL(0)) };
            }
            S_OK
        };
    }
}
