//! The host's task of the running thread.
//!
//! A thread's first crossing asks the host for its task (`GetCurrentTask`) and pairs it with the CLR's (`IHostTask::SetCLRTask`, on the
//! thread itself). A host that gives none is not told of the thread, and is asked again at its next crossing.

use std::{
    cell::Cell,
    ffi::c_void,
    ptr::null_mut,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use soglia_abi::{
    HRESULT,
    hosting::{clr_task::ICLRTask, host_task::IHostTask},
    hresult::S_OK,
};
use windows_core::Interface;

use crate::{
    boundary,
    hosting::{self, heed},
    tls::thread_pointer,
};

thread_pointer!(local, "soglia_told", Thread);

/// Called at a thread's end, once it has crossed.
static AT_END: AtomicU32 = AtomicU32::new(u32::MAX);

/// What is known of a thread. Only the thread itself uses it; a host that is being called may lead here again, so nothing is borrowed.
pub(super) struct Thread {
    /// What stands in for the host's `IHostTask`, with a reference of ours; null if the host has given none.
    task: Cell<*mut c_void>,
    /// It has its `ICLRTask`.
    paired: Cell<bool>,
    /// Native calls of which the host was told, and which are not back.
    outside: Cell<u32>,
    /// Why a callback of the innermost of them was refused, or `S_OK`.
    refused: Cell<HRESULT>,
    /// The innermost one behind it of which a callback was refused, counted from the outermost; 0: there is none.
    behind: Cell<u32>,
    /// Why, and the next one behind that.
    pending: Cell<Vec<(HRESULT, u32)>>,
}

/// Prepares the process: what happens at the end of threads.
pub fn start() {
    let mut key = 0;
    // SAFETY: `key` is a local; `at_end` has the signature asked for.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(at_end)) } == 0 {
        AT_END.store(key, Relaxed);
    }
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
    boundary::fence(None, || {
        let thread = Box::into_raw(Box::new(Thread {
            task: Cell::new(null_mut()),
            paired: Cell::new(false),
            outside: Cell::new(0),
            refused: Cell::new(S_OK),
            behind: Cell::new(0),
            pending: Cell::default(),
        }));
        local::set(thread);
        // SAFETY: the key was made in `start`; any value but null asks for the destructor.
        unsafe { libc::pthread_setspecific(AT_END.load(Relaxed), thread.cast()) };
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
        if !thread.task.get().is_null() {
            // SAFETY: made in `ask`, with the reference that the host gave us.
            unsafe { hosting::release(IHostTask::from_raw(thread.task.get())) };
        }
    });
}

impl Thread {
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

    /// The host is called outside of the fence: it may end the thread.
    #[cold]
    fn ask(&self) -> Result<bool, HRESULT> {
        if self.task.get().is_null() {
            let Some(manager) = hosting::task_manager() else {
                return Ok(false);
            };
            let mut task = null_mut();
            // SAFETY: a host's manager, which lives as long as the process; a place for the answer. Only whether there is a
            // task counts.
            let _ = heed(unsafe { manager.GetCurrentTask(&raw mut task) });
            if task.is_null() {
                return Ok(false);
            }
            // SAFETY: a task, with a reference for us, until the thread's end.
            let task = unsafe { hosting::stand_in::<IHostTask>(task) };
            self.task.set(task.into_raw());
        }
        let task = self.task.get();
        // SAFETY: the host's, with a reference of ours.
        let Some(task) = (unsafe { IHostTask::from_raw_borrowed(&task) }) else {
            return Ok(false);
        };
        let of_clr = boundary::fence(null_mut(), hosting::task_of_this_thread);
        if of_clr.is_null() {
            // The runtime is not up, or down again: the next crossing tries once more.
            return Ok(true);
        }
        // SAFETY: the CLR's half, which lives as long as the thread.
        let Some(lent) = (unsafe { ICLRTask::from_raw_borrowed(&of_clr) }) else {
            return Ok(false);
        };
        // With a reference: hosts keep it without counting, and yet release it, after the thread's end too.
        let given = lent.clone();
        // SAFETY: both are live tasks.
        heed(unsafe { task.SetCLRTask(given.as_raw()) })
            .ok()
            .map_err(|e| e.code())?;
        let _ = given.into_raw();
        self.paired.set(true);
        Ok(true)
    }
}
