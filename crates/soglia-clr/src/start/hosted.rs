//! Starts the engine for a host that comes while the runtime runs.

use soglia_abi::profiler::info::ICorProfilerInfo;
use soglia_core::trace::writer::{self, Level, Recording};

use super::{
    both::{describe, major, record_runtime, with_walker},
    environment::scope,
};
use crate::{
    clerk, delegates,
    engine::{self, Engine},
    judge,
    notify::{self, hooks},
    objects,
    settings::Settings,
};

/// The most bytes of a recording that nothing reads.
const MOST: u64 = 64 << 20;

/// Starts the engine, without any hook. It writes to a recording of its own, which nothing reads.
///
/// # Errors
/// Why not, for people.
pub fn begin_for_host(info: &ICorProfilerInfo) -> Result<&'static Engine, String> {
    objects::prepare();
    let major = major(info)?;
    let clr = with_walker(info)?;
    let options = writer::Options {
        level: Level::Summary,
        max_bytes: MOST,
        slow_ns: 0,
        sampling: None,
    };
    let no_memory = |error: &dyn std::fmt::Display| format!("there is no memory for it: {error}");
    let (file, path) = writer::create_unnamed(&options).map_err(|error| no_memory(&error))?;
    let recording = Recording::claim(&path).map_err(|error| no_memory(&error))?;
    // The engine has it mapped.
    drop(file);
    hooks::only_notify();
    let recording = Box::leak(Box::new(recording));
    let engine = engine::set(Engine {
        scope: scope(&Settings::Environment),
        notifies: true,
        records: false,
        ..Engine::new(recording, path, clr, major)
    });
    judge::see_through(delegates::native);
    describe(engine, None);
    record_runtime(engine);
    notify::start();
    clerk::prepare();
    Ok(engine)
}
