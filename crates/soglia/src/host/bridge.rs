//! The host's traits as COM objects.
//!
//! What the engine calls ends up here: a panic is stopped, failures become numbers, and pointers are checked.

#![allow(unsafe_code, reason = "COM methods get pointers")]

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::Arc;

use soglia_abi::hosting::control::{IHostControl, IHostControl_Impl};
use soglia_abi::hosting::gc::{IHostGCManager, IHostGCManager_Impl};
use soglia_abi::hosting::host_task::{
    IHostTask, IHostTask_Impl, IHostTaskManager, IHostTaskManager_Impl,
};
use soglia_abi::hosting::policy::{
    EClrEvent, EClrFailure, EClrOperation, EPolicyAction, IActionOnCLREvent,
    IActionOnCLREvent_Impl, IHostPolicyManager, IHostPolicyManager_Impl,
};
use soglia_abi::hosting::types::LPTHREAD_START_ROUTINE;
use soglia_abi::hresult::{E_FAIL, E_NOINTERFACE, E_NOTIMPL, E_POINTER, S_FALSE, S_OK};
use soglia_abi::{BOOL, GUID, HRESULT};
use soglia_core::crossing::Crossing;
use windows_core::{ComObject, IUnknown, Interface, implement};

use super::clr::{ClrTask, ClrTaskManager};
use super::hresult::{Answer, HResult};
use super::managers::{HostGcManager, HostPolicyManager};
use super::target::Target;
use super::task::{HostTask, HostTaskManager, Priority, TaskBody, WaitOptions, time_of};
use super::watch::Watch;

/// Stops a panic, which Rust has told on standard error by then.
fn fence(body: impl FnOnce() -> HRESULT) -> HRESULT {
    // What a panic leaves half done is the host's own, as with threads.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(E_FAIL)
}

fn answer(body: impl FnOnce() -> Answer) -> HRESULT {
    fence(|| HResult::answer(body()))
}

/// Fills in a place for an answer.
///
/// # Safety
/// Null, or valid.
unsafe fn fill<T>(place: *mut T, body: impl FnOnce() -> Answer<T>) -> HRESULT {
    if place.is_null() {
        return E_POINTER;
    }
    answer(|| {
        let value = body()?;
        // SAFETY: not null, so valid by the contract.
        unsafe { place.write(value) };
        Ok(())
    })
}

/// What a host has, to be given out.
#[derive(Clone, Default)]
pub(super) struct Managers {
    pub task: Option<Arc<dyn HostTaskManager>>,
    pub gc: Option<Arc<dyn HostGcManager>>,
    pub policy: Option<Arc<dyn HostPolicyManager>>,
    pub watch: Option<Arc<Watch>>,
}

impl Managers {
    pub fn is_empty(&self) -> bool {
        self.task.is_none() && self.gc.is_none() && self.policy.is_none() && self.watch.is_none()
    }

    /// For `SetHostControl`.
    pub fn into_control(self) -> IHostControl {
        ComObject::new(Control(self)).into_interface()
    }
}

#[implement(IHostControl)]
struct Control(Managers);

impl IHostControl_Impl for Control_Impl {
    unsafe fn GetHostManager(&self, id: *const GUID, object: *mut *mut c_void) -> HRESULT {
        if id.is_null() || object.is_null() {
            return E_POINTER;
        }
        // SAFETY: not null, and valid by COM's rules.
        let (id, object) = unsafe { (*id, &mut *object) };
        *object = null_mut();
        let Managers {
            task,
            gc,
            policy,
            watch,
        } = &self.0;
        let given = match id {
            IHostTaskManager::IID if task.is_some() || watch.is_some() => {
                let manager = TaskManager {
                    told: task.clone().unwrap_or_else(|| Arc::new(Nobody)),
                    watch: watch.clone(),
                };
                let manager: IHostTaskManager = ComObject::new(manager).into_interface();
                Some(manager.into_raw())
            }
            IHostGCManager::IID => gc.clone().map(|gc| {
                let manager: IHostGCManager = ComObject::new(GcManager(gc)).into_interface();
                manager.into_raw()
            }),
            IHostPolicyManager::IID => policy.clone().map(|policy| {
                let manager: IHostPolicyManager =
                    ComObject::new(PolicyManager(policy)).into_interface();
                manager.into_raw()
            }),
            _ => None,
        };
        match given {
            Some(manager) => {
                *object = manager;
                S_OK
            }
            None => E_NOINTERFACE,
        }
    }

