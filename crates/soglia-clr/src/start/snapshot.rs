//! Takes a snapshot of all threads for a tool, into a recording of its own.

use soglia_abi::profiler::info::ICorProfilerInfo;
use soglia_core::{
    time,
    trace::{attached::Detach, log::Record, writer::Recording},
};

use super::{
    both::with_walker,
    environment::{command_line, named, scope},
    major, record_runtime,
};
use crate::{
    engine::Engine,
    policy::Rules,
    settings::Settings,
    snapshot::{self, Which},
};

/// Takes it. Whatever else the engine does goes on.
///
/// # Errors
/// Why not, for people.
pub fn take(info: &ICorProfilerInfo, settings: &Settings) -> Result<(), String> {
    let (path, identity) = named(settings)?;
    let major = major(info)?;
    let rules = Rules::asked(settings).map_err(|error| error.to_string())?;
    let clr = with_walker(info)?;
    let recording = settings
        .take_recording()
        .unwrap_or_else(|| Recording::claim_that(&path, identity.as_ref()))
        .map_err(|error| format!("the recording {} cannot be used: {error}", path.display()))?;
    let recording = Box::into_raw(Box::new(recording));
    // SAFETY: the pointer is to a recording that is freed below, after the last use of this.
    let of_engine = unsafe { &*recording };
    let engine = Engine {
        scope: scope(settings),
        rules,
        watches: false,
        ..Engine::new(of_engine, path, clr, major)
    };
    engine.recording.log(&Record::Program {
        args: command_line(),
    });
    record_runtime(&engine);
    snapshot::record(&engine, Which::All);
    engine.recording.let_go(Detach {
        at: time::now(),
        ..Detach::default()
    });
    drop(engine);
    // SAFETY: the pointer comes from the box above, and the engine that had it is gone. It was
    // never the current one, so no other thread has it.
    drop(unsafe { Box::from_raw(recording) });
    Ok(())
}
