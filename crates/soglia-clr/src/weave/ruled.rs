//! What a policy puts in place of a call, or in front of it.

use soglia_abi::{
    ids::MdToken,
    profiler::metadata_flags::{mdHideBySig, mdPinvokeImpl, mdPublic, mdStatic, pmNoMangle},
};
use soglia_il::{
    asm::Code,
    sig::{self, MethodSig},
};

use super::{
    arguments::hand_over,
    emit::{Emitter, GLOBAL, NewMethod},
    runtime,
    weaver::{CallToWeave, How, NO_INLINING, PRESERVE_SIG, Weaver},
};
use crate::{
    metadata::before::{self, Before, Error, has_attribute, wide},
    policy::Throw,
    source::{
        gate,
        link::{self, JudgedImport},
        woven,
    },
};

const CHAR: u8 = 0x03;

/// A flag of imports: the runtime keeps errno for `Marshal.GetLastPInvokeError`.
const SETS_LAST_ERROR: u32 = 0x40;

impl Weaver<'_> {
    /// Makes the call.
    pub(super) fn make(&self, code: &mut Code, how: &How, native: MdToken, signature: &MethodSig) {
        how.call(code, native, signature);
    }

    /// Has the engine judge, once, what the call leads to, if a policy wants that. Returns how to
    /// make the call.
    pub(super) fn judge(
        &mut self,
        code: &mut Code,
        call: &CallToWeave,
        native: MdToken,
        before: &Before,
        signature: &MethodSig,
    ) -> Result<How, Error> {
        if !call.judged {
            return Ok(How::Import);
        }
        // In an audit, a gate already counts the call.
        let counted = self.emitter.engine.rules.audits() && call.gate.is_some();
        let trusted = call.redirect.is_some() || counted;
        let plain = is_plain(&self.emitter, call, before, signature)?;
        // A wrapper that notifies a host needs the P/Invoke linked.
        let may_hide =
            plain && !self.emitter.engine.rules.audits() && !self.emitter.engine.notifies;
        let hidden = may_hide && call.gate.is_some();
        let import = JudgedImport::new(call.id, trusted, hidden);
        let at = |field: *const ()| (field.expose_provenance() as u64).cast_signed();
        let throw = runtime::throw_hresult(&mut self.emitter)?;
        let prepare = runtime::prepare(&mut self.emitter)?;
        let (of, go) = (import.address(), code.label());
        code.ldc_i8(at(std::ptr::from_ref(&import.judged).cast()));
        code.conv_i();
        code.ldind_u1();
        code.ldc_i4(1);
        code.bge(go);
        // Inline, this code would keep the compiler from inlining a wrapper without hooks.
        let mut apart = Code::new();
        let cold = if call.unwatched {
            &mut apart
        } else {
            &mut *code
        };
        let permit = self.hooks.slow(link::permit);
        let link = |code: &mut Code| {
            code.hook_with(of, permit);
            code.pop();
            code.ldtoken(native);
            code.call(prepare, 1, false);
        };
        if hidden {
            let class = self.emitter.type_of_corelib("System.Object")?;
            let (linked, not_meant) = (cold.label(), cold.label());
            let block = cold.begin_try();
            link(cold);
            cold.leave(linked);
            let handler = cold.begin_catch(block);
            cold.pop();
            cold.hook_with(of, self.hooks.slow(link::caught));
            cold.brfalse(not_meant);
            cold.leave(linked);
            cold.place(not_meant);
            cold.rethrow();
            cold.end_catch(handler, class);
            cold.place(linked);
        } else {
            let unlinked = self.hooks.slow_void(link::unlinked);
            cold.watched(None, link, |code| code.hook_with(of, unlinked));
        }
        cold.hook_with(of, self.hooks.slow(link::judged));
        cold.call(throw, 1, false);
        if call.unwatched {
            apart.ret(false);
            let judge = self.apart(call.id, apart)?;
            code.call(judge, 0, false);
        }
        code.place(go);
        let suppressed = "System.Runtime.InteropServices.SuppressGCTransitionAttribute";
        let suppressed = has_attribute(&self.emitter.import, call.method.token, suppressed);
        // When the compiler compiles the wrapper, it has the runtime link a P/Invoke without a GC
        // transition, and nothing permits that.
        if plain && (suppressed || hidden) {
            let how = if suppressed {
                let modopt = "System.Runtime.CompilerServices.CallConvSuppressGCTransition";
                let modopt = self.emitter.type_of_corelib(modopt)?;
                sig::Unmanaged::Suppressed { modopt }
            } else {
                sig::Unmanaged::Cdecl
            };
            let params: Vec<&[u8]> = signature.params().collect();
            let of = sig::hook_signature(how, signature.ret(), &params).ok_or(Error::UNWRITABLE)?;
            let of = self.emitter.stand_alone(&of)?;
            let target = at(std::ptr::from_ref(&import.target).cast());
            return Ok(How::Pointer(target, of));
        }
        Ok(How::Import)
    }

    /// Adds a method with this code.
    fn apart(&mut self, id: u32, code: Code) -> Result<MdToken, Error> {
        let name: Vec<u16> = format!("<soglia>judge${id}").encode_utf16().collect();
        let class = self.emitter.apart()?;
        let method = self.emitter.define(&NewMethod {
            class,
            name: &name,
            flags: mdPublic | mdStatic | mdHideBySig,
            impl_flags: NO_INLINING,
            signature: &[0, 0, sig::VOID],
            rva: self.emitter.any_rva,
        })?;
        let body = code.finish(None).ok_or(Error::UNWRITABLE)?;
        self.emitter.set_body(method, &body)?;
        self.apart.push(method);
        Ok(method)
    }

    /// Adds a P/Invoke that leads nowhere.
    pub(super) fn nowhere(&mut self) -> Result<(), Error> {
        let name: Vec<u16> = "<soglia>nowhere".encode_utf16().collect();
        let native = self.emitter.define(&NewMethod {
            class: GLOBAL,
            name: &name,
            flags: mdPublic | mdStatic | mdHideBySig | mdPinvokeImpl,
            impl_flags: PRESERVE_SIG,
            signature: &[0, 0, sig::VOID],
            rva: 0,
        })?;
        // A name with a slash is a path, and no machine has this folder.
        let library = self.emitter.module_reference("/dev/null/soglia")?;
        let entry = wide("nowhere");
        let import = before::ImportMap {
            entry,
            library,
            flags: pmNoMangle,
        };
        self.emitter.set_import(native, &import)?;
        self.has_imports = true;
        Ok(())
    }

    /// Asks first whether the call may be made, if a rule limits it.
    pub(super) fn gate(
        &mut self,
        code: &mut Code,
        call: &CallToWeave,
        signature: &MethodSig,
        handing: Option<MdToken>,
    ) -> Result<(), Error> {
        let Some((asked, refusal)) = &call.gate else {
            return Ok(());
        };
        let go = code.label();
        code.hook_with(asked.address(), self.hooks.slow(gate::ask));
        code.brfalse(go);
        self.denied(code, call.id, signature, handing);
        self.throw(code, refusal)?;
        code.place(go);
        Ok(())
    }

    /// The body of a method whose call is denied.
    pub(super) fn refused(
        &mut self,
        call: &CallToWeave,
        refusal: &Throw,
        signature: &MethodSig,
        handing: Option<MdToken>,
    ) -> Result<Vec<u8>, Error> {
        let mut code = Code::new();
        code.hook(call.id, self.hooks.slow_void(woven::refused));
        self.denied(&mut code, call.id, signature, handing);
        self.throw(&mut code, refusal)?;
        let returned = (!signature.returns_void()).then(|| signature.ret());
        let locals = self.emitter.locals(returned.as_slice())?;
        code.finish(locals).ok_or(Error::UNWRITABLE)
    }

    /// Hands over the arguments of a denied call, if they are wanted. The local variable 0 stands
    /// for the result, if there is one.
    fn denied(&self, code: &mut Code, id: u32, signature: &MethodSig, handing: Option<MdToken>) {
        if let Some(method) = handing {
            let done = code.label();
            code.hook(id, self.hooks.slow(woven::denied_asking));
            code.brfalse(done);
            let ret = (!signature.returns_void()).then_some(0);
            hand_over(code, method, signature.args() as u16, ret);
            code.place(done);
        }
    }

    /// Throws the exception that stands for a denied call.
    pub(super) fn throw(&mut self, code: &mut Code, refusal: &Throw) -> Result<(), Error> {
        const INSTANCE: u8 = 0x20;
        let message = self.emitter.user_string(&refusal.message)?;
        let takes_string = [INSTANCE, 1, sig::VOID, sig::STRING];
        let mut constructor = |class| {
            self.emitter
                .method_of_corelib(class, ".ctor", &takes_string)
        };
        // A trimmed program may lack the exception.
        let constructor =
            constructor(refusal.exception).or_else(|_| constructor("System.Exception"))?;
        if refusal.fatal {
            let signature = [0, 1, sig::VOID, sig::STRING];
            let fail =
                self.emitter
                    .method_of_corelib("System.Environment", "FailFast", &signature)?;
            code.ldstr(message);
            code.call(fail, 1, false);
        }
        code.ldstr(message);
        code.newobj(constructor, 1);
        if let Some(hresult) = refusal.hresult {
            let signature = [INSTANCE, 1, sig::VOID, sig::INT32];
            let set =
                self.emitter
                    .method_of_corelib("System.Exception", "set_HResult", &signature)?;
            code.dup();
            code.ldc_i4(hresult);
            code.callvirt(set, 2, false);
        }
        code.throw();
        Ok(())
    }
}

/// Whether nothing of a call is marshalled, and errno is not kept. A call by function pointer then
/// does the same, and the compiler inlines the P/Invoke.
fn is_plain(
    emitter: &Emitter,
    call: &CallToWeave,
    before: &Before,
    signature: &MethodSig,
) -> Result<bool, Error> {
    let import = &emitter.import;
    if before.impl_flags & PRESERVE_SIG == 0 {
        return Ok(false);
    }
    if before::ImportMap::of(import, call.method.token)?.flags & SETS_LAST_ERROR != 0 {
        return Ok(false);
    }
    const ASSEMBLY: MdToken = MdToken(0x2000_0001);
    let disabled = "System.Runtime.CompilerServices.DisableRuntimeMarshallingAttribute";
    let as_they_are = has_attribute(import, ASSEMBLY, disabled);
    let plain = |of: &[u8]| match of.first() {
        Some(&(sig::BOOLEAN | CHAR)) => as_they_are,
        // Numbers, pointers, values, pointers to functions.
        Some(&(sig::VOID | 0x04..=0x0D | 0x0F | sig::VALUE_TYPE | 0x18 | 0x19 | 0x1B)) => true,
        _ => false,
    };
    Ok(plain(signature.ret()) && signature.params().all(plain))
}