    unsafe fn SetAppDomainManager(&self, _domain: u32, _manager: *mut c_void) -> HRESULT {
        E_NOTIMPL
    }
}

/// The task manager of those who only watch.
struct Nobody;

impl HostTaskManager for Nobody {}

#[implement(IHostTaskManager)]
struct TaskManager {
    told: Arc<dyn HostTaskManager>,
    watch: Option<Arc<Watch>>,
}

impl TaskManager {
    fn watch(&self, tell: impl FnOnce(&Watch)) {
        if let Some(watch) = &self.watch {
            tell(watch);
        }
    }
}

/// A task, with a reference for whoever asked.
fn give(task: Arc<dyn HostTask>) -> *mut c_void {
    let task: IHostTask = ComObject::new(Task(task)).into_interface();
    task.into_raw()
}

impl IHostTaskManager_Impl for TaskManager_Impl {
    unsafe fn GetCurrentTask(&self, task: *mut *mut c_void) -> HRESULT {
        let current = || Ok(self.told.current_task().map_or(null_mut(), give));
        // SAFETY: null or valid, by COM's rules.
        unsafe { fill(task, current) }
    }

    unsafe fn CreateTask(
        &self,
        stack_size: u32,
        start: Option<LPTHREAD_START_ROUTINE>,
        parameter: *mut c_void,
        task: *mut *mut c_void,
    ) -> HRESULT {
        let Some(start) = start else {
            return E_POINTER;
        };
        // SAFETY: what is to be run on a new thread is made for that; the place is null or valid, by COM's rules.
        unsafe {
            let body = TaskBody::new(start, parameter);
            fill(task, || {
                self.told.create_task(stack_size as usize, body).map(give)
            })
        }
    }

    unsafe fn Sleep(&self, milliseconds: u32, options: u32) -> HRESULT {
        answer(|| self.told.sleep(time_of(milliseconds), WaitOptions(options)))
    }

    unsafe fn SwitchToTask(&self, _option: u32) -> HRESULT {
        fence(|| {
            if self.told.switch_to_task() {
                S_OK
            } else {
                S_FALSE
            }
        })
    }

    unsafe fn SetUILocale(&self, lcid: u32) -> HRESULT {
        answer(|| self.told.set_ui_locale(lcid))
    }

    unsafe fn SetLocale(&self, lcid: u32) -> HRESULT {
        answer(|| self.told.set_locale(lcid))
    }

    unsafe fn CallNeedsHostHook(&self, target: usize, hook: *mut BOOL) -> HRESULT {
        let needs = || Ok(self.told.call_needs_host_hook(Target::new(target)).into());
        // SAFETY: null or valid, by COM's rules.
        unsafe { fill(hook, needs) }
    }

    unsafe fn LeaveRuntime(&self, target: usize) -> HRESULT {
        answer(|| {
            let target = Target::new(target);
            self.told.leave_runtime(target)?;
            self.watch(|watch| watch.leave(target));
            Ok(())
        })
    }

    unsafe fn EnterRuntime(&self) -> HRESULT {
        answer(|| {
            self.watch(Watch::enter);
            self.told.enter_runtime()
        })
    }

    unsafe fn ReverseLeaveRuntime(&self) -> HRESULT {
        answer(|| {
            self.watch(|watch| watch.put(Crossing::ReverseLeaveRuntime, None));
            self.told.reverse_leave_runtime()
        })
    }

    unsafe fn ReverseEnterRuntime(&self) -> HRESULT {
        answer(|| {
            self.told.reverse_enter_runtime()?;
            self.watch(|watch| watch.put(Crossing::ReverseEnterRuntime, None));
            Ok(())
        })
    }

    unsafe fn BeginDelayAbort(&self) -> HRESULT {
        answer(|| self.told.begin_delay_abort())
    }

    unsafe fn EndDelayAbort(&self) -> HRESULT {
        answer(|| self.told.end_delay_abort())
    }

    unsafe fn BeginThreadAffinity(&self) -> HRESULT {
        answer(|| self.told.begin_thread_affinity())
    }

