//! Reads signatures from the front.

use std::ops::Range;

use super::{
    element::{
        ARRAY, BOOLEAN, BYREF, CLASS, CMOD_OPT, CMOD_REQD, FUNCTION, GENERIC, INSTANCE, KIND,
        KIND_UNMANAGED, KIND_VARARG, METHOD_VARIABLE, NATIVE_INT, NATIVE_UINT, NO_METHOD, OBJECT,
        PINNED, POINTER, SENTINEL, SHAPED_ARRAY, STRING, TYPE_VARIABLE, TYPED_REFERENCE,
        VALUE_TYPE, VOID,
    },
    number::{token_of, unsigned},
    variable::Variable,
};

/// How deep types may nest.
/// The CLR reads by recursion as well, and compilers stay far below.
pub(super) const DEEPEST: u32 = 64;

/// The head of the signature of a method: what precedes its types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) first: u8,
    /// The number of type parameters.
    pub(super) generic: u32,
}

/// Bytes of a signature, and how many of them are read.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The type parameters that were read, with their places.
    pub(super) variables: Vec<(Range<usize>, Variable)>,
    /// The places of the tokens that were read.
    pub(super) tokens: Vec<Range<usize>>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            variables: Vec::new(),
            tokens: Vec::new(),
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The bytes that are not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn number(&mut self) -> Option<u32> {
        let (number, bytes) = unsigned(self.rest())?;
        self.at += bytes;
        Some(number)
    }

    /// Reads how many things follow, of which each takes a byte at least.
    ///
    /// A count greater than the bytes that are left is refused here:
    /// reading up to the end would find it out too, but could take long.
    fn count(&mut self) -> Option<u32> {
        let count = self.number()?;
        (usize::try_from(count).ok()? <= self.rest().len()).then_some(count)
    }

    /// Reads a TypeDef, TypeRef or TypeSpec. Row 0 is no type.
    fn type_token(&mut self) -> Option<()> {
        let start = self.at;
        let token = token_of(self.number()?)?;
        self.tokens.push(start..self.at);
        (!token.is_nil()).then_some(())
    }

    pub(super) fn modifiers(&mut self) -> Option<()> {
        while matches!(self.peek(), Some(CMOD_REQD | CMOD_OPT)) {
            self.at += 1;
            self.type_token()?;
        }
        Some(())
    }

    /// Reads one whole type. `void`: whether the type may be `void`, as a return type may;
    /// behind a pointer it always may.
    fn any_type(&mut self, mut void: bool, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        loop {
            match self.byte()? {
                VOID => return void.then_some(()),
                BOOLEAN..=STRING | TYPED_REFERENCE | NATIVE_INT | NATIVE_UINT | OBJECT => {
                    return Some(());
                }
                // The modified type follows, and may be `void` if this one might.
                CMOD_REQD | CMOD_OPT => self.type_token()?,
                POINTER => void = true,
                BYREF | ARRAY | PINNED => void = false,
                VALUE_TYPE | CLASS => return self.type_token(),
                kind @ (TYPE_VARIABLE | METHOD_VARIABLE) => {
                    let start = self.at - 1;
                    let number = self.number()?;
                    let variable = match kind {
                        TYPE_VARIABLE => Variable::OfType(number),
                        _ => Variable::OfMethod(number),
                    };
                    self.variables.push((start..self.at, variable));
                    return Some(());
                }
                SHAPED_ARRAY => {
                    self.any_type(false, depth)?;
                    // The rank.
                    self.number()?;
                    // Sizes, then lower bounds. The bounds have a sign, but take as many bytes.
                    for _ in 0..2 {
                        for _ in 0..self.count()? {
                            self.number()?;
                        }
                    }
                    return Some(());
                }
                INSTANCE => {
                    if !matches!(self.byte()?, VALUE_TYPE | CLASS) {
                        return None;
                    }
                    self.type_token()?;
                    for _ in 0..self.count()? {
                        self.any_type(false, depth)?;
                    }
                    return Some(());
                }
                FUNCTION => return self.method(depth, |_, _| ()).map(drop),
                // Types by address (0x21, 0x22) are only in signatures that the CLR makes at run
                // time.
                _ => return None,
            }
        }
    }

    /// Reads the signature of a method.
    /// Calls `types` with 0 and the place of the return type, then with 1 and the place of the
    /// first parameter, and so on.
    pub(super) fn method(
        &mut self,
        depth: u32,
        mut types: impl FnMut(usize, Range<usize>),
    ) -> Option<Head> {
        let first = self.byte()?;
        if !matches!(first & KIND, 0..=KIND_VARARG | KIND_UNMANAGED) || first & NO_METHOD != 0 {
            return None;
        }
        let generic = match first & GENERIC {
            0 => 0,
            _ => self.number()?,
        };
        let count = self.count()?;
        for index in 0..=count as usize {
            // The sentinel precedes a parameter and is no part of it.
            if index != 0 && first & KIND == KIND_VARARG && self.peek() == Some(SENTINEL) {
                self.at += 1;
            }
            let start = self.at;
            self.any_type(index == 0, depth)?;
            types(index, start..self.at);
        }
        Some(Head { first, generic })
    }
}
