//! Reports for people.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style};

use crate::model::{Model, TargetRow};

/// What the targets are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// Time in the target, callbacks included.
    #[default]
    Total,
    /// Time in the target, callbacks excluded.
    #[value(name = "self")]
    Own,
    /// Number of calls.
    Calls,
    /// Mean time of a call.
    Mean,
    /// Longest call.
    Max,
    /// Name.
    Name,
}

/// How much a report shows.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Also the runtime's own targets, one by one.
    pub all: bool,
    /// What the targets are sorted by.
    pub sort: Sort,
    /// The most targets to show; 0: all.
    pub top: usize,
}

/// Sorts the targets of a model.
pub fn sort(model: &mut Model, by: Sort) {
    let key = |f: fn(&TargetRow) -> u64| move |row: &TargetRow| std::cmp::Reverse(f(row));
    match by {
        Sort::Total => model.targets.sort_by_key(key(|row| row.total_ns)),
        Sort::Own => model.targets.sort_by_key(key(|row| row.self_ns)),
        Sort::Calls => model.targets.sort_by_key(key(|row| row.calls)),
        Sort::Mean => model
            .targets
            .sort_by_key(key(|row| row.mean_ns.unwrap_or(0))),
        Sort::Max => model
            .targets
            .sort_by_key(key(|row| row.max_ns.unwrap_or(0))),
        Sort::Name => model.targets.sort_by_key(TargetRow::name),
    }
}

const HEAD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const WARN: Style = AnsiColor::Yellow.on_default();

/// Slow and open calls that are shown one by one.
const MOST_ROWS: usize = 10;
/// Frames of a stack that are shown.
const MOST_FRAMES: usize = 6;

/// Nanoseconds with a fitting unit, in at most seven characters: `812 ns`, `4.21 s`.
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

/// A number with its thousands apart.
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

fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Writes the report.
///
/// # Errors
/// Those of `out`.
pub fn report(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    head(model, out)?;
    targets(model, shown, out)?;
    tasks(model, out)?;
    slow(model, shown, out)?;
    open(model, shown, out)?;
    warnings(model, out)
}

fn head(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let program = model.command_line.join(" ");
    let ended = match (model.ended, model.exit_code, model.signal) {
        ("exit", Some(code), _) => format!("exit code {code}"),
        ("exit", ..) => "exited".into(),
        ("signal", _, Some(signal)) => {
            format!("ended by signal {signal} ({})", signal_name(signal))
        }
        ("killed", ..) => "killed".into(),
        (other, ..) => other.into(),
    };
    let runtime = &model.runtime;
    writeln!(
        out,
        "{HEAD}soglia: {program}{HEAD:#}\n{} {}, process {}, {ended}, {}",
        runtime.name,
        runtime.version,
        model.pid,
        time(model.duration_ns)
    )?;
    let crossings = &model.crossings;
    let deepest = model
        .tasks
        .iter()
        .map(|task| task.max_depth)
        .max()
        .unwrap_or(0);
    writeln!(
        out,
        "{}: {} to native code, {} from it, on {}, up to {} deep\n",
        plural(crossings.all(), "crossing", "crossings"),
        plural(crossings.leave, "call", "calls"),
        plural(crossings.reverse_enter, "callback", "callbacks"),
        plural(model.tasks.len() as u64, "task", "tasks"),
        plural(u64::from(deepest), "layer", "layers"),
    )
}

fn targets(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let wanted = |row: &&TargetRow| shown.all || !row.runtime_internal;
    let all: Vec<&TargetRow> = model.targets.iter().filter(wanted).collect();
    let top = if shown.top == 0 {
        all.len()
    } else {
        shown.top.min(all.len())
    };
    if !all.is_empty() {
        let columns = ["calls", "total", "self", "mean", "p50", "p99", "max"];
        write!(out, "{HEAD}{:>11}", columns[0])?;
        for column in &columns[1..] {
            write!(out, " {column:>8}")?;
        }
        writeln!(out, "  target{HEAD:#}")?;
    }
    for row in &all[..top] {
        let optional = |ns: Option<u64>| ns.map_or_else(|| "-".into(), time);
        write!(out, "{:>11}", count(row.calls))?;
        for text in [
            optional(row.mean_ns.map(|_| row.total_ns)),
            optional(row.mean_ns.map(|_| row.self_ns)),
            optional(row.mean_ns),
            optional(row.p50_ns),
            optional(row.p99_ns),
            optional(row.max_ns),
        ] {
            write!(out, " {text:>8}")?;
        }
        let arrow = if row.direction == "reverse" {
            "<-"
        } else {
            "->"
        };
        write!(out, "  {arrow} {}", row.name())?;
        let mut notes = Vec::new();
        notes.extend(declared_as(row));
        if row.open > 0 {
            notes.push(format!("{} open", count(row.open)));
        }
        if row.abandoned > 0 {
            notes.push(format!("{} abandoned", count(row.abandoned)));
        }
        if !notes.is_empty() {
            write!(out, "  {DIM}{}{DIM:#}", notes.join(", "))?;
        }
        writeln!(out)?;
    }
    if top < all.len() {
        let rest = all.len() - top;
        writeln!(out, "{:>11} more (--top 0 shows all)", count(rest as u64))?;
    }
    if !shown.all {
        let own: Vec<&TargetRow> = model
            .targets
            .iter()
            .filter(|row| row.runtime_internal)
            .collect();
        let calls = own.iter().map(|row| row.calls).sum();
        let total = own.iter().map(|row| row.self_ns).sum();
        if calls > 0 {
            writeln!(
                out,
                "{:>11} {:>8} {:>8} {:>35}  {DIM}{} of the runtime's own (--all shows them){DIM:#}",
                count(calls),
                "",
                time(total),
                "",
                plural(own.len() as u64, "target", "targets"),
            )?;
        }
    }
    if model.crossings.all() == 0 {
        writeln!(
            out,
            "no managed code called native code, nor the other way round"
        )?;
    }
    Ok(())
}

