//! The CLR's side of the hosting API: what hosts may ask it.

#![allow(
    unsafe_code,
    reason = "methods of the engine's objects are called through vtables"
)]

use std::fmt;
use std::ptr::null_mut;

use soglia_abi::BOOL;
use soglia_abi::hosting::clr_task::{ICLRTask, ICLRTask2, ICLRTaskManager};
use soglia_abi::hosting::gc::{COR_GC_COUNTS, COR_GC_MEMORYUSAGE, COR_GC_STATS, ICLRGCManager};
use soglia_abi::hosting::types::{COR_GC_THREAD_STATS, ETaskType, *};
use soglia_abi::param::{InOut, Lent, Out};
use windows_core::Interface;

use super::hresult::{Answer, HResult};
use super::object::{Shared, call};

/// The CLR's side of [`HostTaskManager`](super::HostTaskManager): `ICLRTaskManager`.
///
/// Its methods may be called on any thread. Before the runtime runs, and after it has ended, each
/// returns [`HResult::CLR_NOT_AVAILABLE`].
#[derive(Clone)]
pub struct ClrTaskManager(Shared<ICLRTaskManager>);

impl ClrTaskManager {
    /// The manager that the engine lends, with a reference of its own.
    pub(super) fn keep(manager: &Lent<'_, ICLRTaskManager>) -> Option<Self> {
        manager.cloned().map(Self::new)
    }

    pub(super) fn new(manager: ICLRTaskManager) -> Self {
        Self(Shared(manager))
    }

    /// The calling thread's task; `None` if the CLR does not know the thread.
    pub fn current_task(&self) -> Option<ClrTask> {
        let mut task = null_mut();
        HResult::check(call!(self.0.0, GetCurrentTask(Out::new(&mut task)))).ok()?;
        // SAFETY: the engine has stored null or the task of this thread, which it keeps alive until
        // the thread ends.
        ClrTask::keep(&unsafe { Lent::from_raw(task) })
    }

    /// Makes the calling thread known to the CLR, before its first call of managed code.
    ///
    /// # Errors
    /// [`HResult::INVALID_OPERATION`] if the CLR knows the thread already.
    pub fn create_task(&self) -> Answer<ClrTask> {
        let mut task = null_mut();
        HResult::check(call!(self.0.0, CreateTask(Out::new(&mut task))))?;
        // SAFETY: the engine has stored the task of this thread, which it keeps alive until the
        // thread ends.
        ClrTask::keep(&unsafe { Lent::from_raw(task) }).ok_or(HResult::UNEXPECTED)
    }

    /// Sets the calling thread's `CurrentCulture`.
    ///
    /// It runs managed code, so it must not be called from a method that the engine calls.
    ///
    /// # Errors
    /// [`HResult::INVALID_ARGUMENT`] if .NET does not know the culture.
    /// [`HResult::INVALID_OPERATION`] if the CLR does not know the thread.
    pub fn set_locale(&self, lcid: u32) -> Answer {
        HResult::check(call!(self.0.0, SetLocale(lcid)))
    }

    /// Sets the calling thread's `CurrentUICulture`.
    ///
    /// It runs managed code, so it must not be called from a method that the engine calls.
    ///
    /// # Errors
    /// [`HResult::INVALID_ARGUMENT`] if .NET does not know the culture.
    /// [`HResult::INVALID_OPERATION`] if the CLR does not know the thread.
    pub fn set_ui_locale(&self, lcid: u32) -> Answer {
        HResult::check(call!(self.0.0, SetUILocale(lcid)))
    }

    /// What the calling thread is for.
    ///
    /// # Errors
    /// [`HResult::CLR_NOT_AVAILABLE`].
    pub fn current_task_type(&self) -> Answer<TaskType> {
        let mut kind = TT_UNKNOWN;
        HResult::check(call!(self.0.0, GetCurrentTaskType(Out::new(&mut kind))))?;
        Ok(kind.into())
    }
}

