//! Types that are no rows of TypeDef or TypeRef (ECMA-335, II.23.2.14).

use soglia_abi::ids::MdToken;

use super::{
    element::{
        ARRAY, BOOLEAN, CLASS, INSTANCE, METHOD_VARIABLE, NATIVE_INT, NATIVE_UINT, SHAPED_ARRAY,
        STRING, TYPE_VARIABLE, VALUE_TYPE,
    },
    number::{type_token, unsigned},
};

/// What a TypeSpec stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeSpec {
    /// An instance of a generic type.
    Instance(MdToken, Arguments),
    /// An array.
    Array,
    /// A type parameter.
    Variable,
}

/// The arguments of an instance of a generic type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// All are numbers and strings.
    Plain,
    /// All are numbers, strings and type parameters; at least one is a type parameter.
    Variables,
    /// At least one is something else.
    Others,
}

impl TypeSpec {
    /// Reads the signature of a TypeSpec.
    ///
    /// Returns `None` if it stands for something else, a pointer for example.
    pub fn parse(blob: &[u8]) -> Option<Self> {
        match blob {
            [INSTANCE, CLASS | VALUE_TYPE, rest @ ..] => {
                let (_, length) = unsigned(rest)?;
                let arguments = arguments(&rest[length..]).unwrap_or(Arguments::Others);
                Some(Self::Instance(type_token(rest)?, arguments))
            }
            [SHAPED_ARRAY | ARRAY, ..] => Some(Self::Array),
            [TYPE_VARIABLE | METHOD_VARIABLE, ..] => Some(Self::Variable),
            _ => None,
        }
    }
}

/// Reads a number of types, then those. Returns `None` as soon as one is something else.
fn arguments(of: &[u8]) -> Option<Arguments> {
    let (count, length) = unsigned(of)?;
    let (mut rest, mut found) = (&of[length..], Arguments::Plain);
    for _ in 0..count {
        let (kind, behind) = rest.split_first()?;
        rest = match *kind {
            BOOLEAN..=STRING | NATIVE_INT | NATIVE_UINT => behind,
            TYPE_VARIABLE | METHOD_VARIABLE => {
                found = Arguments::Variables;
                &behind[unsigned(behind)?.1..]
            }
            _ => return None,
        };
    }
    Some(found)
}
