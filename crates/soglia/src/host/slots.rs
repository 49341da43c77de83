//! soglia's own task manager: at most N threads run managed code at a time.

use std::cell::RefCell;
use std::fmt;
use std::num::NonZeroU16;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use soglia_core::admission::{self, Doing, Refusal, Thread, look_at, waiting};

use super::clr::{ClrTaskManager, TaskType};
use super::hresult::{Answer, HResult};
use super::target::Target;
use super::task::{HostTask, HostTaskManager, WaitOptions};

pub use soglia_core::admission::Figures;

/// A task manager that limits how many threads run managed code at a time.
///
/// A task needs a slot to run managed code. It gives the slot back when it calls native code, and
/// waits in line for one when it returns. Callbacks work the other way round.
///
/// Pass it to [`Builder::task_manager`](super::Builder::task_manager), or call its methods from
/// those of your own manager. Clones share the slots, so you can keep one to look at them. The
/// finalizer's thread and threads that manage the thread pool need no slot, nor does a thread
/// before its first crossing. A task that sleeps in managed code, in a lock for instance, lends its
/// slot to others.
///
/// A task that waits longer than the limit gets [`HResult::TIMEOUT`] as an exception. A task that
/// takes the slot of a thread which vanished without ending gets [`HResult::ABANDONED`], once.
///
/// ```no_run
/// use soglia::host::{Host, Slots};
///
/// # fn main() -> Result<(), soglia::host::Error> {
/// let slots = Slots::new(2.try_into().unwrap(), None);
/// let end = slots.clone();
/// let host = Host::builder()
///     .task_manager(slots.clone())
///     .on_clr_disabled(move || end.lift())
///     .start()?;
/// host.run("app.dll", ["--port", "80"])?;
/// println!("{} waits", slots.figures().waits);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Slots(Arc<Shared>);

struct Shared {
    slots: admission::Slots<fn(Thread) -> Doing>,
    clr: OnceLock<ClrTaskManager>,
}

/// One thread's part.
struct Task {
    of: Slots,
    /// Only its own thread uses it. If it is locked, a signal handler has interrupted that use.
    task: Mutex<admission::Holder>,
    /// An alert has come, during its sleep or before it.
    alerted: Mutex<bool>,
    alert: Condvar,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Task>>> = const { RefCell::new(None) };
}

impl HostTask for Task {
    fn alert(&self) -> Answer {
        *self.alerted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.alert.notify_all();
        Ok(())
    }
}

