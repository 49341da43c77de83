//! Has the program's code look whether its task is aborted ([`crate::host::polls`]): where a loop
//! begins again, and at the start of methods that may lead to themselves. Such a method also looks
//! whether there is enough of the stack left, so that an endless recursion ends by an exception.
//!
//! ```text
//!   if (*word != 0) soglia$poll(place)     static void soglia$poll(long place) {
//!                                              if (looks(place) != 0)
//!                                                  Marshal.ThrowExceptionForHR(answers(place))
//!                                          }
//! ```
//!
//! The constructor of a type has its code in another method, and notes while it calls that: an
//! abort would leave the type unusable.

use std::collections::{HashMap, HashSet};

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::metadata_flags::{mdHideBySig, mdPublic, mdStatic},
};
use soglia_core::trace::log::Record;
use soglia_il::{
    asm::Code,
    body::loops::{Polls, has_loops, may_recur, polled},
    sig,
};

use super::{
    emit::NewMethod,
    home::Home,
    runtime,
    weaver::{AGGRESSIVE_INLINING, NO_INLINING, Weaver},
};
use crate::{
    engine::Engine,
    host,
    metadata::{
        before::{Before, Error, is_generic},
        references::member_ref,
    },
    notify::polls,
};

const MEMBER_REF_TABLE: u8 = 0x0A;
const TYPE_REF_TABLE: u8 = 0x01;

/// Has the first `methods` methods of a module poll, without those of these rows. Returns the rows
/// of the methods that have changed.
pub(super) fn weave(
    engine: &Engine,
    module: ModuleId,
    methods: u32,
    without: &HashSet<u32>,
) -> HashSet<u32> {
    let mut changed = HashSet::new();
    let mut failed = None;
    match Poller::open(engine, module) {
        Ok(mut poller) => {
            for row in (1..=methods).filter(|row| !without.contains(row)) {
                match poller.poll(MdToken(0x0600_0000 | row)) {
                    Ok(true) => {
                        changed.insert(row);
                    }
                    Ok(false) => {}
                    Err(why) => failed = Some(why),
                }
            }
        }
        Err(why) => failed = Some(why),
    }
    if let Some(why) = failed {
        let text = format!("some loops cannot be aborted: {why}");
        engine.recording.log(&Record::Remark { text });
    }
    changed
}

/// The code that a method gets at one kind of place, and what it needs of the stack.
type Part = (Vec<u8>, u16);

struct Poller<'a> {
    weaver: Weaver<'a>,
    anywhere: Part,
    to_the_end: Part,
    /// For the start of methods: this, and the look at the stack.
    enter: Part,
    /// The name of the constructors of types.
    constructor: Vec<u16>,
    /// Whether references are to methods of other modules.
    elsewhere: HashMap<MdToken, bool>,
}

impl<'a> Poller<'a> {
    fn open(engine: &'a Engine, module: ModuleId) -> Result<Self, Error> {
        let mut weaver = Weaver::open(engine, module, false, Home::Global)?;
        let emitter = &mut weaver.emitter;
        let helpers = "System.Runtime.CompilerServices.RuntimeHelpers";
        let ensure = "EnsureSufficientExecutionStack";
        let guard = emitter.method_of_corelib(helpers, ensure, &[0, 0, sig::VOID])?;
        let poll = define(&mut weaver)?;
        let part = |place, guard: Option<MdToken>| {
            let mut code = Code::new();
            let on = code.label();
            let word = std::ptr::from_ref(host::polls::word()).expose_provenance();
            code.ldc_i8((word as u64).cast_signed());
            code.conv_i();
            code.volatile();
            code.ldind_i();
            code.brfalse(on);
            code.ldc_i8(place);
            code.call(poll, 1, false);
            code.place(on);
            if let Some(guard) = guard {
                code.call(guard, 0, false);
            }
            code.finish_prefix().ok_or(Error::UNWRITABLE)
        };
        Ok(Self {
            anywhere: part(polls::ANYWHERE, None)?,
            to_the_end: part(polls::TO_THE_END, None)?,
            enter: part(polls::ANYWHERE, Some(guard))?,
            constructor: ".cctor".encode_utf16().collect(),
            weaver,
            elsewhere: HashMap::new(),
        })
    }

