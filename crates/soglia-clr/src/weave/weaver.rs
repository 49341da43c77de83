//! A module that is being woven, and the calls that get wrappers in it.

use std::collections::HashMap;

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::metadata_flags::{mdHideBySig, mdPublic, mdStatic},
};
use soglia_core::{crossing::Side, policy::Destination};
use soglia_il::{
    asm::{Code, Hook, Pair},
    sig::{self, MethodSig},
};

use super::{
    emit::{Emitter, NewMethod},
    home::Home,
    hooks::Signatures,
};
use crate::{
    arguments::Subject,
    engine::Engine,
    metadata::{Method, before::Error},
    policy::{Asked, Ruling, Throw},
};

/// What a wrapper does with a forward call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Makes and records it.
    Watched,
    /// Never makes it, and throws an exception instead.
    Refused(Throw),
}

pub(super) const PRESERVE_SIG: u32 = 0x80;
pub(super) const AGGRESSIVE_INLINING: u32 = 0x100;
pub(super) const NO_INLINING: u32 = 0x8;

/// A call that gets a wrapper.
pub struct CallToWeave {
    /// The method that is called.
    pub method: Method,
    /// Its class and name, as stack traces show them.
    pub name: String,
    /// The number by which hooks know the call.
    pub id: u32,
    /// What the wrapper does, if it is a forward call.
    pub manner: Manner,
    /// What to ask before each call, and what to throw if the answer is no.
    pub(super) gate: Option<(&'static Asked, Throw)>,
    /// The function to call instead.
    pub(super) redirect: Option<Destination>,
    /// The engine judges what the call leads to, before the first call.
    pub(super) judged: bool,
    /// The wrapper does not record the call.
    pub(super) unwatched: bool,
    /// The function, if the wrapper can hand over the arguments.
    pub(super) arguments: Option<Subject>,
}

impl CallToWeave {
    /// A call with what a policy says about it. `number` gives an id to a call that is recorded.
    pub fn new(
        method: Method,
        name: &str,
        ruling: Ruling,
        judged: bool,
        number: impl FnOnce(Option<String>) -> u32,
    ) -> Self {
        let id = number(ruling.redirect.as_ref().map(Destination::to_string));
        Self {
            method,
            name: name.replace('+', "."),
            id,
            manner: ruling.refusal.map_or(Manner::Watched, Manner::Refused),
            gate: ruling
                .gate
                .map(|(gate, refusal)| (gate.before(id), refusal)),
            redirect: ruling.redirect,
            judged: judged && method.side == Side::Unmanaged,
            unwatched: ruling.unwatched,
            arguments: None,
        }
    }

    /// Whether its wrapper would not record it.
    pub const fn is_unwatched(&self) -> bool {
        self.unwatched
    }

    /// Whether a policy has a rule for it, which is lost if the call gets no wrapper.
    pub const fn is_ruled(&self) -> bool {
        matches!(self.manner, Manner::Refused(_))
            || self.gate.is_some()
            || self.redirect.is_some()
            || self.judged
    }
}

/// How a wrapper makes its call.
pub(super) enum How {
    /// By the P/Invoke.
    Import,
    /// By the pointer at this address, with this signature.
    Pointer(i64, MdToken),
}

impl How {
    /// Makes the call, with the wrapper's own arguments.
    pub(super) fn call(&self, code: &mut Code, native: MdToken, signature: &MethodSig) {
        let (args, returns) = (signature.args() as u16, !signature.returns_void());
        code.arguments(args);
        match self {
            Self::Import => code.call(native, args, returns),
            Self::Pointer(at, of) => {
                code.ldc_i8(*at);
                code.conv_i();
                code.ldind_i();
                code.calli(*of, args, returns);
            }
        }
    }
}

/// The hooks of P/Invokes and callbacks, which take the id.
pub(super) struct MethodHooks(Signatures);

impl MethodHooks {
    pub(super) fn new(emitter: &mut Emitter) -> Result<Self, Error> {
        Signatures::new(emitter, &[&[sig::INT64]]).map(Self)
    }

