//! The CLR's half: what hosts may ask it.

#![allow(unsafe_code, reason = "calls through vtables of the engine's objects")]

use std::ffi::c_void;
use std::fmt;
use std::ptr::null_mut;

use soglia_abi::BOOL;
use soglia_abi::hosting::clr_task::{ICLRTask, ICLRTask2, ICLRTaskManager};
use soglia_abi::hosting::gc::{COR_GC_COUNTS, COR_GC_MEMORYUSAGE, COR_GC_STATS, ICLRGCManager};
use soglia_abi::hosting::types::{COR_GC_THREAD_STATS, ETaskType, *};
use windows_core::Interface;

use super::hresult::{Answer, HResult};
use super::object::Shared;

/// The CLR's half of [`HostTaskManager`](super::HostTaskManager): `ICLRTaskManager`.
///
/// Every method answers [`HResult::CLR_NOT_AVAILABLE`] before the runtime runs, and may be called from any thread.
#[derive(Clone)]
pub struct ClrTaskManager(Shared<ICLRTaskManager>);

impl ClrTaskManager {
    /// # Safety
    /// Null, or a live `ICLRTaskManager`.
    pub(super) unsafe fn lent(manager: *mut c_void) -> Option<Self> {
        // SAFETY: by the contract.
        let manager = unsafe { ICLRTaskManager::from_raw_borrowed(&manager) };
        manager.map(|manager| Self(Shared(manager.clone())))
    }

    pub(super) fn new(manager: ICLRTaskManager) -> Self {
        Self(Shared(manager))
    }

    /// The calling thread's task; `None` if the CLR does not know the thread.
    pub fn current_task(&self) -> Option<ClrTask> {
        let mut task = null_mut();
        // SAFETY: a live object, and a place for the answer, which is lent.
        unsafe {
            HResult::check(self.0.0.GetCurrentTask(&raw mut task)).ok()?;
            ClrTask::lent(task)
        }
    }

    /// Makes the calling thread known to the CLR, before it calls managed code for the first time.
    ///
    /// # Errors
    /// [`HResult::INVALID_OPERATION`] if it is known.
    pub fn create_task(&self) -> Answer<ClrTask> {
        let mut task = null_mut();
        // SAFETY: as above.
        unsafe {
            HResult::check(self.0.0.CreateTask(&raw mut task))?;
            ClrTask::lent(task).ok_or(HResult::UNEXPECTED)
        }
    }

    /// Sets the calling thread's `CurrentCulture`. Runs managed code: not from inside a callback.
    ///
    /// # Errors
    /// [`HResult::INVALID_ARGUMENT`] if .NET does not know it, [`HResult::INVALID_OPERATION`] if the CLR does not know the thread.
    pub fn set_locale(&self, lcid: u32) -> Answer {
        // SAFETY: a live object.
        HResult::check(unsafe { self.0.0.SetLocale(lcid) })
    }

    /// Sets the calling thread's `CurrentUICulture`; otherwise as [`set_locale`](Self::set_locale).
    ///
    /// # Errors
    /// As there.
    pub fn set_ui_locale(&self, lcid: u32) -> Answer {
        // SAFETY: a live object.
        HResult::check(unsafe { self.0.0.SetUILocale(lcid) })
    }

