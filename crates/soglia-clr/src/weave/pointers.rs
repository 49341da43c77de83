//! Replaces calls by function pointer: `delegate* unmanaged`, vtables of COM objects.
//!
//! ```text
//!   ldarg ...; ldloc pointer
//!   calli int32 cdecl(int32)
//!
//! becomes
//!
//!   ldarg ...; ldloc pointer
//!   call int32 <soglia>pointer$0(int32, native int)            // five bytes as well
//!
//! with a new method for each signature:
//!
//!   static int pointer$0(int value, IntPtr pointer) {
//!       hook leave_pointer(id, pointer)
//!       calli int32 cdecl(int32), between hooks as a P/Invoke is
//! ```
//!
//! Where a signature contains type variables, the new method is generic, and is called with the
//! caller's types.
//!
//! | stays as it is | because |
//! | --- | --- |
//! | a signature with a `this`, or with variable arguments | no type can be written for what is passed |
//! | a `calli` after a prefix such as `volatile.` | no compiler writes it |
//! | a body that cannot be read | it may not be a body |

use std::collections::{HashMap, HashSet};

use soglia_abi::{
    ids::MdToken,
    profiler::metadata_flags::{mdHideBySig, mdPublic, mdStatic},
};
use soglia_core::trace::log::TargetNames;
use soglia_il::{
    asm::{Code, Hook, Pair},
    body::{self, Site},
    sig::{self, MethodSig},
};

use super::{
    emit::{Emitter, NewMethod},
    hooks::Signatures,
    notified, runtime,
};
use crate::{metadata::before::Error, source::woven};

const AGGRESSIVE_INLINING: u32 = 0x100;

/// What was done with the calls by function pointer of a module.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Rows of the methods whose bodies were changed.
    pub(super) patched: HashSet<u32>,
    /// How many calls stay as they are, by reason.
    pub(super) left: HashMap<String, u32>,
    /// How many bodies could not be read.
    pub(super) unreadable: u32,
}

/// Gives a method its new body. The pairs are the calls that were replaced, and by which methods.
pub(super) type Put<'a> =
    dyn FnMut(&Emitter, MdToken, &[u8], &[(Site, MdToken)]) -> Result<(), Error> + 'a;

/// The methods that are called instead of function pointers, by the signatures of these.
pub(super) type BySignature = HashMap<Vec<u8>, MdToken>;

/// Replaces the calls by function pointer in all methods except those whose rows are `ours`.
/// `names` describes their callees.
pub(super) fn weave(
    emitter: &mut Emitter,
    names: &TargetNames,
    by_signature: &mut BySignature,
    ours: &dyn Fn(u32) -> bool,
    put: &mut Put,
) -> Result<Done, Error> {
    let mut pointers = Pointers {
        hooks: PointerHooks::new(emitter)?,
        emitter,
        names,
        by_token: HashMap::new(),
        by_signature,
    };
    let mut done = Done::default();
    // Methods that are added below come after these.
    let methods: Vec<MdToken> = pointers.emitter.methods().collect();
    for method in methods.into_iter().filter(|m| !ours(m.row())) {
        let Some(body) = pointers.emitter.body(method) else {
            continue;
        };
        let Some(sites) = body::calls_by_pointer(body) else {
            done.unreadable += 1;
            continue;
        };
        if sites.is_empty() {
            continue;
        }
        let (mut patched, mut replaced) = (body.to_vec(), Vec::new());
        for site in sites {
            match pointers.instead_of(site.signature) {
                Ok(Some(wrapper)) if site.patch(&mut patched, wrapper) => {
                    replaced.push((site, wrapper));
                }
                Ok(None) => {}
                Ok(Some(_)) => done.leave("a prefix"),
                Err(why) => done.leave(&why),
            }
        }
        if replaced.is_empty() {
            continue;
        }
        match put(pointers.emitter, method, &patched, &replaced) {
            Ok(()) => drop(done.patched.insert(method.row())),
            Err(error) => done.leave(&error.to_string()),
        }
    }
    Ok(done)
}

impl Done {
    fn leave(&mut self, why: &str) {
        *self.left.entry(why.to_owned()).or_default() += 1;
    }

