//! Verdicts: what becomes of the calls of one target.

use super::{
    glob::Glob,
    rule::{Destination, Exception, Kind, Rule, Thrown},
};

/// Rules, and how the engine carries them out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// In the order in which they apply.
    pub rules: Vec<Rule>,
    /// The engine denies and redirects nothing, and counts what it would.
    pub audit: bool,
    /// A denied call ends the process.
    pub fatal: bool,
    /// Code that is made at run time may call native functions, to which no rule applies.
    pub allow_dynamic: bool,
}

/// What becomes of the calls of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are made, and not watched.
    Skip,
    /// They are denied.
    Deny(Denial),
    /// They are made.
    Call {
        /// The function that is called instead.
        redirect: Option<Destination>,
        /// How often they are made at most.
        limit: Option<Limit>,
    },
}

/// How many calls may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The index of the rule. All targets of one rule share its calls.
    pub rule: usize,
    /// How many may be made.
    pub calls: u64,
    /// What becomes of later calls.
    pub denial: Denial,
}

/// How a call is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The rule's kind.
    pub by: Kind,
    /// What the call throws.
    pub exception: Exception,
    /// The message, which names the rule and the target.
    pub message: String,
}

impl Policy {
    /// Whether the policy has no rules, so that every call is made and watched.
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether the policy denies some calls always. Then the engine has to know what is called.
    pub fn judges(&self) -> bool {
        let judges = |rule: &Rule| matches!(rule.kind(), Kind::Deny | Kind::AllowOnly);
        self.rules.iter().any(judges)
    }

    /// Whether the policy denies some calls, always or after a number of calls. Then no call may
    /// bypass the check.
    pub fn guards(&self) -> bool {
        self.judges() || self.rules.iter().any(|rule| rule.kind() == Kind::MaxCalls)
    }

    /// Whether a call may lead to a function that has all these names, in an object of all these
    /// names, however the call spells it. Returns how it is denied, or `None` if it is not. A
    /// function without a name has the name "", which only `*` matches. `call` says what was
    /// called, for people.
    ///
    /// `deny` denies if it is about any of the names. `allow-only` allows if it is about any of
    /// them.
    pub fn of_called(
        &self,
        libraries: &[String],
        entries: &[String],
        call: &str,
    ) -> Option<Denial> {
        let about = |rule: &&Rule| {
            let matches = |library: &String| {
                let mut entries = entries.iter();
                entries.any(|entry| rule.target().matches(library, entry))
            };
            libraries.iter().any(matches)
        };
        let of = |kind: Kind| self.rules.iter().filter(move |rule| rule.kind() == kind);
        if let Some(rule @ Rule::Deny { thrown, .. }) = of(Kind::Deny).find(about) {
            return Some(thrown.denial(Kind::Deny, format!("{rule} denied {call}")));
        }
        let globs: Vec<&Glob> = of(Kind::AllowOnly).map(Rule::target).collect();
        (!globs.is_empty() && !of(Kind::AllowOnly).any(|rule| about(&rule)))
            .then(|| refused_by_all(&globs, call))
    }

    /// How a call is denied if the engine cannot find out, or must not ask, what it leads to.
    pub fn of_unknown(&self, call: &str) -> Denial {
        let of = |kind: Kind| self.rules.iter().filter(move |rule| rule.kind() == kind);
        if let Some(rule @ Rule::Deny { thrown, .. }) = of(Kind::Deny).next() {
            let exception = Thrown {
                message: None,
                ..thrown.clone()
            };
            return exception.denial(Kind::Deny, format!("{rule} denied {call}"));
        }
        let globs: Vec<&Glob> = of(Kind::AllowOnly).map(Rule::target).collect();
        match of(Kind::MaxCalls).next() {
            Some(rule) if globs.is_empty() => {
                Thrown::default().denial(Kind::MaxCalls, format!("{rule} denied {call}"))
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

    /// What becomes of calls of this target, named as its `DllImport` names it. The table in
    /// [`policy`](crate::policy) says why.
    pub fn of(&self, library: &str, entry: &str) -> Verdict {
        let of = |kind: Kind| self.rules.iter().filter(move |rule| rule.kind() == kind);
        let first = |kind: Kind| of(kind).find(|rule| rule.target().matches(library, entry));
        if let Some(rule @ Rule::Deny { thrown, .. }) = first(Kind::Deny) {
            let what = format!("{rule} denied {library}!{entry}");
            return Verdict::Deny(thrown.denial(Kind::Deny, what));
        }
        if of(Kind::AllowOnly).next().is_some() && first(Kind::AllowOnly).is_none() {
            let globs: Vec<&Glob> = of(Kind::AllowOnly).map(Rule::target).collect();
            return Verdict::Deny(refused_by_all(&globs, &format!("{library}!{entry}")));
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
            denial: thrown.denial(
                Kind::MaxCalls,
                format!("{rule} denied {library}!{entry}, {}", made(calls)),
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
    fn denial(&self, by: Kind, what: String) -> Denial {
        let fits = match by {
            Kind::MaxCalls => Exception::InvalidOperation,
            _ => Exception::UnauthorizedAccess,
        };
        Denial {
            by,
            exception: self.exception.unwrap_or(fits),
            message: match &self.message {
                Some(said) => format!("{said} (soglia policy: {what})"),
                None => format!("soglia policy: {what}"),
            },
        }
    }
}

fn refused_by_all(globs: &[&Glob], call: &str) -> Denial {
    let what = format!("{} denied {call}", allow_only(globs));
    Thrown::default().denial(Kind::AllowOnly, what)
}

/// Names three globs at most; the policy has the others.
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
