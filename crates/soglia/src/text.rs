//! Reports for people.

mod calls;
mod cell;
mod notes;
mod overdue;
mod place;
mod slots;
mod verdict;

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style};

use crate::model::{Model, TargetRow};
pub use cell::cell;
pub use overdue::news;
pub use soglia_core::plain::{Plain, plain, plain_path};
pub use verdict::verdict;

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

/// A time that may be a lower bound.
fn time_of(ns: u64, at_least: bool) -> String {
    if at_least {
        format!("at least {}", time(ns))
    } else {
        time(ns)
    }
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
    tasks(model, shown, out)?;
    slots::section(model, out)?;
    overdue::section(model, out)?;
    calls::slow(model, shown, out)?;
    calls::open(model, shown, out)?;
    notes::unwatched(model, out)?;
    notes::notes(model, out)
}

fn head(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let args = model.command_line.iter().map(|arg| plain(arg).to_string());
    let program = args.collect::<Vec<_>>().join(" ");
    let ended = match (model.ended, model.exit_code, model.signal) {
        ("exit", Some(code), _) => format!("exit code {code}"),
        ("exit", ..) => "exited".into(),
        ("signal", _, Some(signal)) => {
            format!("ended by signal {signal} ({})", signal_name(signal))
        }
        ("killed", ..) => "killed".into(),
        ("unknown", ..) => "end unknown".into(),
        (other, ..) => other.into(),
    };
    let runtime = &model.runtime;
    writeln!(
        out,
        "{HEAD}soglia: {program}{HEAD:#}\n{} {}, process {}, {ended}, {}{}",
        plain(&runtime.name),
        plain(&runtime.version),
        model.pid,
        time_of(model.duration_ns, model.duration_at_least),
        source(model),
    )?;
    let crossings = &model.crossings;
    let refused = model.targets.iter().map(|row| row.refused).sum();
    // Returns are not told of calls that are only counted: neither their number is known, nor how deep calls were nested.
    let sum = crossings.all();
    let sum = sum.map_or_else(|| "counted".into(), |n| plural(n, "crossing", "crossings"));
    let deepest = model.tasks.iter().filter_map(|task| task.max_depth).max();
    let deepest = deepest.unwrap_or(0);
    writeln!(
        out,
        "{sum}: {} to native code, {} from it{}, on {}{}\n",
        plural(crossings.leave, "call", "calls"),
        plural(crossings.reverse_enter, "callback", "callbacks"),
        if refused == 0 {
            String::new()
        } else {
            format!(", {} {}", plural(refused, "call", "calls"), refusal(model))
        },
        plural(
            model.tasks.len() as u64 + model.left_out.tasks,
            "task",
            "tasks"
        ),
        match deepest {
            0 => String::new(),
            n => format!(", up to {} deep", plural(n.into(), "layer", "layers")),
        },
    )
}

/// What happened to calls that are counted as refused.
fn refusal(model: &Model) -> &'static str {
    match &model.policy {
        Some(policy) if policy.audit => "would have been refused",
        _ => "refused",
    }
}

/// What `soglia run` was told, if that matters for what is not here.
fn source(model: &Model) -> &'static str {
    match (model.source, model.scope) {
        (Some("woven"), Some("framework")) => ", source woven, --framework",
        (Some("woven"), Some("corelib")) => ", source woven, --corelib",
        (Some("woven"), _) => ", source woven",
        _ => "",
    }
}

fn targets(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let wanted = |row: &&TargetRow| shown.all || !row.runtime_internal;
    let all: Vec<&TargetRow> = model.targets.iter().filter(wanted).collect();
    let top = if shown.top == 0 {
        all.len()
    } else {
        shown.top.min(all.len())
    };
    // Of calls that were only counted there is nothing to say in these columns.
    let timed = model.level != "counts" || all.iter().any(|row| row.returned > 0);
    if !all.is_empty() {
        write!(out, "{HEAD}{:>11}", "calls")?;
        for column in ["total", "self", "mean", "p50", "p99", "max"] {
            if timed {
                write!(out, " {column:>8}")?;
            }
        }
        writeln!(out, "  target{HEAD:#}")?;
    }
    let files = place::Files::of(&model.targets);
    for row in &all[..top] {
        line(row, model, timed, &files, out)?;
    }
    if top < all.len() {
        let rest = all.len() - top;
        writeln!(out, "{:>11} more (--top 0 shows all)", count(rest as u64))?;
    }
    if timed && all[..top].iter().any(|row| first_was_longest(row, model)) {
        let what = if model.source == Some("woven") {
            ": finding and loading it is in that time"
        } else {
            ""
        };
        writeln!(
            out,
            "{:>11} {DIM}the longest call was the first{what}{DIM:#}",
            "*"
        )?;
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
            write!(out, "{:>11}", count(calls))?;
            if timed {
                write!(out, " {:>8} {:>8} {:>35}", "", time(total), "")?;
            }
            writeln!(
                out,
                "  {DIM}{} of the runtime's own (--all shows them){DIM:#}",
                plural(own.len() as u64, "target", "targets"),
            )?;
        }
    }
    let unseen = match (model.source, model.scope) {
        (Some("woven"), Some("user")) => Some((
            "the framework's own calls",
            "--framework watches them, --corelib the core library's as well",
        )),
        (Some("woven"), Some("framework")) => {
            Some(("the core library's own calls", "--corelib watches them"))
        }
        _ => None,
    };
    let crossed = model.crossings.leave + model.crossings.reverse_enter;
    if model.targets.is_empty() && crossed.saturating_add(model.dropped_crossings) == 0 {
        let whose = unseen.map_or("", |_| " that is watched");
        writeln!(
            out,
            "no managed code{whose} called native code, nor the other way round"
        )?;
    }
    if let Some((what, option)) = unseen {
        writeln!(
            out,
            "{:>11} {DIM}{what} were not watched ({option}){DIM:#}",
            "-"
        )?;
    }
    Ok(())
}

