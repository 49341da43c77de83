//! System.Private.CoreLib while it is being loaded: its metadata to read, its methods' bodies to read and to change.
//!
//! Its metadata stay as they are wherever that is possible, for to open them for writing takes longer than all else at the start: code that is
//! put in has no local variables but those that were there, and calls us by a signature that CoreLib has for purposes of its own.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::{info_later::IMethodMalloc, metadata::IMetaDataImport},
};
use soglia_core::{
    crossing::Side,
    trace::log::{Record, Unwatched},
};
use soglia_il::{asm::Code, body, r2r, sig};
use windows_core::Interface;

use super::{delegates, emit::Emitter, hidden, judged, occasions, traces};
use crate::{
    engine::Engine,
    metadata::{
        Scope,
        before::{Before, Error, bytes, enumerated, wide},
    },
    required,
};

/// Changes what is to be changed in CoreLib. Rows of the methods whose precompiled code does not do what theirs does now.
pub(super) fn patch(
    engine: &Engine,
    module: ModuleId,
    precompiled: &r2r::Precompiled,
) -> HashSet<u32> {
    if engine.tells {
        let natives = read(engine, module, occasions::natives);
        give_bodies(engine, module, &natives.unwrap_or_default());
    }
    let mut patched = HashSet::new();
    let there = read(engine, module, |corelib| {
        match delegates::take_over(corelib) {
            Ok(changed) => patched.extend(changed),
            Err(why) => delegates_unseen(engine, &why),
        }
        if engine.watches {
            patched.extend(traces::take_over(engine, corelib));
        }
        if engine.watches && !engine.counts() {
            patched.extend(hidden::take_over(engine, corelib));
        }
        if engine.tells {
            patched.extend(give_occasions(engine, corelib, precompiled));
        }
        if engine.rules.guards() {
            match judged::take_over(engine, corelib, precompiled) {
                Ok(changed) => patched.extend(changed),
                Err(why) => unjudged(engine, &why),
            }
        }
    });
    if there.is_none() {
        delegates_unseen(engine, "System.Private.CoreLib has no metadata");
    }
    patched
}

/// Reads CoreLib, as it is now.
fn read<T>(engine: &Engine, module: ModuleId, read: impl FnOnce(&CoreLib) -> T) -> Option<T> {
    let scope = Scope::of_module(&engine.info, module)?;
    Some(read(&CoreLib::new(engine, module, scope.itself())))
}

/// Whether CoreLib has no such method: a program that was trimmed has what it uses. By its name, and how many parameters it has.
pub(super) fn lacks(engine: &Engine, class: &'static str, name: &str, signature: &[u8]) -> bool {
    static KNOWN: Mutex<BTreeMap<(&str, String), bool>> = Mutex::new(BTreeMap::new());
    let key = (class, name.to_owned());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    *known.entry(key).or_insert_with(|| {
        let corelib = super::done::corelib();
        let there = corelib.and_then(|module| {
            read(engine, module, |corelib| {
                let methods = corelib
                    .class(class)
                    .map(|class| corelib.methods(class, name));
                methods.is_ok_and(|all| all.iter().any(|(_, s)| s[..2] == signature[..2]))
            })
        });
        there == Some(false)
    })
}

/// Has methods that are in native code called by code, so that they can be changed.
fn give_bodies(engine: &Engine, module: ModuleId, natives: &[MdToken]) {
    if natives.is_empty() {
        return;
    }
    let given = Emitter::open(engine, module, true).and_then(|emitter| {
        let give = |method: &MdToken| occasions::give_body(&emitter, *method);
        natives.iter().try_for_each(give)
    });
    if let Err(error) = given {
        let text = format!("methods of System.Private.CoreLib stay in native code: {error}");
        engine.recording.log(&Record::Remark { text });
    }
}

/// What calls lead to is not known.
fn unjudged(engine: &Engine, why: &str) {
    if engine.rules.must_hold() {
        required::end("the policy", why);
    }
    let text = format!("policy: calls are judged by how they are spelled alone: {why}");
    engine.recording.log(&Record::Remark { text });
}

