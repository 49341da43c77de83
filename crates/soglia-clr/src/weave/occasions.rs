//! Changes methods of CoreLib that are occasions to call a host's task manager. They ask the engine
//! first ([`crate::notify::occasions`]), and go on as before where the host leaves the work to
//! .NET. Nothing is changed where no host is to be notified.
//!
//! ```text
//!   void Thread.Sleep(int t) {                     CultureInfo CultureInfo.CurrentCulture { set {
//!       words = stackalloc; words.value = t            if (value != null) {
//!     AGAIN:                                               words = stackalloc
//!       sleep(words)                                       words.value = value.LCID
//!       if (words.verdict == DONE) return                  culture(words)
//!       if (words.verdict == LOOK) {                       Marshal.ThrowExceptionForHR(
//!           SleepInternal(0)    // interrupted?                words.verdict)
//!           goto AGAIN                                 }
//!       }                                              as it was
//!       t = words.value                            } }
//!       as it was
//!   }
//! ```
//!
//! A method that is native code in some version of .NET gets a body that calls that code. This
//! requires opening CoreLib's metadata for writing. Where a version does something in an unknown
//! way, there is no occasion, and the recording names it.

use std::collections::HashSet;

use soglia_abi::{
    ids::MdToken,
    profiler::metadata_flags::{mdHideBySig, mdPrivate, mdStatic},
};
use soglia_il::{
    asm::{Code, Label},
    body::Plain,
    sig::{self, MethodSig, THIS},
};

use super::{
    changed::Done,
    corelib::{CoreLib, Function, finish},
    emit::{Emitter, NewMethod},
};
use crate::{
    metadata::before::{Before, Error},
    notify::occasions::{self, LOOK, NOT_DONE, Words},
    slots,
};

const THREAD: &str = "System.Threading.Thread";
const CULTURE: &str = "System.Globalization.CultureInfo";

/// A method that is an occasion.
struct Occasion {
    class: &'static str,
    method: &'static str,
    /// The beginning of its signature, which no other method of that name has.
    signature: &'static [u8],
    /// Writes its new body from the old one.
    body: Body,
}

type Body = fn(&CoreLib, Plain) -> Written;
type Written = Result<Vec<u8>, String>;

const fn occasion(
    class: &'static str,
    method: &'static str,
    signature: &'static [u8],
    body: Body,
) -> Occasion {
    Occasion {
        class,
        method,
        signature,
        body,
    }
}

/// All overloads of these methods lead to the ones that are listed.
const OCCASIONS: &[Occasion] = &[
    occasion(THREAD, "StartCallback", &[THIS, 0, sig::VOID], begin),
    occasion(THREAD, "Sleep", &[0, 1, sig::VOID, sig::INT32], sleep),
    occasion(THREAD, "Yield", &[0, 0, sig::BOOLEAN], switch),
    occasion(THREAD, "Join", &[THIS, 1, sig::BOOLEAN, sig::INT32], join),
    occasion(THREAD, "Interrupt", INTERRUPT, interrupt),
    occasion(THREAD, "set_Priority", SET_PRIORITY, set_priority),
    occasion(THREAD, "get_Priority", GET_PRIORITY, priority),
    occasion(CULTURE, "set_CurrentCulture", SET_CULTURE, |c, b| {
        culture(c, b, occasions::culture)
    }),
    occasion(CULTURE, "set_CurrentUICulture", SET_CULTURE, |c, b| {
        culture(c, b, occasions::ui_culture)
    }),
    occasion(THREAD, "BeginThreadAffinity", NOTHING, |c, b| {
        notified(c, b, occasions::begin_affinity)
    }),
    occasion(THREAD, "EndThreadAffinity", NOTHING, |c, b| {
        notified(c, b, occasions::end_affinity)
    }),
    occasion(THREAD, "BeginCriticalRegion", NOTHING, |c, b| {
        notified(c, b, occasions::begin_region)
    }),
    occasion(THREAD, "EndCriticalRegion", NOTHING, |c, b| {
        notified(c, b, occasions::end_region)
    }),
];

