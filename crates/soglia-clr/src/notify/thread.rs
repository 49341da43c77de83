//! The host's task of the running thread.
//!
//! At a thread's first crossing, the engine asks the host for its task (`GetCurrentTask`). On the
//! same thread, it pairs that task with the CLR's (`IHostTask::SetCLRTask`). If the host gives no
//! task, the engine notifies it of nothing that the thread does, and asks again at its next
//! crossing.
//!
//! Threads with a task are listed by the CLR's number ([`known`]), for threads that wait for them,
//! wake them or change their priority.

use std::{
    cell::{Cell, OnceCell},
    collections::BTreeMap,
    ffi::c_void,
    mem::ManuallyDrop,
    ptr::null_mut,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32},
    },
};

use soglia_abi::{
    HRESULT,
    hosting::host_task::IHostTask,
    hresult::S_OK,
    ids::ThreadId,
    param::{Lent, Out},
};

use crate::{
    arch::thread_pointer,
    boundary, clerk, engine,
    host::{failure::heed, fenced, managers, task},
    slots, threads,
    tls::{self, AtEnd},
};

thread_pointer!(local, "soglia_told", Thread);

/// Runs at the end of a thread that has crossed.
static AT_END: AtEnd = AtEnd::new();

/// Threads whose tasks the host and the CLR have paired, by the CLR's number. The engine never
/// calls the host while this is locked.
static KNOWN: Mutex<BTreeMap<usize, Arc<Known>>> = Mutex::new(BTreeMap::new());

/// The part of a thread that other threads may use.
pub(super) struct Known {
    /// The stand-in for the host's task, with a reference of its own.
    task: ManuallyDrop<IHostTask>,
    /// `Thread.Interrupt` was called for it, or may have been before it was listed, and it has not
    /// checked since.
    pub(super) interrupted: AtomicBool,
    /// It waits in a method of the host, which .NET does not know.
    pub(super) waits: AtomicBool,
}

// SAFETY: the hosting API has a host's task called from any thread. The other fields are atomic.
unsafe impl Send for Known {}
// SAFETY: the hosting API has a host's task called from any thread. The other fields are atomic.
unsafe impl Sync for Known {}

impl Known {
    /// The host's task.
    pub(super) fn task(&self) -> &IHostTask {
        &self.task
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        // SAFETY: `drop` runs once, and nothing uses the field after it.
        let task = unsafe { ManuallyDrop::take(&mut self.task) };
        // SAFETY: `stand_in` made the task, and this value alone holds this reference.
        unsafe { fenced::release(task) };
    }
}

/// The thread with this CLR number, if it has a task and has not ended.
pub(super) fn known(id: usize) -> Option<Arc<Known>> {
    boundary::fence(None, || {
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&id).cloned()
    })
}

/// A thread. Only the thread itself uses it. A host that is called may lead here again, so nothing
/// stays borrowed during a call.
pub(super) struct Thread {
    /// Set once the host has given a task.
    known: OnceCell<Arc<Known>>,
    /// Whether the host's task has its `ICLRTask`.
    paired: Cell<bool>,
    /// The CLR's number, once the thread is listed by it.
    id: Cell<usize>,
    /// How many native calls are open that the host was notified of.
    outside: Cell<u32>,
    /// Why a callback of the innermost of them was denied, or `S_OK`.
    refused: Cell<HRESULT>,
    /// The next one further out with a denied callback, counted from the outermost; 0: there is
    /// none.
    behind: Cell<u32>,
    /// Why that one was denied, and those further out.
    pending: Cell<Vec<(HRESULT, u32)>>,
    /// How many critical regions it is in.
    pub(super) regions: Arc<AtomicU32>,
    /// Whether the host was asked not to abort it.
    delays: Cell<bool>,
    /// Whether it now does what the host itself wishes, so that the host is not notified.
    pub(super) by_host: Cell<bool>,
}

/// Prepares what happens at the end of threads.
pub fn start() {
    AT_END.prepare(at_end);
}

/// The running thread.
#[inline]
pub(super) fn current() -> Option<&'static Thread> {
    let thread = local::get();
    if thread.is_null() {
        return make();
    }
    // SAFETY: `make` set it for this thread. Only `at_end` frees it, when no code of the engine
    // runs on the thread any more.
    Some(unsafe { &*thread })
}

#[cold]
fn make() -> Option<&'static Thread> {
    // The host may hold locks that an engine thread would wait for here.
    if clerk::is_own_thread() {
        return None;
    }
    boundary::fence(None, || {
        // An earlier thread with this number may have died without its end.
        threads::delay_abort(tls::os_thread(), false);
        let thread = Box::into_raw(Box::new(Thread {
            known: OnceCell::new(),
            paired: Cell::new(false),
            id: Cell::new(0),
            outside: Cell::new(0),
            refused: Cell::new(S_OK),
            behind: Cell::new(0),
            pending: Cell::default(),
            regions: Arc::default(),
            delays: Cell::new(false),
            by_host: Cell::new(false),
        }));
        local::set(thread);
        AT_END.ask(thread);
        // SAFETY: it was just made for this thread, and only `at_end` frees it.
        Some(unsafe { &*thread })
    })
}

