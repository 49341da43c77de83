//! Precompiled instances of generic methods, and the P/Invokes that they reach around their
//! wrappers.
//!
//! An entry of the table has the signature of a method, and behind it what an entry of a method
//! without type parameters has.

use soglia_abi::ids::MdToken;

use super::{
    image::{Image, Inlined},
    native::hash_table,
};
use crate::sig::{self, unsigned};

/// Flags of the signature of a method.
const METHOD_INSTANCE: u32 = 0x04;
const SLOT: u32 = 0x08;
const MEMBER_REF: u32 = 0x10;
const CONSTRAINED: u32 = 0x20;
const OWNER: u32 = 0x40;
const OTHER_MODULE: u32 = 0x80;

/// Elements of types that only signatures in images have.
const VARIABLE: u8 = 0x3B;
const NATIVE_VALUE: u8 = 0x3D;
const CANON: u8 = 0x3E;
const MODULE: u8 = 0x3F;

/// Modifiers.
const REQUIRED: u8 = 0x1F;
const OPTIONAL: u8 = 0x20;

/// How deep types nest.
const DEEPEST: u32 = 64;

/// The generic method of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Generic {
    /// A method that this module defines, or refers to.
    Here(MdToken),
    /// A method that another module defines or refers to.
    Elsewhere,
}

impl Image<'_> {
    /// The methods that have precompiled instances which fetch the native function of a `wrapped`
    /// P/Invoke, or of which that is not known. The order and repetitions mean nothing.
    ///
    /// Returns `None` if the table cannot be read.
    pub fn instances_inlining(&self, wrapped: &dyn Fn(MdToken) -> bool) -> Option<Vec<Generic>> {
        let table = self.header.instances;
        if table.is_empty() {
            return Some(Vec::new());
        }
        let mut found = Vec::new();
        for entry in hash_table(table)? {
            let entry = entry?;
            let (generic, length) = method(table.get(entry..)?)?;
            let looked = self.look(table, entry.checked_add(length)?, wrapped);
            if looked != Some(Inlined::No) {
                found.push(generic);
            }
        }
        Some(found)
    }

    /// How many instances there are. `None`: the table cannot be read.
    pub fn instances(&self) -> Option<usize> {
        if self.header.instances.is_empty() {
            return Some(0);
        }
        let mut entries = hash_table(self.header.instances)?;
        entries.try_fold(0, |count, entry| entry.map(|_| count + 1))
    }
}

/// The method that a signature names, and the length of the signature.
fn method(bytes: &[u8]) -> Option<(Generic, usize)> {
    let mut reader = Skip(bytes);
    let flags = reader.number()?;
    if flags & SLOT != 0 {
        return None;
    }
    let elsewhere = flags & OTHER_MODULE != 0 && reader.number()? != 0;
    if flags & OWNER != 0 {
        reader.of_type(0)?;
    }
    let row = reader.number().filter(|row| *row >> 24 == 0)?;
    if flags & METHOD_INSTANCE != 0 {
        for _ in 0..reader.number()? {
            reader.of_type(0)?;
        }
    }
    if flags & CONSTRAINED != 0 {
        reader.of_type(0)?;
    }
    let table = if flags & MEMBER_REF != 0 {
        0x0A00_0000
    } else {
        0x0600_0000
    };
    let generic = if elsewhere {
        Generic::Elsewhere
    } else {
        Generic::Here(MdToken(table | row))
    };
    Some((generic, bytes.len() - reader.0.len()))
}

/// Reads over a signature.
struct Skip<'a>(&'a [u8]);

impl Skip<'_> {
    fn number(&mut self) -> Option<u32> {
        let (number, length) = unsigned(self.0)?;
        self.0 = self.0.get(length..)?;
        Some(number)
    }

    fn of_type(&mut self, depth: u32) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        let (kind, rest) = self.0.split_first()?;
        self.0 = rest;
        match *kind {
            sig::VOID..=sig::STRING
            | sig::TYPED_REFERENCE
            | sig::NATIVE_INT
            | sig::NATIVE_UINT
            | sig::OBJECT
            | CANON => {}
            sig::POINTER | sig::BYREF | sig::ARRAY | NATIVE_VALUE => self.of_type(depth + 1)?,
            sig::VALUE_TYPE | sig::CLASS | sig::TYPE_VARIABLE | sig::METHOD_VARIABLE | VARIABLE => {
                self.number()?;
            }
            sig::SHAPED_ARRAY => {
                self.of_type(depth + 1)?;
                self.number()?;
                // The sizes, and the lower bounds.
                for _ in 0..2 {
                    for _ in 0..self.number()? {
                        self.number()?;
                    }
                }
            }
            sig::INSTANCE => {
                self.of_type(depth + 1)?;
                for _ in 0..self.number()? {
                    self.of_type(depth + 1)?;
                }
            }
            sig::FUNCTION => {
                self.number()?;
                // The parameters, and the result.
                for _ in 0..=self.number()? {
                    self.of_type(depth + 1)?;
                }
            }
            REQUIRED | OPTIONAL | MODULE => {
                self.number()?;
                self.of_type(depth + 1)?;
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_names_a_method_of_this_module_or_of_another() {
        let own = MdToken(0x0600_0005);
        // M<int, class 7>
        assert_eq!(
            method(&[0x04, 5, 2, 0x08, 0x12, 7 << 2]),
            Some((Generic::Here(own), 6))
        );
        // valuetype 7<module 2 class 3>.M, and something behind it
        let owner = [0x40, 0x15, 0x11, 7 << 2, 1, 0x3F, 2, 0x12, 3 << 2, 5, 0xFF];
        assert_eq!(method(&owner), Some((Generic::Here(own), 10)));
        // Flags are a number, which takes two bytes from 0x80 on.
        assert_eq!(method(&[0x80, 0x80, 1, 5]), Some((Generic::Elsewhere, 4)));
        assert_eq!(method(&[0x80, 0x80, 0, 5]), Some((Generic::Here(own), 4)));
        assert_eq!(
            method(&[0x10, 5]),
            Some((Generic::Here(MdToken(0x0A00_0005)), 2))
        );
        // A slot, a type that no image has, one that does not end.
        for broken in [&[0x08, 5][..], &[0x40, 0x7F, 5], &[0x04, 5, 1, 0x15]] {
            assert_eq!(method(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn types_nest_to_a_limit() {
        let nested = |depth: usize| [&[0x40][..], &vec![0x1D; depth], &[0x08, 5]].concat();
        assert!(method(&nested(60)).is_some());
        assert_eq!(method(&nested(70)), None);
    }
}
