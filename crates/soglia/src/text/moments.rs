//! Moments and threads, as sentences name them.

use std::collections::{HashMap, HashSet};

use soglia_core::plain::plain;

use super::words::{count, time};
use crate::model::{Model, OpenRow, TaskRow};

/// What the sections that list single calls need to know of the whole report.
pub(super) struct Moments<'a> {
    model: &'a Model,
    tasks: HashMap<u32, &'a TaskRow>,
    /// Task and begin of each call that missed a deadline and whose stack is shown.
    overdue: HashSet<(u32, u64)>,
}

/// Threads of a group that are named one by one.
const MOST_NAMED: usize = 4;

impl<'a> Moments<'a> {
    pub(super) fn of(model: &'a Model) -> Self {
        let tasks = model.tasks.iter().map(|task| (task.task, task));
        let overdue = model.overdue.iter().filter(|row| {
            let stacks = row.reports.iter().map(|report| &report.stack);
            stacks.flatten().next().is_some()
        });
        let overdue = overdue.map(|row| (row.task, row.began));
        Self {
            model,
            tasks: tasks.collect(),
            overdue: overdue.collect(),
        }
    }

    /// Whether an open call is among those that missed a deadline, where its stack is.
    pub(super) fn is_overdue(&self, row: &OpenRow) -> bool {
        self.overdue.contains(&(row.task, row.began))
    }

    /// A moment: the time since the start of the runtime, and the time of day.
    pub(super) fn moment(&self, t: u64) -> String {
        match self.model.wall.local(t) {
            Some(of_day) => format!("{} ({of_day})", time(t)),
            None => time(t),
        }
    }

    /// `3 "worker"`.
    fn named(&self, task: u32) -> String {
        let name = self.tasks.get(&task).and_then(|row| row.name.as_deref());
        match name {
            Some(name) => format!("{task} \"{}\"", plain(name)),
            None => task.to_string(),
        }
    }

    /// `thread 3 "worker"`, or `3 threads: 3 "worker", 4 and 5`.
    pub(super) fn threads(&self, tasks: &[u32]) -> String {
        let mut tasks = tasks.to_vec();
        tasks.sort_unstable();
        tasks.dedup();
        if let [task] = tasks[..] {
            return format!("thread {}", self.named(task));
        }
        let listed = if tasks.len() > MOST_NAMED {
            MOST_NAMED - 1
        } else {
            tasks.len()
        };
        let named = tasks.iter().take(listed).map(|task| self.named(*task));
        let mut words: Vec<String> = named.collect();
        if tasks.len() > listed {
            words.push(format!("{} more", count((tasks.len() - listed) as u64)));
        }
        let last = words.pop().unwrap_or_default();
        let all = count(tasks.len() as u64);
        format!("{all} threads: {} and {last}", words.join(", "))
    }

    /// The operating system's number of a task's thread.
    pub(super) fn os_thread(&self, task: u32) -> Option<u32> {
        self.tasks.get(&task).map(|row| row.os_thread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_named_by_number_and_name() {
        let task = |task: u32, name: Option<&str>| TaskRow {
            task,
            name: name.map(str::to_owned),
            ..TaskRow::default()
        };
        let model = Model {
            tasks: vec![task(1, None), task(2, Some("wor\nker"))],
            ..Model::default()
        };
        let moments = Moments::of(&model);
        for (tasks, said) in [
            (&[1][..], "thread 1"),
            (&[2, 2], "thread 2 \"wor\\nker\""),
            (&[2, 1], "2 threads: 1 and 2 \"wor\\nker\""),
            (&[3, 4, 5], "3 threads: 3, 4 and 5"),
            (&[3, 4, 5, 6], "4 threads: 3, 4, 5 and 6"),
            (&[3, 4, 5, 6, 7], "5 threads: 3, 4, 5 and 2 more"),
        ] {
            assert_eq!(moments.threads(tasks), said);
        }
    }
}
