//! Threads that .NET makes, on threads of the host: `CreateTask` and `IHostTask::Start`.
//!
//! The runtime makes its threads by `pthread_create`, which it imports. The import leads here. A
//! `Thread` that starts comes by `Thread.StartCore`, which has noted that before ([`starting`]);
//! all other threads are the runtime's own and stay what they are.
//!
//! ```text
//!   maker                                       a thread of the host
//!   Thread.StartCore: starting()
//!     pthread_create -> create()
//!       host: CreateTask(begin, number)
//!       host: IHostTask::Start  ------------->  begin(number)
//!     waits until the thread has begun            the runtime's function
//!                                                   pthread_exit -> exit()
//!                                                 comes back here, ends the runtime's thread
//!                                               goes on in the host
//! ```
//!
//! The runtime ends its threads by `pthread_exit`. That must not end the host's thread, so that
//! import leads here too, and goes back to where the runtime's function was called.
//!
//! The runtime holds a lock while it makes a thread, until that has begun, and takes the lock where
//! one ends. So nothing waits for another thread here.

use std::{
    cell::Cell,
    collections::BTreeMap,
    ffi::{c_int, c_void},
    mem::zeroed,
    ptr::{null_mut, without_provenance_mut},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use soglia_abi::{
    HRESULT,
    hosting::host_task::IHostTaskManager,
    hresult::{E_NOTIMPL, E_OUTOFMEMORY, S_OK},
    param::Out,
};

use super::{ending, occasions::Words, thread};
use crate::{
    boundary,
    host::{attached::HostsTask, failure::heed, managers},
    objects, signals, slots,
};

/// The runtime's file.
const RUNTIME: &str = "libcoreclr.so";

/// Leads the runtime's imports here, if a host is to be asked for threads. Before managed code
/// starts one.
///
/// # Errors
/// In words, if the runtime makes its threads in another way.
pub fn prepare() -> Result<(), String> {
    let create = create as *const () as usize;
    let exit = ending::exit as *const () as usize;
    // SAFETY: these functions stand for those of the C library, for all threads.
    let led = unsafe {
        objects::lead(RUNTIME, c"pthread_exit", exit)
            && objects::lead(RUNTIME, c"pthread_create", create)
    };
    led.then_some(())
        .ok_or_else(|| format!("its host makes no threads: {RUNTIME} imports no pthread_create"))
}

thread_local! {
    /// The next thread that the running one makes is that of a `Thread`.
    static STARTING: Cell<bool> = const { Cell::new(false) };
    /// The running thread has been lent for a task.
    static USED: Cell<bool> = const { Cell::new(false) };
}

/// A `Thread` starts: the runtime is about to make its thread.
pub extern "C" fn starting(_: *mut Words) -> isize {
    STARTING.set(true);
    0
}

/// What a thread runs.
type Start = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;

/// A thread that the host was asked for.
struct New {
    start: Start,
    /// The address of the parameter.
    with: usize,
    /// In bytes.
    stack: usize,
    task: OnceLock<Arc<HostsTask>>,
}

/// Those that have not begun, by the numbers that the host passes to [`begin`].
static NEW: Mutex<BTreeMap<usize, Arc<New>>> = Mutex::new(BTreeMap::new());

fn waiting() -> MutexGuard<'static, BTreeMap<usize, Arc<New>>> {
    NEW.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stands for the runtime's `pthread_create`.
unsafe extern "C" fn create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: Start,
    with: *mut c_void,
) -> c_int {
    if STARTING.replace(false)
        && let Some(manager) = managers::task_manager()
    {
        // SAFETY: the runtime's own attributes, or null.
        let stack = unsafe { stack_of(attributes) };
        if let Some(answer) = on_host(manager, start, with, stack) {
            return match answer {
                Ok(()) => {
                    // The runtime makes threads that are not joined, and has no use for this. A
                    // thread finds out itself what it is.
                    // SAFETY: the runtime passes a place for the thread. It is a number in glibc
                    // and a pointer in musl.
                    unsafe { thread.write(zeroed()) };
                    0
                }
                // The runtime throws OutOfMemoryException.
                Err(_) => libc::EAGAIN,
            };
        }
    }
    // SAFETY: unwinding is only declared; the arguments are the runtime's own.
    unsafe {
        let start = std::mem::transmute::<Start, extern "C" fn(*mut c_void) -> *mut c_void>(start);
        libc::pthread_create(thread, attributes, start, with)
    }
}

