//! Where crossings come from.

pub mod transitions;
pub mod woven;
