//! Changes the methods of CoreLib by which programs reach P/Invokes without naming them in IL,
//! after an attach. Where such a method gets a P/Invoke, it goes on with the wrapper instead.
//!
//! | method | what it does with the wrapper |
//! | --- | --- |
//! | `RuntimeMethodInfo.Invoke` | invokes it |
//! | `MethodInvoker.Create` | makes an invoker of it |
//! | `Delegate.CreateDelegateInternal` | makes a delegate of it |
//! | `RuntimeMethodHandle.GetFunctionPointer` | gives a pointer to it |
//! | `DynamicILGenerator.Emit`, `EmitCall` | put it into a `DynamicMethod`, as expression trees do |
//! | `RuntimeModuleBuilder.GetMethodTokenNoLock`, `GetMethodTokenInternal` | give it a token in a module that is made at run time |
//!
//! ```text
//!   object RuntimeMethodInfo.Invoke(...) {
//!       if (this is RuntimeMethodInfo && (this.Attributes & PinvokeImpl) != 0) {
//!           token = instead(this.MethodHandle)
//!           if (token != 0)
//!               this = this.Module.ResolveMethod(token)
//!       }
//!       as it was
//!   }
//! ```

use std::{
    collections::{HashMap, HashSet},
    ffi::c_void,
    sync::{PoisonError, RwLock},
};

use soglia_abi::{
    ids::{FunctionId, MdToken, ModuleId},
    profiler::metadata_flags::mdPinvokeImpl,
};
use soglia_il::{
    asm::Code,
    body, r2r,
    sig::{self, MethodSig},
};

use super::corelib::{CoreLib, finish};
use crate::{boundary, clerk, engine, threads};

const HANDLE: &str = "System.RuntimeMethodHandle";
const INFO: &str = "System.Reflection.RuntimeMethodInfo";
const BASE: &str = "System.Reflection.MethodBase";
const IL: &str = "System.Reflection.Emit.DynamicILGenerator";
const BUILDER: &str = "System.Reflection.Emit.RuntimeModuleBuilder";

/// A method that gets another one as an argument.
struct Change {
    class: &'static str,
    method: &'static str,
    /// How its signature begins.
    signature: &'static [u8],
    /// The number of the argument, and its type if the signature alone does not tell the method
    /// from others.
    argument: u8,
    of: Option<&'static str>,
}

const CHANGES: &[Change] = &[
    Change {
        class: INFO,
        method: "Invoke",
        signature: &[sig::THIS, 5],
        argument: 0,
        of: None,
    },
    Change {
        class: "System.Reflection.MethodInvoker",
        method: "Create",
        signature: &[0, 1],
        argument: 0,
        of: None,
    },
    Change {
        class: "System.Delegate",
        method: "CreateDelegateInternal",
        signature: &[0, 4],
        argument: 1,
        of: None,
    },
    Change {
        class: IL,
        method: "Emit",
        signature: &[sig::THIS, 2, sig::VOID, sig::VALUE_TYPE],
        argument: 2,
        of: Some("System.Reflection.MethodInfo"),
    },
    Change {
        class: IL,
        method: "EmitCall",
        signature: &[sig::THIS, 3],
        argument: 2,
        of: None,
    },
    Change {
        class: BUILDER,
        method: "GetMethodTokenNoLock",
        signature: &[sig::THIS, 2],
        argument: 1,
        of: None,
    },
    Change {
        class: BUILDER,
        method: "GetMethodTokenInternal",
        signature: &[sig::THIS, 3],
        argument: 1,
        of: None,
    },
];

/// Changes all of them. Returns the rows of all methods whose precompiled code must not be used any
/// more.
///
/// # Errors
/// Says what differs from all known versions. Nothing is changed then.
pub(super) fn take_over(
    corelib: &CoreLib,
    precompiled: &r2r::Precompiled,
) -> Result<HashSet<u32>, String> {
    let ask = Ask::new(corelib)?;
    let mut bodies = vec![ask.pointer(corelib)?];
    for change in CHANGES {
        // A trimmed program has only the classes and methods that it uses.
        let class = corelib.class(change.class);
        if class.is_ok_and(|class| !corelib.methods(class, change.method).is_empty()) {
            let method = change.find(corelib)?;
            bodies.push((method, ask.replacing(corelib, method, change.argument)?));
        }
    }
    corelib.set_bodies(bodies, precompiled, None)
}

