//! Where crossings come from.

pub mod transitions;