/// Where a target with an entry point was declared: the assembly, and the method if it has another name.
fn declared_as(row: &TargetRow) -> Option<String> {
    let (entry, method) = (row.entry.as_ref()?, row.method.as_ref()?);
    let assembly = row.assembly.as_ref()?;
    let same = method
        .strip_suffix(entry.as_str())
        .is_some_and(|rest| rest.ends_with('.'));
    Some(if same {
        assembly.clone()
    } else {
        format!("{assembly}, {method}")
    })
}

fn tasks(model: &Model, out: &mut impl Write) -> io::Result<()> {
    if model.tasks.len() < 2 {
        return Ok(());
    }
    writeln!(
        out,
        "\n{HEAD}{:>11} {:>8} {:>6} {:>10}  task{HEAD:#}",
        "crossings", "native", "deep", "thread"
    )?;
    let mut rows: Vec<_> = model.tasks.iter().collect();
    rows.sort_by_key(|task| std::cmp::Reverse(task.crossings));
    for task in rows.iter().take(MOST_ROWS) {
        let mut what = task.kind.to_owned();
        if let Some(name) = &task.name {
            let _ = write!(what, " \"{name}\"");
        }
        if task.threads > 1 {
            let _ = write!(what, ", {} threads one after the other", task.threads);
        }
        writeln!(
            out,
            "{:>11} {:>8} {:>6} {:>10}  {what}",
            count(task.crossings),
            time(task.unmanaged_ns),
            task.max_depth,
            task.os_thread,
        )?;
    }
    if rows.len() > MOST_ROWS {
        writeln!(
            out,
            "{:>11} more (--format json has all)",
            rows.len() - MOST_ROWS
        )?;
    }
    Ok(())
}

fn slow(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let mut rows: Vec<_> = model
        .slow
        .iter()
        .filter(|row| shown.all || !row.runtime_internal)
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.duration_ns));
    let threshold = time(model.slow_threshold_ns);
    writeln!(
        out,
        "\n{HEAD}{} of at least {threshold}{HEAD:#}",
        plural(rows.len() as u64, "call", "calls")
    )?;
    for row in rows.iter().take(MOST_ROWS) {
        writeln!(
            out,
            "{:>11}  {} {DIM}at {}, task {}{DIM:#}",
            time(row.duration_ns),
            row.target,
            time(row.t),
            row.task
        )?;
        stack(&row.stack, out)?;
    }
    if rows.len() > MOST_ROWS {
        writeln!(
            out,
            "{:>11} more (--format json has all)",
            rows.len() - MOST_ROWS
        )?;
    }
    Ok(())
}

fn stack(frames: &[String], out: &mut impl Write) -> io::Result<()> {
    for frame in frames.iter().take(MOST_FRAMES) {
        writeln!(out, "{:>13}{DIM}{frame}{DIM:#}", "")?;
    }
    if frames.len() > MOST_FRAMES {
        let more = frames.len() - MOST_FRAMES;
        writeln!(out, "{:>13}{DIM}... {more} more{DIM:#}", "")?;
    }
    Ok(())
}

fn open(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<_> = model
        .open
        .iter()
        .filter(|row| shown.all || !row.runtime_internal)
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let when = if model.ended == "running" {
        "now"
    } else {
        "at the end"
    };
    writeln!(
        out,
        "\n{HEAD}{} open {when}{HEAD:#}",
        plural(rows.len() as u64, "call", "calls")
    )?;
    for row in rows.iter().take(2 * MOST_ROWS) {
        let arrow = if row.direction == "reverse" {
            "<-"
        } else {
            "->"
        };
        let indent = (row.depth as usize).min(20) * 2;
        writeln!(
            out,
            "{:>11}  {:indent$}{arrow} {} {DIM}task {}{DIM:#}",
            time(row.duration_ns),
            "",
            row.target,
            row.task
        )?;
        stack(&row.stack, out)?;
    }
    if rows.len() > 2 * MOST_ROWS {
        writeln!(
            out,
            "{:>11} more (--format json has all)",
            rows.len() - 2 * MOST_ROWS
        )?;
    }
    Ok(())
}

fn warnings(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let mut lines: Vec<String> = model.remarks.clone();
    for fault in &model.faults {
        lines.push(format!(
            "{} {}: {}",
            count(fault.count),
            fault.kind,
            fault.meaning
        ));
    }
    if model.dropped_events > 0 {
        lines.push(format!(
            "{} are not among the events: the recording was full (--max-size makes it larger); the account is complete",
            plural(model.dropped_events, "crossing", "crossings")
        ));
    }
    if model.dropped_crossings > 0 {
        lines.push(format!(
            "{} were not recorded at all: no room on the disk, or --max-size too small",
            plural(model.dropped_crossings, "crossing", "crossings")
        ));
    }
    let records = model.dropped - model.dropped_events - model.dropped_crossings;
    if records > 0 {
        lines.push(format!(
            "{} or stacks were counted but not kept",
            plural(records, "slow call", "slow calls")
        ));
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }
    for line in lines {
        writeln!(out, "{WARN}note:{WARN:#} {line}")?;
    }
    Ok(())
}

/// The usual name of a signal.
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
    fn counts_have_their_thousands_apart() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
