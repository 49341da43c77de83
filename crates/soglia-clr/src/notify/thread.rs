//! The host's task of the running thread.
//!
//! A thread's first crossing asks the host for its task (`GetCurrentTask`) and pairs it with the CLR's (`IHostTask::SetCLRTask`, on the
//! thread itself). A host that gives none is not told of the thread, and is asked again at its next crossing.
//!
//! Threads with a task are listed by the CLR's number, for those that wait for them, wake them or want them to be more important ([`known`]).

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

use soglia_abi::{HRESULT, hosting::host_task::IHostTask, hresult::S_OK, ids::ThreadId};

use crate::{
    arch::thread_pointer,
    boundary, clerk, engine,
    host::{failure::heed, fenced, managers, task},
    slots, threads,
    tls::{self, AtEnd},
};

thread_pointer!(local, "soglia_told", Thread);

/// Called at a thread's end, once it has crossed.
static AT_END: AtEnd = AtEnd::new();

/// Threads whose tasks the host and the CLR have paired, by the CLR's number. Nobody calls the host while this is locked.
static KNOWN: Mutex<BTreeMap<usize, Arc<Known>>> = Mutex::new(BTreeMap::new());

/// What of a thread other threads may use.
pub(super) struct Known {
    /// What stands in for the host's, with a reference of ours.
    task: ManuallyDrop<IHostTask>,
    /// `Thread.Interrupt` was called for it, or may have been before it was listed, and it has not looked since.
    pub(super) interrupted: AtomicBool,
    /// It waits in a method of the host's, of which .NET does not know.
    pub(super) waits: AtomicBool,
}

// SAFETY: a host's task may be called from any thread, as the hosting API has it; the rest synchronises itself.
unsafe impl Send for Known {}
// SAFETY: as above.
unsafe impl Sync for Known {}

impl Known {
    /// The host's task.
    pub(super) fn task(&self) -> &IHostTask {
        &self.task
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        // SAFETY: never used again.
        let task = unsafe { ManuallyDrop::take(&mut self.task) };
        // SAFETY: made by `stand_in`, and lent only.
        unsafe { fenced::release(task) };
    }
}

/// The thread with this number of the CLR's, if it has a task and has not ended.
pub(super) fn known(id: usize) -> Option<Arc<Known>> {
    boundary::fence(None, || {
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&id).cloned()
    })
}

/// What is known of a thread. Only the thread itself uses it; a host that is being called may lead here again, so nothing is borrowed.
pub(super) struct Thread {
    /// The host has given a task.
    known: OnceCell<Arc<Known>>,
    /// It has its `ICLRTask`.
    paired: Cell<bool>,
    /// The CLR's number, once it is listed by that.
    id: Cell<usize>,
    /// Native calls of which the host was told, and which are not back.
    outside: Cell<u32>,
    /// Why a callback of the innermost of them was refused, or `S_OK`.
    refused: Cell<HRESULT>,
    /// The innermost one behind it of which a callback was refused, counted from the outermost; 0: there is none.
    behind: Cell<u32>,
    /// Why, and the next one behind that.
    pending: Cell<Vec<(HRESULT, u32)>>,
    /// Critical regions that it is in.
    pub(super) regions: Arc<AtomicU32>,
    /// The host was told that it must not be aborted.
    delays: Cell<bool>,
    /// What it does now is the host's own wish, of which it need not be told.
    pub(super) by_host: Cell<bool>,
}

/// Prepares the process: what happens at the end of threads.
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
    // SAFETY: set by `make` for this thread, and freed by `at_end` alone, when nothing of ours runs on it.
    Some(unsafe { &*thread })
}

#[cold]
fn make() -> Option<&'static Thread> {
    // The host may hold locks for which such a thread would wait here.
    if clerk::is_own_thread() {
        return None;
    }
    boundary::fence(None, || {
        // Of an earlier thread with this number, which has died without its end.
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
        // SAFETY: just made.
        Some(unsafe { &*thread })
    })
}

/// Runs at the end of every thread that has crossed, and once more if it crosses after that.
unsafe extern "C" fn at_end(thread: *mut c_void) {
    boundary::fence((), || {
        local::set(null_mut());
        // SAFETY: made by `make`, and nobody else has it.
        let thread = unsafe { Box::from_raw(thread.cast::<Thread>()) };
        if let Some(known) = thread.known.get() {
            let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            // The number may be another thread's already.
            let id = thread.id.get();
            if all.get(&id).is_some_and(|there| Arc::ptr_eq(there, known)) {
                all.remove(&id);
            }
        }
        thread.delay_abort(false);
        // Releases the task, which is the host's code: nothing is locked any more.
        drop(thread);
    });
}

impl Thread {
    /// The thread enters a region that delays its abort, or leaves it. Whether it was in one.
    pub(super) fn delay_abort(&self, delays: bool) -> bool {
        let before = self.delays.replace(delays);
        if before != delays {
            threads::delay_abort(tls::os_thread(), delays);
        }
        before
    }

    /// A native call has begun of which the host was told.
    #[inline]
    pub(super) fn began(&self) {
        if self.refused.get() != S_OK {
            self.put_aside();
        }
        self.outside.set(self.outside.get().wrapping_add(1));
    }

    /// The innermost of them has ended. Answers why a callback of it was refused, or `S_OK`.
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

    /// A callback was refused. If nobody below has called out, nobody is there to throw.
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

    /// Whether the host knows this thread. Asks it, if it has given no task yet.
    ///
    /// # Errors
    /// What the host's `SetCLRTask` has answered.
    #[inline]
    pub(super) fn has_task(&self) -> Result<bool, HRESULT> {
        if self.paired.get() {
            Ok(true)
        } else {
            self.ask()
        }
    }

    /// The same, where nobody minds what the host has answered; and what others know of the thread.
    pub(super) fn known(&self) -> Option<&Known> {
        match self.has_task() {
            Ok(true) => self.known.get().map(|known| &**known),
            _ => None,
        }
    }

    /// The host is called outside of the fence: it may end the thread.
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
            // The runtime is not up, or down again: the next crossing tries once more.
            return Ok(true);
        }
        // Lent: it outlives its thread for a while, for hosts that do not count (`com`).
        // SAFETY: both are live tasks.
        heed(unsafe { known.task().SetCLRTask(of_clr) })
            .ok()
            .map_err(|e| e.code())?;
        self.paired.set(true);
        self.list(known);
        Ok(true)
    }

    fn task_of_host(&self) -> Option<&Arc<Known>> {
        let mut task = null_mut();
        // SAFETY: a host's manager, which lives as long as the process; a place for the answer. Only whether there is a task counts.
        let _ = heed(unsafe { managers::task_manager()?.GetCurrentTask(&raw mut task) });
        if task.is_null() {
            return None;
        }
        boundary::fence((), || {
            let known = Known {
                // SAFETY: a task, with a reference for us, until the last of those who have this is gone.
                task: ManuallyDrop::new(unsafe { fenced::stand_in(task) }),
                interrupted: AtomicBool::new(true),
                waits: AtomicBool::new(false),
            };
            // If the host has led here again, that was faster, and this task is released.
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
            // It may be the last that holds its task: then its release is the host's code.
            drop(before);
        });
    }
}

/// The CLR's number of the running thread, if it knows it.
pub(super) fn number() -> Option<usize> {
    let mut id = ThreadId::NULL;
    // SAFETY: a pointer to a local. The CLR answers this anywhere.
    let answer = unsafe { engine::get()?.info.GetCurrentThreadID(&raw mut id) };
    answer.is_ok().then_some(id.0)
}