fn delegates_unseen(engine: &Engine, why: &str) {
    if engine.rules.judges() {
        unjudged(engine, why);
    }
    for side in [Side::Managed, Side::Unmanaged] {
        engine.unwatched(Unwatched {
            side: Some(side),
            assembly: None,
            method: None,
            text: format!("calls through delegates are not seen: {why}"),
        });
    }
}

/// Has CoreLib ask a host before it does certain things. Rows of the methods whose precompiled code does not ask.
fn give_occasions(
    engine: &Engine,
    corelib: &CoreLib,
    precompiled: &r2r::Precompiled,
) -> HashSet<u32> {
    let mut done = occasions::take_over(corelib);
    match precompiled.inliners(&|row| done.changed.contains(&row)) {
        Some(inliners) => done.changed.extend(inliners),
        None => {
            let text = "its host is not told of all that System.Private.CoreLib itself does: its precompiled code cannot be read";
            done.missing.push(text.to_owned());
        }
    }
    for text in done.missing {
        engine.recording.log(&Record::Remark { text });
    }
    done.changed
}

/// A reading of CoreLib's metadata, while it is being loaded.
pub(super) struct CoreLib<'a> {
    engine: &'a Engine,
    module: ModuleId,
    import: &'a IMetaDataImport,
    ask: OnceCell<Result<Ask, String>>,
}

/// How we are called: the signature's token, and whether it returns something.
type Ask = (MdToken, bool);

/// A function of ours that methods of CoreLib call, with words of their own; they drop its answer.
pub(super) type Function<Words> = extern "C" fn(*mut Words) -> isize;

impl<'a> CoreLib<'a> {
    pub(super) fn new(engine: &'a Engine, module: ModuleId, import: &'a IMetaDataImport) -> Self {
        Self {
            engine,
            module,
            import,
            ask: OnceCell::new(),
        }
    }

    /// A policy judges what calls lead to.
    pub(super) fn judges(&self) -> bool {
        self.engine.rules.judges()
    }

    pub(super) fn class(&self, name: &str) -> Result<MdToken, String> {
        let (wide, mut token) = (wide(name), MdToken::default());
        // SAFETY: a zero-terminated name, a pointer to a local; nil stands for no enclosing type.
        let answer = unsafe {
            self.import
                .FindTypeDefByName(wide.as_ptr(), MdToken(0), &raw mut token)
        };
        match answer.is_ok() {
            true => Ok(token),
            false => Err(format!("System.Private.CoreLib has no {name}")),
        }
    }

    /// The methods of that name, with their signatures, which have two bytes at least.
    pub(super) fn methods(&self, class: MdToken, name: &str) -> Vec<(MdToken, Vec<u8>)> {
        let wide = wide(name);
        let tokens = enumerated(self.import, |handle, into, room, count| {
            // SAFETY: a zero-terminated name; the pointers that `enumerated` passes are good.
            unsafe {
                self.import
                    .EnumMethodsWithName(handle, class, wide.as_ptr(), into, room, count)
            }
        });
        let with_signature = |token: MdToken| {
            let signature = self.signature_of(token)?;
            (signature.len() >= 2).then_some((token, signature))
        };
        tokens.into_iter().filter_map(with_signature).collect()
    }

    /// What its metadata say of a method.
    pub(super) fn before(&self, method: MdToken) -> Result<Before, Error> {
        Before::of(self.import, method)
    }

    fn signature_of(&self, method: MdToken) -> Option<Vec<u8>> {
        Some(self.before(method).ok()?.signature)
    }

    /// The only method of that name which has a signature of this beginning.
    pub(super) fn method(
        &self,
        class: &str,
        name: &str,
        signature: &[u8],
    ) -> Result<MdToken, String> {
        let methods = self.methods(self.class(class)?, name);
        let mut fitting = methods.iter().filter(|(_, s)| s.starts_with(signature));
        match (fitting.next(), fitting.next()) {
            (Some((token, _)), None) => Ok(*token),
            _ => Err(format!(
                "System.Private.CoreLib has another {class}.{name} than expected"
            )),
        }
    }

