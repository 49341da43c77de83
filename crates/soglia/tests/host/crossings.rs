//! Notifications of crossings, and acting on them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use soglia::host::{
    Answer, ClrTask, ClrTaskManager, Crossing, Error, HResult, Host, HostGcManager, HostTask,
    HostTaskManager, Priority, Slots, Target, WaitOptions,
};

use crate::stage::Stage;

const PLUGIN: &str = "Guest.Plugin";

/// What a host has heard, and how it answers.
#[derive(Default)]
pub struct Heard {
    lines: Mutex<Vec<String>>,
    clr: OnceLock<ClrTaskManager>,
    tasks: Mutex<Vec<ThreadId>>,
    no_task: AtomicBool,
    pub leave: Mutex<Option<HResult>>,
    enter: Mutex<Option<HResult>>,
    reverse_enter: Mutex<Option<HResult>>,
    pairing: Mutex<Option<HResult>>,
    panic: AtomicBool,
}

impl Heard {
    fn tell(&self, line: impl Into<String>) {
        self.lines.lock().unwrap().push(line.into());
    }

    pub fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

fn answer(failure: &Mutex<Option<HResult>>) -> Answer {
    failure.lock().unwrap().map_or(Ok(()), Err)
}

pub struct Manager(pub Arc<Heard>);

struct Task(Arc<Heard>);

impl HostTask for Task {
    fn set_clr_task(&self, task: ClrTask) -> Answer {
        task.set_identifier(7)?;
        self.0.tasks.lock().unwrap().push(thread::current().id());
        answer(&self.0.pairing)
    }
}

impl HostTaskManager for Manager {
    fn current_task(&self) -> Option<Arc<dyn HostTask>> {
        (!self.0.no_task.load(SeqCst)).then(|| Arc::new(Task(self.0.clone())) as _)
    }

    fn call_needs_host_hook(&self, target: Target) -> bool {
        target.is_in("libsixsteps.so") || target.name().as_deref() == Some("guest_secret")
    }

    fn leave_runtime(&self, target: Target) -> Answer {
        self.0.tell(format!("leave {}", target.name().unwrap()));
        assert!(!self.0.panic.load(SeqCst), "as this test wants it");
        answer(&self.0.leave)
    }

    fn enter_runtime(&self) -> Answer {
        self.0.tell("enter");
        answer(&self.0.enter)
    }

    fn reverse_leave_runtime(&self) -> Answer {
        self.0.tell("reverse leave");
        Ok(())
    }

    fn reverse_enter_runtime(&self) -> Answer {
        self.0.tell("reverse enter");
        answer(&self.0.reverse_enter)
    }

