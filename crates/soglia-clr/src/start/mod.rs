//! Starts the engine: inside the CLR's `Initialize`, or for a session in a process that runs.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`environment`] | reads what is asked for |
//! | [`alone`] | makes the recording, where no tool has made it |
//! | [`both`] | what is the same in both cases |
//! | [`source`] | chooses the source of crossings |
//! | [`snapshot`] | takes a snapshot for a tool |
//! | [`declined`] | why the engine takes no part in a process |
//! | [`session`] | starts the engine in a process that runs, and stops it |
//! | [`hosted`] | starts it there for a host in the process itself |
//! | this | starts everything else |

mod alone;
mod both;
mod declined;
mod environment;
mod hosted;
mod session;
mod snapshot;
mod source;

use std::env;

use soglia_abi::profiler::info::{ICorProfilerInfo, ICorProfilerInfo2};
use soglia_core::trace::{
    log::{Record, Scope, Source},
    writer::{self, ClaimError, Recording},
};
use windows_core::Interface;

use crate::{
    clerk, delegates,
    engine::{self, Engine},
    host::polls,
    hosting, judge, life, notify, objects,
    settings::Settings,
    slots, tail_calls, threads, variables,
};
use alone::Alone;
use both::{Asked, describe, major, record_runtime, watch_deadlines};
use environment::{bound, claim, identity, scope};

pub use alone::is_asked as is_asked_alone;
pub use declined::Declined;
pub use hosted::begin_for_host;
pub use session::{begin, end};
pub use snapshot::take as take_snapshot;
pub use source::{EVENTS, set_attached, set_for_stacks, set_idle};

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
    let settings = &Settings::Environment;
    let asked_for = settings.path(variables::RECORDING);
    let follow = settings.has(variables::FOLLOW);
    let path = asked_for
        .clone()
        .or_else(hosting::recording)
        .ok_or_else(|| Declined::because("there is no recording to write into"))?;
    let alone = Alone::make(settings).map_err(Declined::because)?;
    let (path, identity) = match &alone {
        Some(made) => (made.path.clone(), Some(made.identity)),
        None => {
            let known = identity(settings).map_err(|e| Declined::because(e.to_string()))?;
            (path, known.filter(|_| asked_for.is_some()))
        }
    };
    let declined = |why: String| {
        writer::note(&path, identity.as_ref(), &why);
        Declined::because(why)
    };
    let major = major(info).map_err(declined)?;
    let mut asked = Asked::read(settings).map_err(declined)?;
    if let Some(made) = &alone {
        asked.stuck.clone_from(&made.stuck);
    }
    let bound = bound(settings)
        .map_err(|error| declined(format!("its number of slots cannot be read: {error}")))?;
    if !asked.rules.is_empty() && !settings.is(variables::SOURCE, "woven") {
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
    let wanted = match &alone {
        Some(made) => made.source.as_str().into(),
        None => env::var_os(variables::SOURCE).unwrap_or_else(|| hosted().into()),
    };
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
    let scope = match source {
        Source::Transitions => Scope::All,
        Source::Woven => scope(settings),
    };
    let engine = engine::set(Engine {
        source,
        scope,
        callers: settings.has(variables::CALLERS),
        rules: asked.rules,
        arguments: asked.arguments,
        notifies,
        polls: notifies && (polls::wished() || settings.has(variables::POLLS)),
        watches: notifies || asked_for.is_some(),
        records: asked_for.is_some(),
        attached: false,
        ..Engine::new(recording, path, (info.clone(), info2), major)
    });
    if asked_for.is_some() {
        life::begin(recording);
    }
    describe(engine, because);
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
    watch_deadlines(engine, asked.deadlines, asked.stuck).map_err(Declined::because)?;
    judge::see_through(delegates::native);
    threads::start();
    notify::start();
    if engine.notifies {
        clerk::prepare();
        if let Err(why) = notify::new_threads::prepare() {
            engine.recording.log(&Record::Remark { text: why });
        }
    }
    record_runtime(engine);
    Ok(engine)
}
