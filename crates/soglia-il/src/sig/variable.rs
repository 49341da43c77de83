//! Type parameters in signatures.

use super::{
    element::{METHOD_VARIABLE, TYPE_VARIABLE},
    number::put_unsigned,
};

/// A type parameter, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// One of the type.
    OfType(u32),
    /// One of the method.
    OfMethod(u32),
}

impl Variable {
    /// Appends the parameter as a type.
    ///
    /// Returns `None` if its number cannot be compressed.
    pub fn put(self, out: &mut Vec<u8>) -> Option<()> {
        let (kind, number) = match self {
            Self::OfType(number) => (TYPE_VARIABLE, number),
            Self::OfMethod(number) => (METHOD_VARIABLE, number),
        };
        out.push(kind);
        put_unsigned(out, number)
    }
}