impl fmt::Debug for ClrTaskManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClrTaskManager")
    }
}

/// What a thread is for: `ETaskType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskType {
    /// It runs the program's code.
    User,
    /// It runs finalizers.
    Finalizer,
    /// It runs the thread pool's timers.
    ThreadpoolTimer,
    /// It starts and stops workers of the thread pool.
    ThreadpoolGate,
    /// It is a worker of the thread pool.
    ThreadpoolWorker,
    /// It waits on behalf of the thread pool.
    ThreadpoolWait,
    /// The CLR does not know the thread.
    Unknown,
    /// Another type, by its number.
    Other(u32),
}

impl From<ETaskType> for TaskType {
    fn from(kind: ETaskType) -> Self {
        match kind {
            TT_USER => Self::User,
            TT_FINALIZER => Self::Finalizer,
            TT_THREADPOOL_TIMER => Self::ThreadpoolTimer,
            TT_THREADPOOL_GATE => Self::ThreadpoolGate,
            TT_THREADPOOL_WORKER => Self::ThreadpoolWorker,
            TT_THREADPOOL_WAIT => Self::ThreadpoolWait,
            TT_UNKNOWN => Self::Unknown,
            other => Self::Other(other.0),
        }
    }
}

/// The CLR's side of a task, which is a thread that it knows: `ICLRTask2`.
///
/// Methods for which .NET has no means return [`HResult::NOT_IMPLEMENTED`]; `docs/hosting.md` lists
/// them. `SwitchIn` and `SwitchOut` are not here, since .NET cannot switch threads.
#[derive(Clone)]
pub struct ClrTask(Shared<ICLRTask2>);

impl ClrTask {
    /// The task that the engine lends, with a reference of its own.
    pub(super) fn keep(task: &Lent<'_, ICLRTask>) -> Option<Self> {
        let task = task.get()?.cast::<ICLRTask2>().ok()?;
        Some(Self(Shared(task)))
    }

    /// The number of bytes that the task has allocated.
    ///
    /// It runs managed code, so it must not be called from a method that the engine calls.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] on another thread than the task's.
    pub fn allocated(&self) -> Answer<u64> {
        let mut stats = COR_GC_THREAD_STATS::default();
        HResult::check(call!(self.0.0, GetMemStats(InOut::new(&mut stats))))?;
        Ok(stats.PerThreadAllocation)
    }

    /// Gives the task a number that the host chooses.
    ///
    /// # Errors
    /// [`HResult::CLR_NOT_AVAILABLE`].
    pub fn set_identifier(&self, identifier: u64) -> Answer {
        HResult::check(call!(self.0.0, SetTaskIdentifier(identifier)))
    }

    /// Whether the task should be scheduled before others: it runs managed code, or it is the
    /// finalizer.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] if the host has no task manager.
    pub fn needs_priority_scheduling(&self) -> Answer<bool> {
        let mut yes = BOOL(0);
        HResult::check(call!(self.0.0, NeedsPriorityScheduling(Out::new(&mut yes))))?;
        Ok(yes.as_bool())
    }

    /// The number of critical regions that the task is in (`Thread.BeginCriticalRegion`).
    ///
    /// Locks do not count, because .NET does not report them.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] if the host has no task manager.
    pub fn locks_held(&self) -> Answer<usize> {
        let mut count = 0;
        HResult::check(call!(self.0.0, LocksHeld(Out::new(&mut count))))?;
        Ok(count)
    }

    /// Asks another task than the caller's to let others run.
    ///
    /// At its next crossing, that task calls
    /// [`switch_to_task`](super::HostTaskManager::switch_to_task) of the host.
    ///
    /// # Errors
    /// [`HResult::INVALID_OPERATION`] on the task's own thread. [`HResult::NOT_IMPLEMENTED`] if the
    /// host has no task manager.
    pub fn yield_task(&self) -> Answer {
        HResult::check(call!(self.0.0, YieldTask()))
    }

