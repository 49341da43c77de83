//! A host that finds deadlocks of locks, and chooses the thread that finds one as the victim. A
//! method that was given another answer returns that and does nothing else.

use std::{
    cell::OnceCell,
    collections::{HashMap, VecDeque},
    ffi::c_void,
    ptr::null_mut,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use soglia_abi::{
    BOOL, HRESULT,
    hosting::{
        clr_task::ICLRTask,
        host_task::{IHostTask, IHostTask_Impl, IHostTaskManager},
        runtime_host::ICLRRuntimeHost4,
        sync::{
            ICLRSyncManager, IHostAutoEvent, IHostAutoEvent_Impl, IHostManualEvent,
            IHostManualEvent_Impl, IHostSemaphore, IHostSemaphore_Impl, IHostSyncManager,
            IHostSyncManager_Impl,
        },
        types::{INFINITE, WAIT_ALERTABLE, WAIT_NOTINDEADLOCK},
    },
    hresult::{E_NOTIMPL, HOST_E_DEADLOCK, HOST_E_INTERRUPTED, HOST_E_TIMEOUT, S_OK},
    param::{Lent, Out},
};
use windows_core::{ComObject, Interface, implement};

use crate::{
    api::start,
    host::{Shared, offers},
    task_manager::{Asked, Manages, task_manager},
};

/// What the host was asked for, and what it knows of its tasks.
#[derive(Default)]
struct State {
    told: Vec<String>,
    answers: HashMap<&'static str, VecDeque<HRESULT>>,
    /// The cookie of the lock that each task waits for, by the task's number.
    waits: HashMap<usize, usize>,
    /// Tasks that were woken for an interrupt.
    alerted: Vec<usize>,
    clr: Option<Shared<ICLRSyncManager>>,
}

#[derive(Default)]
pub struct Detector {
    state: Mutex<State>,
    changed: Condvar,
    /// One task at a time looks for a deadlock.
    looks: Mutex<()>,
}

/// Starts a runtime whose host this is.
pub fn detects(host: &ICLRRuntimeHost4) -> Arc<Detector> {
    let detector = Arc::<Detector>::default();
    let tasks = task_manager(Tasks(detector.clone()));
    let locks: IHostSyncManager = ComObject::new(Locks(detector.clone())).into_interface();
    let control = offers([
        (IHostTaskManager::IID, tasks.into()),
        (IHostSyncManager::IID, locks.into()),
    ]);
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    start(host);
    detector
}

/// The same without a task manager.
pub fn detects_without_tasks(host: &ICLRRuntimeHost4) -> Arc<Detector> {
    let detector = Arc::<Detector>::default();
    let locks: IHostSyncManager = ComObject::new(Locks(detector.clone())).into_interface();
    let control = offers([(IHostSyncManager::IID, locks.into())]);
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    start(host);
    detector
}

impl Detector {
    /// From now on this method does nothing but answer this.
    pub fn answers(&self, method: &'static str, answer: HRESULT) {
        self.answers_in_turn(method, &[answer]);
    }

    /// The same, with one answer after the other, of which the last one stays.
    pub fn answers_in_turn(&self, method: &'static str, answers: &[HRESULT]) {
        let answers = answers.iter().copied().collect();
        self.state().answers.insert(method, answers);
    }

    /// Many threads wait at random, by a seed, while waits are answered in several ways.
    pub fn storms(&self, run: impl Fn(usize) -> Result<i32, HRESULT>) {
        for (seed, answers) in [
            &[][..],
            &[S_OK],
            &[S_OK, HOST_E_TIMEOUT, HOST_E_INTERRUPTED, E_NOTIMPL],
            &[],
        ]
        .into_iter()
        .enumerate()
        {
            if !answers.is_empty() {
                self.answers_in_turn("Wait", &answers.repeat(20));
            }
            assert_eq!(run(seed), Ok(0), "seed {seed}");
            self.works();
        }
    }

    /// From now on all methods do what they are for.
    pub fn works(&self) {
        self.state().answers.clear();
    }

    /// What these methods were asked since this was asked last.
    pub fn told(&self, methods: &[&str]) -> Vec<String> {
        let told = std::mem::take(&mut self.state().told);
        let of = |line: &String| methods.contains(&line.split(' ').next().unwrap());
        told.into_iter().filter(of).collect()
    }

    pub fn clr(&self) -> ICLRSyncManager {
        self.state().clr.as_ref().unwrap().0.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self, method: &str, with: &str) -> Option<HRESULT> {
        let mut state = self.state();
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

    /// Whether the task waits for itself, by the locks that it and others wait for.
    fn is_dead(&self, task: usize) -> bool {
        let clr = self.clr();
        let mut at = task;
        for _ in 0..100 {
            let Some(cookie) = self.state().waits.get(&at).copied() else {
                return false;
            };
            let mut owner = null_mut();
            // SAFETY: the object is alive, and the pointer is to a local. What it gives is a task
            // of this host, with a reference.
            at = unsafe {
                assert_eq!(clr.GetMonitorOwner(cookie, Out::new(&mut owner)), S_OK);
                if owner.is_null() {
                    return false;
                }
                let owner = IHostTask::from_raw(owner);
                owner.cast_object_ref::<Task>().unwrap().0
            };
            if at == task {
                return true;
            }
        }
        false
    }
}

/// The running thread's number.
fn own() -> usize {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static OWN: OnceCell<usize> = const { OnceCell::new() });
    OWN.with(|own| *own.get_or_init(|| LAST.fetch_add(1, Relaxed) + 1))
}

struct Tasks(Arc<Detector>);

impl Manages for Tasks {
    fn current_task(&self) -> (HRESULT, Option<IHostTask>) {
        let task = Task(own(), self.0.clone());
        (S_OK, Some(ComObject::new(task).into_interface()))
    }
    fn needs_hook(&self, _target: usize) -> (HRESULT, bool) {
        (S_OK, false)
    }
    fn asked(&self, what: Asked) -> HRESULT {
        match what {
            Asked::CreateTask
            | Asked::Sleep(..)
            | Asked::SwitchToTask(_)
            | Asked::SetStackGuarantee
            | Asked::GetStackGuarantee => E_NOTIMPL,
            _ => S_OK,
        }
    }
}

#[implement(IHostTask)]
struct Task(usize, Arc<Detector>);

impl IHostTask_Impl for Task_Impl {
    unsafe fn Start(&self) -> HRESULT {
        E_NOTIMPL
    }
    unsafe fn Alert(&self) -> HRESULT {
        let _ = self.1.asked("Alert", "");
        self.1.state().alerted.push(self.0);
        self.1.changed.notify_all();
        S_OK
    }
    unsafe fn Join(&self, _milliseconds: u32, _option: u32) -> HRESULT {
        E_NOTIMPL
    }
    unsafe fn SetPriority(&self, _priority: i32) -> HRESULT {
        E_NOTIMPL
    }
    unsafe fn GetPriority(&self, _priority: Out<'_, i32>) -> HRESULT {
        E_NOTIMPL
    }
    unsafe fn SetCLRTask(&self, _task: Lent<'_, ICLRTask>) -> HRESULT {
        S_OK
    }
}

#[implement(IHostSyncManager)]
struct Locks(Arc<Detector>);

impl IHostSyncManager_Impl for Locks_Impl {
    unsafe fn SetCLRSyncManager(&self, manager: Lent<'_, ICLRSyncManager>) -> HRESULT {
        let manager = manager.as_ptr();
        // SAFETY: the runtime lends a live object.
        let manager = unsafe { ICLRSyncManager::from_raw_borrowed(&manager) };
        self.0.state().clr = manager.cloned().map(Shared);
        self.0.asked("SetCLRSyncManager", "").unwrap_or(S_OK)
    }
    unsafe fn CreateCrst(&self, _section: Out<'_, *mut c_void>) -> HRESULT {
        panic!("the runtime has no occasion");
    }
    unsafe fn CreateCrstWithSpinCount(
        &self,
        _count: u32,
        _section: Out<'_, *mut c_void>,
    ) -> HRESULT {
        panic!("the runtime has no occasion");
    }
    unsafe fn CreateAutoEvent(&self, event: Out<'_, *mut c_void>) -> HRESULT {
        self.make("CreateAutoEvent", "", Kind::Auto, 0, event)
    }
    unsafe fn CreateManualEvent(&self, state: BOOL, event: Out<'_, *mut c_void>) -> HRESULT {
        let with = state.as_bool().to_string();
        self.make("CreateManualEvent", &with, Kind::Manual, 0, event)
    }
    unsafe fn CreateMonitorEvent(&self, cookie: usize, event: Out<'_, *mut c_void>) -> HRESULT {
        self.make("CreateMonitorEvent", "", Kind::Auto, cookie, event)
    }
    unsafe fn CreateRWLockWriterEvent(
        &self,
        cookie: usize,
        event: Out<'_, *mut c_void>,
    ) -> HRESULT {
        self.make("CreateRWLockWriterEvent", "", Kind::Auto, cookie, event)
    }
    unsafe fn CreateRWLockReaderEvent(
        &self,
        state: BOOL,
        cookie: usize,
        event: Out<'_, *mut c_void>,
    ) -> HRESULT {
        let with = state.as_bool().to_string();
        self.make(
            "CreateRWLockReaderEvent",
            &with,
            Kind::Manual,
            cookie,
            event,
        )
    }
    unsafe fn CreateSemaphore(
        &self,
        initial: u32,
        most: u32,
        semaphore: Out<'_, *mut c_void>,
    ) -> HRESULT {
        let with = format!("{initial} {most}");
        self.make("CreateSemaphore", &with, Kind::Semaphore, 0, semaphore)
    }
}

impl Locks {
    fn make(
        &self,
        method: &'static str,
        with: &str,
        kind: Kind,
        cookie: usize,
        mut event: Out<'_, *mut c_void>,
    ) -> HRESULT {
        assert_eq!(event.write(null_mut()), S_OK);
        if let Some(answer) = self.0.asked(method, with) {
            return answer;
        }
        let made = Event {
            kind,
            cookie,
            count: Mutex::new(0),
            detector: self.0.clone(),
        };
        event.write(match kind {
            Kind::Auto => ComObject::new(Auto(made))
                .into_interface::<IHostAutoEvent>()
                .into_raw(),
            Kind::Manual => ComObject::new(Manual(made))
                .into_interface::<IHostManualEvent>()
                .into_raw(),
            Kind::Semaphore => ComObject::new(Semaphore(made))
                .into_interface::<IHostSemaphore>()
                .into_raw(),
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Auto,
    Manual,
    Semaphore,
}

struct Event {
    kind: Kind,
    /// 0: it is for no lock.
    cookie: usize,
    /// How many threads may go on.
    count: Mutex<u32>,
    detector: Arc<Detector>,
}

impl Event {
    fn wait(&self, milliseconds: u32, option: u32) -> HRESULT {
        let with = format!("{} {option}", milliseconds.cast_signed());
        if let Some(answer) = self.detector.asked("Wait", &with) {
            return answer;
        }
        if self.cookie == 0 {
            return self.wait_for(milliseconds, option);
        }
        self.detector.state().waits.insert(own(), self.cookie);
        let answer = self.wait_for(milliseconds, option);
        self.detector.state().waits.remove(&own());
        answer
    }

    fn may_go_on(&self) -> bool {
        let mut count = self.count.lock().unwrap();
        let may = *count > 0;
        if may && self.kind != Kind::Manual {
            *count -= 1;
        }
        may
    }

    fn wait_for(&self, milliseconds: u32, option: u32) -> HRESULT {
        let (own, begun) = (own(), Instant::now());
        loop {
            if self.may_go_on() {
                return S_OK;
            }
            if option & WAIT_ALERTABLE != 0 {
                let alerted = &mut self.detector.state().alerted;
                if let Some(at) = alerted.iter().position(|task| *task == own) {
                    alerted.swap_remove(at);
                    return HOST_E_INTERRUPTED;
                }
            }
            if milliseconds != INFINITE && begun.elapsed().as_millis() >= milliseconds.into() {
                return HOST_E_TIMEOUT;
            }
            let looks = self.detector.looks.lock().unwrap();
            if option & WAIT_NOTINDEADLOCK == 0 && self.detector.is_dead(own) {
                self.detector.state().waits.remove(&own);
                return HOST_E_DEADLOCK;
            }
            drop(looks);
            let state = self.detector.state();
            let changed = &self.detector.changed;
            drop(
                changed
                    .wait_timeout(state, Duration::from_millis(1))
                    .unwrap(),
            );
        }
    }

    fn set(&self, method: &str, count: u32) -> HRESULT {
        if let Some(answer) = self.detector.asked(method, "") {
            return answer;
        }
        let mut there = self.count.lock().unwrap();
        *there = match self.kind {
            Kind::Semaphore => *there + count,
            _ => count,
        };
        drop(there);
        self.detector.changed.notify_all();
        S_OK
    }
}

#[implement(IHostAutoEvent)]
struct Auto(Event);

impl IHostAutoEvent_Impl for Auto_Impl {
    unsafe fn Wait(&self, milliseconds: u32, option: u32) -> HRESULT {
        self.0.wait(milliseconds, option)
    }
    unsafe fn Set(&self) -> HRESULT {
        self.0.set("Set", 1)
    }
}

#[implement(IHostManualEvent)]
struct Manual(Event);

impl IHostManualEvent_Impl for Manual_Impl {
    unsafe fn Wait(&self, milliseconds: u32, option: u32) -> HRESULT {
        self.0.wait(milliseconds, option)
    }
    unsafe fn Reset(&self) -> HRESULT {
        self.0.set("Reset", 0)
    }
    unsafe fn Set(&self) -> HRESULT {
        self.0.set("Set", 1)
    }
}

#[implement(IHostSemaphore)]
struct Semaphore(Event);

impl IHostSemaphore_Impl for Semaphore_Impl {
    unsafe fn Wait(&self, milliseconds: u32, option: u32) -> HRESULT {
        self.0.wait(milliseconds, option)
    }
    unsafe fn ReleaseSemaphore(&self, count: i32, mut before: Out<'_, i32>) -> HRESULT {
        before.write_if_wanted(*self.0.count.lock().unwrap() as i32);
        self.0.set("ReleaseSemaphore", count.cast_unsigned())
    }
}
