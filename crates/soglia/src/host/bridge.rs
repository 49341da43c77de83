//! The host's traits as COM objects.
//!
//! The engine calls the methods here. They catch panics, turn failures into result codes, and check
//! pointers.

#![allow(unsafe_code, reason = "methods of COM interfaces are unsafe to call")]

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;

use soglia_abi::hosting::assembly::IHostAssemblyManager;
use soglia_abi::hosting::clr_task::{ICLRTask, ICLRTaskManager};
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
use soglia_abi::hresult::{E_NOINTERFACE, E_NOTIMPL, E_POINTER, S_FALSE, S_OK};
use soglia_abi::param::{In, Lent, Out};
use soglia_abi::{BOOL, GUID, HRESULT};
use soglia_core::crossing::Crossing;
use windows_core::{ComObject, IUnknown, Interface, implement};

use super::clr::{ClrTask, ClrTaskManager};
use super::fence::fence;
use super::hresult::{Answer, HResult};
use super::managers::{HostGcManager, HostPolicyManager};
use super::store::{self, HostAssemblyStore};
use super::target::Target;
use super::task::{HostTask, HostTaskManager, Priority, TaskBody, WaitOptions, time_of};
use super::watch::Watch;

fn answer(body: impl FnOnce() -> Answer) -> HRESULT {
    fence(|| HResult::answer(body()))
}

/// Stores the result of `body`. `E_POINTER`, without a call of `body`, if there is no place for it.
fn fill<T>(place: Out<'_, T>, body: impl FnOnce() -> Answer<T>) -> HRESULT {
    fence(|| place.fill(|| body().map_err(|failure| failure.0)))
}

/// The managers of a host.
#[derive(Clone, Default)]
pub(super) struct Managers {
    pub task: Option<Arc<dyn HostTaskManager>>,
    pub gc: Option<Arc<dyn HostGcManager>>,
    pub policy: Option<Arc<dyn HostPolicyManager>>,
    pub store: Option<Arc<dyn HostAssemblyStore>>,
    pub watch: Option<Arc<Watch>>,
}

impl Managers {
    pub fn is_empty(&self) -> bool {
        self.task.is_none()
            && self.gc.is_none()
            && self.policy.is_none()
            && self.store.is_none()
            && self.watch.is_none()
    }

    /// The object for crossings, if there is one.
    pub fn task_manager(&self) -> Option<IHostTaskManager> {
        let manager = (self.task.is_some() || self.watch.is_some()).then(|| TaskManager {
            host: self.task.clone().unwrap_or_else(|| Arc::new(OnlyWatches)),
            watch: self.watch.clone(),
        });
        manager.map(|manager| ComObject::new(manager).into_interface())
    }

    /// The object for `SetHostControl`.
    pub fn into_control(self) -> IHostControl {
        ComObject::new(Control(self)).into_interface()
    }
}

#[implement(IHostControl)]
struct Control(Managers);

impl IHostControl_Impl for Control_Impl {
    unsafe fn GetHostManager(&self, id: In<'_, GUID>, mut object: Out<'_, *mut c_void>) -> HRESULT {
        let Some(id) = id.get() else {
            return E_POINTER;
        };
        if object.is_null() {
            return E_POINTER;
        }
        let Managers {
            gc,
            policy,
            store: of_store,
            ..
        } = &self.0;
        let given = match *id {
            IHostTaskManager::IID => self.0.task_manager().map(Interface::into_raw),
            IHostGCManager::IID => gc.clone().map(|gc| {
                let manager: IHostGCManager = ComObject::new(GcManager(gc)).into_interface();
                manager.into_raw()
            }),
            IHostPolicyManager::IID => policy.clone().map(|policy| {
                let manager: IHostPolicyManager =
                    ComObject::new(PolicyManager(policy)).into_interface();
                manager.into_raw()
            }),
            IHostAssemblyManager::IID => of_store.clone().map(|of| store::manager(of).into_raw()),
            _ => None,
        };
        object.write_if_wanted(given.unwrap_or(null_mut()));
        if given.is_some() { S_OK } else { E_NOINTERFACE }
    }

    unsafe fn SetAppDomainManager(&self, _domain: u32, _manager: Lent<'_, IUnknown>) -> HRESULT {
        E_NOTIMPL
    }
}

/// The task manager of a host that only watches.
struct OnlyWatches;

impl HostTaskManager for OnlyWatches {}

#[implement(IHostTaskManager)]
struct TaskManager {
    host: Arc<dyn HostTaskManager>,
    watch: Option<Arc<Watch>>,
}

impl TaskManager {
    fn watch(&self, record: impl FnOnce(&Watch)) {
        if let Some(watch) = &self.watch {
            record(watch);
        }
    }
}

/// The task as a COM object, with a reference for the receiver.
fn give(task: Arc<dyn HostTask>) -> *mut c_void {
    let task: IHostTask = ComObject::new(Task(task)).into_interface();
    task.into_raw()
}

impl IHostTaskManager_Impl for TaskManager_Impl {
    unsafe fn GetCurrentTask(&self, task: Out<'_, *mut c_void>) -> HRESULT {
        fill(task, || {
            Ok(self.host.current_task().map_or(null_mut(), give))
        })
    }

