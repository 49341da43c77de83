//! A finding before it is put in order.

use crate::model::{FIRST, Finding, Model};

/// How much a finding matters. Greater is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// The program could be faster.
    Hint,
    /// The program loses much time, or does not do what it was written for.
    Warning,
    /// The program failed or hung, or it will.
    Problem,
}

impl Severity {
    const fn name(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// A finding before it is put in order.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: &'static str,
    pub(super) severity: Severity,
    /// Nanoseconds that the program loses. Orders findings of one severity.
    pub(super) at_stake: u64,
    pub(super) sentence: String,
    pub(super) evidence: String,
    pub(super) advice: String,
    pub(super) targets: Vec<String>,
}

impl Draft {
    /// The finding as reports have it.
    pub(super) fn done(self) -> Finding {
        Finding {
            process: FIRST,
            id: self.id,
            severity: self.severity.name(),
            sentence: self.sentence,
            evidence: self.evidence,
            advice: self.advice,
            link: format!("docs/advice.md#{}", self.id),
            targets: self.targets,
        }
    }
}

/// `, called by METHOD`, if the caller is known.
pub(super) fn by(stack: &[String]) -> String {
    match caller(stack) {
        Some(caller) => format!(", called by {caller}"),
        None => String::new(),
    }
}

/// The innermost managed frame of a stack that is not the runtime's own.
pub(super) fn caller(stack: &[String]) -> Option<&str> {
    let managed = || {
        stack
            .iter()
            .map(String::as_str)
            .filter(|f| !f.starts_with('['))
    };
    let own = managed().find(|frame| !frame.starts_with("System."));
    own.or_else(|| managed().next())
}

/// A number with its noun: `1 call`, `2 calls`.
pub(super) fn several(n: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        crate::text::count(n),
        if n == 1 { one } else { many }
    )
}

/// A thread as reports name it: `thread 3 "worker"`, or by its kind.
pub(super) fn thread(model: &Model, task: u32) -> String {
    let row = model.tasks.iter().find(|row| row.task == task);
    match row.map(|row| (&row.name, row.kind)) {
        Some((Some(name), _)) => format!("thread {task} \"{name}\""),
        Some((None, kind)) if kind != "thread" => format!("thread {task} ({kind})"),
        _ => format!("thread {task}"),
    }
}
