//! What names a target in any report, whatever the process and the run.

use super::rows::TargetRow;

/// The names of a target. Addresses do not count, because they differ from process to process.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) direction: String,
    pub(crate) method: Option<String>,
    pub(crate) assembly: Option<String>,
    pub(crate) library: Option<String>,
    pub(crate) entry: Option<String>,
}

/// What a report says of a target that may name it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts<'a> {
    pub(crate) direction: &'a str,
    pub(crate) method: Option<&'a str>,
    pub(crate) assembly: Option<&'a str>,
    pub(crate) library: Option<&'a str>,
    pub(crate) entry: Option<&'a str>,
    pub(crate) file: Option<&'a str>,
    pub(crate) offset: Option<&'a str>,
    pub(crate) symbol: Option<&'a str>,
}

impl Key {
    /// The key of a target. What has neither a method nor an entry has its symbol, or its place in
    /// the file.
    pub(crate) fn of(parts: Parts<'_>) -> Self {
        let nameless = parts.method.is_none() && parts.entry.is_none();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let place = || Some(format!("+{}", parts.offset?));
        let file = parts.file.filter(|_| nameless);
        let entry = owned(parts.entry);
        Self {
            direction: parts.direction.to_owned(),
            method: owned(parts.method),
            assembly: owned(parts.assembly),
            library: owned(parts.library.or(file)),
            entry: entry.or_else(|| nameless.then(|| owned(parts.symbol).or_else(place))?),
        }
    }
}

impl TargetRow {
    /// What may name it.
    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts {
            direction: self.direction,
            method: self.method.as_deref(),
            assembly: self.assembly.as_deref(),
            library: self.library.as_deref(),
            entry: self.entry.as_deref(),
            file: self.file.as_deref(),
            offset: self.offset.as_deref(),
            symbol: self.symbol.as_deref(),
        }
    }
}
