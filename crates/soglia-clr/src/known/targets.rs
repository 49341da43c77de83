//! Targets, and the declarations and pointers that are bound to them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use soglia_abi::ids::FunctionId;
use soglia_core::{
    crossing::Side,
    trace::{
        log::{Record, TargetNames},
        writer::Recording,
    },
};

use crate::objects::{Epoch, Place};

/// A target, as it was found for a call.
pub struct Found {
    /// Its number.
    pub number: u32,
    /// Whether no task has called it before.
    pub new: bool,
    /// Whether the runtime does not know the function that it named.
    pub unknown: bool,
    /// Whether calls of the same declaration may be counted there from now on, without asking
    /// again.
    pub stays: bool,
}

impl Found {
    pub fn old(number: u32) -> Self {
        Self {
            number,
            new: false,
            unknown: false,
            stays: true,
        }
    }
}

/// Distinguishes targets of the same names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// There is only one.
    Only,
    /// The target of one of several declarations, which was called before it was known where it
    /// leads.
    Nth(u32),
    /// The native function.
    At {
        file: String,
        offset: u64,
        symbol: Option<String>,
    },
}

impl Which {
    pub fn at(place: &Place) -> Self {
        Self::At {
            file: place.file.clone(),
            offset: place.offset,
            symbol: place.symbol.clone(),
        }
    }
}

/// What a declaration, or a pointer, is bound to.
#[derive(Clone)]
pub struct Bound {
    pub target: u32,
    pub place: Option<Place>,
    /// When that was found.
    pub seen: Epoch,
    /// How often the engine still looks where a declaration leads whose returns it does not see, or
    /// that shares its target.
    pub tries: u8,
}

impl Bound {
    /// Whether nothing can have changed since.
    pub fn holds(&self, now: Epoch) -> bool {
        self.seen.unloads == now.unloads
    }

    /// Whether the same function is still there.
    pub fn is_still(&self, there: Option<&Place>) -> bool {
        match (&self.place, there) {
            (Some(place), Some(there)) => Which::at(place) == Which::at(there),
            _ => true,
        }
    }
}

/// A declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Declared {
    /// One that has a wrapper, with this number.
    Woven(i64),
    /// The CLR's function with this number.
    Function(FunctionId, Side),
}

/// All targets, and what is bound to them.
#[derive(Default)]
pub struct Targets(Mutex<Tables>);

#[derive(Default)]
pub struct Tables {
    pub numbers: HashMap<(Arc<TargetNames>, Which), u32>,
    /// By number, from 1.
    pub names: Vec<Arc<TargetNames>>,
    /// The declarations that were called. Functions are forgotten when a module is unloaded, since
    /// the CLR may reuse their numbers.
    pub bound: HashMap<Declared, Bound>,
    /// How many declarations with the same names were called.
    pub alike: HashMap<Arc<TargetNames>, u32>,
    /// By pointer, and whether calls by it are the runtime's own. Forgotten when an object was
    /// unloaded.
    pub by_pointer: HashMap<(u64, bool), Bound>,
    /// How many objects had been unloaded when those were found.
    pub pointers_of: u64,
    /// Declarations whose functions are to be looked for when they return, by target.
    pub unplaced: HashMap<u32, Declared>,
}

/// Whether some target is called without a GC transition.
static ANY_SUPPRESSED: AtomicBool = AtomicBool::new(false);

/// Whether some target that was called is called without a GC transition.
pub fn any_suppressed() -> bool {
    ANY_SUPPRESSED.load(Relaxed)
}

impl Tables {
    /// The target with these names. Records it, with its place, if it is new.
    pub fn target(
        &mut self,
        recording: &Recording,
        names: &TargetNames,
        which: Which,
        place: Option<&Place>,
    ) -> Found {
        let names = Arc::new(names.clone());
        let key = (Arc::clone(&names), which);
        if let Some(number) = self.numbers.get(&key) {
            return Found::old(*number);
        }
        if names.suppressed {
            ANY_SUPPRESSED.store(true, Relaxed);
        }
        let number = self.names.len() as u32 + 1;
        self.names.push(Arc::clone(&names));
        self.numbers.insert(key, number);
        // Under the lock, so that no other thread counts a call of this target before it has a
        // name.
        let mut told = (*names).clone();
        told.target = number;
        recording.log(&Record::Target(told));
        if let Some(place) = place {
            write_down(recording, number, place);
        }
        Found {
            new: true,
            ..Found::old(number)
        }
    }

    pub fn bind(&mut self, what: Declared, target: u32, place: Option<Place>, seen: Epoch) {
        let bound = Bound {
            target,
            place,
            seen,
            tries: 0,
        };
        self.bound.insert(what, bound);
    }
}

/// Records where a target lies.
pub fn write_down(recording: &Recording, target: u32, place: &Place) {
    recording.log(&Record::Address {
        target,
        address: place.address,
        file: Some(place.file.clone()),
        symbol: place.symbol.clone(),
        offset: Some(place.offset),
        build: place.build.clone(),
    });
}

impl Tables {
    /// The names of a target that was called.
    pub fn names_of(&self, target: u32) -> Option<TargetNames> {
        let names = self.names.get((target as usize).checked_sub(1)?)?;
        Some((**names).clone())
    }
}

impl Targets {
    /// Forgets everything.
    pub fn forget_all(&self) {
        *self.lock() = Tables::default();
    }

    /// The tables, locked. To be held only for a moment.
    pub fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
