//! What is put around the calls of one module.
//!
//! For a P/Invoke `M` of `T`: a new P/Invoke `T.M`, outside of classes, of the same signature, marshalling and attributes; `M` itself
//! loses its import and gets a body that calls it between the hooks. For a callback `C` (`UnmanagedCallersOnly`): a new ordinary
//! method `C$body` with the body of `C`, beside it; `C` gets a body that calls it between the hooks. All tokens stay what they
//! were, so nobody who calls has to change.

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
    emit::{GLOBAL, NewMethod},
    pointers,
    weaver::{AGGRESSIVE_INLINING, CallToWeave, How, Manner, NO_INLINING, PRESERVE_SIG, Weaver},
};
use crate::{
    engine::Engine,
    metadata::before::{Before, Error, ImportMap, has_attribute},
    source::woven,
};

/// Why a module could not be woven whole. What was woven before stays.
pub struct Failure {
    /// Rows of the methods that were changed.
    pub changed: HashSet<u32>,
    /// As [`Done::pointers`].
    pub pointers: bool,
    /// Rows of the methods that should have been changed.
    pub lost: HashSet<u32>,
    /// No calls by function pointer were woven around.
    pub pointers_lost: bool,
    /// In a sentence.
    pub what: String,
}

/// What was done to a module.
#[derive(Default)]
pub struct Done {
    /// Rows of the methods that were changed.
    pub changed: HashSet<u32>,
    /// Calls by function pointer were put in methods: who has such a method compiled into itself is changed too.
    pub pointers: bool,
    /// Calls by function pointer that are not seen, in words.
    pub pointers_left: Option<String>,
}

/// Weaves around these calls, and around calls by function pointer if it is said who is called so.
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
    let mut weaver = match Weaver::open(engine, module, is_corelib) {
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
    // Our own calls of hooks are such calls as well.
    let out_of_line = weaver.out_of_line.iter().map(|(_, token)| token.row());
    let apart = weaver.apart.iter().map(|token| token.row());
    let ours: HashSet<u32> = changed
        .iter()
        .copied()
        .chain(out_of_line)
        .chain(apart)
        .collect();
    let mut pointers_lost = false;
    let pointers = pointers.map(|names| pointers::weave(&mut weaver.emitter, names, &ours));
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
    /// Weaves around one call.
    fn around(&mut self, call: &CallToWeave) -> Result<(), Error> {
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
        let body = match &call.manner {
            Manner::Refused(refusal) => {
                // Imports are searched by bisection, and a deleted one breaks their order: those that stay would not be
                // found. Once one was added, the order is not relied upon. No import may lead to what is refused, for
                // reflection finds every method.
                if !self.has_imports {
                    self.nowhere()?;
                }
                self.refused(call.id, refusal)?
            }
            Manner::Watched => {
                let native = self.native(call, before)?;
                let mut code = Code::new();
                let how = self.judge(&mut code, call, native, before, signature)?;
                self.gate(&mut code, call)?;
                if call.unwatched {
                    let returns = !signature.returns_void();
                    self.make(&mut code, &how, native, signature);
                    code.ret(returns);
                    code.finish(None).ok_or(Error::UNWRITABLE)?
                } else if self.emitter.engine.notifies {
                    self.notifying(code, call.id, native, &how, signature)?
                } else {
                    self.calling(code, call.id, native, &how, signature)?
                }
            }
        };
        let flags = before.flags & !mdPinvokeImpl;
        let impl_flags = before.impl_flags & !PRESERVE_SIG | AGGRESSIVE_INLINING;
        self.emitter.delete_import(token, flags, impl_flags)?;
        self.emitter.set_body(token, &body)
    }

    /// A new P/Invoke like the one that there was, but for where it leads.
    fn native(&mut self, call: &CallToWeave, before: &Before) -> Result<MdToken, Error> {
        let token = call.method.token;
        let mut import = ImportMap::of(&self.emitter.import, token)?;
        if let Some(to) = &call.redirect {
            self.emitter.redirect(&mut import, to)?;
        }
        // How strings are marshalled can be said of a type as well: then it must be the same type.
        let of_type = "System.Runtime.InteropServices.BestFitMappingAttribute";
        let (class, name, flags) = if has_attribute(&self.emitter.import, before.class, of_type) {
            (before.class, named(before, "$native"), before.flags)
        } else {
            let flags = mdPublic | mdStatic | mdHideBySig | mdPinvokeImpl;
            let name = call.name.encode_utf16().collect();
            (GLOBAL, name, flags)
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
        self.emitter.copy_parameters(token, native)?;
        self.emitter.copy_attributes(token, native)?;
        added::add_inside(self.emitter.module, token, native);
        Ok(native)
    }

    /// The rest of the body of a method that calls `native` between the hooks.
    fn calling(
        &mut self,
        mut code: Code,
        id: u32,
        native: MdToken,
        how: &How,
        signature: &MethodSig,
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
        code.watched(
            ret,
            |code| self.make(code, how, native, signature),
            |code| code.hook(id, self.hooks.slow_void(woven::enter_failed)),
        );
        code.hooks(id, self.hooks.pair(woven::enter, woven::enter_slow));
        code.give_back(ret);
        code.finish(locals).ok_or(Error::UNWRITABLE)
    }

    /// A new method that calls a slow hook: where that is done in line, the method around it has to save all registers.
    fn out_of_line(&mut self, hook: extern "C" fn(i64)) -> Result<MdToken, Error> {
        let address = hook as usize;
        if let Some((_, method)) = self.out_of_line.iter().find(|(hook, _)| *hook == address) {
            return Ok(*method);
        }
        let slow = self.hooks.slow_void(hook);
        let name = format!("soglia$slow{}", self.out_of_line.len());
        let name: Vec<u16> = name.encode_utf16().collect();
        let method = self.emitter.define(&NewMethod {
            class: GLOBAL,
            name: &name,
            flags: mdPublic | mdStatic | mdHideBySig,
            impl_flags: NO_INLINING,
            signature: &[0, 1, sig::VOID, sig::INT64],
            rva: self.emitter.any_rva,
        })?;
        let mut code = Code::new();
        code.ldarg(0);
        code.call_hook(slow);
        code.ret(false);
        let body = code.finish(None).ok_or(Error::UNWRITABLE)?;
        self.emitter.set_body(method, &body)?;
        self.out_of_line.push((address, method));
        Ok(method)
    }

    /// Exceptions that leave such a method end the process, or fly through it to a managed caller (.NET 9 and later): then the
    /// layer is found gone, as it is under the other source.
    fn around_callback(
        &mut self,
        call: &CallToWeave,
        before: &Before,
        signature: &MethodSig,
    ) -> Result<(), Error> {
        // The attribute stays where it was: the new method is called by managed code alone. It has to lie in the same type, whose
        // private members it uses.
        // A frame of its own is what a stack trace finds a line by. Without that it may be put into the wrapper.
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
        // For stack traces, which give their names.
        self.emitter.copy_parameters(call.method.token, body)?;
        if self.emitter.engine.notifies {
            let body = self.notifying_back(call.id, body, signature)?;
            return self.emitter.set_body(call.method.token, &body);
        }
        let ret = (!signature.returns_void()).then(|| signature.ret());
        let args = signature.args() as u16;
        let counts = self.emitter.engine.counts();
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
            // What is returned stays below on the stack.
            let slow = self.out_of_line(woven::reverse_leave_slow)?;
            code.hook_and(call.id, self.hooks.quick(woven::reverse_leave), slow);
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
