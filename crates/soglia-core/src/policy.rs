//! Policies: what shall become of calls of native functions.
//!
//! A policy is a list of rules, each about the targets that a [`Glob`] matches, named as they are called: `library!entry`
//! of the `DllImport`. What a redirection leads to is not looked at again.
//!
//! | what is asked | which rules | answer |
//! | --- | --- | --- |
//! | 1. may it be called? | any `deny` matches | refused, by the first that does |
//! | | there are `allow-only` rules and none matches | refused |
//! | 2. where does the call go? | the first `redirect` that matches | there |
//! | 3. how often? | the first `max-calls` that matches | refused once that rule's calls are made: all targets that it is the first for share them |
//! | 4. is it watched? | a `skip` matches, or there are `only` rules and none matches | not at all, if no answer above concerns it |
//!
//! So refusals are never lost to `skip` or to a redirection, and of several rules the order decides.
//!
//! What a call leads to is judged once more, by `deny` and `allow-only`, when that is known ([`Policy::of_called`]).

mod code;
mod glob;

pub use code::DecodeError;
pub use glob::{Glob, GlobError};

use std::fmt;

/// Rules, and how they are carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// In the order in which they are looked at.
    pub rules: Vec<Rule>,
    /// Nothing is refused or redirected; what would be is counted.
    pub audit: bool,
    /// A refused call ends the process.
    pub fatal: bool,
    /// Code that is made at run time may call native functions, of which no rule is told.
    pub allow_dynamic: bool,
}

/// What shall become of some targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Calls are refused.
    Deny {
        /// Whose.
        target: Glob,
        /// How.
        thrown: Thrown,
    },
    /// Calls of all targets that no rule of this kind matches are refused.
    AllowOnly(Glob),
    /// Calls go to another function.
    Redirect {
        /// Whose.
        target: Glob,
        /// Where to.
        to: Destination,
    },
    /// Calls are refused once so many have been made.
    MaxCalls {
        /// Whose. All targets share the number.
        target: Glob,
        /// How many may be made.
        calls: u64,
        /// How they are refused.
        thrown: Thrown,
    },
    /// Targets that no rule of this kind matches are not watched.
    Only(Glob),
    /// Not watched.
    Skip(Glob),
}

/// What a refused call throws.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thrown {
    /// Its type; `None`: the one that fits the rule.
    pub exception: Option<Exception>,
    /// Said before the rule and the target are named.
    pub message: Option<String>,
}

/// Another function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its library, as in a `DllImport`.
    pub library: String,
    /// Its name; `None`: that of the function that was called.
    pub entry: Option<String>,
}

/// Exceptions that .NET programs are prepared for where they call native functions.
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

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.name() == name)
    }
}

/// What shall become of calls of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are made, and not watched.
    Skip,
    /// They are refused.
    Refuse(Refusal),
    /// They are made.
    Call {
        /// Somewhere else.
        redirect: Option<Destination>,
        /// Only so often.
        limit: Option<Limit>,
    },
}

/// Calls may be made so often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The index of the rule: all targets of one rule share its calls.
    pub rule: usize,
    /// How many may be made.
    pub calls: u64,
    /// What becomes of those after.
    pub refusal: Refusal,
}

/// How a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule's kind.
    pub by: Kind,
    /// What is thrown.
    pub exception: Exception,
    /// Names the rule and the target.
    pub message: String,
}

/// Kinds of rules, by the words that people write for them.
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

/// Why a text is no destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// There is nothing, or nothing on one side of the `!`.
    #[error("expected where calls shall go: LIBRARY, or LIBRARY!ENTRY")]
    Incomplete,
    /// Calls go to one place.
    #[error(
        "'{0}' in where calls shall go: that is a name, not a glob (LIBRARY alone keeps the entry point's name)"
    )]
    Glob(char),
    /// Functions of different signatures would be called as one.
    #[error(
        "a glob on entry points cannot lead to one function: name the LIBRARY alone, which keeps their names"
    )]
    ManyToOne,
}

impl Destination {
    /// Where calls of these targets go: `LIBRARY` or `LIBRARY!ENTRY`.
    ///
    /// # Errors
    /// If it is not of that form, or many entry points would become one.
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
    /// Which kind of rule it is.
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

    /// Which targets it is about.
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

/// As its option is written, with quotes: `deny 'libc!system'`.
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

impl Policy {
    /// It has no rules: every call is made and watched.
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// It refuses some calls always, so that what is called has to be known.
    pub fn judges(&self) -> bool {
        let judges = |rule: &Rule| matches!(rule.kind(), Kind::Deny | Kind::AllowOnly);
        self.rules.iter().any(judges)
    }

    /// It refuses some calls, if not always: there may be no way around the place where that is done.
    pub fn guards(&self) -> bool {
        self.judges() || self.rules.iter().any(|rule| rule.kind() == Kind::MaxCalls)
    }

