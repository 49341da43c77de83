//! The numbers of texts, frames and stacks.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use soglia_abi::ids::FunctionId;

/// The stacks and frames that are known.
#[derive(Default)]
pub struct Names(Mutex<Tables>);

#[derive(Default)]
pub struct Tables {
    /// Stack frames. Emptied when a module is unloaded, since the CLR may reuse numbers.
    pub frames: HashMap<FunctionId, Frame>,
    pub texts: HashMap<String, u32>,
    pub stacks: HashMap<Vec<u32>, u32>,
    pub slow: u32,
}

/// What stacks show for a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A run of native frames.
    Native,
    /// A method.
    Method {
        /// The number of its name.
        text: u32,
        /// Directly above native code, it is the marshalling of that call.
        marshals: bool,
    },
    /// Nothing: a wrapper, a stub, or the P/Invoke that is called.
    Nothing,
}

impl Names {
    /// Forgets the numbers of functions, because a module is being unloaded.
    pub fn forget_frames(&self) {
        self.lock().frames.clear();
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        *self.lock() = Tables::default();
    }

    /// The tables, locked. To be held only for a moment.
    pub fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
