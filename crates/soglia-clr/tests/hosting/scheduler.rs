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
    HRESULT,
    hosting::{
        clr_task::ICLRTask,
        host_task::{IHostTask, IHostTask_Impl, IHostTaskManager},
        runtime_host::ICLRRuntimeHost4,
        types::{INFINITE, WAIT_ALERTABLE},
    },
    hresult::{E_NOTIMPL, HOST_E_INTERRUPTED, HOST_E_TIMEOUT, S_OK},
    param::{Lent, Out},
};
use windows_core::{ComObject, Interface, implement};

use crate::{
    api::start,
    host::offers,
    task_manager::{Asked, Manages, task_manager},
};

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
    let manager = task_manager(Manager(scheduler.clone()));
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

    fn asked(&self, method: &str, with: &str) -> Option<HRESULT> {
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

struct Manager(Arc<Scheduler>);

impl Manages for Manager {
    fn current_task(&self) -> (HRESULT, Option<IHostTask>) {
        if let Some(answer) = self.0.asked("GetCurrentTask", "") {
            return (answer, None);
        }
        let task = Task(own(), self.0.clone());
        (S_OK, Some(ComObject::new(task).into_interface()))
    }
    fn needs_hook(&self, _target: usize) -> (HRESULT, bool) {
        (S_OK, false)
    }
    fn asked(&self, what: Asked) -> HRESULT {
        let with = match what {
            Asked::Sleep(milliseconds, option) => {
                format!("{} {option}", milliseconds.cast_signed())
            }
            Asked::SwitchToTask(option) => format!("{option}"),
            Asked::SetUILocale(lcid) | Asked::SetLocale(lcid) => format!("{lcid:#x}"),
            Asked::BeginDelayAbort => format!("{}", locks()),
            Asked::LeaveRuntime(_)
            | Asked::EnterRuntime
            | Asked::ReverseLeaveRuntime
            | Asked::ReverseEnterRuntime
            | Asked::SetCLRTaskManager(_) => return S_OK,
            _ => String::new(),
        };
        if let Some(answer) = self.0.asked(&what.method(), &with) {
            return answer;
        }
        match what {
            Asked::Sleep(milliseconds, option) => {
                assert_eq!(option, WAIT_ALERTABLE);
                if own().alerted.wait(milliseconds, true) {
                    return HOST_E_INTERRUPTED;
                }
            }
            Asked::SwitchToTask(_) => thread::yield_now(),
            Asked::BeginDelayAbort => {
                assert!(!own().aborts_late.swap(true, AcqRel), "they do not nest");
            }
            Asked::EndDelayAbort => {
                let begun = own().aborts_late.swap(false, AcqRel);
                assert!(begun, "there was a beginning");
            }
            Asked::CreateTask | Asked::SetStackGuarantee | Asked::GetStackGuarantee => {
                return E_NOTIMPL;
            }
            _ => {}
        }
        S_OK
    }
}

/// The locks that the CLR's task of this thread holds.
fn locks() -> usize {
    let task = own().clr_task.load(Relaxed) as *mut c_void;
    let mut locks = 0;
    // SAFETY: `SetCLRTask` put the CLR's task of this thread there, which lives as long as the
    // thread.
    let answer = unsafe {
        let task = ICLRTask::from_raw_borrowed(&task).unwrap();
        task.LocksHeld(Out::new(&mut locks))
    };
    assert_eq!(answer, S_OK);
    locks
}

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
