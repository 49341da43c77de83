//! What a child process is doing.

use std::io;
use std::mem;

use super::ended::Ended;

/// What a child is doing.
pub(super) enum State {
    /// Nothing new.
    Running,
    /// This signal has stopped it.
    Stopped(i32),
    /// It is gone, and reaped.
    Ended(Ended),
}

/// Whether the system gives this process the children of processes that have ended: it is the first
/// one of a container, or has asked for them before it became this program.
pub(super) fn inherits_children() -> bool {
    let mut asked: libc::c_int = 0;
    // SAFETY: the call writes the number that the pointer leads to, which lives in this frame.
    unsafe { libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut asked) };
    std::process::id() == 1 || asked != 0
}

/// Takes the ends of all children except this one, so that they do not stay as zombies.
pub(super) fn reap_others(pid: libc::pid_t) {
    let next = |kind, which: libc::pid_t, options| {
        // SAFETY: zeroed is a valid siginfo_t; it also is the answer "nothing new".
        let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
        let options = libc::WEXITED | libc::WNOHANG | options;
        // SAFETY: the info lives in this frame, and waitid writes nothing else.
        unsafe { libc::waitid(kind, which.cast_unsigned(), &raw mut info, options) };
        // SAFETY: waitid filled in this field, or left it 0.
        unsafe { info.si_pid() }
    };
    loop {
        let ended = next(libc::P_ALL, 0, libc::WNOWAIT);
        if ended == 0 || ended == pid {
            return;
        }
        next(libc::P_PID, ended, 0);
    }
}

/// Asks for news of a child, without waiting.
pub(super) fn state_of(pid: libc::pid_t) -> io::Result<State> {
    loop {
        // SAFETY: zeroed is a valid siginfo_t; it also is the answer "nothing new".
        let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
        let options = libc::WEXITED | libc::WSTOPPED | libc::WNOHANG;
        // SAFETY: the info lives in this frame, and waitid writes nothing else.
        if unsafe { libc::waitid(libc::P_PID, pid.cast_unsigned(), &raw mut info, options) } == -1 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        // SAFETY: waitid filled in these fields, or left them 0.
        let (child, status) = unsafe { (info.si_pid(), info.si_status()) };
        return Ok(match info.si_code {
            _ if child == 0 => State::Running,
            libc::CLD_STOPPED => State::Stopped(status),
            libc::CLD_EXITED => State::Ended(Ended::Exited(status)),
            libc::CLD_KILLED | libc::CLD_DUMPED => State::Ended(Ended::Killed(status)),
            _ => State::Running,
        });
    }
}
