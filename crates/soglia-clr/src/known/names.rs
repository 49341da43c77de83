//! The numbers of texts, frames and stacks.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use soglia_abi::ids::FunctionId;

/// What is known of stacks and their frames.
#[derive(Default)]
pub struct Names(Mutex<Tables>);

#[derive(Default)]
pub struct Tables {
    /// Of stack frames. Emptied when a module is unloaded: numbers may be given again.
    pub frames: HashMap<FunctionId, Frame>,
    pub texts: HashMap<String, u32>,
    pub stacks: HashMap<Vec<u32>, u32>,
    pub slow: u32,
}

/// What stacks show of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A run of native frames.
    Native,
    /// A method.
    Method {
        /// The number of its name.
        text: u32,
        /// Right above native code, it is that call's own marshalling.
        marshals: bool,
    },
    /// It is no method of the program: a wrapper, a stub, the P/Invoke that is called.
    Nothing,
}

impl Names {
    /// A module is going: the numbers of its functions mean nothing from now on.
    pub fn forget_frames(&self) {
        self.lock().frames.clear();
    }

    /// For moments only.
    pub fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