    /// Asks the CLR to abort what the task runs, and returns at once.
    ///
    /// The task's next crossing throws `COR_E_THREADABORTED`, or its wait ends. A task that loops
    /// is aborted with [`Builder::rude_abort_after`](super::Builder::rude_abort_after).
    /// `docs/hosting.md` says how, and what delays an abort.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] if the task runs no method that the host has called, or if the
    /// host has no task manager.
    pub fn abort(&self) -> Answer {
        HResult::check(call!(self.0.0, Abort()))
    }

    /// Asks for an abort that code which catches it does not end: the task gets the next one, in
    /// `finally` blocks too, until the method that the host has called is over.
    ///
    /// # Errors
    /// As of [`abort`](Self::abort).
    pub fn rude_abort(&self) -> Answer {
        HResult::check(call!(self.0.0, RudeAbort()))
    }

    /// Delays aborts of the task until the matching
    /// [`end_prevent_async_abort`](Self::end_prevent_async_abort). Calls nest.
    ///
    /// # Errors
    /// [`HResult::INVALID_OPERATION`] on another thread than the task's.
    pub fn begin_prevent_async_abort(&self) -> Answer {
        HResult::check(call!(self.0.0, BeginPreventAsyncAbort()))
    }

    /// Ends one delay.
    ///
    /// # Errors
    /// [`HResult::UNEXPECTED`] without a begin. [`HResult::INVALID_OPERATION`] on another thread
    /// than the task's.
    pub fn end_prevent_async_abort(&self) -> Answer {
        HResult::check(call!(self.0.0, EndPreventAsyncAbort()))
    }
}

impl fmt::Debug for ClrTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClrTask({:p})", self.0.0.as_raw())
    }
}

/// The garbage collector: `ICLRGCManager`.
///
/// Its methods run managed code, so they must not be called from methods that the engine calls.
#[derive(Clone)]
pub struct ClrGc(Shared<ICLRGCManager>);

/// What the garbage collector has done, and how much memory it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcStats {
    /// Collections that hosts have asked for.
    pub explicit: usize,
    /// Collections of generations 0, 1 and 2. A collection of a generation counts for those below
    /// it too.
    pub collections: [usize; 3],
    /// Memory that .NET has committed, in KiB.
    pub committed_kib: usize,
    /// Memory in generations 0, 1 and 2 after the last collection, in KiB.
    pub generations_kib: [usize; 3],
    /// Memory of large objects, in KiB.
    pub large_objects_kib: usize,
}

impl ClrGc {
    pub(super) fn new(manager: ICLRGCManager) -> Self {
        Self(Shared(manager))
    }

    /// Collects a generation and those below it, or all with `None`, and returns when that is done.
    ///
    /// # Errors
    /// [`HResult::INVALID_ARGUMENT`] above generation 2.
    pub fn collect(&self, generation: Option<u8>) -> Answer {
        let generation = generation.map_or(-1, i32::from);
        HResult::check(call!(self.0.0, Collect(generation)))
    }

    /// What the collector has done, and how much memory it holds.
    ///
    /// # Errors
    /// [`HResult::CLR_NOT_AVAILABLE`].
    pub fn stats(&self) -> Answer<GcStats> {
        let mut stats = COR_GC_STATS {
            Flags: COR_GC_COUNTS | COR_GC_MEMORYUSAGE,
            ..COR_GC_STATS::default()
        };
        HResult::check(call!(self.0.0, GetStats(InOut::new(&mut stats))))?;
        Ok(GcStats {
            explicit: stats.ExplicitGCCount,
            collections: stats.GenCollectionsTaken,
            committed_kib: stats.CommittedKBytes,
            generations_kib: [
                stats.Gen0HeapSizeKBytes,
                stats.Gen1HeapSizeKBytes,
                stats.Gen2HeapSizeKBytes,
            ],
            large_objects_kib: stats.LargeObjectHeapSizeKBytes,
        })
    }
}

impl fmt::Debug for ClrGc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClrGc")
    }
}
