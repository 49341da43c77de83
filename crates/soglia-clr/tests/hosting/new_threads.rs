//! Hosts that are asked for threads.

use std::{
    ffi::c_void,
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicI32, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
        mpsc::{Sender, channel},
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
        types::LPTHREAD_START_ROUTINE,
    },
    hresult::*,
    param::{Lent, Out},
};
use windows_core::{ComObject, Interface, implement};

use crate::{
    api::{Library, assembly, call_in, start},
    host::offers,
    task_manager::{Asked, Manages, task_manager},
};

fn call(host: &ICLRRuntimeHost4, name: &str, argument: &str) -> Result<i32, HRESULT> {
    let path = assembly();
    let path = path.to_str().unwrap();
    call_in(host, path, "Soglia.Hosted.Started", name, argument)
}

type Work = Box<dyn FnOnce() + Send>;

/// Where its threads come from.
#[derive(Clone)]
enum From {
    /// Each task gets a new one.
    New,
    /// One thread runs all tasks, one after the other.
    One(Sender<Work>),
}

/// What has happened so far.
#[derive(Default)]
struct Seen {
    /// The stacks that were asked for.
    stacks: Mutex<Vec<u32>>,
    started: AtomicUsize,
    /// Tasks whose function has returned.
    returned: AtomicUsize,
    /// Tasks that have met their `ICLRTask` on the thread that runs them.
    paired: AtomicUsize,
    released: AtomicUsize,
    create: AtomicI32,
    start: AtomicI32,
}