/// The size of the stack that a thread shall have; 0: any.
///
/// # Safety
/// `attributes` is null or valid.
unsafe fn stack_of(attributes: *const libc::pthread_attr_t) -> usize {
    let mut stack = 0;
    if !attributes.is_null() {
        // SAFETY: the caller passes valid attributes, and the size is a local.
        unsafe { libc::pthread_attr_getstacksize(attributes, &raw mut stack) };
    }
    stack
}

/// Has the host run a new thread. `None`: the host leaves it to .NET.
fn on_host(
    manager: &IHostTaskManager,
    start: Start,
    with: *mut c_void,
    stack: usize,
) -> Option<Result<(), HRESULT>> {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    let number = LAST.fetch_add(1, Relaxed) + 1;
    let new = boundary::fence(None, || {
        let new = Arc::new(New {
            start,
            with: with.expose_provenance(),
            stack,
            task: OnceLock::new(),
        });
        waiting().insert(number, new.clone());
        Some(new)
    })?;
    // The host's methods run outside the fence, since a host may end the thread in one.
    let mut task = null_mut();
    let size = u32::try_from(stack).unwrap_or(u32::MAX);
    let with = without_provenance_mut(number);
    // SAFETY: the host's manager lives as long as the process. The number means nothing to it.
    let answer = heed(unsafe { manager.CreateTask(size, Some(begin), with, Out::new(&mut task)) });
    let declined = answer == E_NOTIMPL || answer.is_ok() && task.is_null();
    if declined || answer.is_err() {
        waiting().remove(&number);
        return (!declined).then_some(Err(answer));
    }
    let task = boundary::fence(None, || {
        // SAFETY: the host gave this task with a reference.
        let task = Arc::new(unsafe { HostsTask::new(task) });
        let _ = new.task.set(task.clone());
        Some(task)
    });
    let Some(task) = task else {
        waiting().remove(&number);
        return Some(Err(E_OUTOFMEMORY));
    };
    // SAFETY: the reference keeps the task alive.
    let answer = heed(unsafe { task.task().Start() });
    // A host that has begun it all the same has begun it.
    if answer.is_err() && waiting().remove(&number).is_some() {
        return Some(Err(answer));
    }
    Some(Ok(()))
}

impl New {
    /// Runs it on this thread.
    fn run(&self) {
        boundary::fence((), || {
            signals::make_room();
            if let Some(task) = self.task.get() {
                thread::give(task.clone());
            }
        });
        let with = std::ptr::with_exposed_provenance_mut(self.with);
        // SAFETY: the runtime wants this function called once, on the new thread, which is this.
        unsafe { ending::run(self.start, with) };
        thread::over();
        slots::over();
    }
}

/// What the host runs on its thread for a new task.
unsafe extern "system" fn begin(number: *mut c_void) -> u32 {
    let new = boundary::fence(None, || waiting().remove(&number.addr()));
    let Some(new) = new else {
        return 0;
    };
    if !USED.replace(true) {
        new.run();
        return S_OK.0.cast_unsigned();
    }
    // What the runtime keeps for a thread is that of the former task. So this one gets a thread of
    // its own, for which the host's thread waits.
    boundary::fence((), || {
        let builder = std::thread::Builder::new().stack_size(new.stack);
        let own = new.clone();
        if let Ok(thread) = builder.spawn(move || own.run()) {
            let _ = thread.join();
        }
    });
    0
}
