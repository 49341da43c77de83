//! A profiler that wants one callback: the others answer for themselves, and the one comes straight
//! through.
#![expect(
    unsafe_code,
    reason = "plays the CLR's part, which calls through vtables"
)]

use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::{null, null_mut};

use soglia_abi::hresult::{CORPROF_E_PROFILER_NOT_ATTACHABLE, E_FAIL, S_OK};
use soglia_abi::ids::*;
use soglia_abi::profiler::callback::*;
use soglia_abi::profiler::types::*;
use windows_core::{BOOL, ComObject, GUID, HRESULT, Interface, implement};

#[implement(ICorProfilerCallback11)]
#[derive(Default)]
struct Listener {
    heard: RefCell<Vec<String>>,
}

impl ProfilerCallback for Listener {
    unsafe fn Initialize(&self, info: *mut c_void) -> HRESULT {
        self.heard
            .borrow_mut()
            .push(format!("initialize {}", info.is_null()));
        E_FAIL
    }

    fn UnmanagedToManagedTransition(
        &self,
        function: FunctionId,
        reason: COR_PRF_TRANSITION_REASON,
    ) -> HRESULT {
        self.heard
            .borrow_mut()
            .push(format!("{function:?} {}", reason.0));
        S_OK
    }
}

fn listener() -> (ComObject<Listener>, ICorProfilerCallback11) {
    let object = ComObject::new(Listener::default());
    let clr = object.to_interface();
    (object, clr)
}

/// Slot `n` of an object, as a C compiler would find it.
fn slot(object: &ICorProfilerCallback11, n: usize) -> *const c_void {
    let object = object.as_raw().cast::<*const *const c_void>();
    // SAFETY: a COM object begins with the address of its vtable, and that has 98 slots.
    unsafe { (*object).add(n).read() }
}

#[test]
fn written_callbacks_are_called() {
    let (object, clr) = listener();
    // SAFETY: a live object; Initialize of this profiler does not use its pointer.
    unsafe {
        assert_eq!(clr.Initialize(null_mut()), E_FAIL);
        assert_eq!(
            clr.UnmanagedToManagedTransition(FunctionId::NULL, COR_PRF_TRANSITION_RETURN),
            S_OK
        );
    }
    assert_eq!(
        *object.heard.borrow(),
        ["initialize true", "FunctionId(0x0) 1"]
    );
}

#[test]
fn by_slot_number_as_the_clr_does() {
    type Transition = unsafe extern "system" fn(*mut c_void, usize, u32) -> i32;
    let (object, clr) = listener();
    // SAFETY: slots 40 and 41 are the two transitions, which have this signature.
    unsafe {
        let to_managed: Transition = std::mem::transmute(slot(&clr, 40));
        let to_unmanaged: Transition = std::mem::transmute(slot(&clr, 41));
        assert_eq!(to_managed(clr.as_raw(), 0x1000, 0), 0);
        assert_eq!(to_unmanaged(clr.as_raw(), 0x2000, 0), 0);
    }
    assert_eq!(
        *object.heard.borrow(),
        ["FunctionId(0x1000) 0"],
        "41 is not listened to"
    );
}

#[test]
fn the_others_say_s_ok() {
    let (object, clr) = listener();
    let (zero, one) = (BOOL(0), BOOL(1));
    let mut flag = one;
    // SAFETY: default answers do not read what they are given.
    let answers = unsafe {
        [
            clr.Shutdown(),
            clr.ModuleLoadFinished(ModuleId(1), E_FAIL),
            clr.JITCompilationStarted(FunctionId(1), zero),
            clr.JITCachedFunctionSearchStarted(FunctionId(1), &mut flag),
            clr.JITInlining(FunctionId(1), FunctionId(2), &mut flag),
            clr.ManagedToUnmanagedTransition(FunctionId(1), COR_PRF_TRANSITION_CALL),
            clr.RemotingClientSendingMessage(null(), zero),
            clr.MovedReferences(0, null(), null(), null()),
            clr.ThreadNameChanged(ThreadId(1), 0, null()),
            clr.RootReferences2(0, null(), null(), null(), null()),
            clr.GetReJITParameters(ModuleId(1), MdToken(0x0600_0001), null_mut()),
            clr.ConditionalWeakTableElementReferences(0, null(), null(), null()),
            clr.GetAssemblyReferences(null(), null_mut()),
            clr.ModuleInMemorySymbolsUpdated(ModuleId(1)),
            clr.DynamicMethodJITCompilationStarted(FunctionId(1), zero, null(), 0),
            clr.DynamicMethodUnloaded(FunctionId(1)),
            clr.EventPipeEventDelivered(
                1,
                2,
                3,
                0,
                null(),
                0,
                null(),
                null::<GUID>(),
                null::<GUID>(),
                ThreadId(1),
                0,
                null(),
            ),
        ]
    };
    assert_eq!(answers, [S_OK; 17]);
    assert_eq!(flag, one, "what the CLR proposed stands");
    assert!(object.heard.borrow().is_empty());
}

/// Attached without a word, a profiler would run uninitialised.
#[test]
fn attaching_has_to_be_wanted() {
    let (_object, clr) = listener();
    // SAFETY: the default answer does not read what it is given.
    let answer = unsafe { clr.InitializeForAttach(null_mut(), null(), 0) };
    assert_eq!(answer, CORPROF_E_PROFILER_NOT_ATTACHABLE);
}

#[test]
fn main_profiler_unless_it_says_otherwise() {
    let (_object, clr) = listener();
    let mut only_listens = BOOL(7);
    // SAFETY: a good pointer, then a null one.
    unsafe {
        assert_eq!(clr.LoadAsNotificationOnly(&mut only_listens), S_OK);
        assert_eq!(clr.LoadAsNotificationOnly(null_mut()), S_OK);
    }
    assert_eq!(only_listens, BOOL(0));
}