    /// Whether a function may be called that has all these names, in an object of all these names: what a call leads to,
    /// however it is spelled. A function without a name has the name "", which only `*` matches. `call` says what
    /// was called, for people.
    ///
    /// `deny` refuses if it is about any of the names, `allow-only` allows if it is about any.
    pub fn of_called(
        &self,
        libraries: &[String],
        entries: &[String],
        call: &str,
    ) -> Option<Refusal> {
        let about = |rule: &&Rule| {
            let matches = |library: &String| {
                let mut entries = entries.iter();
                entries.any(|entry| rule.target().matches(library, entry))
            };
            libraries.iter().any(matches)
        };
        let of = |kind: Kind| self.rules.iter().filter(move |rule| rule.kind() == kind);
        if let Some(rule @ Rule::Deny { thrown, .. }) = of(Kind::Deny).find(about) {
            return Some(thrown.refusal(Kind::Deny, format!("{rule} refused {call}")));
        }
        let globs: Vec<&Glob> = of(Kind::AllowOnly).map(Rule::target).collect();
        (!globs.is_empty() && !of(Kind::AllowOnly).any(|rule| about(&rule)))
            .then(|| refused_by_all(&globs, call))
    }

    /// How a call is refused of which it cannot be told, or shall not be asked, what it leads to.
    pub fn of_unknown(&self, call: &str) -> Refusal {
        let of = |kind: Kind| self.rules.iter().filter(move |rule| rule.kind() == kind);
        if let Some(rule @ Rule::Deny { thrown, .. }) = of(Kind::Deny).next() {
            let exception = Thrown {
                message: None,
                ..thrown.clone()
            };
            return exception.refusal(Kind::Deny, format!("{rule} refused {call}"));
        }
        let globs: Vec<&Glob> = of(Kind::AllowOnly).map(Rule::target).collect();
        match of(Kind::MaxCalls).next() {
            Some(rule) if globs.is_empty() => {
                Thrown::default().refusal(Kind::MaxCalls, format!("{rule} refused {call}"))
            }
            _ => refused_by_all(&globs, call),
        }
    }

    /// The indices of all rules that are about this target, whether they decide or not.
    pub fn about(&self, library: &str, entry: &str) -> impl Iterator<Item = usize> {
        let matches = |rule: &Rule| rule.target().matches(library, entry);
        let rules = self.rules.iter().enumerate();
        rules.filter_map(move |(index, rule)| matches(rule).then_some(index))
    }

    /// What shall become of calls of this target, named as its `DllImport` names it. The table above says why.
    pub fn of(&self, library: &str, entry: &str) -> Verdict {
        let of = |kind: Kind| self.rules.iter().filter(move |rule| rule.kind() == kind);
        let first = |kind: Kind| of(kind).find(|rule| rule.target().matches(library, entry));
        if let Some(rule @ Rule::Deny { thrown, .. }) = first(Kind::Deny) {
            let what = format!("{rule} refused {library}!{entry}");
            return Verdict::Refuse(thrown.refusal(Kind::Deny, what));
        }
        if of(Kind::AllowOnly).next().is_some() && first(Kind::AllowOnly).is_none() {
            let globs: Vec<&Glob> = of(Kind::AllowOnly).map(Rule::target).collect();
            return Verdict::Refuse(refused_by_all(&globs, &format!("{library}!{entry}")));
        }
        let redirect = match first(Kind::Redirect) {
            Some(Rule::Redirect { to, .. }) => Some(to.clone()),
            _ => None,
        };
        let limited = self
            .rules
            .iter()
            .enumerate()
            .find_map(|(index, rule)| match rule {
                Rule::MaxCalls {
                    target,
                    calls,
                    thrown,
                } if target.matches(library, entry) => Some((index, rule, *calls, thrown)),
                _ => None,
            });
        let limit = limited.map(|(index, rule, calls, thrown)| Limit {
            rule: index,
            calls,
            refusal: thrown.refusal(
                Kind::MaxCalls,
                format!("{rule} refused {library}!{entry}, {}", made(calls)),
            ),
        });
        let unwatched = first(Kind::Skip).is_some()
            || of(Kind::Only).next().is_some() && first(Kind::Only).is_none();
        if unwatched && redirect.is_none() && limit.is_none() {
            return Verdict::Skip;
        }
        Verdict::Call { redirect, limit }
    }
}

impl Thrown {
    fn refusal(&self, by: Kind, what: String) -> Refusal {
        let fits = match by {
            Kind::MaxCalls => Exception::InvalidOperation,
            _ => Exception::UnauthorizedAccess,
        };
        Refusal {
            by,
            exception: self.exception.unwrap_or(fits),
            message: match &self.message {
                Some(said) => format!("{said} (soglia policy: {what})"),
                None => format!("soglia policy: {what}"),
            },
        }
    }
}

fn refused_by_all(globs: &[&Glob], call: &str) -> Refusal {
    let what = format!("{} refused {call}", allow_only(globs));
    Thrown::default().refusal(Kind::AllowOnly, what)
}

/// Long lists are for the policy itself to tell.
fn allow_only(globs: &[&Glob]) -> String {
    const MOST: usize = 3;
    let some: Vec<String> = globs
        .iter()
        .take(MOST)
        .map(|glob| format!("'{glob}'"))
        .collect();
    let more = match globs.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("allow-only {}{more}", some.join(", "))
}

fn made(calls: u64) -> String {
    match calls {
        0 => "of which none may be called".into(),
        1 => "after its one call".into(),
        _ => format!("after its {calls} calls"),
    }
}
