//! The host's side of tasks: `IHostTaskManager` and `IHostTask`.

#![allow(unsafe_code, reason = "a task's body is a C function")]

use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use soglia_abi::hosting::types::{
    INFINITE, LPTHREAD_START_ROUTINE, THREAD_PRIORITY_ABOVE_NORMAL, THREAD_PRIORITY_BELOW_NORMAL,
    THREAD_PRIORITY_HIGHEST, THREAD_PRIORITY_IDLE, THREAD_PRIORITY_LOWEST, THREAD_PRIORITY_NORMAL,
    THREAD_PRIORITY_TIME_CRITICAL, WAIT_ALERTABLE, WAIT_MSGPUMP, WAIT_NOTINDEADLOCK,
};

use super::clr::{ClrTask, ClrTaskManager};
use super::hresult::{Answer, HResult};
use super::target::Target;

/// The host's task manager: `IHostTaskManager`.
///
/// The engine notifies it of every crossing of a thread between managed and native code. A thread
/// that the runtime knows is a *task* here.
///
/// Every method has a default that leaves the matter to .NET; write the methods that you need. The
/// engine calls them on the thread that they are about, on many threads at once, and on threads
/// that the host has never seen. It calls them in *preemptive mode*: the garbage collector does not
/// wait for them, so they may take locks and block as long as they like. They must not call managed
/// code.
///
/// For managed code that calls native A, which calls managed B, which calls native C:
///
/// | | | |
/// | --- | --- | --- |
/// | 1 | `leave_runtime(A)` | managed code calls A |
/// | 2 | `reverse_enter_runtime()` | A calls B |
/// | 3 | `leave_runtime(C)` | B calls C |
/// | 4 | `enter_runtime()` | C has returned |
/// | 5 | `reverse_leave_runtime()` | B has returned |
/// | 6 | `enter_runtime()` | A has returned |
///
/// A failure of `leave_runtime`, `reverse_enter_runtime` or `enter_runtime` becomes a managed
/// exception. A panic in any method is caught and counts as [`HResult::FAIL`], which takes the CLR
/// out of use.
pub trait HostTaskManager: Send + Sync {
    /// Returns the host's task of the calling thread.
    ///
    /// The engine asks at the thread's first crossing. With `None` the thread's crossings are not
    /// notified, and the engine asks again at the next one.
    fn current_task(&self) -> Option<Arc<dyn HostTask>> {
        Some(Arc::new(PlainTask))
    }

