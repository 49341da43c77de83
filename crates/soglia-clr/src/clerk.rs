//! A thread of our own that asks the CLR what it does not answer on others.
//!
//! Most of the profiling API may be used inside a callback, or on threads that run no managed code. Woven hooks are neither: there, the
//! CLR refuses (`CORPROF_E_UNSUPPORTED_CALL_SEQUENCE`). So they have the clerk ask, and wait; in preemptive mode, which holds up nobody else.

use std::{
    sync::{
        OnceLock,
        mpsc::{Sender, channel, sync_channel},
    },
    thread,
};

type Question = Box<dyn FnOnce() + Send>;

/// `None`: the thread could not be made.
static CLERK: OnceLock<Option<Sender<Question>>> = OnceLock::new();

/// Runs `question` on the clerk's thread and waits for its answer. `None`: there is no clerk, or the question panicked.
pub fn ask<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let clerk = CLERK.get_or_init(hire).as_ref()?;
    let (answer, answered) = sync_channel(1);
    let question = Box::new(move || {
        // If nobody waits any more, nobody needs the answer.
        let _ = answer.send(question());
    });
    clerk.send(question).ok()?;
    answered.recv().ok()
}

fn hire() -> Option<Sender<Question>> {
    let (clerk, questions) = channel::<Question>();
    let work = move || {
        for question in questions {
            crate::boundary::fence((), question);
        }
    };
    thread("soglia", work).then_some(clerk)
}

/// Makes a thread of our own; `false`: it could not be made. What it does is not fenced.
pub fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> bool {
    // A new thread has the signal mask of its maker, and the program's signals are none of its business.
    let before = block_signals();
    let made = thread::Builder::new()
        .name(name.into())
        .stack_size(256 << 10)
        .spawn(work);
    restore_signals(&before);
    made.is_ok()
}

fn block_signals() -> libc::sigset_t {
    // SAFETY: both sets are valid for writing.
    unsafe {
        let (mut all, mut before) = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
        before
    }
}

fn restore_signals(before: &libc::sigset_t) {
    // SAFETY: the set that was in force before.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) };
}
