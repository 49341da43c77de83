//! The two places through which all delegates pass that become native function pointers, and all that are made of such pointers.
//!
//! Whatever marshals a delegate (a parameter, a field, a result, `Marshal`, generated code), the CLR has it done by two methods of
//! System.Private.CoreLib. They get a few instructions more, and ask us which pointer it shall be:
//!
//! ```text
//!   IntPtr Marshal.GetFunctionPointerForDelegate(Delegate d) {         Delegate Marshal.GetDelegateForFunctionPointer(IntPtr p, Type t) {
//!       words = stackalloc                                                 if (p != 0 && t is RuntimeType) {
//!       words[0] = as it was                                                   words = stackalloc { p, handle of t }
//!       words[1] = handle of the type of d                                     pointer_for(words)
//!       pointer_of(words)                                                      p = words[0]
//!       return words[0]                                                    }
//!   }                                                                      as it was
//!                                                                      }
//! ```
//!
//! On .NET 9 and later it is the method inside the second one that is changed, for there the fields of structs pass too. Before, that is
//! no IL; so the CLR must know our pointers by itself, see [`crate::trampolines`].
//!
//! CoreLib's metadata stay as they are, for to open them for writing would take longer than all else at the start: the code has no
//! local variables, and calls us by a signature that CoreLib has for purposes of its own.

use std::collections::HashSet;

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::{info_later::IMethodMalloc, metadata::IMetaDataImport},
};
use windows_core::Interface;

use super::{
    before::{bytes, enumerated, wide},
    body,
    il::Code,
    sig,
};
use crate::{
    engine::Engine,
    source::delegates::{pointer_for, pointer_of, show_faces},
};

/// Bytes of what we are asked with, and where in it the type's handle is.
const WORDS: i32 = 16;
const HANDLE: i32 = 8;

/// A generic method's signature begins so.
const GENERIC: u8 = 0x10;

/// A reading of CoreLib's metadata, while it is being loaded.
struct CoreLib<'a> {
    engine: &'a Engine,
    module: ModuleId,
    import: &'a IMetaDataImport,
}

/// Changes both methods. Rows of all methods whose precompiled code must not be used any more.
///
/// # Errors
/// What is not as it was in all known versions, in words. Nothing is changed then.
pub fn take_over(
    engine: &Engine,
    module: ModuleId,
    import: &IMetaDataImport,
) -> Result<HashSet<u32>, String> {
    let corelib = CoreLib {
        engine,
        module,
        import,
    };
    let marshal = corelib.class("System.Runtime.InteropServices.Marshal")?;
    let to_pointers = corelib.methods(marshal, "GetFunctionPointerForDelegate");
    let to_delegates = corelib.methods(marshal, "GetDelegateForFunctionPointer");
    let within = corelib.methods(marshal, "GetDelegateForFunctionPointerInternal");
    let ask = corelib.signature()?;
    let parameter = corelib.type_parameter();
    let mut bodies = Vec::new();
    for (methods, params) in [(&to_pointers, 1), (&to_delegates, 2)] {
        let change = |method, generic| match params {
            1 => corelib.to_pointer(method, generic, ask),
            _ => corelib.to_delegate(method, generic, ask),
        };
        let [plain, generic] = pair(methods, params)?;
        let inner = within.iter().find(|(_, s)| s.starts_with(&[0, params]));
        let inner = inner.map(|(token, _)| *token);
        if let Some(inner) = inner.filter(|inner| corelib.body(*inner).is_ok()) {
            bodies.push((inner, change(inner, None)?));
            continue;
        }
        bodies.push((plain, change(plain, None)?));
        // Either leads to the other, or it goes past it.
        if !corelib.body(generic)?.calls(plain) {
            let of = parameter.ok_or("System.Private.CoreLib names no type parameter")?;
            bodies.push((generic, change(generic, Some(of))?));
        }
    }
    // Where the inner one is no code that can be changed, fields of structs go past us.
    show_faces(
        bodies
            .iter()
            .all(|(method, _)| within.iter().all(|(inner, _)| inner != method)),
    );
    for (method, body) in bodies {
        corelib.set_body(method, &body)?;
    }
    // The generic ones have the others compiled into them.
    let all = to_pointers.iter().chain(&to_delegates).chain(&within);
    Ok(all.map(|(token, _)| token.row()).collect())
}

/// The method with so many parameters, and the generic one.
fn pair(methods: &[(MdToken, Vec<u8>)], params: u8) -> Result<[MdToken; 2], String> {
    let only = |beginning: &[u8]| {
        let mut fitting = methods.iter().filter(|(_, s)| s.starts_with(beginning));
        match (fitting.next(), fitting.next()) {
            (Some((token, _)), None) => Ok(*token),
            _ => Err("System.Private.CoreLib marshals delegates in an unknown way".to_owned()),
        }
    };
    Ok([only(&[0, params])?, only(&[GENERIC, 1, 1])?])
}

/// How we are called: the signature's token, and whether it returns something.
type Ask = (MdToken, bool);

