//! How the process was ended, if it did not end by itself.

use soglia_core::{
    crossing::Side,
    trace::{crash::Crash, names::Names},
};

use super::{
    lists::TaskLayer,
    rows::{CrashRow, TaskRow},
    targets::target_name,
};

/// The row of a process that was ended. `ended` is as in the report.
pub(super) fn row(
    ended: &str,
    signal: Option<i32>,
    names: &Names,
    tasks: &[TaskRow],
    open: &[TaskLayer],
) -> Option<CrashRow> {
    if !matches!(ended, "signal" | "killed") {
        return None;
    }
    let crash = names.crash.clone().unwrap_or_default();
    let Crash {
        os_thread,
        out_of_memory,
        address,
        instruction,
        file,
        offset,
        symbol,
    } = crash;
    let hex = |number: Option<u64>| number.map(|number| format!("{number:#x}"));
    let mut its = tasks
        .iter()
        .filter(|row| os_thread != 0 && row.os_thread == os_thread);
    // A number of a thread can be given again. The last task is the one that lives.
    let task = its.next_back().map(|row| row.task);
    let inside = open.iter().rfind(|open| Some(open.task) == task);
    let call = inside.filter(|open| open.layer.side() == Side::Unmanaged);
    Some(CrashRow {
        signal,
        out_of_memory,
        address: hex(address),
        instruction: hex(instruction),
        file,
        offset: hex(offset),
        symbol,
        task,
        target: call.map(|open| target_name(names, open.layer.slot)),
    })
}
