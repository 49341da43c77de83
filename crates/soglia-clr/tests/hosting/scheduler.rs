//! A host that schedules its tasks. It sleeps, waits and wakes itself, and writes down what it is
//! asked for. A method that was given another answer returns that and does nothing else.

use std::{
    cell::OnceCell,
    collections::{HashMap, VecDeque},
    ffi::c_void,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{
            AtomicBool, AtomicI32, AtomicUsize,
            Ordering::{AcqRel, Relaxed},
        },
    },
    thread,
    time::{Duration, Instant},
};

use soglia_abi::{
    BOOL, HRESULT,
    hosting::{
        clr_task::{ICLRTask, ICLRTaskManager},
        host_task::{IHostTask, IHostTask_Impl, IHostTaskManager, IHostTaskManager_Impl},
        runtime_host::ICLRRuntimeHost4,
        types::{INFINITE, LPTHREAD_START_ROUTINE, WAIT_ALERTABLE},
    },
    hresult::{E_NOTIMPL, HOST_E_INTERRUPTED, HOST_E_TIMEOUT, S_OK},
    param::{Lent, Out},
};
use windows_core::{ComObject, Interface, implement};

use crate::{api::start, host::offers};

/// What the host was asked for, and how it answers.
#[derive(Default)]
struct State {
    told: Vec<String>,
    answers: HashMap<&'static str, VecDeque<HRESULT>>,
}

#[derive(Default)]
pub struct Scheduler(Mutex<State>);

/// Starts a runtime whose host this is.
pub fn schedules(host: &ICLRRuntimeHost4) -> Arc<Scheduler> {
    let scheduler = Arc::<Scheduler>::default();
    let manager: IHostTaskManager = ComObject::new(Manager(scheduler.clone())).into_interface();
    let control = offers([(IHostTaskManager::IID, manager.into())]);
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    start(host);
    scheduler
}

impl Scheduler {
    /// From now on this method does nothing but answer this.
    pub fn answers(&self, method: &'static str, answer: HRESULT) {
        self.answers_in_turn(method, &[answer]);
    }

    /// The same, with one answer after the other, of which the last one stays.
    pub fn answers_in_turn(&self, method: &'static str, answers: &[HRESULT]) {
        let answers = answers.iter().copied().collect();
        self.0.lock().unwrap().answers.insert(method, answers);
    }

    /// From now on all methods do what they are for.
    pub fn works(&self) {
        self.0.lock().unwrap().answers.clear();
    }

    /// What these methods were asked since this was asked last.
    pub fn told(&self, methods: &[&str]) -> Vec<String> {
        let told = std::mem::take(&mut self.0.lock().unwrap().told);
        let of = |line: &String| methods.contains(&line.split(' ').next().unwrap());
        told.into_iter().filter(of).collect()
    }

    fn asked(&self, method: &'static str, with: &str) -> Option<HRESULT> {
        let mut state = self.0.lock().unwrap();
        state
            .told
            .push(format!("{method} {with}").trim().to_owned());
        let answers = state.answers.get_mut(method)?;
        if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().copied()
        }
    }
}

/// What can be waited for: it is set once.
#[derive(Default)]
struct Flag(Mutex<bool>, Condvar);

impl Flag {
    fn set(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    /// Whether it is set in that time. Then it is not any more, if it is taken.
    fn wait(&self, milliseconds: u32, takes: bool) -> bool {
        let limit = Duration::from_millis(milliseconds.into());
        let begun = Instant::now();
        let mut set = self.0.lock().unwrap();
        while !*set {
            set = match limit.checked_sub(begun.elapsed()) {
                _ if milliseconds == INFINITE => self.1.wait(set).unwrap(),
                Some(left) => self.1.wait_timeout(set, left).unwrap().0,
                None => return false,
            };
        }
        *set = !takes;
        true
    }
}

/// What is known of a thread.
#[derive(Default)]
struct Thread {
    alerted: Flag,
    ended: Flag,
    priority: AtomicI32,
    clr_task: AtomicUsize,
    aborts_late: AtomicBool,
}

/// The thread's own hold on it: the thread has ended when that goes.
#[derive(Default)]
struct Own(OnceCell<Arc<Thread>>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(thread) = self.0.get() {
            thread.ended.set();
        }
    }
}

thread_local!(static OWN: Own = Own::default());

fn own() -> Arc<Thread> {
    OWN.with(|own| own.0.get_or_init(Arc::default).clone())
}

#[implement(IHostTaskManager)]
struct Manager(Arc<Scheduler>);

/// Written down, and answered otherwise if that is wanted.
macro_rules! asked {
    ($scheduler:expr, $method:literal) => {
        asked!($scheduler, $method; "")
    };
    ($scheduler:expr, $method:literal; $($with:tt)*) => {
        if let Some(answer) = $scheduler.asked($method, &format!($($with)*)) {
            return answer;
        }
    };
}

