//! Changes methods of CoreLib's thread pool: they ask the engine first, if the host has a thread
//! pool ([`crate::notify::pool`]).
//!
//! ```text
//!   void ThreadPool.RequestWorkerThread() {     bool ThreadPool.SetMaxThreads(int n, int io) {
//!       if (request(0) != 0) return                 v = set_most(n)
//!       as it was                                   if (v != 0) return v == 1
//!   }                                               as it was
//!                                               }
//!   void ThreadPool.GetMaxThreads(              bool PortableThreadPool.NotifyWorkItemComplete(
//!           out int n, out int io) {                    object count, int now) {
//!       as it was                                   if (is_lent(0) != 0) {
//!       v = most(0)                                     Increment(count)
//!       if (v >= 0) n = v                               return true
//!   }                                               }
//!                                                   as it was
//!                                               }
//! ```
//!
//! The pool counts its own threads as they look for work, and has some of them stop. A thread of
//! the host is not among them.

use soglia_abi::ids::MdToken;
use soglia_il::{asm::Code, body::prefix::with_prefix, sig};

use super::{
    changed::Done,
    corelib::{CoreLib, Function, finish},
};
use crate::notify::pool::{self, Number};

const POOL: &str = "System.Threading.ThreadPool";
const OWN_POOL: &str = "System.Threading.PortableThreadPool";
const COUNTER: &str = "System.Threading.ThreadInt64PersistentCounter";

const SET: &[u8] = &[0, 2, sig::BOOLEAN, sig::INT32, sig::INT32];
const GET: &[u8] = &[
    0,
    2,
    sig::VOID,
    sig::BYREF,
    sig::INT32,
    sig::BYREF,
    sig::INT32,
];

pub(super) fn take_over(corelib: &CoreLib, done: &mut Done) {
    let mut changed = Vec::new();
    match change(corelib, &mut changed) {
        Ok(()) => done.changed.extend(changed),
        Err(why) => {
            let missing = format!("its host gets no work of the thread pool: {why}");
            done.missing.push(missing);
        }
    }
}

/// Notes the rows of the methods. All that might be missing is looked up before a thread of the
/// host can be asked for.
fn change(corelib: &CoreLib, changed: &mut Vec<u32>) -> Result<(), String> {
    let mut note = |method: MdToken| changed.push(method.row());
    note(completes(corelib)?);
    note(blocked(corelib)?);
    for (name, function) in [
        ("SetMaxThreads", pool::set_most as Function<Number>),
        ("SetMinThreads", pool::set_least),
    ] {
        note(sets(corelib, name, function)?);
    }
    for (name, function) in [
        ("GetMaxThreads", pool::most as Function<Number>),
        ("GetMinThreads", pool::least),
        ("GetAvailableThreads", pool::available),
    ] {
        note(gets(corelib, name, function)?);
    }
    let request = corelib.method(POOL, "RequestWorkerThread", &[0, 0, sig::VOID])?;
    let mut code = Code::new();
    let own = code.label();
    ask(corelib, &mut code, pool::request)?;
    code.brfalse(own);
    code.ret(false);
    code.place(own);
    put_before(corelib, request, code, false)?;
    note(request);
    Ok(())
}

/// Leaves the answer of a function that takes nothing on the stack.
fn ask(corelib: &CoreLib, code: &mut Code, function: Function<Number>) -> Result<(), String> {
    code.ldc_i4(0);
    code.conv_i();
    corelib.call_with_result(code, function)
}

/// Puts code in front of a method.
fn put_before(
    corelib: &CoreLib,
    method: MdToken,
    mut code: Code,
    returns: bool,
) -> Result<(), String> {
    let body = match corelib.body(method) {
        Ok(before) => {
            code.inlined(before.code, before.stack, returns.into());
            code.ret(returns);
            finish(code, before.locals)?
        }
        // It has protected blocks.
        Err(why) => {
            let (prefix, stack) = code.finish_prefix().ok_or_else(|| why.clone())?;
            let body = corelib.whole_body(method).ok_or_else(|| why.clone())?;
            with_prefix(body, 0, &prefix, stack).ok_or(why)?
        }
    };
    corelib.set_body(method, &body)
}

fn completes(corelib: &CoreLib) -> Result<MdToken, String> {
    let signature = [sig::THIS, 2, sig::BOOLEAN, sig::OBJECT, sig::INT32];
    let method = corelib.method(OWN_POOL, "NotifyWorkItemComplete", &signature)?;
    let count = corelib.method(COUNTER, "Increment", &[0, 1, sig::VOID, sig::OBJECT])?;
    let mut code = Code::new();
    let own = code.label();
    ask(corelib, &mut code, pool::is_lent)?;
    code.brfalse(own);
    code.ldarg(1);
    code.call(count, 1, false);
    code.ldc_i4(1);
    code.ret(true);
    code.place(own);
    put_before(corelib, method, code, true)?;
    Ok(method)
}

/// The pool replaces threads of its own that wait.
fn blocked(corelib: &CoreLib) -> Result<MdToken, String> {
    let signature = [sig::THIS, 0, sig::BOOLEAN];
    let method = corelib.method(OWN_POOL, "NotifyThreadBlocked", &signature)?;
    let mut code = Code::new();
    let own = code.label();
    ask(corelib, &mut code, pool::is_lent)?;
    code.brfalse(own);
    code.ldc_i4(0);
    code.ret(true);
    code.place(own);
    put_before(corelib, method, code, true)?;
    Ok(method)
}

fn sets(corelib: &CoreLib, name: &str, function: Function<Number>) -> Result<MdToken, String> {
    let method = corelib.method(POOL, name, SET)?;
    let mut code = Code::new();
    let own = code.label();
    code.ldarg(0);
    code.conv_i();
    corelib.call_with_result(&mut code, function)?;
    code.dup();
    code.brfalse(own);
    code.ldc_i4(1);
    code.ceq();
    code.ret(true);
    code.place(own);
    code.pop();
    put_before(corelib, method, code, true)?;
    Ok(method)
}

fn gets(corelib: &CoreLib, name: &str, function: Function<Number>) -> Result<MdToken, String> {
    let method = corelib.method(POOL, name, GET)?;
    let before = corelib.body(method)?;
    let mut code = Code::new();
    let hosts = code.label();
    code.inlined(before.code, before.stack, 0);
    code.ldarg(0);
    ask(corelib, &mut code, function)?;
    code.dup();
    code.ldc_i4(0);
    code.bge(hosts);
    code.pop();
    code.pop();
    code.ret(false);
    code.place(hosts);
    code.stind_i4();
    code.ret(false);
    corelib.set_body(method, &finish(code, before.locals)?)?;
    Ok(method)
}
