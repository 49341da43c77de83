//! What the environment asks of the engine.

use std::{
    env,
    path::{Path, PathBuf},
};

use soglia_core::{
    admission::Bound,
    deadline::{Deadline, DecodeError, decode},
    trace::{
        identity::Identity,
        writer::{self, ClaimError, Recording},
    },
};

use crate::variables;

/// The deadlines in the environment.
pub fn deadlines() -> Result<Vec<Deadline>, DecodeError> {
    match env::var(variables::DEADLINES) {
        Ok(text) => decode(&text),
        Err(env::VarError::NotPresent) => Ok(Vec::new()),
        Err(env::VarError::NotUnicode(_)) => Err(DecodeError::Version),
    }
}

/// Which file the recording is, if the environment says so.
pub fn identity() -> Result<Option<Identity>, ClaimError> {
    match env::var(variables::IDENTITY) {
        Ok(text) => text.parse().map(Some),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(ClaimError::Replaced),
    }
}

/// The bound on tasks in managed code, if the environment has one.
pub fn bound() -> Result<Option<Bound>, String> {
    match env::var(variables::SLOTS) {
        Ok(text) => text.parse().map(Some).map_err(|e| format!("{text}: {e}")),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(error.to_string()),
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
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{}", std::process::id()));
            let own = PathBuf::from(name);
            let made = writer::create(&own, &writer::options_of(path)?)?;
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
