//! Finds the target of a call: its names and the place of its native function.
//!
//! Calls with the same names need not reach the same function. A program can load an assembly
//! twice, with resolvers that give each a different library. An address can come to lie in another
//! object ([`objects::epoch`]). So the engine binds each declaration to a target by itself, by what
//! the runtime has linked for it. It looks again when objects were unloaded since. Reports merge
//! targets that are equal.

use std::{path::Path, sync::Arc};

use soglia_abi::ids::FunctionId;
use soglia_core::{
    crossing::Side,
    trace::log::{Record, TargetNames},
};

use crate::{
    boundary,
    calls::{self, call},
    engine::{self, Engine},
    known::targets::{Bound, Declared, Found, Which, write_down},
    names::{called, is_runtime_internal},
    objects::{self, Epoch, Linked, Place},
};

/// The most declarations of the same names that have targets of their own before it is known where
/// they lead. Later ones share one target without a place for their first calls: a program may load
/// such assemblies for ever.
const MOST_ALIKE: u32 = 64;

/// The most calls of one declaration that begin before the first of them was linked.
const MOST_TRIES: u8 = 16;

impl Engine {
    /// The target with these names, wherever it lies. Records it at its first crossing.
    pub fn target_named(&self, names: &TargetNames) -> Found {
        let mut tables = self.targets.lock();
        tables.target(self.recording, names, Which::Only, None)
    }

    /// The target of a function of the CLR. Finds and records it at its first crossing.
    ///
    /// `trusted`: the CLR may be asked about the function. If not, the function gets a name only if
    /// a loaded module has it.
    pub fn target(&self, function: FunctionId, side: Side, trusted: bool) -> Found {
        let declared = Declared::Function(function, side);
        let now = objects::epoch();
        if let Some(found) = self.bound(declared, now) {
            return found;
        }
        // The CLR takes locks of its own, so it is asked while this lock is not held.
        let known = !function.is_null()
            && function.0.is_multiple_of(4)
            && (trusted || self.modules.knows(&self.info, function));
        let names = if known {
            self.describe(function, side)
        } else {
            crate::names::nameless(function, side)
        };
        let place =
            called(&names).filter(|_| known).map(|(library, entry)| {
                match objects::linked(function.0, &library, &entry) {
                    Linked::At(place) => Some(place),
                    Linked::NotYet => None,
                    Linked::Unknown => objects::find(&library, &entry),
                }
            });
        let mut tables = self.targets.lock();
        let unplaced = matches!(place, Some(None));
        let place = place.flatten();
        let which = place.as_ref().map_or(Which::Only, Which::at);
        let found = tables.target(self.recording, &names, which, place.as_ref());
        tables.bind(declared, found.number, place, now);
        if unplaced {
            tables.unplaced.insert(found.number, declared);
        }
        Found {
            unknown: !known && !function.is_null(),
            ..found
        }
    }

    /// The target of the wrapper with this number. Records it at its first call.
    pub fn target_of(&self, id: i64) -> Option<Found> {
        let declared = Declared::Woven(id);
        let now = objects::epoch();
        if let Some(found) = self.bound(declared, now) {
            return Some(if found.stays {
                found
            } else {
                self.try_again(declared, found, now)
            });
        }
        let call = calls::call(id)?;
        let names = &call.names;
        let has_place = called(names).is_some();
        // A wrapper that notifies a host has had the P/Invoke linked already.
        let place = has_place.then(|| self.notifies.then(|| self.find(declared, names)));
        let place = place.flatten().flatten();
        let mut tables = self.targets.lock();
        if let Some(bound) = tables.bound.get(&declared) {
            return Some(Found::old(bound.target));
        }
        let which = match &place {
            Some(place) => Which::at(place),
            None if has_place => {
                let alike = tables.alike.entry(Arc::new(names.clone())).or_default();
                *alike = (*alike + 1).min(MOST_ALIKE);
                Which::Nth(*alike)
            }
            None => Which::Only,
        };
        let found = tables.target(self.recording, names, which.clone(), place.as_ref());
        let stays = match which {
            Which::Nth(MOST_ALIKE) => false,
            Which::Nth(_) => {
                tables.unplaced.insert(found.number, declared);
                !self.counts()
            }
            _ => true,
        };
        tables.bind(declared, found.number, place, now);
        if let Some(bound) = tables.bound.get_mut(&declared).filter(|_| !stays) {
            bound.tries = MOST_TRIES;
        }
        Some(Found { stays, ..found })
    }

    /// The target of a function pointer. Records it at its first call. `internal`: the runtime
    /// makes the call.
    pub fn target_at(&self, pointer: u64, internal: bool) -> Found {
        let now = objects::epoch();
        let key = (pointer, internal);
        if let Some(bound) = self.targets.lock().by_pointer.get(&key) {
            // Where there was no object, there may be one now.
            let holds = bound.place.is_some() || bound.seen.loads == now.loads;
            if bound.holds(now) && holds {
                return Found::old(bound.target);
            }
        }
        let place = objects::at(pointer);
        let mut names = TargetNames {
            side: Side::Unmanaged as u32,
            entry: place.as_ref().and_then(|place| place.symbol.clone()),
            library: place.as_ref().and_then(|place| {
                let name = Path::new(&place.file).file_name()?;
                Some(name.to_string_lossy().into_owned())
            }),
            ..TargetNames::default()
        };
        names.runtime_internal = internal || is_runtime_internal(&names, Path::new(""));
        let mut tables = self.targets.lock();
        if tables.pointers_of != now.unloads {
            tables.pointers_of = now.unloads;
            tables.by_pointer.retain(|_, bound| bound.holds(now));
        }
        let which = place.as_ref().map_or_else(
            || Which::At {
                file: String::new(),
                offset: pointer,
                symbol: None,
            },
            Which::at,
        );
        let found = tables.target(self.recording, &names, which, place.as_ref());
        if place.is_none() && found.new {
            self.recording.log(&Record::Address {
                target: found.number,
                address: pointer,
                file: None,
                symbol: None,
                offset: None,
                build: None,
            });
        }
        let bound = Bound {
            target: found.number,
            place,
            seen: now,
            tries: 0,
        };
        tables.by_pointer.insert(key, bound);
        found
    }

