//! Findings: what a report says in sentences before its tables.
//!
//! `docs/advice.md` has a section for each kind of finding, and a table of all thresholds.
//!
//! | part | holds |
//! | --- | --- |
//! | `context` | what findings are made from |
//! | `draft` | a finding before it is put in order, and words that findings share |
//! | `open`, `shape`, `waits` | open calls, and what functions are for by their names |
//! | `thresholds` | the limits from which on something is worth a finding |
//! | `all` | asks every kind of finding, and puts them in order |
//! | the others | one kind of finding each |

mod all;
mod callbacks;
mod chatty;
mod collector;
mod context;
mod crash;
mod draft;
mod failed;
mod finalizer;
mod library;
mod locks;
mod open;
mod pool;
mod search;
mod shape;
mod slow;
mod strings;
mod stuck;
mod suppress;
#[cfg(test)]
mod tests;
pub mod thresholds;
mod waits;

pub(crate) use all::findings;
pub(crate) use context::{Context, Facts, Part};
