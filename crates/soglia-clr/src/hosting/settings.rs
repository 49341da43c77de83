//! What the host wants the runtime to be started with.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What the host wants the runtime to be started with. The process has one, as it has one runtime.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `STARTUP_FLAGS`, if the host has set them.
    pub flags: Option<u32>,
    /// A `runtimeconfig.json` that the host has named.
    pub config: Option<PathBuf>,
    /// More runtime properties.
    pub properties: Vec<(String, String)>,
    /// The most bytes that generation 0 may grow to between two collections.
    pub gen0: Option<usize>,
}

/// The settings, for reading and changing. Not to be held while the host or the runtime is called.
pub fn settings() -> MutexGuard<'static, Settings> {
    static SETTINGS: Mutex<Settings> = Mutex::new(Settings {
        flags: None,
        config: None,
        properties: Vec::new(),
        gen0: None,
    });
    SETTINGS.lock().unwrap_or_else(PoisonError::into_inner)
}
