//! QueryInterface over whole chains, and reference counts down to the last.
#![expect(
    unsafe_code,
    reason = "plays the CLR's part, which calls through vtables"
)]

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use soglia_abi::hosting::{
    clr_task::*, control::IHostControl, host_task::*, runtime_host::*, types::*,
};
use soglia_abi::hresult::*;
use soglia_abi::param::{Array, InOut, Lent, Out, Wide};
use soglia_abi::profiler::callback::*;
use soglia_abi::profiler::info::ICorProfilerInfo;
use windows_core::{BOOL, GUID, HRESULT, IUnknown, IUnknown_Vtbl, Interface, implement};

/// Set when its owner is dropped.
#[derive(Clone, Default)]
struct Dropped(Arc<AtomicBool>);

impl Dropped {
    fn seen(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The part of an object that raises the flag.
struct Raises(Dropped);

impl Drop for Raises {
    fn drop(&mut self) {
        assert!(!self.0.0.swap(true, Ordering::SeqCst), "dropped twice");
    }
}

/// Asks a C caller's way. Gives the answer and the pointer.
fn query(object: &IUnknown, iid: &GUID) -> (HRESULT, *mut c_void) {
    let mut out = std::ptr::dangling_mut();
    // SAFETY: a live object, an IID and a place for a pointer.
    let answer = unsafe { object.query(iid, &mut out) };
    (answer, out)
}

/// Drops one reference and gives the number that is left.
fn release(pointer: *mut c_void) -> u32 {
    // SAFETY: the tests hand in an owned reference; an object begins with the address of a vtable
    // that begins as IUnknown's does.
    unsafe { ((*(*pointer.cast::<*const IUnknown_Vtbl>())).Release)(pointer) }
}

/// Every interface of `chain` answers, at one address; what is not in it does not. Then the last
/// reference goes.
fn check(object: IUnknown, chain: &[GUID], dropped: &Dropped) {
    let mut first: *mut c_void = null_mut();
    for iid in chain {
        let (answer, pointer) = query(&object, iid);
        assert_eq!(answer, S_OK, "{iid:?}");
        assert!(!pointer.is_null());
        if first.is_null() {
            first = pointer;
        }
        assert_eq!(
            pointer, first,
            "a derived interface extends its base's vtable"
        );
        assert_eq!(release(pointer), 1, "{iid:?}");
    }

    let (answer, identity) = query(&object, &IUnknown::IID);
    assert_eq!(
        (answer, identity),
        (S_OK, object.as_raw()),
        "identity is one pointer"
    );
    assert_eq!(release(identity), 1);

    for stranger in [
        ICorProfilerInfo::IID,
        IHostTaskManager::IID,
        GUID::from_u128(0x5061),
    ] {
        assert_eq!(
            query(&object, &stranger),
            (E_NOINTERFACE, null_mut()),
            "{stranger:?}"
        );
    }
    // SAFETY: null is what is tested; the object refuses it.
    let refused = unsafe { object.query(&IUnknown::IID, null_mut()) };
    assert_eq!(refused, E_POINTER);

    assert!(!dropped.seen());
    assert_eq!(release(object.into_raw()), 0);
    assert!(dropped.seen());
}

#[implement(ICorProfilerCallback11)]
struct Profiler(#[expect(dead_code, reason = "kept for its Drop")] Raises);

impl ProfilerCallback for Profiler {}

#[test]
fn profiler_callbacks() {
    let dropped = Dropped::default();
    let chain = [
        ICorProfilerCallback::IID,
        ICorProfilerCallback2::IID,
        ICorProfilerCallback3::IID,
        ICorProfilerCallback4::IID,
        ICorProfilerCallback5::IID,
        ICorProfilerCallback6::IID,
        ICorProfilerCallback7::IID,
        ICorProfilerCallback8::IID,
        ICorProfilerCallback9::IID,
        ICorProfilerCallback10::IID,
        ICorProfilerCallback11::IID,
    ];
    check(Profiler(Raises(dropped.clone())).into(), &chain, &dropped);
}

#[implement(ICorProfilerCallback2)]
struct OldProfiler(#[expect(dead_code, reason = "kept for its Drop")] Raises);

impl ProfilerCallback for OldProfiler {}

/// An object is no more than it says it is: this one the CLR would not attach.
#[test]
fn a_profiler_of_the_old_kind() {
    let dropped = Dropped::default();
    let object: IUnknown = OldProfiler(Raises(dropped.clone())).into();
    assert_eq!(
        query(&object, &ICorProfilerCallback3::IID),
        (E_NOINTERFACE, null_mut())
    );
    check(
        object,
        &[ICorProfilerCallback::IID, ICorProfilerCallback2::IID],
        &dropped,
    );
}

/// Methods that the tests do not call.
macro_rules! not_implemented {
    ($($method:ident($($type:ty),*);)*) => {
        $(unsafe fn $method(&self, $(_: $type),*) -> HRESULT { E_NOTIMPL })*
    };
}

#[implement(ICLRTask2)]
struct Task(#[expect(dead_code, reason = "kept for its Drop")] Raises);

impl ICLRTask_Impl for Task_Impl {
    not_implemented! {
        SwitchIn(HANDLE);
        SwitchOut();
        GetMemStats(InOut<'_, COR_GC_THREAD_STATS>);
        Reset(BOOL);
        ExitTask();
        Abort();
        RudeAbort();
        NeedsPriorityScheduling(Out<'_, BOOL>);
        YieldTask();
        LocksHeld(Out<'_, usize>);
    }
    unsafe fn SetTaskIdentifier(&self, asked: TASKID) -> HRESULT {
        assert_eq!(asked, 0x1_0000_0002, "all 64 bits");
        S_OK
    }
}

impl ICLRTask2_Impl for Task_Impl {
    not_implemented! {
        BeginPreventAsyncAbort();
        EndPreventAsyncAbort();
    }
}

#[test]
fn clr_task() {
    let dropped = Dropped::default();
    let object: IUnknown = Task(Raises(dropped.clone())).into();
    let task: ICLRTask = object.cast().unwrap();
    // SAFETY: a live object, and a method without pointers.
    assert_eq!(unsafe { task.SetTaskIdentifier(0x1_0000_0002) }, S_OK);
    drop(task);
    check(object, &[ICLRTask::IID, ICLRTask2::IID], &dropped);
}

#[implement(ICLRRuntimeHost4)]
struct RuntimeHost(#[expect(dead_code, reason = "kept for its Drop")] Raises);

impl ICLRRuntimeHost_Impl for RuntimeHost_Impl {
    not_implemented! {
        Start();
        Stop();
        SetHostControl(Lent<'_, IHostControl>);
        GetCLRControl(Out<'_, *mut c_void>);
        UnloadAppDomain(u32, BOOL);
        ExecuteInAppDomain(u32, Option<FExecuteInAppDomainCallback>, *mut c_void);
        GetCurrentAppDomainId(Out<'_, u32>);
        ExecuteApplication(Wide<'_>, u32, Array<'_, Wide<'_>>, u32, Array<'_, Wide<'_>>, Out<'_, i32>);
        ExecuteInDefaultAppDomain(Wide<'_>, Wide<'_>, Wide<'_>, Wide<'_>, Out<'_, u32>);
    }
}

impl ICLRRuntimeHost2_Impl for RuntimeHost_Impl {
    not_implemented! {
        CreateAppDomainWithManager(
            Wide<'_>, u32, Wide<'_>, Wide<'_>, i32, Array<'_, Wide<'_>>, Array<'_, Wide<'_>>, Out<'_, u32>
        );
        CreateDelegate(u32, Wide<'_>, Wide<'_>, Wide<'_>, Out<'_, isize>);
        Authenticate(u64);
        RegisterMacEHPort();
        SetStartupFlags(u32);
        DllGetActivationFactory(u32, Wide<'_>, Out<'_, *mut c_void>);
        ExecuteAssembly(u32, Wide<'_>, i32, Array<'_, Wide<'_>>, Out<'_, u32>);
    }
}

impl ICLRRuntimeHost4_Impl for RuntimeHost_Impl {
    not_implemented! {
        UnloadAppDomain2(u32, BOOL, Out<'_, i32>);
    }
}

#[test]
fn clr_runtime_host() {
    let dropped = Dropped::default();
    let chain = [
        ICLRRuntimeHost::IID,
        ICLRRuntimeHost2::IID,
        ICLRRuntimeHost4::IID,
    ];
    check(
        RuntimeHost(Raises(dropped.clone())).into(),
        &chain,
        &dropped,
    );
}
