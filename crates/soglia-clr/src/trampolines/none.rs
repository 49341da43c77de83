//! For machines whose calling convention nobody has written down here yet: there are no trampolines.

/// What a trampoline tells, before and after.
pub trait Hooks {
    /// Before.
    extern "C" fn open(id: i64, original: usize);
    /// After.
    extern "C" fn close(id: i64, original: usize);
}

/// Code that all thunks of a direction share: none.
#[derive(Clone, Copy)]
pub struct Common;

impl Common {
    /// With these hooks.
    pub const fn of<H: Hooks>() -> Self {
        Self
    }

    pub(super) fn address(self) -> usize {
        0
    }
}

pub(super) fn reserve(_size: usize) -> Option<usize> {
    None
}

pub(super) fn map_block(_at: usize) -> bool {
    false
}

pub(super) fn face(
    _thunk: &[u8; super::CLR_THUNK],
    _trampoline: usize,
) -> Option<[u8; super::FACE]> {
    None
}

pub(super) fn map_faces(_at: usize) -> Option<usize> {
    None
}

pub(super) const BEGINS: [u8; 2] = [0; 2];
