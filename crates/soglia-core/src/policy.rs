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
mod rule;
mod verdict;

pub use code::DecodeError;
pub use glob::{Glob, GlobError};
pub use rule::{Destination, DestinationError, Exception, Kind, Rule, Thrown};
pub use verdict::{Denial, Limit, Policy, Verdict};
