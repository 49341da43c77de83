//! Signatures of methods, as compilers have written them.

use std::ops::Range;

use super::{
    element::{
        BOOLEAN, EXPLICIT_THIS, INT32, INT64, KIND, KIND_CDECL, KIND_UNMANAGED, KIND_VARARG,
        NATIVE_INT, NATIVE_UINT, POINTER, R8, THIS, UINT32, UINT64, VOID,
    },
    reader::{DEEPEST, Head, Reader},
    variable::Variable,
};

/// The signature of a method, taken apart.
///
/// ```
/// use soglia_il::sig::{INT32, MethodSig, STRING, THIS, VOID};
///
/// // instance void (int32, string)
/// let blob = [THIS, 2, VOID, INT32, STRING];
/// let sig = MethodSig::parse(&blob).unwrap();
/// assert!(sig.returns_void());
/// assert_eq!(sig.param(1), Some(&[STRING][..]));
/// // `this` is an argument, but no parameter.
/// assert_eq!(sig.args(), 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodSig<'a> {
    blob: &'a [u8],
    head: Head,
    ret: Range<usize>,
    params: Vec<Range<usize>>,
    variables: Vec<(Range<usize>, Variable)>,
    tokens: Vec<Range<usize>>,
}

impl<'a> MethodSig<'a> {
    /// Takes a signature apart.
    ///
    /// Returns `None` if the blob is not the signature of a method, or if bytes follow it.
    pub fn parse(blob: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(blob);
        let (mut ret, mut params) = (0..0, Vec::new());
        let head = reader.method(DEEPEST, |index, range| {
            if index == 0 {
                ret = range;
            } else {
                params.push(range);
            }
        })?;
        reader.rest().is_empty().then_some(Self {
            blob,
            head,
            ret,
            params,
            variables: reader.variables,
            tokens: reader.tokens,
        })
    }

    /// The return type, with its modifiers.
    pub fn ret(&self) -> &'a [u8] {
        &self.blob[self.ret.clone()]
    }

    /// The parameter with this index, with its modifiers.
    ///
    /// `this` is a parameter only if the signature lists it.
    pub fn param(&self, index: usize) -> Option<&'a [u8]> {
        self.params
            .get(index)
            .map(|range| &self.blob[range.clone()])
    }

    /// All parameters, with their modifiers.
    pub fn params(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.params.iter().map(|range| &self.blob[range.clone()])
    }

    /// Whether the method returns nothing.
    ///
    /// `void` may have modifiers: they name unmanaged calling conventions.
    pub fn returns_void(&self) -> bool {
        let mut reader = Reader::new(self.ret());
        reader.modifiers().is_some() && reader.peek() == Some(VOID)
    }

    /// Whether the method has a `this`.
    pub fn has_this(&self) -> bool {
        self.head.first & THIS != 0
    }

    /// The number of arguments, as `ldarg` counts them: with `this`.
    pub fn args(&self) -> usize {
        let implicit = self.head.first & (THIS | EXPLICIT_THIS) == THIS;
        self.params.len() + usize::from(implicit)
    }

    /// Whether the method is called as native code is.
    pub fn is_unmanaged(&self) -> bool {
        is_unmanaged(self.head.first)
    }

    /// The number of type parameters that the method itself has.
    pub fn generic(&self) -> u32 {
        self.head.generic
    }

    /// Whether this is an ordinary static method: no `this`, no type parameters, the managed
    /// calling convention, and no more arguments than it declares.
    pub fn is_plain(&self) -> bool {
        self.head.first == 0
    }

    /// The type parameters that occur in the signature, each once and in order.
    pub fn variables(&self) -> Vec<Variable> {
        let variables = self.variables.iter().map(|(_, variable)| *variable);
        let mut all: Vec<_> = variables.collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The signature without its tokens. Those of a method and of a reference to it from another
    /// module differ in nothing else.
    pub fn shape(&self) -> Vec<u8> {
        let (mut out, mut from) = (Vec::new(), 0);
        for token in &self.tokens {
            out.extend(&self.blob[from..token.start]);
            from = token.end;
        }
        out.extend(&self.blob[from..]);
        out
    }

    /// The same signature within a generic method whose type parameters stand for `standing`.
    ///
    /// Returns `None` if the signature has a type parameter that `standing` does not list.
    pub fn with_variables(&self, standing: &[Variable]) -> Option<Vec<u8>> {
        let (mut out, mut from) = (Vec::new(), 0);
        for (range, variable) in &self.variables {
            out.extend(&self.blob[from..range.start]);
            let number = standing.iter().position(|standing| standing == variable)?;
            Variable::OfMethod(u32::try_from(number).ok()?).put(&mut out)?;
            from = range.end;
        }
        out.extend(&self.blob[from..]);
        Some(out)
    }
}

/// Whether the first byte of a signature says that native code is called.
pub const fn is_unmanaged(first: u8) -> bool {
    matches!(first & KIND, KIND_CDECL..KIND_VARARG | KIND_UNMANAGED)
}

/// Whether `blob` is the signature of a native function that takes one pointer and is called in
/// preemptive mode, as C functions are.
///
/// Returns whether the function returns something, which then fits a register.
/// Returns `None` for all other signatures.
pub fn takes_pointer(blob: &[u8]) -> Option<bool> {
    // A modifier of the return type could say anything about the convention, so there may be none.
    let [KIND_CDECL | KIND_UNMANAGED, 1, types @ ..] = blob else {
        return None;
    };
    let (returns, param) = match types {
        [VOID, param @ ..] => (false, param),
        [
            INT32 | UINT32 | INT64 | UINT64 | NATIVE_INT | NATIVE_UINT,
            param @ ..,
        ] => (true, param),
        [POINTER, VOID, param @ ..] => (true, param),
        _ => return None,
    };
    let is_pointer = matches!(
        param,
        [NATIVE_INT | NATIVE_UINT] | [POINTER, VOID | BOOLEAN..=R8]
    );
    is_pointer.then_some(returns)
}

/// Splits a type behind its modifiers into its first byte and the bytes that follow.
///
/// Returns `None` if nothing follows the modifiers, or if they are broken.
pub fn strip(of: &[u8]) -> Option<(u8, &[u8])> {
    let mut reader = Reader::new(of);
    reader.modifiers()?;
    let (kind, rest) = reader.rest().split_first()?;
    Some((*kind, rest))
}
