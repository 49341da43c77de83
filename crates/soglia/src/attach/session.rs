//! One recording of a process that runs already: from `begin` to `end`.

use std::{
    fs::File,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use soglia_core::{
    control::{Answer, ReadError, Request, facts},
    trace::identity::Identity,
};

use super::{
    carry,
    control::{Control, ControlError, PATIENCE},
    error::AttachError,
    load::{self, Kind},
    target::Target,
};
use crate::running;

/// How long the engine has to be ready, after the runtime has loaded it.
const READY_WITHIN: Duration = Duration::from_secs(5);
/// How often to try while the runtime lets an engine go.
const WHILE_LEAVING: Duration = Duration::from_millis(20);
/// What the name of the engine's file has.
const ENGINE: &str = "soglia";
/// How long it may take to change the code of a large program under load.
const LONG_PATIENCE: Duration = Duration::from_secs(120);

/// What a session needs.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The engine's file here.
    pub engine: &'a Path,
    /// The recording.
    pub file: &'a File,
    /// By which path this process opens the recording.
    pub recording: &'a Path,
    /// Settings of the engine, by their names.
    pub settings: &'a [(&'static str, String)],
}

/// A process that records since the tool asked for it.
#[derive(Debug)]
pub struct Session {
    target: Target,
    control: Control,
    facts: Answer,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Let {
    /// The engine let go, or records on as it was asked to.
    Go,
    /// The process ended first.
    Ended,
    /// The engine closed the connection, and the process runs.
    Lost,
}

impl Session {
    /// Attaches the engine, unless it is there, and has it begin a recording. Calls `tick` now and
    /// then; if that returns `false`, gives up.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn begin(
        target: Target,
        wanted: &Wanted<'_>,
        tick: &mut dyn FnMut() -> bool,
    ) -> Result<Self, AttachError> {
        let identity = Identity::of(wanted.file);
        let identity = identity.map_err(|error| target.os("the recording", error))?;
        let mut control = match unrecorded(&target, tick)? {
            Some(control) => control,
            None => connect(&target, Kind::Weave, wanted.engine, tick)?,
        };
        let begin = Request::Begin(settings(&identity, wanted));
        let open = carry::reaches(&target, wanted.recording, wanted.file);
        let file = Some(wanted.file).filter(|_| !open);
        let facts = match control.request_with(&begin, file, LONG_PATIENCE, tick) {
            Ok(facts) => facts,
            Err(error) => {
                // Another tool may have come first.
                if matches!(error, ControlError::No(_)) {
                    free(&target, &mut control, tick)?;
                }
                return Err(refused(&target, error));
            }
        };
        Ok(Self {
            target,
            control,
            facts,
        })
    }

    /// The process.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// What the engine said when all hooks were requested: [`soglia_core::control::facts`].
    pub const fn facts(&self) -> &Answer {
        &self.facts
    }

    /// Waits for so long, or until a signal comes. Returns how the session ended, if it did.
    pub fn wait(&mut self, time: Duration) -> Option<Let> {
        match self.control.wait(time) {
            Ok(()) => None,
            Err(_) => Some(self.closed()),
        }
    }

    /// Why the connection is closed.
    fn closed(&self) -> Let {
        match self.target.ends_now() {
            true => Let::Ended,
            false => Let::Lost,
        }
    }

    /// Has the engine let go: the program's code is as it was, and the recording is complete. With
    /// `keep`, the engine records on. Calls `tick` now and then.
    ///
    /// # Errors
    /// If it does not say that it has.
    pub fn end(mut self, keep: bool, tick: &mut dyn FnMut()) -> Result<Let, AttachError> {
        let end = Request::End { keep };
        let mut tick = || {
            tick();
            true
        };
        match self.control.request(&end, LONG_PATIENCE, &mut tick) {
            Ok(_) => Ok(Let::Go),
            Err(ControlError::Read(ReadError::Closed)) => Ok(self.closed()),
            Err(error) => Err(refused(&self.target, error)),
        }
    }
}

/// Has the engine write the stacks of all threads into a recording, and lets it go. The engine is
/// attached if it is not there yet.
///
/// # Errors
/// See [`AttachError`].
pub fn snapshot(
    target: &Target,
    wanted: &Wanted<'_>,
    tick: &mut dyn FnMut() -> bool,
) -> Result<(), AttachError> {
    let identity = Identity::of(wanted.file);
    let identity = identity.map_err(|error| target.os("the recording", error))?;
    let mut control = connect(target, Kind::Stacks, wanted.engine, tick)?;
    let snapshot = Request::Snapshot(settings(&identity, wanted));
    let open = carry::reaches(target, wanted.recording, wanted.file);
    let file = Some(wanted.file).filter(|_| !open);
    let answer = control.request_with(&snapshot, file, LONG_PATIENCE, tick);
    answer.map(drop).map_err(|error| refused(target, error))
}

