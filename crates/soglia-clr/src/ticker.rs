//! The thread that the coarse clock of a recording ticks by, where calls are timed by sample.

use std::{ptr, thread, time::Duration};

use soglia_core::{
    coarse::{self, NO_CORE},
    time,
    trace::writer::Recording,
};

use crate::{clerk, engine};

/// Ticks until the recording is no longer the engine's. To be called when the engine is set, and
/// before there is a task. Without a thread, every call is timed.
pub fn begin(recording: &'static Recording) {
    let Some(plan) = recording.plan() else {
        return;
    };
    tick();
    let period = Duration::from_nanos(recording.scale().ns(plan.period));
    let ticking = clerk::thread("soglia-clock", move || {
        while engine::get().is_some_and(|engine| ptr::eq(engine.recording, recording)) {
            thread::sleep(period);
            tick();
        }
    });
    if !ticking {
        recording.time_all();
    }
}

fn tick() {
    // SAFETY: takes no arguments.
    let core = unsafe { libc::sched_getcpu() };
    coarse::tick(time::now(), u32::try_from(core).unwrap_or(NO_CORE));
}
