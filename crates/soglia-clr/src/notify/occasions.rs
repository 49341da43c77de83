//! What a thread does besides crossing that its host is notified of: it sleeps, waits for another
//! thread, changes its culture.
//!
//! Some methods of CoreLib ask here first ([`crate::weave`]), in preemptive mode, so that the host
//! may block. A host leaves the work to .NET by any answer that its document does not call a
//! success, for instance `E_NOTIMPL`.

use std::{
    mem::offset_of,
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicU32,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Instant,
};

use soglia_abi::{
    HRESULT,
    hosting::{
        host_task::IHostTaskManager,
        types::{
            INFINITE, THREAD_PRIORITY_ERROR_RETURN, THREAD_PRIORITY_HIGHEST,
            THREAD_PRIORITY_LOWEST, WAIT_ALERTABLE, WAIT_NOTINDEADLOCK,
        },
    },
    hresult::{E_INVALIDARG, E_NOTIMPL, HOST_E_INTERRUPTED, HOST_E_TIMEOUT, S_OK},
    param::Out,
};

use super::thread::{self, Known, Thread};
use crate::{
    boundary::keeping_errno,
    clerk,
    host::{failure::heed, managers},
    slots,
};

/// The words of a question, in which CoreLib also finds the answer. A question fills only the
/// fields that it needs.
#[repr(C)]
pub struct Words {
    /// The CLR's number of the thread that the question is about.
    thread: usize,
    /// Milliseconds, a priority, or an LCID.
    value: isize,
    /// When a wait that is asked about again was to end, in nanoseconds of this process; 0 the
    /// first time.
    until: u64,
    /// What CoreLib shall do now.
    verdict: isize,
    /// The managed number of a thread that begins; 0: unknown.
    number: isize,
}

impl Words {
    /// The size in bytes, and the offsets of the fields.
    pub const SIZE: i32 = size_of::<Self>() as i32;
    pub const THREAD: i32 = offset_of!(Self, thread) as i32;
    pub const VALUE: i32 = offset_of!(Self, value) as i32;
    pub const UNTIL: i32 = offset_of!(Self, until) as i32;
    pub const VERDICT: i32 = offset_of!(Self, verdict) as i32;
    pub const NUMBER: i32 = offset_of!(Self, number) as i32;

    /// The rest of a wait, in milliseconds.
    fn left(&self) -> isize {
        let left = self.until.saturating_sub(now()).div_ceil(1_000_000);
        if left > 0 { left as isize } else { OVER }
    }
}

/// A verdict: .NET does the work itself, as without a host.
const OWN: isize = 0;
/// A verdict: the host has done it.
const DONE: isize = 1;
/// A verdict: the host has done it, and the time was over.
pub const NOT_DONE: isize = 2;
/// A verdict: .NET checks whether the thread was interrupted, and asks again if not.
pub const LOOK: isize = 3;

/// Marks a wait that was interrupted when its time was over. .NET never asks for this time.
const OVER: isize = isize::MIN;

/// .NET counts priorities from 0 to 4, the hosting API from -2 to 2.
const NORMAL: isize = 2;
const HIGHEST: isize = 4;

/// The host, and the running thread.
fn here() -> Option<(&'static IHostTaskManager, &'static Thread)> {
    Some((managers::task_manager()?, thread::current()?))
}

/// The same, if the thread has a task.
fn task() -> Option<(&'static IHostTaskManager, &'static Known)> {
    let (manager, thread) = here()?;
    Some((manager, thread.known()?))
}

/// The thread that the question is about, if it has a task.
fn other(words: &Words) -> Option<Arc<Known>> {
    // That may be the running thread, which may not have asked for its task yet.
    let _ = task();
    thread::known(words.thread)
}

/// Has the host do a wait of the running thread, of so many milliseconds or without limit. Returns
/// the verdict. `value` becomes the rest of the time.
fn waiting(
    words: &mut Words,
    own: &Known,
    wait: impl FnOnce(u32) -> HRESULT,
    done: impl FnOnce(HRESULT) -> isize,
) -> isize {
    if words.value == OVER {
        return NOT_DONE;
    }
    let Ok(time) = i32::try_from(words.value) else {
        return OWN;
    };
    if time < INFINITE.cast_signed() {
        return OWN;
    }
    // The host may not have woken the thread, which must not sleep over an interrupt.
    if own.interrupted.swap(false, Acquire) {
        return LOOK;
    }
    if words.until == 0 && time > 0 {
        words.until = now() + 1_000_000 * u64::from(time.cast_unsigned());
    }
    own.waits.store(true, Release);
    let answer = heed(wait(time.cast_unsigned()));
    own.waits.store(false, Release);
    if answer != HOST_E_INTERRUPTED {
        return done(answer);
    }
    own.interrupted.store(false, Relaxed);
    if time >= 0 {
        words.value = words.left();
    }
    LOOK
}

/// Nanoseconds since some fixed time.
fn now() -> u64 {
    static FROM: OnceLock<Instant> = OnceLock::new();
    let gone = FROM.get_or_init(Instant::now).elapsed().as_nanos();
    // Enough for more than 500 years.
    gone as u64 + 1
}