impl Seen {
    /// Waits until all tasks that were started have returned and were released.
    fn settle(&self) {
        let begun = Instant::now();
        let all = || {
            let started = self.started.load(SeqCst);
            [&self.returned, &self.released]
                .iter()
                .all(|n| n.load(SeqCst) == started)
        };
        while !all() {
            assert!(begun.elapsed() < Duration::from_secs(60), "they return");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

thread_local!(static RUNS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });

struct Maker(Arc<Seen>, From);

impl Manages for Maker {
    fn current_task(&self) -> (HRESULT, Option<IHostTask>) {
        assert_eq!(RUNS.get(), 0, "the engine has the task of this thread");
        (S_OK, Some(ComObject::new(Task::default()).into_interface()))
    }
    fn needs_hook(&self, _target: usize) -> (HRESULT, bool) {
        (S_OK, true)
    }
    fn create_task(
        &self,
        stack: u32,
        start: LPTHREAD_START_ROUTINE,
        parameter: *mut c_void,
    ) -> (HRESULT, Option<IHostTask>) {
        let answer = HRESULT(self.0.create.load(Relaxed));
        if answer.is_err() {
            return (answer, None);
        }
        self.0.stacks.lock().unwrap().push(stack);
        let task = Task {
            new: Some(New {
                stack,
                start,
                parameter: parameter as usize,
                seen: self.0.clone(),
                from: self.1.clone(),
            }),
        };
        (S_OK, Some(ComObject::new(task).into_interface()))
    }
    fn asked(&self, what: Asked) -> HRESULT {
        match what {
            Asked::Sleep(..) | Asked::SwitchToTask(_) => E_NOTIMPL,
            _ => S_OK,
        }
    }
}

struct New {
    stack: u32,
    start: LPTHREAD_START_ROUTINE,
    parameter: usize,
    seen: Arc<Seen>,
    from: From,
}

#[derive(Default)]
#[implement(IHostTask)]
struct Task {
    new: Option<New>,
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(new) = &self.new {
            new.seen.released.fetch_add(1, SeqCst);
        }
    }
}

impl IHostTask_Impl for Task_Impl {
    unsafe fn Start(&self) -> HRESULT {
        let new = self.new.as_ref().expect("a task of CreateTask");
        let answer = HRESULT(new.seen.start.load(Relaxed));
        if answer.is_err() {
            return answer;
        }
        new.seen.started.fetch_add(1, SeqCst);
        let (start, parameter, seen) = (new.start, new.parameter, new.seen.clone());
        let work = move || {
            RUNS.set(RUNS.get() + 1);
            // SAFETY: the engine wants this function called once, on a thread of the host.
            let code = unsafe { start(parameter as *mut c_void) };
            assert_eq!(code, 0);
            seen.returned.fetch_add(1, SeqCst);
        };
        match &new.from {
            From::New => {
                let size = new.stack.max(256 << 10) as usize;
                let builder = thread::Builder::new().stack_size(size);
                builder.spawn(work).expect("a thread");
            }
            From::One(to) => to.send(Box::new(work)).expect("the thread"),
        }
        S_OK
    }
    unsafe fn Alert(&self) -> HRESULT {
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
    unsafe fn SetCLRTask(&self, task: Lent<'_, ICLRTask>) -> HRESULT {
        assert!(!task.is_null());
        if let Some(new) = &self.new {
            new.seen.paired.fetch_add(1, SeqCst);
        }
        S_OK
    }
}

fn makes(host: &ICLRRuntimeHost4, from: From) -> Arc<Seen> {
    let seen = Arc::<Seen>::default();
    let manager = task_manager(Maker(seen.clone(), from));
    let control = offers([(IHostTaskManager::IID, manager.into())]);
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    start(host);
    seen
}

pub fn a_host_makes_threads(library: &Library, version: &str) {
    let host = library.host(version);
    let seen = makes(&host, From::New);
    assert_eq!(call(&host, "OneByOne", "20"), Ok(20));
    seen.settle();
    assert!(seen.started.load(SeqCst) >= 20);
    assert_eq!(call(&host, "AtOnce", "40"), Ok(40));
    assert_eq!(call(&host, "Deep", "8000000"), Ok(1));
    assert!(
        seen.stacks
            .lock()
            .unwrap()
            .iter()
            .any(|size| *size >= 8_000_000)
    );
    assert_eq!(call(&host, "Odd", ""), Ok(2));
    seen.settle();
    assert!(seen.started.load(SeqCst) >= 63);
    assert_eq!(seen.paired.load(SeqCst), seen.started.load(SeqCst));
}

pub fn a_host_runs_the_thread_pool(library: &Library, version: &str) {
    let host = library.host(version);
    let seen = makes(&host, From::New);
    assert_eq!(call(&host, "Pool", "50"), Ok(1));
    assert!(seen.started.load(SeqCst) > 0);
}

/// What the runtime keeps for a thread must not go to the next one.
pub fn a_host_has_one_thread_for_many(library: &Library, version: &str) {
    let host = library.host(version);
    let (to, work) = channel::<Work>();
    thread::spawn(move || work.into_iter().for_each(|work| work()));
    let seen = makes(&host, From::One(to));
    assert_eq!(call(&host, "OneByOne", "30"), Ok(30));
    seen.settle();
    assert_eq!(seen.started.load(SeqCst), 30);
}

pub fn a_host_has_no_threads(library: &Library, version: &str) {
    let host = library.host(version);
    let seen = makes(&host, From::New);
    let (before, out_of_memory) = (seen.started.load(SeqCst), Ok(E_OUTOFMEMORY.0));
    // The host leaves it to .NET.
    seen.create.store(E_NOTIMPL.0, Relaxed);
    assert_eq!(call(&host, "OneByOne", "3"), Ok(3));
    // It has none.
    for refusal in [E_OUTOFMEMORY, HOST_E_INVALIDOPERATION] {
        seen.create.store(refusal.0, Relaxed);
        assert_eq!(call(&host, "OneByOne", "1"), out_of_memory);
    }
    seen.create.store(S_OK.0, Relaxed);
    seen.start.store(E_OUTOFMEMORY.0, Relaxed);
    assert_eq!(call(&host, "OneByOne", "1"), out_of_memory);
    assert_eq!(seen.started.load(SeqCst), before);
    seen.start.store(S_OK.0, Relaxed);
    assert_eq!(call(&host, "OneByOne", "1"), Ok(1));
}
