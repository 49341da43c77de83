//! Places to branch to.

/// A place in the code to branch to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(pub(super) usize);

/// What is known about a label so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// Where it is.
    pub(super) at: Option<usize>,
    /// How deep the stack is there.
    pub(super) depth: Option<u32>,
}