/// `Thread.Sleep`: the host's `Sleep`.
pub extern "C" fn sleep(words: *mut Words) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &mut *words };
    words.verdict = keeping_errno(|| {
        let Some((manager, own)) = task() else {
            return OWN;
        };
        // SAFETY: the host's manager lives as long as the process.
        let wait = |time| unsafe { manager.Sleep(time, WAIT_ALERTABLE) };
        waiting(words, own, wait, |answer| match answer {
            S_OK => DONE,
            _ => OWN,
        })
    });
    0
}

/// The longest time in milliseconds that a host waits for another thread in one go. Some hosts wait
/// for the wrong thread.
const SLICE: u32 = 100;

/// `Thread.Join`: the host's `Join` of that thread's task, if it has one.
///
/// When the host has waited, .NET checks itself. Some hosts keep `GetCurrentThread()`, which means
/// another thread to the one that waits, and some answer `S_OK` to everything.
pub extern "C" fn join(words: *mut Words) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &mut *words };
    words.verdict = keeping_errno(|| {
        if words.value == 0 {
            slots::give_way();
        }
        let (Some((_, own)), Some(other)) = (task(), other(words)) else {
            return OWN;
        };
        let option = WAIT_ALERTABLE | WAIT_NOTINDEADLOCK;
        let (mut asked, mut waited) = (0, 0);
        let wait = |time: u32| {
            let began = now();
            asked = time.min(SLICE);
            // SAFETY: `other` keeps the task alive.
            let answer = unsafe { other.task().Join(asked, option) };
            waited = (now() - began).div_ceil(1_000_000);
            answer
        };
        let verdict = waiting(words, own, wait, |answer| match answer {
            HOST_E_TIMEOUT => NOT_DONE,
            _ => OWN,
        });
        let time = words.value as i32;
        if verdict != NOT_DONE || time >= 0 && time.cast_unsigned() <= asked {
            return verdict;
        }
        // The time is not over. A host that did not even wait is not asked again.
        match (waited < u64::from(asked), time < 0) {
            (true, true) => OWN,
            (true, false) => NOT_DONE,
            (false, infinite) => {
                if !infinite {
                    words.value = words.left();
                }
                LOOK
            }
        }
    });
    0
}

/// `Thread.Yield`, to which spinning leads: the host's `SwitchToTask`.
pub extern "C" fn switch(words: *mut Words) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &mut *words };
    words.verdict = keeping_errno(|| {
        // SAFETY: the host's manager lives as long as the process.
        match task().map(|(manager, _)| heed(unsafe { manager.SwitchToTask(0) })) {
            Some(S_OK) => DONE,
            _ => OWN,
        }
    });
    0
}

/// Gives the running thread's slot to a task that waits for it. CoreLib calls this where a thread
/// only looks at what others do, and a task waits.
pub extern "C" fn give_way(_: *mut Words) -> isize {
    keeping_errno(slots::give_way);
    0
}

/// The running thread is going to wait for what others do, and gives its slot back.
pub extern "C" fn park(_: *mut Words) -> isize {
    keeping_errno(slots::park);
    0
}

/// Notes a `Thread.Sleep` or another wait that .NET has done.
pub extern "C" fn slept(_: *mut Words) -> isize {
    keeping_errno(slots::slept);
    0
}

/// `Thread.Interrupt` of a thread, which the CLR already knows of: the `Alert` of its task.
pub extern "C" fn interrupt(words: *mut Words) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &*words };
    keeping_errno(|| {
        // An engine thread notifies the host after the interrupt, by `interrupted`.
        if !clerk::is_own_thread() {
            // That may be the running thread, which may not have asked for its task yet.
            let _ = task();
            interrupted(words.thread);
        }
    });
    0
}

/// The CLR's number of the running thread, for [`interrupted`]; 0: it has none.
pub fn number() -> usize {
    thread::number().unwrap_or(0)
}

/// Whether the thread with this CLR number sleeps or waits in a method of its host.
pub fn waits(number: usize) -> bool {
    thread::known(number).is_some_and(|of| of.waits.load(Acquire))
}

/// The thread with this CLR number was interrupted: the `Alert` of its task.
pub fn interrupted(number: usize) {
    if let Some(other) = thread::known(number) {
        other.interrupted.store(true, Release);
        // SAFETY: `other` keeps the task alive. A thread that cannot be woken checks before it
        // sleeps again.
        let _ = heed(unsafe { other.task().Alert() });
    }
}

/// A thread that .NET has made begins, with this priority: the host gives its task.
pub extern "C" fn begin(words: *mut Words) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &*words };
    keeping_errno(|| {
        if let Some((_, own)) = task() {
            own.number.store(words.number as i32, Relaxed);
            if words.value != NORMAL {
                set_priority_of(own, words.value);
            }
        }
    });
    0
}

fn set_priority_of(of: &Known, value: isize) -> isize {
    if !(0..=HIGHEST).contains(&value) {
        return OWN;
    }
    // SAFETY: `of` keeps the task alive.
    match heed(unsafe { of.task().SetPriority((value - NORMAL) as i32) }) {
        // .NET's own priority is only what reading it returns.
        S_OK | E_NOTIMPL => OWN,
        _ => DONE,
    }
}

