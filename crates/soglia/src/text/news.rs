//! Lines about calls that miss their deadlines, while the program runs.

use std::collections::HashMap;

use soglia_core::{
    deadline::Stuck,
    time::Scale,
    trace::{
        arguments::{Arguments, Of},
        log::Record,
        names::Names,
        overdue::{Done, HowEnded, Overdue},
        reader::Reader,
    },
};

use super::{
    frames::{frames, method},
    overdue::limit,
    words::{plural, time},
};
use crate::model::{
    self, argument_rows,
    arguments::in_one_line,
    overdue::{deadline, report},
    target_name,
};

/// What becomes known about a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// In one line.
    pub line: String,
    /// Where a call is stuck, in further lines. None for calls with a deadline of their own.
    pub details: Vec<String>,
}

/// The most frames in [`News::details`], of native code and of managed code.
const MOST_FRAMES: usize = 8;

/// Finds what becomes known while a program runs. Each look reads only what the recording has
/// gained since the look before.
#[derive(Default)]
pub struct Newsreader {
    names: Names,
    /// Records that were reported.
    told: usize,
}

impl Newsreader {
    /// A line for each new record about calls that missed their deadlines. The recording is the
    /// same at each look.
    ///
    /// The lines contain names as the program has them. Print them with
    /// [`plain`](soglia_core::plain::plain).
    pub fn look(&mut self, reader: &Reader) -> Vec<News> {
        model::read_on(&mut self.names, reader);
        let told = std::mem::replace(&mut self.told, self.names.overdue.len());
        if told == self.told {
            return Vec::new();
        }
        news(&self.names, reader, told)
    }
}

/// The lines without those of the first `after` records.
fn news(names: &Names, reader: &Reader, after: usize) -> Vec<News> {
    let about = About {
        names,
        process: reader.pid(),
        scale: reader.scale(),
        threads: reader
            .each_task()
            .filter(|task| !task.name.is_empty())
            .map(|task| (task.number, task.name))
            .collect(),
        targets: targets(names),
    };
    let new = names.overdue.iter().skip(after);
    let news = |record| News {
        line: about.line(record),
        details: about.details(record),
    };
    new.map(news).collect()
}

/// The target of each call that was reported. A call is known by its task and its begin.
fn targets(names: &Names) -> HashMap<(u32, u64), u32> {
    let reports = names.overdue.iter().filter_map(|record| match record {
        Record::Overdue(overdue) => Some(((overdue.task, overdue.since), overdue.target)),
        _ => None,
    });
    reports.collect()
}

/// What all lines need, gathered once: there may be ten thousand lines and thousands of threads.
struct About<'a> {
    names: &'a Names,
    process: u32,
    scale: Scale,
    /// Names of threads, by task.
    threads: HashMap<u32, String>,
    targets: HashMap<(u32, u64), u32>,
}

