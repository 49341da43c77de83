//! Records of the log about loaded objects, by which an address can be named afterwards.

use super::payload::{Decoder, Encoder};

/// A file that the loader has mapped as code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadedObject {
    /// The number to add to addresses of the file.
    pub base: u64,
    /// The address behind its last one.
    pub end: u64,
    /// Its path.
    pub path: String,
    /// Its build id, in hexadecimal.
    pub build: Option<String>,
}

impl LoadedObject {
    pub(super) fn encode(&self, to: &mut Encoder) {
        to.long(self.base)
            .long(self.end)
            .string(&self.path)
            .option(self.build.as_deref());
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            base: from.long()?,
            end: from.long()?,
            path: from.string()?,
            build: from.option()?,
        })
    }
}
