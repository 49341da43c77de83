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
    time::{Duration, Instant},
};

type Question = Box<dyn FnOnce() + Send>;

/// Work that the clerk does now and then. It returns how long to wait until the next time, or
/// `None` if it is done.
type Chore = Box<dyn FnMut() -> Option<Duration> + Send>;

enum Asked {
    Question(Question),
    Chore(Instant, Chore),
}

/// `None`: the thread could not be made.
static CLERK: OnceLock<Option<Sender<Asked>>> = OnceLock::new();

/// Has the clerk do this `after` a while, and again, while it waits for questions. The clerk only
/// wakes up for it when it is due.
pub fn also(after: Duration, chore: impl FnMut() -> Option<Duration> + Send + 'static) {
    if let Some(clerk) = CLERK.get_or_init(hire) {
        let _ = clerk.send(Asked::Chore(Instant::now() + after, Box::new(chore)));
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
    clerk.send(Asked::Question(question)).ok()?;
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

fn hire() -> Option<Sender<Asked>> {
    let (clerk, asked) = channel::<Asked>();
    let work = move || {
        let mut chores = Vec::new();
        loop {
            do_what_is_due(&mut chores);
            match next(&asked, &chores) {
                Ok(Asked::Question(question)) => crate::boundary::fence((), question),
                Ok(Asked::Chore(due, chore)) => chores.push((due, chore)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    };
    thread("soglia", work).then_some(clerk)
}

fn do_what_is_due(chores: &mut Vec<(Instant, Chore)>) {
    let now = Instant::now();
    chores.retain_mut(|(due, chore)| {
        if *due > now {
            return true;
        }
        let again = crate::boundary::fence(None, &mut **chore);
        again.is_some_and(|again| {
            *due = now + again;
            true
        })
    });
}

/// What the clerk is asked next; [`RecvTimeoutError::Timeout`] if a chore is due before.
fn next(asked: &Receiver<Asked>, chores: &[(Instant, Chore)]) -> Result<Asked, RecvTimeoutError> {
    match chores.iter().map(|(due, _)| *due).min() {
        Some(due) => asked.recv_timeout(due.saturating_duration_since(Instant::now())),
        None => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
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
