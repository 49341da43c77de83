//! A recording as reports see it: names instead of numbers, nanoseconds instead of ticks.
//!
//! The fields are the JSON of `soglia report --format json`; `docs/report.schema.json` describes it.

use std::{collections::BTreeMap, ffi::OsStr, path::Path};

use hdrhistogram::Histogram;
use serde::Serialize;
use soglia_core::{
    account::{Total, Totals},
    crossing::Side,
    fault::Fault,
    histogram::midpoint,
    time::Scale,
    trace::{
        log::TargetNames,
        names::Names,
        reader::{Ended, Reader},
        replay,
        snapshot::TaskSnapshot,
    },
};

/// All that a report can tell.
#[derive(Clone, Debug, Serialize)]
pub struct Model {
    /// The recorded program: the assembly where `dotnet` was asked to run one, else the executable.
    pub program: String,
    /// The command line of the recorded process.
    pub command_line: Vec<String>,
    /// Its number.
    pub pid: u32,
    /// The runtime in it.
    pub runtime: Runtime,
    /// `exit`, `signal`, `killed` or `running`.
    pub ended: &'static str,
    /// If it exited and somebody saw it.
    pub exit_code: Option<i32>,
    /// If a signal ended it.
    pub signal: Option<i32>,
    /// From the start of the runtime.
    pub duration_ns: u64,
    /// `summary` or `events`.
    pub level: &'static str,
    /// How many of each.
    pub crossings: Crossings,
    /// What did not fit.
    pub faults: Vec<FaultRow>,
    /// Crossings, slow calls and stacks for which there was no room.
    pub dropped: u64,
    /// Of these: crossings that are counted but not among the events.
    pub dropped_events: u64,
    /// Of these: crossings that are in no account at all.
    pub dropped_crossings: u64,
    /// One per target, longest total first.
    pub targets: Vec<TargetRow>,
    /// One per task.
    pub tasks: Vec<TaskRow>,
    /// Slow calls, in the order of their ends.
    pub slow: Vec<SlowRow>,
    /// Calls at least this long are slow; 0: none is.
    pub slow_threshold_ns: u64,
    /// Calls that had not returned when the recording was read, or when the process ended.
    pub open: Vec<OpenRow>,
    /// What a reader should know.
    pub remarks: Vec<String>,
}

/// Which runtime.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Runtime {
    /// `.NET`.
    pub name: String,
    /// As in `10.0.12`.
    pub version: String,
}

/// How many crossings of each kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Crossings {
    /// `LeaveRuntime`.
    pub leave: u64,
    /// `EnterRuntime`.
    pub enter: u64,
    /// `ReverseEnterRuntime`.
    pub reverse_enter: u64,
    /// `ReverseLeaveRuntime`.
    pub reverse_leave: u64,
}

impl Crossings {
    /// All together.
    pub const fn all(&self) -> u64 {
        self.leave + self.enter + self.reverse_enter + self.reverse_leave
    }
}

/// How often crossings did not fit in one way.
#[derive(Clone, Debug, Serialize)]
pub struct FaultRow {
    /// The fault.
    pub kind: &'static str,
    /// How often.
    pub count: u64,
    /// On how many tasks.
    pub tasks: u64,
    /// In a sentence.
    pub meaning: &'static str,
}

/// One target.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TargetRow {
    /// `forward` or `reverse`.
    pub direction: &'static str,
    /// `Namespace.Type.Method`.
    pub method: Option<String>,
    /// Of the method.
    pub assembly: Option<String>,
    /// As written in `DllImport`.
    pub library: Option<String>,
    /// The entry point.
    pub entry: Option<String>,
    /// Of the native function, in hexadecimal.
    pub address: Option<String>,
    /// The loaded object that it lies in.
    pub file: Option<String>,
    /// The symbol at the address.
    pub symbol: Option<String>,
    /// One of the runtime's own.
    pub runtime_internal: bool,
    /// All calls.
    pub calls: u64,
    /// Of these: not returned yet.
    pub open: u64,
    /// Of these: unwound past.
    pub abandoned: u64,
    /// Time in calls that returned.
    pub total_ns: u64,
    /// The same without what was nested in them.
    pub self_ns: u64,
    /// Shortest, if any returned.
    pub min_ns: Option<u64>,
    /// Mean.
    pub mean_ns: Option<u64>,
    /// Median.
    pub p50_ns: Option<u64>,
    /// 90th percentile.
    pub p90_ns: Option<u64>,
    /// 99th percentile.
    pub p99_ns: Option<u64>,
    /// Longest.
    pub max_ns: Option<u64>,
    /// Tasks that called it.
    pub tasks: u64,
    /// Who called it first, innermost frame first.
    pub first_caller: Vec<String>,
}

