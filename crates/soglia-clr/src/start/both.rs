//! What is the same where the engine starts with a process, and where it starts later.

use std::sync::atomic::Ordering::Relaxed;

use soglia_abi::profiler::info::{ICorProfilerInfo, ICorProfilerInfo2};
use soglia_core::{
    arguments::Choice,
    deadline::{Action, Deadline, Stuck},
    trace::log::Record,
};
use windows_core::Interface;

use super::environment::{arguments, command_line, deadlines, stuck};
use crate::{
    deadline,
    engine::{Engine, SLOW_TICKS},
    policy::Rules,
    settings::Settings,
    ticker, version,
};

/// The oldest runtime. Transitions of older ones were never tried.
const OLDEST: u16 = 8;

/// What is asked for, besides a recording.
pub(super) struct Asked {
    pub(super) rules: Rules,
    pub(super) deadlines: Vec<Deadline>,
    pub(super) stuck: Option<Stuck>,
    pub(super) arguments: Choice,
}

impl Asked {
    /// # Errors
    /// The reason, for people.
    pub(super) fn read(settings: &Settings) -> Result<Self, String> {
        let mut rules = Rules::asked(settings)
            .map_err(|error| format!("its policy cannot be read: {error}"))?;
        let deadlines = deadlines(settings)
            .map_err(|error| format!("its deadlines cannot be read: {error}"))?;
        rules.keep(deadlines.iter().map(|deadline| deadline.target.clone()));
        let stuck = stuck(settings);
        Ok(Self {
            rules,
            deadlines,
            stuck,
            arguments: arguments(settings)?,
        })
    }
}

/// The major version of the runtime.
///
/// # Errors
/// The reason, for people, why it is too old.
pub(super) fn major(info: &ICorProfilerInfo) -> Result<u16, String> {
    let told @ [major, ..] = version::of_runtime(info).unwrap_or([OLDEST, 0, 0]);
    if major >= OLDEST {
        return Ok(major);
    }
    Err(format!(
        "its runtime is {}; soglia needs .NET {OLDEST} or later",
        version::name(told, version::of_folder().as_deref())
    ))
}

/// The CLR, and its stack walker.
///
/// # Errors
/// The reason, for people.
pub(super) fn with_walker(
    info: &ICorProfilerInfo,
) -> Result<(ICorProfilerInfo, ICorProfilerInfo2), String> {
    let info2 = info.cast::<ICorProfilerInfo2>();
    let info2 = info2.map_err(|error| format!("the runtime answers {error}"))?;
    Ok((info.clone(), info2))
}

/// Records what the recording is of.
pub(super) fn describe(engine: &Engine, because: Option<String>) {
    let recording = engine.recording;
    SLOW_TICKS.store(recording.slow_ticks(), Relaxed);
    ticker::begin(recording);
    recording.log(&Record::Program {
        args: command_line(),
    });
    recording.log(&Record::Source {
        source: engine.source,
        scope: engine.scope,
        because,
    });
    if let Some(policy) = engine.rules.in_force() {
        recording.log(&Record::Policy(policy));
    }
}

/// Begins to watch deadlines, if there are any.
///
/// # Errors
/// Why a deadline that kills is not watched, for people.
pub(super) fn watch_deadlines(
    engine: &'static Engine,
    deadlines: Vec<Deadline>,
    stuck: Option<Stuck>,
) -> Result<(), String> {
    let recording = engine.recording;
    let deadlines_kill = deadlines.iter().any(|d| d.action == Action::Kill);
    // Where calls are only counted, it is not known when they began.
    let stuck = stuck.filter(|_| !engine.counts());
    if deadlines.is_empty() && stuck.is_none() {
        return Ok(());
    }
    let tell = |record| {
        recording.log(&record);
    };
    if engine.counts() || !deadline::watch(engine, deadlines, stuck, Box::new(tell)) {
        let why = if engine.counts() {
            "calls are only counted"
        } else {
            "there is no thread for it"
        };
        let text = format!("no deadline was watched: {why}");
        if deadlines_kill {
            return Err(text);
        }
        recording.log(&Record::Remark { text });
    }
    Ok(())
}

/// Records which runtime this is.
pub(super) fn record_runtime(engine: &Engine) {
    let version = version::of_folder().unwrap_or_else(|| {
        let told = version::of_runtime(&engine.info).unwrap_or_default();
        told.map(|n| n.to_string()).join(".")
    });
    let name = ".NET".into();
    engine.recording.log(&Record::Runtime { name, version });
}
