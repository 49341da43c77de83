//! The sources of crossings: wrappers, and the CLR's own callbacks.

pub mod gate;
pub mod link;
mod returned;
pub mod transitions;
pub mod woven;
