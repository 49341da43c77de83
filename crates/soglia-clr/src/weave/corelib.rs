//! CoreLib while it is being loaded, or later if the engine attaches: reads its metadata, reads and
//! changes the bodies of its methods.
//!
//! Its metadata stay as they are wherever possible, because opening them for writing takes longer
//! than all other work at the start. Code that is put in therefore uses only local variables that
//! the method has, and calls the engine by a signature that CoreLib has for its own purposes.

use std::{cell::OnceCell, collections::HashSet};

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::{info_later::IMethodMalloc, metadata::IMetaDataImport},
};
use soglia_il::{asm::Code, body, r2r, sig};
use windows_core::Interface;

use super::{
    emit::Emitter,
    rejit::{self, Edit},
};
use crate::{
    engine::Engine,
    metadata::{
        self,
        before::{Before, Error, bytes, enumerated, wide},
        find,
    },
};

/// A reader of CoreLib's metadata, which stay as they are while it is used.
pub(super) struct CoreLib<'a> {
    engine: &'a Engine,
    module: ModuleId,
    import: &'a IMetaDataImport,
    /// The program runs already.
    in_use: bool,
    ask: OnceCell<Result<Ask, String>>,
}

/// How CoreLib calls the engine: the token of the signature, and whether it returns something.
type Ask = (MdToken, bool);

/// A function of the engine that methods of CoreLib call, with arguments on their stack.
pub(super) type Function<Words> = extern "C" fn(*mut Words) -> isize;

impl<'a> CoreLib<'a> {
    pub(super) fn new(engine: &'a Engine, module: ModuleId, import: &'a IMetaDataImport) -> Self {
        Self {
            engine,
            module,
            import,
            in_use: false,
            ask: OnceCell::new(),
        }
    }

    /// A reader of CoreLib's metadata in a program that runs.
    pub(super) fn in_use(
        engine: &'a Engine,
        module: ModuleId,
        import: &'a IMetaDataImport,
    ) -> Self {
        Self {
            in_use: true,
            ..Self::new(engine, module, import)
        }
    }

    /// Whether a policy judges what calls lead to.
    pub(super) fn judges(&self) -> bool {
        self.engine.rules.judges()
    }

    pub(super) fn class(&self, name: &str) -> Result<MdToken, String> {
        find::class(self.import, name)
            .ok_or_else(|| format!("System.Private.CoreLib has no {name}"))
    }

    /// The methods of this name, with their signatures, which have at least two bytes.
    pub(super) fn methods(&self, class: MdToken, name: &str) -> Vec<(MdToken, Vec<u8>)> {
        find::methods(self.import, class, name)
    }

    /// What the metadata say about a method.
    pub(super) fn before(&self, method: MdToken) -> Result<Before, Error> {
        Before::of(self.import, method)
    }

    /// The only method of this name whose signature begins so.
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

    /// The field of this name and type.
    pub(super) fn field(&self, class: &str, name: &str, of: u8) -> Result<MdToken, String> {
        self.field_of(class, name, &[sig::FIELD, of])
    }

    /// The field of this name that is an array of this type.
    pub(super) fn array(&self, class: &str, name: &str, of: u8) -> Result<MdToken, String> {
        self.field_of(class, name, &[sig::FIELD, sig::ARRAY, of])
    }

