//! The names and types of the parameters of a call.

use soglia_abi::{ids::MdToken, profiler::metadata_flags::pmSupportsLastError};
use soglia_il::sig::{self, MethodSig, type_token};

use crate::{
    engine::Engine,
    metadata::{
        Scope,
        before::{Before, ImportMap, names_of_parameters},
    },
    types::{Enumeration, Type},
};

/// What is known of the parameters of a call.
#[derive(Debug)]
pub(super) struct Details {
    pub(super) parameters: Vec<Detail>,
    pub(super) returned: Option<Shape>,
    /// The call is made by code that `LibraryImport` has generated, and that asks for errno.
    pub(super) asks_errno: bool,
}

/// A parameter.
#[derive(Debug)]
pub(super) struct Detail {
    pub(super) name: String,
    pub(super) shape: Shape,
}

/// How a value is shown.
#[derive(Debug)]
pub(super) enum Shape {
    Signed,
    Unsigned,
    Bool,
    Char,
    Float,
    Pointer,
    /// A pointer to text in UTF-8 that ends with a zero.
    Utf8,
    /// The same in UTF-16.
    Utf16,
    /// A number that has a name.
    Enumerated(Enumeration),
    /// A value of which only the type is shown.
    Other(String),
}

impl Details {
    /// Reads them. On an engine thread.
    pub(super) fn read(engine: &Engine, scope: &Scope, method: MdToken) -> Option<Self> {
        let inner = Before::of(scope.itself(), method).ok()?;
        // The program declares another method, for which this one was generated.
        let outer = scope.generated_for(method, &inner);
        let asks_errno = outer.as_ref().is_some_and(|(.., asks)| *asks);
        let asks_itself = ImportMap::of(scope.itself(), method)
            .is_ok_and(|import| import.flags & pmSupportsLastError != 0);
        let signature = MethodSig::parse(&inner.signature)?;
        let names = names_of_parameters(
            scope.itself(),
            outer.as_ref().map_or(method, |(outer, ..)| *outer),
        );
        let declared = outer.as_ref().map(|(_, before, _)| &*before.signature);
        let declared = declared.and_then(MethodSig::parse);
        let shape = |of: &[u8], declared: Option<&[u8]>| shape(engine, scope, of, declared);
        let parameters = signature.params().enumerate().map(|(n, of)| Detail {
            name: names
                .get(n)
                .cloned()
                .flatten()
                .unwrap_or_else(|| format!("#{}", n + 1)),
            shape: shape(of, declared.as_ref().and_then(|of| of.param(n))),
        });
        Some(Self {
            parameters: parameters.collect(),
            returned: (!signature.returns_void())
                .then(|| shape(signature.ret(), declared.as_ref().map(MethodSig::ret))),
            asks_errno: asks_errno && !asks_itself,
        })
    }
}

fn shape(engine: &Engine, scope: &Scope, of: &[u8], declared: Option<&[u8]>) -> Shape {
    let other = || Shape::Other(scope.shown(declared.unwrap_or(of), 0));
    let Some((mut kind, mut rest)) = sig::strip(of) else {
        return other();
    };
    if kind == sig::BYREF
        && let Some(inner) = sig::strip(rest)
    {
        (kind, rest) = inner;
    }
    let declared = declared.and_then(sig::strip).map(|(kind, _)| kind);
    match (kind, declared) {
        (0x04..=sig::UINT32, Some(sig::BOOLEAN)) | (sig::BOOLEAN, _) => Shape::Bool,
        (sig::CHARACTER, _) => Shape::Char,
        (0x04 | 0x06 | sig::INT32 | sig::INT64, _) => Shape::Signed,
        (0x05 | 0x07 | sig::UINT32 | sig::UINT64, _) => Shape::Unsigned,
        (sig::R4 | sig::R8, _) => Shape::Float,
        (sig::POINTER, Some(sig::STRING)) => match rest.first() {
            Some(0x04 | 0x05) => Shape::Utf8,
            Some(0x07 | &sig::CHARACTER) => Shape::Utf16,
            _ => Shape::Pointer,
        },
        (sig::POINTER | sig::FUNCTION | sig::NATIVE_INT | sig::NATIVE_UINT, _) => Shape::Pointer,
        (sig::VALUE_TYPE, _) => {
            let found = type_token(rest).and_then(|of| Type::of(engine, scope.itself(), of));
            let enumeration = found.and_then(|of| of.enumeration());
            enumeration.map_or_else(other, Shape::Enumerated)
        }
        _ => other(),
    }
}
