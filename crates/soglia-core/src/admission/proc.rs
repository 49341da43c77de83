//! Which threads sleep, as Linux tells it.

use std::fs;

use super::Doing;

/// What this thread of the process does. If /proc cannot tell, it sleeps: better that too many tasks run than none.
///
/// A thread that the garbage collector or anybody else has made wait sleeps as well; who knows better, says so.
pub fn look_at(thread: u32) -> Doing {
    match fs::read_to_string(format!("/proc/self/task/{thread}/status")) {
        Ok(status) => read(&status).unwrap_or(UNKNOWN),
        Err(_) if fs::exists("/proc/self/status").is_ok_and(|there| there) => Doing::Gone,
        Err(_) => UNKNOWN,
    }
}

const UNKNOWN: Doing = Doing::Sleeps(u64::MAX);

/// `None`: this is no status of a thread.
fn read(status: &str) -> Option<Doing> {
    let field = |name: &str| {
        let lines = status.lines();
        lines
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
            .next()
    };
    Some(match field("State")?.chars().next()? {
        // Running, or stopped by a debugger or a signal, which would stop whoever got the slot as well.
        'R' | 'T' | 't' => Doing::Runs,
        'Z' | 'X' => Doing::Gone,
        // A thread goes to sleep by switching to another one, of its own will.
        _ => Doing::Sleeps(field("voluntary_ctxt_switches")?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_by_its_fields() {
        let status = |state, switches| {
            format!(
                "Name:\tState: R\nState:\t{state}\nTgid:\t1\nvoluntary_ctxt_switches:\t{switches}\nnonvoluntary_ctxt_switches:\t9\n"
            )
        };
        assert_eq!(read(&status("S (sleeping)", 7)), Some(Doing::Sleeps(7)));
        assert_eq!(read(&status("D (disk sleep)", 8)), Some(Doing::Sleeps(8)));
        for awake in ["R (running)", "T (stopped)", "t (tracing stop)"] {
            assert_eq!(read(&status(awake, 7)), Some(Doing::Runs));
        }
        assert_eq!(read(&status("X (dead)", 7)), Some(Doing::Gone));
        assert_eq!(read("State:\tS (sleeping)\n"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_running_thread_runs_and_others_are_gone() {
        // SAFETY: has no precondition.
        #[allow(unsafe_code, reason = "the OS's number of this thread")]
        let own = unsafe { libc::gettid() };
        assert_eq!(look_at(own.unsigned_abs()), Doing::Runs);
        assert_eq!(look_at(u32::MAX), Doing::Gone);
    }
}
