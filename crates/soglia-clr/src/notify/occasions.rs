//! What a thread does besides crossing, of which its host is told: it sleeps, waits for another one, changes its culture.
//!
//! Some methods of System.Private.CoreLib ask here first ([`crate::weave`]), in preemptive mode: the host may block. A host that does
//! not want to do a thing itself leaves it to .NET by answering anything but what its document calls success, for instance `E_NOTIMPL`.

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
};

use super::thread::{self, Known, Thread};
use crate::{
    boundary::keeping_errno,
    clerk,
    host::{failure::heed, managers},
    slots,
};

/// What is asked, and where the asker finds the answer. Only what the question needs is filled in.
#[repr(C)]
pub struct Words {
    /// The CLR's number of the thread that it is about.
    thread: usize,
    /// Milliseconds, a priority, an LCID.
    value: isize,
    /// When a wait that is asked about once more was to end, in nanoseconds of this process; 0 the first time.
    until: u64,
    /// What is to be done now.
    verdict: isize,
}

impl Words {
    /// Bytes, and where the fields are among them.
    pub const SIZE: i32 = size_of::<Self>() as i32;
    pub const THREAD: i32 = offset_of!(Self, thread) as i32;
    pub const VALUE: i32 = offset_of!(Self, value) as i32;
    pub const UNTIL: i32 = offset_of!(Self, until) as i32;
    pub const VERDICT: i32 = offset_of!(Self, verdict) as i32;

    /// What is left of a wait.
    fn left(&self) -> isize {
        let left = self.until.saturating_sub(now()).div_ceil(1_000_000);
        if left > 0 { left as isize } else { OVER }
    }
}

/// The verdicts: .NET does it itself, as it always does.
const OWN: isize = 0;
/// The host has done it.
const DONE: isize = 1;
/// The other result: the time was over.
pub const NOT_DONE: isize = 2;
/// .NET looks whether the thread was interrupted, and if not asks once more.
pub const LOOK: isize = 3;

/// A wait was interrupted when its time was over. No time that .NET asks for.
const OVER: isize = isize::MIN;

/// .NET counts from 0 to 4 what the host has from -2 to 2.
const NORMAL: isize = 2;
const HIGHEST: isize = 4;

/// The host, and what is known of the running thread.
fn here() -> Option<(&'static IHostTaskManager, &'static Thread)> {
    Some((managers::task_manager()?, thread::current()?))
}

/// The same of a thread that has a task.
fn task() -> Option<(&'static IHostTaskManager, &'static Known)> {
    let (manager, thread) = here()?;
    Some((manager, thread.known()?))
}

/// The thread that it is about, if it has a task.
fn other(words: &Words) -> Option<Arc<Known>> {
    // It may be the running one, which may not have asked for its task yet.
    let _ = task();
    thread::known(words.thread)
}

/// A wait of the running thread that lasts that long, or for ever: has the host `wait`, and answers what is to be done. `value` becomes
/// what is left of the time.
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
    // The host may not have woken it, and it must not sleep over that.
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

/// Nanoseconds, from a time on that does not matter.
fn now() -> u64 {
    static FROM: OnceLock<Instant> = OnceLock::new();
    let gone = FROM.get_or_init(Instant::now).elapsed().as_nanos();
    // More than 500 years.
    gone as u64 + 1
}

/// `Thread.Sleep`: the host's `Sleep`.
pub extern "C" fn sleep(words: *mut Words) -> isize {
    // SAFETY: the caller's own words, which nobody else knows.
    let words = unsafe { &mut *words };
    words.verdict = keeping_errno(|| {
        let Some((manager, own)) = task() else {
            return OWN;
        };
        // SAFETY: a host's manager, which lives as long as the process.
        let wait = |time| unsafe { manager.Sleep(time, WAIT_ALERTABLE) };
        waiting(words, own, wait, |answer| match answer {
            S_OK => DONE,
            _ => OWN,
        })
    });
    0
}

