//! A module that is being woven, and the calls that are to be woven around in it.

use soglia_abi::ids::{MdToken, ModuleId};
use soglia_core::{crossing::Side, policy::Destination};
use soglia_il::{
    asm::{Code, Hook, Pair},
    sig::{self, MethodSig},
};

use super::{emit::Emitter, hooks::Signatures};
use crate::{
    engine::Engine,
    metadata::{Method, before::Error},
    policy::{Asked, Ruling, Throw},
};

/// How a forward call is woven around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Told.
    Watched,
    /// Never made: an exception instead.
    Refused(Throw),
}

pub(super) const PRESERVE_SIG: u32 = 0x80;
pub(super) const AGGRESSIVE_INLINING: u32 = 0x100;
pub(super) const NO_INLINING: u32 = 0x8;

/// A call to weave around.
pub struct CallToWeave {
    /// The method.
    pub method: Method,
    /// Type and method, as stack traces shall have them.
    pub(super) name: String,
    /// The number by which hooks know the call.
    pub id: u32,
    /// How, if it is a forward call.
    pub manner: Manner,
    /// Asked before each call, and what is thrown if the answer is no.
    pub(super) gate: Option<(&'static Asked, Throw)>,
    /// What is called instead.
    pub(super) redirect: Option<Destination>,
    /// What it leads to is judged before the first call.
    pub(super) judged: bool,
    /// Nothing else is done.
    pub(super) unwatched: bool,
}

impl CallToWeave {
    /// A call under a policy. `number` gives the id, for a call that goes where it is told.
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
        }
    }

    /// Something must become of it, which is lost if it cannot be woven around.
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
    /// By the pointer that lies at this address, with this signature.
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

/// What is put around the calls of one module.
pub(super) struct Weaver<'a> {
    pub(super) emitter: Emitter<'a>,
    pub(super) hooks: MethodHooks,
    /// Methods that have what is put in front of a call apart from it.
    pub(super) apart: Vec<MdToken>,
    /// A P/Invoke was added to the module.
    pub(super) has_imports: bool,
    /// CallToWeave slow hooks of callbacks, each the one with this address.
    pub(super) out_of_line: Vec<(usize, MdToken)>,
}

impl<'a> Weaver<'a> {
    pub(super) fn open(
        engine: &'a Engine,
        module: ModuleId,
        is_corelib: bool,
    ) -> Result<Self, Error> {
        let mut emitter = Emitter::open(engine, module, is_corelib)?;
        Ok(Self {
            hooks: MethodHooks::new(&mut emitter)?,
            emitter,
            out_of_line: Vec::new(),
            has_imports: false,
            apart: Vec::new(),
        })
    }
}
