//! Starts the engine for a session in a process that runs, and stops it.

use soglia_abi::profiler::info::ICorProfilerInfo;
use soglia_core::{
    time,
    trace::{
        attached::{Detach, Why},
        writer::{self, ClaimError, Recording},
    },
};

use super::{
    both::{Asked, describe, major, record_runtime, watch_deadlines, with_walker},
    environment::{claim, named, scope},
};
use crate::{
    arguments, deadline, delegates,
    engine::{self, Engine},
    failures, judge, life, mapped, objects, pool,
    settings::Settings,
    source, suspensions, threads, variables,
};

/// Settings that only hold for a program that is started with the engine.
const ONLY_AT_START: [(&str, &str); 3] = [
    (
        variables::SLOTS,
        "the number of threads in managed code can be limited from the start of a program only",
    ),
    (
        variables::FOLLOW,
        "programs that this one starts are not attached: attach to each, or start this one by `soglia run --follow`",
    ),
    (
        variables::CALLERS,
        "calls by function pointer are distinguished by their callers from the start of a program only",
    ),
];

/// Claims the recording and starts the engine, without any hook.
///
/// # Errors
/// Why not, for people. The recording has it as a note, where that is possible.
pub fn begin(info: &ICorProfilerInfo, settings: &Settings) -> Result<&'static Engine, String> {
    objects::prepare();
    let only_at_start = ONLY_AT_START
        .iter()
        .find(|(name, _)| settings.has(name))
        .map(|(_, why)| (*why).to_owned());
    if let Some(why) = only_at_start {
        return Err(why);
    }
    let (path, identity) = named(settings)?;
    let declined = |why: String| {
        writer::note(&path, identity.as_ref(), &why);
        why
    };
    let major = major(info).map_err(declined)?;
    let asked = Asked::read(settings).map_err(declined)?;
    let clr = with_walker(info).map_err(declined)?;
    let claimed = match settings.take_recording() {
        Some(claimed) => claimed.map(|recording| (recording, path.clone())),
        None => claim(&path, identity.as_ref(), false),
    };
    let (recording, path) = claimed.map_err(|error| match error {
        ClaimError::Taken => "the recording is that of another process".to_owned(),
        error => format!("the recording {} cannot be used: {error}", path.display()),
    })?;
    let recording: &'static Recording = Box::leak(Box::new(recording));
    recording.begins_later();
    let engine = engine::set(Engine {
        scope: scope(settings),
        rules: asked.rules,
        arguments: asked.arguments,
        ..Engine::new(recording, path, clr, major)
    });
    judge::see_through(delegates::native);
    life::begin(recording);
    describe(engine, None);
    record_runtime(engine);
    watch_deadlines(engine, asked.deadlines, asked.stuck).inspect_err(|_| {
        end(Detach {
            at: time::now(),
            why: Why::GaveUp,
            ..Detach::default()
        });
    })?;
    threads::begin();
    Ok(engine)
}

/// Stops the engine. What was recorded stays in the file; what hooks still do has no effect.
pub fn end(detach: Detach) {
    let Some(engine) = engine::get() else {
        return;
    };
    threads::end();
    deadline::end();
    pool::end();
    suspensions::end();
    engine.recording.keep_time();
    engine.recording.let_go(detach);
    engine::clear();
    engine.recording.retire();
    failures::end();
    arguments::forget();
    mapped::end();
    source::end();
    delegates::forget_types();
    engine.forget_all();
}
