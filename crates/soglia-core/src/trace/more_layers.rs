//! Where the layers lie that have no room in the chunk of their task.
#![allow(unsafe_code, reason = "places in the mapping go from thread to thread")]

use std::{
    ptr::NonNull,
    sync::{Mutex, PoisonError},
};

use crate::layer::Layer;

/// Chunks of layers, each with its task's number, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct MoreLayers(Mutex<Vec<(u32, First)>>);

#[derive(Clone, Copy, Debug)]
pub(super) struct First(pub(super) NonNull<Layer>);

// SAFETY: a place in the mapping, which any thread may read with care.
unsafe impl Send for First {}

impl MoreLayers {
    /// A task has got a chunk of layers, which begin here.
    pub(super) fn add(&self, task: u32, first: NonNull<Layer>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((task, First(first)));
    }

    /// Where the layers of a task begin that are in chunks of their own.
    pub(super) fn of(&self, task: u32) -> Vec<First> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_task = all.iter().filter(|(number, _)| *number == task);
        of_task.map(|(_, first)| *first).collect()
    }
}
