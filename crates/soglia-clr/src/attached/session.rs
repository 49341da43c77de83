//! Sessions: from `begin` to `end`, the engine records.

use std::{
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
};

use soglia_abi::profiler::info::{ICorProfilerInfo, ICorProfilerInfo3};
use soglia_core::{
    control::facts,
    process, time,
    trace::{
        attached::{Attach, Detach},
        log::Record,
    },
};
use windows_core::Interface;

use crate::{
    engine::{self, GENERATION, SHUT_DOWN},
    host::attached,
    notify::hooks,
    other_threads::managed,
    settings::Settings,
    start, variables, weave,
};

pub use soglia_core::trace::attached::Why;

/// The CLR's interface, as it came with the engine.
struct Clr(ICorProfilerInfo);

// SAFETY: the CLR documents its information interfaces as callable from any thread.
unsafe impl Send for Clr {}
// SAFETY: as above.
unsafe impl Sync for Clr {}

static CLR: Mutex<Option<Clr>> = Mutex::new(None);

/// Whether the CLR would let the engine go: it has never been able to change code.
static MAY_LEAVE: AtomicBool = AtomicBool::new(false);
/// How long the CLR waits at least before it looks whether an engine that goes is out of its
/// callbacks.
const LEAVING_MS: u32 = 300;

/// A session that runs.
#[derive(Clone)]
pub struct Running {
    /// The path by which the recording was opened.
    pub recording: PathBuf,
    /// The identity of that file, as the tool gave it.
    pub identity: Option<String>,
    /// It notifies a host in the process itself, and records nothing.
    pub by_host: bool,
}

/// How often the session has failed.
static FAILURES: AtomicU32 = AtomicU32::new(0);

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Running>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the CLR's interface. `may_leave`: the engine has come to look at stacks only.
pub fn keep(info: ICorProfilerInfo, may_leave: bool) {
    MAY_LEAVE.store(may_leave, SeqCst);
    *CLR.lock().unwrap_or_else(PoisonError::into_inner) = Some(Clr(info));
}

/// Why there is no interface.
pub const NOT_YET: &str = "the runtime has not completed the attach";

/// The CLR's interface.
pub fn clr() -> Option<ICorProfilerInfo> {
    let clr = CLR.lock().unwrap_or_else(PoisonError::into_inner);
    clr.as_ref().map(|Clr(info)| info.clone())
}

/// Whether the engine is to leave the process when no tool is connected.
pub fn may_leave() -> bool {
    MAY_LEAVE.load(SeqCst)
}

/// Whether it can do so now.
pub fn can_leave() -> bool {
    may_leave() && !managed::is_busy()
}

/// Has the CLR let the engine go: the library stays, and does nothing until it is attached again.
/// `false`: the CLR keeps the engine.
pub fn leave() -> bool {
    let clr = CLR.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Clr(info)) = clr else { return true };
    // SAFETY: no engine thread uses the interface: this one gives it up, and no other has one.
    let ask = |info: &ICorProfilerInfo3| unsafe { info.RequestProfilerDetach(LEAVING_MS) };
    let leaves = info.cast().is_ok_and(|info| ask(&info).is_ok());
    if !leaves {
        keep(info, false);
    }
    leaves
}

/// The session that runs.
pub fn running() -> Option<Running> {
    lock().clone()
}

/// Facts for the tool.
type Facts = Vec<(String, String)>;

/// Has the CLR pass events. From then on, it keeps the engine for good.
fn prepare() -> Result<ICorProfilerInfo, String> {
    if running().is_some() {
        return Err("another session has just begun".to_owned());
    }
    let info = clr().ok_or(NOT_YET)?;
    if is_ending() {
        return Err("the program is ending".to_owned());
    }
    MAY_LEAVE.store(false, SeqCst);
    let answer = start::set_attached(&info);
    if answer.is_err() {
        return Err(format!(
            "the runtime refuses the events of an attach: {answer:?}"
        ));
    }
    Ok(info)
}

