//! Calls that missed their deadlines: in a report, and line by line while the program runs.

use std::io::{self, Write};

use soglia_core::{
    plain::plain,
    trace::{
        log::Record,
        names::Names,
        overdue::{Done, HowEnded, Overdue},
        reader::Reader,
    },
};

use super::{
    calls::stack,
    shown::MOST_ROWS,
    style::{DIM, HEAD},
    words::{more, plural, time, time_of},
};
use crate::model::{
    self, Model, OverdueReport, OverdueRow,
    overdue::{deadline, report},
    target_infos,
};

/// The section of a report.
pub(super) fn section(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let rows = &model.overdue;
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{HEAD}{} past a deadline{HEAD:#} {DIM}(arguments are not recorded){DIM:#}",
        plural(rows.len() as u64 + model.left_out.overdue, "call", "calls")
    )?;
    for row in rows.iter().take(MOST_ROWS) {
        one(row, model.ended == "running", out)?;
    }
    let hidden = rows.len().saturating_sub(MOST_ROWS) as u64;
    let left_out = model.left_out.overdue;
    more(hidden + left_out, left_out, out)
}

fn one(row: &OverdueRow, running: bool, out: &mut impl Write) -> io::Result<()> {
    let Some(last) = row.reports.last() else {
        return Ok(());
    };
    let outcome = match row.outcome {
        "returned" => "returned",
        "failed" => "ended by an exception",
        "open" if running => "open now",
        "open" => "open at the end",
        _ => "gone, nobody told how",
    };
    let ended = if row.outcome == "returned" {
        "returned at"
    } else {
        "ended at"
    };
    let returned = row.returned.map(|at| format!(", {ended} {}", time(at)));
    let killed = if row.killed {
        ", so the process was killed"
    } else {
        ""
    };
    writeln!(
        out,
        "{:>11}  {}, {outcome}{killed} {DIM}(began at {}{}, task {}, deadline '{}', reported {}){DIM:#}",
        time_of(row.duration_ns, row.duration_at_least),
        plain(&row.target),
        time(row.began),
        returned.unwrap_or_default(),
        row.task,
        plain(&last.deadline),
        times(row.reports.len()),
    )?;
    // Of several reports, the last one that could see.
    let seen = |has: fn(&OverdueReport) -> bool| row.reports.iter().rev().find(|r| has(r));
    let managed = seen(|report| !report.stack.is_empty()).unwrap_or(last);
    let native = seen(|report| !report.native_stack.is_empty()).unwrap_or(last);
    let nested = match last.nested {
        0 => String::new(),
        n => format!(
            ", {} nested in the call",
            plural(n.into(), "layer", "layers")
        ),
    };
    if let Some(thread) = &last.thread {
        let number = last.os_thread;
        writeln!(
            out,
            "{:>13}{DIM}thread {number}: {}{nested}{DIM:#}",
            "",
            plain(thread)
        )?;
    }
    stack(&native.native_stack, out)?;
    missing(
        "no native frames",
        "no more native frames",
        &native.native_stack,
        native.native_end.as_deref(),
        out,
    )?;
    stack(&managed.stack, out)?;
    missing(
        "no managed stack",
        "",
        &managed.stack,
        managed.no_stack.as_deref(),
        out,
    )?;
    match (&row.dump, &row.no_dump) {
        (Some(path), _) => writeln!(out, "{:>13}core dump: {}", "", plain(path)),
        (_, Some(why)) => writeln!(out, "{:>13}no core dump: {}", "", plain(why)),
        _ => Ok(()),
    }
}

fn missing(
    none: &str,
    no_more: &str,
    frames: &[String],
    why: Option<&str>,
    out: &mut impl Write,
) -> io::Result<()> {
    let what = if frames.is_empty() { none } else { no_more };
    match why.filter(|_| !what.is_empty()) {
        Some(why) => writeln!(out, "{:>13}{DIM}({what}: {}){DIM:#}", "", plain(why)),
        None => Ok(()),
    }
}

fn times(n: usize) -> String {
    match n {
        1 => "once".into(),
        2 => "twice".into(),
        n => format!("{n} times"),
    }
}

/// What became known of calls that missed their deadlines, a line for each record, without the
/// first so many. Names in it are as they are: the lines are to be made [`plain`].
pub fn news(reader: &Reader, after: usize) -> Vec<String> {
    let names = model::names(reader);
    if names.overdue.len() <= after {
        return Vec::new();
    }
    let targets = target_infos(reader);
    let teller = Teller {
        reader,
        names: &names,
        name: &|target| {
            let info = targets.get(&target);
            info.map_or_else(|| model::FUNCTION_POINTER.into(), |info| info.name.clone())
        },
    };
    let new = names.overdue.iter().skip(after);
    new.map(|record| teller.line(record)).collect()
}

struct Teller<'a> {
    reader: &'a Reader,
    names: &'a Names,
    name: &'a dyn Fn(u32) -> String,
}

impl Teller<'_> {
    fn line(&self, record: &Record) -> String {
        let process = self.reader.pid();
        match record {
            Record::Overdue(overdue) => self.overdue(overdue),
            Record::OverdueEnd(end) => {
                let name = self.name_of(end.task, end.since);
                let took = self.took(end.at, end.since);
                let how = match end.how {
                    HowEnded::Returned => "returned after",
                    HowEnded::Failed => "ended by an exception after",
                    HowEnded::Gone => "is gone, nobody told how, after at most",
                };
                format!("{name} {how} {took}: task {}", end.task)
            }
            Record::OverdueAction(action) => {
                let name = self.name_of(action.task, action.since);
                let deadline = deadline(self.names, action.deadline);
                match &action.what {
                    Done::Dumped(path) => format!("core dump of process {process}: {path}"),
                    Done::NotDumped(why) => format!("no core dump of process {process}: {why}"),
                    Done::Killed => {
                        format!(
                            "process {process} is killed: {name} missed its deadline '{deadline}'"
                        )
                    }
                    Done::NotKilled(why) => {
                        format!("process {process} is not killed yet for '{deadline}': {why}")
                    }
                }
            }
            _ => String::new(),
        }
    }

    fn overdue(&self, overdue: &Overdue) -> String {
        let report = report(self.names, overdue, self.reader.scale(), 0);
        let tasks = self.reader.tasks();
        let task = tasks.iter().find(|task| task.number == overdue.task);
        let named = task.filter(|task| !task.name.is_empty());
        let mut line = format!(
            "{} has not returned for {} (deadline '{}'): task {}{}, thread {}",
            (self.name)(overdue.target),
            time(report.duration_ns),
            report.deadline,
            overdue.task,
            named.map_or_else(String::new, |task| format!(" \"{}\"", task.name)),
            report.os_thread,
        );
        if overdue.nested > 0 {
            let layers = plural(overdue.nested.into(), "layer", "layers");
            line = format!("{line}, {layers} nested in it");
        }
        if let Some(caller) = report.caller() {
            line = format!("{line}, called by {caller}");
        }
        line
    }

    fn took(&self, at: u64, since: u64) -> String {
        time(self.reader.scale().ns(at.saturating_sub(since)))
    }

    /// The name of a call's target, from the report of it.
    fn name_of(&self, task: u32, since: u64) -> String {
        let target = self.names.overdue.iter().find_map(|record| match record {
            Record::Overdue(o) if (o.task, o.since) == (task, since) => Some(o.target),
            _ => None,
        });
        target.map_or_else(|| format!("a call of task {task}"), self.name)
    }
}