/// A host waits for another thread so many milliseconds at a time: there are some that wait for the wrong one.
const SLICE: u32 = 100;

/// `Thread.Join`: the host's `Join` of that thread's task, if it has one. When the host has waited, .NET looks itself, for hosts are known
/// that keep `GetCurrentThread()`, which is another thread to whoever waits for it, or that answer `S_OK` to everything.
pub extern "C" fn join(words: *mut Words) -> isize {
    // SAFETY: as in `sleep`.
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
            // SAFETY: a live task.
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
        // The time is not over. Whoever did not even wait shall not be asked on and on.
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
    // SAFETY: as in `sleep`.
    let words = unsafe { &mut *words };
    words.verdict = keeping_errno(|| {
        // SAFETY: a host's manager, which lives as long as the process.
        match task().map(|(manager, _)| heed(unsafe { manager.SwitchToTask(0) })) {
            Some(S_OK) => DONE,
            _ => OWN,
        }
    });
    0
}

/// The running thread has nothing to do but to look for what others do: who waits for its slot gets it. Told where somebody waits.
pub extern "C" fn give_way(_: *mut Words) -> isize {
    keeping_errno(slots::give_way);
    0
}

/// `Thread.Sleep`, which .NET has done.
pub extern "C" fn slept(_: *mut Words) -> isize {
    keeping_errno(slots::slept);
    0
}

