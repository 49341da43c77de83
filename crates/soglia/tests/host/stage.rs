//! What a case plays with.

use std::path::PathBuf;

use soglia::host::{Builder, Host};

/// The runtime and the files of a case.
pub struct Stage {
    /// The version of the runtime.
    pub version: String,
    /// The fixtures, with their native libraries.
    pub fixtures: PathBuf,
}

impl Stage {
    /// A host with the version that the case is for.
    pub fn builder(&self) -> Builder {
        Host::builder().version(&self.version)
    }

    /// A file of the fixtures.
    pub fn fixture(&self, name: &str) -> PathBuf {
        self.fixtures.join(name)
    }
}
