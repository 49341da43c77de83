//! The sections that list single calls: slow ones and open ones.

use std::{
    cmp::Reverse,
    collections::HashMap,
    io::{self, Write},
};

use super::{
    frames::{frames, method},
    moments::{Moments, Thread},
    screen::{Line, Screen},
    shown::{MOST_FRAMES, MOST_ROWS, Shown},
    style::{DIM, HEAD, arrow},
    words::{more, plural, range, time},
};
use soglia_core::trace::arguments::Arguments;

use crate::model::{
    ArgumentRow, Model, OpenRow, RequestRow, SlowRow, argument_rows,
    arguments::{in_one_line, request, value},
    request_row,
};

/// Columns of a duration, before the name of a target.
pub(super) const DURATION: usize = 11;
/// Columns before what is said of a call.
pub(super) const INDENT: usize = DURATION + 2;

/// Rows that are alike, in the order of their first.
pub(super) fn groups<'a, T, K: Eq + std::hash::Hash>(
    rows: &[&'a T],
    key: impl Fn(&'a T) -> K,
) -> Vec<Vec<&'a T>> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut groups: Vec<Vec<&T>> = Vec::new();
    for row in rows {
        let place = *places.entry(key(row)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(row);
    }
    groups
}

pub(super) fn slow(
    model: &Model,
    moments: &Moments,
    shown: Shown,
    out: &mut impl Write,
) -> io::Result<()> {
    let wanted = |row: &&SlowRow| shown.all || !row.runtime_internal;
    let mut rows: Vec<_> = model.slow.iter().filter(wanted).collect();
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_by_key(|row| Reverse(row.duration_ns));
    let left_out = model.left_out.slow;
    let all = rows.len() as u64 + left_out;
    writeln!(
        out,
        "\n{HEAD}{} ({} or longer){HEAD:#}",
        plural(all, "slow call", "slow calls"),
        time(model.slow_threshold_ns)
    )?;
    let groups = groups(&rows, |row| (&row.target, &row.stack));
    let hidden: usize = groups.iter().skip(MOST_ROWS).map(Vec::len).sum();
    for group in groups.iter().take(MOST_ROWS) {
        // The longest is the first.
        let (Some(longest), Some(shortest)) = (group.first(), group.last()) else {
            continue;
        };
        let long = range(shortest.duration_ns, longest.duration_ns, false);
        let name = match longest.direction {
            "reverse" => format!("{} {}", arrow("reverse"), method(&longest.target)),
            _ => method(&longest.target),
        };
        heading(group.len(), &long, 0, &name, shown.screen, out)?;
        let threads: Vec<Thread> = group.iter().map(|row| (row.process, row.task)).collect();
        let times = format!(
            "began at {}, returned at {}",
            moments.moment(longest.process, longest.began),
            moments.moment(longest.process, longest.returned)
        );
        let who = moments.threads(&threads);
        let said = match group.len() {
            1 => format!("{who}, {times}"),
            _ => format!("{who}; the longest {times}"),
        };
        shown
            .screen
            .sentences(Line::indented(INDENT), DIM, &said, out)?;
        if let Some(args) = given(longest) {
            let which = if group.len() == 1 { "" } else { "the longest " };
            let said = format!("{which}with {args}");
            let style = anstyle::Style::new();
            shown
                .screen
                .sentences(Line::indented(INDENT), style, &said, out)?;
        }
        stack(&longest.stack, shown.screen, out)?;
    }
    more(hidden as u64 + left_out, left_out, out)
}

/// What a slow call was given, and what it returned: `path: "/x"; returned -1, error ENOENT (2)`.
/// `None` if that was not recorded.
pub(super) fn given(row: &SlowRow) -> Option<String> {
    let args = row.args.as_ref()?;
    let (result, error) = (row.result.as_deref(), row.error.as_deref());
    Some(all_of(args, result, error, &row.request))
}

/// Recorded arguments in one line, with the returned value and the last error.
pub fn given_in(of: &Arguments) -> String {
    let (result, error) = (of.returned.as_deref(), of.error.as_deref());
    all_of(&argument_rows(of), result, error, &request_row(Some(of)))
}

fn all_of(
    args: &[ArgumentRow],
    result: Option<&str>,
    error: Option<&str>,
    of: &RequestRow,
) -> String {
    let mut said = passed(args);
    if let Some(result) = result {
        said = format!("{said}; returned {}", value(result));
    }
    if let Some(error) = error {
        said = format!("{said}; error {}", value(error));
    }
    if let Some(request) = request(of) {
        said = format!("{said}; {request}");
    }
    said
}

/// Arguments in one line.
pub(super) fn passed(args: &[ArgumentRow]) -> String {
    match args.is_empty() {
        true => "no arguments".to_owned(),
        false => in_one_line(args),
    }
}

/// Writes the slowest call in one line, if its arguments are known.
pub(super) fn slowest(
    model: &Model,
    moments: &Moments,
    shown: Shown,
    out: &mut impl Write,
) -> io::Result<()> {
    let wanted =
        |row: &&SlowRow| row.direction != "reverse" && (shown.all || !row.runtime_internal);
    let slow = model.slow.iter().filter(wanted);
    let Some(row) = slow.max_by_key(|row| row.duration_ns) else {
        return Ok(());
    };
    let Some(args) = given(row) else {
        return Ok(());
    };
    let (name, took) = (method(&row.target), time(row.duration_ns));
    let process = moments.process(row.process);
    let of = process.map_or_else(String::new, |process| format!(", in {process}"));
    let said = format!("slowest: {name}, {took}{of}, with {args}");
    let style = anstyle::Style::new();
    shown.screen.sentences(Line::default(), style, &said, out)
}

/// Writes the first line of a call, or of several calls that are alike.
pub(super) fn heading(
    calls: usize,
    long: &str,
    indent: usize,
    name: &str,
    screen: Screen,
    out: &mut impl Write,
) -> io::Result<()> {
    let before = match calls {
        1 => long.to_owned(),
        n => format!("{}, {long}", plural(n as u64, "call", "calls")),
    };
    let line = Line::default().right(DURATION, &before).text("  ");
    let line = line.text(&" ".repeat(indent));
    let name = screen.name(name, line.columns());
    line.text(&name).write(screen, out)
}

/// The open calls of one task, outermost first.
type Chain<'a> = Vec<&'a OpenRow>;

/// What two chains have in common that are shown as one.
fn alike<'a>(chain: &Chain<'a>) -> Vec<(&'a str, &'a str, &'a [String])> {
    let of = chain.iter();
    of.map(|row| (row.direction, &*row.target, &*row.stack))
        .collect()
}

