//! The COM object of a host's task manager. What it does is a Rust trait, so that each host of the
//! tests has only what differs.

use std::{ffi::c_void, ptr::null_mut};

use soglia_abi::{
    BOOL, HRESULT,
    hosting::{
        clr_task::ICLRTaskManager,
        host_task::{IHostTask, IHostTaskManager, IHostTaskManager_Impl},
        types::LPTHREAD_START_ROUTINE,
    },
    hresult::S_OK,
    param::{Lent, Out},
};
use windows_core::{ComObject, Interface, implement};

/// A call of a task manager's method, with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    CreateTask,
    Sleep(u32, u32),
    SwitchToTask(u32),
    SetUILocale(u32),
    SetLocale(u32),
    LeaveRuntime(usize),
    EnterRuntime,
    ReverseLeaveRuntime,
    ReverseEnterRuntime,
    BeginDelayAbort,
    EndDelayAbort,
    BeginThreadAffinity,
    EndThreadAffinity,
    SetStackGuarantee,
    GetStackGuarantee,
    /// The object's address.
    SetCLRTaskManager(usize),
}

impl Asked {
    /// The name of the method.
    pub fn method(self) -> String {
        let mut name = format!("{self:?}");
        name.truncate(name.find('(').unwrap_or(name.len()));
        name
    }
}

/// What a host's task manager does.
pub trait Manages: 'static {
    /// `GetCurrentTask`: its result, and the task if there is one.
    fn current_task(&self) -> (HRESULT, Option<IHostTask>);
    /// `CallNeedsHostHook`: its result, and whether the host wants notifications of the target.
    fn needs_hook(&self, target: usize) -> (HRESULT, bool);
    /// `CreateTask`: its result, and the task if there is one.
    fn create_task(
        &self,
        _stack: u32,
        _start: LPTHREAD_START_ROUTINE,
        _parameter: *mut c_void,
    ) -> (HRESULT, Option<IHostTask>) {
        (self.asked(Asked::CreateTask), None)
    }
    /// All other methods.
    fn asked(&self, what: Asked) -> HRESULT;
}

/// The COM object of a task manager that does this.
pub fn task_manager(does: impl Manages) -> IHostTaskManager {
    ComObject::new(Manager(Box::new(does))).into_interface()
}

#[implement(IHostTaskManager)]
struct Manager(Box<dyn Manages>);

impl IHostTaskManager_Impl for Manager_Impl {
    unsafe fn GetCurrentTask(&self, mut task: Out<'_, *mut c_void>) -> HRESULT {
        let (answer, own) = self.0.current_task();
        let own = own.map_or(null_mut(), Interface::into_raw);
        assert_eq!(task.write(own), S_OK);
        answer
    }
    unsafe fn CreateTask(
        &self,
        stack: u32,
        start: Option<LPTHREAD_START_ROUTINE>,
        parameter: *mut c_void,
        mut task: Out<'_, *mut c_void>,
    ) -> HRESULT {
        let start = start.expect("something to run");
        let (answer, new) = self.0.create_task(stack, start, parameter);
        let new = new.map_or(null_mut(), Interface::into_raw);
        assert_eq!(task.write(new), S_OK);
        answer
    }
    unsafe fn Sleep(&self, milliseconds: u32, option: u32) -> HRESULT {
        self.0.asked(Asked::Sleep(milliseconds, option))
    }
    unsafe fn SwitchToTask(&self, option: u32) -> HRESULT {
        self.0.asked(Asked::SwitchToTask(option))
    }
    unsafe fn SetUILocale(&self, lcid: u32) -> HRESULT {
        self.0.asked(Asked::SetUILocale(lcid))
    }
    unsafe fn SetLocale(&self, lcid: u32) -> HRESULT {
        self.0.asked(Asked::SetLocale(lcid))
    }
    unsafe fn CallNeedsHostHook(&self, target: usize, mut hook: Out<'_, BOOL>) -> HRESULT {
        let (answer, needs) = self.0.needs_hook(target);
        assert_eq!(hook.write(needs.into()), S_OK);
        answer
    }
    unsafe fn LeaveRuntime(&self, target: usize) -> HRESULT {
        self.0.asked(Asked::LeaveRuntime(target))
    }
    unsafe fn EnterRuntime(&self) -> HRESULT {
        self.0.asked(Asked::EnterRuntime)
    }
    unsafe fn ReverseLeaveRuntime(&self) -> HRESULT {
        self.0.asked(Asked::ReverseLeaveRuntime)
    }
    unsafe fn ReverseEnterRuntime(&self) -> HRESULT {
        self.0.asked(Asked::ReverseEnterRuntime)
    }
    unsafe fn BeginDelayAbort(&self) -> HRESULT {
        self.0.asked(Asked::BeginDelayAbort)
    }
    unsafe fn EndDelayAbort(&self) -> HRESULT {
        self.0.asked(Asked::EndDelayAbort)
    }
    unsafe fn BeginThreadAffinity(&self) -> HRESULT {
        self.0.asked(Asked::BeginThreadAffinity)
    }
    unsafe fn EndThreadAffinity(&self) -> HRESULT {
        self.0.asked(Asked::EndThreadAffinity)
    }
    unsafe fn SetStackGuarantee(&self, _guarantee: u32) -> HRESULT {
        self.0.asked(Asked::SetStackGuarantee)
    }
    unsafe fn GetStackGuarantee(&self, _guarantee: Out<'_, u32>) -> HRESULT {
        self.0.asked(Asked::GetStackGuarantee)
    }
    unsafe fn SetCLRTaskManager(&self, manager: Lent<'_, ICLRTaskManager>) -> HRESULT {
        let manager = manager.as_ptr() as usize;
        self.0.asked(Asked::SetCLRTaskManager(manager))
    }
}
