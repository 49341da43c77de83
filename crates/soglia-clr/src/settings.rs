//! What the tool asks of the engine: by the environment of the process that it starts, or by a
//! message to one that runs.

use std::{
    collections::HashMap,
    env,
    fs::File,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use soglia_core::trace::writer::{ClaimError, Recording};

use crate::variables;

/// Where the values of [`crate::variables`] come from.
pub enum Settings {
    /// The environment of this process.
    Environment,
    /// A message.
    Given(Box<Given>),
}

/// A message.
pub struct Given {
    values: HashMap<String, String>,
    /// The recording, if an open file came with the message, until it is taken.
    recording: Mutex<Option<Result<Recording, ClaimError>>>,
}

/// A value is not text.
pub struct NotText;

impl Settings {
    /// The settings in a message, and the file that came with it, which the running thread alone
    /// may have in its table of descriptors. So the recording in it is claimed at once.
    pub fn given(pairs: impl IntoIterator<Item = (String, String)>, file: Option<&File>) -> Self {
        let values: HashMap<_, _> = pairs.into_iter().collect();
        let claim = |file| {
            let identity = values.get(variables::IDENTITY);
            let identity = identity.ok_or(ClaimError::Replaced)?.parse()?;
            Recording::claim_open(file, &identity)
        };
        Self::Given(Box::new(Given {
            recording: Mutex::new(file.map(claim)),
            values,
        }))
    }

    /// The recording that came as an open file. There is none when it has been taken.
    pub fn take_recording(&self) -> Option<Result<Recording, ClaimError>> {
        match self {
            Self::Environment => None,
            Self::Given(given) => {
                let recording = given.recording.lock();
                recording.unwrap_or_else(PoisonError::into_inner).take()
            }
        }
    }

    /// Whether there is a value.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Environment => env::var_os(name).is_some(),
            Self::Given(given) => given.values.contains_key(name),
        }
    }

    /// The value, if there is one.
    ///
    /// # Errors
    /// [`NotText`].
    pub fn get(&self, name: &str) -> Result<Option<String>, NotText> {
        match self {
            Self::Environment => match env::var(name) {
                Ok(value) => Ok(Some(value)),
                Err(env::VarError::NotPresent) => Ok(None),
                Err(env::VarError::NotUnicode(_)) => Err(NotText),
            },
            Self::Given(given) => Ok(given.values.get(name).cloned()),
        }
    }

    /// Whether this is the value.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.get(name).is_ok_and(|v| v.is_some_and(|v| v == value))
    }

    /// The value as a path, which need not be text.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        match self {
            Self::Environment => env::var_os(name).map(PathBuf::from),
            Self::Given(given) => given.values.get(name).map(PathBuf::from),
        }
    }
}
