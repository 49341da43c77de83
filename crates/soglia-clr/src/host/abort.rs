//! `ICLRTask::Abort`, without aborting threads: the task's next crossing throws, or its wait ends.
//!
//! .NET's own way, `ControlledExecution.Run`, is none on Linux: in 8 and 10, an abort that meets a
//! loop with a call in it ends the process, and one that meets a loop without calls may never come.
//! So an abort is what a refused crossing is, an exception with `COR_E_THREADABORTED` in a place
//! where one can be thrown; and a task that waits gets `Thread.Interrupt`. Whichever comes first,
//! once.
//!
//! What is thrown must not meet native code on its way, which ends the process. So an abort is held
//! back while the task runs managed code that native code has called, and managed code that would
//! begin like that is refused while one is due. All that is one word, so no two threads can differ
//! on who came first:
//!
//! ```text
//!   controlled ── asked for ── due ── thrown
//!                     └─ waits while inside > 0 or prevented > 0
//! ```

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    thread,
    time::Duration,
};

use soglia_abi::{
    HRESULT,
    hosting::policy::{OPR_ThreadAbort, eAbortThread},
    hresult::{COR_E_THREADABORTED, E_NOTIMPL, E_UNEXPECTED},
};

use super::managers;
use crate::clerk;

/// The task runs something that can be aborted.
const CONTROLLED: u64 = 1 << 63;
/// Somebody wants it aborted.
const ASKED: u64 = 1 << 62;
/// And nothing holds it back.
const DUE: u64 = 1 << 61;
/// `BeginPreventAsyncAbort` without its End: as many.
const PREVENTED: u64 = 1 << 32;
const PREVENTIONS: u64 = DUE - PREVENTED;
/// Managed code that native code has called, since the controlled one has begun: as many.
const INSIDE: u64 = PREVENTED - 1;

/// How often a task that is to be aborted is looked at, whether it waits.
const LOOKS: Duration = Duration::from_millis(5);

/// Something that can be aborted, as managed code knows it.
pub trait Execution: Send + Sync {
    /// Whether its thread waits, by .NET or by its host.
    ///
    /// # Errors
    /// Why managed code cannot be asked.
    fn waits(&self) -> Result<bool, HRESULT>;

    /// Ends a wait of its thread, unless it is over; then the host hears of that.
    fn interrupt(&self);
}

/// What runs now.
#[derive(Default)]
struct Current {
    execution: Option<Arc<dyn Execution>>,
    /// There is a thread that ends its waits while it is due.
    wakes: bool,
}

impl Current {
    fn is(&self, execution: &Arc<dyn Execution>) -> bool {
        let own = self.execution.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(own, execution))
    }
}

/// What aborts a task, and what keeps that from happening.
///
/// A host may hold its locks while it calls any of this, so the host is not called in here, and no
/// thread waits for another one: what takes longer is done by a thread of the engine's own.
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

    /// `ICLRTask::Abort`. On any thread; does not wait.
    ///
    /// # Errors
    /// `E_NOTIMPL` if the task runs nothing that can be aborted.
    pub fn ask(self: &Arc<Self>) -> Result<(), HRESULT> {
        let asked = |state| (state & CONTROLLED != 0).then_some(state | ASKED);
        let before = self.state.fetch_update(AcqRel, Acquire, asked);
        before.map_err(|_| E_NOTIMPL)?;
        self.go();
        Ok(())
    }

    /// Lets it come, if it is asked for and nothing holds it back.
    fn go(self: &Arc<Self>) {
        let unattended = {
            let mut current = self.current();
            let free = |state: u64| {
                let now = state & (CONTROLLED | ASKED | DUE | PREVENTIONS | INSIDE);
                (now == CONTROLLED | ASKED).then_some(state | DUE)
            };
            if self.state.fetch_update(AcqRel, Acquire, free).is_err() {
                return;
            }
            let attended = std::mem::replace(&mut current.wakes, true);
            current.execution.clone().filter(|_| !attended)
        };
        if managers::policy_manager().is_some() {
            clerk::thread_for_others(|| managers::takes_action(OPR_ThreadAbort, eAbortThread));
        }
        if let Some(execution) = unattended {
            let (abort, own) = (self.clone(), execution.clone());
            // Without it the abort comes all the same, at the next crossing.
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
                        return;
                    }
                }
                Ok(false) => thread::sleep(LOOKS),
                Err(_) => return self.stop_waking(execution),
            }
        }
    }

    /// Whether an abort of this is due. The thread that asks is done with it if not, or if it is
    /// the one to `take` it now.
    fn shall_wake(&self, execution: &Arc<dyn Execution>, take: bool) -> bool {
        let mut current = self.current();
        if !current.is(execution) {
            return false;
        }
        let due = if take { self.take() } else { self.is_due() };
        current.wakes = due && !take;
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

    /// Whether it is the caller who has to throw now.
    #[cold]
    pub(super) fn take(&self) -> bool {
        let due = |state: u64| (state & DUE != 0).then_some(state & !(ASKED | DUE));
        self.state.fetch_update(AcqRel, Acquire, due).is_ok()
    }

    /// Goes on with an abort that was held back.
    fn go_on(self: &Arc<Self>, state: u64) {
        if state & ASKED != 0 {
            self.go();
        }
    }

    /// On the task's thread, as the others from here on: something begins that can be aborted.
    /// Answers what [`end`](Self::end) wants.
    pub fn begin(&self, execution: Arc<dyn Execution>) -> u64 {
        let mut current = self.current();
        *current = Current {
            execution: Some(execution),
            wakes: false,
        };
        let fresh = |state: u64| Some(state & PREVENTIONS | CONTROLLED);
        let before = self.state.fetch_update(AcqRel, Acquire, fresh);
        before.unwrap_or_else(|state| state) & INSIDE
    }

    /// It has ended.
    pub fn end(&self, inside: u64) {
        let mut current = self.current();
        let outer = |state: u64| Some(state & PREVENTIONS | inside);
        let _ = self.state.fetch_update(AcqRel, Acquire, outer);
        // The caller has another reference: nothing is let go under the lock.
        *current = Current::default();
    }

    pub(super) fn enter(&self) -> Result<(), HRESULT> {
        let one_more = |state: u64| (state & DUE == 0).then_some(state + 1);
        let entered = self.state.fetch_update(AcqRel, Acquire, one_more);
        entered.map(drop).map_err(|_| COR_E_THREADABORTED)
    }

    pub(super) fn leave(self: &Arc<Self>) {
        // What began before the thread had a task was not counted.
        let one_less = |state: u64| (state & INSIDE != 0).then(|| state - 1);
        if let Ok(before) = self.state.fetch_update(AcqRel, Acquire, one_less) {
            self.go_on(before);
        }
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
        let one_less = |state: u64| (state & PREVENTIONS != 0).then(|| state - PREVENTED);
        let before = self.state.fetch_update(AcqRel, Acquire, one_less);
        self.go_on(before.map_err(|_| E_UNEXPECTED)?);
        Ok(())
    }

    pub fn is_controlled(&self) -> bool {
        self.state.load(Acquire) & CONTROLLED != 0
    }
}