impl About<'_> {
    fn line(&self, record: &Record) -> String {
        let process = self.process;
        match record {
            Record::Overdue(overdue) => self.overdue(overdue),
            Record::OverdueEnd(end) => {
                let name = self.name_of(end.task, end.since);
                let took = time(self.scale.ns(end.at.saturating_sub(end.since)));
                let how = match end.how {
                    HowEnded::Returned => "returned after",
                    HowEnded::Failed => "ended by an exception after",
                    HowEnded::Gone => "is gone, how it ended is unknown, after at most",
                };
                format!("{name} {how} {took}: thread {}", end.task)
            }
            Record::OverdueAction(action) => {
                let name = self.name_of(action.task, action.since);
                let deadline = deadline(self.names, action.deadline);
                match &action.what {
                    Done::Dumped(path) => format!("core dump of process {process}: {path}"),
                    Done::NotDumped(why) => format!("no core dump of process {process}: {why}"),
                    Done::Killed => {
                        format!(
                            "killing process {process}: {name} missed its deadline '{deadline}'"
                        )
                    }
                    Done::NotKilled(why) => {
                        format!("not killing process {process} for '{deadline}' yet: {why}")
                    }
                }
            }
            _ => String::new(),
        }
    }

    fn overdue(&self, overdue: &Overdue) -> String {
        let report = report(self.names, overdue, self.scale, 0);
        let name = self.threads.get(&overdue.task);
        let mut line = format!(
            "{} has not returned for {} ({}): thread {}{}, tid {}",
            target_name(self.names, overdue.target),
            time(report.duration_ns),
            limit(&report.deadline),
            overdue.task,
            name.map_or_else(String::new, |name| format!(" \"{name}\"")),
            report.os_thread,
        );
        if overdue.nested > 0 {
            let layers = plural(overdue.nested.into(), "layer", "layers");
            line = format!("{line}, {layers} nested in it");
        }
        let of_call = |all: &&Arguments| {
            (all.of, all.task, all.at) == (Of::Open, overdue.task, overdue.since)
        };
        if let Some(all) = self.names.arguments.iter().rev().find(of_call) {
            line = format!("{line}, with {}", in_one_line(&argument_rows(all)));
        }
        if let Some(caller) = report.caller() {
            line = format!("{line}, called by {}", method(caller));
        }
        line
    }

    /// Where a call without a deadline of its own is stuck.
    fn details(&self, record: &Record) -> Vec<String> {
        let Record::Overdue(overdue) = record else {
            return Vec::new();
        };
        let report = report(self.names, overdue, self.scale, 0);
        if !Stuck::is_rule(&report.deadline) {
            return Vec::new();
        }
        let mut details = Vec::new();
        details.extend(report.thread);
        for (frames, missing) in [
            (report.native_stack, report.native_end),
            (frames(&report.stack), report.no_stack),
        ] {
            if frames.is_empty() {
                details.extend(missing.map(|why| format!("(no stack: {why})")));
            }
            let more = frames.len().saturating_sub(MOST_FRAMES);
            let shown = frames.into_iter().take(MOST_FRAMES);
            details.extend(shown);
            details.extend((more > 0).then(|| format!("... {more} more")));
        }
        details
    }

    /// The name of a call's target.
    fn name_of(&self, task: u32, since: u64) -> String {
        match self.targets.get(&(task, since)) {
            Some(target) => target_name(self.names, *target),
            None => format!("a call of thread {task}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use soglia_core::trace::{log::TargetNames, overdue::OverdueEnd};

    use super::*;

    fn found(task: u32, since: u64, target: u32) -> Record {
        Record::Overdue(Overdue {
            task,
            since,
            target,
            at: since + 2_000_000_000,
            os_thread: 4000 + task,
            ..Overdue::default()
        })
    }

    fn returned(task: u32, since: u64) -> Record {
        let how = HowEnded::Returned;
        let at = since + 3_000_000_000;
        Record::OverdueEnd(OverdueEnd {
            task,
            since,
            at,
            how,
        })
    }

    fn names() -> Names {
        let mut names = Names::default();
        names.deadlines = vec!["*=1s".into()];
        for (target, method) in [(1, "A.First"), (2, "A.Second")] {
            let method = Some(method.into());
            let named = TargetNames {
                target,
                method,
                ..TargetNames::default()
            };
            names.targets.insert(target, named);
        }
        names.overdue = vec![
            found(1, 10, 1),
            found(1, 20, 2),
            found(2, 10, 2),
            returned(1, 20),
            returned(2, 10),
            returned(3, 10),
        ];
        names
    }

    #[test]
    fn lines_name_the_call_that_they_are_about() {
        let names = names();
        let about = About {
            names: &names,
            process: 7,
            scale: Scale::IDENTITY,
            threads: HashMap::from([(2, "worker".into())]),
            targets: targets(&names),
        };
        let lines: Vec<String> = names.overdue.iter().map(|r| about.line(r)).collect();
        assert_eq!(
            lines,
            [
                "A.First has not returned for 2.00 s (deadline '*=1s'): thread 1, tid 4001",
                "A.Second has not returned for 2.00 s (deadline '*=1s'): thread 1, tid 4001",
                "A.Second has not returned for 2.00 s (deadline '*=1s'): thread 2 \"worker\", tid 4002",
                "A.Second returned after 3.00 s: thread 1",
                "A.Second returned after 3.00 s: thread 2",
                "a call of thread 3 returned after 3.00 s: thread 3",
            ]
        );
    }
}
