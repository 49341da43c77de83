//! What a report says about a recording of a process that ran already.

use std::collections::HashMap;

use serde::Serialize;
use soglia_core::trace::{
    attached::{Attach, Snapshot, Why},
    names::Names,
};

use super::{
    clock::Clock,
    room::Room,
    rows::TaskRow,
    targets::{callers, target_name},
};

/// The time in which the engine recorded a process that ran already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AttachRow {
    /// Nanoseconds from the start of the recording until the engine was asked for its hooks.
    pub began: u64,
    /// The time of day then: RFC 3339, in UTC.
    pub time: Option<String>,
    /// Nanoseconds from the start of the recording until the engine let the process go. `None` if
    /// it has not.
    pub ended: Option<u64>,
    /// The time of day then.
    pub ended_time: Option<String>,
    /// Who ended it: `tool`, `tool-gone` if the tool was killed, or `engine` if the engine gave up.
    pub ended_by: Option<&'static str>,
    /// The hooks stay.
    pub kept: bool,
    /// Nanoseconds from the request until all hooks were asked for.
    pub live_ns: u64,
    /// Modules that the engine looked into.
    pub modules: u32,
    /// Native functions that it watches.
    pub targets: u32,
    /// Methods whose code has hooks from their next call on.
    pub callers: u32,
    /// Of `callers`: those that no thread has entered since. `None` if that is not known, which it
    /// is when the engine lets go.
    pub not_entered: Option<u32>,
    /// The stacks of threads were read when the hooks were in place. If not, what they were inside
    /// is not known.
    pub stacks_read: bool,
    /// Nanoseconds that the process had lived when the engine was asked.
    pub process_age_ns: Option<u64>,
    /// The time of day at the start of the process.
    pub process_time: Option<String>,
}

/// What a thread did when the engine was attached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BeforeRow {
    /// The task, if the thread has crossed the boundary since.
    pub task: Option<u32>,
    /// The operating system's number of the thread.
    pub os_thread: u32,
    /// The name of the thread.
    pub name: Option<String>,
    /// Nanoseconds from the start of the recording until its stack was read.
    pub t: u64,
    /// The time of day then.
    pub time: Option<String>,
    /// The thread was inside a native call, which began before the attach.
    pub inside: bool,
    /// What the thread was inside: `library!entry`, or a method.
    pub callee: Option<String>,
    /// The thread has made calls since that are recorded.
    pub crossed: bool,
    /// Its managed frames, innermost first.
    pub stack: Vec<String>,
    /// Its native frames, innermost first.
    pub native_stack: Vec<String>,
}

/// When the engine was attached, if it was.
pub(super) fn row(names: &Names, clock: &Clock) -> Option<AttachRow> {
    let attach: Attach = names.attach?;
    let began = clock.since_start(attach.asked);
    let age = Some(attach.age_ns).filter(|age| *age > 0);
    let gone = names.detach.filter(|detach| !detach.kept);
    let ended = gone.map(|detach| clock.since_start(detach.at));
    Some(AttachRow {
        began,
        time: clock.wall.utc(began),
        ended,
        ended_time: ended.and_then(|ended| clock.wall.utc(ended)),
        ended_by: gone.map(|detach| match detach.why {
            Why::Asked => "tool",
            Why::ToolGone => "tool-gone",
            Why::GaveUp => "engine",
        }),
        kept: names.detach.is_some_and(|detach| detach.kept),
        live_ns: clock.scale.ns(attach.live.saturating_sub(attach.asked)),
        modules: attach.modules,
        targets: attach.targets,
        callers: attach.callers,
        not_entered: names.detach.map(|d| d.not_entered.min(attach.callers)),
        stacks_read: !names.snapshots.is_empty(),
        process_age_ns: age,
        process_time: age.and_then(|age| clock.wall.utc_before(began, age)),
    })
}

/// What threads did when the engine was attached, in the order in which that was recorded.
///
/// Leaves out threads that had crossed before their stacks were read: what they were inside is
/// recorded.
pub(super) fn before(
    names: &Names,
    tasks: &[TaskRow],
    clock: &Clock,
    room: &mut Room,
) -> Vec<BeforeRow> {
    if names.attach.is_none() {
        return Vec::new();
    }
    // A number of a thread can be given again. The first task is the one that was there.
    let mut of_thread: HashMap<u32, &TaskRow> = HashMap::new();
    for task in tasks {
        of_thread.entry(task.os_thread).or_insert(task);
    }
    let mut rows = Vec::new();
    for snapshot in &names.snapshots {
        let t = clock.since_start(snapshot.at);
        let task = of_thread.get(&snapshot.os_thread).copied();
        if task.is_some_and(|task| task.began <= t) || !room.takes(texts(names, snapshot)) {
            continue;
        }
        let target = Some(snapshot.target).filter(|target| *target > 0);
        rows.push(BeforeRow {
            task: task.map(|task| task.task),
            os_thread: snapshot.os_thread,
            name: snapshot
                .thread
                .clone()
                .or_else(|| task.and_then(|task| task.name.clone())),
            t,
            time: clock.wall.utc(t),
            inside: snapshot.inside,
            callee: target
                .map(|target| target_name(names, target))
                .or_else(|| snapshot.callee.clone()),
            crossed: task.is_some(),
            stack: callers(names, snapshot.stack),
            native_stack: callers(names, snapshot.native),
        });
    }
    rows
}

/// The texts of a row, for the room that it takes.
fn texts<'a>(names: &'a Names, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a str> {
    let target = names.targets.get(&snapshot.target);
    let target = target.map(|of| [&of.library, &of.entry, &of.method]);
    [&snapshot.thread, &snapshot.callee]
        .into_iter()
        .chain(target.into_iter().flatten())
        .flatten()
        .map(String::as_str)
        .chain(names.stack(snapshot.stack))
        .chain(names.stack(snapshot.native))
}
