//! From a recording to what reports say of it.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    path::Path,
};

use soglia_core::{
    account::{Total, Totals},
    crossing::Side,
    fault::Fault,
    time::Scale,
    trace::{
        log,
        names::Names,
        reader::{Ended, Reader},
        replay,
        snapshot::TaskSnapshot,
        writer::Level,
    },
};

use super::{
    Crossings, FaultRow, LeftOut, Model, Policy, Runtime, Slots, TaskRow, Unwatched,
    lists::{self, Open},
    names, no_room, overdue,
    room::Room,
    targets::Sums,
};

/// The most open calls that are looked at one by one.
const MOST_OPEN: usize = 1 << 18;

/// From ticks to the time since the start, and when that ends.
pub(super) struct Clock {
    pub(super) scale: Scale,
    start: u64,
    /// When the process ended, or the recording was read.
    pub(super) until: u64,
    /// It may have ended later.
    pub(super) at_least: bool,
}

impl Clock {
    /// Ticks in nanoseconds since the start.
    pub(super) fn since_start(&self, ticks: u64) -> u64 {
        self.scale.ns(ticks.saturating_sub(self.start))
    }
}

/// What all tasks add up to, read one after the other.
#[derive(Default)]
struct All {
    sums: Sums,
    crossings: [u64; 4],
    /// By fault: how often, and on how many tasks.
    faults: [(u64, u64); Fault::ALL.len()],
    dropped_events: u64,
    tasks: Vec<TaskRow>,
    tasks_left_out: u64,
    /// Ticks of first crossings and of ends, of each row of `tasks`.
    times: Vec<(u64, Option<u64>)>,
    open: Vec<Open>,
    open_left_out: u64,
    /// Task and time of each open call.
    open_calls: HashSet<(u32, u64)>,
    /// When the first of the open calls of each target began.
    open_since: HashMap<(u32, Side), u64>,
}

impl All {
    fn of(reader: &Reader, replayed: bool, names: &Names) -> Self {
        let mut all = Self {
            sums: Sums::new(names),
            ..Self::default()
        };
        let mut room = Room::new();
        for task in reader.each_task() {
            let account = if replayed {
                Account::replayed(reader, &task)
            } else {
                Account::counted(&task)
            };
            all.add(reader, &task, &account, &mut room);
        }
        all.tasks_left_out = room.left_out;
        all
    }

    fn add(&mut self, reader: &Reader, task: &TaskSnapshot, account: &Account, room: &mut Room) {
        for (sum, n) in self.crossings.iter_mut().zip(account.crossings) {
            *sum += n;
        }
        for ((sum, tasks), n) in self.faults.iter_mut().zip(account.faults) {
            *sum += n;
            *tasks += u64::from(n > 0);
        }
        self.dropped_events = self.dropped_events.saturating_add(task.dropped);
        self.sums.add(account);
        if room.takes([&*task.name]) {
            self.tasks.push(task_row(task, account, reader));
            self.times.push((task.first, task.ended));
        }
        for (depth, layer) in (0..).zip(&task.open) {
            let target = self.sums.row_of(layer.slot);
            let of_target = self.open_since.entry((target, layer.side()));
            let since = of_target.or_insert(layer.since);
            *since = layer.since.min(*since);
            if self.open.len() == MOST_OPEN {
                self.open_left_out += 1;
                continue;
            }
            self.open_calls.insert((task.number, layer.since));
            self.open.push(Open {
                task: task.number,
                depth,
                layer: *layer,
            });
        }
    }
}

