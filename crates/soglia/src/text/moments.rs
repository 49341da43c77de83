//! Moments and threads, as sentences name them.

use std::collections::{BTreeMap, HashMap, HashSet};

use soglia_core::plain::plain;

use super::words::{count, time};
use crate::model::{Model, OpenRow, ProcessRow, TaskRow};

/// A thread: the number of its process in the report, and its own.
pub(super) type Thread = (u32, u32);

/// What the sections that list single calls need to know of the whole report.
pub(super) struct Moments<'a> {
    model: &'a Model,
    tasks: HashMap<Thread, &'a TaskRow>,
    /// The process and its name, by its number. Empty in the report of one process, which need not
    /// be named.
    processes: HashMap<u32, (&'a ProcessRow, String)>,
    /// Thread and begin of each call that missed a deadline and whose stack is shown.
    overdue: HashSet<(Thread, u64)>,
}

/// Threads of a group that are named one by one.
const MOST_NAMED: usize = 4;

impl<'a> Moments<'a> {
    pub(super) fn of(model: &'a Model) -> Self {
        let tasks = model.tasks.iter();
        let tasks = tasks.map(|task| ((task.process, task.task), task));
        let overdue = model.overdue.iter().filter(|row| {
            let stacks = row.reports.iter().map(|report| &report.stack);
            stacks.flatten().next().is_some()
        });
        let overdue = overdue.map(|row| ((row.process, row.task), row.began));
        let names = ProcessRow::names(&model.processes);
        let processes = model.processes.iter().zip(names);
        let processes = processes.filter(|_| model.is_merged());
        Self {
            model,
            tasks: tasks.collect(),
            processes: processes
                .map(|(row, name)| (row.process, (row, name)))
                .collect(),
            overdue: overdue.collect(),
        }
    }

    /// Whether an open call is among those that missed a deadline, where its stack is.
    pub(super) fn is_overdue(&self, row: &OpenRow) -> bool {
        self.overdue.contains(&((row.process, row.task), row.began))
    }

    /// A moment of a process: the time since the start of its runtime, and the time of day.
    pub(super) fn moment(&self, process: u32, t: u64) -> String {
        let wall = match self.processes.get(&process) {
            Some((row, _)) => row.wall,
            None => self.model.wall,
        };
        match wall.local(t) {
            Some(of_day) => format!("{} ({of_day})", time(t)),
            None => time(t),
        }
    }

    /// `process 4711`. `None` in the report of one process.
    pub(super) fn process(&self, process: u32) -> Option<String> {
        let (_, name) = self.processes.get(&process)?;
        Some(format!("process {name}"))
    }

    /// `in process 4711`, or `in 3 processes`. `None` in the report of one process, and for all.
    pub(super) fn within(&self, processes: &[u32]) -> Option<String> {
        let mut numbers = processes.to_vec();
        numbers.sort_unstable();
        numbers.dedup();
        let (_, first) = self.processes.get(numbers.first()?)?;
        match numbers.len() {
            n if n == self.processes.len() => None,
            1 => Some(format!("in process {first}")),
            n => Some(format!("in {} processes", count(n as u64))),
        }
    }

    /// How a process ended: a word of [`Model::ended`].
    pub(super) fn ended(&self, process: u32) -> &'static str {
        let row = self.processes.get(&process);
        row.map_or(self.model.ended, |(row, _)| row.ended)
    }

    /// `3 "worker"`.
    fn named(&self, thread: Thread) -> String {
        let name = self.tasks.get(&thread).and_then(|row| row.name.as_deref());
        let (_, task) = thread;
        match name {
            Some(name) => format!("{task} \"{}\"", plain(name)),
            None => task.to_string(),
        }
    }

    /// `thread 3 "worker"`, or `3 threads: 3 "worker", 4 and 5`. Of several processes:
    /// `3 threads: 3 and 4 of process 4711 and 1 of process 4712`.
    pub(super) fn threads(&self, threads: &[Thread]) -> String {
        let mut threads = threads.to_vec();
        threads.sort_unstable();
        threads.dedup();
        if let [thread] = threads[..] {
            let of = self.of_process(thread.0);
            return format!("thread {}{of}", self.named(thread));
        }
        let listed = match threads.len() {
            n if n > MOST_NAMED => MOST_NAMED - 1,
            n => n,
        };
        let mut by_process: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for thread in threads.iter().take(listed) {
            let of = by_process.entry(thread.0).or_default();
            of.push(self.named(*thread));
        }
        let more = threads.len() - listed;
        let more = (more > 0).then(|| format!("{} more", count(more as u64)));
        let all = count(threads.len() as u64);
        let mut words: Vec<String> = match by_process.len() {
            1 => by_process.values().flatten().cloned().collect(),
            _ => by_process
                .iter()
                .map(|(process, named)| joined(named) + &self.of_process(*process))
                .collect(),
        };
        let of = match (by_process.len(), by_process.keys().next()) {
            (1, Some(process)) if threads.iter().all(|(of, _)| of == process) => {
                self.of_process(*process)
            }
            _ => String::new(),
        };
        words.extend(more);
        format!("{all} threads{of}: {}", joined(&words))
    }

    /// ` of process 4711`.
    fn of_process(&self, process: u32) -> String {
        let name = self.process(process);
        name.map_or_else(String::new, |name| format!(" of {name}"))
    }

    /// The operating system's number of a thread.
    pub(super) fn os_thread(&self, thread: Thread) -> Option<u32> {
        self.tasks.get(&thread).map(|row| row.os_thread)
    }
}

/// `a, b and c`.
pub(super) fn joined(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(process: u32, task: u32, name: Option<&str>) -> TaskRow {
        TaskRow {
            process,
            task,
            name: name.map(str::to_owned),
            ..TaskRow::default()
        }
    }

    #[test]
    fn threads_are_named_by_number_and_name() {
        let model = Model {
            tasks: vec![task(1, 1, None), task(1, 2, Some("wor\nker"))],
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
            let threads: Vec<Thread> = tasks.iter().map(|task| (1, *task)).collect();
            assert_eq!(moments.threads(&threads), said);
        }
    }

    #[test]
    fn threads_of_several_processes_name_them() {
        let process = |process, pid| ProcessRow {
            process,
            pid,
            ..ProcessRow::default()
        };
        let mut model = Model {
            processes: vec![process(1, 70), process(2, 71)],
            tasks: vec![task(2, 1, Some("main"))],
            ..Model::default()
        };
        let said = |model: &Model, threads: &[Thread]| Moments::of(model).threads(threads);
        let cases: [(&[Thread], &str); 4] = [
            (&[(2, 1)], "thread 1 \"main\" of process 71"),
            (&[(1, 1), (1, 3)], "2 threads of process 70: 1 and 3"),
            (
                &[(1, 1), (1, 3), (2, 1)],
                "3 threads: 1 and 3 of process 70 and 1 \"main\" of process 71",
            ),
            (
                &[(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)],
                "5 threads: 1, 2, 3 and 2 more",
            ),
        ];
        for (threads, words) in cases {
            assert_eq!(said(&model, threads), words);
        }
        // In containers, each may have the same number.
        model.processes[1].pid = 70;
        assert_eq!(said(&model, &[(2, 1)]), "thread 1 \"main\" of process #2");
    }
}
