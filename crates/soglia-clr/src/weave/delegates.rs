//! Changes the two methods of CoreLib through which every delegate passes that becomes a function
//! pointer, and every function pointer that becomes a delegate.
//!
//! The CLR calls these two methods for every way of marshalling a delegate: as a parameter, a field
//! or a result, by `Marshal`, by generated code. A few instructions in them ask the engine which
//! pointer to use:
//!
//! ```text
//!   IntPtr Marshal.GetFunctionPointerForDelegate(Delegate d) {
//!       words = stackalloc
//!       words[0] = as it was
//!       words[1] = handle of the type of d
//!       pointer_of(words)
//!       if (words[2] != 0) {
//!           words[2] = handle of the method of d
//!           pointer_of_method(words)
//!       }
//!       return words[0]
//!   }
//!
//!   Delegate Marshal.GetDelegateForFunctionPointer(IntPtr p, Type t) {
//!       if (p != 0 && t is RuntimeType) {
//!           words = stackalloc { p, handle of t }
//!           pointer_for(words)
//!           p = words[0]
//!       }
//!       as it was
//!   }
//! ```
//!
//! On .NET 9 and later the engine changes the method inside the second one, because fields of
//! structs pass there too. On .NET 8 that method is not IL, so the CLR has to recognise the
//! engine's pointers itself: see [`soglia_trampolines`].

use std::collections::HashSet;

use soglia_abi::ids::MdToken;
use soglia_il::{asm::Code, sig};

use super::corelib::{CoreLib, finish};
use crate::delegates::{pointer_for, pointer_of, pointer_of_method, show_faces};

/// Size in bytes of the arguments, and the places in them of the type's and the method's handle.
const WORDS: i32 = 24;
const HANDLE: i32 = 8;
const METHOD: i32 = 16;

/// Changes both methods. Returns the rows of all methods whose precompiled code must not be used
/// any more.
///
/// # Errors
/// Says what differs from all known versions. Nothing is changed then.
pub(super) fn take_over(corelib: &CoreLib) -> Result<HashSet<u32>, String> {
    let marshal = corelib.class("System.Runtime.InteropServices.Marshal")?;
    let to_pointers = corelib.methods(marshal, "GetFunctionPointerForDelegate");
    let to_delegates = corelib.methods(marshal, "GetDelegateForFunctionPointer");
    let within = corelib.methods(marshal, "GetDelegateForFunctionPointerInternal");
    let parameter = corelib.type_parameter();
    let mut bodies = Vec::new();
    for (methods, params) in [(&to_pointers, 1), (&to_delegates, 2)] {
        let change = |method, generic| match params {
            1 => corelib.to_pointer(method, generic),
            _ => corelib.to_delegate(method, generic),
        };
        let inner = only(&within, &[0, params])?;
        if let Some(inner) = inner.filter(|inner| corelib.body(*inner).is_ok()) {
            bodies.push((inner, change(inner, None)?));
            continue;
        }
        let (plain, generic) = (
            only(methods, &[0, params])?,
            only(methods, &[sig::GENERIC, 1, 1])?,
        );
        if plain.is_none() && generic.is_none() {
            return Err("System.Private.CoreLib marshals no delegates".to_owned());
        }
        if let Some(plain) = plain {
            bodies.push((plain, change(plain, None)?));
        }
        let Some(generic) = generic else { continue };
        let body = corelib.body(generic)?;
        // If neither method calls the other, the change would miss delegates.
        if !plain.is_some_and(|plain| body.calls(plain)) {
            let of = parameter.ok_or("System.Private.CoreLib names no type parameter")?;
            bodies.push((generic, change(generic, Some(of))?));
        }
    }
    // Where the inner method has no IL to change, the change misses fields of structs.
    show_faces(
        bodies
            .iter()
            .all(|(method, _)| within.iter().all(|(inner, _)| inner != method)),
    );
    for (method, body) in bodies {
        corelib.set_body(method, &body)?;
    }
    // The generic methods have the others inlined into them.
    let all = to_pointers.iter().chain(&to_delegates).chain(&within);
    Ok(all.map(|(token, _)| token.row()).collect())
}

/// The method whose signature begins so. `None` if there is none: a trimmed program has only what
/// it uses.
fn only(methods: &[(MdToken, Vec<u8>)], beginning: &[u8]) -> Result<Option<MdToken>, String> {
    let mut fitting = methods.iter().filter(|(_, s)| s.starts_with(beginning));
    match (fitting.next(), fitting.next()) {
        (first, None) => Ok(first.map(|(token, _)| *token)),
        _ => Err("System.Private.CoreLib marshals delegates in an unknown way".to_owned()),
    }
}

