//! `pool-starvation`: threads of the pool that are blocked in native code while work waits.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    context::Context,
    draft::{Draft, Severity, by, several},
    thresholds::{
        STARVED_SHARE, STARVED_TIMES, STARVED_TOGETHER, STEADY_CALLS, STEADY_MEDIAN, STEADY_SHARE,
    },
};
use crate::{
    model::{TargetRow, TaskRow},
    text::time,
};

/// A native call of a thread of the pool: its target, its thread, its begin and its end.
struct Blocked<'a> {
    target: &'a str,
    task: u32,
    from: u64,
    until: u64,
    stack: &'a [String],
}

pub(super) fn find(context: &Context) -> Vec<Draft> {
    let model = context.model;
    let pool: HashSet<u32> = model
        .tasks
        .iter()
        .filter(|task| task.kind == "pool")
        .map(|task| task.task)
        .collect();
    let open = model
        .open
        .iter()
        .filter(|row| row.direction == "forward" && !row.runtime_internal);
    let open = open.map(|row| Blocked {
        target: &row.target,
        task: row.task,
        from: row.began,
        until: row.began.saturating_add(row.duration_ns),
        stack: &row.stack,
    });
    let slow = model.slow.iter();
    let slow = slow.filter(|row| !row.runtime_internal && row.direction != "reverse");
    let blocked = slow.map(|row| Blocked {
        target: &row.target,
        task: row.task,
        from: row.began,
        until: row.returned,
        stack: &row.stack,
    });
    let blocked: Vec<Blocked> = blocked
        .chain(open)
        .filter(|call| pool.contains(&call.task))
        .collect();
    let (together, at) = most_at_once(&blocked);
    let starved = &context.names.starvations;
    let times = starved.len() as u64;
    // Time of the pool's threads in native calls, and how long these threads were there.
    let (mut native, mut there) = (0_u64, 0_u64);
    for task in model.tasks.iter().filter(|task| task.kind == "pool") {
        native = native.saturating_add(task.unmanaged_ns.unwrap_or(0));
        there = there.saturating_add(task.until.saturating_sub(task.began));
    }
    let share = u64::try_from(u128::from(native) * 100 / u128::from(there.max(1))).unwrap_or(100);
    let said = times >= STARVED_TIMES && (together >= 2 || share >= STARVED_SHARE);
    let seen = together >= STARVED_TOGETHER.max(context.facts.processors.saturating_add(2));
    if !said && !seen && !is_steady(context) {
        return Vec::new();
    }
    let mut by_target: BTreeMap<&str, u64> = BTreeMap::new();
    for call in &blocked {
        let sum = by_target.entry(call.target).or_default();
        *sum = sum.saturating_add(call.until.saturating_sub(call.from));
    }
    // Calls that are too short for the list of slow calls: the target that the pool is in most.
    let sums = &context.facts.on_pool;
    let own = |row: &&TargetRow| sums.get(&row.number).map_or(0, |part| part.own_ns);
    let most = context
        .forward()
        .max_by_key(own)
        .map(|row| (row.name(), own(&row), row.first_caller.clone()));
    let slowest = by_target.iter().max_by_key(|(_, sum)| **sum);
    let (target, lost, stack) = match (slowest, most) {
        (Some((target, sum)), _) => {
            let stack = blocked.iter().find(|call| call.target == *target);
            (
                (*target).to_owned(),
                *sum,
                stack.map_or(Vec::new(), |call| call.stack.to_vec()),
            )
        }
        (None, Some((target, sum, stack))) if sum > 0 => (target, sum, stack),
        _ => return Vec::new(),
    };
    let threads: HashSet<u32> = blocked.iter().map(|call| call.task).collect();
    let threads = (threads.len() as u64).max(1);
    let how_often = match times {
        0 => String::new(),
        n => format!(
            " The runtime found {} that work waited and added a thread, up to {}.",
            several(n, "time", "times"),
            several(
                starved
                    .iter()
                    .map(|s| u64::from(s.threads))
                    .max()
                    .unwrap_or(0),
                "thread",
                "threads"
            ),
        ),
    };
    let overlap = match together {
        0 | 1 => format!("Threads of the pool spent {share} % of their time in native code."),
        n => format!(
            "{} of the pool were in native calls at once, {} after the start.",
            several(n, "thread", "threads"),
            time(at)
        ),
    };
    vec![Draft {
        id: "pool-starvation",
        severity: Severity::Problem,
        at_stake: lost,
        sentence: format!(
            "Threads of the thread pool were blocked in {target} for {} in all, while other work waited{}.",
            time(lost),
            by(&stack)
        ),
        evidence: format!("{overlap}{how_often} {} called it.", several(threads, "thread of the pool", "threads of the pool")),
        advice: "Make blocking calls on threads of their own (TaskCreationOptions.LongRunning, new Thread), or limit how many run at once.".into(),
        targets: vec![target],
    }]
}

/// Whether more threads of the pool than processors did little else than waiting the same time
/// again and again in one function. The pool has so many only if work waited.
fn is_steady(context: &Context) -> bool {
    let busy = |task: &&TaskRow| {
        let there = task.until.saturating_sub(task.began);
        let native = u128::from(task.unmanaged_ns.unwrap_or(0));
        task.kind == "pool" && native * 100 >= u128::from(there) * u128::from(STEADY_SHARE)
    };
    let threads = context.model.tasks.iter().filter(busy).count() as u64;
    let steady = |row: &TargetRow| {
        let part = context.facts.on_pool.get(&row.number).copied();
        let calls = part.map_or(0, |part| part.calls);
        let (Some(least), Some(median), Some(most)) = (row.min_ns, row.p50_ns, row.p90_ns) else {
            return false;
        };
        calls >= threads.saturating_mul(STEADY_CALLS)
            && median >= STEADY_MEDIAN
            && most.saturating_sub(least) <= median / 10
    };
    threads > context.facts.processors && context.forward().any(steady)
}

/// The most calls that were open at once on different threads, and when that was.
fn most_at_once(calls: &[Blocked]) -> (u64, u64) {
    let mut steps: Vec<(u64, bool, u32)> = Vec::new();
    for call in calls {
        steps.push((call.from, true, call.task));
        steps.push((call.until, false, call.task));
    }
    // At one moment, ends come first.
    steps.sort_unstable();
    let (mut most, mut at) = (0, 0);
    let mut open: HashMap<u32, u32> = HashMap::new();
    for (when, begins, task) in steps {
        let depth = open.entry(task).or_default();
        if begins {
            *depth += 1;
        } else {
            *depth = depth.saturating_sub(1);
            if *depth == 0 {
                open.remove(&task);
            }
        }
        if open.len() as u64 > most {
            (most, at) = (open.len() as u64, when);
        }
    }
    (most, at)
}
