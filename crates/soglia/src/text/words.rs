//! Numbers, times and other words of reports.

use std::io::{self, Write};

use crate::model::Model;

/// A duration with a fitting unit, in at most seven characters up to 9999 s: `812 ns`, `4.21 s`.
pub fn time(ns: u64) -> String {
    let ns = ns as f64;
    let (value, unit) = match ns {
        n if n < 1e3 => return format!("{n} ns"),
        n if n < 999.5e3 => (n / 1e3, "µs"),
        n if n < 999.5e6 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let decimals = if value < 9.995 {
        2
    } else {
        usize::from(value < 99.95)
    };
    format!("{value:.decimals$} {unit}")
}

/// A number with a comma between thousands.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration that may be a lower bound.
pub(super) fn time_of(ns: u64, at_least: bool) -> String {
    if at_least {
        format!("at least {}", time(ns))
    } else {
        time(ns)
    }
}

/// The durations from one to another, either of which may be the same: `352 to 396 ms`. The longest
/// may be a lower bound.
pub(super) fn range(least: u64, most: u64, at_least: bool) -> String {
    let (shortest, longest) = (time(least), time(most));
    if shortest == longest {
        return time_of(most, at_least);
    }
    let unit = longest.split(' ').nth(1);
    let shortest = match shortest.split_once(' ') {
        Some((number, of)) if Some(of) == unit => number,
        _ => &shortest,
    };
    match at_least {
        false => format!("{shortest} to {longest}"),
        true => format!("{shortest} to at least {longest}"),
    }
}

/// A part of a whole as a percentage.
pub(super) fn percent(part: f64) -> String {
    match part * 100.0 {
        p if p <= 0.0 => "0 %".into(),
        p if p < 1.0 => "< 1 %".into(),
        p => format!("{p:.0} %"),
    }
}

pub(super) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// What happened to calls that count as refused.
pub(super) fn denied(model: &Model) -> &'static str {
    match &model.policy {
        Some(policy) if policy.audit => "would have been denied",
        _ => "denied",
    }
}

/// Writes how many rows of a list are not shown. `left_out` of them are in no other format either.
pub(super) fn more(n: u64, left_out: u64, out: &mut impl Write) -> io::Result<()> {
    let all = match left_out {
        0 => "--format json has all".into(),
        left_out => format!("--format json has all except {}", count(left_out)),
    };
    match n {
        0 => Ok(()),
        n => writeln!(out, "{:>7} more ({all})", count(n)),
    }
}

/// The name of a signal, as in `SIGSEGV`.
pub fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        _ => "no name",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_exact_enough() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (9_994, "9.99 µs"),
            (9_996, "10.0 µs"),
            (99_960, "100 µs"),
            (999_400, "999 µs"),
            (999_600, "1.00 ms"),
            (1_500_000_000, "1.50 s"),
            (7_200_000_000_000, "7200 s"),
        ];
        for (ns, text) in cases {
            assert_eq!(time(ns), text);
        }
    }

    #[test]
    fn counts_have_commas_between_thousands() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
