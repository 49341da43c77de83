//! Changes the methods of CoreLib through which programs reach native functions, so that they ask
//! the engine where a policy denies calls ([`crate::judge`]).
//!
//! | method | what it does | what the change does |
//! | --- | --- | --- |
//! | `NativeLibrary.LoadLibraryCallbackStub` | asks the program's resolver for the library of a P/Invoke | finds the library, and has the engine judge the function |
//! | `Marshal.ThrowExceptionForHR` | throws the exception of an HRESULT | throws the policy's exception for one of the engine's numbers |
//! | `DynamicResolver.ResolveSignature` | gives the compiler a signature of a `DynamicMethod` | throws if the signature is that of a native call |
//! | `RuntimeTypeBuilder.GetTokenFromSig` | adds a signature to a module that is being made | throws if the signature is that of a native call |
//!
//! ```text
//!   IntPtr LoadLibraryCallbackStub(string name, Assembly assembly, bool has, uint flags) {
//!       words = stackalloc { assembly.IsDynamic, assembly's handle }
//!       asked(words)
//!       ThrowExceptionForHR(words.verdict)          // does nothing if it is not below 0
//!       if (words.verdict != 0) {
//!           // answers as before now
//!           words.handle = LoadLibraryCallbackStub(name, assembly, has, flags)
//!           if (words.handle == 0)
//!               words.handle = LoadLibraryByName(name, assembly, has ? flags : null,
//!                                                throwOnError: false)
//!           found(words)
//!           ThrowExceptionForHR(words.verdict)
//!           return words.handle
//!       }
//!       as it was
//!   }
//! ```

use std::{collections::HashSet, mem::offset_of};

use soglia_abi::{
    hresult::{E_ACCESSDENIED, HOST_E_INVALIDOPERATION},
    ids::MdToken,
};
use soglia_core::policy::Exception;
use soglia_il::{asm::Code, r2r, sig};

use super::corelib::{CoreLib, finish};
use crate::{
    engine::Engine,
    judge::{self, MARK, MASK, Thrown},
    policy,
    source::link::{self, Link},
};

const BYTE: u8 = 0x05;

const LIBRARIES: &str = "System.Runtime.InteropServices.NativeLibrary";
const MARSHAL: &str = "System.Runtime.InteropServices.Marshal";
const ASSEMBLY: &str = "System.Reflection.RuntimeAssembly";

/// Changes all of them. Returns the rows of all methods whose precompiled code must not be used any
/// more.
///
/// # Errors
/// Says what differs from all known versions. Nothing is changed then.
pub(super) fn take_over(
    engine: &Engine,
    corelib: &CoreLib,
    precompiled: &r2r::Precompiled,
) -> Result<HashSet<u32>, String> {
    let throw = corelib.method(
        MARSHAL,
        "ThrowExceptionForHR",
        &[0, 1, sig::VOID, sig::INT32],
    )?;
    let stub = corelib.method(
        LIBRARIES,
        "LoadLibraryCallbackStub",
        &[0, 4, sig::NATIVE_INT],
    )?;
    let mut bodies = vec![
        (throw, corelib.throwing(throw)?),
        (stub, corelib.finding(stub, throw)?),
    ];
    if let Some(refusal) = judge::dynamic(&engine.rules) {
        let resolver = "System.Reflection.Emit.DynamicResolver";
        let resolved = [sig::THIS, 2, sig::ARRAY, BYTE, sig::INT32, sig::INT32];
        let resolve = corelib.method(resolver, "ResolveSignature", &resolved)?;
        bodies.push((resolve, corelib.resolving(resolve, throw, refusal)?));
        let builder = "System.Reflection.Emit.RuntimeTypeBuilder";
        let put = corelib.method(builder, "GetTokenFromSig", &[0, 3, sig::INT32])?;
        bodies.push((put, corelib.building(put, throw, refusal)?));
    }
    // Methods that have `ThrowExceptionForHR` inlined never pass one of the engine's numbers to it.
    corelib.set_bodies(bodies, precompiled, Some(throw))
}