    /// Has a method poll. Returns `false` if there is nothing to poll for.
    fn poll(&mut self, method: MdToken) -> Result<bool, Error> {
        let emitter = &self.weaver.emitter;
        let Some(body) = emitter.body(method) else {
            return Ok(false);
        };
        let (import, elsewhere) = (&emitter.import, &mut self.elsewhere);
        let mut is_elsewhere = |token: MdToken| {
            *elsewhere.entry(token).or_insert_with(|| {
                token.table() == MEMBER_REF_TABLE
                    && member_ref(import, token)
                        .is_some_and(|(of, ..)| of.table() == TYPE_REF_TABLE)
            })
        };
        let recurs = may_recur(body, &mut is_elsewhere).ok_or(Error::UNWRITABLE)?;
        if !recurs && !has_loops(body).ok_or(Error::UNWRITABLE)? {
            return Ok(false);
        }
        let before = Before::of(import, method)?;
        let constructs = before.name == self.constructor;
        // A generic type cannot name its own methods by these tokens.
        let keeps = constructs && is_generic(import, before.class);
        let (enter, again) = match keeps {
            true => (&[][..], &self.to_the_end.0),
            false => (&self.enter.0[..], &self.anywhere.0),
        };
        let made = polled(
            body,
            &Polls {
                enter: if recurs { enter } else { &[] },
                again,
                to_the_end: &self.to_the_end.0,
                stack: self.enter.1,
            },
        );
        let body = made.ok_or(Error::UNWRITABLE)?.body;
        if constructs && !keeps {
            self.build(method, &before, &body)?;
        } else {
            self.weaver.emitter.set_body(method, &body)?;
        }
        Ok(true)
    }

    /// Has a constructor of a type call a new method with this body, while no abort comes.
    fn build(&mut self, method: MdToken, before: &Before, body: &[u8]) -> Result<(), Error> {
        let weaver = &mut self.weaver;
        let name: Vec<u16> = "soglia$constructor".encode_utf16().collect();
        let inner = weaver.emitter.define(&NewMethod {
            class: before.class,
            name: &name,
            flags: mdPublic | mdStatic | mdHideBySig,
            impl_flags: AGGRESSIVE_INLINING | NO_INLINING,
            signature: &before.signature,
            rva: weaver.emitter.any_rva,
        })?;
        weaver.emitter.set_body(inner, body)?;
        let mut code = Code::new();
        code.hook_with(0, weaver.hooks.slow_void(polls::build));
        let built = weaver.hooks.slow_void(polls::built);
        let end = |code: &mut Code| code.hook_with(0, built);
        code.watched(None, |code| code.call(inner, 0, false), end);
        end(&mut code);
        code.ret(false);
        let body = code.finish(None).ok_or(Error::UNWRITABLE)?;
        weaver.emitter.set_body(method, &body)
    }
}

/// Adds the method that is called where something is wanted of some task.
fn define(weaver: &mut Weaver) -> Result<MdToken, Error> {
    let throw = runtime::throw_hresult(&mut weaver.emitter)?;
    let class = weaver.emitter.apart()?;
    let name: Vec<u16> = "soglia$poll".encode_utf16().collect();
    let method = weaver.emitter.define(&NewMethod {
        class,
        name: &name,
        flags: mdPublic | mdStatic | mdHideBySig,
        impl_flags: AGGRESSIVE_INLINING | NO_INLINING,
        signature: &[0, 1, sig::VOID, sig::INT64],
        rva: weaver.emitter.any_rva,
    })?;
    let mut code = Code::new();
    let on = code.label();
    code.ldarg(0);
    code.call_hook(weaver.hooks.quick(polls::looks));
    code.brfalse(on);
    code.ldarg(0);
    code.call_hook(weaver.hooks.slow(polls::answers));
    code.call(throw, 1, false);
    code.place(on);
    code.ret(false);
    let body = code.finish(None).ok_or(Error::UNWRITABLE)?;
    weaver.emitter.set_body(method, &body)?;
    Ok(method)
}
