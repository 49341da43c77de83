//! The limits from which on something is worth a finding.
//!
//! `docs/advice.md` has the same table. A test compares the two.

/// One limit.
pub struct Threshold {
    /// The kind of finding.
    pub id: &'static str,
    /// What is compared.
    pub what: &'static str,
    /// The limit, as people read it.
    pub limit: String,
}

/// Writes a limit for people.
trait Limit {
    fn text(&self) -> String;
}

/// A number.
struct Number(u64);
/// A duration in nanoseconds.
struct Nanoseconds(u64);
/// A part of a hundred.
struct Percent(u64);

impl Limit for Number {
    fn text(&self) -> String {
        crate::text::count(self.0)
    }
}

impl Limit for Nanoseconds {
    fn text(&self) -> String {
        match self.0 {
            n if n >= 1_000_000_000 => format!("{} s", n / 1_000_000_000),
            n if n >= 1_000_000 => format!("{} ms", n / 1_000_000),
            n if n >= 1_000 => format!("{} µs", n / 1_000),
            n => format!("{n} ns"),
        }
    }
}

impl Limit for Percent {
    fn text(&self) -> String {
        format!("{} %", self.0)
    }
}

macro_rules! thresholds {
    ($($id:literal, $name:ident: $unit:ident = $value:literal, $what:literal;)*) => {
        $(#[doc = $what] pub(super) const $name: u64 = $value;)*

        /// All limits.
        pub fn all() -> Vec<Threshold> {
            vec![$(Threshold { id: $id, what: $what, limit: $unit($name).text() }),*]
        }
    };
}

thresholds! {
    "callback-storm", STORM_CALLS: Number = 100_000, "callbacks of the method, at least";
    "callback-storm", STORM_PER_CALL: Number = 100, "callbacks for each native call, at least";
    "callback-storm", STORM_RUN: Percent = 1, "of the run in these callbacks, at least, or";
    "callback-storm", STORM_MANY: Number = 1_000_000, "callbacks of the method, at least";
    "callback-storm", STORM_SELF: Nanoseconds = 5_000, "mean self time of a callback, at most";
    "chatty-target", CHATTY_CALLS: Number = 100_000, "calls of the target, at least";
    "chatty-target", CHATTY_MEDIAN: Nanoseconds = 500, "the median of the calls, at most";
    "chatty-target", CHATTY_RUN: Percent = 1, "of the run in these calls, at least, or";
    "chatty-target", CHATTY_MANY: Number = 1_000_000, "calls of the target, at least";
    "chatty-target", CHATTY_SHARE: Percent = 30, "of all native calls, at least";
    "finalizer-frees", FINALIZER_CALLS: Number = 100, "calls of the target on the finalizer thread, at least";
    "finalizer-frees", FINALIZER_SHARE: Percent = 50, "of the target's calls, at least";
    "gc-wait", GC_LONGEST: Nanoseconds = 100_000_000, "the longest wait of a collection, at least";
    "gc-wait", GC_SHARE: Percent = 10, "of the run that collections waited, at least";
    "library-search", FIRST_CALL: Nanoseconds = 150_000_000, "the first call, at least";
    "library-search", FIRST_TIMES: Number = 20, "times the median that it took, at least";
    "native-lock", LOCK_TASKS: Number = 3, "threads that wait at the same time, at least";
    "native-lock", LOCK_CLOSE: Nanoseconds = 20_000_000, "time in which all of them return after the call that held the lock, at most";
    "needless-last-error", LAST_ERROR_CALLS: Number = 500_000, "calls of the target, at least";
    "needless-last-error", LAST_ERROR_SELF: Nanoseconds = 250, "mean self time of a call, at most";
    "needless-last-error", LAST_ERROR_COST: Nanoseconds = 4, "what SetLastError takes for a call";
    "open-at-crash", CRASH_OPEN: Number = 1, "native calls that were open at the crash, at least";
    "pool-starvation", STARVED_TIMES: Number = 1, "times that the runtime found work waiting, at least, with";
    "pool-starvation", STARVED_SHARE: Percent = 50, "of the time of the pool's threads in native calls, at least; or two slow calls at once; or without the runtime's word";
    "pool-starvation", STARVED_TOGETHER: Number = 4, "slow calls of the pool at once, at least, and two more than processors; or";
    "pool-starvation", STEADY_SHARE: Percent = 80, "of the time of more pool threads than processors in native calls, at least, where";
    "pool-starvation", STEADY_CALLS: Number = 3, "calls of one function for each of these threads, at least, which take";
    "pool-starvation", STEADY_MEDIAN: Nanoseconds = 5_000_000, "each, at least, and differ by at most a tenth";
    "slow-call", SLOW_MAX: Nanoseconds = 100_000_000, "the longest call, at least";
    "slow-call", SLOW_TIMES: Number = 20, "times the median that the longest call took, at least";
    "slow-call", SLOW_CALLS: Number = 5, "calls that returned, at least";
    "string-marshalling", STRINGS_CALLS: Number = 50_000, "calls of the target, at least";
    "string-marshalling", STRINGS_RUN: Percent = 1, "of the run in these calls or conversions, at least, or";
    "string-marshalling", STRINGS_MANY: Number = 500_000, "calls of the target, at least";
    "string-marshalling", STRINGS_SELF: Nanoseconds = 2_000, "mean self time of a call, at most";
    "string-marshalling", STRINGS_COST: Nanoseconds = 50, "what a conversion by generated code takes, about";
    "stuck-call", STUCK_OPEN: Nanoseconds = 10_000_000_000, "time for which a call of a running program is open, at least";
    "stuck-call", STUCK_ENDED: Nanoseconds = 3_000_000_000, "time for which it was open when a signal from outside ended the program, at least";
    "suppress-candidate", CANDIDATE_CALLS: Number = 100_000, "calls of the target, at least";
    "suppress-candidate", CANDIDATE_MEDIAN: Nanoseconds = 150, "the median of the calls, at most; the 99th percentile may be ten times as long";
    "suppress-candidate", CANDIDATE_GAIN: Percent = 1, "of the run that the attribute saves, at least, or";
    "suppress-candidate", CANDIDATE_MANY: Number = 2_000_000, "calls of the target, at least";
    "suppress-candidate", TRANSITION: Nanoseconds = 6, "what the attribute saves of a call";
    "suppress-offender", OFFENDER_MEDIAN: Nanoseconds = 10_000, "the median of the calls, at least, or";
    "suppress-offender", OFFENDER_LONGEST: Nanoseconds = 30_000_000, "the longest call, at least";
    "swallowed-failure", FAILED_CALLS: Number = 1, "calls that failed, at least";
    "unexpected-library", UNEXPECTED_LOADED: Number = 2, "loaded files of one name, at least; or";
    "unexpected-library", UNEXPECTED_FILES: Number = 1, "other files of that name where it is expected, at least";
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_documentation_has_the_same_limits() {
        let docs = include_str!("../../../../docs/advice.md");
        let rows = super::all().into_iter();
        let rows: Vec<String> = rows
            .map(|row| format!("| `{}` | {} | {} |", row.id, row.what, row.limit))
            .collect();
        let table = docs.lines().skip_while(|line| *line != "## Thresholds");
        let found: Vec<&str> = table.filter(|line| line.starts_with("| `")).collect();
        assert_eq!(found, rows, "\n{}\n", rows.join("\n"));
    }
}