const NOTHING: &[u8] = &[0, 0, sig::VOID];
const INTERRUPT: &[u8] = &[THIS, 0, sig::VOID];
const SET_PRIORITY: &[u8] = &[THIS, 1, sig::VOID, sig::VALUE_TYPE];
const GET_PRIORITY: &[u8] = &[THIS, 0, sig::VALUE_TYPE];
const SET_CULTURE: &[u8] = &[0, 1, sig::VOID, sig::CLASS];

/// The method's code is in the CLR.
pub(super) const INTERNAL_CALL: u32 = 0x1000;

/// Those of the methods that are native code in this version.
pub(super) fn natives(corelib: &CoreLib) -> Vec<MdToken> {
    let is_native = |occasion: &Occasion| {
        let method = corelib.method(occasion.class, occasion.method, occasion.signature);
        let method = method.ok()?;
        let flags = corelib.before(method).ok()?.impl_flags;
        (flags & INTERNAL_CALL != 0).then_some(method)
    };
    OCCASIONS.iter().filter_map(is_native).collect()
}

/// Gives a method that is native code a body that calls it.
///
/// The body calls a new method of the same name, since the CLR finds the native code by the name.
/// The new method takes `this` as its first argument.
pub(super) fn give_body(emitter: &Emitter, method: MdToken) -> Result<(), Error> {
    let before = Before::of(&emitter.import, method)?;
    let signature = MethodSig::parse(&before.signature).ok_or(Error::UNWRITABLE)?;
    let native = emitter.define(&NewMethod {
        class: before.class,
        name: &before.name,
        flags: mdPrivate | mdStatic | mdHideBySig,
        impl_flags: before.impl_flags,
        signature: &with_this_first(&signature, before.class).ok_or(Error::UNWRITABLE)?,
        rva: 0,
    })?;
    let (args, returns) = (signature.args() as u16, !signature.returns_void());
    let mut code = Code::new();
    code.arguments(args);
    code.call(native, args, returns);
    code.ret(returns);
    let body = code.finish(None).ok_or(Error::UNWRITABLE)?;
    emitter.set_code(method, before.flags, before.impl_flags & !INTERNAL_CALL)?;
    emitter.set_body(method, &body)
}

/// The signature of a static method that takes the parameters of a method of this class, after
/// `this`.
fn with_this_first(of: &MethodSig, class: MdToken) -> Option<Vec<u8>> {
    if !of.has_this() {
        return None;
    }
    let mut out = vec![0];
    sig::put_unsigned(&mut out, u32::try_from(of.args()).ok()?)?;
    out.extend(of.ret());
    out.push(sig::CLASS);
    sig::put_type(&mut out, class)?;
    out.extend(of.params().flatten());
    Some(out)
}

/// Changes all methods that can be changed.
pub(super) fn take_over(corelib: &CoreLib) -> Done {
    let mut done = Done {
        changed: HashSet::new(),
        missing: Vec::new(),
    };
    for occasion in OCCASIONS {
        match occasion.take_over(corelib) {
            Ok(method) => {
                done.changed.insert(method.row());
            }
            Err(why) => {
                let Occasion { class, method, .. } = occasion;
                let missing = format!("its host is not notified of {class}.{method}: {why}");
                done.missing.push(missing);
            }
        }
    }
    done
}

impl Occasion {
    fn take_over(&self, corelib: &CoreLib) -> Result<MdToken, String> {
        let method = corelib.method(self.class, self.method, self.signature)?;
        let body = (self.body)(corelib, corelib.body(method)?)?;
        corelib.set_body(method, &body)?;
        Ok(method)
    }
}

/// Code that begins by making room for the words, and leaves their address on the stack.
fn with_words() -> Code {
    let mut code = Code::new();
    code.localloc(Words::SIZE);
    code
}

/// The address of a word; that of the words is on the stack.
fn word(code: &mut Code, at: i32) {
    if at != 0 {
        code.ldc_i4(at);
        code.add();
    }
}

/// Stores into a word what `value` leaves on the stack.
fn put(code: &mut Code, at: i32, value: impl FnOnce(&mut Code)) {
    code.dup();
    word(code, at);
    value(code);
    code.stind_i();
}

/// Loads a word.
fn get(code: &mut Code, at: i32) {
    code.dup();
    word(code, at);
    code.ldind_i();
}

