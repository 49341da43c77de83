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
    cell::Cell,
    collections::BTreeMap,
    ffi::c_void,
    ptr::{null, null_mut},
    sync::{
        Arc, Mutex, Once, PoisonError,
        atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::Relaxed},
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
    host::{
        attached::{self, HostsTask, LASTING, Visit},
        failure::heed,
        managers, task,
    },
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
    /// The host's task.
    task: Arc<HostsTask>,
    /// `Thread.Interrupt` was called for it, or may have been before it was listed, and it has not
    /// checked since.
    pub(super) interrupted: AtomicBool,
    /// It waits in a method of the host, which .NET does not know.
    pub(super) waits: AtomicBool,
    /// The number that managed code has for it; 0: unknown.
    pub(super) number: AtomicI32,
    /// The number that the system has for it.
    os: u32,
}

impl Known {
    /// The host's task.
    pub(super) fn task(&self) -> &IHostTask {
        self.task.task()
    }
}

/// The thread with this CLR number, if it has a task and has not ended.
pub(super) fn known(id: usize) -> Option<Arc<Known>> {
    boundary::fence(None, || {
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&id).cloned()
    })
}

/// The thread with this managed number, or the negative number that the system has for it, if it is
/// known, has a task and has not ended.
pub(super) fn known_by_number(number: i32) -> Option<Arc<Known>> {
    if number == 0 {
        return None;
    }
    boundary::fence(None, || {
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = known.values();
        let is_it = |known: &&Arc<Known>| match u32::try_from(-i64::from(number)) {
            Ok(os) => known.os == os,
            Err(_managed) => known.number.load(Relaxed) == number,
        };
        all.find(is_it).cloned()
    })
}

/// A thread. Only the thread itself uses it. A host that is called may lead here again, so nothing
/// stays borrowed during a call.
pub(super) struct Thread {
    /// The session that all this is about.
    session: Cell<u32>,
    /// From an `Arc`, once the host has given a task in this session; null before.
    known: Cell<*const Known>,
    /// The task for which the host runs the thread, until it is asked for.
    given: Cell<Option<Arc<HostsTask>>>,
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
    static PREPARE: Once = Once::new();
    PREPARE.call_once(|| AT_END.prepare(at_end));
}