impl Task {
    /// Sleeps that long, for ever with `None`.
    fn sleep(&self, time: Option<Duration>) -> Answer {
        let mut alerted = self.alerted.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        while !*alerted {
            let left = time.map(|time| time.saturating_sub(begun.elapsed()));
            alerted = match left {
                Some(Duration::ZERO) => return Ok(()),
                Some(left) => {
                    let woken = self.alert.wait_timeout(alerted, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let woken = self.alert.wait(alerted);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
        *alerted = false;
        Err(HResult::INTERRUPTED)
    }
}

impl Drop for Task {
    // Its thread has ended.
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.of.0.slots.end(task);
    }
}

impl Slots {
    /// `count` slots. A task waits for one at most `limit`, or until it gets one with `None`.
    pub fn new(count: NonZeroU16, limit: Option<Duration>) -> Self {
        Self(Arc::new(Shared {
            slots: admission::Slots::new(count, limit, look_at),
            clr: OnceLock::new(),
        }))
    }

    /// The number of slots that are free.
    pub fn free(&self) -> usize {
        self.0.slots.free()
    }

    /// The number of tasks that wait for a slot.
    pub fn waiting(&self) -> usize {
        self.0.slots.waiting()
    }

    /// Counts and times of waits so far.
    pub fn figures(&self) -> Figures {
        self.0.slots.figures()
    }

    /// Removes the limit for good, so that waiting tasks go on.
    ///
    /// Call it when the program ends: code that runs then must not wait for tasks that run no more.
    pub fn lift(&self) {
        self.0.slots.lift();
    }

    /// Runs `act` with the calling thread's task.
    ///
    /// Returns `Ok` for a thread without one: a thread that has ended except for this code.
    fn with(
        &self,
        act: impl FnOnce(
            &admission::Slots<fn(Thread) -> Doing>,
            &mut admission::Holder,
        ) -> Result<(), Refusal>,
    ) -> Answer {
        let current = CURRENT.try_with(|current| current.try_borrow().ok()?.clone());
        let Ok(Some(current)) = current else {
            return Ok(());
        };
        let mut task = match current.task.try_lock() {
            Ok(task) => task,
            Err(TryLockError::Poisoned(task)) => task.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        act(&self.0.slots, &mut task).map_err(|refusal| match refusal {
            Refusal::TimedOut => HResult::TIMEOUT,
            Refusal::NotOwner => HResult::NOT_OWNER,
            Refusal::Abandoned => HResult::ABANDONED,
            Refusal::Unexpected => HResult::UNEXPECTED,
        })
    }

    /// Whether the calling thread is one of the runtime's own. Other tasks must not wait for those.
    fn is_of_runtime(&self) -> bool {
        let kind = self.0.clr.get().map(ClrTaskManager::current_task_type);
        matches!(
            kind,
            Some(Ok(TaskType::Finalizer
                | TaskType::ThreadpoolGate
                | TaskType::ThreadpoolTimer
                | TaskType::ThreadpoolWait))
        )
    }
}

impl HostTaskManager for Slots {
    fn current_task(&self) -> Option<Arc<dyn HostTask>> {
        let task = if self.is_of_runtime() {
            admission::Holder::exempt()
        } else {
            admission::Holder::new(Thread::current())
        };
        let task = Arc::new(Task {
            of: self.clone(),
            task: Mutex::new(task),
            alerted: Mutex::default(),
            alert: Condvar::new(),
        });
        let before = CURRENT.try_with(|current| current.replace(Some(task.clone())));
        drop(before);
        Some(task)
    }

    fn leave_runtime(&self, _target: Target) -> Answer {
        self.with(admission::Slots::leave)
    }

    fn enter_runtime(&self) -> Answer {
        self.with(admission::Slots::enter)
    }

    fn reverse_enter_runtime(&self) -> Answer {
        self.with(admission::Slots::reverse_enter)
    }

    fn reverse_leave_runtime(&self) -> Answer {
        self.with(admission::Slots::reverse_leave)
    }

    /// If others wait for a slot, the task gives its own back and sleeps here.
    fn sleep(&self, time: Option<Duration>, _options: WaitOptions) -> Answer {
        if time == Some(Duration::ZERO) {
            self.switch_to_task();
            return Err(HResult::NOT_IMPLEMENTED);
        }
        let current = CURRENT.try_with(|current| current.try_borrow().ok()?.clone());
        let (Ok(Some(current)), true) = (current, waiting().load(Relaxed) != 0) else {
            return Err(HResult::NOT_IMPLEMENTED);
        };
        self.with(|slots, task| {
            slots.rest(task);
            Ok(())
        })?;
        let slept = current.sleep(time);
        self.with(|slots, task| {
            slots.wake(task);
            Ok(())
        })?;
        slept
    }

    fn switch_to_task(&self) -> bool {
        let mut gave = false;
        let _ = self.with(|slots, task| {
            gave = slots.give_way(task);
            Ok(())
        });
        gave
    }

    fn begin_delay_abort(&self) -> Answer {
        self.with(|_, task| task.begin_delay_abort())
    }

    fn end_delay_abort(&self) -> Answer {
        self.with(|_, task| task.end_delay_abort())
    }

    fn begin_thread_affinity(&self) -> Answer {
        self.with(|_, task| {
            task.begin_thread_affinity();
            Ok(())
        })
    }

    fn end_thread_affinity(&self) -> Answer {
        self.with(|_, task| task.end_thread_affinity())
    }

    fn set_clr_task_manager(&self, manager: ClrTaskManager) {
        let _ = self.0.clr.set(manager);
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots")
            .field("free", &self.free())
            .field("waiting", &self.waiting())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const TARGET: Target = Target::new(1);

    /// Runs `body` on a thread of its own, with a task, as the CLR does.
    fn on_a_task<T: Send>(slots: &Slots, body: impl FnOnce() -> T + Send) -> T {
        let run = || {
            let task = slots.current_task();
            let result = body();
            // The CLR releases it at the thread's end.
            drop(task);
            result
        };
        thread::scope(|scope| scope.spawn(run).join().unwrap())
    }

    #[test]
    fn a_slot_is_given_and_taken() {
        let slots = Slots::new(1.try_into().unwrap(), Some(Duration::ZERO));
        on_a_task(&slots, || {
            assert_eq!(slots.leave_runtime(TARGET), Ok(()));
            assert_eq!((slots.enter_runtime(), slots.free()), (Ok(()), 0));
            let other = on_a_task(&slots, || {
                (slots.leave_runtime(TARGET), slots.enter_runtime())
            });
            assert_eq!(other, (Ok(()), Err(HResult::TIMEOUT)));
            assert_eq!((slots.leave_runtime(TARGET), slots.free()), (Ok(()), 1));
            assert_eq!(slots.leave_runtime(TARGET), Err(HResult::NOT_OWNER));
            assert_eq!((slots.reverse_enter_runtime(), slots.free()), (Ok(()), 0));
            assert_eq!((slots.reverse_leave_runtime(), slots.free()), (Ok(()), 1));
            assert_eq!(slots.enter_runtime(), Ok(()));
            assert_eq!(slots.end_thread_affinity(), Err(HResult::UNEXPECTED));
            assert_eq!(slots.begin_thread_affinity(), Ok(()));
            assert_eq!(slots.end_thread_affinity(), Ok(()));
        });
        assert_eq!(slots.free(), 1, "a thread that ends gives its slot back");
        assert_eq!(slots.figures().timed_out, 1);
        // A thread that the CLR has not asked about has no task.
        assert_eq!(slots.enter_runtime(), Ok(()));
        assert_eq!(slots.free(), 1);
    }

    /// `longjmp` leaves callbacks open. The thread has ended all the same.
    #[test]
    fn a_thread_that_ends_with_a_callback_open_has_ended() {
        let slots = Slots::new(1.try_into().unwrap(), Some(Duration::ZERO));
        on_a_task(&slots, || assert_eq!(slots.reverse_enter_runtime(), Ok(())));
        let enter = || {
            on_a_task(&slots, || {
                (slots.leave_runtime(TARGET), slots.enter_runtime())
            })
        };
        assert_eq!(enter(), (Ok(()), Ok(())));
    }

    #[test]
    fn who_waits_goes_on_when_the_bound_is_lifted() {
        let slots = Slots::new(1.try_into().unwrap(), None);
        on_a_task(&slots, || {
            assert_eq!(slots.reverse_enter_runtime(), Ok(()));
            slots.lift();
            let other = on_a_task(&slots, || slots.reverse_enter_runtime());
            assert_eq!(other, Ok(()));
        });
    }

    /// A task polls for what another task does, which needs its slot. It yields or sleeps, and an
    /// alert wakes it.
    #[test]
    fn a_task_that_looks_gives_way() {
        let slots = Slots::new(1.try_into().unwrap(), None);
        on_a_task(&slots, || {
            let options = WaitOptions::default();
            assert_eq!(slots.reverse_enter_runtime(), Ok(()));
            assert!(!slots.switch_to_task());
            for ways in 0..3 {
                thread::scope(|scope| {
                    let other = scope.spawn(|| {
                        on_a_task(&slots, || {
                            (slots.reverse_enter_runtime(), slots.reverse_leave_runtime())
                        })
                    });
                    while slots.waiting() == 0 {
                        thread::yield_now();
                    }
                    let own = CURRENT.with_borrow(Clone::clone).unwrap();
                    match ways {
                        0 => assert!(slots.switch_to_task()),
                        1 => {
                            assert_eq!(slots.sleep(Some(Duration::from_millis(1)), options), Ok(()))
                        }
                        _ => {
                            assert_eq!(own.alert(), Ok(()));
                            assert_eq!(slots.sleep(None, options), Err(HResult::INTERRUPTED));
                        }
                    }
                    assert_eq!(other.join().unwrap(), (Ok(()), Ok(())));
                });
                assert_eq!(slots.free(), 0, "it has a slot again");
            }
            assert_eq!(slots.reverse_leave_runtime(), Ok(()));
        });
    }
}