    unsafe fn EndThreadAffinity(&self) -> HRESULT {
        answer(|| self.told.end_thread_affinity())
    }

    unsafe fn SetStackGuarantee(&self, guarantee: u32) -> HRESULT {
        answer(|| self.told.set_stack_guarantee(guarantee))
    }

    unsafe fn GetStackGuarantee(&self, guarantee: *mut u32) -> HRESULT {
        // SAFETY: null or valid, by COM's rules.
        unsafe { fill(guarantee, || self.told.stack_guarantee()) }
    }

    unsafe fn SetCLRTaskManager(&self, manager: *mut c_void) -> HRESULT {
        answer(|| {
            // SAFETY: null or alive, by COM's rules.
            if let Some(manager) = unsafe { ClrTaskManager::lent(manager) } {
                self.told.set_clr_task_manager(manager);
            }
            Ok(())
        })
    }
}

#[implement(IHostTask)]
struct Task(Arc<dyn HostTask>);

impl IHostTask_Impl for Task_Impl {
    unsafe fn Start(&self) -> HRESULT {
        answer(|| self.0.start())
    }

    unsafe fn Alert(&self) -> HRESULT {
        answer(|| self.0.alert())
    }

    unsafe fn Join(&self, milliseconds: u32, options: u32) -> HRESULT {
        answer(|| self.0.join(time_of(milliseconds), WaitOptions(options)))
    }

    unsafe fn SetPriority(&self, priority: i32) -> HRESULT {
        answer(|| self.0.set_priority(Priority(priority)))
    }

    unsafe fn GetPriority(&self, priority: *mut i32) -> HRESULT {
        // SAFETY: null or valid, by COM's rules.
        unsafe { fill(priority, || Ok(self.0.priority()?.0)) }
    }

    unsafe fn SetCLRTask(&self, task: *mut c_void) -> HRESULT {
        answer(|| {
            // SAFETY: null or alive, by COM's rules.
            let Some(lent) = (unsafe { ClrTask::lent(task) }) else {
                return Ok(());
            };
            self.0.set_clr_task(lent)?;
            // SAFETY: where it is taken, it comes with a reference, for hosts that do not count.
            drop(unsafe { IUnknown::from_raw(task) });
            Ok(())
        })
    }
}

#[implement(IHostGCManager)]
struct GcManager(Arc<dyn HostGcManager>);

impl IHostGCManager_Impl for GcManager_Impl {
    unsafe fn ThreadIsBlockingForSuspension(&self) -> HRESULT {
        told(|| self.0.thread_is_blocking_for_suspension())
    }

    unsafe fn SuspensionStarting(&self) -> HRESULT {
        told(|| self.0.suspension_starting())
    }

    unsafe fn SuspensionEnding(&self, generation: u32) -> HRESULT {
        let generation = (generation != u32::MAX).then_some(generation);
        told(|| self.0.suspension_ending(generation))
    }
}

fn told(body: impl FnOnce()) -> HRESULT {
    fence(|| {
        body();
        S_OK
    })
}

#[implement(IHostPolicyManager)]
struct PolicyManager(Arc<dyn HostPolicyManager>);

impl IHostPolicyManager_Impl for PolicyManager_Impl {
    unsafe fn OnDefaultAction(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT {
        told(|| self.0.on_default_action(operation.into(), action.into()))
    }

    unsafe fn OnTimeout(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT {
        told(|| self.0.on_timeout(operation.into(), action.into()))
    }

    unsafe fn OnFailure(&self, failure: EClrFailure, action: EPolicyAction) -> HRESULT {
        told(|| self.0.on_failure(failure.into(), action.into()))
    }
}

/// What is to happen on an event whose data says nothing new.
#[implement(IActionOnCLREvent)]
struct OnEvent(Box<dyn Fn() + Send + Sync>);

/// For `RegisterActionOnEvent`.
pub(super) fn on_event(action: Box<dyn Fn() + Send + Sync>) -> IActionOnCLREvent {
    ComObject::new(OnEvent(action)).into_interface()
}

impl IActionOnCLREvent_Impl for OnEvent_Impl {
    unsafe fn OnEvent(&self, _event: EClrEvent, _data: *mut c_void) -> HRESULT {
        told(|| (self.0)())
    }
}