/// Whether the longest call was the first one, which is worth a word: of several, or if more than the call was in it.
fn first_was_longest(row: &TargetRow, model: &Model) -> bool {
    let least = if model.source == Some("woven") { 1 } else { 2 };
    row.returned >= least && row.first_call_ns.is_some() && row.first_call_ns == row.max_ns
}

/// The line of one target.
fn line(
    row: &TargetRow,
    model: &Model,
    timed: bool,
    files: &place::Files,
    out: &mut impl Write,
) -> io::Result<()> {
    let optional = |ns: Option<u64>| ns.map_or_else(|| "-".into(), time);
    write!(out, "{:>11}", count(row.calls))?;
    for ns in [
        row.mean_ns.map(|_| row.total_ns),
        row.mean_ns.map(|_| row.self_ns),
        row.mean_ns,
        row.p50_ns,
        row.p99_ns,
        row.max_ns,
    ] {
        if timed {
            write!(out, " {:>8}", optional(ns))?;
        }
    }
    let mark = if timed && first_was_longest(row, model) {
        "*"
    } else {
        " "
    };
    let arrow = if row.direction == "reverse" {
        "<-"
    } else {
        "->"
    };
    write!(out, "{mark} {arrow} {}", plain(&row.name()))?;
    let mut notes = Vec::new();
    notes.extend(declared_as(row));
    notes.extend(files.tell(row));
    notes.extend(
        row.redirected_to
            .as_ref()
            .map(|to| format!("redirected to {}", plain(to))),
    );
    if row.open > 0 {
        let longest = row.open_max_ns.filter(|_| timed);
        let longest = longest.map(|ns| format!(" for {}", time_of(ns, row.open_at_least)));
        // What the events do not tell of is not open for that.
        let where_ = if model.replayed && model.dropped_events > 0 {
            " where its events end"
        } else {
            ""
        };
        notes.push(format!(
            "{} open{}{where_}",
            count(row.open),
            longest.unwrap_or_default()
        ));
    }
    for (n, what) in [
        (row.abandoned, "abandoned"),
        (row.failed, "failed"),
        (row.refused, refusal(model)),
    ] {
        if n > 0 {
            notes.push(format!("{} {what}", count(n)));
        }
    }
    if !notes.is_empty() {
        write!(out, "  {DIM}{}{DIM:#}", notes.join(", "))?;
    }
    writeln!(out)
}

/// Where a target with an entry point was declared: the assembly, and the method if it has another name.
fn declared_as(row: &TargetRow) -> Option<String> {
    if row.method.is_none() && row.library.is_some() {
        return Some("by function pointer".into());
    }
    let (entry, method) = (row.entry.as_ref()?, row.method.as_ref()?);
    let assembly = row.assembly.as_ref()?;
    let same = method
        .strip_suffix(entry.as_str())
        .is_some_and(|rest| rest.ends_with('.'));
    Some(if same {
        plain(assembly).to_string()
    } else {
        format!("{}, {}", plain(assembly), plain(method))
    })
}

/// The tasks, by number in front: the rest of the report refers to them so.
fn tasks(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let named = calls::tasks_named(model, shown);
    if model.tasks.len() < 2 && named.is_empty() {
        return Ok(());
    }
    // Of calls that were only counted there is nothing to say in these columns.
    let timed = model.tasks.iter().any(|task| task.max_depth.is_some());
    let counted = if model.crossings.all().is_some() {
        "crossings"
    } else {
        "calls"
    };
    write!(out, "\n{HEAD}{:>11} {counted:>11}", "task")?;
    if timed {
        write!(out, " {:>8} {:>6}", "native", "deep")?;
    }
    writeln!(out, " {:>10}  kind{HEAD:#}", "thread")?;
    let mut rows: Vec<_> = model.tasks.iter().collect();
    rows.sort_by_key(|task| std::cmp::Reverse(task.crossings));
    let mut left = 0;
    for (n, task) in rows.iter().enumerate() {
        if n >= MOST_ROWS && !named.contains(&task.task) {
            left += 1;
            continue;
        }
        let mut what = task.kind.to_owned();
        if let Some(name) = &task.name {
            let _ = write!(what, " \"{}\"", plain(name));
        }
        if task.threads > 1 {
            let _ = write!(what, ", {} threads one after the other", task.threads);
        }
        write!(out, "{:>11} {:>11}", task.task, count(task.crossings))?;
        if timed {
            let optional = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            write!(
                out,
                " {:>8} {:>6}",
                optional(task.unmanaged_ns.map(time)),
                optional(task.max_depth.map(|depth| depth.to_string())),
            )?;
        }
        writeln!(out, " {:>10}  {what}", task.os_thread)?;
    }
    more(left + model.left_out.tasks, model.left_out.tasks, out)
}

/// Says how many rows of a list are not shown, and how many of these not even other formats have.
fn more(n: u64, left_out: u64, out: &mut impl Write) -> io::Result<()> {
    let all = match left_out {
        0 => "--format json has all".into(),
        left_out => format!("--format json has all but {}", count(left_out)),
    };
    match n {
        0 => Ok(()),
        n => writeln!(out, "{:>11} more ({all})", count(n)),
    }
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
