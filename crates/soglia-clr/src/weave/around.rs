//! Puts wrappers around the calls of one module.
//!
//! For a P/Invoke `M` of the class `T`, the weaver adds a P/Invoke named `T.M`, outside all
//! classes, with the same signature, marshalling and attributes. `M` itself loses its import and
//! gets a body that calls the new method between the hooks.
//!
//! For a callback `C` (`UnmanagedCallersOnly`), the weaver adds an ordinary method `C$body` beside
//! it, with the body of `C`. `C` gets a body that calls the new method between the hooks.
//!
//! All tokens keep their meaning, so callers do not change.
//!
//! In a module that is in use, `M` stays as it is. The weaver adds an ordinary method beside it,
//! which calls `M` between the hooks. Callers get code that calls the new method ([`attached`]).
//!
//! [`attached`]: super::attached

use std::collections::HashSet;

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::metadata_flags::{mdHideBySig, mdPinvokeImpl, mdPublic, mdStatic},
};
use soglia_core::{crossing::Side, trace::log::TargetNames};
use soglia_il::{
    asm::{Code, Hook, Pair},
    body,
    sig::{self, MethodSig},
};

use super::{
    added,
    emit::NewMethod,
    home::Home,
    pointers,
    weaver::{AGGRESSIVE_INLINING, CallToWeave, How, Manner, NO_INLINING, PRESERVE_SIG, Weaver},
};
use crate::{
    engine::Engine,
    metadata::{
        before::{Before, Error, ImportMap, has_attribute},
        references::member_ref,
    },
    source::woven,
    types,
};

/// Why a module could not be woven completely. What was woven before the failure stays.
pub struct Failure {
    /// Rows of the methods that were changed.
    pub changed: HashSet<u32>,
    /// As in [`Done::pointers`].
    pub pointers: bool,
    /// Rows of the methods that should have been changed.
    pub lost: HashSet<u32>,
    /// Calls by function pointer got no wrappers.
    pub pointers_lost: bool,
    /// What failed, as a sentence.
    pub what: String,
}

/// What was done to a module.
#[derive(Default)]
pub struct Done {
    /// Rows of the methods that were changed.
    pub changed: HashSet<u32>,
    /// Methods now contain wrapped calls by function pointer. A method with such a method inlined
    /// into it has changed too.
    pub pointers: bool,
    /// Calls by function pointer that are not watched, in words.
    pub pointers_left: Option<String>,
}

/// Puts wrappers around these calls. Does the same for calls by function pointer if `pointers`
/// names their callees.
pub fn weave(
    engine: &Engine,
    module: ModuleId,
    is_corelib: bool,
    calls: &[CallToWeave],
    pointers: Option<&TargetNames>,
) -> Result<Done, Box<Failure>> {
    let mut changed = HashSet::new();
    let mut failed = Vec::new();
    let mut lost = HashSet::new();
    let mut weaver = match Weaver::open(engine, module, is_corelib, Home::Global) {
        Ok(weaver) => weaver,
        Err(error) => {
            return Err(Box::new(Failure {
                changed,
                pointers: false,
                pointers_lost: pointers.is_some(),
                lost: calls.iter().map(|call| call.method.token.row()).collect(),
                what: error.to_string(),
            }));
        }
    };
    for call in calls {
        match weaver.around(call) {
            Ok(()) => {
                changed.insert(call.method.token.row());
            }
            Err(error) => {
                lost.insert(call.method.token.row());
                failed.push(error);
            }
        }
    }
    // The hooks that the wrappers call by function pointer are such calls as well.
    let out_of_line = weaver.out_of_line.iter().map(|(_, token)| token.row());
    let apart = weaver.apart.iter().map(|token| token.row());
    let ours: HashSet<u32> = changed
        .iter()
        .copied()
        .chain(out_of_line)
        .chain(apart)
        .collect();
    let mut pointers_lost = false;
    let pointers = pointers.map(|names| {
        let emitter = &mut weaver.emitter;
        let mut known = pointers::BySignature::new();
        let is_ours = |row| ours.contains(&row);
        pointers::weave(
            emitter,
            names,
            &mut known,
            &is_ours,
            &mut |of, method, body, _| of.set_body(method, body),
        )
    });
    let pointers = match pointers.unwrap_or_else(|| Ok(pointers::Done::default())) {
        Ok(pointers) => pointers,
        Err(error) => {
            pointers_lost = true;
            failed.push(error);
            pointers::Done::default()
        }
    };
    changed.extend(&pointers.patched);
    match failed.first() {
        None => Ok(Done {
            changed,
            pointers: !pointers.patched.is_empty(),
            pointers_left: pointers.remark(),
        }),
        Some(first) => Err(Box::new(Failure {
            changed,
            pointers: !pointers.patched.is_empty(),
            lost,
            pointers_lost,
            what: format!("{} calls: {first}", failed.len()),
        })),
    }
}