impl Model {
    /// Reads a recording. With `replayed`, the account is made anew from the events instead of read from the counters.
    pub fn of(reader: &Reader, replayed: bool) -> Self {
        let mut names = names(reader);
        let all = All::of(reader, replayed, &names);
        if !all.sums.are_named(&names) {
            // A process that still runs has called something new meanwhile.
            names = super::names(reader);
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
        // Nobody tells the returns of calls that are only counted, and of none at all there is none to tell.
        let told = |returns: u64, calls: u64| (!counts || returns == calls).then_some(returns);
        let dropped_crossings = reader.dropped_crossings();
        let dropped = all.dropped_events.saturating_add(dropped_crossings);
        let (program, command_line) = program(&names.program);
        let (name, version) = names.runtime.clone().unwrap_or_default();
        let [mut of_targets, mut of_slow, mut of_overdue, mut of_open] =
            std::array::from_fn(|_| Room::new());
        let slow = lists::slow(&names, &clock, &mut of_slow);
        let overdue = overdue::rows(&names, &all.open_calls, &clock, &mut of_overdue);
        let open = lists::open(&all.open, &names, &all.sums, &clock, &mut of_open);
        let open_for: HashMap<_, _> = all
            .open_since
            .iter()
            .map(|(target, since)| {
                (
                    *target,
                    clock.until.saturating_sub(clock.since_start(*since)),
                )
            })
            .collect();
        let open_for = (&open_for, clock.at_least);
        let targets = all
            .sums
            .rows(&names, clock.scale, open_for, &mut of_targets);
        let rows = all.tasks.into_iter().zip(all.times);
        Self {
            program,
            command_line,
            pid: reader.pid(),
            runtime: Runtime { name, version },
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
            crossings: Crossings {
                leave,
                enter: told(enter, leave),
                reverse_enter,
                reverse_leave: told(reverse_leave, reverse_enter),
            },
            faults: fault_rows(&all.faults),
            dropped: dropped.saturating_add(reader.dropped_records()),
            dropped_events: all.dropped_events,
            dropped_crossings,
            no_room: no_room::rows(reader),
            tasks: rows.map(|(row, times)| timed(row, times, &clock)).collect(),
            slow,
            slow_threshold_ns: reader.slow_ns(),
            deadlines: overdue::deadlines(&names),
            overdue,
            open,
            targets,
            left_out: LeftOut {
                records: names.left_out,
                targets: of_targets.left_out,
                tasks: all.tasks_left_out,
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

/// That something is missing, if it is.
fn cut_off(reader: &Reader) -> Option<String> {
    let (have, should) = reader.cut_off()?;
    Some(format!(
        "the file is cut short, {have} of {should} bytes: what was in the rest is not in this account"
    ))
}

fn policy(names: &Names) -> Option<Policy> {
    names.policy.clone().map(|policy| Policy {
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

fn slots(names: &Names, at_least: bool) -> Option<Slots> {
    names.slots.map(|(bound, figures)| Slots {
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

/// What was asked for, and with which arguments: a command line without what only serves to start it.
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

/// What one task's calls add up to.
pub(super) struct Account {
    pub(super) targets: Vec<((u32, Side), Total)>,
    crossings: [u64; 4],
    faults: [u64; Fault::ALL.len()],
}

impl Account {
    fn counted(task: &TaskSnapshot) -> Self {
        Self {
            targets: task
                .targets
                .iter()
                .map(|(key, total)| (*key, total.clone()))
                .collect(),
            crossings: task.crossings,
            faults: task.faults.map(u64::from),
        }
    }

    fn replayed(reader: &Reader, task: &TaskSnapshot) -> Self {
        let totals: Totals = replay::totals(reader, task.number);
        // Events do not tell on which side a target is; the counters do.
        let side = |target: u32| {
            let key = task.targets.keys().find(|(t, _)| *t == target);
            key.map_or(Side::Unmanaged, |(_, side)| *side)
        };
        Self {
            targets: totals
                .iter()
                .map(|(target, total)| ((target, side(target)), total.clone()))
                .collect(),
            crossings: totals.crossings,
            faults: totals.faults,
        }
    }
}

fn unwatched(what: &log::Unwatched) -> Unwatched {
    Unwatched {
        what: what.text.clone(),
        direction: what.side.map(Side::direction),
        assembly: what.assembly.clone(),
        method: what.method.clone(),
    }
}

fn fault_rows(faults: &[(u64, u64); Fault::ALL.len()]) -> Vec<FaultRow> {
    let rows = Fault::ALL
        .into_iter()
        .zip(faults)
        .filter(|(_, (count, _))| *count > 0);
    rows.map(|(fault, (count, tasks))| FaultRow {
        kind: fault.name(),
        count: *count,
        tasks: *tasks,
        meaning: fault.meaning(),
    })
    .collect()
}

fn task_row(task: &TaskSnapshot, account: &Account, reader: &Reader) -> TaskRow {
    // Where calls are only counted, nothing is known of layers, but of those that the runtime itself tells.
    let [_, returned, _, left] = account.crossings;
    let told = reader.level() != Level::Counts || returned + left > 0 || !task.open.is_empty();
    let mut unmanaged = None;
    for ((_, side), total) in &account.targets {
        if *side == Side::Unmanaged && total.ended > 0 {
            let sum: &mut u64 = unmanaged.get_or_insert(0);
            *sum = sum.saturating_add(total.own);
        }
    }
    TaskRow {
        task: task.number,
        os_thread: task.os_thread,
        name: Some(task.name.clone()).filter(|name| !name.is_empty()),
        kind: task.kind.name(),
        crossings: account.crossings.iter().sum(),
        max_depth: told.then_some(task.max_depth),
        unmanaged_ns: unmanaged.map(|ticks| reader.scale().ns(ticks)),
        threads: task.threads,
        began: 0,
        ended: task.ended.is_some(),
        until: 0,
        until_at_least: false,
    }
}

/// The row with its times, which take the end of the process.
fn timed(row: TaskRow, (first, ended): (u64, Option<u64>), clock: &Clock) -> TaskRow {
    TaskRow {
        began: clock.since_start(first),
        until: ended.map_or(clock.until, |ticks| clock.since_start(ticks)),
        until_at_least: ended.is_none() && clock.at_least,
        ..row
    }
}
