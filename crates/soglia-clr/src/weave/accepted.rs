//! Which methods get wrappers: exactly those that the runtime itself accepts as P/Invokes or
//! callbacks.
//!
//! The runtime rejects a method that contradicts itself, when its type is loaded or when it is
//! called. A wrapper would make such a method work, or fail in another way. So the engine leaves it
//! as it is, and the report lists it as not watched. The engine also leaves a method as it is where
//! the runtime's answer is not known.

use std::collections::HashMap;

use soglia_abi::{
    ids::MdToken,
    profiler::{
        metadata::IMetaDataImport,
        metadata_flags::{
            mdCheckAccessOnOverride, mdFinal, mdHasSecurity, mdHideBySig, mdMemberAccessMask,
            mdNewSlot, mdPinvokeImpl, mdPrivateScope, mdRequireSecObject, mdSpecialName, mdStatic,
            miAggressiveInlining, miAggressiveOptimization, miForwardRef, miNoInlining,
            miNoOptimization, miPreserveSig, pmCallConvMask, pmCallConvThiscall, tdImport,
        },
        metadata_import2::IMetaDataImport2,
    },
};
use soglia_core::{
    crossing::Side,
    trace::log::{Record, Unwatched},
};
use soglia_il::sig::{self, MethodSig};
use windows_core::Interface;

use super::held;
use crate::{
    engine::Engine,
    metadata::{
        CALLBACK, Method, Scope,
        before::{Before, ImportMap, LONGEST, attribute, has_attribute, is_generic},
    },
    names::describe_method,
    policy::Ruling,
};

/// The flags that a method may have, besides those of its visibility.
const FLAGS: u32 = mdStatic
    | mdFinal
    | mdHideBySig
    | mdNewSlot
    | mdCheckAccessOnOverride
    | mdSpecialName
    | mdHasSecurity
    | mdRequireSecObject
    | mdPinvokeImpl;
const IMPL_FLAGS: u32 = miPreserveSig
    | miForwardRef
    | miNoInlining
    | miNoOptimization
    | miAggressiveInlining
    | miAggressiveOptimization;

/// Names the calling convention of a P/Invoke instead of a flag, and makes it use that one.
const CONVENTION: &str = "System.Runtime.InteropServices.UnmanagedCallConvAttribute";
const THISCALL: &[u8] = b"CallConvThiscall";

const BOTH: &str = "it is a P/Invoke and UnmanagedCallersOnly";
const GENERIC: &str = "it is generic";
const IN_GENERIC: &str = "its type is generic";

/// What every version of the runtime rejects. It accepts some of the other methods that stay as
/// they are.
const SURELY_REFUSED: [&str; 3] = [BOTH, GENERIC, IN_GENERIC];

/// Removes the methods that must stay as they are, and records their names.
pub(super) fn retain(engine: &Engine, scope: &Scope, assembly: &str, found: &mut Vec<Method>) {
    let Some(reader) = Reader::new(scope) else {
        return;
    };
    let mut classes = HashMap::new();
    found.retain(|method| {
        let Some(why) = reader.why_not(*method, &mut classes) else {
            return true;
        };
        name(engine, scope, assembly, *method, why);
        false
    });
}

/// Records that a method stays as it is.
///
/// Ends the process where a policy has a rule for the method that must hold, and the runtime may
/// accept the method.
fn name(engine: &Engine, scope: &Scope, assembly: &str, method: Method, why: &str) {
    let names = describe_method(scope, method.token, method.side, None);
    let called = names.method.as_deref().unwrap_or_default();
    let text = format!("{called} of {assembly} stays as it is: {why}");
    let may_run = !SURELY_REFUSED.contains(&why);
    if may_run && engine.rules.of(&names).is_some_and(|r| is_rule(&r)) {
        let text = format!("no rule holds for it: {text}");
        if engine.rules.must_hold() {
            held::broken(engine, &text);
        }
        let text = format!("policy: {text}");
        engine.recording.log(&Record::Remark { text });
    }
    engine.unwatched(Unwatched {
        side: Some(method.side),
        assembly: Some(assembly.to_owned()),
        method: names.method,
        text,
    });
}

const fn is_rule(ruling: &Ruling) -> bool {
    ruling.refusal.is_some() || ruling.gate.is_some() || ruling.redirect.is_some()
}

/// Asks the metadata of one module.
struct Reader<'a> {
    import: &'a IMetaDataImport,
    generics: IMetaDataImport2,
}