/// Stores the CLR's number of the thread that is `this`.
fn put_thread(corelib: &CoreLib, code: &mut Code) -> Result<(), String> {
    let number = corelib.field(THREAD, "_DONT_USE_InternalThread", sig::NATIVE_INT)?;
    put(code, Words::THREAD, |code| {
        code.ldarg(0);
        code.ldfld(number);
    });
    Ok(())
}

/// Stores an argument, an `int32`.
fn put_value(code: &mut Code, argument: u16) {
    put(code, Words::VALUE, |code| {
        code.ldarg(argument);
        code.conv_i();
    });
}

/// Asks the engine, and leaves the address of the words on the stack.
fn ask(corelib: &CoreLib, code: &mut Code, function: Function<Words>) -> Result<(), String> {
    code.dup();
    corelib.call(code, function)
}

/// Continues with the old body, with nothing on the stack.
fn as_before(mut code: Code, before: Plain, returns: bool) -> Written {
    code.inlined(before.code, before.stack, returns.into());
    code.ret(returns);
    finish(code, before.locals)
}

/// The same for a wait, after which the thread takes a slot again.
fn as_before_and_woken(corelib: &CoreLib, mut code: Code, before: Plain, returns: bool) -> Written {
    code.inlined(before.code, before.stack, returns.into());
    if slots::any() {
        notify(corelib, &mut code, occasions::slept)?;
    }
    code.ret(returns);
    finish(code, before.locals)
}

/// Asks about a wait whose time is this argument, until the engine knows whether the host does it.
/// Continues at `own` if the host does not. The address of the words is on the stack afterwards,
/// and at `own`.
fn wait(
    corelib: &CoreLib,
    code: &mut Code,
    time: u16,
    function: Function<Words>,
    own: Label,
) -> Result<(), String> {
    // If the host cannot be asked to wake a thread, it must not have threads sleep.
    corelib.body(corelib.method(THREAD, "Interrupt", INTERRUPT)?)?;
    // Throws if the thread was interrupted, and clears the interrupt.
    let look = corelib.method(THREAD, "SleepInternal", &[0, 1, sig::VOID, sig::INT32])?;
    put_value(code, time);
    put(code, Words::UNTIL, |code| {
        code.ldc_i4(0);
        code.conv_i();
    });
    let (again, look_first, known) = (code.label(), code.label(), code.label());
    code.place(again);
    ask(corelib, code, function)?;
    get(code, Words::VERDICT);
    code.brfalse(own);
    get(code, Words::VERDICT);
    code.ldc_i4(LOOK as i32);
    code.conv_i();
    code.bge(look_first);
    code.br(known);
    code.place(look_first);
    code.ldc_i4(0);
    code.call(look, 1, false);
    code.br(again);
    code.place(known);
    Ok(())
}

/// Has .NET do the rest of a wait whose time is this argument. The address of the words is on the
/// stack.
fn wait_on(code: &mut Code, time: u8) {
    word(code, Words::VALUE);
    code.ldind_i();
    code.conv_i4();
    code.starg(time);
}

fn sleep(corelib: &CoreLib, before: Plain) -> Written {
    let mut code = with_words();
    let own = code.label();
    wait(corelib, &mut code, 0, occasions::sleep, own)?;
    code.pop();
    code.ret(false);
    code.place(own);
    wait_on(&mut code, 0);
    as_before_and_woken(corelib, code, before, false)
}

fn join(corelib: &CoreLib, before: Plain) -> Written {
    let mut code = with_words();
    let own = code.label();
    put_thread(corelib, &mut code)?;
    wait(corelib, &mut code, 1, occasions::join, own)?;
    word(&mut code, Words::VERDICT);
    code.ldind_i();
    code.ldc_i4(NOT_DONE as i32);
    code.conv_i();
    code.ceq();
    code.ldc_i4(0);
    code.ceq();
    code.ret(true);
    code.place(own);
    wait_on(&mut code, 1);
    if slots::any() {
        notify(corelib, &mut code, occasions::park)?;
    }
    as_before_and_woken(corelib, code, before, true)
}

fn switch(corelib: &CoreLib, before: Plain) -> Written {
    let mut code = with_words();
    let own = code.label();
    ask(corelib, &mut code, occasions::switch)?;
    word(&mut code, Words::VERDICT);
    code.ldind_i();
    code.brfalse(own);
    code.ldc_i4(1);
    code.ret(true);
    code.place(own);
    as_before(code, before, true)
}

