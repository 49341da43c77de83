//! A host with all the managers that can be asked for, which writes down its notifications.

use std::{
    ffi::c_void,
    ptr::null_mut,
    sync::{Arc, Mutex},
};

use soglia_abi::{
    GUID, HRESULT,
    hosting::{
        control::{IHostControl, IHostControl_Impl},
        gc::{IHostGCManager, IHostGCManager_Impl},
        host_task::{IHostTask, IHostTaskManager},
        policy::{EClrEvent, IActionOnCLREvent, IActionOnCLREvent_Impl},
    },
    hresult::{E_FAIL, E_NOINTERFACE, E_NOTIMPL, S_FALSE, S_OK},
    param::{In, Lent, Out},
};
use windows_core::{ComObject, IUnknown, Interface, implement};

use crate::task_manager::{Asked, Manages, task_manager};

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
    unsafe fn GetHostManager(&self, id: In<'_, GUID>, mut object: Out<'_, *mut c_void>) -> HRESULT {
        let id = *id.get().unwrap();
        self.told.lock().unwrap().asked.push(id);
        assert_eq!(object.write(null_mut()), S_OK);
        let manager = || -> IHostTaskManager {
            let broken = self.gives == Gives::BrokenTaskManager;
            task_manager(TaskManager(self.told.clone(), broken))
        };
        match (self.gives, id) {
            (Gives::TaskManager | Gives::BrokenTaskManager, IHostTaskManager::IID) => {
                object.write(manager().into_raw())
            }
            (Gives::TaskManagerWithFalse, IHostTaskManager::IID) => {
                object.write_if_wanted(manager().into_raw());
                S_FALSE
            }
            (Gives::GcManager, IHostGCManager::IID) => {
                let manager: IHostGCManager = ComObject::new(GcManager).into_interface();
                object.write(manager.into_raw())
            }
            (Gives::Null, _) => S_OK,
            _ => E_NOINTERFACE,
        }
    }

    unsafe fn SetAppDomainManager(&self, _domain: u32, _manager: Lent<'_, IUnknown>) -> HRESULT {
        E_NOTIMPL
    }
}

/// A control that gives out these managers, by their IIDs, and no others.
pub fn offers<const N: usize>(managers: [(GUID, IUnknown); N]) -> IHostControl {
    ComObject::new(Offers(managers.into())).into_interface()
}

#[implement(IHostControl)]
struct Offers(Vec<(GUID, IUnknown)>);

impl IHostControl_Impl for Offers_Impl {
    unsafe fn GetHostManager(&self, id: In<'_, GUID>, mut object: Out<'_, *mut c_void>) -> HRESULT {
        let wanted = id.get().expect("the library asks for something");
        let found = self.0.iter().find(|(id, _)| id == wanted);
        let manager = found.map(|(_, manager)| manager.clone().into_raw());
        assert_eq!(object.write(manager.unwrap_or(null_mut())), S_OK);
        if found.is_some() { S_OK } else { E_NOINTERFACE }
    }

    unsafe fn SetAppDomainManager(&self, _domain: u32, _manager: Lent<'_, IUnknown>) -> HRESULT {
        E_NOTIMPL
    }
}

struct TaskManager(Arc<Mutex<Told>>, bool);

impl Manages for TaskManager {
    fn current_task(&self) -> (HRESULT, Option<IHostTask>) {
        (S_OK, None)
    }
    fn needs_hook(&self, _target: usize) -> (HRESULT, bool) {
        (S_OK, true)
    }
    fn asked(&self, what: Asked) -> HRESULT {
        match what {
            Asked::SetCLRTaskManager(manager) => {
                self.0.lock().unwrap().clr_task_manager = manager;
                if self.1 { E_FAIL } else { S_OK }
            }
            Asked::CreateTask
            | Asked::Sleep(..)
            | Asked::SwitchToTask(_)
            | Asked::SetUILocale(_)
            | Asked::SetLocale(_)
            | Asked::SetStackGuarantee
            | Asked::GetStackGuarantee => E_NOTIMPL,
            _ => S_OK,
        }
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

// SAFETY: the library under test lets any thread use its objects.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: the library under test lets any thread use its objects.
unsafe impl<T> Sync for Shared<T> {}
