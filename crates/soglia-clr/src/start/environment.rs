//! What the tool asks of the engine, and the recording that it gives.

use std::path::{Path, PathBuf};

use soglia_core::{
    admission::Bound,
    arguments::Choice,
    deadline::{Deadline, DecodeError, Stuck, decode},
    trace::{
        beside,
        identity::Identity,
        log::Scope,
        writer::{self, ClaimError, Recording},
    },
};

use crate::{
    settings::{NotText, Settings},
    variables,
};

/// The deadlines.
pub fn deadlines(settings: &Settings) -> Result<Vec<Deadline>, DecodeError> {
    match settings.get(variables::DEADLINES) {
        Ok(Some(text)) => decode(&text),
        Ok(None) => Ok(Vec::new()),
        Err(NotText) => Err(DecodeError::Version),
    }
}

/// How long any call may be open before it is reported, if that is asked for. What cannot be read
/// is from another version of soglia, and nothing depends on it.
pub fn stuck(settings: &Settings) -> Option<Stuck> {
    settings.get(variables::STUCK).ok()??.parse().ok()
}

/// Whose arguments are recorded.
///
/// # Errors
/// If that cannot be read, for people. Secrets might be among what is recorded otherwise.
pub fn arguments(settings: &Settings) -> Result<Choice, String> {
    let text = settings.get(variables::ARGUMENTS);
    let text = text.map_err(|NotText| "its choice of arguments is not text".to_owned())?;
    let choice = text.map(|text| Choice::decode(&text)).transpose();
    let choice = choice.map_err(|e| format!("its choice of arguments cannot be read: {e}"))?;
    Ok(choice.unwrap_or_default())
}

/// Which file the recording is, if that is known.
pub fn identity(settings: &Settings) -> Result<Option<Identity>, ClaimError> {
    match settings.get(variables::IDENTITY) {
        Ok(text) => text.map(|text| text.parse()).transpose(),
        Err(NotText) => Err(ClaimError::Replaced),
    }
}

/// The recording that a request names: its path, and which file that is.
///
/// # Errors
/// Why there is none, for people.
pub fn named(settings: &Settings) -> Result<(PathBuf, Option<Identity>), String> {
    let path = settings.path(variables::RECORDING);
    let path = path.ok_or("the request names no recording")?;
    let identity = identity(settings).map_err(|error| error.to_string())?;
    Ok((path, identity))
}

/// The bound on tasks in managed code, if there is one.
pub fn bound(settings: &Settings) -> Result<Option<Bound>, String> {
    let text = settings.get(variables::SLOTS);
    let text = text.map_err(|NotText| "it is not text".to_owned())?;
    let parse = |text: String| text.parse().map_err(|e| format!("{text}: {e}"));
    text.map(parse).transpose()
}

/// Whose calls get wrappers.
pub fn scope(settings: &Settings) -> Scope {
    match settings.get(variables::SCOPE).ok().flatten().as_deref() {
        Some("corelib") => Scope::CoreLib,
        Some("framework") => Scope::Framework,
        _ => Scope::User,
    }
}

/// Claims the recording at this path, or one of this process alone. Returns its path too.
pub fn claim(
    path: &Path,
    identity: Option<&Identity>,
    follow: bool,
) -> Result<(Recording, PathBuf), ClaimError> {
    match Recording::claim_that(path, identity) {
        Err(ClaimError::Taken) if follow => {
            let options = writer::options_of(path)?;
            let (made, own) = beside::make(path, std::process::id(), &options)?;
            let identity = Identity::of(&made)?;
            Ok((Recording::claim_that(&own, Some(&identity))?, own))
        }
        Err(ClaimError::Taken) => Err(ClaimError::Taken),
        Err(error) => {
            writer::note(path, identity, &error.to_string());
            Err(error)
        }
        Ok(recording) => Ok((recording, path.to_owned())),
    }
}

pub fn command_line() -> Vec<String> {
    let bytes = std::fs::read("/proc/self/cmdline").unwrap_or_default();
    let args = bytes
        .strip_suffix(b"\0")
        .unwrap_or(&bytes)
        .split(|b| *b == 0);
    args.map(|arg| String::from_utf8_lossy(arg).into_owned())
        .collect()
}