    /// The field of that name and type.
    pub(super) fn field(&self, class: &str, name: &str, of: u8) -> Result<MdToken, String> {
        self.field_of(class, name, &[sig::FIELD, of])
    }

    /// The field of that name which is an array of this type.
    pub(super) fn array(&self, class: &str, name: &str, of: u8) -> Result<MdToken, String> {
        self.field_of(class, name, &[sig::FIELD, sig::ARRAY, of])
    }

    fn field_of(&self, class: &str, name: &str, signature: &[u8]) -> Result<MdToken, String> {
        let (class_token, wide) = (self.class(class)?, wide(name));
        // `FindField` would make a table of all members of CoreLib first, which takes milliseconds.
        let fields = enumerated(self.import, |handle, into, room, count| {
            // SAFETY: a zero-terminated name; the pointers that `enumerated` passes are good.
            unsafe {
                self.import.EnumFieldsWithName(
                    handle,
                    class_token,
                    wide.as_ptr(),
                    into,
                    room,
                    count,
                )
            }
        });
        fields
            .into_iter()
            .find(|field| self.field_signature(*field).as_deref() == Some(signature))
            .ok_or_else(|| format!("System.Private.CoreLib has no {class}.{name}"))
    }

    fn field_signature(&self, field: MdToken) -> Option<Vec<u8>> {
        let (mut blob, mut size) = (std::ptr::null(), 0);
        let nothing = std::ptr::null_mut::<u32>();
        // SAFETY: a field of this module, pointers to locals, null where nothing is asked.
        let answer = unsafe {
            self.import.GetFieldProps(
                field,
                nothing.cast(),
                nothing.cast(),
                0,
                nothing,
                nothing,
                &raw mut blob,
                &raw mut size,
                nothing,
                nothing.cast(),
                nothing,
            )
        };
        // SAFETY: the metadata are that long there, now.
        answer.is_ok().then(|| unsafe { bytes(blob, size) })
    }

    fn signature(&self) -> Result<Ask, String> {
        let signatures = (0x1100_0001..0x1200_0000).map(MdToken);
        // SAFETY: any token may be asked about.
        let mut signatures =
            signatures.take_while(|token| unsafe { self.import.IsValidToken(*token) }.as_bool());
        let found = signatures.find_map(|token| {
            let (mut blob, mut size) = (std::ptr::null(), 0);
            // SAFETY: a signature of this module, pointers to locals.
            let answer = unsafe {
                self.import
                    .GetSigFromToken(token, &raw mut blob, &raw mut size)
            };
            // SAFETY: the metadata are that long there, now.
            let blob = answer.is_ok().then(|| unsafe { bytes(blob, size) })?;
            Some((token, sig::takes_pointer(&blob)?))
        });
        found.map_or_else(|| self.new_signature(), Ok)
    }

    /// A signature of our own, in a CoreLib that was trimmed of all that fit. Takes longer.
    fn new_signature(&self) -> Result<Ask, String> {
        let signature =
            sig::hook_signature(sig::Unmanaged::Cdecl, &[sig::VOID], &[&[sig::NATIVE_INT]]);
        let token = signature.ok_or(Error::UNWRITABLE).and_then(|signature| {
            let emitter = Emitter::open(self.engine, self.module, true)?;
            emitter.stand_alone(&signature)
        });
        let token =
            token.map_err(|error| format!("System.Private.CoreLib calls nothing: {error}"))?;
        Ok((token, false))
    }

    /// The token of the first type parameter of a method, for instructions.
    pub(super) fn type_parameter(&self) -> Option<MdToken> {
        let tokens = (0x1B00_0001..0x1C00_0000).map(MdToken);
        // SAFETY: any token may be asked about.
        let mut tokens =
            tokens.take_while(|token| unsafe { self.import.IsValidToken(*token) }.as_bool());
        tokens.find(|token| {
            let (mut blob, mut size) = (std::ptr::null(), 0);
            // SAFETY: a type of this module, pointers to locals.
            let answer = unsafe {
                self.import
                    .GetTypeSpecFromToken(*token, &raw mut blob, &raw mut size)
            };
            // SAFETY: the metadata are that long there, now.
            answer.is_ok() && unsafe { bytes(blob, size) } == [sig::METHOD_VARIABLE, 0]
        })
    }

