//! A host with one lock for all that it does. Its notifications take that lock, and it aborts tasks
//! while it holds the lock.

use std::{
    ffi::c_void,
    ptr::null_mut,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use soglia_abi::{
    BOOL, HRESULT,
    hosting::{
        clr_task::{ICLRTask, ICLRTask2, ICLRTaskManager},
        host_task::{IHostTask, IHostTask_Impl, IHostTaskManager, IHostTaskManager_Impl},
        policy::{
            EClrFailure, EClrOperation, EPolicyAction, IHostPolicyManager, IHostPolicyManager_Impl,
            OPR_ThreadAbort, eAbortThread,
        },
        types::LPTHREAD_START_ROUTINE,
    },
    hresult::*,
    param::{Lent, Out},
};
use windows_core::{ComObject, Interface, implement};

use crate::{
    api::{Library, assembly, call, call_in, control, manager, start},
    host::{Shared, offers},
    scheduler::schedules,
    script::wait_for,
};

static LOCK: Mutex<()> = Mutex::new(());

/// The notifications on threads that have no task of the host.
static ON_OTHERS: Mutex<Vec<&str>> = Mutex::new(Vec::new());
static ACTIONS: AtomicUsize = AtomicUsize::new(0);
static TASKS: AtomicUsize = AtomicUsize::new(0);

/// The lock, which is never held for long. Who waits for ever ends the process, and says so.
fn lock(what: &str) -> MutexGuard<'static, ()> {
    let given_up = Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(guard) = LOCK.try_lock() {
            return guard;
        }
        if Instant::now() > given_up {
            eprintln!("{what} waits for ever");
            std::process::abort();
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// What every method does.
fn told(what: &'static str) -> HRESULT {
    let mut name = [0_u8; 16];
    // SAFETY: PR_GET_NAME writes sixteen bytes at most.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    if name.starts_with(b"soglia") {
        ON_OTHERS.lock().unwrap().push(what);
    }
    drop(lock(what));
    S_OK
}

#[implement(IHostTaskManager)]
struct Tasks;

impl IHostTaskManager_Impl for Tasks_Impl {
    unsafe fn GetCurrentTask(&self, mut task: Out<'_, *mut c_void>) -> HRESULT {
        let answer = told("GetCurrentTask");
        TASKS.fetch_add(1, SeqCst);
        let own: IHostTask = ComObject::new(Task).into_interface();
        task.write_if_wanted(own.into_raw());
        answer
    }
    unsafe fn CreateTask(
        &self,
        _stack: u32,
        _start: Option<LPTHREAD_START_ROUTINE>,
        _parameter: *mut c_void,
        _task: Out<'_, *mut c_void>,
    ) -> HRESULT {
        told("CreateTask")
    }
    unsafe fn Sleep(&self, _milliseconds: u32, _option: u32) -> HRESULT {
        let _ = told("Sleep");
        E_NOTIMPL
    }
    unsafe fn SwitchToTask(&self, _option: u32) -> HRESULT {
        told("SwitchToTask")
    }
    unsafe fn SetUILocale(&self, _lcid: u32) -> HRESULT {
        told("SetUILocale")
    }
    unsafe fn SetLocale(&self, _lcid: u32) -> HRESULT {
        told("SetLocale")
    }
    unsafe fn CallNeedsHostHook(&self, _target: usize, mut hook: Out<'_, BOOL>) -> HRESULT {
        hook.write_if_wanted(true.into());
        told("CallNeedsHostHook")
    }
    unsafe fn LeaveRuntime(&self, _target: usize) -> HRESULT {
        told("LeaveRuntime")
    }
    unsafe fn EnterRuntime(&self) -> HRESULT {
        told("EnterRuntime")
    }
    unsafe fn ReverseLeaveRuntime(&self) -> HRESULT {
        told("ReverseLeaveRuntime")
    }
    unsafe fn ReverseEnterRuntime(&self) -> HRESULT {
        told("ReverseEnterRuntime")
    }
    unsafe fn BeginDelayAbort(&self) -> HRESULT {
        told("BeginDelayAbort")
    }
    unsafe fn EndDelayAbort(&self) -> HRESULT {
        told("EndDelayAbort")
    }
    unsafe fn BeginThreadAffinity(&self) -> HRESULT {
        told("BeginThreadAffinity")
    }
    unsafe fn EndThreadAffinity(&self) -> HRESULT {
        told("EndThreadAffinity")
    }
    unsafe fn SetStackGuarantee(&self, _guarantee: u32) -> HRESULT {
        told("SetStackGuarantee")
    }
    unsafe fn GetStackGuarantee(&self, _guarantee: Out<'_, u32>) -> HRESULT {
        told("GetStackGuarantee")
    }
    unsafe fn SetCLRTaskManager(&self, _manager: Lent<'_, ICLRTaskManager>) -> HRESULT {
        told("SetCLRTaskManager")
    }
}

#[implement(IHostTask)]
struct Task;

impl IHostTask_Impl for Task_Impl {
    unsafe fn SetCLRTask(&self, _task: Lent<'_, ICLRTask>) -> HRESULT {
        told("SetCLRTask")
    }
    unsafe fn Start(&self) -> HRESULT {
        told("Start")
    }
    /// May come from any thread.
    unsafe fn Alert(&self) -> HRESULT {
        drop(lock("Alert"));
        S_OK
    }
    unsafe fn Join(&self, _milliseconds: u32, _option: u32) -> HRESULT {
        let _ = told("Join");
        E_NOTIMPL
    }
    unsafe fn SetPriority(&self, _priority: i32) -> HRESULT {
        told("SetPriority")
    }
    unsafe fn GetPriority(&self, _priority: Out<'_, i32>) -> HRESULT {
        let _ = told("GetPriority");
        E_NOTIMPL
    }
}

#[implement(IHostPolicyManager)]
struct Policy;

impl IHostPolicyManager_Impl for Policy_Impl {
    /// May come from any thread.
    unsafe fn OnDefaultAction(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT {
        drop(lock("OnDefaultAction"));
        assert_eq!((operation, action), (OPR_ThreadAbort, eAbortThread));
        ACTIONS.fetch_add(1, SeqCst);
        S_OK
    }
    unsafe fn OnTimeout(&self, _operation: EClrOperation, _action: EPolicyAction) -> HRESULT {
        told("OnTimeout")
    }
    unsafe fn OnFailure(&self, _failure: EClrFailure, _action: EPolicyAction) -> HRESULT {
        told("OnFailure")
    }
}

/// The calling thread's.
fn current(tasks: &ICLRTaskManager) -> ICLRTask2 {
    let mut task = null_mut();
    // SAFETY: a place for the answer, which is lent.
    unsafe {
        assert_eq!(tasks.GetCurrentTask(Out::new(&mut task)), S_OK);
        ICLRTask2::from_raw_borrowed(&task).unwrap().clone()
    }
}

const TIMES: usize = 5;

/// The task catches each of its aborts except the last, and sleeps again. The host holds its lock
/// all the time.
pub fn aborts_under_a_lock(library: &Library, version: &str) {
    let host = library.host(version);
    let tasks = manager::<ICLRTaskManager>(&control(&host)).unwrap();
    let tasks_of_host: IHostTaskManager = ComObject::new(Tasks).into_interface();
    let policy: IHostPolicyManager = ComObject::new(Policy).into_interface();
    let control = offers([
        (IHostTaskManager::IID, tasks_of_host.into()),
        (IHostPolicyManager::IID, policy.into()),
    ]);
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    start(&host);
    let place = Mutex::new(None);
    thread::scope(|scope| {
        let shared = Shared((host.clone(), tasks.clone()));
        let place = &place;
        let victim = scope.spawn(move || {
            let (host, tasks) = &{ &shared }.0;
            assert_eq!(call(host, "Nap", "1"), Ok(1));
            *place.lock().unwrap() = Some(Shared(current(tasks)));
            let path = assembly();
            let path = path.to_str().unwrap().replace("hosted", "turns");
            let times = (TIMES - 1).to_string();
            let stubborn = call_in(host, &path, "Soglia.Turns.Entry", "Stubborn", &times);
            (stubborn, call(host, "Wait", ""))
        });
        wait_for(|| place.lock().unwrap().is_some());
        let task = place.lock().unwrap().take().unwrap().0;
        let tasks_before = TASKS.load(SeqCst);
        // An abort that is asked for while another is pending is the same abort. Between the two
        // executions there is nothing to abort.
        while !victim.is_finished() {
            let guard = lock("Abort");
            // SAFETY: places for the answers, or none.
            let answers = unsafe {
                let (mut needs, mut locks) = (BOOL(0), 0);
                assert!([S_OK, S_FALSE].contains(&task.YieldTask()));
                assert_eq!(task.NeedsPriorityScheduling(Out::new(&mut needs)), S_OK);
                assert_eq!(task.LocksHeld(Out::new(&mut locks)), S_OK);
                assert_eq!(task.SetTaskIdentifier(7), S_OK);
                assert_eq!(task.RudeAbort(), E_NOTIMPL);
                [task.Abort(), task.Abort()]
            };
            drop(guard);
            for answer in answers {
                assert!([S_OK, E_NOTIMPL].contains(&answer), "{answer:?}");
            }
            thread::sleep(Duration::from_millis(1));
        }
        wait_for(|| ACTIONS.load(SeqCst) >= TIMES);
        let (stubborn, wait) = victim.join().unwrap();
        assert_eq!(stubborn, Ok(TIMES as i32 - 1));
        assert_eq!(wait, Err(COR_E_THREADABORTED));
        // The threads that the engine has made for that have no task of the host.
        assert_eq!(TASKS.load(SeqCst), tasks_before);
    });
    assert_eq!(*ON_OTHERS.lock().unwrap(), Vec::<&str>::new());
}

/// .NET does not know that the task sleeps: its host does that.
pub fn a_hosts_sleep_is_ended(library: &Library, version: &str) {
    let host = library.host(version);
    let tasks = manager::<ICLRTaskManager>(&control(&host)).unwrap();
    let scheduler = schedules(&host);
    for method in ["Wait", "Join"] {
        let place = Mutex::new(None);
        thread::scope(|scope| {
            let shared = Shared((host.clone(), tasks.clone()));
            let place = &place;
            let victim = scope.spawn(move || {
                let (host, tasks) = &{ &shared }.0;
                assert_eq!(call(host, "Nap", "1"), Ok(1));
                *place.lock().unwrap() = Some(Shared(current(tasks)));
                (call(host, method, ""), call(host, "Nap", "2"))
            });
            wait_for(|| place.lock().unwrap().is_some());
            let task = place.lock().unwrap().take().unwrap().0;
            // SAFETY: the object is alive, and its method takes no pointers.
            wait_for(|| unsafe { task.Abort() } == S_OK);
            let answers = victim.join().unwrap();
            assert_eq!(answers, (Err(COR_E_THREADABORTED), Ok(2)), "{method}");
        });
    }
    assert!(scheduler.told(&["Alert"]).len() >= 2);
}
