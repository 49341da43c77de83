//! Where crossings come from.

pub mod delegates;
mod returned;
pub mod transitions;
pub mod woven;
