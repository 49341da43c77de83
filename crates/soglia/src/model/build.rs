//! From a recording to what reports say of it.

use std::{collections::BTreeMap, ffi::OsStr, path::Path};

use hdrhistogram::Histogram;
use soglia_core::{
    account::{Total, Totals},
    crossing::Side,
    fault::Fault,
    histogram::midpoint,
    time::Scale,
    trace::{
        log::{self, TargetNames},
        names::Names,
        reader::{Ended, Reader},
        replay,
        snapshot::TaskSnapshot,
        writer::Level,
    },
};

use super::{
    Crossings, FaultRow, Model, OpenRow, Policy, Runtime, Slots, SlowRow, TargetInfo, TargetRow,
    TaskRow, Unwatched, overdue,
};

impl Model {
    /// Reads a recording. With `replayed`, the account is made anew from the events instead of read from the counters.
    pub fn of(reader: &Reader, replayed: bool) -> Self {
        let tasks = reader.tasks();
        let names = reader.names();
        let scale = reader.scale();
        let duration_ns = reader.duration_ns();
        let (ended, exit_code, signal) = match reader.ended() {
            Ended::Running => ("running", None, None),
            Ended::Exit(code) => ("exit", code, None),
            Ended::Signal(libc::SIGKILL) => ("killed", None, Some(libc::SIGKILL)),
            Ended::Signal(signal) => ("signal", None, Some(signal)),
            Ended::Killed => ("killed", None, None),
        };
        let accounts: Vec<Account> = if replayed {
            tasks
                .iter()
                .map(|task| Account::replayed(reader, task))
                .collect()
        } else {
            tasks.iter().map(Account::counted).collect()
        };
        let mut crossings = [0; 4];
        let mut faults = [(0, 0); Fault::ALL.len()];
        for account in &accounts {
            for (sum, n) in crossings.iter_mut().zip(account.crossings) {
                *sum += n;
            }
            for ((sum, tasks), n) in faults.iter_mut().zip(account.faults) {
                *sum += n;
                *tasks += u64::from(n > 0);
            }
        }
        let targets = target_rows(&accounts, &names, scale);
        let [leave, enter, reverse_enter, reverse_leave] = crossings;
        let dropped_events = tasks.iter().map(|task| task.dropped).sum();
        let dropped_crossings = reader.dropped_crossings();
        let (program, command_line) = program(&names.program);
        let (name, version) = names.runtime.clone().unwrap_or_default();
        let since_start = |ticks: u64| scale.ns(ticks.saturating_sub(reader.start_ticks()));
        Self {
            program,
            command_line,
            pid: reader.pid(),
            runtime: Runtime { name, version },
            ended,
            exit_code,
            signal,
            duration_ns,
            level: match reader.level() {
                Level::Counts => "counts",
                Level::Summary => "summary",
                Level::Events => "events",
            },
            source: names.source.as_ref().map(|(source, ..)| source.name()),
            scope: names.source.as_ref().map(|(_, scope, _)| scope.name()),
            fallback: names.source.as_ref().and_then(|(.., why)| why.clone()),
            not_watched: names.unwatched.iter().map(unwatched).collect(),
            policy: names.policy.clone().map(|policy| Policy {
                audit: policy.audit,
                deny_fatal: policy.fatal,
                idle_rules: (0..)
                    .zip(&policy.rules)
                    .filter(|(index, _)| !names.rules_that_apply.contains(index))
                    .map(|(_, rule)| rule.clone())
                    .collect(),
                rules: policy.rules,
            }),
            slots: names.slots.map(|(bound, figures)| Slots {
                count: bound.slots.get(),
                timeout_ns: bound.limit_ns(),
                waits: figures.waits,
                waited_ns: figures.waited_ns,
                longest_wait_ns: figures.longest_ns,
                timed_out: figures.timed_out,
                lent: figures.lent,
                abandoned: figures.abandoned,
            }),
            crossings: Crossings {
                leave,
                enter,
                reverse_enter,
                reverse_leave,
            },
            faults: fault_rows(&faults),
            dropped: dropped_events + dropped_crossings + reader.dropped_records(),
            dropped_events,
            dropped_crossings,
            tasks: tasks
                .iter()
                .zip(&accounts)
                .map(|(task, account)| task_row(task, account, scale))
                .collect(),
            slow: names
                .slow
                .iter()
                .map(|slow| SlowRow {
                    target: target_name(&names, slow.target, Side::Unmanaged),
                    runtime_internal: is_internal(&names, slow.target),
                    t: since_start(slow.at),
                    task: slow.task,
                    duration_ns: scale.ns(slow.took),
                    stack: callers(&names, slow.target, slow.stack),
                })
                .collect(),
            slow_threshold_ns: reader.slow_ns(),
            deadlines: overdue::deadlines(&names),
            overdue: overdue::rows(&names, &tasks, scale, since_start, duration_ns),
            open: tasks
                .iter()
                .flat_map(|task| {
                    task.open
                        .iter()
                        .enumerate()
                        .map(move |(depth, layer)| (task, depth, layer))
                })
                .map(|(task, depth, layer)| OpenRow {
                    task: task.number,
                    depth: depth as u32,
                    direction: layer.side().direction(),
                    target: target_name(&names, layer.slot, layer.side()),
                    runtime_internal: is_internal(&names, layer.slot),
                    t: since_start(layer.since),
                    duration_ns: duration_ns.saturating_sub(since_start(layer.since)),
                    stack: only_call(&accounts, &names, layer.slot, layer.side()),
                })
                .collect(),
            targets,
            remarks: names.remarks.into_iter().chain(reader.note()).collect(),
        }
    }
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
struct Account {
    targets: Vec<((u32, Side), Total)>,
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

fn is_internal(names: &Names, target: u32) -> bool {
    names
        .targets
        .get(&target)
        .is_some_and(|names| names.runtime_internal)
}

pub(super) fn target_row(names: &Names, target: u32, side: Side) -> TargetRow {
    if target == 0 {
        let method = Some("[no room in the recording]".to_owned());
        return TargetRow {
            direction: side.direction(),
            method,
            ..TargetRow::default()
        };
    }
    let TargetNames {
        method,
        assembly,
        library,
        entry,
        redirected_to,
        runtime_internal,
        ..
    } = names.targets.get(&target).cloned().unwrap_or_default();
    let place = names.addresses.get(&target);
    let first = names
        .first_calls
        .get(&target)
        .map_or_else(Vec::new, |stack| callers(names, target, *stack));
    TargetRow {
        direction: side.direction(),
        method,
        assembly,
        library,
        entry,
        redirected_to,
        address: place.map(|(address, ..)| format!("{address:#x}")),
        file: place.and_then(|(_, file, _)| file.clone()),
        symbol: place.and_then(|(_, _, symbol)| symbol.clone()),
        runtime_internal,
        first_caller: first,
        ..TargetRow::default()
    }
}

/// The first caller of a target that was called just once, so that any open call is that one.
fn only_call(accounts: &[Account], names: &Names, target: u32, side: Side) -> Vec<String> {
    let of_target = accounts.iter().flat_map(|account| &account.targets);
    let calls: u64 = of_target
        .filter(|(key, _)| *key == (target, side))
        .map(|(_, total)| total.calls())
        .sum();
    let stack = names.first_calls.get(&target).filter(|_| calls == 1);
    stack.map_or_else(Vec::new, |stack| callers(names, target, *stack))
}

/// A stack without the called method itself: its wrapper, which calls the native function, is no caller of it.
pub(super) fn callers(names: &Names, target: u32, stack: u32) -> Vec<String> {
    let called = names.targets.get(&target).and_then(|n| n.method.as_deref());
    let frames = names.stack(stack).into_iter().enumerate();
    let frames = frames.filter(|(n, frame)| *n > 0 || Some(*frame) != called);
    frames.map(|(_, frame)| frame.to_owned()).collect()
}

fn target_name(names: &Names, target: u32, side: Side) -> String {
    target_row(names, target, side).name()
}

fn target_rows(accounts: &[Account], names: &Names, scale: Scale) -> Vec<TargetRow> {
    let mut sums: BTreeMap<(u32, Side), (Total, u64)> = BTreeMap::new();
    for (key, total) in accounts.iter().flat_map(|account| &account.targets) {
        if total.calls() + total.refused > 0 {
            let (sum, tasks) = sums.entry(*key).or_default();
            sum.add(total);
            *tasks += 1;
        }
    }
    let mut rows: Vec<TargetRow> = sums
        .into_iter()
        .map(|((target, side), (total, tasks))| TargetRow {
            tasks,
            first_call_ns: names.first_returns.get(&target).map(|took| scale.ns(*took)),
            ..measured(target_row(names, target, side), &total, scale)
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.total_ns));
    rows
}

fn measured(row: TargetRow, total: &Total, scale: Scale) -> TargetRow {
    let returned = total.ended > 0;
    let percentile = percentiles(total, scale);
    TargetRow {
        calls: total.calls(),
        returned: total.ended,
        untimed: total.untimed,
        open: total.open,
        abandoned: total.abandoned,
        failed: total.failed,
        refused: total.refused,
        total_ns: scale.ns(total.total),
        self_ns: scale.ns(total.own),
        min_ns: returned.then(|| scale.ns(total.min)),
        mean_ns: returned.then(|| scale.ns(total.total) / total.ended),
        p50_ns: percentile.map(|p| p[0]),
        p90_ns: percentile.map(|p| p[1]),
        p99_ns: percentile.map(|p| p[2]),
        max_ns: returned.then(|| scale.ns(total.max)),
        ..row
    }
}

/// The 50th, 90th and 99th percentile, as exact as the recording's buckets: to about 6 %.
fn percentiles(total: &Total, scale: Scale) -> Option<[u64; 3]> {
    let mut histogram = Histogram::<u64>::new(3).ok()?;
    for (bucket, count) in total
        .histogram
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
    {
        histogram
            .record_n(scale.ns(midpoint(bucket)), *count)
            .ok()?;
    }
    if histogram.is_empty() {
        return None;
    }
    let (min, max) = (scale.ns(total.min), scale.ns(total.max));
    let value = |quantile| {
        histogram
            .value_at_quantile(quantile)
            .max(min)
            .min(max.max(min))
    };
    Some([value(0.5), value(0.9), value(0.99)])
}

fn task_row(task: &TaskSnapshot, account: &Account, scale: Scale) -> TaskRow {
    let unmanaged = account
        .targets
        .iter()
        .filter(|((_, side), _)| *side == Side::Unmanaged);
    TaskRow {
        task: task.number,
        os_thread: task.os_thread,
        name: Some(task.name.clone()).filter(|name| !name.is_empty()),
        kind: task.kind.name(),
        crossings: account.crossings.iter().sum(),
        max_depth: task.max_depth,
        unmanaged_ns: scale.ns(unmanaged.map(|(_, total)| total.own).sum()),
        threads: task.threads,
        ended: task.ended,
    }
}

/// The targets of a recording, for its events.
pub fn target_infos(reader: &Reader) -> BTreeMap<u32, TargetInfo> {
    let names = reader.names();
    let info = |target: &u32| {
        let row = target_row(&names, *target, Side::Unmanaged);
        let name = row.name();
        let TargetRow {
            method,
            assembly,
            library,
            entry,
            address,
            runtime_internal,
            ..
        } = row;
        (
            *target,
            TargetInfo {
                method,
                assembly,
                library,
                entry,
                address,
                runtime_internal,
                name,
            },
        )
    };
    names.targets.keys().chain([&0]).map(info).collect()
}