    /// The body of a method, in the CLR's memory. `None`: it has no code.
    pub(super) fn whole_body(&self, method: MdToken) -> Option<&[u8]> {
        let (mut code, mut size) = (std::ptr::null(), 0);
        // SAFETY: a method of this module, pointers to locals.
        let answer = unsafe {
            self.engine
                .info
                .GetILFunctionBody(self.module, method, &raw mut code, &raw mut size)
        };
        let there = answer.is_ok() && !code.is_null();
        // SAFETY: CoreLib is never unloaded, and its image is that long there.
        there.then(|| unsafe { std::slice::from_raw_parts(code, size as usize) })
    }

    /// The same taken apart, if it is plain.
    pub(super) fn body(&self, method: MdToken) -> Result<body::Plain<'_>, String> {
        self.taken_apart(method, body::plain)
    }

    /// The same with all its returns, if nothing in it is protected.
    pub(super) fn unprotected(&self, method: MdToken) -> Result<body::Plain<'_>, String> {
        self.taken_apart(method, body::whole)
    }

    fn taken_apart<'b>(
        &'b self,
        method: MdToken,
        apart: fn(&'b [u8]) -> Option<body::Plain<'b>>,
    ) -> Result<body::Plain<'b>, String> {
        self.whole_body(method).and_then(apart).ok_or_else(|| {
            let name = self.before(method).map(|before| before.name);
            let name = String::from_utf16_lossy(&name.unwrap_or_default());
            format!("{name} in System.Private.CoreLib has no code, or code of an unknown shape")
        })
    }

    pub(super) fn set_body(&self, method: MdToken, body: &[u8]) -> Result<(), String> {
        let info = &self.engine.info;
        let mut memory = std::ptr::null_mut();
        // SAFETY: a pointer to a local.
        let answer = unsafe { info.GetILFunctionBodyAllocator(self.module, &raw mut memory) };
        let failed = |what| format!("the runtime's {what} failed");
        if answer.is_err() || memory.is_null() {
            return Err(failed("GetILFunctionBodyAllocator"));
        }
        // SAFETY: on success the CLR gives a reference of its own.
        let memory = unsafe { IMethodMalloc::from_raw(memory) };
        // SAFETY: the CLR's own allocator; the result is null or that large.
        let place = unsafe { memory.Alloc(body.len() as u32) }.cast::<u8>();
        if place.is_null() {
            return Err(failed("IMethodMalloc"));
        }
        // SAFETY: that large, and new.
        unsafe { std::ptr::copy_nonoverlapping(body.as_ptr(), place, body.len()) };
        // SAFETY: a method of this module, a whole body in memory of the CLR's.
        let answer = unsafe { info.SetILFunctionBody(self.module, method, place) };
        answer.ok().map_err(|_| failed("SetILFunctionBody"))
    }

    /// Calls one of our functions with the address that is on the stack, in preemptive mode.
    pub(super) fn call<Words>(
        &self,
        code: &mut Code,
        function: Function<Words>,
    ) -> Result<(), String> {
        let (signature, returns) = self.ask.get_or_init(|| self.signature()).clone()?;
        // An address has no sign, the instruction's number has: the same 64 bits.
        code.ldc_i8((function as usize as u64).cast_signed());
        code.conv_i();
        code.calli(signature, 1, returns);
        if returns {
            code.pop();
        }
        Ok(())
    }
}

pub(super) fn finish(code: Code, locals: Option<MdToken>) -> Result<Vec<u8>, String> {
    let unwritable = || "a body does not come out even".to_owned();
    code.finish(locals).ok_or_else(unwritable)
}