pub(super) fn open(
    model: &Model,
    moments: &Moments,
    shown: Shown,
    out: &mut impl Write,
) -> io::Result<()> {
    let wanted = |row: &&OpenRow| shown.all || !row.runtime_internal;
    let thread = |row: &OpenRow| (row.process, row.task);
    let mut chains: Vec<Chain> = Vec::new();
    for row in model.open.iter().filter(wanted) {
        match chains.last_mut() {
            Some(chain) if chain.last().is_some_and(|last| thread(last) == thread(row)) => {
                chain.push(row)
            }
            _ => chains.push(vec![row]),
        }
    }
    if chains.is_empty() {
        return Ok(());
    }
    let when = match (model.ended, model.duration_at_least) {
        ("running", _) if model.is_merged() => "now, or when their processes ended",
        _ if model.is_merged() => "when their processes ended",
        ("running", false) => "now",
        ("detached", _) => "when soglia let go",
        (_, false) => "at the end",
        (_, true) => "when the process was last seen alive",
    };
    let left_out = model.left_out.open;
    let all = chains.iter().map(Vec::len).sum::<usize>() as u64 + left_out;
    writeln!(
        out,
        "\n{HEAD}{} {when}{HEAD:#}",
        plural(all, "open call", "open calls")
    )?;
    let chains: Vec<&Chain> = chains.iter().collect();
    let groups = groups(&chains, alike);
    let mut hidden = left_out;
    for (n, group) in groups.iter().enumerate() {
        if n < MOST_ROWS {
            alike_open(group, moments, shown.screen, out)?;
        } else {
            hidden += group.iter().map(|chain| chain.len() as u64).sum::<u64>();
        }
    }
    more(hidden, left_out, out)
}