impl Change {
    fn find(&self, corelib: &CoreLib) -> Result<MdToken, String> {
        let Some(of) = self.of else {
            return corelib.method(self.class, self.method, self.signature);
        };
        let mut of_type = vec![sig::CLASS];
        sig::put_type(&mut of_type, corelib.class(of)?).ok_or("a type without a row")?;
        let methods = corelib.methods(corelib.class(self.class)?, self.method);
        let mut fitting = methods.into_iter().filter(|(_, signature)| {
            let parsed = MethodSig::parse(signature);
            signature.starts_with(self.signature)
                && parsed.is_some_and(|parsed| parsed.params().last() == Some(&of_type[..]))
        });
        match (fitting.next(), fitting.next()) {
            (Some((method, _)), None) => Ok(method),
            _ => Err(format!(
                "System.Private.CoreLib has another {}.{} than expected",
                self.class, self.method
            )),
        }
    }
}

/// The methods of CoreLib that the new code calls.
struct Ask {
    info: MdToken,
    attributes: MdToken,
    module: MdToken,
    resolve: MdToken,
    handle: MdToken,
    number: MdToken,
}

impl Ask {
    fn new(corelib: &CoreLib) -> Result<Self, String> {
        let value = [sig::THIS, 0, sig::VALUE_TYPE];
        let member = "System.Reflection.MemberInfo";
        let resolve = [sig::THIS, 1, sig::CLASS];
        Ok(Self {
            info: corelib.class(INFO)?,
            attributes: corelib.method(BASE, "get_Attributes", &value)?,
            module: corelib.method(member, "get_Module", &[sig::THIS, 0, sig::CLASS])?,
            resolve: corelib.method("System.Reflection.Module", "ResolveMethod", &resolve)?,
            handle: corelib.method(BASE, "get_MethodHandle", &value)?,
            number: corelib.method(HANDLE, "ToIntPtr", &[0, 1, sig::NATIVE_INT])?,
        })
    }

    /// The body of a method with the wrapper in the place of an argument that is a P/Invoke.
    fn replacing(
        &self,
        corelib: &CoreLib,
        method: MdToken,
        argument: u8,
    ) -> Result<Vec<u8>, String> {
        let mut code = Code::new();
        let (own, none) = (code.label(), code.label());
        code.ldarg(argument.into());
        code.isinst(self.info);
        code.brfalse(own);
        code.ldarg(argument.into());
        code.callvirt(self.attributes, 1, true);
        code.ldc_i4(mdPinvokeImpl as i32);
        code.and();
        code.brfalse(own);
        code.ldarg(argument.into());
        code.callvirt(self.module, 1, true);
        code.ldarg(argument.into());
        code.callvirt(self.handle, 1, true);
        code.call(self.number, 1, true);
        corelib.call_with_result(&mut code, instead)?;
        code.dup();
        code.brfalse(none);
        code.callvirt(self.resolve, 2, true);
        code.starg(argument);
        code.br(own);
        code.place(none);
        code.pop();
        code.pop();
        code.place(own);
        before(corelib, method, code)
    }

