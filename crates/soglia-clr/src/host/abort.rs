//! `ICLRTask::Abort` and `RudeAbort`, without aborting threads: the task's next crossing or poll
//! throws, or its wait ends.
//!
//! .NET's own way, `ControlledExecution.Run`, does not work on Linux. In .NET 8 and 10, an abort
//! that meets a loop with a call in it ends the process, and one that meets a loop without calls
//! may never come. So the engine aborts a task in two ways, and stops at the first that works. The
//! next crossing throws an exception with `COR_E_THREADABORTED`, in a place where one can be
//! thrown. A task that waits gets `Thread.Interrupt`.
//!
//! The exception must not meet native code on its way, which would end the process. So the engine
//! holds an abort back while the task runs managed code that native code has called. While an abort
//! is due, it denies managed code that would begin like that. The state is one word, so that all
//! threads agree on the order:
//!
//! ```text
//!   controlled ── asked for ── due ── thrown
//!                     └─ waits while inside > 0, prevented > 0 or building > 0
//! ```
//!
//! A rude abort stays due until the run is over, so that code which catches the exception gets the
//! next one. Where a host wants loops to be aborted, they poll ([`super::polls`]).

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    thread,
    time::{Duration, Instant},
};

use soglia_abi::{
    HRESULT,
    hosting::policy::{
        OPR_ThreadAbort, OPR_ThreadRudeAbortInNonCriticalRegion, eAbortThread, eRudeAbortThread,
    },
    hresult::{COR_E_THREADABORTED, E_NOTIMPL, E_UNEXPECTED},
};

use super::{escalation, managers, polls};
use crate::clerk;

/// The task runs something that can be aborted.
const CONTROLLED: u64 = 1 << 63;
/// The host has asked for an abort.
const ASKED: u64 = 1 << 62;
/// Nothing holds the abort back.
const DUE: u64 = 1 << 61;
/// The abort stays due until the run is over.
const RUDE: u64 = 1 << 60;
/// How many constructors of types run, which an abort would leave unusable.
const BUILDING: u64 = 1 << 48;
const BUILT: u64 = RUDE - BUILDING;
/// How many `BeginPreventAsyncAbort` are without their End.
const PREVENTED: u64 = 1 << 32;
const PREVENTIONS: u64 = BUILDING - PREVENTED;
/// How many calls of managed code by native code are open since the controlled code has begun.
const INSIDE: u64 = PREVENTED - 1;

/// How often the engine looks whether a task that is to be aborted waits.
const LOOKS: Duration = Duration::from_millis(5);

/// A run of managed code that can be aborted.
pub trait Execution: Send + Sync {
    /// Whether its thread waits, by .NET or by its host.
    ///
    /// # Errors
    /// Why managed code cannot be asked.
    fn waits(&self) -> Result<bool, HRESULT>;

    /// Ends a wait of its thread, unless the run is over. The host is notified then.
    fn interrupt(&self);

    /// Whether its thread is in a critical region.
    fn is_critical(&self) -> bool;
}

/// The present run.
#[derive(Default)]
struct Current {
    execution: Option<Arc<dyn Execution>>,
    /// Whether a thread ends its waits while the abort is due.
    wakes: bool,
    /// Whether a thread looks how long the abort takes.
    escalates: bool,
}

impl Current {
    fn is(&self, execution: &Arc<dyn Execution>) -> bool {
        let own = self.execution.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(own, execution))
    }
}

/// Aborts a task, or holds the abort back.
///
/// A host may hold its locks while it calls any of this. So nothing here calls the host, and no
/// thread waits for another one: a thread of the engine does what takes longer.
#[derive(Default)]
pub struct Abort {
    state: AtomicU64,
    /// Locked where the state gets or loses [`CONTROLLED`], and gets [`DUE`]. The thread that holds
    /// this lock calls neither the host nor the runtime.
    current: Mutex<Current>,
}

