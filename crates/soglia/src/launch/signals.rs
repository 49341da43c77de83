//! Receiving signals in place of the child, and ending as it did.

use std::mem;
use std::ptr;
use std::time::Duration;

/// Signals that are not kept for the child: those that cannot be kept, those that a fault of the
/// tool raises, SIGPIPE, which a write of the tool raises, and the two that belong to libc.
const NOT_OURS: [i32; 11] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGPIPE,
    32,
    33,
];

/// Signals that the terminal sends to its foreground process group, or to a group that reads or
/// writes in the background.
const FROM_TERMINAL: [i32; 8] = [
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGHUP,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGCONT,
    libc::SIGWINCH,
];

fn empty_set() -> libc::sigset_t {
    // SAFETY: zeroed is valid storage for the set that sigemptyset fills.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the set lives in this frame.
    unsafe { libc::sigemptyset(&raw mut set) };
    set
}

fn set_of(signals: impl IntoIterator<Item = i32>) -> libc::sigset_t {
    let mut set = empty_set();
    for signal in signals {
        // SAFETY: the set is live and initialised; an invalid number is an error without effect.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}

/// Gives a signal its default disposition.
pub(super) fn set_default(signal: i32) {
    // SAFETY: the default disposition needs no handler to exist.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// The signals for the child, blocked in this thread. Dropping this restores the mask from before.
pub(super) struct Blocked {
    set: libc::sigset_t,
    before: libc::sigset_t,
}

impl std::fmt::Debug for Blocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocked").finish_non_exhaustive()
    }
}

impl Blocked {
    pub(super) fn new() -> Self {
        let set = set_of((1..=64).filter(|signal| !NOT_OURS.contains(signal)));
        let mut before = empty_set();
        // SAFETY: both sets are live; only the mask of this thread changes.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before) };
        Self { set, before }
    }

    /// The next signal, if one comes within `timeout`.
    pub(super) fn next(&self, timeout: Duration) -> Option<Received> {
        let timeout = libc::timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        // SAFETY: zeroed is a valid siginfo_t, to be overwritten.
        let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
        // SAFETY: the set, the info and the timeout live in this frame. An interruption or the end
        // of the timeout is an error and means no signal.
        let signal =
            unsafe { libc::sigtimedwait(&raw const self.set, &raw mut info, &raw const timeout) };
        (signal > 0).then(|| Received::new(signal, &info))
    }

    /// Discards signals for a child that has ended. They would end the tool, and lose the exit
    /// code.
    pub(super) fn discard_pending(&self) {
        while self.next(Duration::ZERO).is_some() {}
    }

    /// Stops this process by `signal`, and returns when it is continued.
    pub(super) fn stop_by(&self, signal: i32) {
        let only = set_of([signal]);
        // The terminal may have sent the same signal, and it may still be pending. This one merges
        // with it, because both are blocked. Sent after unblocking, it would stop the process a
        // second time. SAFETY: getpid and kill touch no memory; the set lives in this frame.
        unsafe {
            libc::kill(libc::getpid(), signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const only, ptr::null_mut());
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const only, ptr::null_mut());
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set was filled by sigmask when this was made, and lives in `self`.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut())
        };
    }
}

/// A signal that reached the tool.
pub(super) struct Received {
    pub(super) signal: i32,
    /// The process that sent it, if one did.
    pub(super) sender: Option<libc::pid_t>,
    by_kernel: bool,
    /// The value that came with it from sigqueue.
    value: Option<libc::sigval>,
}

impl Received {
    fn new(signal: i32, info: &libc::siginfo_t) -> Self {
        let by_process = matches!(
            info.si_code,
            libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL
        );
        // SAFETY: with these codes the kernel filled in the sender.
        let sender = by_process.then(|| unsafe { info.si_pid() });
        // SAFETY: with this code the kernel filled in the value.
        let value = (info.si_code == libc::SI_QUEUE).then(|| unsafe { info.si_value() });
        Self {
            signal,
            sender,
            by_kernel: info.si_code == libc::SI_KERNEL,
            value,
        }
    }

    /// Whether the terminal sent it, and so to the child as well.
    pub(super) fn is_from_terminal(&self) -> bool {
        self.by_kernel && FROM_TERMINAL.contains(&self.signal)
    }

    pub(super) fn is_job_control_stop(&self) -> bool {
        [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(&self.signal)
    }

    /// Passes it on. The child is not reaped yet, so the process id is still its own. An error
    /// leaves nothing to do.
    pub(super) fn send_to(&self, pid: libc::pid_t) {
        // SAFETY: both calls take numbers only and touch no memory. The kernel checks them.
        unsafe {
            match self.value {
                Some(value) => libc::sigqueue(pid, self.signal, value),
                None => libc::kill(pid, self.signal),
            }
        };
    }
}

/// Ends this process by `signal`, without a core dump.
pub(super) fn die_of(signal: i32) -> ! {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let only = set_of([signal]);
    // SAFETY: the limit and the set live in this frame, and the other arguments are numbers. The
    // prctl is for a core_pattern that is a pipe: a limit alone does not keep the kernel from
    // feeding it.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::signal(signal, libc::SIG_DFL);
        libc::kill(libc::getpid(), signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const only, ptr::null_mut());
    }
    // Only if the signal did not kill, which one that killed the child always does.
    std::process::exit(128 + signal)
}
