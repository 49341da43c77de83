//! The table of threads.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use soglia_core::plain::plain;

use super::{
    calls,
    shown::{MOST_ROWS, Shown},
    style::HEAD,
    words::{count, more, time},
};
use crate::model::Model;

/// Writes the table of threads. The rest of the report refers to them by the number in front, which
/// is the number of the task.
pub(super) fn threads(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let named = calls::tasks_named(model, shown);
    if model.tasks.len() < 2 && named.is_empty() {
        return Ok(());
    }
    // If calls were only counted, these columns are empty.
    let timed = model.tasks.iter().any(|task| task.max_depth.is_some());
    let counted = if model.crossings.all().is_some() {
        "crossings"
    } else {
        "calls"
    };
    write!(out, "\n{HEAD}{:>11} {counted:>11}", "thread")?;
    if timed {
        write!(out, " {:>8} {:>6}", "native", "depth")?;
    }
    writeln!(out, " {:>10}  kind{HEAD:#}", "tid")?;
    let mut rows: Vec<_> = model.tasks.iter().collect();
    rows.sort_by_key(|task| std::cmp::Reverse(task.crossings));
    let mut left = 0;
    for (n, task) in rows.iter().enumerate() {
        if n >= MOST_ROWS && !named.contains(&task.task) {
            left += 1;
            continue;
        }
        let mut what = task.kind.to_owned();
        if let Some(name) = &task.name {
            let _ = write!(what, " \"{}\"", plain(name));
        }
        if task.threads > 1 {
            let _ = write!(what, ", {} threads in turn", task.threads);
        }
        write!(out, "{:>11} {:>11}", task.task, count(task.crossings))?;
        if timed {
            let optional = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            write!(
                out,
                " {:>8} {:>6}",
                optional(task.unmanaged_ns.map(time)),
                optional(task.max_depth.map(|depth| depth.to_string())),
            )?;
        }
        writeln!(out, " {:>10}  {what}", task.os_thread)?;
    }
    more(left + model.left_out.tasks, model.left_out.tasks, out)
}