impl TargetRow {
    /// `library!entry` where there is one, else the method, else what it is.
    pub fn name(&self) -> String {
        match (&self.library, &self.entry, &self.method) {
            (Some(library), Some(entry), _) => format!("{library}!{entry}"),
            (_, _, Some(method)) => method.clone(),
            _ => "[function pointer]".into(),
        }
    }
}

/// One task.
#[derive(Clone, Debug, Serialize)]
pub struct TaskRow {
    /// Its number.
    pub task: u32,
    /// The operating system's number of its thread.
    pub os_thread: u32,
    /// Its name.
    pub name: Option<String>,
    /// What it is.
    pub kind: &'static str,
    /// Crossings of all kinds.
    pub crossings: u64,
    /// Deepest nesting.
    pub max_depth: u32,
    /// Time in native code, without callbacks, in calls that returned.
    pub unmanaged_ns: u64,
    /// Threads that were recorded as this one.
    pub threads: u32,
    /// Whether its thread has ended.
    pub ended: bool,
}

/// One slow call.
#[derive(Clone, Debug, Serialize)]
pub struct SlowRow {
    /// The target's name.
    pub target: String,
    /// One of the runtime's own.
    pub runtime_internal: bool,
    /// When it returned, since the start.
    pub t: u64,
    /// The task.
    pub task: u32,
    /// How long it took.
    pub duration_ns: u64,
    /// The managed stack, innermost frame first.
    pub stack: Vec<String>,
}

/// One call that has not returned.
#[derive(Clone, Debug, Serialize)]
pub struct OpenRow {
    /// The task.
    pub task: u32,
    /// Layers below it.
    pub depth: u32,
    /// `forward` or `reverse`.
    pub direction: &'static str,
    /// The target's name.
    pub target: String,
    /// One of the runtime's own.
    pub runtime_internal: bool,
    /// When it began, since the start.
    pub t: u64,
    /// Until when the recording was read, or the process ended.
    pub duration_ns: u64,
    /// The managed stack, innermost frame first, where it is known: if this is the target's first call.
    pub stack: Vec<String>,
}

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
            level: if reader.has_events() {
                "events"
            } else {
                "summary"
            },
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
                    stack: frames(&names, slow.stack),
                })
                .collect(),
            slow_threshold_ns: reader.slow_ns(),
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

fn target_row(names: &Names, target: u32, side: Side) -> TargetRow {
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
        runtime_internal,
        ..
    } = names.targets.get(&target).cloned().unwrap_or_default();
    let place = names.addresses.get(&target);
    let first = names
        .first_calls
        .get(&target)
        .map_or_else(Vec::new, |stack| frames(names, *stack));
    TargetRow {
        direction: side.direction(),
        method,
        assembly,
        library,
        entry,
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
    stack.map_or_else(Vec::new, |stack| frames(names, *stack))
}

fn frames(names: &Names, stack: u32) -> Vec<String> {
    names.stack(stack).into_iter().map(str::to_owned).collect()
}

fn target_name(names: &Names, target: u32, side: Side) -> String {
    target_row(names, target, side).name()
}

fn target_rows(accounts: &[Account], names: &Names, scale: Scale) -> Vec<TargetRow> {
    let mut sums: BTreeMap<(u32, Side), (Total, u64)> = BTreeMap::new();
    for (key, total) in accounts.iter().flat_map(|account| &account.targets) {
        if total.calls() > 0 {
            let (sum, tasks) = sums.entry(*key).or_default();
            sum.add(total);
            *tasks += 1;
        }
    }
    let mut rows: Vec<TargetRow> = sums
        .into_iter()
        .map(|((target, side), (total, tasks))| TargetRow {
            tasks,
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
        open: total.open,
        abandoned: total.abandoned,
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

/// What a crossing line tells of its target.
#[derive(Clone, Debug, Default)]
pub struct TargetInfo {
    /// `Namespace.Type.Method`.
    pub method: Option<String>,
    /// Of the method.
    pub assembly: Option<String>,
    /// As written in `DllImport`.
    pub library: Option<String>,
    /// The entry point.
    pub entry: Option<String>,
    /// Of the native function, in hexadecimal.
    pub address: Option<String>,
    /// One of the runtime's own.
    pub runtime_internal: bool,
    /// For people.
    pub name: String,
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
