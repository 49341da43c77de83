//! Rules: what becomes of calls of which targets.

use std::fmt;

use super::glob::Glob;

/// A rule about some targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Calls are denied.
    Deny {
        /// Whose calls.
        target: Glob,
        /// What they throw.
        thrown: Thrown,
    },
    /// Calls are denied of all targets that no rule of this kind matches.
    AllowOnly(Glob),
    /// Calls go to another function.
    Redirect {
        /// Whose calls.
        target: Glob,
        /// Where to.
        to: Destination,
    },
    /// Calls are denied after so many.
    MaxCalls {
        /// Whose calls. All targets share the number.
        target: Glob,
        /// How many calls may be made.
        calls: u64,
        /// What denied calls throw.
        thrown: Thrown,
    },
    /// Calls are not watched of targets that no rule of this kind matches.
    Only(Glob),
    /// Calls are not watched.
    Skip(Glob),
}

/// What a denied call throws.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thrown {
    /// Its type; `None`: the type that fits the rule.
    pub exception: Option<Exception>,
    /// A message that comes before the names of the rule and the target.
    pub message: Option<String>,
}

/// The function to which calls are redirected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its library, as in a `DllImport`.
    pub library: String,
    /// Its name; `None`: the name of the function that was called.
    pub entry: Option<String>,
}

/// Exceptions for which .NET programs are prepared where they call native functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// `System.UnauthorizedAccessException`
    UnauthorizedAccess,
    /// `System.EntryPointNotFoundException`
    EntryPointNotFound,
    /// `System.DllNotFoundException`
    DllNotFound,
    /// `System.NotSupportedException`
    NotSupported,
    /// `System.InvalidOperationException`
    InvalidOperation,
    /// `System.Runtime.InteropServices.COMException`
    Com,
}

impl Exception {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::UnauthorizedAccess,
        Self::EntryPointNotFound,
        Self::DllNotFound,
        Self::NotSupported,
        Self::InvalidOperation,
        Self::Com,
    ];

    /// The name of its type, without namespace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnauthorizedAccess => "UnauthorizedAccessException",
            Self::EntryPointNotFound => "EntryPointNotFoundException",
            Self::DllNotFound => "DllNotFoundException",
            Self::NotSupported => "NotSupportedException",
            Self::InvalidOperation => "InvalidOperationException",
            Self::Com => "COMException",
        }
    }

    /// The exception with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.name() == name)
    }
}

/// The kinds of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Rule::Deny`]
    Deny,
    /// [`Rule::AllowOnly`]
    AllowOnly,
    /// [`Rule::Redirect`]
    Redirect,
    /// [`Rule::MaxCalls`]
    MaxCalls,
    /// [`Rule::Only`]
    Only,
    /// [`Rule::Skip`]
    Skip,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Deny,
        Self::AllowOnly,
        Self::Redirect,
        Self::MaxCalls,
        Self::Only,
        Self::Skip,
    ];

    /// The word for it: the name of the option and of the section in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::AllowOnly => "allow-only",
            Self::Redirect => "redirect",
            Self::MaxCalls => "max-calls",
            Self::Only => "only",
            Self::Skip => "skip",
        }
    }
}

/// Why a text is not a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// It is empty, or one side of the `!` is.
    #[error("expected where calls shall go: LIBRARY, or LIBRARY!ENTRY")]
    Incomplete,
    /// It is a glob, but calls can go to one place only.
    #[error(
        "'{0}' in where calls shall go: that is a name, not a glob (LIBRARY alone keeps the entry point's name)"
    )]
    Glob(char),
    /// Functions with different signatures would become one.
    #[error(
        "a glob on entry points cannot lead to one function: name the LIBRARY alone, which keeps their names"
    )]
    ManyToOne,
}

impl Destination {
    /// Reads where calls of these targets go: `LIBRARY` or `LIBRARY!ENTRY`.
    ///
    /// # Errors
    /// If the text does not have that form, or if many entry points would become one.
    pub fn parse(text: &str, target: &Glob) -> Result<Self, DestinationError> {
        let (library, entry) = match text.split_once('!') {
            Some((library, entry)) => (library, Some(entry)),
            None => (text, None),
        };
        let bad =
            |name: &str| name.is_empty() || name.trim() != name || name.contains(char::is_control);
        if bad(library) || entry.is_some_and(bad) {
            return Err(DestinationError::Incomplete);
        }
        if let Some(found) = text.chars().find(|c| "*?[]{}".contains(*c)) {
            return Err(DestinationError::Glob(found));
        }
        if entry.is_some_and(|entry| entry.contains('!')) {
            return Err(DestinationError::Glob('!'));
        }
        if entry.is_some() && target.is_of_many_entries() {
            return Err(DestinationError::ManyToOne);
        }
        Ok(Self {
            library: library.into(),
            entry: entry.map(Into::into),
        })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(entry) => write!(f, "{}!{entry}", self.library),
            None => f.write_str(&self.library),
        }
    }
}

impl Rule {
    /// The kind of this rule.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Deny { .. } => Kind::Deny,
            Self::AllowOnly(_) => Kind::AllowOnly,
            Self::Redirect { .. } => Kind::Redirect,
            Self::MaxCalls { .. } => Kind::MaxCalls,
            Self::Only(_) => Kind::Only,
            Self::Skip(_) => Kind::Skip,
        }
    }

    /// The targets of this rule.
    pub const fn target(&self) -> &Glob {
        match self {
            Self::Deny { target, .. }
            | Self::Redirect { target, .. }
            | Self::MaxCalls { target, .. }
            | Self::AllowOnly(target)
            | Self::Only(target)
            | Self::Skip(target) => target,
        }
    }
}

/// As the option is written, with quotes: `deny 'libc!system'`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().name();
        match self {
            Self::Redirect { target, to } => write!(f, "{kind} '{target}={to}'"),
            Self::MaxCalls { target, calls, .. } => write!(f, "{kind} '{target}={calls}'"),
            _ => write!(f, "{kind} '{}'", self.target()),
        }
    }
}