/// The running thread, and the host to notify of its crossings. The visit has to be ended.
#[inline]
pub(super) fn here() -> Option<(Visit, &'static Thread)> {
    if let Some(manager) = managers::task_manager() {
        return Some((Visit::lasting(manager), current()?));
    }
    if !attached::is_there() {
        return None;
    }
    let thread = current()?;
    let visit = attached::visit(thread.number())?;
    if !thread.is_in(&visit) {
        thread.begin(visit.session);
    }
    Some((visit, thread))
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
            session: Cell::new(LASTING),
            known: Cell::new(null()),
            given: Cell::default(),
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

/// Does now what is done at the end of the thread: it is a task no more, and may become another.
pub(super) fn over() {
    let thread = local::get();
    AT_END.ask(null_mut::<Thread>());
    if !thread.is_null() {
        // SAFETY: `make` made it for this thread, whose end no longer passes it.
        unsafe { at_end(thread.cast()) };
    }
}

/// Runs at the end of each thread that has crossed, and again if it crosses after that.
unsafe extern "C" fn at_end(thread: *mut c_void) {
    boundary::fence((), || {
        local::set(null_mut());
        // SAFETY: `make` made it with `Box`, and the C library passes it here once.
        let thread = unsafe { Box::from_raw(thread.cast::<Thread>()) };
        if let Some(known) = thread.take_known() {
            let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            // The CLR may already have given the number to another thread.
            let id = thread.id.get();
            let own = match all.get(&id).is_some_and(|there| Arc::ptr_eq(there, &known)) {
                true => all.remove(&id),
                false => None,
            };
            drop(all);
            // These release the task, which runs the host's code, so nothing is locked here.
            drop(own);
            if thread.session.get() == LASTING {
                drop(known);
            } else {
                let task = known.task.clone();
                drop(known);
                attached::thread_ended(thread.session.get(), thread.number(), task);
            }
        }
        thread.delay_abort(false);
    });
}

impl Thread {
    /// A number of the thread, for counts that it shares with few others.
    fn number(&self) -> usize {
        std::ptr::from_ref(self).addr() >> 6
    }

    /// Whether what is known of the thread is about this session.
    #[inline]
    pub(super) fn is_in(&self, host: &Visit) -> bool {
        self.session.get() == host.session
    }

    /// Takes away what the thread has of the host's task.
    fn take_known(&self) -> Option<Arc<Known>> {
        let known = self.known.replace(null());
        // SAFETY: not null, so `task_of_host` has put it there by `into_raw`. It was taken out.
        (!known.is_null()).then(|| unsafe { Arc::from_raw(known) })
    }

    /// Forgets what was of another session: calls that are open are not those of this host.
    #[cold]
    fn begin(&self, session: u32) {
        boundary::fence((), || {
            // The session that gave the task releases it, or has released it.
            drop(self.take_known());
            self.session.set(session);
            self.paired.set(false);
            self.id.set(0);
            self.outside.set(0);
            self.refused.set(S_OK);
            self.behind.set(0);
            drop(self.pending.take());
        });
    }

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
    pub(super) fn has_task(&self, host: &Visit) -> Result<bool, HRESULT> {
        if self.paired.get() {
            Ok(true)
        } else {
            self.ask(host)
        }
    }

    /// The part that other threads may use, whatever the answer of the `SetCLRTask` of a host that
    /// came before the runtime ran.
    pub(super) fn known(&self) -> Option<&Known> {
        match self.has_task(&Visit::lasting(managers::task_manager()?)) {
            Ok(true) => self.own(),
            _ => None,
        }
    }

    /// The part that other threads may use, if the host has given a task.
    fn own(&self) -> Option<&Known> {
        // SAFETY: null, or from an `Arc` of this thread's. Only another session and the end of the
        // thread take it away. No caller uses it after it has called a host of a session that ends.
        unsafe { self.known.get().as_ref() }
    }

    /// Calls the host outside the fence, since it may end the thread.
    #[cold]
    fn ask(&self, host: &Visit) -> Result<bool, HRESULT> {
        let Some(known) = self.own().or_else(|| self.task_of_host(host)) else {
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
        // SAFETY: the task is alive during the visit, and the CLR's task is this thread's, which
        // lives at least as long as the thread.
        heed(unsafe { known.task().SetCLRTask(Lent::from_raw(of_clr)) })
            .ok()
            .map_err(|e| e.code())?;
        // The host may have left meanwhile, and another one come.
        self.paired.set(self.is_in(host));
        if host.session == LASTING {
            self.list();
        }
        Ok(true)
    }

    fn task_of_host(&self, host: &Visit) -> Option<&Known> {
        let given = self.given.take().filter(|_| host.session == LASTING);
        let task = given.or_else(|| current_task(host))?;
        boundary::fence((), || {
            let known = Arc::new(Known {
                task,
                interrupted: AtomicBool::new(true),
                waits: AtomicBool::new(false),
                number: AtomicI32::new(0),
                os: tls::os_thread(),
            });
            // If the host led here again meanwhile, this task is released.
            if self.known.get().is_null() {
                if host.session != LASTING {
                    attached::keep(host, &known.task);
                }
                self.known.set(Arc::into_raw(known));
            }
        });
        self.own()
    }

    fn list(&self) {
        let known = self.known.get();
        boundary::fence((), || {
            let Some(id) = number().filter(|_| !known.is_null()) else {
                return;
            };
            // SAFETY: it comes from an `Arc` that this thread keeps.
            let known = unsafe {
                Arc::increment_strong_count(known);
                Arc::from_raw(known)
            };
            self.id.set(id);
            let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            let before = all.insert(id, known);
            drop(all);
            // This may be the last holder of its task, whose release runs the host's code.
            drop(before);
        });
    }
}

/// The host's answer to `GetCurrentTask`.
fn current_task(host: &Visit) -> Option<Arc<HostsTask>> {
    let mut task = null_mut();
    // The result does not matter, only whether the host has stored a task.
    // SAFETY: the host's manager is alive during the visit.
    let _ = heed(unsafe { host.manager.GetCurrentTask(Out::new(&mut task)) });
    if task.is_null() {
        return None;
    }
    // SAFETY: the host gave this task with a reference.
    boundary::fence(None, || Some(Arc::new(unsafe { HostsTask::new(task) })))
}

/// Notes for which task the host runs this thread.
pub(super) fn give(task: Arc<HostsTask>) {
    if let Some(thread) = current() {
        thread.given.set(Some(task));
    }
}

/// The CLR's number of the running thread, if the CLR knows the thread.
pub(super) fn number() -> Option<usize> {
    let mut id = ThreadId::NULL;
    // SAFETY: the pointer is to a local. The CLR answers this question on any thread.
    let answer = unsafe { engine::get()?.info.GetCurrentThreadID(&raw mut id) };
    answer.is_ok().then_some(id.0)
}