impl Weaver<'_> {
    /// Puts a wrapper around one call.
    pub(super) fn around(&mut self, call: &CallToWeave) -> Result<(), Error> {
        let before = Before::of(&self.emitter.import, call.method.token)?;
        let signature = MethodSig::parse(&before.signature).ok_or(Error::UNWRITABLE)?;
        match call.method.side {
            Side::Unmanaged => self.around_import(call, &before, &signature),
            Side::Managed => self.around_callback(call, &before, &signature),
        }
    }

    fn around_import(
        &mut self,
        call: &CallToWeave,
        before: &Before,
        signature: &MethodSig,
    ) -> Result<(), Error> {
        let token = call.method.token;
        let in_use = self.emitter.is_in_use();
        let mut inside = None;
        let body = match &call.manner {
            Manner::Refused(refusal) => {
                // The CLR finds imports by bisection. A deleted one breaks their order, and the CLR
                // would not find the others. After one was added, it no longer relies on the order.
                // The added import must not lead to a function that a policy denies, since
                // reflection finds every method.
                if !self.has_imports && !in_use {
                    self.nowhere()?;
                }
                // Without it, the call is watched all the same.
                let handing = self.handing(call, signature).ok().flatten();
                self.refused(call, refusal, signature, handing)?
            }
            Manner::Watched => {
                // The code that marshals a delegate for a P/Invoke in use may hold that of CoreLib
                // inlined, as it was.
                let own = in_use && !self.takes_delegates(signature);
                let native = if own && call.redirect.is_none() {
                    crate::calls::calls_native(call.id, self.emitter.module, token);
                    token
                } else {
                    self.native(call, before)?
                };
                inside = Some(native);
                let mut code = Code::new();
                let how = self.judge(&mut code, call, native, before, signature)?;
                // Without it, the call is watched all the same.
                let handing = self.handing(call, signature).ok().flatten();
                let opens = call.arguments.as_ref().is_some_and(|of| {
                    let choice = &self.emitter.engine.arguments;
                    choice.wants_open(of.function())
                });
                self.gate(&mut code, call, signature, handing)?;
                if call.unwatched {
                    let returns = !signature.returns_void();
                    self.make(&mut code, &how, native, signature);
                    code.ret(returns);
                    code.finish(None).ok_or(Error::UNWRITABLE)?
                } else if self.emitter.engine.notifies {
                    // The engine knows the address of the program's own P/Invoke only.
                    let linked = if in_use { token } else { native };
                    self.notifying(code, call.id, (native, linked), &how, signature)?
                } else {
                    let handing = handing.map(|method| (method, opens));
                    self.calling(code, call.id, native, &how, signature, handing)?
                }
            }
        };
        if in_use {
            return self.beside(before, &body, token, inside);
        }
        let flags = before.flags & !mdPinvokeImpl;
        let impl_flags = before.impl_flags & !PRESERVE_SIG | AGGRESSIVE_INLINING;
        self.emitter.delete_import(token, flags, impl_flags)?;
        self.emitter.set_body(token, &body)
    }

    /// Puts a wrapper around a P/Invoke of another module, which this reference names.
    pub(super) fn around_reference(
        &mut self,
        call: &CallToWeave,
        reference: MdToken,
    ) -> Result<(), Error> {
        let (_, name, signature) =
            member_ref(&self.emitter.import, reference).ok_or(Error::UNWRITABLE)?;
        if call.redirect.is_some() || call.judged {
            return Err(Error::ELSEWHERE);
        }
        let parsed = MethodSig::parse(&signature).ok_or(Error::UNWRITABLE)?;
        let body = match &call.manner {
            Manner::Refused(refusal) => self.refused(call, refusal, &parsed, None)?,
            Manner::Watched => {
                let mut code = Code::new();
                self.gate(&mut code, call, &parsed, None)?;
                if self.emitter.engine.notifies {
                    let native = (reference, reference);
                    self.notifying(code, call.id, native, &How::Import, &parsed)?
                } else {
                    self.calling(code, call.id, reference, &How::Import, &parsed, None)?
                }
            }
        };
        let class = self.emitter.apart()?;
        let wrapper = self.emitter.define(&NewMethod {
            class,
            name: &name,
            flags: mdPublic | mdStatic | mdHideBySig,
            impl_flags: AGGRESSIVE_INLINING,
            signature: &signature,
            rva: self.emitter.any_rva,
        })?;
        self.emitter.set_body(wrapper, &body)?;
        self.beside.insert(reference, wrapper);
        Ok(())
    }

    /// Whether a delegate is among the types of a signature.
    fn takes_delegates(&self, signature: &MethodSig) -> bool {
        let engine = self.emitter.engine;
        let mut types = signature.params().chain([signature.ret()]);
        types.any(|of| types::is_delegate(engine, &self.emitter.import, of))
    }

    /// The numbers of the parameters that are delegates, and not references to such.
    fn delegates_by_value(&self, signature: &[u8]) -> Vec<u32> {
        let Some(signature) = MethodSig::parse(signature) else {
            return Vec::new();
        };
        let engine = self.emitter.engine;
        let is_one = |of: &[u8]| {
            sig::strip(of).is_some_and(|(kind, _)| kind == sig::CLASS)
                && types::is_delegate(engine, &self.emitter.import, of)
        };
        let params = (1..).zip(signature.params());
        let found = params.filter(|(_, of)| is_one(of));
        found.map(|(number, _)| number).collect()
    }

    /// Adds a method with this body, for callers to call instead of a P/Invoke that stays as it is.
    fn beside(
        &mut self,
        before: &Before,
        body: &[u8],
        token: MdToken,
        inside: Option<MdToken>,
    ) -> Result<(), Error> {
        let class = self.emitter.beside(before)?;
        let wrapper = self.emitter.define(&NewMethod {
            class,
            name: &before.name,
            flags: mdPublic | mdStatic | mdHideBySig,
            impl_flags: AGGRESSIVE_INLINING,
            signature: &before.signature,
            rva: self.emitter.any_rva,
        })?;
        self.emitter.set_body(wrapper, body)?;
        if let Some(inside) = inside {
            added::add_inside(self.emitter.module, wrapper, inside);
        }
        self.beside.insert(token, wrapper);
        Ok(())
    }

    /// Adds a P/Invoke like the program's own. A rule may make it lead elsewhere.
    fn native(&mut self, call: &CallToWeave, before: &Before) -> Result<MdToken, Error> {
        let token = call.method.token;
        let mut import = ImportMap::of(&self.emitter.import, token)?;
        if let Some(to) = &call.redirect {
            self.emitter.redirect(&mut import, to)?;
        }
        // A type can also say how strings are marshalled. The new method must then be in that type.
        let of_type = "System.Runtime.InteropServices.BestFitMappingAttribute";
        let of_type = has_attribute(&self.emitter.import, before.class, of_type);
        let (class, name, flags) = if of_type && !self.emitter.is_in_use() {
            (before.class, named(before, "$native"), before.flags)
        } else {
            let flags = mdPublic | mdStatic | mdHideBySig | mdPinvokeImpl;
            let name = call.name.encode_utf16().collect();
            (self.emitter.apart()?, name, flags)
        };
        let native = self.emitter.define(&NewMethod {
            class,
            name: &name,
            flags,
            impl_flags: before.impl_flags,
            signature: &before.signature,
            rva: 0,
        })?;
        self.emitter.set_import(native, &import)?;
        crate::calls::calls_native(call.id, self.emitter.module, native);
        self.has_imports = true;
        let unlike = match self.emitter.is_in_use() {
            true => self.delegates_by_value(&before.signature),
            false => Vec::new(),
        };
        self.emitter
            .copy_parameters_unlike(token, native, &unlike)?;
        self.emitter.copy_attributes(token, native)?;
        if !self.emitter.is_in_use() {
            added::add_inside(self.emitter.module, token, native);
        }
        Ok(native)
    }

    /// The rest of the body of a method that calls `native` between the hooks. `handing` is the
    /// method that hands the arguments over, and whether the wrapper calls it before the call too.
    fn calling(
        &mut self,
        mut code: Code,
        id: u32,
        native: MdToken,
        how: &How,
        signature: &MethodSig,
        handing: Option<(MdToken, bool)>,
    ) -> Result<Vec<u8>, Error> {
        let ret = (!signature.returns_void()).then(|| signature.ret());
        if self.emitter.engine.counts() {
            code.hooks(id, self.hooks.pair(woven::count, woven::count_slow));
            self.make(&mut code, how, native, signature);
            code.ret(ret.is_some());
            return code.finish(None).ok_or(Error::UNWRITABLE);
        }
        let locals = self.emitter.locals(ret.as_slice())?;
        let ret = ret.map(|_| 0);
        let quick = self.hooks.quick(woven::leave);
        let slow = self.hooks.slow(woven::leave_slow);
        code.hooks(id, Pair { quick, slow });
        let made = |code: &mut Code| self.make(code, how, native, signature);
        match handing {
            None => {
                let failed = self.hooks.slow_void(woven::enter_failed);
                code.watched(ret, made, |code| code.hook(id, failed));
                code.hooks(id, self.hooks.pair(woven::enter, woven::enter_slow));
            }
            Some((method, opens)) => {
                let args = (method, signature.args() as u16, ret);
                if opens {
                    self.opening(&mut code, id, args);
                }
                self.asking(&mut code, id, args, made);
            }
        }
        code.give_back(ret);
        code.finish(locals).ok_or(Error::UNWRITABLE)
    }

    /// Puts a wrapper around a callback.
    ///
    /// An exception that leaves the callback ends the process, or passes through it to a managed
    /// caller (.NET 9 and later). The engine then finds the layer gone, as with the runtime's own
    /// callbacks.
    fn around_callback(
        &mut self,
        call: &CallToWeave,
        before: &Before,
        signature: &MethodSig,
    ) -> Result<(), Error> {
        // The attribute stays where it was, since only managed code calls the new method. The
        // method has to be in the same type, whose private members it uses. It needs a frame of its
        // own, by which a stack trace finds the line, so the compiler must not inline it into the
        // wrapper.
        let leads_on = self
            .emitter
            .body(call.method.token)
            .is_none_or(body::leads_on);
        let stays = if leads_on { NO_INLINING } else { 0 };
        let body = self.emitter.define(&NewMethod {
            class: before.class,
            name: &named(before, "$body"),
            flags: before.flags,
            impl_flags: before.impl_flags | AGGRESSIVE_INLINING | stays,
            signature: &before.signature,
            rva: before.rva,
        })?;
        added::add_body(self.emitter.module, call.method.token, body);
        // Stack traces show the names of parameters.
        self.emitter.copy_parameters(call.method.token, body)?;
        if self.emitter.engine.notifies {
            let body = self.notifying_back(call.id, body, signature)?;
            return self.emitter.set_body(call.method.token, &body);
        }
        let ret = (!signature.returns_void()).then(|| signature.ret());
        let args = signature.args() as u16;
        let counts = self.emitter.engine.counts();
        // Without it, the callback is watched all the same.
        let handing = self.handing(call, signature).ok().flatten();
        let (enter, slow): (Hook, extern "C" fn(i64)) = if counts {
            let quick = self.hooks.quick(woven::reverse_count);
            (quick, woven::reverse_count_slow)
        } else {
            let quick = self.hooks.quick(woven::reverse_enter);
            (quick, woven::reverse_enter_slow)
        };
        let slow = self.out_of_line(slow)?;
        let mut code = Code::new();
        code.hook_and(call.id, enter, slow);
        code.arguments(args);
        code.call(body, args, ret.is_some());
        if !counts {
            // The result stays below on the stack.
            self.closing(&mut code, call.id, signature, handing)?;
        }
        code.ret(ret.is_some());
        let body = code.finish(None).ok_or(Error::UNWRITABLE)?;
        self.emitter.set_body(call.method.token, &body)
    }
}

fn named(before: &Before, suffix: &str) -> Vec<u16> {
    let mut name = before.name.clone();
    name.extend(suffix.encode_utf16());
    name
}