/// `Thread.Priority` is set: the `SetPriority` of its task.
pub extern "C" fn set_priority(words: *mut Words) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &mut *words };
    words.verdict = keeping_errno(|| match other(words) {
        Some(of) => set_priority_of(&of, words.value),
        None => OWN,
    });
    0
}

/// `Thread.Priority` is read: the `GetPriority` of its task.
pub extern "C" fn priority(words: *mut Words) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &mut *words };
    words.verdict = keeping_errno(|| {
        // A thread reads its own priority as it begins, and expects .NET's. Reading it gets no
        // task.
        let Some(of) = thread::known(words.thread) else {
            return OWN;
        };
        let mut priority = THREAD_PRIORITY_ERROR_RETURN;
        // SAFETY: `of` holds a reference to the host's task.
        let answer = heed(unsafe { of.task().GetPriority(Out::new(&mut priority)) });
        if answer != S_OK || priority == THREAD_PRIORITY_ERROR_RETURN {
            return OWN;
        }
        let priority = priority.clamp(THREAD_PRIORITY_LOWEST, THREAD_PRIORITY_HIGHEST);
        words.value = priority as isize + NORMAL;
        DONE
    });
    0
}

/// `CurrentCulture` is set: the host's `SetLocale`.
pub extern "C" fn culture(words: *mut Words) -> isize {
    // SAFETY: the host's manager lives as long as the process.
    culture_set(words, |manager, lcid| unsafe { manager.SetLocale(lcid) })
}

/// `CurrentUICulture` is set: the host's `SetUILocale`.
pub extern "C" fn ui_culture(words: *mut Words) -> isize {
    // SAFETY: the host's manager lives as long as the process.
    culture_set(words, |manager, lcid| unsafe { manager.SetUILocale(lcid) })
}

/// Notifies the host of a culture. The verdict is an HRESULT to throw, or a success. `E_NOTIMPL`
/// counts as a success: such a host does not follow cultures.
fn culture_set(words: *mut Words, tell: impl FnOnce(&IHostTaskManager, u32) -> HRESULT) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &mut *words };
    words.verdict = keeping_errno(|| {
        let Some((manager, thread)) = here() else {
            return 0;
        };
        if thread.by_host.get() || thread.known().is_none() {
            return 0;
        }
        match heed(tell(manager, words.value as u32)) {
            E_NOTIMPL => 0,
            answer if answer.is_err() => E_INVALIDARG.0 as isize,
            _ => 0,
        }
    });
    0
}

/// Runs what the host itself wishes, without notifying it.
pub fn by_host<T>(wish: impl FnOnce() -> T) -> T {
    let Some((_, thread)) = here() else {
        return wish();
    };
    let before = thread.by_host.replace(true);
    let answer = wish();
    thread.by_host.set(before);
    answer
}

/// `Thread.BeginThreadAffinity`. The host is notified of each, since it counts them.
pub extern "C" fn begin_affinity(_: *mut Words) -> isize {
    keeping_errno(|| {
        if let Some((manager, _)) = task() {
            // SAFETY: the host's manager lives as long as the process.
            let _ = heed(unsafe { manager.BeginThreadAffinity() });
        }
    });
    0
}

/// `Thread.EndThreadAffinity`.
pub extern "C" fn end_affinity(_: *mut Words) -> isize {
    keeping_errno(|| {
        if let Some((manager, _)) = task() {
            // SAFETY: the host's manager lives as long as the process.
            let _ = heed(unsafe { manager.EndThreadAffinity() });
        }
    });
    0
}

/// `Thread.BeginCriticalRegion`. The host must not abort the thread inside the outermost region.
pub extern "C" fn begin_region(_: *mut Words) -> isize {
    keeping_errno(|| {
        let Some((manager, thread)) = here() else {
            return;
        };
        if thread.regions.fetch_add(1, Relaxed) == 0 && thread.known().is_some() {
            // SAFETY: the host's manager lives as long as the process.
            let answer = heed(unsafe { manager.BeginDelayAbort() });
            thread.delay_abort(answer.is_ok());
        }
    });
    0
}

/// `Thread.EndCriticalRegion`. Does nothing if no region is open.
pub extern "C" fn end_region(_: *mut Words) -> isize {
    keeping_errno(|| {
        let Some((manager, thread)) = here() else {
            return;
        };
        let one_less = |count: u32| count.checked_sub(1);
        let before = thread.regions.fetch_update(Relaxed, Relaxed, one_less);
        if before == Ok(1) && thread.delay_abort(false) {
            // SAFETY: the host's manager lives as long as the process.
            let _ = heed(unsafe { manager.EndDelayAbort() });
        }
    });
    0
}

/// How many critical regions the running thread is in, kept up to date while it runs. `None`: no
/// host is notified.
pub fn critical_regions() -> Option<Arc<AtomicU32>> {
    here().map(|(_, thread)| thread.regions.clone())
}