    /// The target that a declaration was bound to at an earlier call. `None` where another object
    /// may be in that place by now.
    fn bound(&self, declared: Declared, now: Epoch) -> Option<Found> {
        let bound = self.targets.lock().bound.get(&declared).cloned()?;
        let Some(place) = bound.place.as_ref().filter(|_| !bound.holds(now)) else {
            return Some(Found {
                stays: bound.tries == 0,
                ..Found::old(bound.target)
            });
        };
        // The loader takes a lock of its own, so it is asked while this one is not held.
        let there = objects::place(place.address, place.symbol.as_deref());
        let mut tables = self.targets.lock();
        if bound.is_still(there.as_ref()) {
            if let Some(bound) = tables.bound.get_mut(&declared) {
                bound.seen = now;
            }
            return Some(Found::old(bound.target));
        }
        let names = tables.names_of(bound.target)?;
        let which = there.as_ref().map_or(Which::Only, Which::at);
        let found = tables.target(self.recording, &names, which, there.as_ref());
        tables.bind(declared, found.number, there, now);
        Some(found)
    }

    /// Where a declaration leads, as the runtime has linked it.
    fn find(&self, declared: Declared, names: &TargetNames) -> Option<Place> {
        let (library, entry) = called(names)?;
        let function = match declared {
            Declared::Woven(id) => calls::function_of(id),
            Declared::Function(function, _) => Some(function),
        };
        let linked = function.map(|function| objects::linked(function.0, &library, &entry));
        match linked {
            Some(Linked::At(place)) => Some(place),
            Some(Linked::NotYet) => None,
            Some(Linked::Unknown) | None => objects::find(&library, &entry),
        }
    }

    /// Finds and records where a target lies that has returned. Does nothing where that is known,
    /// or was looked for before.
    pub fn place(&self, target: u32) {
        let (declared, names) = {
            let mut tables = self.targets.lock();
            let declared = tables.unplaced.remove(&target);
            match (declared, tables.names_of(target)) {
                (Some(declared), Some(names)) => (declared, names),
                _ => return,
            }
        };
        let now = objects::epoch();
        // The loader takes a lock of its own, so it is asked while this one is not held.
        let Some(place) = self.find(declared, &names) else {
            return;
        };
        let mut tables = self.targets.lock();
        write_down(self.recording, target, &place);
        tables.bind(declared, target, Some(place), now);
    }

    /// Looks again where a declaration leads. Returns its target from now on.
    fn try_again(&self, declared: Declared, found: Found, now: Epoch) -> Found {
        let Some(names) = self.names_of(found.number) else {
            return found;
        };
        let place = self.find(declared, &names);
        let mut tables = self.targets.lock();
        let Some(place) = place else {
            let bound = tables.bound.get_mut(&declared);
            let tries = bound.map_or(0, |bound| {
                bound.tries = bound.tries.saturating_sub(1);
                bound.tries
            });
            return Found {
                stays: tries == 0,
                ..found
            };
        };
        let its_own = tables.unplaced.remove(&found.number).is_some();
        let found = if its_own {
            write_down(self.recording, found.number, &place);
            Found::old(found.number)
        } else {
            tables.target(self.recording, &names, Which::at(&place), Some(&place))
        };
        tables.bind(declared, found.number, Some(place), now);
        found
    }

    /// The address of the linked native function of the wrapper with this number; 0 if it is
    /// unknown.
    pub fn address_of(&self, id: i64, names: &TargetNames) -> usize {
        let place = self.find(Declared::Woven(id), names);
        place.map_or(0, |place| place.address as usize)
    }

    /// The names of a target that was called.
    pub fn names_of(&self, target: u32) -> Option<TargetNames> {
        self.targets.lock().names_of(target)
    }

    /// Forgets the numbers of functions, because a module is being unloaded.
    pub fn forget_functions(&self) {
        let mut tables = self.targets.lock();
        let is_woven = |declared: &Declared| matches!(declared, Declared::Woven(_));
        tables.bound.retain(|declared, _| is_woven(declared));
        tables.unplaced.retain(|_, declared| is_woven(declared));
        drop(tables);
        self.names.forget_frames();
    }
}

/// The address of a P/Invoke that the runtime has just linked; 0 if that cannot be found out. In
/// preemptive mode.
pub fn linked(id: i64) -> usize {
    boundary::fence(0, || match (engine::get(), call(id)) {
        (Some(engine), Some(call)) => engine.address_of(id, &call.names),
        _ => 0,
    })
}