/// Notes the interrupt in the CLR before the host wakes the thread, which then looks for it.
fn interrupt(corelib: &CoreLib, before: Plain) -> Written {
    let mut code = Code::new();
    code.inlined(before.code, before.stack, 0);
    code.localloc(Words::SIZE);
    put_thread(corelib, &mut code)?;
    corelib.call(&mut code, occasions::interrupt)?;
    code.ret(false);
    finish(code, before.locals)
}

fn begin(corelib: &CoreLib, before: Plain) -> Written {
    let priority = corelib.method(THREAD, "get_Priority", GET_PRIORITY)?;
    let mut code = with_words();
    put(&mut code, Words::VALUE, |code| {
        code.ldarg(0);
        code.call(priority, 1, true);
        code.conv_i();
    });
    let number = corelib.field(THREAD, "_managedThreadId", sig::INT32).ok();
    put(&mut code, Words::NUMBER, |code| match number {
        Some(number) => {
            code.ldarg(0);
            code.ldfld(number);
            code.conv_i();
        }
        None => {
            code.ldc_i4(0);
            code.conv_i();
        }
    });
    corelib.call(&mut code, occasions::begin)?;
    as_before(code, before, false)
}

fn set_priority(corelib: &CoreLib, before: Plain) -> Written {
    let mut code = with_words();
    let own = code.label();
    put_thread(corelib, &mut code)?;
    put_value(&mut code, 1);
    ask(corelib, &mut code, occasions::set_priority)?;
    word(&mut code, Words::VERDICT);
    code.ldind_i();
    code.brfalse(own);
    code.ret(false);
    code.place(own);
    as_before(code, before, false)
}

fn priority(corelib: &CoreLib, before: Plain) -> Written {
    let mut code = with_words();
    let own = code.label();
    put_thread(corelib, &mut code)?;
    ask(corelib, &mut code, occasions::priority)?;
    get(&mut code, Words::VERDICT);
    code.brfalse(own);
    word(&mut code, Words::VALUE);
    code.ldind_i();
    code.conv_i4();
    code.ret(true);
    code.place(own);
    code.pop();
    as_before(code, before, true)
}

fn culture(corelib: &CoreLib, before: Plain, function: Function<Words>) -> Written {
    let lcid = corelib.method(CULTURE, "get_LCID", &[THIS, 0, sig::INT32])?;
    let marshal = "System.Runtime.InteropServices.Marshal";
    let throw = [0, 1, sig::VOID, sig::INT32];
    let throw = corelib.method(marshal, "ThrowExceptionForHR", &throw)?;
    let mut code = Code::new();
    let own = code.label();
    // The setter rejects null itself.
    code.ldarg(0);
    code.brfalse(own);
    code.localloc(Words::SIZE);
    put(&mut code, Words::VALUE, |code| {
        code.ldarg(0);
        code.callvirt(lcid, 1, true);
        code.conv_i();
    });
    ask(corelib, &mut code, function)?;
    word(&mut code, Words::VERDICT);
    code.ldind_i();
    code.conv_i4();
    code.call(throw, 1, false);
    code.place(own);
    as_before(code, before, false)
}

/// Notifies the host, and ignores its answer.
fn notified(corelib: &CoreLib, before: Plain, function: Function<Words>) -> Written {
    let mut code = Code::new();
    notify(corelib, &mut code, function)?;
    as_before(code, before, false)
}

/// Calls a function that takes no words.
pub(super) fn notify(
    corelib: &CoreLib,
    code: &mut Code,
    function: Function<Words>,
) -> Result<(), String> {
    code.ldc_i4(0);
    code.conv_i();
    corelib.call(code, function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_can_become_an_argument() {
        let class = MdToken(0x0200_0005);
        let join = MethodSig::parse(&[THIS, 1, sig::BOOLEAN, sig::INT32]).unwrap();
        assert_eq!(
            with_this_first(&join, class),
            Some(vec![0, 2, sig::BOOLEAN, sig::CLASS, 5 << 2, sig::INT32])
        );
        let of_type = MethodSig::parse(&[0, 1, sig::VOID, sig::INT32]).unwrap();
        assert_eq!(with_this_first(&of_type, class), None);
    }
}
