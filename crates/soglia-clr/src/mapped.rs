//! Records which files are loaded where, so that an address in a crash can be named afterwards.
//!
//! The engine looks where it does something expensive anyway: at first calls and returns of
//! targets. It looks again only if the loader's count of objects has changed.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use soglia_core::trace::log::Record;

use crate::{engine::Engine, objects};

/// The most objects that are recorded. A program that loads libraries for ever must not fill the
/// log.
const MOST: usize = 4096;

/// The loader's count at the last look, plus one.
static LOOKED: AtomicU64 = AtomicU64::new(0);
/// Bases and paths that were recorded.
static KNOWN: Mutex<Option<HashSet<(u64, String)>>> = Mutex::new(None);

/// Forgets what was recorded: the next recording knows nothing of it.
pub fn end() {
    LOOKED.store(0, Relaxed);
    *KNOWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Records the objects that were loaded since the last look.
pub fn look(engine: &Engine) {
    let now = objects::epoch().loads.wrapping_add(1);
    if !engine.records || LOOKED.swap(now, Relaxed) == now {
        return;
    }
    let all = objects::all();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    for object in all {
        if known.len() < MOST && known.insert((object.base, object.path.clone())) {
            engine.recording.log(&Record::Object(object));
        }
    }
}
