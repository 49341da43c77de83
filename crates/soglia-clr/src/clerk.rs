//! An engine thread that asks the CLR what it does not answer on other threads.
//!
//! Most of the profiling API may be used inside a callback, or on threads that run no managed code.
//! Hooks of wrappers are neither: the CLR answers them with
//! `CORPROF_E_UNSUPPORTED_CALL_SEQUENCE`. So they have the clerk ask, and wait in preemptive mode,
//! where no other thread waits for them.

use std::{
    cell::Cell,
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
};

use soglia_core::trace::{life::SIGN_EVERY, writer::Recording};

type Question = Box<dyn FnOnce() + Send>;

/// `None`: the thread could not be made.
static CLERK: OnceLock<Option<Sender<Question>>> = OnceLock::new();

/// The recording in which the clerk notes that the process lives, while it waits for questions.
static SIGNED: OnceLock<&'static Recording> = OnceLock::new();

/// Has the clerk note that the process lives, where no tool does. To be called before there are
/// questions.
pub fn sign(recording: &'static Recording) {
    if SIGNED.set(recording).is_ok() {
        prepare();
    }
}

/// Makes the thread in advance. Otherwise the first question makes it.
pub fn prepare() {
    CLERK.get_or_init(hire);
}

/// Runs `question` on the clerk's thread and waits for its answer. `None`: there is no clerk, or
/// the question panicked.
pub fn ask<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let clerk = CLERK.get_or_init(hire).as_ref()?;
    let reply = Arc::new(Reply::default());
    let promise = Promise(reply.clone());
    let question = Box::new(move || promise.keep(question()));
    clerk.send(question).ok()?;
    reply.wait()
}

/// Carries an answer back. A channel would not do: to wait at one, a thread needs memory the first
/// time, and ends the process if there is none.
struct Reply<T> {
    /// Whether there will be no other answer than this.
    done: Mutex<(bool, Option<T>)>,
    told: Condvar,
}

impl<T> Default for Reply<T> {
    fn default() -> Self {
        Self {
            done: Mutex::new((false, None)),
            told: Condvar::new(),
        }
    }
}

impl<T> Reply<T> {
    fn wait(&self) -> Option<T> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.told.wait_while(done, |(done, _)| !*done);
        done.unwrap_or_else(PoisonError::into_inner).1.take()
    }
}

/// Travels with the question. When it is dropped, answered or not, the wait ends.
struct Promise<T>(Arc<Reply<T>>);

impl<T> Promise<T> {
    fn keep(&self, answer: T) {
        let mut done = self.0.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.1 = Some(answer);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let mut done = self.0.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.0 = true;
        self.0.told.notify_one();
    }
}

fn hire() -> Option<Sender<Question>> {
    let (clerk, questions) = channel::<Question>();
    let work = move || {
        while let Ok(question) = next(&questions) {
            if let Some(question) = question {
                crate::boundary::fence((), question);
            }
        }
    };
    thread("soglia", work).then_some(clerk)
}

thread_local! {
    /// Whether the engine has made this thread.
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the engine has made the running thread. Such a thread is no task, and the host is not
/// notified of it.
pub fn is_own_thread() -> bool {
    OWN.get()
}

/// The next question, or none yet: only a clerk that notes the life of the process wakes up without
/// one.
fn next(questions: &Receiver<Question>) -> Result<Option<Question>, RecvTimeoutError> {
    let Some(recording) = SIGNED.get() else {
        return Ok(Some(
            questions
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected)?,
        ));
    };
    recording.sign();
    match questions.recv_timeout(SIGN_EVERY) {
        Err(RecvTimeoutError::Timeout) => Ok(None),
        question => question.map(Some),
    }
}

/// Makes an engine thread; `false`: it could not be made. Its work is not fenced.
pub fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> bool {
    thread_with(name, 256 << 10, work)
}

/// The same for work that calls the host or managed code, which needs a larger stack. Its work is
/// fenced.
pub fn thread_for_others(work: impl FnOnce() + Send + 'static) -> bool {
    thread_with("soglia", 2 << 20, || crate::boundary::fence((), work))
}

fn thread_with(name: &str, stack: usize, work: impl FnOnce() + Send + 'static) -> bool {
    // A new thread inherits the signal mask of its maker, and must not get the program's signals.
    let before = block_signals();
    let made = thread::Builder::new()
        .name(name.into())
        .stack_size(stack)
        .spawn(|| {
            OWN.set(true);
            work();
        });
    restore_signals(&before);
    made.is_ok()
}

fn block_signals() -> libc::sigset_t {
    // SAFETY: both sets are locals, and any bytes are a valid set.
    unsafe {
        let (mut all, mut before) = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
        before
    }
}

fn restore_signals(before: &libc::sigset_t) {
    // SAFETY: the set was returned by the call above, and the null pointer asks for nothing.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) };
}