/// Loads one of the words whose address is on the stack, and leaves the address there.
fn get(code: &mut Code, offset: usize) {
    address(code, offset);
    code.ldind_i();
}

fn address(code: &mut Code, offset: usize) {
    code.dup();
    if offset != 0 {
        code.ldc_i4(offset as i32);
        code.add();
    }
}

impl CoreLib<'_> {
    /// A method that throws the exception of a failed HRESULT, also for the engine's own numbers.
    pub(super) fn throw_hresult(&self) -> Result<MdToken, String> {
        self.method(
            MARSHAL,
            "ThrowExceptionForHR",
            &[0, 1, sig::VOID, sig::INT32],
        )
    }

    fn throwing(&self, method: MdToken) -> Result<Vec<u8>, String> {
        let before = self.body(method)?;
        let takes_text = [sig::THIS, 1, sig::VOID, sig::STRING];
        let text = [sig::THIS, 1, sig::VOID, sig::POINTER, sig::CHARACTER];
        let text = self.method("System.String", ".ctor", &text)?;
        let fail = self.method(
            "System.Environment",
            "FailFast",
            &[0, 1, sig::VOID, sig::STRING],
        )?;
        let set = [sig::THIS, 1, sig::VOID, sig::INT32];
        let set = self.method("System.Exception", "set_HResult", &set)?;
        let mut code = Code::new();
        let own = code.label();
        code.ldarg(0);
        code.ldc_i4(MASK);
        code.and();
        code.ldc_i4(MARK);
        code.ceq();
        code.brfalse(own);
        code.localloc(size_of::<Thrown>() as i32);
        code.dup();
        code.ldarg(0);
        code.conv_i();
        code.stind_i();
        code.dup();
        self.call(&mut code, judge::thrown)?;
        let alive = code.label();
        get(&mut code, offset_of!(Thrown, fatal));
        code.brfalse(alive);
        get(&mut code, offset_of!(Thrown, message));
        code.newobj(text, 1);
        code.call(fail, 1, false);
        code.place(alive);
        for (number, exception) in Exception::ALL.into_iter().enumerate() {
            let next = code.label();
            get(&mut code, offset_of!(Thrown, exception));
            code.conv_i4();
            code.ldc_i4(number as i32);
            code.ceq();
            code.brfalse(next);
            get(&mut code, offset_of!(Thrown, message));
            code.newobj(text, 1);
            code.newobj(
                self.method(policy::class_of(exception), ".ctor", &takes_text)?,
                1,
            );
            let hresult = match exception {
                Exception::InvalidOperation => Some(HOST_E_INVALIDOPERATION),
                Exception::Com => Some(E_ACCESSDENIED),
                _ => None,
            };
            if let Some(hresult) = hresult {
                code.dup();
                code.ldc_i4(hresult.0);
                code.callvirt(set, 2, false);
            }
            code.throw();
            code.place(next);
        }
        code.pop();
        code.place(own);
        code.inlined(before.code, before.stack, 0);
        code.ret(false);
        finish(code, before.locals)
    }

    fn finding(&self, method: MdToken, throw: MdToken) -> Result<Vec<u8>, String> {
        let before = self.unprotected(method)?;
        let flags = nullable_flags(before.code);
        let flags = flags.ok_or("System.Private.CoreLib asks for libraries in an unknown way")?;
        let is_dynamic = self.method(ASSEMBLY, "get_IsDynamic", &[sig::THIS, 0, sig::BOOLEAN])?;
        let handle = [sig::THIS, 0, sig::NATIVE_INT];
        let handle = self.method(ASSEMBLY, "GetUnderlyingNativeHandle", &handle)?;
        let by_name = self.method(LIBRARIES, "LoadLibraryByName", &[0, 4, sig::NATIVE_INT])?;
        let mut code = Code::new();
        let throw_verdict = |code: &mut Code| {
            get(code, offset_of!(Link, verdict));
            code.conv_i4();
            code.call(throw, 1, false);
        };
        code.localloc(size_of::<Link>() as i32);
        address(&mut code, offset_of!(Link, verdict));
        code.ldarg(1);
        code.callvirt(is_dynamic, 1, true);
        code.conv_i();
        code.stind_i();
        address(&mut code, offset_of!(Link, assembly));
        code.ldarg(1);
        code.callvirt(handle, 1, true);
        code.stind_i();
        code.dup();
        self.call(&mut code, link::asked)?;
        throw_verdict(&mut code);
        let (own, there) = (code.label(), code.label());
        get(&mut code, offset_of!(Link, verdict));
        code.brfalse(own);
        address(&mut code, offset_of!(Link, handle));
        code.arguments(4);
        code.call(method, 4, true);
        code.stind_i();
        get(&mut code, offset_of!(Link, handle));
        code.ldc_i4(0);
        code.conv_i();
        code.ceq();
        code.brfalse(there);
        address(&mut code, offset_of!(Link, handle));
        code.arguments(2);
        code.inlined(flags, 2, 1);
        code.ldc_i4(0);
        code.call(by_name, 4, true);
        code.stind_i();
        code.place(there);
        code.dup();
        self.call(&mut code, link::found)?;
        throw_verdict(&mut code);
        code.ldc_i4(offset_of!(Link, handle) as i32);
        code.add();
        code.ldind_i();
        code.ret(true);
        code.place(own);
        code.pop();
        code.goes_on_as(before.code, before.stack);
        finish(code, before.locals)
    }

    fn resolving(&self, method: MdToken, throw: MdToken, refusal: i32) -> Result<Vec<u8>, String> {
        let before = self.body(method)?;
        let mut code = Code::new();
        refuse_native(&mut code, throw, refusal, |code| {
            code.inlined(before.code, before.stack, 1);
        });
        code.inlined(before.code, before.stack, 1);
        code.ret(true);
        finish(code, before.locals)
    }

    fn building(&self, method: MdToken, throw: MdToken, refusal: i32) -> Result<Vec<u8>, String> {
        let before = self.unprotected(method)?;
        let mut code = Code::new();
        refuse_native(&mut code, throw, refusal, |code| code.ldarg(1));
        code.goes_on_as(before.code, before.stack);
        finish(code, before.locals)
    }
}

