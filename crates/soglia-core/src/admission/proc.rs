//! Which threads sleep, as Linux tells it.

use std::fs;

/// The sleep that this thread of the process is in, if it sleeps: equal for two looks at the same sleep. What cannot be looked
/// at sleeps too: it has ended, or /proc is not there, and then it is better to have too many tasks run than none.
///
/// A thread that the garbage collector or anybody else has made wait sleeps as well; who knows better, asks for it.
pub fn asleep(thread: u32) -> Option<u64> {
    const ENDED: Option<u64> = Some(u64::MAX);
    let Ok(status) = fs::read_to_string(format!("/proc/self/task/{thread}/status")) else {
        return ENDED;
    };
    sleep_in(&status).unwrap_or(ENDED)
}

/// `None`: this is no status of a thread.
fn sleep_in(status: &str) -> Option<Option<u64>> {
    let field = |name: &str| {
        let lines = status.lines();
        lines
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
            .next()
    };
    match field("State")?.chars().next()? {
        // Running, or stopped by a debugger or a signal, which would stop whoever got the slot as well.
        'R' | 'T' | 't' => Some(None),
        // A thread goes to sleep by switching to another one, of its own will.
        _ => Some(Some(field("voluntary_ctxt_switches")?.parse().ok()?)),
    }
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
        assert_eq!(sleep_in(&status("S (sleeping)", 7)), Some(Some(7)));
        assert_eq!(sleep_in(&status("D (disk sleep)", 8)), Some(Some(8)));
        for awake in ["R (running)", "T (stopped)", "t (tracing stop)"] {
            assert_eq!(sleep_in(&status(awake, 7)), Some(None));
        }
        assert_eq!(sleep_in("State:\tS (sleeping)\n"), None);
        assert_eq!(sleep_in(""), None);
    }

    #[test]
    fn a_running_thread_is_awake_and_a_gone_one_sleeps() {
        // SAFETY: has no precondition.
        #[allow(unsafe_code, reason = "the OS's number of this thread")]
        let own = unsafe { libc::gettid() };
        assert_eq!(asleep(own.unsigned_abs()), None);
        assert_eq!(asleep(u32::MAX), Some(u64::MAX));
    }
}