/// For each class, why the methods in it stay as they are.
type Classes = HashMap<MdToken, Option<&'static str>>;

impl<'a> Reader<'a> {
    fn new(scope: &'a Scope) -> Option<Self> {
        Some(Self {
            import: scope.itself(),
            generics: scope.itself().cast().ok()?,
        })
    }

    /// Why a method must stay as it is, as half a sentence. `None`: it may get a wrapper.
    fn why_not(&self, method: Method, classes: &mut Classes) -> Option<&'static str> {
        let Ok(before) = Before::of(self.import, method.token) else {
            return Some("its metadata cannot be read");
        };
        let is_import = method.side == Side::Unmanaged;
        let wanted = if is_import { mdPinvokeImpl } else { 0 } | mdStatic;
        if before.flags & (mdStatic | mdPinvokeImpl) != wanted
            || before.flags & !(FLAGS | mdMemberAccessMask) != 0
            || before.flags & mdMemberAccessMask == mdPrivateScope
            || before.impl_flags & !IMPL_FLAGS != 0
        {
            return Some("its flags are not those of a call that the runtime makes");
        }
        if is_import == (before.rva != 0) {
            return Some(match is_import {
                true => "it has code of its own besides",
                false => "it has no code",
            });
        }
        if before.name.is_empty() || before.name.len() >= LONGEST {
            return Some("its name is empty or too long");
        }
        let Some(signature) = MethodSig::parse(&before.signature) else {
            return Some("its signature cannot be read");
        };
        if signature.generic() > 0 || is_generic(&self.generics, method.token) {
            return Some(GENERIC);
        }
        if !signature.is_plain() {
            return Some("its signature is not that of a static method");
        }
        let class = *classes
            .entry(before.class)
            .or_insert_with(|| self.why_none_of(before.class));
        if class.is_some() {
            return class;
        }
        is_import
            .then(|| self.why_no_import(method.token, &signature))
            .flatten()
    }

    fn why_no_import(&self, method: MdToken, signature: &MethodSig) -> Option<&'static str> {
        if has_attribute(self.import, method, CALLBACK) {
            return Some(BOTH);
        }
        let Ok(import) = ImportMap::of(self.import, method) else {
            return Some("where it leads cannot be read");
        };
        let is_name = |name: &[u16]| (2..=LONGEST).contains(&name.len());
        if !is_name(&import.entry) || !is_name(&self.library(import.library)) {
            return Some("a name of where it leads is empty or too long");
        }
        // The runtime rejects any method that calls such a function without an object, and the
        // wrapper would be one.
        let is_member = import.flags & pmCallConvMask == pmCallConvThiscall
            || attribute(self.import, method, CONVENTION)
                .is_some_and(|value| value.windows(THISCALL.len()).any(|some| some == THISCALL));
        let takes_object = || {
            let first = signature.param(0).and_then(sig::strip);
            first.is_some_and(|(of, _)| !matches!(of, sig::VALUE_TYPE | sig::R4 | sig::R8))
        };
        (is_member && !takes_object()).then_some("it calls a member function without an object")
    }

    /// The name of a library, with its terminating zero.
    fn library(&self, library: MdToken) -> Vec<u16> {
        let (mut name, mut length) = (vec![0_u16; LONGEST + 1], 0);
        // SAFETY: the CLR checks the token. The buffer is as large as said, and the pointer is to a
        // local.
        let answer = unsafe {
            let room = name.len() as u32;
            self.import
                .GetModuleRefProps(library, name.as_mut_ptr(), room, &raw mut length)
        };
        name.truncate(if answer.is_ok() { length as usize } else { 0 });
        name
    }

    /// Why methods of this class get no wrappers. `None`: they may.
    fn why_none_of(&self, class: MdToken) -> Option<&'static str> {
        if is_generic(&self.generics, class) {
            return Some(IN_GENERIC);
        }
        let mut flags = 0;
        let nothing = std::ptr::null_mut::<u32>();
        // SAFETY: the CLR checks the token. The pointers are to a local, or null, which asks for
        // nothing.
        let answer = unsafe {
            let name = nothing.cast();
            self.import
                .GetTypeDefProps(class, name, 0, nothing, &raw mut flags, nothing.cast())
        };
        match answer.is_ok() {
            true if flags & tdImport == 0 => None,
            true => Some("its type is imported from COM"),
            false => Some("its type cannot be read"),
        }
    }
}
