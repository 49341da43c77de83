//! Finds precompiled methods that may hold a call inlined.
//!
//! The runtime knows what the compiler has inlined while the program runs, and compiles the
//! inliners again by itself. Of precompiled code it mostly does not know. Two things say more:
//!
//! - Code that calls the native function of a P/Invoke itself says so in its fixups.
//! - Only small methods are inlined, so a method has inlined no more than small methods that it
//!   calls, those that these call, and so on. This takes in too many methods, and never too few.

use std::collections::{HashMap, HashSet};

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::{
        metadata::IMetaDataImport,
        metadata_flags::{miAggressiveInlining, miNoInlining},
        metadata_import2::IMetaDataImport2,
    },
};
use soglia_il::{
    body,
    r2r::{Generic, Inlined, Precompiled},
};
use windows_core::Interface;

use super::scan::methods;
use crate::{
    engine::Engine,
    metadata::{
        self,
        before::{Before, is_generic},
        references::own_method,
    },
};

/// The longest code that compilers inline without being told to. Code is never longer than its
/// body.
const LONGEST: usize = 100 + 12;

/// Methods that may hold a call inlined.
pub(super) struct Inliners {
    pub(super) rows: HashSet<u32>,
    /// How many instances of generic methods of other modules hold a native function of a target.
    /// `None`: that is not known.
    pub(super) instances_of_others: Option<u32>,
}

/// The rows of the methods that may have inlined a call which is in one of the `callers`, or
/// the native function of one of the `targets`.
pub(super) fn inliners(
    engine: &Engine,
    module: ModuleId,
    end: u32,
    precompiled: &Precompiled,
    import: &IMetaDataImport,
    callers: &HashSet<u32>,
    targets: &dyn Fn(MdToken) -> bool,
) -> Inliners {
    let (mut all, mut instances_of_others) = (HashSet::new(), Some(0));
    match precompiled {
        Precompiled::None => {}
        Precompiled::Image(image) => {
            all.extend(
                image
                    .rows()
                    .filter(|row| image.inlines_any(*row, targets) != Inlined::No),
            );
            let instances = image.instances_inlining(targets);
            instances_of_others = instances.map(|instances| {
                let own = instances.iter().map(|generic| match generic {
                    Generic::Here(method) => own_method(import, *method),
                    Generic::Elsewhere => None,
                });
                let (own, others): (Vec<_>, Vec<_>) = own.partition(Option::is_some);
                all.extend(own.into_iter().flatten().map(|method| method.row()));
                others.len() as u32
            });
        }
        Precompiled::Composite | Precompiled::Unreadable => {}
    }
    if !callers.is_empty() {
        let calls = Calls::read(engine, module, end, import);
        calls.reach(import, callers, &mut all);
    }
    let generics = import.cast::<IMetaDataImport2>().ok();
    all.retain(|row| {
        !callers.contains(row) && is_precompiled(precompiled, generics.as_ref(), *row)
    });
    Inliners {
        rows: all,
        instances_of_others,
    }
}

/// The rows of the methods that hold the native function of a P/Invoke of another module. Modules
/// that were compiled together may inline each other's.
pub(super) fn strangers(precompiled: &Precompiled) -> HashSet<u32> {
    match precompiled {
        Precompiled::Image(image) if precompiled.shares(&|_| false) => image
            .rows()
            .filter(|row| image.inlines_any(*row, &|_| false) != Inlined::No)
            .collect(),
        _ => HashSet::new(),
    }
}

/// Which methods of a module call which others of it.
struct Calls {
    /// The rows of the callers, by the row of the callee.
    callers: HashMap<u32, Vec<u32>>,
    /// The sizes of the bodies, by row.
    sizes: Vec<usize>,
}

impl Calls {
    fn read(engine: &Engine, module: ModuleId, end: u32, import: &IMetaDataImport) -> Self {
        let mut named = HashMap::new();
        let mut calls = Self {
            callers: HashMap::new(),
            sizes: vec![0; end as usize],
        };
        for method in methods(end) {
            let Some(body) = metadata::body(&engine.info, module, method) else {
                continue;
            };
            calls.sizes[method.row() as usize] = body.len();
            let _unreadable = body::each_use(body, |each| {
                let callee = match each.method.table() {
                    METHOD_DEF => Some(each.method),
                    _ => *named
                        .entry(each.method)
                        .or_insert_with(|| own_method(import, each.method)),
                };
                if let Some(callee) = callee {
                    let callers = calls.callers.entry(callee.row()).or_default();
                    if callers.last() != Some(&method.row()) {
                        callers.push(method.row());
                    }
                }
            });
        }
        calls
    }

    /// Adds the methods that may have inlined one of these.
    fn reach(&self, import: &IMetaDataImport, from: &HashSet<u32>, all: &mut HashSet<u32>) {
        let mut next: Vec<u32> = from.iter().chain(all.iter()).copied().collect();
        let mut seen: HashSet<u32> = next.iter().copied().collect();
        while let Some(row) = next.pop() {
            if !self.may_be_inlined(import, row) {
                continue;
            }
            for caller in self.callers.get(&row).into_iter().flatten() {
                if seen.insert(*caller) {
                    all.insert(*caller);
                    next.push(*caller);
                }
            }
        }
    }

    fn may_be_inlined(&self, import: &IMetaDataImport, row: u32) -> bool {
        if !self.callers.contains_key(&row) {
            return false;
        }
        let before = Before::of(import, MdToken(0x0600_0000 | row));
        let flags = before.map_or(0, |before| before.impl_flags);
        let size = self.sizes.get(row as usize).copied().unwrap_or(0);
        flags & miNoInlining == 0 && (size <= LONGEST || flags & miAggressiveInlining != 0)
    }
}

const METHOD_DEF: u8 = 0x06;

/// Whether there may be precompiled code of a method. That of instances of generic code is not
/// looked for.
fn is_precompiled(precompiled: &Precompiled, import: Option<&IMetaDataImport2>, row: u32) -> bool {
    let Precompiled::Image(image) = precompiled else {
        return true;
    };
    let method = MdToken(0x0600_0000 | row);
    image.has(row)
        || import.is_none_or(|import| {
            let class = Before::of(import, method).map(|before| before.class);
            is_generic(import, method) || class.is_ok_and(|class| is_generic(import, class))
        })
}
