//! `IHostTaskManager` and `IHostTask`: the host's side of tasks.

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

/// What a host is told of tasks, and of every crossing of theirs between managed and native code: `IHostTaskManager`.
///
/// All methods do nothing unless they are written; write those that matter. They are called on the thread that they are about,
/// on many threads at once, on threads that the host has never seen, and in *preemptive mode*: the garbage collector does not wait for
/// them, so they may take locks and block as long as they like. They must not call managed code.
///
/// For managed code that calls native A, which calls managed B, which calls native C:
///
/// | | | |
/// | --- | --- | --- |
/// | 1 | `leave_runtime(A)` | managed code calls A |
/// | 2 | `reverse_enter_runtime()` | A calls B |
/// | 3 | `leave_runtime(C)` | B calls C |
/// | 4 | `enter_runtime()` | C is back |
/// | 5 | `reverse_leave_runtime()` | B is back |
/// | 6 | `enter_runtime()` | A is back |
///
/// A failure of the first three kinds becomes a managed exception. A panic of any method is stopped, and counts as
/// [`HResult::FAIL`], which takes the CLR out of use.
pub trait HostTaskManager: Send + Sync {
    /// The host's task of the calling thread. Asked when the thread crosses for the first time; a thread without a task is not told
    /// of, and is asked again.
    fn current_task(&self) -> Option<Arc<dyn HostTask>> {
        Some(Arc::new(PlainTask))
    }