    /// The method that gives a function pointer of a method, and its body.
    fn pointer(&self, corelib: &CoreLib) -> Result<(MdToken, Vec<u8>), String> {
        let name = "GetFunctionPointer";
        let method = corelib.method(HANDLE, name, &[sig::THIS, 0, sig::NATIVE_INT])?;
        let own = [0, 1, sig::NATIVE_INT, sig::VALUE_TYPE];
        let own_method = corelib.method(HANDLE, name, &own)?;
        let value = corelib.method(HANDLE, "get_Value", &[sig::THIS, 0, sig::NATIVE_INT])?;
        let from_number = corelib.method(HANDLE, "FromIntPtr", &[0, 1, sig::VALUE_TYPE])?;
        let from_handle = corelib.method(BASE, "GetMethodFromHandle", &[0, 1, sig::CLASS])?;
        let constructor = [sig::THIS, 1, sig::VOID, sig::NATIVE_INT];
        let internal = "System.RuntimeMethodHandleInternal";
        let constructor = corelib.method(internal, ".ctor", &constructor)?;
        let mut code = Code::new();
        let own = code.label();
        let ask = |code: &mut Code| {
            code.ldarg(0);
            code.call(value, 1, true);
            corelib.call_with_result(code, instead)
        };
        ask(&mut code)?;
        code.brfalse(own);
        code.ldarg(0);
        code.call(value, 1, true);
        code.call(from_number, 1, true);
        code.call(from_handle, 1, true);
        code.callvirt(self.module, 1, true);
        ask(&mut code)?;
        code.callvirt(self.resolve, 2, true);
        code.callvirt(self.handle, 1, true);
        code.call(self.number, 1, true);
        code.newobj(constructor, 1);
        code.call(own_method, 1, true);
        code.ret(true);
        code.place(own);
        Ok((method, before(corelib, method, code)?))
    }
}

/// The body of a method with this code before it.
fn before(corelib: &CoreLib, method: MdToken, mut code: Code) -> Result<Vec<u8>, String> {
    if let Ok(before) = corelib.unprotected(method) {
        code.goes_on_as(before.code, before.stack);
        return finish(code, before.locals);
    }
    let unknown = "System.Private.CoreLib has a method of an unknown shape";
    let body = corelib.whole_body(method).ok_or(unknown)?;
    let (code, stack) = code.finish_prefix().ok_or(unknown)?;
    Ok(body::prefix::with_prefix(body, 0, &code, stack).ok_or(unknown)?)
}

/// The wrappers of this session, by the P/Invokes.
static WRAPPERS: RwLock<Option<HashMap<(ModuleId, MdToken), MdToken>>> = RwLock::new(None);

/// What the program has asked for, by the runtime's numbers of the methods: the token of the
/// wrapper, or 0.
static ASKED: RwLock<Option<HashMap<usize, u32>>> = RwLock::new(None);

/// Notes the wrappers of the P/Invokes of a module.
pub(super) fn add(module: ModuleId, wrappers: impl Iterator<Item = (MdToken, MdToken)>) {
    let mut all = WRAPPERS.write().unwrap_or_else(PoisonError::into_inner);
    let wrappers = wrappers.map(|(import, wrapper)| ((module, import), wrapper));
    all.get_or_insert_default().extend(wrappers);
}

/// Forgets all wrappers.
pub(super) fn end() {
    *WRAPPERS.write().unwrap_or_else(PoisonError::into_inner) = None;
    *ASKED.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Forgets the wrappers of a module that is about to be unloaded, and all numbers, since they may
/// come to mean others.
pub(super) fn forget(module: ModuleId) {
    let mut all = WRAPPERS.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(all) = all.as_mut() {
        all.retain(|(of, _), _| *of != module);
    }
    *ASKED.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// CoreLib calls this with the number of a method, in preemptive mode. Returns the token of the
/// wrapper in the method's module, or 0.
extern "C" fn instead(method: *mut c_void) -> isize {
    boundary::fence(0, || wrapper_of(method.addr())) as isize
}

fn wrapper_of(method: usize) -> u32 {
    let Some(engine) = engine::get().filter(|_| method != 0 && !threads::have_stopped()) else {
        return 0;
    };
    let known = {
        let asked = ASKED.read().unwrap_or_else(PoisonError::into_inner);
        asked.as_ref().and_then(|asked| asked.get(&method).copied())
    };
    if let Some(known) = known {
        return known;
    }
    // The CLR answers only in its callbacks, and on threads that run no managed code.
    let found = clerk::ask(move || engine.method_of(FunctionId(method))).flatten();
    let wrapper = {
        let all = WRAPPERS.read().unwrap_or_else(PoisonError::into_inner);
        let wrapper = found.and_then(|place| all.as_ref()?.get(&place).copied());
        wrapper.map_or(0, |wrapper| wrapper.0)
    };
    let mut asked = ASKED.write().unwrap_or_else(PoisonError::into_inner);
    asked.get_or_insert_default().insert(method, wrapper);
    wrapper
}
