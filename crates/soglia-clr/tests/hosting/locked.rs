//! A host with one lock for all that it does. Its notifications take that lock, and it aborts tasks
//! while it holds the lock.

use std::{
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
        host_task::{IHostTask, IHostTask_Impl, IHostTaskManager},
        policy::{
            EClrFailure, EClrOperation, EPolicyAction, IHostPolicyManager, IHostPolicyManager_Impl,
            OPR_ThreadAbort, eAbortThread,
        },
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
    task_manager::{Asked, Manages, task_manager},
};

static LOCK: Mutex<()> = Mutex::new(());

/// The notifications on threads that have no task of the host.
static ON_OTHERS: Mutex<Vec<String>> = Mutex::new(Vec::new());
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
fn told(what: &str) -> HRESULT {
    let mut name = [0_u8; 16];
    // SAFETY: PR_GET_NAME writes sixteen bytes at most.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    if name.starts_with(b"soglia") {
        ON_OTHERS.lock().unwrap().push(what.to_owned());
    }
    drop(lock(what));
    S_OK
}

struct Tasks;

impl Manages for Tasks {
    fn current_task(&self) -> (HRESULT, Option<IHostTask>) {
        let answer = told("GetCurrentTask");
        TASKS.fetch_add(1, SeqCst);
        (answer, Some(ComObject::new(Task).into_interface()))
    }
    fn needs_hook(&self, _target: usize) -> (HRESULT, bool) {
        (told("CallNeedsHostHook"), true)
    }
    fn asked(&self, what: Asked) -> HRESULT {
        let answer = told(&what.method());
        if let Asked::Sleep(..) = what {
            return E_NOTIMPL;
        }
        answer
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
    let policy: IHostPolicyManager = ComObject::new(Policy).into_interface();
    let control = offers([
        (IHostTaskManager::IID, task_manager(Tasks).into()),
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
                [task.Abort(), task.Abort()]
            };
            drop(guard);
            for answer in answers {
                assert!([S_OK, E_NOTIMPL].contains(&answer), "{answer:?}");
            }
            thread::sleep(Duration::from_millis(1));
        }
        {
            let _guard = lock("Abort");
            // SAFETY: the object is alive, and its method takes no pointers.
            let nothing_runs = unsafe { task.RudeAbort() };
            assert_eq!(nothing_runs, E_NOTIMPL);
        }
        wait_for(|| ACTIONS.load(SeqCst) >= TIMES);
        let (stubborn, wait) = victim.join().unwrap();
        assert_eq!(stubborn, Ok(TIMES as i32 - 1));
        assert_eq!(wait, Err(COR_E_THREADABORTED));
        // The threads that the engine has made for that have no task of the host.
        assert_eq!(TASKS.load(SeqCst), tasks_before);
    });
    assert_eq!(*ON_OTHERS.lock().unwrap(), Vec::<String>::new());
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
