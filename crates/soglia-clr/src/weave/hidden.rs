//! Changes methods of CoreLib that would otherwise find a wrapper where they look for a P/Invoke.
//!
//! | method | what the change does |
//! | --- | --- |
//! | `StubHelpers.GetHRExceptionObject` | reports a failed HRESULT of a native function, which it is about to throw |
//! | `Marshal.PrelinkCore`, `RuntimeHelpers.PrepareMethod` | given a wrapper, they first handle the P/Invoke inside |
//!
//! All three are cold, and the changes cost nothing elsewhere. `PrepareMethod` stays as it is where
//! a host is notified of crossings. The last two stay as they are where a policy judges what calls
//! lead to.

use std::{collections::HashSet, ffi::c_void};

use soglia_abi::ids::{FunctionId, MdToken, ModuleId};
use soglia_core::trace::log::Record;
use soglia_il::{asm::Code, sig};

use super::{
    added,
    corelib::{CoreLib, finish},
};
use crate::{
    boundary, clerk,
    engine::{self, Engine},
    source::woven,
    threads,
};

const MARSHAL: &str = "System.Runtime.InteropServices.Marshal";
const HELPERS: &str = "System.Runtime.CompilerServices.RuntimeHelpers";

/// A method, and the body to write for it.
type Written = Result<(MdToken, Vec<u8>), String>;
type Write = fn(&CoreLib) -> Written;

/// A change of one method.
struct Change {
    class: &'static str,
    method: &'static str,
    write: Write,
    /// What is lost where the change is not possible.
    loss: &'static str,
}

const CHANGES: &[Change] = &[
    Change {
        class: "System.StubHelpers.StubHelpers",
        method: "GetHRExceptionObject",
        write: thrown,
        loss: "calls without PreserveSig that return a failed HRESULT are counted as failed",
    },
    Change {
        class: MARSHAL,
        method: "PrelinkCore",
        write: prelink,
        loss: "Marshal.Prelink does nothing to wrapped methods",
    },
    Change {
        class: HELPERS,
        method: "PrepareMethod",
        write: prepare,
        loss: "RuntimeHelpers.PrepareMethod does not link wrapped methods",
    },
];

/// Changes the methods that can be changed. Returns their rows.
pub(super) fn take_over(engine: &Engine, corelib: &CoreLib) -> HashSet<u32> {
    let mut changed = HashSet::new();
    for change in CHANGES {
        // Wrappers that notify a host have the runtime prepare methods themselves, at their first
        // call.
        let keeps = engine.notifies && change.class == HELPERS
            // Under a policy that judges, only its wrapper may link the P/Invoke inside.
            || engine.rules.guards() && [HELPERS, MARSHAL].contains(&change.class);
        // A trimmed program has only the classes that it uses.
        let class = corelib.class(change.class);
        if keeps || class.is_ok_and(|class| corelib.methods(class, change.method).is_empty()) {
            continue;
        }
        let written = (change.write)(corelib).and_then(|(method, body)| {
            corelib.set_body(method, &body)?;
            Ok(method.row())
        });
        match written {
            Ok(row) => {
                changed.insert(row);
            }
            Err(why) => {
                let text = format!("{}: {why}", change.loss);
                engine.recording.log(&Record::Remark { text });
            }
        }
    }
    changed
}

fn thrown(corelib: &CoreLib) -> Written {
    let helpers = "System.StubHelpers.StubHelpers";
    let signature = [0, 1, sig::CLASS];
    let method = corelib.method(helpers, "GetHRExceptionObject", &signature)?;
    let before = corelib.body(method)?;
    let mut code = Code::new();
    code.ldc_i4(0);
    code.conv_i();
    corelib.call(&mut code, woven::hresult_thrown)?;
    code.inlined(before.code, before.stack, 1);
    code.ret(true);
    Ok((method, finish(code, before.locals)?))
}

/// Size of the word that [`inside`] takes, and in which it returns its result.
const WORD: i32 = 8;

/// Leaves on the stack the runtime's number of the P/Invoke inside a method, or 0. `number` puts
/// the method's own number on the stack.
fn ask_inside(
    corelib: &CoreLib,
    code: &mut Code,
    number: impl FnOnce(&mut Code),
) -> Result<(), String> {
    code.localloc(WORD);
    code.dup();
    number(code);
    code.stind_i();
    code.dup();
    corelib.call(code, inside)?;
    code.ldind_i();
    Ok(())
}