    /// What the calling thread is for.
    ///
    /// # Errors
    /// [`HResult::CLR_NOT_AVAILABLE`].
    pub fn current_task_type(&self) -> Answer<TaskType> {
        let mut kind = TT_UNKNOWN;
        // SAFETY: a live object, and a place for the answer.
        HResult::check(unsafe { self.0.0.GetCurrentTaskType(&raw mut kind) })?;
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
    /// Runs a program's code.
    User,
    /// Runs finalizers.
    Finalizer,
    /// The thread pool's timers.
    ThreadpoolTimer,
    /// Minds the thread pool.
    ThreadpoolGate,
    /// Works for the thread pool.
    ThreadpoolWorker,
    /// Waits for the thread pool.
    ThreadpoolWait,
    /// The CLR does not know the thread.
    Unknown,
    /// Another one, by its number.
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

/// The CLR's half of a task, a thread that it knows: `ICLRTask2`.
///
/// What .NET has no way to do answers [`HResult::NOT_IMPLEMENTED`]; `docs/hosting-reference.md` lists what. Switching threads in and out, which
/// it never has, is not here.
#[derive(Clone)]
pub struct ClrTask(Shared<ICLRTask2>);

impl ClrTask {
    /// # Safety
    /// Null, or a live `ICLRTask`.
    pub(super) unsafe fn lent(task: *mut c_void) -> Option<Self> {
        // SAFETY: by the contract.
        let task = unsafe { ICLRTask::from_raw_borrowed(&task) }?;
        task.cast::<ICLRTask2>().ok().map(|task| Self(Shared(task)))
    }

    /// Bytes that the task has allocated. Runs managed code: not from inside a callback.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] on another thread than the task's.
    pub fn allocated(&self) -> Answer<u64> {
        let mut stats = COR_GC_THREAD_STATS::default();
        // SAFETY: a live object, and a place for the answer.
        HResult::check(unsafe { self.0.0.GetMemStats(&raw mut stats) })?;
        Ok(stats.PerThreadAllocation)
    }

    /// Gives the task a number of the host's.
    ///
    /// # Errors
    /// [`HResult::CLR_NOT_AVAILABLE`].
    pub fn set_identifier(&self, identifier: u64) -> Answer {
        // SAFETY: a live object.
        HResult::check(unsafe { self.0.0.SetTaskIdentifier(identifier) })
    }

    /// Whether the task is worth to be scheduled before others: it runs managed code, or is the finalizer.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] without a task manager.
    pub fn needs_priority_scheduling(&self) -> Answer<bool> {
        let mut yes = BOOL(0);
        // SAFETY: a live object, and a place for the answer.
        HResult::check(unsafe { self.0.0.NeedsPriorityScheduling(&raw mut yes) })?;
        Ok(yes.as_bool())
    }

    /// How many critical regions the task is in (`Thread.BeginCriticalRegion`); of locks .NET does not tell.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] if the host has no task manager.
    pub fn locks_held(&self) -> Answer<usize> {
        let mut count = 0;
        // SAFETY: a live object, and a place for the answer.
        HResult::check(unsafe { self.0.0.LocksHeld(&raw mut count) })?;
        Ok(count)
    }

    /// Asks the task, another one than the caller's, to let others run: it calls the task manager's `switch_to_task` at its next crossing.
    ///
    /// # Errors
    /// [`HResult::INVALID_OPERATION`] on the task's own thread, [`HResult::NOT_IMPLEMENTED`] without a task manager.
    pub fn yield_task(&self) -> Answer {
        // SAFETY: a live object.
        HResult::check(unsafe { self.0.0.YieldTask() })
    }

    /// Asks the CLR to abort what the task runs, and does not wait: its next crossing throws
    /// `COR_E_THREADABORTED`, or its wait ends. `docs/hosting.md` tells how, and what holds that back.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`] for a task that runs no method called by the host, and without a task manager.
    pub fn abort(&self) -> Answer {
        // SAFETY: a live object.
        HResult::check(unsafe { self.0.0.Abort() })
    }

    /// The same, without a promise that handlers run.
    ///
    /// # Errors
    /// [`HResult::NOT_IMPLEMENTED`]: .NET has no such way.
    pub fn rude_abort(&self) -> Answer {
        // SAFETY: a live object.
        HResult::check(unsafe { self.0.0.RudeAbort() })
    }

    /// From here to the matching [`end_prevent_async_abort`](Self::end_prevent_async_abort) the task is not aborted. Counts.
    ///
    /// # Errors
    /// [`HResult::INVALID_OPERATION`] on another thread than the task's.
    pub fn begin_prevent_async_abort(&self) -> Answer {
        // SAFETY: a live object.
        HResult::check(unsafe { self.0.0.BeginPreventAsyncAbort() })
    }

    /// Takes one Begin back.
    ///
    /// # Errors
    /// [`HResult::UNEXPECTED`] without a Begin; [`HResult::INVALID_OPERATION`] as above.
    pub fn end_prevent_async_abort(&self) -> Answer {
        // SAFETY: a live object.
        HResult::check(unsafe { self.0.0.EndPreventAsyncAbort() })
    }
}

impl fmt::Debug for ClrTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClrTask({:p})", self.0.0.as_raw())
    }
}

/// The garbage collector: `ICLRGCManager`. Its methods run managed code: not from inside a callback.
#[derive(Clone)]
pub struct ClrGc(Shared<ICLRGCManager>);

/// What the collector has done, and what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcStats {
    /// Collections that hosts have asked for.
    pub explicit: usize,
    /// Collections of generation 0, 1 and 2; those of a higher one count for the lower ones too.
    pub collections: [usize; 3],
    /// KiB of memory that .NET has.
    pub committed_kib: usize,
    /// KiB in generation 0, 1 and 2 after the last collection.
    pub generations_kib: [usize; 3],
    /// KiB of large objects.
    pub large_objects_kib: usize,
}

impl ClrGc {
    pub(super) fn new(manager: ICLRGCManager) -> Self {
        Self(Shared(manager))
    }

    /// Collects that generation and those below it; `None`: all. Waits for it.
    ///
    /// # Errors
    /// [`HResult::INVALID_ARGUMENT`] above generation 2.
    pub fn collect(&self, generation: Option<u8>) -> Answer {
        // SAFETY: a live object.
        HResult::check(unsafe { self.0.0.Collect(generation.map_or(-1, i32::from)) })
    }

    /// What the collector has done, and what it has.
    ///
    /// # Errors
    /// [`HResult::CLR_NOT_AVAILABLE`].
    pub fn stats(&self) -> Answer<GcStats> {
        let mut stats = COR_GC_STATS {
            Flags: COR_GC_COUNTS | COR_GC_MEMORYUSAGE,
            ..COR_GC_STATS::default()
        };
        // SAFETY: a live object, and a place for the answer.
        HResult::check(unsafe { self.0.0.GetStats(&raw mut stats) })?;
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
