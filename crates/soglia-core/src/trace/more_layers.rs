//! The places of layers that lie outside the chunk of their task.
#![allow(unsafe_code, reason = "places in the mapping go from thread to thread")]

use std::{
    collections::HashMap,
    ptr::NonNull,
    sync::{Mutex, PoisonError},
};

use crate::layer::Layer;

/// Chunks of layers, by the number of their task, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct MoreLayers(Mutex<HashMap<u32, Vec<First>>>);

#[derive(Clone, Copy, Debug)]
pub(super) struct First(pub(super) NonNull<Layer>);

// SAFETY: the pointer is only a place in the mapping, which lives as long as the recording that
// owns this list. Threads that use it read by volatile loads.
unsafe impl Send for First {}

impl MoreLayers {
    /// Adds a chunk of a task, whose layers begin here.
    pub(super) fn add(&self, task: u32, first: NonNull<Layer>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(task).or_default().push(First(first));
    }

    /// The places of all chunks of layers of a task.
    pub(super) fn of(&self, task: u32) -> Vec<First> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&task).cloned().unwrap_or_default()
    }
}