/// Layers of one task that are shown.
const MOST_LAYERS: usize = 20;

/// Writes the open calls of tasks that are in the same calls.
fn alike_open(
    group: &[&Chain],
    moments: &Moments,
    screen: Screen,
    out: &mut impl Write,
) -> io::Result<()> {
    let tasks = group.iter().flat_map(|chain| chain.first());
    let tasks: Vec<Thread> = tasks.map(|row| (row.process, row.task)).collect();
    let mut who = moments.threads(&tasks);
    if let [task] = tasks[..]
        && let Some(number) = moments.os_thread(task)
    {
        who = format!("{who}, tid {number}");
    }
    let layers = group.first().map_or(0, |chain| chain.len());
    // The innermost say most.
    let skipped = layers.saturating_sub(MOST_LAYERS);
    if skipped > 0 {
        let outer = plural(skipped as u64, "call", "calls");
        Line::indented(INDENT)
            .styled(DIM, &format!("... {outer} outside of these"))
            .write(screen, out)?;
    }
    for layer in skipped..layers {
        let rows = || group.iter().filter_map(|chain| chain.get(layer));
        let Some(oldest) = rows().max_by_key(|row| row.duration_ns) else {
            continue;
        };
        let least = rows().map(|row| row.duration_ns).min().unwrap_or(0);
        let long = range(least, oldest.duration_ns, oldest.duration_at_least);
        let name = format!("{} {}", arrow(oldest.direction), method(&oldest.target));
        heading(1, &long, 2 * (layer - skipped), &name, screen, out)?;
        let which = if group.len() == 1 { "" } else { "the oldest " };
        let mut began = format!(
            "{which}began at {}",
            moments.moment(oldest.process, oldest.began)
        );
        if layer == skipped {
            began = format!("{who}, {began}");
        }
        screen.sentences(Line::indented(INDENT), DIM, &began, out)?;
        if let Some(args) = &oldest.args {
            let said = format!("{which}with {}", passed(args));
            let style = anstyle::Style::new();
            screen.sentences(Line::indented(INDENT), style, &said, out)?;
        }
        if moments.is_overdue(oldest) {
            let above = "(its stack is above)";
            Line::indented(INDENT + 2)
                .styled(DIM, above)
                .write(screen, out)?;
        } else {
            stack(&oldest.stack, screen, out)?;
        }
    }
    Ok(())
}

/// Writes a managed stack as people read it, innermost frame first.
pub(super) fn stack(stack: &[String], screen: Screen, out: &mut impl Write) -> io::Result<()> {
    listed(&frames(stack), screen, out)
}

/// Writes frames, each on its line.
pub(super) fn listed(frames: &[String], screen: Screen, out: &mut impl Write) -> io::Result<()> {
    for frame in frames.iter().take(MOST_FRAMES) {
        let line = Line::indented(INDENT + 2);
        let frame = screen.name(frame, line.columns());
        line.styled(DIM, &frame).write(screen, out)?;
    }
    if frames.len() > MOST_FRAMES {
        let more = frames.len() - MOST_FRAMES;
        let line = Line::indented(INDENT + 2);
        line.styled(DIM, &format!("... {more} more"))
            .write(screen, out)?;
    }
    Ok(())
}
