//! A host with all the managers that can be asked for, which writes down its notifications.

use std::{
    ffi::c_void,
    ptr::null_mut,
    sync::{Arc, Mutex},
};

use soglia_abi::{
    BOOL, GUID, HRESULT,
    hosting::{
        control::{IHostControl, IHostControl_Impl},
        gc::{IHostGCManager, IHostGCManager_Impl},
        host_task::{IHostTaskManager, IHostTaskManager_Impl},
        policy::{EClrEvent, IActionOnCLREvent, IActionOnCLREvent_Impl},
        types::LPTHREAD_START_ROUTINE,
    },
    hresult::{E_FAIL, E_NOINTERFACE, E_NOTIMPL, S_FALSE, S_OK},
};
use windows_core::{ComObject, Interface, implement};

#[derive(Default)]
pub struct Told {
    /// IIDs, in the order in which they were asked for.
    pub asked: Vec<GUID>,
    pub clr_task_manager: usize,
}

/// What of a task manager to give out.
#[derive(Clone, Copy, PartialEq)]
pub enum Gives {
    Nothing,
    TaskManager,
    /// One whose first answer is E_FAIL.
    BrokenTaskManager,
    GcManager,
    /// With a code that is a success, and yet not S_OK.
    TaskManagerWithFalse,
    /// S_OK, but null.
    Null,
}

#[implement(IHostControl)]
pub struct Control {
    pub told: Arc<Mutex<Told>>,
    pub gives: Gives,
}

pub fn control(gives: Gives) -> (IHostControl, Arc<Mutex<Told>>) {
    let told = Arc::<Mutex<Told>>::default();
    let control = Control {
        told: told.clone(),
        gives,
    };
    (ComObject::new(control).into_interface(), told)
}

impl IHostControl_Impl for Control_Impl {
    unsafe fn GetHostManager(&self, id: *const GUID, object: *mut *mut c_void) -> HRESULT {
        // SAFETY: valid pointers, from the library under test.
        let (id, object) = unsafe { (*id, &mut *object) };
        self.told.lock().unwrap().asked.push(id);
        *object = null_mut();
        let manager = || -> IHostTaskManager {
            let broken = self.gives == Gives::BrokenTaskManager;
            ComObject::new(TaskManager(self.told.clone(), broken)).into_interface()
        };
        match (self.gives, id) {
            (Gives::TaskManager | Gives::BrokenTaskManager, IHostTaskManager::IID) => {
                *object = manager().into_raw()
            }
            (Gives::TaskManagerWithFalse, IHostTaskManager::IID) => {
                *object = manager().into_raw();
                return S_FALSE;
            }
            (Gives::GcManager, IHostGCManager::IID) => {
                let manager: IHostGCManager = ComObject::new(GcManager).into_interface();
                *object = manager.into_raw();
            }
            (Gives::Null, _) => {}
            _ => return E_NOINTERFACE,
        }
        S_OK
    }

    unsafe fn SetAppDomainManager(&self, _domain: u32, _manager: *mut c_void) -> HRESULT {
        E_NOTIMPL
    }
}

#[implement(IHostTaskManager)]
struct TaskManager(Arc<Mutex<Told>>, bool);

impl IHostTaskManager_Impl for TaskManager_Impl {
    unsafe fn GetCurrentTask(&self, task: *mut *mut c_void) -> HRESULT {
        // SAFETY: a valid pointer, from the library under test.
        unsafe { *task = null_mut() };
        S_OK
    }
    unsafe fn CreateTask(
        &self,
        _stack: u32,
        _start: Option<LPTHREAD_START_ROUTINE>,
        _parameter: *mut c_void,
        _task: *mut *mut c_void,
    ) -> HRESULT {
        E_NOTIMPL
    }
    unsafe fn Sleep(&self, _milliseconds: u32, _option: u32) -> HRESULT {
        E_NOTIMPL
    }
    unsafe fn SwitchToTask(&self, _option: u32) -> HRESULT {
        E_NOTIMPL
    }
    unsafe fn SetUILocale(&self, _lcid: u32) -> HRESULT {
        E_NOTIMPL
    }
    unsafe fn SetLocale(&self, _lcid: u32) -> HRESULT {
        E_NOTIMPL
    }
    unsafe fn CallNeedsHostHook(&self, _target: usize, hook: *mut BOOL) -> HRESULT {
        // SAFETY: a valid pointer, from the library under test.
        unsafe { *hook = true.into() };
        S_OK
    }
    unsafe fn LeaveRuntime(&self, _target: usize) -> HRESULT {
        S_OK
    }
    unsafe fn EnterRuntime(&self) -> HRESULT {
        S_OK
    }
    unsafe fn ReverseLeaveRuntime(&self) -> HRESULT {
        S_OK
    }
    unsafe fn ReverseEnterRuntime(&self) -> HRESULT {
        S_OK
    }
    unsafe fn BeginDelayAbort(&self) -> HRESULT {
        S_OK
    }
    unsafe fn EndDelayAbort(&self) -> HRESULT {
        S_OK
    }
    unsafe fn BeginThreadAffinity(&self) -> HRESULT {
        S_OK
    }
    unsafe fn EndThreadAffinity(&self) -> HRESULT {
        S_OK
    }
    unsafe fn SetStackGuarantee(&self, _guarantee: u32) -> HRESULT {
        E_NOTIMPL
    }
    unsafe fn GetStackGuarantee(&self, _guarantee: *mut u32) -> HRESULT {
        E_NOTIMPL
    }
    unsafe fn SetCLRTaskManager(&self, manager: *mut c_void) -> HRESULT {
        self.0.lock().unwrap().clr_task_manager = manager as usize;
        if self.1 { E_FAIL } else { S_OK }
    }
}

#[implement(IHostGCManager)]
struct GcManager;

impl IHostGCManager_Impl for GcManager_Impl {
    unsafe fn ThreadIsBlockingForSuspension(&self) -> HRESULT {
        S_OK
    }
    unsafe fn SuspensionStarting(&self) -> HRESULT {
        S_OK
    }
    unsafe fn SuspensionEnding(&self, _generation: u32) -> HRESULT {
        S_OK
    }
}

/// Says which event came.
#[implement(IActionOnCLREvent)]
struct Action;

pub fn action() -> IActionOnCLREvent {
    ComObject::new(Action).into_interface()
}

impl IActionOnCLREvent_Impl for Action_Impl {
    unsafe fn OnEvent(&self, event: EClrEvent, data: *mut c_void) -> HRESULT {
        println!("event {} {}", event.0, data.is_null());
        S_OK
    }
}

/// COM objects of the library may be used on any thread.
pub struct Shared<T>(pub T);

// SAFETY: see above.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: see above.
unsafe impl<T> Sync for Shared<T> {}
