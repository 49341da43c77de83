//! `ICLRTask::Abort`, and what it asks of the host.

use std::{
    ffi::c_void,
    ptr::null_mut,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

use soglia_abi::{
    BOOL, HRESULT,
    hosting::{
        clr_task::{ICLRTask2, ICLRTaskManager},
        runtime_host::ICLRRuntimeHost4,
    },
    hresult::{COR_E_THREADABORTED, E_NOTIMPL, HOST_E_INVALIDOPERATION, S_FALSE, S_OK},
    param::Out,
};
use windows_core::Interface;

use crate::{
    api::{Library, call, control, manager, start},
    host::Shared,
    script::{Acting, Told, script, set_control, wait_for},
};

/// A host with a task manager, started.
pub struct Host {
    pub host: ICLRRuntimeHost4,
    tasks: ICLRTaskManager,
}

impl Host {
    pub fn start(library: &Library, version: &str) -> Self {
        Self::start_after(library, version, |_| {})
    }

    /// The same, after something that comes before the start.
    pub fn start_after(
        library: &Library,
        version: &str,
        before: impl FnOnce(&ICLRRuntimeHost4),
    ) -> Self {
        let host = library.host(version);
        before(&host);
        let tasks = manager(&control(&host)).unwrap();
        set_control(&host, &script(|_, _| S_OK));
        start(&host);
        Self { host, tasks }
    }

    /// Runs `body` on a thread of its own, which the runtime knows.
    pub fn task<T: Send + 'static>(
        &self,
        body: impl FnOnce(&ICLRRuntimeHost4, &ICLRTask2) -> T + Send + 'static,
    ) -> (ICLRTask2, JoinHandle<T>) {
        let shared = Shared((self.host.clone(), self.tasks.clone()));
        let place = Arc::new(Mutex::new(None));
        let given = place.clone();
        let thread = thread::spawn(move || {
            let (host, tasks) = { &shared }.0.clone();
            assert_eq!(call(&host, "Length", "abc"), Ok(3));
            let task = current(&tasks);
            *given.lock().unwrap() = Some(Shared(task.clone()));
            body(&host, &task)
        });
        wait_for(|| place.lock().unwrap().is_some());
        let task = place.lock().unwrap().take().unwrap().0;
        (task, thread)
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

pub fn ask(task: &ICLRTask2) -> HRESULT {
    // SAFETY: the object is alive, and its method takes no pointers.
    unsafe { task.Abort() }
}

/// Aborts it as soon as there is something to abort.
pub fn abort(task: &ICLRTask2) {
    wait_for(|| match ask(task) {
        S_OK => true,
        other => {
            assert_eq!(other, E_NOTIMPL);
            false
        }
    });
}

pub const ABORTED: Result<i32, HRESULT> = Err(COR_E_THREADABORTED);

pub fn waits_are_ended(library: &Library, version: &str) {
    let host = Host::start(library, version);
    for method in ["Wait", "Join", "Enter"] {
        let (task, thread) = host.task(move |host, _| {
            let result = call(host, method, "");
            // The thread is as good as before: it can run code, and wait.
            (result, call(host, "Nap", "20"))
        });
        abort(&task);
        assert_eq!(thread.join().unwrap(), (ABORTED, Ok(20)), "{method}");
        assert_eq!(ask(&task), E_NOTIMPL, "nothing runs");
    }
}

pub fn aborts_come_at_any_moment(library: &Library, version: &str) {
    let host = Host::start(library, version);
    let (task, thread) = host.task(move |host, _| {
        let naps = (0..300).map(|i| call(host, "Nap", if i % 2 == 0 { "0" } else { "1" }));
        let results: Vec<_> = naps.collect();
        for result in results {
            assert!(result.is_ok() || result == ABORTED, "{result:?}");
        }
        // None is left over.
        call(host, "Nap", "30")
    });
    while !thread.is_finished() {
        let answer = ask(&task);
        assert!([S_OK, E_NOTIMPL].contains(&answer), "{answer:?}");
        thread::yield_now();
    }
    let last = thread.join().unwrap();
    assert!(last == Ok(30) || last == ABORTED, "{last:?}");
}

/// What native code does in the middle of `CallBack`.
type Middle = Box<dyn FnOnce() + Send>;
static MIDDLE: Mutex<Vec<Middle>> = Mutex::new(Vec::new());

extern "C" fn middle() {
    let next = MIDDLE.lock().unwrap().pop();
    next.unwrap()();
}

fn address() -> String {
    (middle as *const () as usize).to_string()
}

/// The last is the first to be done.
fn then(body: impl FnOnce() + Send + 'static) {
    MIDDLE.lock().unwrap().push(Box::new(body));
}

pub fn no_abort_meets_native_code(library: &Library, version: &str) {
    static HOST: OnceLock<Shared<(ICLRRuntimeHost4, ICLRTask2)>> = OnceLock::new();
    static STEP: AtomicUsize = AtomicUsize::new(0);
    let host = Host::start(library, version);
    // Native code is called and nothing else: the abort is pending, and no managed code is entered.
    let (_, thread) = host.task(|host, task| {
        let _ = HOST.set(Shared((host.clone(), task.clone())));
        then(|| {
            let (host, task) = &HOST.get().unwrap().0;
            assert_eq!(ask(task), S_OK);
            assert_eq!(call(host, "Length", "abc"), ABORTED);
        });
        call(host, "CallBackTwice", &address())
    });
    assert_eq!(thread.join().unwrap(), ABORTED);

    // Native code has called managed code, which has called native code: that is let come back.
    let (task, thread) = host.task(|host, _| {
        let inner = Shared(host.clone());
        then(|| {
            STEP.store(1, SeqCst);
            wait_for(|| STEP.load(SeqCst) == 2);
        });
        then(move || {
            assert_eq!(call(&{ &inner }.0, "CallBack", &address()), Ok(1));
            assert_eq!(call(&{ &inner }.0, "Length", "abc"), ABORTED);
        });
        call(host, "CallBackTwice", &address())
    });
    wait_for(|| STEP.load(SeqCst) == 1);
    assert_eq!((ask(&task), ask(&task)), (S_OK, S_OK));
    STEP.store(2, SeqCst);
    assert_eq!(thread.join().unwrap(), ABORTED);
}

pub fn aborts_can_be_held_back(library: &Library, version: &str) {
    let host = Host::start(library, version);
    let (_, thread) = host.task(|host, task| {
        let inner = Shared((host.clone(), task.clone()));
        then(move || {
            let (host, task) = &{ &inner }.0;
            // SAFETY: the object is alive, and its method takes no pointers.
            unsafe {
                assert_eq!(task.BeginPreventAsyncAbort(), S_OK);
                assert_eq!(task.BeginPreventAsyncAbort(), S_OK);
                assert_eq!(ask(task), S_OK);
                assert_eq!(call(host, "Length", "abc"), Ok(3));
                assert_eq!(task.EndPreventAsyncAbort(), S_OK);
                assert_eq!(call(host, "Length", "abc"), Ok(3));
                assert_eq!(task.EndPreventAsyncAbort(), S_OK);
                assert_eq!(call(host, "Length", "abc"), ABORTED);
            }
        });
        call(host, "CallBackTwice", &address())
    });
    assert_eq!(thread.join().unwrap(), ABORTED);
    // What was held back to the end has missed its execution, and does not come in the next.
    let (_, thread) = host.task(|host, task| {
        let inner = Shared(task.clone());
        then(move || {
            // SAFETY: the object is alive, and its method takes no pointers.
            unsafe { assert_eq!({ &inner }.0.BeginPreventAsyncAbort(), S_OK) };
            assert_eq!(ask(&{ &inner }.0), S_OK);
        });
        let first = call(host, "CallBack", &address());
        // SAFETY: the object is alive, and its method takes no pointers.
        unsafe { assert_eq!(task.EndPreventAsyncAbort(), S_OK) };
        (first, call(host, "Length", "abc"))
    });
    assert_eq!(thread.join().unwrap(), (Ok(1), Ok(3)));
}

/// The task is aborted in a native function that calls back.
pub fn a_callback_is_no_way_into_an_aborted_task(library: &Library, version: &str) {
    static TASK: OnceLock<Shared<ICLRTask2>> = OnceLock::new();
    static TASK_ASKS: AtomicBool = AtomicBool::new(true);
    let acting = Acting::new(library, version, |_, told| {
        if matches!(told, Told::Leave(_))
            && let Some(task) = TASK.get()
            && TASK_ASKS.load(SeqCst)
        {
            assert_eq!(ask(&task.0), S_OK);
        }
        S_OK
    });
    assert_eq!(acting.get("Call", "twice"), 2);
    acting.script.lines();
    let task = acting.script.clr_task() as *mut c_void;
    // SAFETY: the task of this thread, which lives as long as the thread.
    let task = unsafe { ICLRTask2::from_raw_borrowed(&task) }.unwrap();
    let _ = TASK.set(Shared(task.clone()));
    assert_eq!(acting.run("Call", "twice"), ABORTED);
    assert_eq!(acting.script.line(), "L(call_back_twice) E");
    // What is thrown once is over: the task goes on, if the program has caught it.
    TASK_ASKS.store(false, SeqCst);
    assert_eq!(acting.get("Call", "twice"), 2);
}

/// A crossing is denied: the native function is not called, and the host gets no notification.
pub fn an_abort_is_thrown_by_the_next_crossing(library: &Library, version: &str) {
    let acting = Arc::new(Acting::agreeing(library, version));
    acting.get("Call", "plain");
    acting.script.lines();
    let calls = acting.calls();
    let task = acting.script.clr_task() as *mut c_void;
    // SAFETY: the task of this thread, which lives as long as the thread.
    let task = unsafe { ICLRTask2::from_raw_borrowed(&task) }.unwrap();
    let shared = Shared(task.clone());
    let asker = thread::spawn(move || abort(&{ shared }.0));
    assert_eq!(acting.run("Often", "plain 2000000000"), ABORTED);
    asker.join().unwrap();
    let [leave, enter, ..] = acting.script.counted();
    assert_eq!(leave, enter);
    assert_eq!((acting.calls() - calls) as usize, leave - 1);
    assert_eq!(acting.get("Call", "plain"), 2);
}

/// Whether the task had better run soon: it is in managed code.
fn needs_priority(task: &ICLRTask2) -> bool {
    let mut needs = BOOL(7);
    // SAFETY: a place for the answer.
    unsafe { assert_eq!(task.NeedsPriorityScheduling(Out::new(&mut needs)), S_OK) };
    needs.as_bool()
}

pub fn a_task_is_asked_to_give_way(library: &Library, version: &str) {
    let acting = Acting::agreeing(library, version);
    acting.get("Call", "plain");
    acting.script.lines();
    let task = acting.script.clr_task() as *mut c_void;
    // SAFETY: this thread's, alive; no pointers.
    unsafe {
        let task = ICLRTask2::from_raw_borrowed(&task).unwrap();
        assert_eq!(task.YieldTask(), HOST_E_INVALIDOPERATION, "its own thread");
        let shared = Shared(task.clone());
        let ask = move || {
            let task = { shared }.0;
            (task.YieldTask(), task.YieldTask(), needs_priority(&task))
        };
        let answers = thread::spawn(ask).join().unwrap();
        assert_eq!(answers, (S_OK, S_FALSE, false));
    }
    assert_eq!(acting.get("Often", "plain 2"), 4);
    assert_eq!(acting.script.line(), "W L(plain) E L(plain) E");
}

pub fn who_runs_managed_code_needs_to_run(library: &Library, version: &str) {
    let host = Host::start(library, version);
    static IN_NATIVE: AtomicBool = AtomicBool::new(false);
    static RUNS: AtomicBool = AtomicBool::new(true);
    let (task, thread) = host.task(|host, _| {
        while RUNS.load(SeqCst) {
            assert_eq!(call(host, "Nap", "1"), Ok(1));
        }
        then(|| {
            IN_NATIVE.store(true, SeqCst);
            wait_for(|| !IN_NATIVE.load(SeqCst));
        });
        call(host, "CallBackTwice", &address())
    });
    wait_for(|| needs_priority(&task));
    RUNS.store(false, SeqCst);
    wait_for(|| IN_NATIVE.load(SeqCst));
    assert!(!needs_priority(&task));
    assert_eq!(ask(&task), S_OK);
    IN_NATIVE.store(false, SeqCst);
    assert_eq!(thread.join().unwrap(), ABORTED);
    assert!(!needs_priority(&task));
}

pub fn aborts_lose_no_pair(library: &Library, version: &str) {
    let acting = Arc::new(Acting::agreeing(library, version));
    acting.script.deaf.store(true, SeqCst);
    let runner = acting.clone();
    let place = Arc::new(Mutex::new(None));
    let given = place.clone();
    let thread = thread::spawn(move || {
        runner.get("Call", "plain");
        *given.lock().unwrap() = Some(runner.script.clr_task());
        let aborted = (0..200).filter(|_| {
            let result = runner.run("Often", "twice 20000");
            assert!(result == ABORTED || result == Ok(40000), "{result:?}");
            result == ABORTED
        });
        aborted.count()
    });
    wait_for(|| place.lock().unwrap().is_some());
    let task = place.lock().unwrap().unwrap() as *mut c_void;
    // SAFETY: it has a reference of its own.
    let task = unsafe { ICLRTask2::from_raw_borrowed(&task) }.unwrap();
    while !thread.is_finished() {
        let _ = ask(task);
        thread::yield_now();
    }
    assert!(thread.join().unwrap() > 0);
    let [leave, enter, reverse_enter, reverse_leave] = acting.script.counted();
    assert_eq!((leave, reverse_enter), (enter, reverse_leave));
}