    /// Creates a task for a new thread, which [`HostTask::start`] starts. The stack size is in
    /// bytes, 0 for the default. Called for each `Thread` that starts, of the thread pool too, on
    /// the thread that starts it.
    ///
    /// The host calls [`TaskBody::run`] on a thread with such a stack. It returns when the task is
    /// over. The engine does not ask for the [task](Self::current_task) of that thread.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] leaves the thread to .NET. After any other failure
    /// `Thread.Start` throws `OutOfMemoryException`.
    fn create_task(&self, _stack_size: usize, _body: TaskBody) -> Answer<Arc<dyn HostTask>> {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Lets the calling task sleep (`Thread.Sleep`), for ever with `None`, and returns `Ok` when it
    /// has slept. The wait is [alertable](WaitOptions::alertable).
    ///
    /// # Errors
    /// [`HResult::INTERRUPTED`] after an [alert](HostTask::alert). After any other failure .NET
    /// sleeps itself.
    fn sleep(&self, _time: Option<Duration>, _options: WaitOptions) -> Answer {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Lets other tasks run, because the calling task has nothing to do right now (`Thread.Yield`,
    /// and waits that spin).
    ///
    /// Returns whether another task ran. If not, .NET yields itself.
    fn switch_to_task(&self) -> bool {
        false
    }

    /// Managed code has set the thread's UI culture, by its LCID.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] leaves the culture to .NET. Any other failure becomes an
    /// `ArgumentException` where the culture is set.
    fn set_ui_locale(&self, _lcid: u32) -> Answer {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Managed code has set the thread's culture, by its LCID.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] leaves the culture to .NET. Any other failure becomes an
    /// `ArgumentException` where the culture is set.
    fn set_locale(&self, _lcid: u32) -> Answer {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Returns whether [`leave_runtime`](Self::leave_runtime) and
    /// [`enter_runtime`](Self::enter_runtime) should be called for that function.
    ///
    /// The engine asks before the first call, and rarely again. With `false`, calls cost next to
    /// nothing. The result has no effect on the reverse pair.
    fn call_needs_host_hook(&self, _target: Target) -> bool {
        true
    }

    /// This thread is about to leave managed code for that native function.
    ///
    /// # Errors
    /// A failure denies the call: the function is not called, the managed caller gets an exception,
    /// and no `enter_runtime` follows.
    fn leave_runtime(&self, _target: Target) -> Answer {
        Ok(())
    }

    /// The native function has returned: one call for each `leave_runtime` that succeeded.
    ///
    /// # Errors
    /// A failure becomes an exception at the managed caller. What the function did stays done, and
    /// its result is lost.
    fn enter_runtime(&self) -> Answer {
        Ok(())
    }

    /// Native code calls managed code on this thread: a callback, or the first managed code of a
    /// native thread.
    ///
    /// # Errors
    /// A failure denies the callback: the managed method does not run, its native caller gets
    /// zeros, and no `reverse_leave_runtime` follows. The managed call that led to the native
    /// caller throws the exception when it returns.
    fn reverse_enter_runtime(&self) -> Answer {
        Ok(())
    }

    /// The managed code that native code had called returns.
    ///
    /// # Errors
    /// A failure is ignored, since the method has run.
    fn reverse_leave_runtime(&self) -> Answer {
        Ok(())
    }

    /// The task must not be aborted from here to [`end_delay_abort`](Self::end_delay_abort): the
    /// outermost `Thread.BeginCriticalRegion`.
    fn begin_delay_abort(&self) -> Answer {
        Ok(())
    }

    /// The task may be aborted again.
    fn end_delay_abort(&self) -> Answer {
        Ok(())
    }

    /// The task must stay on its thread from here to
    /// [`end_thread_affinity`](Self::end_thread_affinity): `Thread.BeginThreadAffinity`. Calls
    /// nest, and the host counts them.
    fn begin_thread_affinity(&self) -> Answer {
        Ok(())
    }

    /// Ends one such region.
    fn end_thread_affinity(&self) -> Answer {
        Ok(())
    }

    /// Sets how many bytes of stack must be left after a stack overflow.
    ///
    /// Not called: Windows only.
    fn set_stack_guarantee(&self, _bytes: u32) -> Answer {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Returns what [`set_stack_guarantee`](Self::set_stack_guarantee) has set.
    ///
    /// Not called: Windows only.
    fn stack_guarantee(&self) -> Answer<u32> {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Gives the host the CLR's side, once, inside [`Builder::start`](super::Builder::start) and
    /// before the runtime runs, or inside [`Builder::attach`](super::Builder::attach). Keep it: it
    /// works once the runtime has started.
    fn set_clr_task_manager(&self, _manager: ClrTaskManager) {}
}

/// The host's side of a task, which is a thread that runs managed code: `IHostTask`.
///
/// The CLR keeps it until the thread has ended, or until its manager has been
/// [detached](super::Attached::detach).
pub trait HostTask: Send + Sync {
    /// Lets a task of [`HostTaskManager::create_task`] run. Called right after that, on the same
    /// thread. It must return at once: .NET waits, with a lock held, until the task has begun.
    ///
    /// # Errors
    /// As for [`HostTaskManager::create_task`].
    fn start(&self) -> Answer {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Wakes the task from a wait of this host that is [`alertable`](WaitOptions::alertable), or
    /// from its next one (`Thread.Interrupt`).
    ///
    /// Called on any thread. It must return at once.
    fn alert(&self) -> Answer {
        Ok(())
    }

    /// Waits for the task's end (`Thread.Join`), at most 100 ms at a time. After `Ok`, .NET checks
    /// itself whether the thread has ended.
    ///
    /// # Errors
    /// [`HResult::TIMEOUT`]. [`HResult::INTERRUPTED`] after an [alert](Self::alert) of the waiting
    /// task. After any other failure .NET waits itself.
    fn join(&self, _time: Option<Duration>, _options: WaitOptions) -> Answer {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Sets the task's priority (`Thread.Priority`). A host may ignore it.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] leaves it to .NET. After any other failure the priority stays
    /// as it was.
    fn set_priority(&self, _priority: Priority) -> Answer {
        Ok(())
    }

    /// Returns the task's priority.
    ///
    /// # Errors
    /// After a failure .NET returns the priority that was set last.
    fn priority(&self) -> Answer<Priority> {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Pairs the task with the CLR's side of it. Called on the task's own thread, right after
    /// [`HostTaskManager::current_task`] has returned the task.
    ///
    /// # Errors
    /// A failure denies the crossing that it came with.
    fn set_clr_task(&self, _task: ClrTask) -> Answer {
        Ok(())
    }
}

/// A task that leaves everything to .NET, for hosts that do not distinguish threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainTask;

impl HostTask for PlainTask {}

/// What a new task runs.
pub struct TaskBody {
    start: LPTHREAD_START_ROUTINE,
    parameter: *mut c_void,
}

// SAFETY: the CLR passes the function and its parameter to be called on another thread.
unsafe impl Send for TaskBody {}

impl TaskBody {
    /// # Safety
    /// `start` may be called with `parameter`, once, on any thread.
    pub(super) unsafe fn new(start: LPTHREAD_START_ROUTINE, parameter: *mut c_void) -> Self {
        Self { start, parameter }
    }

    /// Runs it on the calling thread, and returns the thread's exit code.
    pub fn run(self) -> u32 {
        // SAFETY: the caller of `new` allows one call on any thread, and this consumes `self`.
        unsafe { (self.start)(self.parameter) }
    }
}

impl fmt::Debug for TaskBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskBody")
    }
}

/// How a wait may end: `WAIT_OPTION`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WaitOptions(pub u32);

impl WaitOptions {
    /// [`HostTask::alert`] may end the wait.
    pub const fn alertable(self) -> bool {
        self.0 & WAIT_ALERTABLE != 0
    }

    /// The wait must not be ended to break a deadlock.
    pub const fn not_in_deadlock(self) -> bool {
        self.0 & WAIT_NOTINDEADLOCK != 0
    }

    /// The wait handles messages. Windows only.
    pub const fn message_pump(self) -> bool {
        self.0 & WAIT_MSGPUMP != 0
    }
}

/// A thread's priority: `THREAD_PRIORITY_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub i32);

impl Priority {
    /// Only when no other thread wants to run.
    pub const IDLE: Self = Self(THREAD_PRIORITY_IDLE);
    /// Two below normal.
    pub const LOWEST: Self = Self(THREAD_PRIORITY_LOWEST);
    /// One below normal.
    pub const BELOW_NORMAL: Self = Self(THREAD_PRIORITY_BELOW_NORMAL);
    /// The default.
    pub const NORMAL: Self = Self(THREAD_PRIORITY_NORMAL);
    /// One above normal.
    pub const ABOVE_NORMAL: Self = Self(THREAD_PRIORITY_ABOVE_NORMAL);
    /// Two above normal.
    pub const HIGHEST: Self = Self(THREAD_PRIORITY_HIGHEST);
    /// Before all others.
    pub const TIME_CRITICAL: Self = Self(THREAD_PRIORITY_TIME_CRITICAL);
}

/// The time of a wait, from the milliseconds of the hosting API; `None` is for ever.
pub(super) fn time_of(milliseconds: u32) -> Option<Duration> {
    (milliseconds != INFINITE).then(|| Duration::from_millis(milliseconds.into()))
}
