//! What is put in the place of a call, or in front of it, by a policy.

use soglia_abi::profiler::metadata_flags::{
    mdHideBySig, mdPinvokeImpl, mdPublic, mdStatic, pmNoMangle,
};

use super::{
    around::{Call, PRESERVE_SIG, Refusal, Weaver},
    before::{Error, Import, wide},
    emit::{GLOBAL, NewMethod},
    il::Code,
    sig,
};
use crate::{policy, source::woven};

impl Weaver<'_> {
    /// A new P/Invoke that leads nowhere.
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
        // Names with a slash are paths, and there is no such folder anywhere.
        let library = self.emitter.module_reference("/dev/null/soglia")?;
        let entry = wide("nowhere");
        let import = Import {
            entry,
            library,
            flags: pmNoMangle,
        };
        self.emitter.set_import(native, &import)?;
        self.has_imports = true;
        Ok(())
    }

    /// Asks first whether the call may be made, if that is to be asked.
    pub(super) fn gate(&mut self, code: &mut Code, call: &Call) -> Result<(), Error> {
        let Some((asked, refusal)) = &call.gate else {
            return Ok(());
        };
        let go = code.label();
        code.hook_with(asked.address(), self.hooks.slow(policy::ask));
        code.brfalse(go);
        self.throw(code, refusal)?;
        code.place(go);
        Ok(())
    }

    /// The body of a method that never calls.
    pub(super) fn refused(&mut self, id: u32, refusal: &Refusal) -> Result<Vec<u8>, Error> {
        let mut code = Code::new();
        code.hook(id, self.hooks.slow_void(woven::refused));
        self.throw(&mut code, refusal)?;
        code.finish(None).ok_or(Error::UNWRITABLE)
    }

    /// What is thrown instead of a call.
    pub(super) fn throw(&mut self, code: &mut Code, refusal: &Refusal) -> Result<(), Error> {
        const INSTANCE: u8 = 0x20;
        let message = self.emitter.user_string(&refusal.message)?;
        let takes_string = [INSTANCE, 1, sig::VOID, sig::STRING];
        let mut constructor = |class| {
            self.emitter
                .method_of_corelib(class, ".ctor", &takes_string)
        };
        // A program that was trimmed may have no such exception.
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