    fn field_of(&self, class: &str, name: &str, signature: &[u8]) -> Result<MdToken, String> {
        let (class_token, wide) = (self.class(class)?, wide(name));
        // `FindField` first makes a table of all members of CoreLib, which takes milliseconds.
        let fields = enumerated(self.import, |handle, into, room, count| {
            // SAFETY: the name ends with a zero. `enumerated` passes a valid handle, and a buffer
            // of the size that it says.
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
        // SAFETY: the field is of this module. The pointers are to locals, or null, which asks for
        // nothing.
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
        // SAFETY: the CLR has just given this address and size of its metadata, which stay in place
        // while nothing is added to them.
        answer.is_ok().then(|| unsafe { bytes(blob, size) })
    }

    fn signature(&self) -> Result<Ask, String> {
        let signatures = (0x1100_0001..0x1200_0000).map(MdToken);
        // SAFETY: the CLR checks the token.
        let mut signatures =
            signatures.take_while(|token| unsafe { self.import.IsValidToken(*token) }.as_bool());
        let found = signatures.find_map(|token| {
            let (mut blob, mut size) = (std::ptr::null(), 0);
            // SAFETY: `IsValidToken` accepted the token. The pointers are to locals.
            let answer = unsafe {
                self.import
                    .GetSigFromToken(token, &raw mut blob, &raw mut size)
            };
            // SAFETY: the CLR has just given this address and size of its metadata, which stay in
            // place while nothing is added to them.
            let blob = answer.is_ok().then(|| unsafe { bytes(blob, size) })?;
            Some((token, sig::takes_pointer(&blob)?))
        });
        found.map_or_else(|| self.new_signature(), Ok)
    }

    /// Adds a signature, for a CoreLib from which all fitting ones were trimmed. Takes longer.
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

    /// The token of a method's first type parameter, for instructions.
    pub(super) fn type_parameter(&self) -> Option<MdToken> {
        let tokens = (0x1B00_0001..0x1C00_0000).map(MdToken);
        // SAFETY: the CLR checks the token.
        let mut tokens =
            tokens.take_while(|token| unsafe { self.import.IsValidToken(*token) }.as_bool());
        tokens.find(|token| {
            let (mut blob, mut size) = (std::ptr::null(), 0);
            // SAFETY: `IsValidToken` accepted the token. The pointers are to locals.
            let answer = unsafe {
                self.import
                    .GetTypeSpecFromToken(*token, &raw mut blob, &raw mut size)
            };
            // SAFETY: the CLR has just given this address and size of its metadata, which stay in
            // place while nothing is added to them.
            answer.is_ok() && unsafe { bytes(blob, size) } == [sig::METHOD_VARIABLE, 0]
        })
    }

    /// The body of a method, in the CLR's memory. `None`: it has no code.
    pub(super) fn whole_body(&self, method: MdToken) -> Option<&[u8]> {
        metadata::body(&self.engine.info, self.module, method)
    }

    /// The parsed body of a method that has no protected blocks and one return.
    pub(super) fn body(&self, method: MdToken) -> Result<body::Plain<'_>, String> {
        self.taken_apart(method, body::plain)
    }

    /// The parsed body of a method that has no protected blocks.
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

    /// Gives methods these bodies. Returns them, and those that have one of them inlined, other
    /// than `harmless`.
    pub(super) fn set_bodies(
        &self,
        bodies: Vec<(MdToken, Vec<u8>)>,
        precompiled: &r2r::Precompiled,
        harmless: Option<MdToken>,
    ) -> Result<HashSet<u32>, String> {
        let mut changed: HashSet<u32> = bodies.iter().map(|(method, _)| method.row()).collect();
        let harmless = harmless.map(MdToken::row);
        let inliners = precompiled.inliners(&|row| Some(row) != harmless && changed.contains(&row));
        let inliners =
            inliners.ok_or("the precompiled code of System.Private.CoreLib cannot be read")?;
        for (method, body) in bodies {
            self.set_body(method, &body)?;
        }
        changed.extend(inliners);
        Ok(changed)
    }

    /// Gives a method this body: at once while CoreLib is being loaded, at the next request for
    /// new code while the program runs.
    pub(super) fn set_body(&self, method: MdToken, body: &[u8]) -> Result<(), String> {
        if self.in_use {
            rejit::edit(self.module, method, Edit::Body(body.to_vec()));
            return Ok(());
        }
        let info = &self.engine.info;
        let mut memory = std::ptr::null_mut();
        // SAFETY: the module is being loaded, and the pointer is to a local.
        let answer = unsafe { info.GetILFunctionBodyAllocator(self.module, &raw mut memory) };
        let failed = |what| format!("the runtime's {what} failed");
        if answer.is_err() || memory.is_null() {
            return Err(failed("GetILFunctionBodyAllocator"));
        }
        // SAFETY: on success the CLR returns a counted reference to the allocator.
        let memory = unsafe { IMethodMalloc::from_raw(memory) };
        // SAFETY: the allocator is the CLR's own. It returns null or a place of this size.
        let place = unsafe { memory.Alloc(body.len() as u32) }.cast::<u8>();
        if place.is_null() {
            return Err(failed("IMethodMalloc"));
        }
        // SAFETY: the place is new, as large as the body, and not null.
        unsafe { std::ptr::copy_nonoverlapping(body.as_ptr(), place, body.len()) };
        // SAFETY: the method is of this module. The body is complete, in memory that the CLR
        // allocated for it.
        let answer = unsafe { info.SetILFunctionBody(self.module, method, place) };
        answer.ok().map_err(|_| failed("SetILFunctionBody"))
    }

    /// Adds a call of one of the engine's functions with the address that is on the stack, and
    /// ignores its result. The call switches the thread to preemptive mode.
    pub(super) fn call<Words>(
        &self,
        code: &mut Code,
        function: Function<Words>,
    ) -> Result<(), String> {
        if self.call_by(code, function as usize)? {
            code.pop();
        }
        Ok(())
    }

    /// As [`Self::call`], and leaves the lower half of the function's result on the stack.
    pub(super) fn call_with_result<Words>(
        &self,
        code: &mut Code,
        function: Function<Words>,
    ) -> Result<(), String> {
        if !self.call_by(code, function as usize)? {
            return Err("System.Private.CoreLib calls no function that has a result".to_owned());
        }
        code.conv_i4();
        Ok(())
    }

    /// Returns whether there is a result on the stack.
    fn call_by(&self, code: &mut Code, function: usize) -> Result<bool, String> {
        let (signature, returns) = self.ask.get_or_init(|| self.signature()).clone()?;
        // An address is unsigned and the operand of the instruction is signed: the same 64 bits.
        code.ldc_i8((function as u64).cast_signed());
        code.conv_i();
        code.calli(signature, 1, returns);
        Ok(returns)
    }
}

pub(super) fn finish(code: Code, locals: Option<MdToken>) -> Result<Vec<u8>, String> {
    let unwritable = || "a body does not come out even".to_owned();
    code.finish(locals).ok_or_else(unwritable)
}