    unsafe fn CreateTask(
        &self,
        stack_size: u32,
        start: Option<LPTHREAD_START_ROUTINE>,
        parameter: *mut c_void,
        task: Out<'_, *mut c_void>,
    ) -> HRESULT {
        let Some(start) = start else {
            return E_POINTER;
        };
        // SAFETY: the caller of this method wants one call of the function with its parameter, on
        // the thread that the host creates for it.
        let body = unsafe { TaskBody::new(start, parameter) };
        fill(task, || {
            self.host.create_task(stack_size as usize, body).map(give)
        })
    }

    unsafe fn Sleep(&self, milliseconds: u32, options: u32) -> HRESULT {
        answer(|| self.host.sleep(time_of(milliseconds), WaitOptions(options)))
    }

    unsafe fn SwitchToTask(&self, _option: u32) -> HRESULT {
        fence(|| {
            if self.host.switch_to_task() {
                S_OK
            } else {
                S_FALSE
            }
        })
    }

    unsafe fn SetUILocale(&self, lcid: u32) -> HRESULT {
        answer(|| self.host.set_ui_locale(lcid))
    }

    unsafe fn SetLocale(&self, lcid: u32) -> HRESULT {
        answer(|| self.host.set_locale(lcid))
    }

    unsafe fn CallNeedsHostHook(&self, target: usize, hook: Out<'_, BOOL>) -> HRESULT {
        fill(hook, || {
            Ok(self.host.call_needs_host_hook(Target::new(target)).into())
        })
    }

    unsafe fn LeaveRuntime(&self, target: usize) -> HRESULT {
        answer(|| {
            let target = Target::new(target);
            self.host.leave_runtime(target)?;
            self.watch(|watch| watch.leave(target));
            Ok(())
        })
    }

    unsafe fn EnterRuntime(&self) -> HRESULT {
        answer(|| {
            self.watch(Watch::enter);
            self.host.enter_runtime()
        })
    }

    unsafe fn ReverseLeaveRuntime(&self) -> HRESULT {
        answer(|| {
            self.watch(|watch| watch.put(Crossing::ReverseLeaveRuntime, None));
            self.host.reverse_leave_runtime()
        })
    }

    unsafe fn ReverseEnterRuntime(&self) -> HRESULT {
        answer(|| {
            self.host.reverse_enter_runtime()?;
            self.watch(|watch| watch.put(Crossing::ReverseEnterRuntime, None));
            Ok(())
        })
    }

    unsafe fn BeginDelayAbort(&self) -> HRESULT {
        answer(|| self.host.begin_delay_abort())
    }

    unsafe fn EndDelayAbort(&self) -> HRESULT {
        answer(|| self.host.end_delay_abort())
    }

    unsafe fn BeginThreadAffinity(&self) -> HRESULT {
        answer(|| self.host.begin_thread_affinity())
    }

    unsafe fn EndThreadAffinity(&self) -> HRESULT {
        answer(|| self.host.end_thread_affinity())
    }

    unsafe fn SetStackGuarantee(&self, guarantee: u32) -> HRESULT {
        answer(|| self.host.set_stack_guarantee(guarantee))
    }

    unsafe fn GetStackGuarantee(&self, guarantee: Out<'_, u32>) -> HRESULT {
        fill(guarantee, || self.host.stack_guarantee())
    }

