//! The modules of a session, and what earlier sessions have made.

use std::collections::{HashMap, HashSet};

use soglia_abi::ids::{MdToken, ModuleId};
use soglia_core::trace::log::TargetNames;
use soglia_il::body::Bound;

use super::super::{
    delegated::Named, kind::Kind, loaded::Loaded, pointers::BySignature, weaver::CallToWeave,
};
use crate::calls;

/// A method, by its module and token.
pub(super) type Place = (ModuleId, MdToken);

/// A P/Invoke that is watched.
pub(super) struct Target {
    pub(super) call: CallToWeave,
    /// Its type, as reflection writes it, its name, and its signature without tokens: what a
    /// reference from another module must agree in.
    pub(super) class: String,
    pub(super) name: Vec<u16>,
    pub(super) shape: Vec<u8>,
}

/// A module of a session.
pub(super) struct Module {
    pub(super) loaded: Loaded,
    /// Its P/Invokes that are watched.
    pub(super) targets: HashMap<MdToken, Target>,
    /// Other modules were compiled together with it.
    pub(super) shares: bool,
    /// Its callbacks that are watched.
    pub(super) callbacks: Vec<CallToWeave>,
    /// The delegates that it makes of methods, if it is watched.
    pub(super) bound: Vec<Bound>,
    /// It was loaded before the session.
    pub(super) running: bool,
    /// The assemblies that it refers to.
    pub(super) refers_to: HashSet<String>,
    /// The types that it forwards, and the assemblies that have them.
    pub(super) forwards: HashMap<String, String>,
}

/// What was made in a module. It stays there for as long as the module.
#[derive(Default)]
pub(super) struct Made {
    /// The row of the first method that was added.
    pub(super) first: u32,
    /// The numbers of calls.
    ids: HashMap<MdToken, u32>,
    /// The wrappers, by what they call.
    pub(super) wrappers: HashMap<(Kind, MdToken), MdToken>,
    /// The wrappers of calls by function pointer.
    pub(super) pointers: HashMap<Kind, BySignature>,
}

impl Made {
    /// The number of a call with these names.
    pub(super) fn id(&mut self, method: MdToken, names: TargetNames) -> u32 {
        if names.redirected_to.is_some() {
            return calls::add(names);
        }
        *self.ids.entry(method).or_insert_with(|| calls::add(names))
    }
}

/// All that is known.
#[derive(Default)]
pub(super) struct Known {
    /// The modules of the session.
    pub(super) modules: HashMap<ModuleId, Module>,
    /// What was made in each module, by any session.
    pub(super) made: HashMap<ModuleId, Made>,
    /// How many times types were added.
    pub(super) number: u32,
    /// The types that native calls of the modules name.
    pub(super) named: Named,
    /// The calls that have wrappers in this session.
    pub(super) watched: HashSet<Place>,
}

impl Known {
    /// The target with this class, name and signature in an assembly of this name, or in that to
    /// which the assembly forwards the class.
    pub(super) fn target(
        &self,
        assembly: &str,
        class: &str,
        name: &[u16],
        shape: &[u8],
    ) -> Option<Place> {
        let mut assembly = assembly;
        // A circle of forwarded types ends somewhere.
        for _ in 0..16 {
            if let Some(found) = self.target_in(assembly, class, name, shape) {
                return Some(found);
            }
            let of_assembly = |module: &&Module| module.loaded.assembly == assembly;
            let mut named = self.modules.values().filter(of_assembly);
            assembly = named.find_map(|module| module.forwards.get(class))?;
        }
        None
    }

    fn target_in(&self, assembly: &str, class: &str, name: &[u16], shape: &[u8]) -> Option<Place> {
        let of_assembly = |module: &&Module| module.loaded.assembly == assembly;
        // Several copies of an assembly have the same methods.
        let (id, module) = self
            .modules
            .iter()
            .filter(|(_, module)| of_assembly(module) && !module.targets.is_empty())
            .min_by_key(|(id, _)| id.0)?;
        let same =
            |target: &Target| target.name == name && target.class == class && target.shape == shape;
        let mut found = module.targets.iter().filter(|(_, target)| same(target));
        let (token, _) = found.next()?;
        Some((*id, *token))
    }

    /// These assemblies, and those that forward types to them, directly or not.
    pub(super) fn and_forwarding_to<'a>(&'a self, these: &HashSet<&'a str>) -> HashSet<&'a str> {
        let mut all = these.clone();
        loop {
            let leads = |of: &&Module| of.forwards.values().any(|to| all.contains(to.as_str()));
            let more = self.modules.values().filter(leads);
            let more: Vec<&str> = more.map(|of| of.loaded.assembly.as_str()).collect();
            let before = all.len();
            all.extend(more);
            if all.len() == before {
                return all;
            }
        }
    }

    /// The names of the assemblies that have targets, and of those that forward types.
    pub(super) fn assemblies(&self) -> HashSet<&str> {
        let leads = |of: &&Module| !of.targets.is_empty() || !of.forwards.is_empty();
        let all = self.modules.values().filter(leads);
        all.map(|of| of.loaded.assembly.as_str()).collect()
    }
}
