//! `native-lock`: threads that wait for each other inside native calls.

use std::collections::{BTreeMap, HashSet};

use super::{
    context::Context,
    draft::{Draft, Severity, by, several},
    thresholds::{LOCK_CLOSE, LOCK_TASKS},
    waits,
};
use crate::{model::SlowRow, text::time};

/// Words in the names of functions that take locks.
const LOCKS: &[&str] = &["lock", "mutex", "acquire", "sem", "semaphore"];

pub(super) fn find(context: &Context) -> Vec<Draft> {
    let mut by_target: BTreeMap<&str, Vec<&SlowRow>> = BTreeMap::new();
    let slow = context
        .model
        .slow
        .iter()
        .filter(|row| !row.runtime_internal && row.direction != "reverse");
    for row in slow {
        by_target.entry(&row.target).or_default().push(row);
    }
    let all = by_target
        .iter()
        .filter(|(target, _)| !waits::by_design(target));
    all.filter_map(|(target, calls)| draft(context, target, calls))
        .collect()
}

fn draft(context: &Context, target: &str, calls: &[&SlowRow]) -> Option<Draft> {
    let group = overlapping(calls);
    let tasks: HashSet<u32> = group.iter().map(|row| row.task).collect();
    if (tasks.len() as u64) < LOCK_TASKS {
        return None;
    }
    let holder = holder(context, target, &group);
    let is_lock = words(target).any(|word| LOCKS.contains(&&*word));
    let one_by_one = one_by_one(&group);
    if holder.is_none() && !is_lock && !one_by_one {
        return None;
    }
    let waited = group
        .iter()
        .map(|row| row.duration_ns)
        .fold(0, u64::saturating_add);
    let longest = group.iter().max_by_key(|row| row.duration_ns)?;
    let mut targets = vec![target.to_owned()];
    let why = match holder {
        Some(holder) => {
            targets.push(holder.target.clone());
            format!(
                "All of them returned right after {} on thread {}, which took {}.",
                holder.target,
                holder.task,
                time(holder.duration_ns)
            )
        }
        None if one_by_one => {
            "They overlapped, and returned one after the other in equal steps.".into()
        }
        None => "They overlapped.".into(),
    };
    Some(Draft {
        id: "native-lock",
        severity: Severity::Warning,
        at_stake: waited,
        sentence: format!(
            "{} waited for each other in {target}, up to {}{}.",
            several(tasks.len() as u64, "thread", "threads"),
            time(longest.duration_ns),
            by(&longest.stack)
        ),
        evidence: format!("{} took {} in all. {why}", several(group.len() as u64, "call", "calls"), time(waited)),
        advice: "Hold the native lock for a shorter time, give each thread a native object of its own, or queue the calls on one thread.".into(),
        targets,
    })
}

/// The words of a function's name, in lower case: `pthread_mutex_lock` and `TakeLock` have the word
/// `lock`, and `blocking_read` has not.
fn words(target: &str) -> impl Iterator<Item = String> {
    let function = target.rsplit_once('!').map_or(target, |(_, entry)| entry);
    let mut words = vec![String::new()];
    let mut after_small = false;
    for c in function.chars() {
        if !c.is_ascii_alphabetic() || (c.is_ascii_uppercase() && after_small) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphabetic()) {
            word.push(c.to_ascii_lowercase());
        }
        after_small = c.is_ascii_lowercase();
    }
    words.into_iter().filter(|word| !word.is_empty())
}

/// The largest group of calls that were open at one moment.
fn overlapping<'a>(calls: &[&'a SlowRow]) -> Vec<&'a SlowRow> {
    let mut sorted = calls.to_vec();
    sorted.sort_by_key(|row| row.began);
    let mut open: Vec<&SlowRow> = Vec::new();
    let mut best: Vec<&SlowRow> = Vec::new();
    for row in sorted {
        open.retain(|other| other.returned > row.began);
        open.push(row);
        if open.len() > best.len() {
            best.clone_from(&open);
        }
    }
    best
}

/// A call of another target that began before all of the group, and after which they all returned
/// at once.
fn holder<'a>(context: &Context<'a>, target: &str, group: &[&SlowRow]) -> Option<&'a SlowRow> {
    let first = group.iter().map(|row| row.returned).min()?;
    let last = group.iter().map(|row| row.returned).max()?;
    let began = group.iter().map(|row| row.began).min()?;
    let others = context.model.slow.iter();
    let others = others.filter(|row| row.target != target && row.direction != "reverse");
    let mut holders = others.filter(|row| {
        row.began <= began
            && row.returned <= first.saturating_add(LOCK_CLOSE)
            && last <= row.returned.saturating_add(LOCK_CLOSE)
            && !waits::by_design(&row.target)
            && !group.iter().any(|waiting| waiting.task == row.task)
    });
    holders.next()
}

/// Whether the calls of a group returned one after the other in about equal steps, and the last one
/// therefore took far longer than the first.
fn one_by_one(group: &[&SlowRow]) -> bool {
    let mut ends: Vec<u64> = group.iter().map(|row| row.returned).collect();
    ends.sort_unstable();
    let mut steps: Vec<u64> = ends
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]))
        .collect();
    steps.sort_unstable();
    let (Some(least), Some(most)) = (steps.first(), steps.last()) else {
        return false;
    };
    let shortest = group.iter().map(|row| row.duration_ns).min().unwrap_or(0);
    let longest = group.iter().map(|row| row.duration_ns).max().unwrap_or(0);
    // Two steps differ by less than half, and a step is about as long as the shortest call.
    *least > 0 && most / 3 <= least / 2 && longest / 5 * 2 >= shortest && *least >= shortest / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_known_by_whole_words() {
        let is_lock = |target| words(target).any(|word| LOCKS.contains(&&*word));
        for target in [
            "libc!pthread_mutex_lock",
            "db!TakeLock",
            "sem_wait",
            "acquire2",
        ] {
            assert!(is_lock(target), "{target}");
        }
        for target in [
            "cam!blocking_io",
            "clock!tick",
            "lock!read",
            "Unblock",
            "assemble",
        ] {
            assert!(!is_lock(target), "{target}");
        }
    }
}