    /// A task for a new thread, to be started by [`HostTask::start`]. Stack size in bytes, 0: the usual. Not called: .NET makes its
    /// own threads.
    fn create_task(&self, _stack_size: usize, _body: TaskBody) -> Answer<Arc<dyn HostTask>> {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// The calling task is to sleep (`Thread.Sleep`), `None`: for ever. `Ok` when it has slept. The wait is
    /// [alertable](WaitOptions::alertable).
    ///
    /// # Errors
    /// [`HResult::INTERRUPTED`]: somebody has alerted the task. Any other: .NET sleeps itself.
    fn sleep(&self, _time: Option<Duration>, _options: WaitOptions) -> Answer {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// The calling task has nothing to do right now (`Thread.Yield`, and waits that spin). Whether another one was switched to; if not,
    /// .NET yields itself.
    fn switch_to_task(&self) -> bool {
        false
    }

    /// Managed code has set the thread's UI culture, by its LCID.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] is no hindrance; any other is an `ArgumentException` where it is set.
    fn set_ui_locale(&self, _lcid: u32) -> Answer {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Managed code has set the thread's culture, by its LCID.
    ///
    /// # Errors
    /// As above.
    fn set_locale(&self, _lcid: u32) -> Answer {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Whether the host wants to be told of calls of that function, by [`leave_runtime`](Self::leave_runtime) and
    /// [`enter_runtime`](Self::enter_runtime). Asked before the first call, seldom again; calls of what the host does not want to be told of
    /// cost next to nothing. Has no effect on the reverse pair.
    fn call_needs_host_hook(&self, _target: Target) -> bool {
        true
    }

    /// This thread is about to leave managed code for that native function.
    ///
    /// # Errors
    /// Refuse the call: the function is not called, the managed caller gets an exception, and no `enter_runtime` follows.
    fn leave_runtime(&self, _target: Target) -> Answer {
        Ok(())
    }

    /// The native function is back; one for each `leave_runtime` that succeeded.
    ///
    /// # Errors
    /// Become an exception at the managed caller. What the function did stays done; its result is lost.
    fn enter_runtime(&self) -> Answer {
        Ok(())
    }

    /// Native code calls managed code on this thread: a callback, or a native thread's way in.
    ///
    /// # Errors
    /// Refuse the callback: the managed method does not run, the native caller gets zeros, and no `reverse_leave_runtime` follows. The
    /// managed call that led there throws the exception when it is back.
    fn reverse_enter_runtime(&self) -> Answer {
        Ok(())
    }

    /// The managed code that was called so returns to its native caller.
    ///
    /// # Errors
    /// Are ignored: nobody is left to be told.
    fn reverse_leave_runtime(&self) -> Answer {
        Ok(())
    }

    /// From here to [`end_delay_abort`](Self::end_delay_abort) the task must not be aborted: the outermost
    /// `Thread.BeginCriticalRegion`.
    fn begin_delay_abort(&self) -> Answer {
        Ok(())
    }

    /// The end of that.
    fn end_delay_abort(&self) -> Answer {
        Ok(())
    }

    /// From here to [`end_thread_affinity`](Self::end_thread_affinity) the task must stay on its thread
    /// (`Thread.BeginThreadAffinity`); nests, and the host counts.
    fn begin_thread_affinity(&self) -> Answer {
        Ok(())
    }

    /// The end of that.
    fn end_thread_affinity(&self) -> Answer {
        Ok(())
    }

    /// So many bytes of stack are to be left after a stack overflow. Not called: Windows only.
    fn set_stack_guarantee(&self, _bytes: u32) -> Answer {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// The same, asked. Not called.
    fn stack_guarantee(&self) -> Answer<u32> {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Hands over the CLR's half, once, inside [`Builder::start`](super::Builder::start) and before the runtime runs. Keep it: it
    /// works once the runtime has started.
    fn set_clr_task_manager(&self, _manager: ClrTaskManager) {}
}

/// The host's half of a task, a thread that runs managed code: `IHostTask`. The CLR keeps it until the thread is gone.
pub trait HostTask: Send + Sync {
    /// Lets a task run that [`HostTaskManager::create_task`] made. Not called, as that is not.
    fn start(&self) -> Answer {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Wakes the task out of a wait of the host's that is [`alertable`](WaitOptions::alertable), or out of its next one
    /// (`Thread.Interrupt`). From any thread; returns at once.
    fn alert(&self) -> Answer {
        Ok(())
    }

    /// Waits for the task's end (`Thread.Join`), at most 100 ms at a time; .NET looks itself whether the thread has ended.
    ///
    /// # Errors
    /// [`HResult::TIMEOUT`]; [`HResult::INTERRUPTED`]: somebody has alerted the waiting task. Any other: .NET waits itself.
    fn join(&self, _time: Option<Duration>, _options: WaitOptions) -> Answer {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Sets the task's priority (`Thread.Priority`). A host may ignore it.
    ///
    /// # Errors
    /// The priority stays as it was, but for [`HResult::NOT_IMPLEMENTED`], which leaves it to .NET.
    fn set_priority(&self, _priority: Priority) -> Answer {
        Ok(())
    }

    /// The task's priority.
    ///
    /// # Errors
    /// Leave it to .NET, which gives what was set.
    fn priority(&self) -> Answer<Priority> {
        Err(HResult::NOT_IMPLEMENTED)
    }

    /// Pairs the task with the CLR's half of it. Called on the task's own thread, right after
    /// [`HostTaskManager::current_task`] gave it.
    ///
    /// # Errors
    /// Refuse the crossing that it came with.
    fn set_clr_task(&self, _task: ClrTask) -> Answer {
        Ok(())
    }
}

/// A task that leaves everything to the CLR, for hosts that do not tell threads apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainTask;

impl HostTask for PlainTask {}

/// What a new task runs.
pub struct TaskBody {
    start: LPTHREAD_START_ROUTINE,
    parameter: *mut c_void,
}

// SAFETY: the CLR gives it out to be run on another thread.
unsafe impl Send for TaskBody {}

impl TaskBody {
    /// # Safety
    /// `start` may be called with `parameter`, once, on any thread.
    pub(super) unsafe fn new(start: LPTHREAD_START_ROUTINE, parameter: *mut c_void) -> Self {
        Self { start, parameter }
    }

    /// Runs it, on the calling thread. Gives the thread's exit code.
    pub fn run(self) -> u32 {
        // SAFETY: by the contract of `new`; `self` is gone, so this is the one time.
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
    /// [`HostTask::alert`] may end it.
    pub const fn alertable(self) -> bool {
        self.0 & WAIT_ALERTABLE != 0
    }

    /// It must not be ended to break a deadlock.
    pub const fn not_in_deadlock(self) -> bool {
        self.0 & WAIT_NOTINDEADLOCK != 0
    }

    /// Messages are to be handled during it. Windows only.
    pub const fn message_pump(self) -> bool {
        self.0 & WAIT_MSGPUMP != 0
    }
}

/// A thread's priority: `THREAD_PRIORITY_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub i32);

impl Priority {
    /// Only if nobody else wants to.
    pub const IDLE: Self = Self(THREAD_PRIORITY_IDLE);
    /// Two below normal.
    pub const LOWEST: Self = Self(THREAD_PRIORITY_LOWEST);
    /// One below normal.
    pub const BELOW_NORMAL: Self = Self(THREAD_PRIORITY_BELOW_NORMAL);
    /// The usual.
    pub const NORMAL: Self = Self(THREAD_PRIORITY_NORMAL);
    /// One above normal.
    pub const ABOVE_NORMAL: Self = Self(THREAD_PRIORITY_ABOVE_NORMAL);
    /// Two above normal.
    pub const HIGHEST: Self = Self(THREAD_PRIORITY_HIGHEST);
    /// Before all others.
    pub const TIME_CRITICAL: Self = Self(THREAD_PRIORITY_TIME_CRITICAL);
}

/// Milliseconds as the hosting API has them.
pub(super) fn time_of(milliseconds: u32) -> Option<Duration> {
    (milliseconds != INFINITE).then(|| Duration::from_millis(milliseconds.into()))
}