/// Does something with the P/Invoke whose number is on the stack, unless that is 0. Leaves nothing
/// on the stack.
fn if_inside(
    corelib: &CoreLib,
    code: &mut Code,
    does: impl FnOnce(&mut Code),
) -> Result<(), String> {
    let handle = "System.RuntimeMethodHandleInternal";
    let constructor =
        corelib.method(handle, ".ctor", &[sig::THIS, 1, sig::VOID, sig::NATIVE_INT])?;
    let (none, done) = (code.label(), code.label());
    code.dup();
    code.brfalse(none);
    code.newobj(constructor, 1);
    does(code);
    code.br(done);
    code.place(none);
    code.pop();
    code.place(done);
    Ok(())
}

/// Replaces a method's handle on the stack by its number, a `native int`.
fn number_of_handle(corelib: &CoreLib) -> Result<impl FnOnce(&mut Code), String> {
    let handle = "System.RuntimeMethodHandle";
    let number = corelib.method(handle, "ToIntPtr", &[0, 1, sig::NATIVE_INT])?;
    Ok(move |code: &mut Code| code.call(number, 1, true))
}

fn prelink(corelib: &CoreLib) -> Written {
    let takes_method = [0, 1, sig::VOID, sig::CLASS];
    let method = corelib.method(MARSHAL, "PrelinkCore", &takes_method)?;
    let takes_handle = [0, 1, sig::VOID, sig::VALUE_TYPE];
    let own = corelib.method(MARSHAL, "InternalPrelink", &takes_handle)?;
    let of_this = [sig::THIS, 0, sig::VALUE_TYPE];
    let handle_of = corelib.method("System.Reflection.MethodBase", "get_MethodHandle", &of_this)?;
    let to_number = number_of_handle(corelib)?;
    let before = corelib.body(method)?;
    let mut code = Code::new();
    let other = code.label();
    // The method must still reject what it rejects without the change.
    code.ldarg(0);
    code.isinst(corelib.class("System.Reflection.RuntimeMethodInfo")?);
    code.brfalse(other);
    ask_inside(corelib, &mut code, |code| {
        code.ldarg(0);
        code.callvirt(handle_of, 1, true);
        to_number(code);
    })?;
    if_inside(corelib, &mut code, |code| code.call(own, 1, false))?;
    code.place(other);
    code.inlined(before.code, before.stack, 0);
    code.ret(false);
    Ok((method, finish(code, before.locals)?))
}

fn prepare(corelib: &CoreLib) -> Written {
    let takes_two = [0, 2, sig::VOID, sig::VALUE_TYPE];
    let method = corelib.method(HELPERS, "PrepareMethod", &takes_two)?;
    let takes_three = [0, 3, sig::VOID, sig::VALUE_TYPE];
    let own = corelib.method(HELPERS, "PrepareMethod", &takes_three)?;
    let to_number = number_of_handle(corelib)?;
    let before = corelib.body(method)?;
    let mut code = Code::new();
    ask_inside(corelib, &mut code, |code| {
        code.ldarg(0);
        to_number(code);
    })?;
    if_inside(corelib, &mut code, |code| {
        // The method is no instance of a generic one.
        code.ldc_i4(0);
        code.conv_i();
        code.ldc_i4(0);
        code.call(own, 3, false);
    })?;
    code.inlined(before.code, before.stack, 0);
    code.ret(false);
    Ok((method, finish(code, before.locals)?))
}

/// CoreLib calls this with the number of a method, in preemptive mode. Replaces it by the number of
/// the P/Invoke inside, or by 0.
extern "C" fn inside(word: *mut c_void) -> isize {
    let word = word.cast::<usize>();
    // SAFETY: CoreLib passes the address of a word on its own stack, and waits for this call.
    let asked = unsafe { *word };
    let found = boundary::fence(None, || {
        let engine = engine::get().filter(|_| !threads::have_stopped())?;
        // The CLR answers only in its callbacks, and on threads that run no managed code.
        clerk::ask(move || inside_of(engine, FunctionId(asked))).flatten()
    });
    // SAFETY: the same word, which CoreLib keeps until this call returns.
    unsafe { *word = found.map_or(0, |function| function.0) };
    0
}

fn inside_of(engine: &Engine, wrapper: FunctionId) -> Option<FunctionId> {
    if wrapper == FunctionId::NULL {
        return None;
    }
    let (mut module, mut token) = (ModuleId::NULL, MdToken::default());
    let nothing = std::ptr::null_mut();
    // SAFETY: the program has the method's handle, so the method exists. The pointers are to
    // locals.
    let answer = unsafe {
        engine
            .info
            .GetFunctionInfo(wrapper, nothing, &raw mut module, &raw mut token)
    };
    answer.ok().ok()?;
    let inside = added::inside(module, token)?;
    let mut function = FunctionId::NULL;
    // SAFETY: the module is in use, since the program has the handle of a method of it. The pointer
    // is to a local.
    let answer = unsafe {
        engine
            .info
            .GetFunctionFromToken(module, inside, &raw mut function)
    };
    answer.is_ok().then_some(function)
}
