//! Where crossings come from.

pub mod gate;
pub mod link;
mod returned;
pub mod transitions;
pub mod woven;