impl Abort {
    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `ICLRTask::Abort`, or `RudeAbort` if it is `rude`. On any thread; does not wait.
    ///
    /// # Errors
    /// `E_NOTIMPL` if the task runs nothing that can be aborted.
    pub fn ask(self: &Arc<Self>, rude: bool) -> Result<(), HRESULT> {
        let action = escalation::action(rude);
        let rude = rude || action != eAbortThread;
        let how = ASKED | if rude { RUDE } else { 0 };
        let asked = |state| (state & CONTROLLED != 0).then_some(state | how);
        self.change(asked).map_err(|_| E_NOTIMPL)?;
        if escalation::EXITS.contains(&action) {
            clerk::thread_for_others(move || {
                managers::takes_action(OPR_ThreadAbort, action);
                escalation::exit(action, false);
            });
            return Ok(());
        }
        self.go();
        if escalation::follows() {
            self.escalate();
        }
        Ok(())
    }

    /// Has a thread look how long the abort takes, if none does so yet.
    fn escalate(self: &Arc<Self>) {
        let execution = {
            let mut current = self.current();
            let attended = std::mem::replace(&mut current.escalates, true);
            current.execution.clone().filter(|_| !attended)
        };
        if let Some(execution) = execution {
            let abort = self.clone();
            clerk::thread_for_others(move || abort.follow(&execution));
        }
    }

    /// On a thread of its own: does what the host wished for an abort that takes long.
    fn follow(self: &Arc<Self>, execution: &Arc<dyn Execution>) {
        let (mut rude, mut since) = (self.is_rude(), Instant::now());
        while self.current().is(execution) {
            let now = self.is_rude();
            if now != rude {
                (rude, since) = (now, Instant::now());
            }
            let limit = escalation::limit(rude, execution.is_critical());
            match limit {
                Some((operation, limit, action)) if since.elapsed() >= limit => {
                    escalation::time_out(operation, action);
                    if rude || self.ask(true).is_err() {
                        return;
                    }
                }
                None if rude => return,
                _ => thread::sleep(LOOKS),
            }
        }
    }

    /// Changes the state, and has threads poll while the abort is due. Returns the state before.
    fn change(&self, mut change: impl FnMut(u64) -> Option<u64>) -> Result<u64, u64> {
        let mut after = 0;
        let before = self.state.fetch_update(AcqRel, Acquire, |state| {
            after = change(state)?;
            Some(after)
        })?;
        match (before & DUE != 0, after & DUE != 0) {
            (false, true) => polls::want(),
            (true, false) => polls::unwant(),
            _ => {}
        }
        Ok(before)
    }

    /// Makes the abort due, if it is asked for and nothing holds it back.
    fn go(self: &Arc<Self>) {
        let unattended = {
            let mut current = self.current();
            let free = |state: u64| {
                let building = if state & RUDE != 0 { 0 } else { BUILT };
                let now = state & (CONTROLLED | ASKED | DUE | PREVENTIONS | INSIDE | building);
                (now == CONTROLLED | ASKED).then_some(state | DUE)
            };
            if self.change(free).is_err() {
                return;
            }
            let attended = std::mem::replace(&mut current.wakes, true);
            current.execution.clone().filter(|_| !attended)
        };
        if managers::policy_manager().is_some() {
            let (operation, action) = match self.is_rude() {
                true => (OPR_ThreadRudeAbortInNonCriticalRegion, eRudeAbortThread),
                false => (OPR_ThreadAbort, eAbortThread),
            };
            clerk::thread_for_others(move || managers::takes_action(operation, action));
        }
        if let Some(execution) = unattended {
            let (abort, own) = (self.clone(), execution.clone());
            // Without that thread, the abort still comes at the next crossing.
            if !clerk::thread_for_others(move || abort.wake(&own)) {
                self.stop_waking(&execution);
            }
        }
    }

    /// On a thread of its own: ends a wait of the task, unless a crossing has thrown before.
    fn wake(&self, execution: &Arc<dyn Execution>) {
        while self.shall_wake(execution, false) {
            match execution.waits() {
                Ok(true) => {
                    if self.shall_wake(execution, true) {
                        execution.interrupt();
                        if !self.is_rude() {
                            return;
                        }
                        thread::sleep(LOOKS);
                    }
                }
                Ok(false) => thread::sleep(LOOKS),
                Err(_) => return self.stop_waking(execution),
            }
        }
    }

