//! A recording becomes a [`Model`].

use soglia_core::crossing::Side;
use soglia_core::trace::{ending::Ended, log, names::Names, reader::Reader, writer::Level};

use crate::advice::{self, Context};

use super::{
    activities, attach,
    clock::Clock,
    crash, explain, failures,
    lists::{self, TaskLayer},
    no_room, overdue,
    passed::{self, Passed},
    process::{ProcessRow, RuntimeVersion},
    program::program,
    room::Room,
    rows::UnwatchedRow,
    symbols::read_on,
    tasks::AllTasks,
    whole::{CrossingCounts, LeftOut, Model, PolicySummary, SlotSummary},
    window::Baseline,
};

impl Model {
    /// Reads a recording. With `replayed`, computes all sums from the events instead of reading the
    /// counters.
    pub fn of(reader: &Reader, replayed: bool) -> Self {
        Self::read(reader, replayed, &mut Names::default(), None)
    }

    /// The same with names that were read before, to which it adds what is new. With a window, it
    /// leaves out what was before it.
    pub fn read(
        reader: &Reader,
        replayed: bool,
        names: &mut Names,
        window: Option<&Baseline>,
    ) -> Self {
        read_on(names, reader);
        let mut all = AllTasks::of(reader, replayed, names, window);
        if !all.sums.are_named(names) {
            // The process still runs, and has called something new since the names were read.
            read_on(names, reader);
        }
        let names = &*names;
        let ending = reader.ending();
        let clock = Clock::of(reader, &ending, window.map(Baseline::at_ns));
        let (ended, exit_code, signal) = match ending.how {
            Ended::Running => ("running", None, None),
            Ended::Exit(code) => ("exit", code, None),
            Ended::Signal(libc::SIGKILL) => ("killed", None, Some(libc::SIGKILL)),
            Ended::Signal(signal) => ("signal", None, Some(signal)),
            Ended::LetGo => ("detached", None, None),
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
        let [
            mut of_targets,
            mut of_slow,
            mut of_overdue,
            mut of_open,
            mut of_failures,
            mut of_denied,
            mut of_before,
        ] = std::array::from_fn(|_| Room::new());
        let given = Passed::of(names);
        let mut slow = lists::slow(names, &given, &clock, &mut of_slow);
        if let Some(window) = window {
            slow.retain(|call| call.returned >= window.at_ns());
        }
        let overdue = overdue::rows(names, &given, &all.open_calls, &clock, &mut of_overdue);
        let kept = |of: &TaskLayer| {
            reader.kept_arguments(of.task, of.depth, of.layer.since, of.layer.slot)
        };
        let open = lists::open(&all.open, kept, names, &all.sums, &clock, &mut of_open);
        let open_for = all.open_for(&clock);
        let open_for = (&open_for, clock.at_least);
        let tasks = all.take_rows(names, &clock);
        let crash = crash::row(ended, signal, names, &tasks, &all.open);
        let attach = attach::row(names, &clock);
        let before = attach::before(names, &tasks, &clock, &mut of_before);
        let faults = all.fault_rows();
        let facts = all.facts(clock.scale);
        if let Some(window) = window {
            all.sums.only_since(window);
        }
        let targets = all.sums.rows(names, &clock, open_for, &mut of_targets);
        let aborted = signal == Some(libc::SIGABRT);
        let about = (&facts.rows, &given);
        let mut failures = failures::rows(&targets, names, about, &mut of_failures, aborted);
        let mut denied = passed::denied(names, &clock, &mut of_denied);
        if let Some(window) = window {
            denied.retain(|call| call.t >= window.at_ns());
        }
        explain::complete(&mut failures, &targets, &names.objects, &program);
        let mut model = Self {
            program,
            command_line,
            processes: Vec::new(),
            pid: Some(reader.pid()),
            runtime: RuntimeVersion { name, version },
            ended,
            exit_code,
            signal,
            crash,
            time: clock.wall.utc(0),
            wall: clock.wall,
            duration_ns: ending.ns,
            duration_at_least: ending.at_least,
            attach,
            before,
            window: window.map(|window| window.until(ending.ns)),
            level: level(reader),
            times: times(reader),
            clock_ns: reader.sampling().map(|by| by.clock_ns.into()),
            replayed,
            source: names.source.as_ref().map(|(source, ..)| source.name()),
            scope: names.source.as_ref().map(|(_, scope, _)| scope.name()),
            fallback: names.source.as_ref().and_then(|(.., why)| why.clone()),
            not_watched: names.unwatched.iter().map(unwatched).collect(),
            policy: policy(names),
            slots: slots(names, !reader.has_shut_down()),
            findings: Vec::new(),
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
            activities: activities::rows(&slow),
            slow,
            slow_threshold_ns: reader.slow_ns(),
            deadlines: overdue::deadlines(names),
            overdue,
            open,
            targets,
            failures,
            denied,
            left_out: LeftOut {
                records: names.left_out,
                targets: of_targets.left_out,
                tasks: all.rows_left_out,
                slow: of_slow.left_out,
                overdue: of_overdue.left_out,
                open: of_open.left_out + all.open_left_out,
                failures: of_failures.left_out,
                denied: of_denied.left_out,
                before: of_before.left_out,
            },
            remarks: names
                .remarks
                .iter()
                .cloned()
                .chain(reader.note())
                .chain(cut_off(reader))
                .collect(),
        };
        // Findings weigh a whole run: its kept stacks, first calls and records are of all of it.
        if window.is_none() {
            model.findings = advice::findings(&Context {
                model: &model,
                names,
                scale: clock.scale,
                facts: &facts,
            });
        }
        model.processes = vec![ProcessRow::of(&model, reader.pid())];
        model
    }
}

/// How much was recorded.
pub(super) fn level(reader: &Reader) -> &'static str {
    match reader.level() {
        Level::Counts => "counts",
        Level::Summary => "summary",
        Level::Events => "events",
    }
}

/// How calls were timed.
pub(super) fn times(reader: &Reader) -> &'static str {
    match reader.sampling() {
        _ if reader.level() == Level::Counts => "off",
        None => "exact",
        Some(_) => "sampled",
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

fn unwatched(what: &log::Unwatched) -> UnwatchedRow {
    UnwatchedRow {
        what: what.text.clone(),
        direction: what.side.map(Side::direction),
        assembly: what.assembly.clone(),
        method: what.method.clone(),
    }
}
