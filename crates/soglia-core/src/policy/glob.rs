//! Globs on the names of native functions: `lib!entry`.

use std::{fmt, str::FromStr};

use wildmatch::WildMatch;

/// Which native functions a rule is about: `library!entry`, or `entry` of any library. `*` stands
/// for any number of characters, including none, and `?` for one. Case counts.
///
/// A library is the same with and without `lib` before it, and with and without `.so` or
/// `.so.VERSION` behind it, as it is for `DllImport`. Versions have to match only if both sides
/// name one. Folders count only in globs that name one.
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
    library: Option<Library>,
    entry: WildMatch,
}

/// The part of a glob that is about libraries.
#[derive(Clone, Debug)]
struct Library {
    whole: WildMatch,
    /// The same without its `.so.VERSION`, for libraries that name no version.
    unversioned: Option<WildMatch>,
    /// Whether it names a folder.
    folder: bool,
}

/// Why a text is not a glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// It is empty, or one side of the `!` is.
    #[error(
        "expected LIBRARY!ENTRY or ENTRY, where * stands for any characters and ? for one (all of a library: LIBRARY!*)"
    )]
    Incomplete,
    /// It has more than one `!`.
    #[error("there is more than one '!': write ? for one that is part of a name")]
    TwoBangs,
    /// It has a character that means something in other globs.
    #[error(
        "'{0}' has no meaning here, only * and ? have: give several rules, or write ? for a character of a name"
    )]
    Foreign(char),
    /// It has a space at the edge of a name, or a control character.
    #[error("there is a space around a name, or a control character: names are written without")]
    Space,
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        let (library, entry) = match text.split_once('!') {
            Some((library, entry)) => (Some(library), entry),
            None => (None, text),
        };
        if entry.is_empty() || library == Some("") {
            return Err(GlobError::Incomplete);
        }
        if entry.contains('!') {
            return Err(GlobError::TwoBangs);
        }
        if let Some(found) = text.chars().find(|c| "[]{}".contains(*c)) {
            return Err(GlobError::Foreign(found));
        }
        let spaced = |name: &str| name.trim() != name || name.contains(char::is_control);
        if spaced(entry) || library.is_some_and(spaced) {
            return Err(GlobError::Space);
        }
        Ok(Self {
            text: text.into(),
            library: library.map(Library::of),
            entry: WildMatch::new(entry),
        })
    }
}

impl Glob {
    /// Whether it matches this function, named as its `DllImport` names it.
    pub fn matches(&self, library: &str, entry: &str) -> bool {
        self.entry.matches(entry) && self.library.as_ref().is_none_or(|l| l.matches(library))
    }

    /// Whether it may match several entry points.
    pub fn is_of_many_entries(&self) -> bool {
        let entry = self.text.rsplit('!').next().unwrap_or_default();
        entry.contains(['*', '?'])
    }

    /// The text as the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Library {
    fn of(text: &str) -> Self {
        let (stem, version) = split_version(text);
        Self {
            whole: WildMatch::new(text),
            unversioned: version.map(|_| WildMatch::new(stem)),
            folder: text.contains('/'),
        }
    }

    fn matches(&self, name: &str) -> bool {
        let (folder, file) = match name.rfind('/') {
            Some(slash) => name.split_at(slash + 1),
            None => ("", name),
        };
        let folder = if self.folder { folder } else { "" };
        let (stem, version) = split_version(file);
        let stem = stem.strip_suffix(".so").unwrap_or(stem);
        // `lib` alone is a name, not a prefix.
        let stem = stem
            .strip_prefix("lib")
            .filter(|s| !s.is_empty())
            .unwrap_or(stem);
        ["", "lib"].into_iter().any(|prefix| {
            let bare = format!("{folder}{prefix}{stem}");
            let versioned = version.map(|version| format!("{bare}.so.{version}"));
            self.whole.matches(&bare)
                || self.whole.matches(&format!("{bare}.so"))
                || versioned.is_some_and(|name| self.whole.matches(&name))
                || version.is_none() && self.unversioned.as_ref().is_some_and(|w| w.matches(&bare))
        })
    }
}

/// `libssl.so.1.1` is `libssl` of version `1.1`. A version may have wildcards.
fn split_version(name: &str) -> (&str, Option<&str>) {
    let is_version = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_digit() || ".*?".contains(c))
    };
    match name.rsplit_once(".so.") {
        Some((stem, version)) if is_version(version) => (stem, Some(version)),
        _ => (name, None),
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