    /// Whether an abort of this run is due. If not, or if the caller may `take` it now, the caller
    /// has no more to do.
    fn shall_wake(&self, execution: &Arc<dyn Execution>, take: bool) -> bool {
        let mut current = self.current();
        if !current.is(execution) {
            return false;
        }
        let due = if take { self.take() } else { self.is_due() };
        current.wakes = due && (!take || self.is_rude());
        due
    }

    fn stop_waking(&self, execution: &Arc<dyn Execution>) {
        let mut current = self.current();
        if current.is(execution) {
            current.wakes = false;
        }
    }

    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.state.load(Relaxed) & DUE != 0
    }

    /// Whether the abort stays due until the run is over.
    #[inline]
    pub(super) fn is_rude(&self) -> bool {
        self.state.load(Relaxed) & RUDE != 0
    }

    /// Whether the caller has to throw now.
    #[cold]
    pub(super) fn take(&self) -> bool {
        let due = |state: u64| {
            let taken = if state & RUDE != 0 { 0 } else { ASKED | DUE };
            (state & DUE != 0).then_some(state & !taken)
        };
        self.change(due).is_ok()
    }

    /// Continues an abort that was held back.
    fn go_on(self: &Arc<Self>, state: u64) {
        if state & ASKED != 0 {
            self.go();
        }
    }

    /// Notes that a run begins that can be aborted. Returns what [`end`](Self::end) needs. On the
    /// task's thread, as the methods below.
    pub fn begin(&self, execution: Arc<dyn Execution>) -> u64 {
        let mut current = self.current();
        *current = Current {
            execution: Some(execution),
            ..Current::default()
        };
        let fresh = |state: u64| Some(state & (PREVENTIONS | BUILT) | CONTROLLED);
        self.change(fresh).unwrap_or_else(|state| state) & INSIDE
    }

    /// Notes that the run has ended.
    pub fn end(&self, inside: u64) {
        let mut current = self.current();
        let outer = |state: u64| Some(state & (PREVENTIONS | BUILT) | inside);
        let _ = self.change(outer);
        // The caller has another reference, so nothing is dropped under the lock.
        *current = Current::default();
    }

    pub(super) fn enter(&self) -> Result<(), HRESULT> {
        let one_more = |state: u64| (state & DUE == 0).then_some(state + 1);
        let entered = self.state.fetch_update(AcqRel, Acquire, one_more);
        entered.map(drop).map_err(|_| COR_E_THREADABORTED)
    }

    pub(super) fn leave(self: &Arc<Self>) {
        // Calls that began before the thread had a task were not counted.
        let _ = self.one_less(1, INSIDE);
    }

    /// Counts one less of what holds the abort back, and continues it. `Err`: none was counted.
    fn one_less(self: &Arc<Self>, one: u64, all: u64) -> Result<(), ()> {
        let one_less = |state: u64| (state & all != 0).then(|| state - one);
        let before = self.state.fetch_update(AcqRel, Acquire, one_less);
        self.go_on(before.map_err(drop)?);
        Ok(())
    }

    /// `BeginPreventAsyncAbort`.
    pub fn prevent(&self) {
        self.state.fetch_add(PREVENTED, AcqRel);
    }

    /// `EndPreventAsyncAbort`.
    ///
    /// # Errors
    /// `E_UNEXPECTED` without its Begin.
    pub fn allow(self: &Arc<Self>) -> Result<(), HRESULT> {
        self.one_less(PREVENTED, PREVENTIONS)
            .map_err(|()| E_UNEXPECTED)
    }

    /// A constructor of a type begins.
    pub(super) fn build(&self) {
        let one_more = |state: u64| (state & BUILT != BUILT).then(|| state + BUILDING);
        let _ = self.state.fetch_update(AcqRel, Acquire, one_more);
    }

    /// It has ended.
    pub(super) fn built(self: &Arc<Self>) {
        let _ = self.one_less(BUILDING, BUILT);
    }

    pub fn is_controlled(&self) -> bool {
        self.state.load(Acquire) & CONTROLLED != 0
    }
}
