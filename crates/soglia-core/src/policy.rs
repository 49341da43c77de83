//! Policies: rules about calls of native functions.
//!
//! A policy is a list of rules. Each rule is about the targets that its [`Glob`] matches. A target
//! is named as the `DllImport` names it: `library!entry`. The rules do not apply to what a
//! redirection leads to.
//!
//! | question | rules | answer |
//! | --- | --- | --- |
//! | 1. May it be called? | any `deny` matches | no, because of the first that matches |
//! | | there are `allow-only` rules and none matches | no |
//! | 2. Where does the call go? | the first `redirect` that matches | there |
//! | 3. How often? | the first `max-calls` that matches | as often as that rule says |
//! | 4. Is it watched? | a `skip` matches, or there are `only` rules and none matches | no |
//!
//! - All targets for which a `max-calls` rule is the first share its number of calls.
//! - A target is watched in any case if an answer to one of the first three questions concerns it.
//!   So `skip` and redirections hide no denial.
//! - Of several rules of one kind, the order decides.
//!
//! When it is known what a call leads to, `deny` and `allow-only` judge that once more
//! ([`Policy::of_called`]).

mod code;
mod glob;
mod rule;
mod verdict;

pub use code::DecodeError;
pub use glob::{Glob, GlobError};
pub use rule::{Destination, DestinationError, Exception, Kind, Rule, Thrown};
pub use verdict::{Denial, Limit, Policy, Verdict};