    /// What to record about it, if anything.
    pub(super) fn remark(&self) -> Option<String> {
        let mut parts: Vec<String> = self
            .left
            .iter()
            .map(|(why, count)| format!("{count} calls by function pointer, for {why}"))
            .collect();
        parts.sort();
        if self.unreadable > 0 {
            parts.push(format!("{} methods that cannot be read", self.unreadable));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// The hooks of calls by function pointer, which take the id and the argument that is the pointer.
struct PointerHooks(Signatures);

impl PointerHooks {
    fn new(emitter: &mut Emitter) -> Result<Self, Error> {
        Signatures::new(emitter, &[&[sig::INT64], &[sig::NATIVE_INT]]).map(Self)
    }

    fn quick(&self, hook: extern "C" fn(i64, usize) -> i32, pointer: u16) -> Hook {
        self.0.quick(hook as usize, Some(pointer))
    }

    fn slow(&self, hook: extern "C" fn(i64, usize) -> i32, pointer: u16) -> Hook {
        self.0.slow(hook as usize, Some(pointer))
    }

    fn slow_void(&self, hook: extern "C" fn(i64, usize), pointer: u16) -> Hook {
        self.0.slow_void(hook as usize, Some(pointer))
    }
}

struct Pointers<'a, 'e> {
    emitter: &'a mut Emitter<'e>,
    hooks: PointerHooks,
    names: &'a TargetNames,
    /// The method to call instead of a `calli` of this signature. `None`: the call is managed.
    by_token: HashMap<MdToken, Result<Option<MdToken>, String>>,
    by_signature: &'a mut BySignature,
}

impl Pointers<'_, '_> {
    /// The method to call instead of a `calli` of this signature, if that is unmanaged; or why
    /// there is no such method.
    fn instead_of(&mut self, signature: MdToken) -> Result<Option<MdToken>, String> {
        if let Some(known) = self.by_token.get(&signature) {
            return known.clone();
        }
        let made = self.make(signature);
        self.by_token.insert(signature, made.clone());
        made
    }

    fn make(&mut self, token: MdToken) -> Result<Option<MdToken>, String> {
        let blob = self.emitter.signature(token).map_err(|e| e.to_string())?;
        let signature = MethodSig::parse(&blob).ok_or("a signature that cannot be read")?;
        if !signature.is_unmanaged() {
            return Ok(None);
        }
        if signature.has_this() || signature.generic() > 0 {
            return Err("a signature with a `this`".into());
        }
        if let Some(made) = self.by_signature.get(&blob) {
            return Ok(Some(*made));
        }
        let made = self.wrapper(token, &signature);
        let made = made.map_err(|e| e.to_string())?;
        self.by_signature.insert(blob, made);
        Ok(Some(made))
    }

    fn wrapper(&mut self, token: MdToken, signature: &MethodSig) -> Result<MdToken, Error> {
        let variables = signature.variables();
        let number = self.by_signature.len();
        if variables.is_empty() {
            return self.method(number, token, signature, 0);
        }
        // In the new method, its own type variables stand for the caller's.
        let inner = signature
            .with_variables(&variables)
            .ok_or(Error::UNWRITABLE)?;
        let token = self.emitter.stand_alone(&inner)?;
        let inner = MethodSig::parse(&inner).ok_or(Error::UNWRITABLE)?;
        let method = self.method(number, token, &inner, variables.len() as u32)?;
        let instance = sig::instance_signature(&variables).ok_or(Error::UNWRITABLE)?;
        self.emitter.instance(method, &instance)
    }

    /// Adds the method that calls the pointer in its last argument, with all other arguments.
    fn method(
        &mut self,
        number: usize,
        token: MdToken,
        signature: &MethodSig,
        generic: u32,
    ) -> Result<MdToken, Error> {
        let outer = sig::with_one_more(signature, generic, sig::NATIVE_INT);
        let name: Vec<u16> = format!("<soglia>pointer${number}").encode_utf16().collect();
        let class = self.emitter.apart()?;
        let method = self.emitter.define(&NewMethod {
            class,
            name: &name,
            flags: mdPublic | mdStatic | mdHideBySig,
            impl_flags: AGGRESSIVE_INLINING,
            signature: &outer.ok_or(Error::UNWRITABLE)?,
            rva: self.emitter.any_rva,
        })?;
        for number in 0..generic {
            self.emitter.type_parameter(method, number)?;
        }
        let id = crate::calls::add(self.names.clone());
        let body = if self.emitter.engine.notifies {
            notified::pointer(self.emitter, id, token, signature)?
        } else {
            self.calling(id, token, signature)?
        };
        self.emitter.set_body(method, &body)?;
        Ok(method)
    }

    /// Calls a quick hook. If that does not return 0, calls the hook that judges the callee, and
    /// that may deny the call.
    fn judging(&mut self, code: &mut Code, id: u32, quick: Hook) -> Result<(), Error> {
        let (throw, done) = (runtime::throw_hresult(self.emitter)?, code.label());
        code.hook(id, quick);
        code.brfalse(done);
        let pointer = quick.pointer.unwrap_or_default();
        code.hook(id, self.hooks.slow(woven::judge_pointer, pointer));
        code.call(throw, 1, false);
        code.place(done);
        Ok(())
    }

    fn calling(
        &mut self,
        id: u32,
        token: MdToken,
        signature: &MethodSig,
    ) -> Result<Vec<u8>, Error> {
        let ret = (!signature.returns_void()).then(|| signature.ret());
        let args = signature.args() as u16;
        let pointer = args;
        let judges = self.emitter.engine.rules.judges();
        let call = |code: &mut Code| {
            code.arguments(args + 1);
            code.calli(token, args, ret.is_some());
        };
        let mut code = Code::new();
        if self.emitter.engine.counts() {
            let quick = self.hooks.quick(woven::count_pointer, pointer);
            if judges {
                self.judging(&mut code, id, quick)?;
            } else {
                let slow = self.hooks.slow_void(woven::count_pointer_slow, pointer);
                code.hooks(id, Pair { quick, slow });
            }
            call(&mut code);
            code.ret(ret.is_some());
            return code.finish(None).ok_or(Error::UNWRITABLE);
        }
        let quick = self.hooks.quick(woven::leave_pointer, pointer);
        if judges {
            self.judging(&mut code, id, quick)?;
        } else {
            let slow = self.hooks.slow(woven::leave_pointer_slow, pointer);
            code.hooks(id, Pair { quick, slow });
        }
        let hooks = &self.hooks;
        let kept = ret.map(|_| 0);
        let failed = hooks.slow_void(woven::enter_pointer_failed, pointer);
        code.watched(kept, call, |code| code.hook(id, failed));
        let quick = hooks.quick(woven::enter_pointer, pointer);
        let slow = hooks.slow_void(woven::enter_pointer_slow, pointer);
        code.hooks(id, Pair { quick, slow });
        code.give_back(kept);
        let locals = self.emitter.locals(ret.as_slice())?;
        code.finish(locals).ok_or(Error::UNWRITABLE)
    }
}