impl IHostTaskManager_Impl for Manager_Impl {
    unsafe fn GetCurrentTask(&self, task: Out<'_, *mut c_void>) -> HRESULT {
        asked!(self.0, "GetCurrentTask");
        task.fill(|| {
            let own: IHostTask = ComObject::new(Task(own(), self.0.clone())).into_interface();
            Ok(own.into_raw())
        })
    }
    unsafe fn CreateTask(
        &self,
        _stack: u32,
        _start: Option<LPTHREAD_START_ROUTINE>,
        _parameter: *mut c_void,
        _task: Out<'_, *mut c_void>,
    ) -> HRESULT {
        asked!(self.0, "CreateTask");
        E_NOTIMPL
    }
    unsafe fn Sleep(&self, milliseconds: u32, option: u32) -> HRESULT {
        asked!(self.0, "Sleep"; "{} {option}", milliseconds.cast_signed());
        assert_eq!(option, WAIT_ALERTABLE);
        match own().alerted.wait(milliseconds, true) {
            true => HOST_E_INTERRUPTED,
            false => S_OK,
        }
    }
    unsafe fn SwitchToTask(&self, option: u32) -> HRESULT {
        asked!(self.0, "SwitchToTask"; "{option}");
        thread::yield_now();
        S_OK
    }
    unsafe fn SetUILocale(&self, lcid: u32) -> HRESULT {
        asked!(self.0, "SetUILocale"; "{lcid:#x}");
        S_OK
    }
    unsafe fn SetLocale(&self, lcid: u32) -> HRESULT {
        asked!(self.0, "SetLocale"; "{lcid:#x}");
        S_OK
    }
    unsafe fn CallNeedsHostHook(&self, _target: usize, hook: Out<'_, BOOL>) -> HRESULT {
        hook.fill(|| Ok(false.into()))
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
        let own = own();
        let task = own.clr_task.load(Relaxed) as *mut c_void;
        let mut locks = 0;
        // SAFETY: the CLR's task of this thread, alive.
        let answer = unsafe {
            let task = ICLRTask::from_raw_borrowed(&task).unwrap();
            task.LocksHeld(Out::new(&mut locks))
        };
        assert_eq!(answer, S_OK);
        asked!(self.0, "BeginDelayAbort"; "{locks}");
        assert!(!own.aborts_late.swap(true, AcqRel), "they do not nest");
        S_OK
    }
    unsafe fn EndDelayAbort(&self) -> HRESULT {
        asked!(self.0, "EndDelayAbort");
        assert!(
            own().aborts_late.swap(false, AcqRel),
            "there was a beginning"
        );
        S_OK
    }
    unsafe fn BeginThreadAffinity(&self) -> HRESULT {
        asked!(self.0, "BeginThreadAffinity");
        S_OK
    }
    unsafe fn EndThreadAffinity(&self) -> HRESULT {
        asked!(self.0, "EndThreadAffinity");
        S_OK
    }
    unsafe fn SetStackGuarantee(&self, _guarantee: u32) -> HRESULT {
        asked!(self.0, "SetStackGuarantee");
        E_NOTIMPL
    }
    unsafe fn GetStackGuarantee(&self, _guarantee: Out<'_, u32>) -> HRESULT {
        asked!(self.0, "GetStackGuarantee");
        E_NOTIMPL
    }
    unsafe fn SetCLRTaskManager(&self, _manager: Lent<'_, ICLRTaskManager>) -> HRESULT {
        S_OK
    }
}

#[implement(IHostTask)]
struct Task(Arc<Thread>, Arc<Scheduler>);

impl IHostTask_Impl for Task_Impl {
    unsafe fn Start(&self) -> HRESULT {
        asked!(self.1, "Start");
        E_NOTIMPL
    }
    unsafe fn Alert(&self) -> HRESULT {
        asked!(self.1, "Alert");
        self.0.alerted.set();
        S_OK
    }
    unsafe fn Join(&self, milliseconds: u32, option: u32) -> HRESULT {
        asked!(self.1, "Join"; "{} {option}", milliseconds.cast_signed());
        // A thread that waits can be woken, so it waits in short turns.
        let begun = Instant::now();
        loop {
            if self.0.ended.wait(1, false) {
                return S_OK;
            }
            if own().alerted.wait(0, true) {
                return HOST_E_INTERRUPTED;
            }
            if milliseconds != INFINITE && begun.elapsed().as_millis() >= milliseconds.into() {
                return HOST_E_TIMEOUT;
            }
        }
    }
    unsafe fn SetPriority(&self, priority: i32) -> HRESULT {
        asked!(self.1, "SetPriority"; "{priority}");
        self.0.priority.store(priority, Relaxed);
        S_OK
    }
    unsafe fn GetPriority(&self, priority: Out<'_, i32>) -> HRESULT {
        asked!(self.1, "GetPriority");
        priority.fill(|| Ok(self.0.priority.load(Relaxed)))
    }
    unsafe fn SetCLRTask(&self, task: Lent<'_, ICLRTask>) -> HRESULT {
        asked!(self.1, "SetCLRTask");
        self.0.clr_task.store(task.as_ptr() as usize, Relaxed);
        S_OK
    }
}