/// The settings of a request for a recording.
fn settings(identity: &Identity, wanted: &Wanted<'_>) -> Vec<(String, String)> {
    let recording = wanted.recording.display().to_string();
    let of_recording = [
        ("SOGLIA_RECORDING", recording),
        ("SOGLIA_RECORDING_ID", identity.to_string()),
    ];
    let settings = of_recording.iter().chain(wanted.settings);
    settings
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

/// Ends a session that was kept.
///
/// # Errors
/// If there is none.
pub fn end_kept(target: &Target) -> Result<(), AttachError> {
    let pid = target.pid;
    let mut control = there(target)?.ok_or(AttachError::Free(pid))?;
    match free(target, &mut control, &mut || true) {
        Err(AttachError::Kept(_)) => {}
        Ok(()) => return Err(AttachError::Free(pid)),
        Err(error) => return Err(error),
    }
    let end = Request::End { keep: false };
    let answer = control.request(&end, LONG_PATIENCE, &mut || true);
    answer.map(drop).map_err(|error| refused(target, error))
}

/// Whether the engine is in the process, which nothing records.
///
/// # Errors
/// If something records it, or the engine does not answer.
pub fn has_engine(target: &Target) -> Result<bool, AttachError> {
    unrecorded(target, &mut || true).map(|control| control.is_some())
}

/// A connection to the engine, if one is there, in a process that nothing records.
fn unrecorded(
    target: &Target,
    tick: &mut dyn FnMut() -> bool,
) -> Result<Option<Control>, AttachError> {
    let mut control = there(target)?;
    if let Some(control) = &mut control {
        free(target, control, tick)?;
    }
    // A program that only reads a recording has none of its own.
    match running::is_recorded(target.pid) {
        true => Err(AttachError::Recorded(target.pid)),
        false => Ok(control),
    }
}

/// Checks that no session runs in the process.
fn free(
    target: &Target,
    control: &mut Control,
    tick: &mut dyn FnMut() -> bool,
) -> Result<(), AttachError> {
    let state = control
        .request(&Request::State, PATIENCE, tick)
        .map_err(|error| refused(target, error))?;
    if state.fact(facts::RECORDING).is_none() {
        return Ok(());
    }
    let pid = target.pid;
    let Some(holder) = state.fact(facts::HOLDER) else {
        return Err(AttachError::Kept(pid));
    };
    // The engine has the number of its own namespace.
    let holder = holder.parse().ok().filter(|_| target.inner == pid);
    Err(AttachError::Busy { pid, holder })
}

/// A connection to the engine, if one is there and stays: one that is about to leave closes it.
fn there(target: &Target) -> Result<Option<Control>, AttachError> {
    let Some(stream) = target.connect_control()? else {
        return Ok(None);
    };
    if let Some(why) = target.halt() {
        let pid = target.pid;
        return Err(AttachError::Halted { pid, why });
    }
    let mut control = Control::over(stream);
    match control.request(&Request::State, PATIENCE, &mut || true) {
        Ok(_) => Ok(Some(control)),
        Err(ControlError::Read(ReadError::Closed)) => Ok(None),
        Err(error) => Err(refused(target, error)),
    }
}

/// A connection to the engine in the process, which is attached if it is not there yet.
///
/// # Errors
/// See [`AttachError`].
pub fn connect(
    target: &Target,
    kind: Kind,
    engine: &Path,
    tick: &mut dyn FnMut() -> bool,
) -> Result<Control, AttachError> {
    if let Some(control) = there(target)? {
        return Ok(control);
    }
    target.check(kind)?;
    load::runtime(target)?;
    let until = Instant::now() + READY_WITHIN;
    loop {
        let error = match load::load(target, kind, engine) {
            Ok(()) => return ready(target, tick),
            Err(error) => error,
        };
        // Another tool may have attached the engine meanwhile.
        if let Some(control) = there(target)? {
            return Ok(control);
        }
        if !is_leaving(target, &error) || Instant::now() >= until {
            return Err(error);
        }
        if !tick() {
            return Err(AttachError::Interrupted(target.pid));
        }
        thread::sleep(WHILE_LEAVING);
    }
}

/// Waits until the engine listens.
fn ready(target: &Target, tick: &mut dyn FnMut() -> bool) -> Result<Control, AttachError> {
    let pid = target.pid;
    let until = Instant::now() + READY_WITHIN;
    loop {
        if let Some(control) = there(target)? {
            return Ok(control);
        }
        if !target.lives() {
            return Err(AttachError::Ended(pid));
        }
        if !tick() {
            return Err(AttachError::Interrupted(pid));
        }
        if Instant::now() >= until {
            return Err(AttachError::Deaf {
                pid,
                why: format!(
                    "its control socket was not there within {}",
                    humantime::format_duration(READY_WITHIN)
                ),
            });
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the runtime may have no other profiler than an engine that it is letting go, which takes
/// it some tenths of a second.
fn is_leaving(target: &Target, error: &AttachError) -> bool {
    let is_active = matches!(error, AttachError::OtherProfiler { .. });
    is_active && target.mapped().iter().any(|file| file.contains(ENGINE))
}

/// What it means that the engine did not do it.
fn refused(target: &Target, error: ControlError) -> AttachError {
    let pid = target.pid;
    match error {
        ControlError::No(why) => AttachError::Engaged { pid, why },
        ControlError::Interrupted => AttachError::Interrupted(pid),
        ControlError::Read(ReadError::Closed) if target.ends_now() => AttachError::Ended(pid),
        other => match target.halt() {
            Some(why) => AttachError::Halted { pid, why },
            None => AttachError::Deaf {
                pid,
                why: other.to_string(),
            },
        },
    }
}