    unsafe fn SetCLRTaskManager(&self, manager: Lent<'_, ICLRTaskManager>) -> HRESULT {
        answer(|| {
            if let Some(manager) = ClrTaskManager::keep(&manager) {
                self.host.set_clr_task_manager(manager);
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

    unsafe fn GetPriority(&self, priority: Out<'_, i32>) -> HRESULT {
        fill(priority, || Ok(self.0.priority()?.0))
    }

    unsafe fn SetCLRTask(&self, task: Lent<'_, ICLRTask>) -> HRESULT {
        answer(|| match ClrTask::keep(&task) {
            Some(task) => self.0.set_clr_task(task),
            None => Ok(()),
        })
    }
}

#[implement(IHostGCManager)]
struct GcManager(Arc<dyn HostGcManager>);

impl IHostGCManager_Impl for GcManager_Impl {
    unsafe fn ThreadIsBlockingForSuspension(&self) -> HRESULT {
        notify(|| self.0.thread_is_blocking_for_suspension())
    }

    unsafe fn SuspensionStarting(&self) -> HRESULT {
        notify(|| self.0.suspension_starting())
    }

    unsafe fn SuspensionEnding(&self, generation: u32) -> HRESULT {
        let generation = (generation != u32::MAX).then_some(generation);
        notify(|| self.0.suspension_ending(generation))
    }
}

fn notify(body: impl FnOnce()) -> HRESULT {
    fence(|| {
        body();
        S_OK
    })
}

#[implement(IHostPolicyManager)]
struct PolicyManager(Arc<dyn HostPolicyManager>);

impl IHostPolicyManager_Impl for PolicyManager_Impl {
    unsafe fn OnDefaultAction(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT {
        notify(|| self.0.on_default_action(operation.into(), action.into()))
    }

    unsafe fn OnTimeout(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT {
        notify(|| self.0.on_timeout(operation.into(), action.into()))
    }

    unsafe fn OnFailure(&self, failure: EClrFailure, action: EPolicyAction) -> HRESULT {
        notify(|| self.0.on_failure(failure.into(), action.into()))
    }
}

/// An action for an event whose data the host does not need.
#[implement(IActionOnCLREvent)]
struct OnEvent(Box<dyn Fn() + Send + Sync>);

/// The object for `RegisterActionOnEvent`.
pub(super) fn on_event(action: Box<dyn Fn() + Send + Sync>) -> IActionOnCLREvent {
    ComObject::new(OnEvent(action)).into_interface()
}

impl IActionOnCLREvent_Impl for OnEvent_Impl {
    unsafe fn OnEvent(&self, _event: EClrEvent, _data: *mut c_void) -> HRESULT {
        notify(|| (self.0)())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use soglia_abi::hosting::clr_task::{ICLRTask_Impl, ICLRTask2, ICLRTask2_Impl};
    use soglia_abi::hosting::types::{COR_GC_THREAD_STATS, HANDLE, TASKID};
    use soglia_abi::param::InOut;
    use std::sync::{Mutex, Weak};

    /// A task as the CLR has it. What it holds is dropped with it.
    #[implement(ICLRTask2)]
    struct OfClr(#[expect(dead_code, reason = "kept for its count")] Arc<()>);

    macro_rules! not_called {
        ($($method:ident($($type:ty),*);)*) => {
            $(unsafe fn $method(&self, $(_: $type),*) -> HRESULT { E_NOTIMPL })*
        };
    }

    impl ICLRTask_Impl for OfClr_Impl {
        not_called! {
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
            SetTaskIdentifier(TASKID);
        }
    }

    impl ICLRTask2_Impl for OfClr_Impl {
        not_called! {
            BeginPreventAsyncAbort();
            EndPreventAsyncAbort();
        }
    }

    /// Keeps the CLR's task, or denies it.
    #[derive(Default)]
    struct Keeps(Mutex<Option<ClrTask>>, bool);

    impl HostTask for Keeps {
        fn set_clr_task(&self, task: ClrTask) -> Answer {
            if self.1 {
                return Err(HResult::ACCESS_DENIED);
            }
            *self.0.lock().unwrap() = Some(task);
            Ok(())
        }
    }

    fn of_clr() -> (ICLRTask2, Weak<()>) {
        let inside = Arc::new(());
        let alive = Arc::downgrade(&inside);
        (ComObject::new(OfClr(inside)).into_interface(), alive)
    }

    /// The engine lends the task. A host that keeps it holds a reference of its own, so the task
    /// outlives its thread, and it is gone when the host lets it go.
    #[test]
    fn the_clr_task_is_counted() {
        let (of_clr, alive) = of_clr();
        let host = Arc::new(Keeps::default());
        let task: IHostTask = ComObject::new(Task(host.clone())).into_interface();
        // SAFETY: both objects are alive during the call.
        let answer = unsafe { task.SetCLRTask(Lent::new(&of_clr)) };
        assert_eq!(answer, S_OK);
        drop(of_clr);
        assert!(alive.upgrade().is_some(), "the host has a reference");
        *host.0.lock().unwrap() = None;
        assert!(alive.upgrade().is_none(), "and it was the last");
    }

    #[test]
    fn a_clr_task_that_is_denied_is_not_kept() {
        let (of_clr, alive) = of_clr();
        let host = Arc::new(Keeps(Mutex::default(), true));
        let task: IHostTask = ComObject::new(Task(host)).into_interface();
        // SAFETY: both objects are alive, or there is none.
        unsafe {
            let denied = HResult::ACCESS_DENIED.0;
            assert_eq!(task.SetCLRTask(Lent::new(&of_clr)), denied);
            assert_eq!(task.SetCLRTask(Lent::null()), S_OK);
        }
        drop(of_clr);
        assert!(alive.upgrade().is_none());
    }

    #[test]
    fn null_has_no_place_for_answers() {
        let manager: IHostTaskManager = ComObject::new(TaskManager {
            host: Arc::new(OnlyWatches),
            watch: None,
        })
        .into_interface();
        let control = Managers::default().into_control();
        let mut object = std::ptr::dangling_mut();
        // SAFETY: the objects are alive, and null is what is tested.
        unsafe {
            assert_eq!(manager.GetCurrentTask(Out::null()), E_POINTER);
            assert_eq!(manager.CallNeedsHostHook(1, Out::null()), E_POINTER);
            assert_eq!(manager.GetStackGuarantee(Out::null()), E_POINTER);
            let id = In::new(&IHostTaskManager::IID);
            assert_eq!(control.GetHostManager(id, Out::null()), E_POINTER);
            let place = Out::new(&mut object);
            assert_eq!(control.GetHostManager(In::null(), place), E_POINTER);
            let place = Out::new(&mut object);
            assert_eq!(control.GetHostManager(id, place), E_NOINTERFACE);
        }
        assert!(object.is_null());
    }
}
