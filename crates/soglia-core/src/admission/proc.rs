//! What threads do, as Linux reports it.

use std::fs;

/// What a thread does at the moment of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It runs, or would run if it had a processor.
    Runs,
    /// It sleeps. The number is the same for two looks at one sleep.
    Sleeps(u64),
    /// The thread is gone.
    Gone,
}

/// A thread of the process.
///
/// Linux sooner or later gives the number of an ended thread to a new one. The time at which they
/// began tells the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The operating system's number (`gettid`).
    pub number: u32,
    /// When it began, in ticks of the kernel's clock modulo [`Thread::TIMES`]; 0: not known.
    pub began: u32,
}

impl Thread {
    /// Times of beginning differ by this number at most: those of threads that began within three
    /// hours.
    pub const TIMES: u32 = 1 << 20;

    /// The running thread.
    pub fn current() -> Self {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
        let number = stat
            .split(' ')
            .next()
            .and_then(|number| number.parse().ok());
        Self {
            number: number.unwrap_or(0),
            began: began(&stat).unwrap_or(0),
        }
    }
}

/// A thread whose time of beginning is not known.
impl From<u32> for Thread {
    fn from(number: u32) -> Self {
        Self { number, began: 0 }
    }
}

/// The 22nd field, which is the 20th behind the name in parentheses. Never 0.
fn began(stat: &str) -> Option<u32> {
    let (_, behind) = stat.rsplit_once(") ")?;
    let ticks: u64 = behind.split(' ').nth(19)?.parse().ok()?;
    Some(((ticks % u64::from(Thread::TIMES)) as u32).max(1))
}

/// What this thread of the process does. If /proc does not say, it sleeps: too many running tasks
/// are better than none.
///
/// A thread that waits for the garbage collector sleeps as well. The caller has to know that.
pub fn look_at(thread: Thread) -> Doing {
    let folder = format!("/proc/self/task/{}", thread.number);
    let Ok(status) = fs::read_to_string(format!("{folder}/status")) else {
        return match fs::exists("/proc/self/status") {
            Ok(true) => Doing::Gone,
            _ => UNKNOWN,
        };
    };
    // Read after the status: if another thread has the number by now, that status means nothing.
    if thread.began != 0
        && let Ok(stat) = fs::read_to_string(format!("{folder}/stat"))
        && began(&stat).is_some_and(|began| began != thread.began)
    {
        return Doing::Gone;
    }
    read(&status).unwrap_or(UNKNOWN)
}

const UNKNOWN: Doing = Doing::Sleeps(u64::MAX);

/// Returns `None` if the text is not a thread's status.
fn read(status: &str) -> Option<Doing> {
    let field = |name: &str| {
        let lines = status.lines();
        lines
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
            .next()
    };
    Some(match field("State")?.chars().next()? {
        // It runs, or a debugger or a signal has stopped it, which would stop another holder as
        // well.
        'R' | 'T' | 't' => Doing::Runs,
        'Z' | 'X' => Doing::Gone,
        // A thread that goes to sleep switches voluntarily to another one.
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
    #[cfg_attr(miri, ignore = "has no threads that Linux knows")]
    fn a_running_thread_runs_and_others_are_gone() {
        let own = Thread::current();
        assert_eq!(look_at(own), Doing::Runs);
        assert_eq!(look_at(Thread::from(own.number)), Doing::Runs);
        assert_eq!(look_at(Thread::from(u32::MAX)), Doing::Gone);
        // As if its number had been another thread's before.
        let began = own.began ^ 1;
        assert_eq!(look_at(Thread { began, ..own }), Doing::Gone);
    }

    #[test]
    fn a_beginning_is_found_behind_any_name() {
        let stat = |ticks: u64| {
            format!("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 {ticks} 20 21\n")
        };
        assert_eq!(began(&stat(1234)), Some(1234));
        assert_eq!(began(&stat(u64::from(Thread::TIMES) + 5)), Some(5));
        assert_eq!(began(&stat(u64::from(Thread::TIMES))), Some(1));
        assert_eq!(began("7 (a"), None);
    }
}