/// `Thread.Interrupt` of that thread, which the CLR knows of already: its task's `Alert`.
pub extern "C" fn interrupt(words: *mut Words) -> isize {
    // SAFETY: as in `sleep`.
    let words = unsafe { &*words };
    keeping_errno(|| {
        // Of what our own threads do, the host hears when they have done it: `interrupted`.
        if !clerk::is_own_thread() {
            // It may be the running one, which may not have asked for its task yet.
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

/// Whether the thread with this number of the CLR's sleeps or waits by its host.
pub fn waits(number: usize) -> bool {
    thread::known(number).is_some_and(|of| of.waits.load(Acquire))
}

/// The thread with this number of the CLR's has been interrupted: its task's `Alert`.
pub fn interrupted(number: usize) {
    if let Some(other) = thread::known(number) {
        other.interrupted.store(true, Release);
        // SAFETY: a live task. If it cannot be woken, it looks before it sleeps again.
        let _ = heed(unsafe { other.task().Alert() });
    }
}

/// A thread that .NET has made begins, with that priority: the host gives its task.
pub extern "C" fn begin(words: *mut Words) -> isize {
    // SAFETY: as in `sleep`.
    let words = unsafe { &*words };
    keeping_errno(|| {
        if let Some((_, own)) = task()
            && words.value != NORMAL
        {
            set_priority_of(own, words.value);
        }
    });
    0
}

fn set_priority_of(of: &Known, value: isize) -> isize {
    if !(0..=HIGHEST).contains(&value) {
        return OWN;
    }
    // SAFETY: a live task.
    match heed(unsafe { of.task().SetPriority((value - NORMAL) as i32) }) {
        // .NET's own is what reading it gives, and nothing more.
        S_OK | E_NOTIMPL => OWN,
        _ => DONE,
    }
}

/// `Thread.Priority` is set: its task's `SetPriority`.
pub extern "C" fn set_priority(words: *mut Words) -> isize {
    // SAFETY: as in `sleep`.
    let words = unsafe { &mut *words };
    words.verdict = keeping_errno(|| match other(words) {
        Some(of) => set_priority_of(&of, words.value),
        None => OWN,
    });
    0
}

/// `Thread.Priority` is read: its task's `GetPriority`.
pub extern "C" fn priority(words: *mut Words) -> isize {
    // SAFETY: as in `sleep`.
    let words = unsafe { &mut *words };
    words.verdict = keeping_errno(|| {
        // A thread reads its own as it begins, which is to be .NET's still: it does not get its task by that.
        let Some(of) = thread::known(words.thread) else {
            return OWN;
        };
        let mut priority = THREAD_PRIORITY_ERROR_RETURN;
        // SAFETY: a live task, a place for the answer.
        let answer = heed(unsafe { of.task().GetPriority(&raw mut priority) });
        if answer != S_OK || priority == THREAD_PRIORITY_ERROR_RETURN {
            return OWN;
        }
        let priority = priority.clamp(THREAD_PRIORITY_LOWEST, THREAD_PRIORITY_HIGHEST);
        words.value = priority as isize + NORMAL;
        DONE
    });
    0
}

/// `CurrentCulture` is set.
pub extern "C" fn culture(words: *mut Words) -> isize {
    // SAFETY: a host's manager, which lives as long as the process.
    culture_set(words, |manager, lcid| unsafe { manager.SetLocale(lcid) })
}

/// `CurrentUICulture` is set.
pub extern "C" fn ui_culture(words: *mut Words) -> isize {
    // SAFETY: as above.
    culture_set(words, |manager, lcid| unsafe { manager.SetUILocale(lcid) })
}

/// The verdict is an HRESULT to throw, or a success: a host that does not go along with cultures answers `E_NOTIMPL`, and is no hindrance.
fn culture_set(words: *mut Words, tell: impl FnOnce(&IHostTaskManager, u32) -> HRESULT) -> isize {
    // SAFETY: as in `sleep`.
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

/// Runs what the host wishes, of which it is not told itself.
pub fn by_host<T>(wish: impl FnOnce() -> T) -> T {
    let Some((_, thread)) = here() else {
        return wish();
    };
    let before = thread.by_host.replace(true);
    let answer = wish();
    thread.by_host.set(before);
    answer
}

/// `Thread.BeginThreadAffinity`. Every one is told: the host counts.
pub extern "C" fn begin_affinity(_: *mut Words) -> isize {
    keeping_errno(|| {
        if let Some((manager, _)) = task() {
            // SAFETY: a host's manager, which lives as long as the process.
            let _ = heed(unsafe { manager.BeginThreadAffinity() });
        }
    });
    0
}

/// `Thread.EndThreadAffinity`.
pub extern "C" fn end_affinity(_: *mut Words) -> isize {
    keeping_errno(|| {
        if let Some((manager, _)) = task() {
            // SAFETY: a host's manager, which lives as long as the process.
            let _ = heed(unsafe { manager.EndThreadAffinity() });
        }
    });
    0
}

/// `Thread.BeginCriticalRegion`: in the outermost one the thread must not be aborted.
pub extern "C" fn begin_region(_: *mut Words) -> isize {
    keeping_errno(|| {
        let Some((manager, thread)) = here() else {
            return;
        };
        if thread.regions.fetch_add(1, Relaxed) == 0 && thread.known().is_some() {
            // SAFETY: a host's manager, which lives as long as the process.
            let answer = heed(unsafe { manager.BeginDelayAbort() });
            thread.delay_abort(answer.is_ok());
        }
    });
    0
}

/// `Thread.EndCriticalRegion`. One that ends nothing counts for nothing.
pub extern "C" fn end_region(_: *mut Words) -> isize {
    keeping_errno(|| {
        let Some((manager, thread)) = here() else {
            return;
        };
        let one_less = |count: u32| count.checked_sub(1);
        let before = thread.regions.fetch_update(Relaxed, Relaxed, one_less);
        if before == Ok(1) && thread.delay_abort(false) {
            // SAFETY: a host's manager, which lives as long as the process.
            let _ = heed(unsafe { manager.EndDelayAbort() });
        }
    });
    0
}

/// Critical regions that the running thread is in, kept up for as long as it runs; none if nobody is told.
pub fn critical_regions() -> Option<Arc<AtomicU32>> {
    here().map(|(_, thread)| thread.regions.clone())
}
