//! Starts the engine, inside the CLR's `Initialize`.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`environment`] | reads what the environment asks for |
//! | [`source`] | chooses the source of crossings |
//! | [`declined`] | why the engine takes no part in a process |
//! | this | starts everything else |

mod declined;
mod environment;
mod source;

use std::{env, path::PathBuf, sync::atomic::Ordering::Relaxed};

use soglia_abi::profiler::info::{ICorProfilerInfo, ICorProfilerInfo2};
use soglia_core::{
    deadline::Action,
    trace::{
        log::{Record, Scope, Source},
        writer::{self, ClaimError, Recording},
    },
};
use windows_core::Interface;

use crate::{
    clerk, deadline, delegates,
    engine::{self, Engine, SLOW_TICKS},
    hosting, judge, life, notify, objects,
    policy::Rules,
    slots, tail_calls, threads, variables, version,
};
use environment::{bound, claim, command_line, deadlines, identity};

pub use declined::Declined;
pub use source::EVENTS;

/// The oldest runtime. Transitions of older ones were never tried.
const OLDEST: u16 = 8;

/// Ends the recording after a panic of the engine.
pub fn end_recording(panic: &str) {
    threads::stop();
    if let Some(engine) = engine::get() {
        // Not through the log, whose lock the panicking thread may hold.
        let defect = "recording stopped early by a defect of soglia, please report it";
        engine.recording.note(&format!("{defect}: {panic}"));
    }
}

/// Claims the recording, chooses the source, and keeps the CLR's interfaces. To be called inside
/// `Initialize`, where the events can be set.
///
/// # Errors
/// The answer for the CLR, and the reason. The CLR then goes on without the engine.
pub fn start(info: &ICorProfilerInfo) -> Result<&'static Engine, Declined> {
    objects::prepare();
    let asked_for = env::var_os(variables::RECORDING).map(PathBuf::from);
    let follow = env::var_os(variables::FOLLOW).is_some();
    let path = asked_for
        .clone()
        .or_else(hosting::recording)
        .ok_or_else(|| Declined::because("there is no recording to write into"))?;
    let identity = identity().map_err(|error| Declined::because(error.to_string()))?;
    let identity = identity.filter(|_| asked_for.is_some());
    let declined = |why: String| {
        writer::note(&path, identity.as_ref(), &why);
        Declined::because(why)
    };
    let told @ [major, ..] = version::of_runtime(info).unwrap_or([OLDEST, 0, 0]);
    if major < OLDEST {
        return Err(declined(format!(
            "its runtime is {}; soglia needs .NET {OLDEST} or later",
            version::name(told, version::of_folder().as_deref())
        )));
    }
    let mut rules = Rules::of_environment(variables::POLICY)
        .map_err(|error| declined(format!("its policy cannot be read: {error}")))?;
    let deadlines =
        deadlines().map_err(|error| declined(format!("its deadlines cannot be read: {error}")))?;
    let bound = bound()
        .map_err(|error| declined(format!("its number of slots cannot be read: {error}")))?;
    rules.keep(deadlines.iter().map(|deadline| deadline.target.clone()));
    if !rules.is_empty() && env::var_os(variables::SOURCE).is_none_or(|source| source != "woven") {
        return Err(declined("a policy needs crossings to be woven".to_owned()));
    }
    let (recording, path) = claim(&path, identity.as_ref(), follow).map_err(|error| {
        Declined::because(match error {
            ClaimError::Taken => {
                "its recording is that of another process; with --follow each has its own"
                    .to_owned()
            }
            error => format!("its recording {} cannot be used: {error}", path.display()),
        })
    })?;
    let recording: &'static Recording = Box::leak(Box::new(recording));
    if let Some(bound) = bound {
        slots::put_in_front(bound);
    }
    let info2 = info.cast::<ICorProfilerInfo2>().map_err(|e| e.code())?;
    let hosted = || {
        if hosting::recording().is_some() {
            "auto"
        } else {
            ""
        }
    };
    let wanted = env::var_os(variables::SOURCE).unwrap_or_else(|| hosted().into());
    let chosen = source::choose(
        &wanted.to_string_lossy(),
        source::cannot_weave(),
        |source| source::set_events(info, source),
    );
    let (source, because) = chosen.inspect_err(|answer| {
        recording.note(&format!("the runtime refused the event mask: {answer:?}"));
    })?;
    let notifies = notify::on();
    if let (true, Source::Transitions) = (notifies, source) {
        // Runtime callbacks can be recorded, and cannot be acted on.
        let because = because.as_deref().unwrap_or("another source was asked for");
        let why = format!("a host cannot be notified of crossings: {because}");
        recording.note(&why);
        return Err(Declined::because(why));
    }
    if asked_for.is_none() {
        notify::hooks::only_notify();
    }
    let scope = match (source, env::var_os(variables::SCOPE)) {
        (Source::Transitions, _) => Scope::All,
        (_, Some(scope)) if scope == "corelib" => Scope::CoreLib,
        (_, Some(scope)) if scope == "framework" => Scope::Framework,
        _ => Scope::User,
    };
    let engine = engine::set(Engine {
        recording,
        path,
        info: info.clone(),
        info2,
        names: Default::default(),
        targets: Default::default(),
        modules: Default::default(),
        source,
        scope,
        callers: env::var_os(variables::CALLERS).is_some(),
        recorded_unwatched: Default::default(),
        rules,
        notifies,
        watches: notifies || asked_for.is_some(),
        records: asked_for.is_some(),
        major,
    });
    SLOW_TICKS.store(recording.slow_ticks(), Relaxed);
    if asked_for.is_some() {
        life::begin(recording);
    }
    recording.log(&Record::Program {
        args: command_line(),
    });
    recording.log(&Record::Source {
        source,
        scope: engine.scope,
        because,
    });
    if let Some(policy) = engine.rules.in_force() {
        recording.log(&Record::Policy(policy));
    }
    if !follow {
        for name in variables::OF_THE_CLR.into_iter().chain(variables::OURS) {
            // SAFETY: the runtime calls this while it starts, before any managed code and its
            // threads. The C library's lock covers other writers. What remains is a native host
            // that reads its environment on another thread right now.
            unsafe { env::remove_var(name) };
            // The CLR has copied the environment by now. Managed code, and the programs that it
            // starts, get the copy.
            tail_calls::forget(info, name);
        }
        tail_calls::start();
    }
    slots::write_down();
    let deadlines_kill = deadlines.iter().any(|d| d.action == Action::Kill);
    if !deadlines.is_empty() {
        let tell = |record| {
            recording.log(&record);
        };
        if engine.counts() || !deadline::watch(engine, deadlines, Box::new(tell)) {
            let why = if engine.counts() {
                "calls are only counted"
            } else {
                "there is no thread for it"
            };
            let text = format!("no deadline was watched: {why}");
            if deadlines_kill {
                return Err(Declined::because(text));
            }
            recording.log(&Record::Remark { text });
        }
    }
    judge::see_through(delegates::native);
    threads::start();
    notify::start();
    if engine.notifies {
        clerk::prepare();
    }
    record_runtime(engine);
    Ok(engine)
}

/// Records which runtime this is.
fn record_runtime(engine: &Engine) {
    let version = version::of_folder().unwrap_or_else(|| {
        let told = version::of_runtime(&engine.info).unwrap_or_default();
        told.map(|n| n.to_string()).join(".")
    });
    let name = ".NET".into();
    engine.recording.log(&Record::Runtime { name, version });
}