/// What is on the stack, of which the code needs the type's handle.
enum Of {
    /// An object of that type.
    Object,
    /// The type as an object.
    Type,
    /// The type's handle, as `ldtoken` gives it.
    Token,
}

impl CoreLib<'_> {
    /// Replaces what is on the stack by the runtime's number of the type.
    ///
    /// Tries first the field of `RuntimeType` that the runtime itself reads and writes. Every
    /// CoreLib has it, whatever a program was trimmed of.
    fn type_number(&self, code: &mut Code, of: &Of) -> Result<(), String> {
        let by_field = |code: &mut Code| {
            let number = self.field("System.RuntimeType", "m_handle", sig::NATIVE_INT)?;
            match of {
                Of::Object => {
                    let type_of = [sig::THIS, 0, sig::CLASS];
                    let type_of = self.method("System.Object", "GetType", &type_of)?;
                    code.callvirt(type_of, 1, true);
                }
                Of::Type => {}
                Of::Token => {
                    let from = [0, 1, sig::CLASS];
                    let from = self.method("System.Type", "GetTypeFromHandle", &from)?;
                    code.call(from, 1, true);
                }
            }
            code.ldfld(number);
            Ok(())
        };
        let Err(why) = by_field(code) else {
            return Ok(());
        };
        self.type_number_otherwise(code, of)
            .map_err(|_: String| why)
    }

    fn type_number_otherwise(&self, code: &mut Code, of: &Of) -> Result<(), String> {
        if let Of::Object = of {
            let helpers = "System.Runtime.CompilerServices.RuntimeHelpers";
            let table = self.method(helpers, "GetMethodTable", &[0, 1, sig::POINTER])?;
            code.call(table, 1, true);
            return Ok(());
        }
        let number = [0, 1, sig::NATIVE_INT];
        let number = self.method("System.RuntimeTypeHandle", "ToIntPtr", &number)?;
        if let Of::Type = of {
            let handle_of = [sig::THIS, 0, sig::VALUE_TYPE];
            let handle_of = self.method("System.Type", "get_TypeHandle", &handle_of)?;
            code.callvirt(handle_of, 1, true);
        }
        code.call(number, 1, true);
        Ok(())
    }

    /// The fields and methods that lead from a delegate to the runtime's number of its method, in
    /// order.
    fn to_method_number(&self) -> Result<[MdToken; 3], String> {
        Ok([
            self.method("System.Delegate", "get_Method", &[sig::THIS, 0, sig::CLASS])?,
            self.method(
                "System.Reflection.MethodBase",
                "get_MethodHandle",
                &[sig::THIS, 0, sig::VALUE_TYPE],
            )?,
            self.method(
                "System.RuntimeMethodHandle",
                "ToIntPtr",
                &[0, 1, sig::NATIVE_INT],
            )?,
        ])
    }

    fn to_pointer(&self, method: MdToken, generic: Option<MdToken>) -> Result<Vec<u8>, String> {
        let before = self.body(method)?;
        let mut code = Code::new();
        code.localloc(WORDS);
        // The code needs the address four times, and the method has no local variable for it.
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
        self.type_number(&mut code, &Of::Object)?;
        code.stind_i();
        self.call(&mut code, pointer_of)?;
        if let (None, Ok([method_of, handle_of, number])) = (generic, self.to_method_number()) {
            let done = code.label();
            code.dup();
            code.ldc_i4(METHOD);
            code.add();
            code.ldind_i();
            code.brfalse(done);
            code.dup();
            code.dup();
            code.ldc_i4(METHOD);
            code.add();
            code.ldarg(0);
            code.callvirt(method_of, 1, true);
            code.callvirt(handle_of, 1, true);
            code.call(number, 1, true);
            code.stind_i();
            self.call(&mut code, pointer_of_method)?;
            code.place(done);
        }
        code.ldind_i();
        code.ret(true);
        finish(code, before.locals)
    }

    fn to_delegate(&self, method: MdToken, generic: Option<MdToken>) -> Result<Vec<u8>, String> {
        let before = self.body(method)?;
        let mut code = Code::new();
        let wrong = code.label();
        // The method must still reject what it rejects without the change.
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
            Some(of) => {
                code.ldtoken(of);
                self.type_number(&mut code, &Of::Token)?;
            }
            None => {
                code.ldarg(1);
                self.type_number(&mut code, &Of::Type)?;
            }
        }
        code.stind_i();
        code.dup();
        self.call(&mut code, pointer_for)?;
        if self.judges() {
            code.dup();
            code.ldc_i4(HANDLE);
            code.add();
            code.ldind_i();
            code.conv_i4();
            code.call(self.throw_hresult()?, 1, false);
        }
        code.ldind_i();
        code.starg(0);
        code.place(wrong);
        code.inlined(before.code, before.stack, 1);
        code.ret(true);
        finish(code, before.locals)
    }
}
