//! The sources of crossings: wrappers, and the CLR's own callbacks.

mod callers;
pub mod gate;
pub mod link;
mod returned;
pub mod transitions;
pub mod woven;

/// Forgets what is kept of a recording, when it has ended.
pub fn end() {
    callers::end();
    returned::end();
}
