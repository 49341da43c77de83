//! A recording becomes a [`Model`].

use std::{ffi::OsStr, path::Path};

use soglia_core::crossing::Side;
use soglia_core::trace::{ending::Ended, log, names::Names, reader::Reader, writer::Level};

use super::{
    clock::Clock,
    lists, no_room, overdue,
    room::Room,
    rows::UnwatchedRow,
    symbols::names,
    tasks::AllTasks,
    whole::{CrossingCounts, LeftOut, Model, PolicySummary, RuntimeVersion, SlotSummary},
};

impl Model {
    /// Reads a recording. With `replayed`, computes all sums from the events instead of reading the
    /// counters.
    pub fn of(reader: &Reader, replayed: bool) -> Self {
        let mut names = names(reader);
        let mut all = AllTasks::of(reader, replayed, &names);
        if !all.sums.are_named(&names) {
            // The process still runs, and has called something new since the names were read.
            names = super::symbols::names(reader);
        }
        let ending = reader.ending();
        let clock = Clock {
            scale: reader.scale(),
            start: reader.start_ticks(),
            until: ending.ns,
            at_least: ending.at_least,
        };
        let (ended, exit_code, signal) = match ending.how {
            Ended::Running => ("running", None, None),
            Ended::Exit(code) => ("exit", code, None),
            Ended::Signal(libc::SIGKILL) => ("killed", None, Some(libc::SIGKILL)),
            Ended::Signal(signal) => ("signal", None, Some(signal)),
            Ended::Killed => ("killed", None, None),
            Ended::Unknown => ("unknown", None, None),
        };
        let counts = reader.level() == Level::Counts;
        let [leave, enter, reverse_enter, reverse_leave] = all.crossings;
        // If calls are only counted, their returns are known only where there was no call, or where
        // the runtime's callbacks are the source.
        let known = |returns: u64, calls: u64| (!counts || returns == calls).then_some(returns);
        let dropped_crossings = reader.dropped_crossings();
        let dropped = all.dropped_events.saturating_add(dropped_crossings);
        let (program, command_line) = program(&names.program);
        let (name, version) = names.runtime.clone().unwrap_or_default();
        let [mut of_targets, mut of_slow, mut of_overdue, mut of_open] =
            std::array::from_fn(|_| Room::new());
        let slow = lists::slow(&names, &clock, &mut of_slow);
        let overdue = overdue::rows(&names, &all.open_calls, &clock, &mut of_overdue);
        let open = lists::open(&all.open, &names, &all.sums, &clock, &mut of_open);
        let open_for = all.open_for(&clock);
        let open_for = (&open_for, clock.at_least);
        let tasks = all.take_rows(&clock);
        let faults = all.fault_rows();
        let targets = all
            .sums
            .rows(&names, clock.scale, open_for, &mut of_targets);
        Self {
            program,
            command_line,
            pid: reader.pid(),
            runtime: RuntimeVersion { name, version },
            ended,
            exit_code,
            signal,
            duration_ns: ending.ns,
            duration_at_least: ending.at_least,
            level: match reader.level() {
                Level::Counts => "counts",
                Level::Summary => "summary",
                Level::Events => "events",
            },
            replayed,
            source: names.source.as_ref().map(|(source, ..)| source.name()),
            scope: names.source.as_ref().map(|(_, scope, _)| scope.name()),
            fallback: names.source.as_ref().and_then(|(.., why)| why.clone()),
            not_watched: names.unwatched.iter().map(unwatched).collect(),
            policy: policy(&names),
            slots: slots(&names, !reader.has_shut_down()),
            crossings: CrossingCounts {
                leave,
                enter: known(enter, leave),
                reverse_enter,
                reverse_leave: known(reverse_leave, reverse_enter),
            },
            faults,
            dropped: dropped.saturating_add(reader.dropped_records()),
            dropped_events: all.dropped_events,
            dropped_crossings,
            no_room: no_room::rows(reader),
            tasks,
            slow,
            slow_threshold_ns: reader.slow_ns(),
            deadlines: overdue::deadlines(&names),
            overdue,
            open,
            targets,
            left_out: LeftOut {
                records: names.left_out,
                targets: of_targets.left_out,
                tasks: all.rows_left_out,
                slow: of_slow.left_out,
                overdue: of_overdue.left_out,
                open: of_open.left_out + all.open_left_out,
            },
            remarks: names
                .remarks
                .into_iter()
                .chain(reader.note())
                .chain(cut_off(reader))
                .collect(),
        }
    }
}

/// A remark if the end of the file is missing.
fn cut_off(reader: &Reader) -> Option<String> {
    let (have, should) = reader.cut_off()?;
    Some(format!(
        "the file is cut short, {have} of {should} bytes: this report lacks what was in the rest"
    ))
}

fn policy(names: &Names) -> Option<PolicySummary> {
    names.policy.clone().map(|policy| PolicySummary {
        audit: policy.audit,
        deny_fatal: policy.fatal,
        idle_rules: (0..)
            .zip(&policy.rules)
            .filter(|(index, _)| !names.rules_that_apply.contains(index))
            .map(|(_, rule)| rule.clone())
            .collect(),
        rules: policy.rules,
    })
}

fn slots(names: &Names, at_least: bool) -> Option<SlotSummary> {
    names.slots.map(|(bound, figures)| SlotSummary {
        count: bound.slots.get(),
        timeout_ns: bound.limit_ns(),
        at_least,
        waits: figures.waits,
        waited_ns: figures.waited_ns,
        longest_wait_ns: figures.longest_ns,
        timed_out: figures.timed_out,
        lent: figures.lent,
        abandoned: figures.abandoned,
    })
}

/// The program and its command line, without the arguments that only serve to start it.
fn program(args: &[String]) -> (String, Vec<String>) {
    let args = match args {
        [_, launcher, _root, _hostfxr, rest @ ..] if launcher == crate::fxr::SUBCOMMAND => rest,
        all => all,
    };
    let Some((first, rest)) = args.split_first() else {
        return Default::default();
    };
    let is_muxer = Path::new(first).file_name() == Some(OsStr::new("dotnet"));
    let is_assembly = |arg: &&String| arg.ends_with(".dll") || arg.ends_with(".exe");
    let assembly = rest.iter().find(is_assembly).filter(|_| is_muxer);
    (assembly.unwrap_or(first).clone(), args.to_vec())
}

fn unwatched(what: &log::Unwatched) -> UnwatchedRow {
    UnwatchedRow {
        what: what.text.clone(),
        direction: what.side.map(Side::direction),
        assembly: what.assembly.clone(),
        method: what.method.clone(),
    }
}