/// Begins a session that notifies a host. On the worker's thread.
///
/// # Errors
/// Why not, for people.
pub fn begin_for_host() -> Result<(), String> {
    let info = prepare()?;
    let began = start::begin_for_host(&info).inspect_err(|_| {
        let _ = start::set_idle(&info);
    })?;
    hooks::forget_answers();
    FAILURES.store(0, SeqCst);
    weave::attached::begin(began).inspect_err(|_| {
        start::end(detached(0, Why::GaveUp));
        let _ = start::set_idle(&info);
    })?;
    *lock() = Some(Running {
        recording: began.path.clone(),
        identity: None,
        by_host: true,
    });
    Ok(())
}

/// Begins a session. On the worker's thread.
///
/// # Errors
/// Why not, for people.
pub fn begin(settings: &Settings) -> Result<Facts, String> {
    // Before the recording says what a tick is.
    time::TickSource::detect().select();
    let asked = time::now();
    let info = prepare()?;
    let began = start::begin(&info, settings).inspect_err(|_| {
        let _ = start::set_idle(&info);
    })?;
    FAILURES.store(0, SeqCst);
    let watched = weave::attached::begin(began).inspect_err(|_| {
        start::end(detached(0, Why::GaveUp));
        let _ = start::set_idle(&info);
    })?;
    *lock() = Some(Running {
        recording: began.path.clone(),
        identity: settings.get(variables::IDENTITY).ok().flatten(),
        by_host: false,
    });
    let live = time::now();
    began.recording.log(&Record::Attach(Attach {
        asked,
        live,
        modules: watched.modules,
        targets: watched.targets,
        callers: watched.callers,
        age_ns: process::age_ns().unwrap_or(0),
    }));
    let fact = |name: &str, value: u64| (name.to_owned(), value.to_string());
    Ok(vec![
        (
            facts::RECORDING.to_owned(),
            began.path.display().to_string(),
        ),
        fact(facts::ASKED, asked),
        fact(facts::LIVE, live),
        fact(facts::MODULES, watched.modules.into()),
        fact(facts::TARGETS, watched.targets.into()),
        fact(facts::CALLERS, watched.callers.into()),
    ])
}

/// Lets the session go on when the tool is gone.
pub fn go_on() {
    if let Some(engine) = engine::get() {
        engine.recording.let_go(Detach {
            kept: true,
            ..detached(0, Why::Asked)
        });
    }
}

/// Ends the session, if there is one. On the worker's thread.
pub fn end(why: Why) -> Facts {
    if lock().take().is_some() {
        finish(why);
    }
    Vec::new()
}

/// Ends the session that notifies a host, if there is one. On the worker's thread.
pub fn end_for_host() {
    if lock().take_if(|running| running.by_host).is_some() {
        finish(Why::Asked);
    }
}

fn finish(why: Why) {
    let engine = engine::get().filter(|_| !is_ending());
    let not_entered = engine.map_or(0, |engine| weave::attached::end(engine).not_entered);
    start::end(detached(not_entered, why));
    if let Some(info) = clr().filter(|_| !is_ending()) {
        let _ = start::set_idle(&info);
    }
}

fn detached(not_entered: u32, why: Why) -> Detach {
    Detach {
        at: time::now(),
        not_entered,
        kept: false,
        why,
    }
}

/// Whether the runtime has announced its shutdown. Nothing is asked of it any more.
fn is_ending() -> bool {
    GENERATION.load(SeqCst) & SHUT_DOWN != 0
}

/// Ends the session after a panic. On the worker's thread.
pub fn failed() {
    if lock().take().is_some_and(|running| running.by_host) {
        attached::go();
    }
    // It may have been about to begin.
    if engine::get().is_none_or(|engine| !engine.attached) {
        return;
    }
    // To end it may fail as well.
    match FAILURES.fetch_add(1, SeqCst) {
        0 => finish(Why::GaveUp),
        1 => start::end(detached(0, Why::GaveUp)),
        _ => {}
    }
}