    pub(super) fn quick(&self, hook: extern "C" fn(i64) -> i32) -> Hook {
        self.0.quick(hook as usize, None)
    }

    pub(super) fn slow(&self, hook: extern "C" fn(i64) -> i32) -> Hook {
        self.0.slow(hook as usize, None)
    }

    pub(super) fn slow_void(&self, hook: extern "C" fn(i64)) -> Hook {
        self.0.slow_void(hook as usize, None)
    }

    pub(super) fn pair(&self, quick: extern "C" fn(i64) -> i32, slow: extern "C" fn(i64)) -> Pair {
        Pair {
            quick: self.quick(quick),
            slow: self.slow_void(slow),
        }
    }
}

/// Puts wrappers around the calls of one module.
pub(super) struct Weaver<'a> {
    pub(super) emitter: Emitter<'a>,
    pub(super) hooks: MethodHooks,
    /// Added methods with code that is kept apart from the wrapper which calls it.
    pub(super) apart: Vec<MdToken>,
    /// Whether a P/Invoke was added to the module.
    pub(super) has_imports: bool,
    /// How hooks are called that take values.
    pub(super) giving: Option<Signatures>,
    /// The added method that finds out what a thread is working on. `Some(None)`: it could not be
    /// made.
    pub(super) request: Option<Option<MdToken>>,
    /// Added methods that call slow hooks of callbacks, by the hooks' addresses.
    pub(super) out_of_line: Vec<(usize, MdToken)>,
    /// The wrappers beside P/Invokes, in a module that is in use.
    pub(super) beside: HashMap<MdToken, MdToken>,
}

impl<'a> Weaver<'a> {
    pub(super) fn open(
        engine: &'a Engine,
        module: ModuleId,
        is_corelib: bool,
        home: Home,
    ) -> Result<Self, Error> {
        let mut emitter = Emitter::open(engine, module, is_corelib)?;
        emitter.home = home;
        Ok(Self {
            hooks: MethodHooks::new(&mut emitter)?,
            emitter,
            out_of_line: Vec::new(),
            has_imports: false,
            apart: Vec::new(),
            giving: None,
            request: None,
            beside: HashMap::new(),
        })
    }

    /// Adds a method that calls a slow hook. Inline, that call would make the method around it save
    /// all registers.
    pub(super) fn out_of_line(&mut self, hook: extern "C" fn(i64)) -> Result<MdToken, Error> {
        let slow = self.hooks.slow_void(hook);
        self.kept_out_of_line(slow)
    }

    /// The same for a hook that answers.
    pub(super) fn out_of_line_asking(
        &mut self,
        hook: extern "C" fn(i64) -> i32,
    ) -> Result<MdToken, Error> {
        let slow = self.hooks.slow(hook);
        self.kept_out_of_line(slow)
    }

    fn kept_out_of_line(&mut self, slow: Hook) -> Result<MdToken, Error> {
        let known = self.out_of_line.iter();
        if let Some((_, method)) = known.into_iter().find(|(hook, _)| *hook == slow.address) {
            return Ok(*method);
        }
        let class = self.emitter.apart()?;
        let name = format!("soglia$slow{}", self.out_of_line.len());
        let name: Vec<u16> = name.encode_utf16().collect();
        let method = self.emitter.define(&NewMethod {
            class,
            name: &name,
            flags: mdPublic | mdStatic | mdHideBySig,
            impl_flags: NO_INLINING,
            signature: &[
                0,
                1,
                if slow.answers { sig::INT32 } else { sig::VOID },
                sig::INT64,
            ],
            rva: self.emitter.any_rva,
        })?;
        let mut code = Code::new();
        code.ldarg(0);
        code.call_hook(slow);
        code.ret(slow.answers);
        let body = code.finish(None).ok_or(Error::UNWRITABLE)?;
        self.emitter.set_body(method, &body)?;
        self.out_of_line.push((slow.address, method));
        Ok(method)
    }
}