/// The kinds of signature that belong to native calls, one bit each: C, stdcall, thiscall,
/// fastcall, unmanaged, and unmanaged with variable arguments.
const NATIVE: i32 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 9 | 1 << 11;
/// The bits of a signature's first byte that give its kind.
const KIND: i32 = 0xF;

/// Throws if a signature, an array of bytes, is that of a native call.
fn refuse_native(code: &mut Code, throw: MdToken, refusal: i32, load: impl FnOnce(&mut Code)) {
    let fine = code.label();
    code.ldc_i4(NATIVE);
    load(code);
    code.ldc_i4(0);
    code.ldelem_u1();
    code.ldc_i4(KIND);
    code.and();
    code.shr_un();
    code.ldc_i4(1);
    code.and();
    code.brfalse(fine);
    code.ldc_i4(refusal);
    code.call(throw, 1, false);
    code.place(fine);
}

/// The code that makes a `DllImportSearchPath?` of the last two arguments: `has ? flags : null`.
fn nullable_flags(code: &[u8]) -> Option<&[u8]> {
    // ldarg.2; brtrue.s +11; ldloca.s LOCAL; initobj TYPE; ldloc LOCAL; br.s +6; ldarg.3;
    // newobj CONSTRUCTOR
    const LENGTH: usize = 20;
    let is_it = |code: &&[u8]| match code {
        [
            0x04,
            0x2D,
            11,
            0x12,
            local,
            0xFE,
            0x15,
            _,
            _,
            _,
            _,
            load,
            0x2B,
            6,
            0x05,
            0x73,
            ..,
        ] => *local < 4 && *load == 0x06 + local,
        _ => false,
    };
    code.windows(LENGTH).find(is_it)
}