    fn set_clr_task_manager(&self, manager: ClrTaskManager) {
        self.0.clr.set(manager).unwrap();
    }
}

fn hearing(stage: &Stage) -> (Host, Arc<Heard>) {
    let heard = Arc::<Heard>::default();
    let host = stage.builder().task_manager(Manager(heard.clone()));
    (host.start().unwrap(), heard)
}

pub const SIX: [&str; 6] = [
    "leave first",
    "reverse enter",
    "leave second",
    "enter",
    "reverse leave",
    "enter",
];

pub fn run(stage: &Stage, host: &Host) {
    let code = host.run(stage.fixture("sixsteps.dll"), [] as [&str; 0]);
    assert_eq!(code.unwrap(), 0);
}

/// How often the native function has run by then.
pub fn secret(stage: &Stage, host: &Host) -> Result<i32, Error> {
    host.call(stage.fixture("guest.dll"), PLUGIN, "Secret", "")
}

pub fn the_six_steps_are_told(stage: &Stage) {
    let (host, heard) = hearing(stage);
    run(stage, &host);
    assert_eq!(heard.told(), SIX);
    // Functions for which the host wants no notifications give none, and work.
    assert_eq!(
        host.call(stage.fixture("guest.dll"), PLUGIN, "Work", "1")
            .unwrap(),
        1
    );
    assert_eq!(heard.told(), [""; 0]);
    assert_eq!(secret(stage, &host).unwrap(), 1);
    assert_eq!(heard.told(), ["leave guest_secret", "enter"]);
}

pub fn tasks_are_paired(stage: &Stage) {
    let (host, heard) = hearing(stage);
    let here = thread::current().id();
    assert_eq!(*heard.tasks.lock().unwrap(), []);
    secret(stage, &host).unwrap();
    secret(stage, &host).unwrap();
    assert_eq!(
        *heard.tasks.lock().unwrap(),
        [here],
        "once, on its own thread"
    );
    let other = thread::scope(|scope| {
        let thread = scope.spawn(|| secret(stage, &host).unwrap());
        let id = thread.thread().id();
        assert_eq!(thread.join().unwrap(), 3);
        id
    });
    assert_eq!(*heard.tasks.lock().unwrap(), [here, other]);
    assert!(heard.clr.get().unwrap().current_task().is_some());
}

pub fn a_thread_without_a_task_is_not_told(stage: &Stage) {
    let (host, heard) = hearing(stage);
    heard.no_task.store(true, SeqCst);
    assert_eq!(secret(stage, &host).unwrap(), 1);
    assert_eq!(heard.told(), [""; 0]);
    // It is asked again.
    heard.no_task.store(false, SeqCst);
    assert_eq!(secret(stage, &host).unwrap(), 2);
    assert_eq!(heard.told(), ["leave guest_secret", "enter"]);
}

pub fn calls_are_refused(stage: &Stage) {
    let (host, heard) = hearing(stage);
    for refusal in [
        HResult::ACCESS_DENIED,
        HResult::OUT_OF_MEMORY,
        HResult::CANCELED,
        HResult::NOT_SUPPORTED,
        HResult::INVALID_ARGUMENT,
        HResult::NOT_IMPLEMENTED,
        HResult::TIMEOUT,
        HResult::UNEXPECTED,
        HResult::new(0xa000_0001),
    ] {
        *heard.leave.lock().unwrap() = Some(refusal);
        assert_eq!(secret(stage, &host).unwrap(), 0);
        assert_eq!(heard.told(), ["leave guest_secret"], "{refusal}");
    }
    *heard.leave.lock().unwrap() = None;
    assert_eq!(secret(stage, &host).unwrap(), 1);
}

pub fn results_are_refused(stage: &Stage) {
    let (host, heard) = hearing(stage);
    *heard.enter.lock().unwrap() = Some(HResult::CANCELED);
    // The function has run, but its caller has an exception.
    assert_eq!(secret(stage, &host).unwrap(), 1);
    assert_eq!(heard.told(), ["leave guest_secret", "enter"]);
}

pub fn callbacks_are_refused(stage: &Stage) {
    let (host, heard) = hearing(stage);
    *heard.reverse_enter.lock().unwrap() = Some(HResult::NOT_SUPPORTED);
    // Native code calls in, outside of any call of managed code. Zeros are the only way to report
    // the denial.
    // SAFETY: Plugin.cs declares the method with this signature.
    let add: extern "C" fn(i32, i32) -> i32 = unsafe {
        host.function(stage.fixture("guest.dll"), PLUGIN, "Add")
            .unwrap()
    };
    assert_eq!(add(40, 2), 0);
    assert_eq!(heard.told(), ["reverse enter"]);
    *heard.reverse_enter.lock().unwrap() = None;
    assert_eq!(add(40, 2), 42);
    assert_eq!(heard.told(), ["reverse enter", "reverse leave"]);
}

pub fn a_panic_takes_the_clr_out_of_use(stage: &Stage) {
    let (host, heard) = hearing(stage);
    assert_eq!(secret(stage, &host).unwrap(), 1);
    heard.panic.store(true, SeqCst);
    assert_eq!(secret(stage, &host).unwrap(), 1, "the call was refused");
    let why = secret(stage, &host).unwrap_err();
    assert!(matches!(why, Error::ClrNotAvailable), "{why}");
    assert_eq!(host.tasks().err(), Some(HResult::CLR_NOT_AVAILABLE));
}

pub fn a_broken_pairing_refuses(stage: &Stage) {
    let (host, heard) = hearing(stage);
    *heard.pairing.lock().unwrap() = Some(HResult::OUT_OF_MEMORY);
    assert_eq!(secret(stage, &host).unwrap(), 0);
    assert_eq!(heard.told(), [""; 0]);
}

/// Blocks a thread before its native call, and has another thread collect meanwhile.
pub fn callbacks_may_wait(stage: &Stage) {
    struct Waits(Arc<(AtomicBool, AtomicBool)>);
    impl HostTaskManager for Waits {
        fn leave_runtime(&self, target: Target) -> Answer {
            if target.name().as_deref() == Some("guest_secret") {
                self.0.0.store(true, SeqCst);
                while !self.0.1.load(SeqCst) {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            Ok(())
        }
    }
    let state = Arc::<(AtomicBool, AtomicBool)>::default();
    let host = stage.builder().task_manager(Waits(state.clone()));
    let host = host.start().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| secret(stage, &host).unwrap());
        while !state.0.load(SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        host.gc().unwrap().collect(None).unwrap();
        state.1.store(true, SeqCst);
        assert_eq!(waiting.join().unwrap(), 1);
    });
}

/// A host that schedules by itself, as far as it is asked to.
pub fn what_threads_do_is_told(stage: &Stage) {
    #[derive(Clone, Default)]
    struct Scheduler(Arc<Mutex<Vec<String>>>);
    impl HostTaskManager for Scheduler {
        fn current_task(&self) -> Option<Arc<dyn HostTask>> {
            Some(Arc::new(self.clone()))
        }
        fn sleep(&self, time: Option<Duration>, options: WaitOptions) -> Answer {
            let line = format!("sleep {time:?} {}", options.alertable());
            self.0.lock().unwrap().push(line);
            Ok(())
        }
    }
    impl HostTask for Scheduler {
        fn set_priority(&self, priority: Priority) -> Answer {
            let line = format!("priority {}", priority.0);
            self.0.lock().unwrap().push(line);
            Ok(())
        }
    }
    const THREADS: &str = "Soglia.Hosted.Threads";
    let told = Scheduler::default();
    let host = stage.builder().task_manager(told.clone()).start().unwrap();
    let call = |method: &str, argument: &str| {
        let result = host.call(stage.fixture("hosted.dll"), THREADS, method, argument);
        (
            result.unwrap(),
            std::mem::take(&mut *told.0.lock().unwrap()),
        )
    };
    let line = |text: &str| vec![text.to_owned()];
    // The host says that it has slept, so this is over at once.
    assert_eq!(
        call("Sleep", "1000000"),
        (1, line("sleep Some(1000s) true"))
    );
    assert_eq!(call("Sleep", "-1"), (1, line("sleep None true")));
    // What it does not do is done by .NET: what was set is read.
    assert_eq!(call("Priority", "3"), (3, line("priority 1")));
}

pub fn suspensions_are_told(stage: &Stage) {
    #[derive(Default)]
    struct Told {
        open: AtomicU32,
        ended: Mutex<Vec<Option<u32>>>,
    }
    struct Collector(Arc<Told>);
    impl HostGcManager for Collector {
        fn suspension_starting(&self) {
            self.0.open.fetch_add(1, SeqCst);
        }
        fn suspension_ending(&self, generation: Option<u32>) {
            self.0.open.fetch_sub(1, SeqCst);
            self.0.ended.lock().unwrap().push(generation);
        }
    }
    let told = Arc::<Told>::default();
    let builder = stage.builder().gc_manager(Collector(told.clone()));
    let host = builder.start().unwrap();
    let gc = host.gc().unwrap();
    drop(std::mem::take(&mut *told.ended.lock().unwrap()));
    for generation in 0..=2 {
        gc.collect(Some(generation)).unwrap();
        let ended = std::mem::take(&mut *told.ended.lock().unwrap());
        assert!(ended.contains(&Some(generation.into())), "{ended:?}");
        assert_eq!(told.open.load(SeqCst), 0);
    }
}

/// Eight threads with twenty native calls each, and a host's own thread, on two slots.
pub fn slots_bound_managed_code(stage: &Stage) {
    /// Counts those who run managed code by a slot.
    #[derive(Clone)]
    struct Counts {
        slots: Slots,
        calls: Arc<AtomicU32>,
    }
    impl HostTaskManager for Counts {
        fn current_task(&self) -> Option<Arc<dyn HostTask>> {
            self.slots.current_task()
        }
        fn leave_runtime(&self, target: Target) -> Answer {
            self.slots.leave_runtime(target)
        }
        fn enter_runtime(&self) -> Answer {
            self.slots.enter_runtime()?;
            self.calls.fetch_add(1, SeqCst);
            Ok(())
        }
        fn reverse_enter_runtime(&self) -> Answer {
            self.slots.reverse_enter_runtime()
        }
        fn reverse_leave_runtime(&self) -> Answer {
            self.slots.reverse_leave_runtime()
        }
    }
    let manager = Counts {
        slots: Slots::new(2.try_into().unwrap(), None),
        calls: Arc::default(),
    };
    let (slots, calls) = (manager.slots.clone(), manager.calls.clone());
    let host = stage.builder().task_manager(manager).start().unwrap();
    let guest = stage.fixture("guest.dll");
    assert!(host.call(&guest, PLUGIN, "Work", "8").unwrap() >= 1);
    assert_eq!(calls.load(SeqCst), 8 * 20 + 1);
    assert_eq!(slots.waiting(), 0);
    assert_eq!(slots.figures().timed_out, 0);
    // The threads end completely a little after Join returns. This one may hold a slot, since it
    // was last in managed code.
    let patience = Instant::now() + Duration::from_secs(20);
    while slots.free() == 0 {
        assert!(Instant::now() < patience, "{slots:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

pub fn crossings_are_watched(stage: &Stage) {
    let host = stage.builder().watch().start().unwrap();
    let events = host.events();
    assert_eq!(events.try_next(), None);
    run(stage, &host);
    let seen: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    let told: Vec<_> = seen
        .iter()
        .map(|event| {
            let target = event.target.map(|target| target.to_string());
            (event.crossing, target.unwrap_or_default())
        })
        .collect();
    let [first, second] = ["first", "second"].map(|name| format!("libsixsteps.so!{name}"));
    assert_eq!(
        told,
        [
            (Crossing::LeaveRuntime, first.clone()),
            (Crossing::ReverseEnterRuntime, String::new()),
            (Crossing::LeaveRuntime, second.clone()),
            (Crossing::EnterRuntime, second),
            (Crossing::ReverseLeaveRuntime, String::new()),
            (Crossing::EnterRuntime, first),
        ]
    );
    // SAFETY: `gettid` takes nothing, and cannot fail.
    let here = unsafe { libc::gettid() } as u32;
    assert!(
        seen.iter()
            .all(|event| event.thread == here && event.missed == 0)
    );
    assert!(seen.is_sorted_by_key(|event| event.time));
    // A reader that waits gets what comes, and its end.
    let reader = thread::spawn({
        let events = events.clone();
        move || events.count()
    });
    assert_eq!(secret(stage, &host).unwrap(), 1);
    drop(host);
    // Secret asks how often it has run, by another native call.
    assert_eq!(reader.join().unwrap(), 4);
    assert_eq!(events.dropped(), 0);
}

pub fn what_is_not_read_is_counted(stage: &Stage) {
    struct Counts(Arc<AtomicU32>);
    impl HostTaskManager for Counts {
        fn leave_runtime(&self, _target: Target) -> Answer {
            self.0.fetch_add(1, SeqCst);
            Ok(())
        }
        fn enter_runtime(&self) -> Answer {
            self.0.fetch_add(1, SeqCst);
            Ok(())
        }
    }
    let all = Arc::<AtomicU32>::default();
    let builder = stage.builder().task_manager(Counts(all.clone()));
    let host = builder.watch_at_most(10).start().unwrap();
    let guest = stage.fixture("guest.dll");
    assert!(host.call(&guest, PLUGIN, "Work", "4").unwrap() >= 1);
    let events = host.events();
    let all = u64::from(all.load(SeqCst));
    assert_eq!(
        events.dropped() + 10,
        all,
        "4 threads, 20 calls each, and one more"
    );
    assert_eq!(all, 2 * (4 * 20 + 1));
    let kept: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert_eq!(kept.len(), 10);
    assert_eq!(secret(stage, &host).unwrap(), 1);
    assert_eq!(events.try_next().unwrap().missed, events.dropped());
}