/// Runs at the end of each thread that has crossed, and again if it crosses after that.
unsafe extern "C" fn at_end(thread: *mut c_void) {
    boundary::fence((), || {
        local::set(null_mut());
        // SAFETY: `make` made it with `Box`, and the C library passes it here once.
        let thread = unsafe { Box::from_raw(thread.cast::<Thread>()) };
        if let Some(known) = thread.known.get() {
            let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            // The CLR may already have given the number to another thread.
            let id = thread.id.get();
            if all.get(&id).is_some_and(|there| Arc::ptr_eq(there, known)) {
                all.remove(&id);
            }
        }
        thread.delay_abort(false);
        // This releases the task, which runs the host's code, so nothing is locked here.
        drop(thread);
    });
}

impl Thread {
    /// Notes that the thread enters or leaves a region that delays its abort. Returns whether it
    /// was in one.
    pub(super) fn delay_abort(&self, delays: bool) -> bool {
        let before = self.delays.replace(delays);
        if before != delays {
            threads::delay_abort(tls::os_thread(), delays);
        }
        before
    }

    /// Notes the beginning of a native call that the host was notified of.
    #[inline]
    pub(super) fn began(&self) {
        if self.refused.get() != S_OK {
            self.put_aside();
        }
        self.outside.set(self.outside.get().wrapping_add(1));
    }

    /// Notes the end of the innermost of them. Returns why a callback of it was denied, or `S_OK`.
    #[inline]
    pub(super) fn ended(&self) -> HRESULT {
        let refused = self.refused.replace(S_OK);
        let outside = self.outside.get().saturating_sub(1);
        self.outside.set(outside);
        if self.behind.get() >= outside.max(1) {
            self.take_up();
        }
        refused
    }

    /// Notes that a callback was denied. Without an open native call there is no managed caller to
    /// throw for.
    pub(super) fn was_refused(&self, why: HRESULT) {
        if self.outside.get() > 0 {
            self.refused.set(why);
        }
    }

    #[cold]
    fn put_aside(&self) {
        boundary::fence((), || {
            let mut pending = self.pending.take();
            let behind = self.behind.replace(self.outside.get());
            pending.push((self.refused.replace(S_OK), behind));
            self.pending.set(pending);
        });
    }

    #[cold]
    fn take_up(&self) {
        boundary::fence((), || {
            let mut pending = self.pending.take();
            let (why, behind) = pending.pop().unwrap_or((S_OK, 0));
            self.pending.set(pending);
            self.refused.set(why);
            self.behind.set(behind);
        });
    }

    /// Whether the host knows this thread. Asks the host, if it has given no task yet.
    ///
    /// # Errors
    /// The answer of the host's `SetCLRTask`, if that failed.
    #[inline]
    pub(super) fn has_task(&self) -> Result<bool, HRESULT> {
        if self.paired.get() {
            Ok(true)
        } else {
            self.ask()
        }
    }

    /// The part that other threads may use, whatever the host's `SetCLRTask` has answered.
    pub(super) fn known(&self) -> Option<&Known> {
        match self.has_task() {
            Ok(true) => self.known.get().map(|known| &**known),
            _ => None,
        }
    }

    /// Calls the host outside the fence, since it may end the thread.
    #[cold]
    fn ask(&self) -> Result<bool, HRESULT> {
        let Some(known) = self.known.get().or_else(|| self.task_of_host()) else {
            return Ok(false);
        };
        if slots::alone() {
            self.paired.set(true);
            return Ok(true);
        }
        let of_clr = boundary::fence(null_mut(), task::of_clr);
        if of_clr.is_null() {
            // The runtime has not started, or has ended. The next crossing tries again.
            return Ok(true);
        }
        // Lent: it outlives its thread for a while, for hosts that do not count (`com`).
        // SAFETY: `known` holds a reference to the host's task, and the CLR's task is this
        // thread's, which lives at least as long as the thread.
        heed(unsafe { known.task().SetCLRTask(Lent::from_raw(of_clr)) })
            .ok()
            .map_err(|e| e.code())?;
        self.paired.set(true);
        self.list(known);
        Ok(true)
    }

    fn task_of_host(&self) -> Option<&Arc<Known>> {
        let mut task = null_mut();
        // The result does not matter, only whether the host has stored a task.
        // SAFETY: the host's manager lives until the process ends.
        let _ = heed(unsafe { managers::task_manager()?.GetCurrentTask(Out::new(&mut task)) });
        if task.is_null() {
            return None;
        }
        boundary::fence((), || {
            let known = Known {
                // SAFETY: the host gave this task with a reference, which the last holder of this
                // value releases.
                task: ManuallyDrop::new(unsafe { fenced::stand_in(task) }),
                interrupted: AtomicBool::new(true),
                waits: AtomicBool::new(false),
            };
            // If the host led here again meanwhile, this task is released.
            let _ = self.known.set(Arc::new(known));
        });
        self.known.get()
    }

    fn list(&self, known: &Arc<Known>) {
        boundary::fence((), || {
            let Some(id) = number() else { return };
            self.id.set(id);
            let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            let before = all.insert(id, known.clone());
            drop(all);
            // This may be the last holder of its task, whose release runs the host's code.
            drop(before);
        });
    }
}

/// The CLR's number of the running thread, if the CLR knows the thread.
pub(super) fn number() -> Option<usize> {
    let mut id = ThreadId::NULL;
    // SAFETY: the pointer is to a local. The CLR answers this question on any thread.
    let answer = unsafe { engine::get()?.info.GetCurrentThreadID(&raw mut id) };
    answer.is_ok().then_some(id.0)
}
