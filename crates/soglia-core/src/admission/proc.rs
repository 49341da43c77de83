//! Which threads sleep, as Linux tells it.

use std::fs;

/// What a thread does when it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It runs, or would if it had a processor.
    Runs,
    /// It sleeps. The number is the same for two looks at the same sleep.
    Sleeps(u64),
    /// There is no such thread any more.
    Gone,
}

/// A thread of the process.
///
/// Linux gives the number of a thread that has ended to another one, sooner or later. When it began
/// tells the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The operating system's number (`gettid`).
    pub number: u32,
    /// When it began, in ticks of the kernel's clock, of which [`Thread::TIMES`] are told apart; 0:
    /// that is not known.
    pub began: u32,
}

impl Thread {
    /// So many beginnings are told apart: of threads with one number, those that began up to three
    /// hours one after the other.
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

/// A thread of which it is not known when it began.
impl From<u32> for Thread {
    fn from(number: u32) -> Self {
        Self { number, began: 0 }
    }
}

/// The 22nd field, which is the 20th behind the name in parentheses; never 0.
fn began(stat: &str) -> Option<u32> {
    let (_, behind) = stat.rsplit_once(") ")?;
    let ticks: u64 = behind.split(' ').nth(19)?.parse().ok()?;
    Some(((ticks % u64::from(Thread::TIMES)) as u32).max(1))
}

/// What this thread of the process does. If /proc cannot tell, it sleeps: better that too many tasks run than none.
///
/// A thread that the garbage collector or anybody else has made wait sleeps as well; who knows better, says so.
pub fn look_at(thread: Thread) -> Doing {
    let folder = format!("/proc/self/task/{}", thread.number);
    let Ok(status) = fs::read_to_string(format!("{folder}/status")) else {
        return match fs::exists("/proc/self/status") {
            Ok(true) => Doing::Gone,
            _ => UNKNOWN,
        };
    };
    // Read after the status: who has begun by now may be another one, and then that status is void.
    if thread.began != 0
        && let Ok(stat) = fs::read_to_string(format!("{folder}/stat"))
        && began(&stat).is_some_and(|began| began != thread.began)
    {
        return Doing::Gone;
    }
    read(&status).unwrap_or(UNKNOWN)
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
        let own = Thread::current();
        assert_eq!(look_at(own), Doing::Runs);
        assert_eq!(look_at(Thread::from(own.number)), Doing::Runs);
        assert_eq!(look_at(Thread::from(u32::MAX)), Doing::Gone);
        // Its number was another thread's, once.
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
