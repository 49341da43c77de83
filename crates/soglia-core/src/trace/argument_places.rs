//! Where tasks keep the arguments of their open calls. `docs/format.md` has the bytes.
#![allow(unsafe_code, reason = "places in the mapping go from thread to thread")]

use std::{
    collections::HashMap,
    ptr::NonNull,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64},
    },
};

use super::format::{BLOCK, ChunkHeader};

/// Blocks of a chunk with the arguments of open calls.
pub const ARGUMENT_BLOCKS: u32 = 4;
/// Calls in a chunk with the arguments of open calls. The first is that of the outermost layer.
pub const CHUNK_ARGUMENTS: usize =
    (ARGUMENT_BLOCKS as usize * BLOCK - size_of::<ChunkHeader>()) / size_of::<OpenArguments>();

/// The arguments of a call that may be open.
#[derive(Debug)]
#[repr(C)]
pub struct OpenArguments {
    /// Ticks when the call began. Stored last; 0: nothing is here.
    pub since: AtomicU64,
    /// Words of `payload` in use.
    pub words: AtomicU32,
    /// The payload of a record of the log about arguments.
    pub payload: [AtomicU32; 507],
}

/// The first place of each task that has some, by the task's number.
#[derive(Debug, Default)]
pub(super) struct ArgumentPlaces(Mutex<HashMap<u32, First>>);

#[derive(Clone, Copy, Debug)]
struct First(NonNull<OpenArguments>);

// SAFETY: the pointer is only a place in the mapping, which lives as long as the recording that
// owns this list. All that lies there is atomic.
unsafe impl Send for First {}

impl ArgumentPlaces {
    /// The first place of a task. If there is none, `make` may make it.
    pub(super) fn of(
        &self,
        task: u32,
        make: impl FnOnce() -> Option<NonNull<OpenArguments>>,
    ) -> Option<NonNull<OpenArguments>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = all.get(&task) {
            return Some(first.0);
        }
        let made = make()?;
        all.insert(task, First(made));
        Some(made)
    }
}
