//! Where crossings come from.

pub mod delegates;
pub mod gate;
mod returned;
pub mod transitions;
pub mod woven;
