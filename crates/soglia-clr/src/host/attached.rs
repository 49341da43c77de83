//! The task manager of a host that came while the runtime ran, until it goes.
//!
//! The host may leave at any time, and wants its objects back. So threads are counted while they
//! call it ([`visit`], [`Visit::over`]). When it has left, no call begins any more, and the last
//! thread that comes out of one of its methods releases its objects.
//!
//! Each such host has a *session* with a number. What a thread knows of one session does not hold
//! in another one.

use std::{
    ffi::c_void,
    mem::ManuallyDrop,
    ptr::{NonNull, null_mut},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicPtr, AtomicU32, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::{Duration, Instant},
};

use soglia_abi::hosting::host_task::{IHostTask, IHostTaskManager};

use super::fenced;

/// The session of a host that stays until the process ends.
pub const LASTING: u32 = 0;
/// The highest number of a session: it has to fit into the answers of crossings.
pub const MOST: u32 = (1 << 29) - 1;

/// A host's task. Released once: by its thread, or with its manager.
pub struct HostsTask {
    task: ManuallyDrop<IHostTask>,
    gone: AtomicBool,
}

// SAFETY: the hosting API has a host's task called from any thread.
unsafe impl Send for HostsTask {}
// SAFETY: as above; the other field is atomic.
unsafe impl Sync for HostsTask {}

impl HostsTask {
    /// # Safety
    /// `task` is a live `IHostTask`, with a reference for the result.
    pub unsafe fn new(task: *mut c_void) -> Self {
        Self {
            // SAFETY: the caller promises a live object, whose reference keeps it alive.
            task: ManuallyDrop::new(unsafe { fenced::stand_in(task) }),
            gone: AtomicBool::new(false),
        }
    }

    /// The task. Not after [`let_go`](Self::let_go).
    pub fn task(&self) -> &IHostTask {
        &self.task
    }

    fn let_go(&self) {
        if self.gone.swap(true, SeqCst) {
            return;
        }
        // SAFETY: the flag lets one caller through, once, and nothing uses the task after that:
        // threads that do are in a visit, or own this value.
        let task = unsafe { std::ptr::read(&*self.task) };
        // SAFETY: `stand_in` made it, and this value alone had this reference.
        unsafe { fenced::release(task) };
    }
}

impl Drop for HostsTask {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// A manager, with the tasks that its host has given.
struct Guest {
    manager: ManuallyDrop<IHostTaskManager>,
    session: u32,
    tasks: Mutex<Vec<Arc<HostsTask>>>,
}

impl Guest {
    fn tasks(&self) -> MutexGuard<'_, Vec<Arc<HostsTask>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Releases all that is the host's. This runs the host's code.
    fn release(mut self) {
        for task in std::mem::take(&mut *self.tasks()) {
            task.let_go();
        }
        // SAFETY: `self` is not used after this.
        let manager = unsafe { ManuallyDrop::take(&mut self.manager) };
        // SAFETY: `come` has made it by `stand_in`, and no thread is in a visit of it.
        unsafe { fenced::release(manager) };
    }
}

/// The manager of the session that runs.
static NOW: AtomicPtr<Guest> = AtomicPtr::new(null_mut());
static SESSIONS: AtomicU32 = AtomicU32::new(0);

/// Managers whose sessions are over, while threads may be in their methods.
static LEFT: Mutex<Vec<Left>> = Mutex::new(Vec::new());
/// Whether there are any.
static ANY_LEFT: AtomicBool = AtomicBool::new(false);

struct Left {
    /// From a box. Threads in visits have references to it.
    guest: NonNull<Guest>,
    /// The counts that were not 0 so far, as bits.
    inside: u64,
}

// SAFETY: the hosting API has a host's manager called from any thread, and the rest is plain data.
unsafe impl Send for Left {}

/// How many threads are in visits. Each thread has one of these counts, so that few threads share a
/// cache line.
static INSIDE: [Count; COUNTS] = [const { Count(AtomicUsize::new(0)) }; COUNTS];
const COUNTS: usize = u64::BITS as usize;

#[repr(align(64))]
struct Count(AtomicUsize);

/// A task manager that the running thread is about to call.
#[derive(Clone, Copy)]
pub struct Visit {
    /// Not to be used when the visit is over.
    pub manager: &'static IHostTaskManager,
    /// The number of its session.
    pub session: u32,
    place: usize,
}

impl Visit {
    /// A visit of a manager that stays until the process ends.
    #[inline]
    pub const fn lasting(manager: &'static IHostTaskManager) -> Self {
        Self {
            manager,
            session: LASTING,
            place: 0,
        }
    }