impl CoreLib<'_> {
    fn class(&self, name: &str) -> Result<MdToken, String> {
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
    fn methods(&self, class: MdToken, name: &str) -> Vec<(MdToken, Vec<u8>)> {
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

    fn signature_of(&self, method: MdToken) -> Option<Vec<u8>> {
        let before = super::before::Before::of(self.import, method).ok()?;
        Some(before.signature)
    }

    /// The only method of that name which has a signature of this beginning.
    fn method(&self, class: &str, name: &str, signature: &[u8]) -> Result<MdToken, String> {
        let methods = self.methods(self.class(class)?, name);
        let mut fitting = methods.iter().filter(|(_, s)| s.starts_with(signature));
        match (fitting.next(), fitting.next()) {
            (Some((token, _)), None) => Ok(*token),
            _ => Err(format!(
                "System.Private.CoreLib has another {class}.{name} than expected"
            )),
        }
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
        found.ok_or_else(|| {
            "System.Private.CoreLib calls no function that takes a pointer".to_owned()
        })
    }

    /// The token of the first type parameter of a method, for instructions.
    fn type_parameter(&self) -> Option<MdToken> {
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

    /// The body of a method, in the CLR's memory.
    fn body(&self, method: MdToken) -> Result<body::Plain<'_>, String> {
        let (mut code, mut size) = (std::ptr::null(), 0);
        // SAFETY: a method of this module, pointers to locals.
        let answer = unsafe {
            self.engine
                .info
                .GetILFunctionBody(self.module, method, &raw mut code, &raw mut size)
        };
        let plain = if answer.is_ok() && !code.is_null() {
            // SAFETY: CoreLib is never unloaded, and its image is that long there.
            body::plain(unsafe { std::slice::from_raw_parts(code, size as usize) })
        } else {
            None
        };
        plain.ok_or_else(|| {
            "System.Private.CoreLib marshals delegates with code of an unknown shape".to_owned()
        })
    }

    fn set_body(&self, method: MdToken, body: &[u8]) -> Result<(), String> {
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

    /// `native int` of the handle of a type that is on the stack.
    fn number_of_handle(&self, code: &mut Code) -> Result<(), String> {
        let class = "System.RuntimeTypeHandle";
        let number = self.method(class, "ToIntPtr", &[0, 1, sig::NATIVE_INT])?;
        code.call(number, 1, true);
        Ok(())
    }

    /// Calls one of our functions with the address that is on the stack.
    fn call(&self, code: &mut Code, (signature, returns): Ask, function: Function) {
        // An address has no sign, the instruction's number has: the same 64 bits.
        code.ldc_i8((function as usize as u64).cast_signed());
        code.conv_i();
        code.calli(signature, 1, returns);
        if returns {
            code.pop();
        }
    }

    fn to_pointer(
        &self,
        method: MdToken,
        generic: Option<MdToken>,
        ask: Ask,
    ) -> Result<Vec<u8>, String> {
        let before = self.body(method)?;
        let handle_of = self.method("System.Type", "GetTypeHandle", &[0, 1, sig::VALUE_TYPE])?;
        let mut code = Code::new();
        code.localloc(WORDS);
        // The address is wanted four times, and there is nowhere to keep it but here.
        for _ in 0..3 {
            code.dup();
        }
        code.inlined(before.code, before.stack, 1);
        code.stind_i();
        code.ldc_i4(HANDLE);
        code.add();
        code.ldarg(0);
        if let Some(of) = generic {
            code.boxed(of);
        }
        code.call(handle_of, 1, true);
        self.number_of_handle(&mut code)?;
        code.stind_i();
        self.call(&mut code, ask, pointer_of);
        code.ldind_i();
        code.ret(true);
        finish(code, before.locals)
    }

    fn to_delegate(
        &self,
        method: MdToken,
        generic: Option<MdToken>,
        ask: Ask,
    ) -> Result<Vec<u8>, String> {
        let before = self.body(method)?;
        let mut code = Code::new();
        let wrong = code.label();
        // What the method refuses, it shall refuse.
        code.ldarg(0);
        code.brfalse(wrong);
        if generic.is_none() {
            code.ldarg(1);
            code.isinst(self.class("System.RuntimeType")?);
            code.brfalse(wrong);
        }
        code.localloc(WORDS);
        code.dup();
        code.ldarg(0);
        code.stind_i();
        code.dup();
        code.ldc_i4(HANDLE);
        code.add();
        match generic {
            Some(of) => code.ldtoken(of),
            None => {
                let handle_of = [0x20, 0, sig::VALUE_TYPE];
                let handle_of = self.method("System.Type", "get_TypeHandle", &handle_of)?;
                code.ldarg(1);
                code.callvirt(handle_of, 1, true);
            }
        }
        self.number_of_handle(&mut code)?;
        code.stind_i();
        code.dup();
        self.call(&mut code, ask, pointer_for);
        code.ldind_i();
        code.starg(0);
        code.place(wrong);
        code.inlined(before.code, before.stack, 1);
        code.ret(true);
        finish(code, before.locals)
    }
}

type Function = extern "C" fn(*mut crate::source::delegates::Words) -> isize;

fn finish(code: Code, locals: Option<MdToken>) -> Result<Vec<u8>, String> {
    let unwritable = || "a body does not come out even".to_owned();
    code.finish(locals).ok_or_else(unwritable)
}
