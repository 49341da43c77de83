//! What a session knows of the threads.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed};

use crate::{engine::Engine, threads};

/// The numbers of tasks, by the operating system's number of their threads.
pub(super) fn of(engine: &Engine) -> BTreeMap<u32, u32> {
    let live = match engine.is_current() {
        true => threads::live(),
        // The tasks are those of another recording.
        false => Vec::new(),
    };
    let numbers = live.into_iter().map(|task| {
        let os_thread = task.os_thread.load(Relaxed);
        (os_thread, task.number.load(Relaxed))
    });
    numbers.collect()
}

/// A call without a GC transition that is open now, if there is one, and its thread.
pub(super) fn suppressed(engine: &Engine) -> Option<(u32, String)> {
    if !engine.is_current() {
        return None;
    }
    threads::live().into_iter().find_map(|task| {
        let call = engine.recording.open_calls(task).pop()?;
        let names = engine.names_of(call.target).filter(|n| n.suppressed)?;
        let name = format!("{}!{}", names.library?, names.entry?);
        Some((task.os_thread.load(Relaxed), name))
    })
}