    /// The thread does not use the manager any more. No guard does this: a host may end the thread
    /// by unwinding, which has to pass the frames of the engine.
    #[inline]
    pub fn over(self) {
        if self.session != LASTING {
            leave(self.place);
        }
    }
}

fn leave(place: usize) {
    INSIDE[place].0.fetch_sub(1, SeqCst);
    if ANY_LEFT.load(SeqCst) {
        look();
    }
}

/// Whether there is a manager that came later.
#[inline]
pub fn is_there() -> bool {
    !NOW.load(Relaxed).is_null()
}

/// Begins to call the manager that came later, if there is one. `thread` is a number of the running
/// thread.
#[inline]
pub fn visit(thread: usize) -> Option<Visit> {
    let place = thread % COUNTS;
    INSIDE[place].0.fetch_add(1, SeqCst);
    // SAFETY: null or a manager that was there after this thread was counted. Such a manager is
    // freed when its count was 0 after that, so not before `over`.
    match unsafe { NOW.load(SeqCst).as_ref() } {
        Some(guest) => Some(Visit {
            manager: &guest.manager,
            session: guest.session,
            place,
        }),
        None => {
            leave(place);
            None
        }
    }
}

/// The number of the session that runs, if one does.
pub fn session() -> Option<u32> {
    let visit = visit(0)?;
    visit.over();
    Some(visit.session)
}

/// Begins a session with this manager, of which the session gets a reference. There must be none.
///
/// # Safety
/// `manager` is a live `IHostTaskManager`, with a reference for the session.
pub unsafe fn come(manager: *mut c_void) {
    let last = SESSIONS.load(Relaxed);
    let session = if last == MOST { 1 } else { last + 1 };
    SESSIONS.store(session, Relaxed);
    let guest = Box::new(Guest {
        // SAFETY: the caller promises a live object, whose reference keeps it alive.
        manager: ManuallyDrop::new(unsafe { fenced::stand_in(manager) }),
        session,
        tasks: Mutex::default(),
    });
    NOW.store(Box::into_raw(guest), SeqCst);
}

/// Ends the session: no call of its manager begins from here on.
pub fn go() {
    let Some(guest) = NonNull::new(NOW.swap(null_mut(), SeqCst)) else {
        return;
    };
    let inside = u64::MAX;
    lock().push(Left { guest, inside });
    ANY_LEFT.store(true, SeqCst);
    look();
}

fn lock() -> MutexGuard<'static, Vec<Left>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Releases the managers in whose methods no thread is any more.
#[cold]
fn look() {
    let mut left = lock();
    let is_inside = |place: &usize| INSIDE[*place].0.load(SeqCst) > 0;
    let inside = (0..COUNTS)
        .filter(is_inside)
        .fold(0, |all, at| all | 1 << at);
    let mut free = Vec::new();
    let mut stay = Vec::new();
    for mut each in left.drain(..) {
        each.inside &= inside;
        match each.inside {
            // SAFETY: `come` has made it by a box, and no thread has a reference any more.
            0 => free.push(*unsafe { Box::from_raw(each.guest.as_ptr()) }),
            _ => stay.push(each),
        }
    }
    *left = stay;
    ANY_LEFT.store(!left.is_empty(), SeqCst);
    drop(left);
    for guest in free {
        guest.release();
    }
}

/// Waits until no thread is in a method of a host that has left, for so long at most. Returns
/// whether none is.
pub fn all_out(within: Duration) -> bool {
    let until = Instant::now() + within;
    loop {
        look();
        if !ANY_LEFT.load(SeqCst) {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Notes a task that the host of this session has given. In a visit of it.
pub fn keep(of: &Visit, task: &Arc<HostsTask>) {
    // SAFETY: the caller is in a visit, so what is there is not freed.
    let guest = unsafe { NOW.load(SeqCst).as_ref() };
    match guest.filter(|guest| guest.session == of.session) {
        Some(guest) => guest.tasks().push(task.clone()),
        // The host has left meanwhile, and its task has to be released with it.
        None => {
            let left = lock();
            // SAFETY: what is in the list is freed by `look` only, which takes it out before.
            let mut all = left.iter().map(|left| unsafe { left.guest.as_ref() });
            if let Some(own) = all.find(|guest| guest.session == of.session) {
                own.tasks().push(task.clone());
            }
        }
    }
}

/// The thread of a task ends. Releases the task, which runs the host's code, unless that has been
/// done with the manager.
pub fn thread_ended(session: u32, thread: usize, task: Arc<HostsTask>) {
    let Some(visit) = visit(thread) else { return };
    if visit.session == session {
        // SAFETY: this thread is in a visit, so what is there is not freed.
        if let Some(guest) = unsafe { NOW.load(SeqCst).as_ref() } {
            guest.tasks().retain(|own| !Arc::ptr_eq(own, &task));
        }
    }
    drop(task);
    visit.over();
}
