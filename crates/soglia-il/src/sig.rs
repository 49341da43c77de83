//! Signatures: reading those of methods, writing those of hooks and of local variables (ECMA-335, II.23.2).
//!
//! A wrapper keeps the return type and the parameters of what it wraps, byte for byte: they are cut out, not understood.
//! Nothing that a blob says is believed. What is not a method's signature from the first byte to the last is no signature.

use std::ops::Range;

use soglia_abi::ids::MdToken;

/// `bool`.
pub const BOOLEAN: u8 = 0x02;
/// `ELEMENT_TYPE_CHAR`
pub const CHARACTER: u8 = 0x03;
/// `int32`, as a type of its own.
pub const INT32: u8 = 0x08;
/// `int64`.
pub const INT64: u8 = 0x0A;
/// `native int`.
pub const NATIVE_INT: u8 = 0x18;
/// `string`.
pub const STRING: u8 = 0x0E;
/// `void`.
pub const VOID: u8 = 0x01;
/// `float32`.
pub const R4: u8 = 0x0C;
/// `float64`.
pub const R8: u8 = 0x0D;
/// A pointer; to what, follows.
pub const POINTER: u8 = 0x0F;
/// A value type; which one, follows.
pub const VALUE_TYPE: u8 = 0x11;
/// A class; which one, follows.
pub const CLASS: u8 = 0x12;
/// An instance of a generic type; of which, follows.
pub const INSTANCE: u8 = 0x15;
/// A reference with its type.
pub const TYPED_REFERENCE: u8 = 0x16;
/// An array that begins with 0; of what, follows.
pub const ARRAY: u8 = 0x1D;
/// `object`.
pub const OBJECT: u8 = 0x1C;
/// A type parameter of the type; which one, follows.
pub const TYPE_VARIABLE: u8 = 0x13;
/// A type parameter of the method; which one, follows.
pub const METHOD_VARIABLE: u8 = 0x1E;

/// A custom modifier that must be understood, and one that need not be.
const CMOD_REQD: u8 = 0x1F;
const CMOD_OPT: u8 = 0x20;
/// Where the arguments of a vararg call begin that the callee does not declare.
const SENTINEL: u8 = 0x41;

/// The first byte of a field's signature.
pub const FIELD: u8 = 0x06;
/// A signature's first byte, of methods that have a `this`.
pub const THIS: u8 = 0x20;

/// The low bits of a signature's first byte say of what it is.
const KIND: u8 = 0x0F;
const KIND_CDECL: u8 = 0x01;
const KIND_VARARG: u8 = 0x05;
const KIND_LOCALS: u8 = 0x07;
const KIND_INSTANCE: u8 = 0x0A;
const KIND_UNMANAGED: u8 = 0x09;
/// The high bits of a method's first byte.
const GENERIC: u8 = 0x10;
const HAS_THIS: u8 = 0x20;
const EXPLICIT_THIS: u8 = 0x40;

/// The greatest number that can be compressed.
const MOST: u32 = 0x1FFF_FFFF;

/// Types within types that are followed. The CLR reads by recursion as well, and compilers stay far below.
const DEEPEST: u32 = 64;

/// Bytes, read from the front.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Type variables that were met.
    variables: Vec<(Range<usize>, Variable)>,
}

/// A type parameter: its number among those of the type, or of the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// Of the type.
    OfType(u32),
    /// Of the method.
    OfMethod(u32),
}

impl Variable {
    /// Writes it as a type.
    pub fn put(self, out: &mut Vec<u8>) -> Option<()> {
        let (kind, number) = match self {
            Self::OfType(number) => (TYPE_VARIABLE, number),
            Self::OfMethod(number) => (METHOD_VARIABLE, number),
        };
        out.push(kind);
        put_unsigned(out, number)
    }
}

impl<'a> Reader<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            variables: Vec::new(),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn number(&mut self) -> Option<u32> {
        let (number, bytes) = unsigned(&self.bytes[self.at..])?;
        self.at += bytes;
        Some(number)
    }

    /// A number of things of which each takes a byte at least: a greater one is a lie, and would take long to find out.
    fn count(&mut self) -> Option<u32> {
        self.number()
            .filter(|count| usize::try_from(*count).is_ok_and(|count| count <= self.left()))
    }

    /// A TypeDef, TypeRef or TypeSpec. The fourth tag is nobody's, and row 0 is no type.
    fn type_token(&mut self) -> Option<()> {
        self.number()
            .filter(|coded| coded & 3 != 3 && coded >> 2 != 0)
            .map(drop)
    }

    fn modifiers(&mut self) -> Option<()> {
        while matches!(self.peek(), Some(CMOD_REQD | CMOD_OPT)) {
            self.at += 1;
            self.type_token()?;
        }
        Some(())
    }

    /// One type with all that belongs to it. `void` is one only where nothing is returned, and behind a pointer.
    fn any_type(&mut self, mut void: bool, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        loop {
            match self.byte()? {
                VOID => return void.then_some(()),
                // bool, char, the numbers, string; typedref; native int, native uint; object
                0x02..=0x0E | 0x16 | 0x18 | 0x19 | 0x1C => return Some(()),
                // modifiers: what they modify follows, void or not as before
                CMOD_REQD | CMOD_OPT => self.type_token()?,
                // pointer
                0x0F => void = true,
                // byref, single-dimensional array, pinned
                0x10 | 0x1D | 0x45 => void = false,
                // value type, class
                0x11 | 0x12 => return self.type_token(),
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
                // array: element, rank, sizes, lower bounds (these are signed, but as long)
                0x14 => {
                    self.any_type(false, depth)?;
                    self.number()?;
                    for _ in 0..2 {
                        for _ in 0..self.count()? {
                            self.number()?;
                        }
                    }
                    return Some(());
                }
                // instance of a generic type: class or value type, which, arguments
                0x15 => {
                    if !matches!(self.byte()?, 0x11 | 0x12) {
                        return None;
                    }
                    self.type_token()?;
                    for _ in 0..self.count()? {
                        self.any_type(false, depth)?;
                    }
                    return Some(());
                }
                // function pointer
                0x1B => return self.method(depth, |_, _| ()).map(drop),
                // Types by address (0x21, 0x22) are only in signatures that the CLR makes at run time.
                _ => return None,
            }
        }
    }

    /// A method's signature; `types` hears where the return type is, then the parameters.
    fn method(&mut self, depth: u32, mut types: impl FnMut(usize, Range<usize>)) -> Option<Head> {
        let first = self.byte()?;
        if !matches!(first & KIND, 0..=KIND_VARARG | KIND_UNMANAGED) || first & 0x80 != 0 {
            return None;
        }
        let generic = if first & GENERIC != 0 {
            self.number()?
        } else {
            0
        };
        let count = self.count()?;
        for index in 0..=count as usize {
            // It precedes a parameter and is no part of it.
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

/// What a method's signature says before its types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    first: u8,
    generic: u32,
}

/// The signature of a method, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodSig<'a> {
    blob: &'a [u8],
    head: Head,
    ret: Range<usize>,
    params: Vec<Range<usize>>,
    variables: Vec<(Range<usize>, Variable)>,
}

impl<'a> MethodSig<'a> {
    /// Takes a signature apart; `None` if it is none, or has anything behind it.
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
        (reader.left() == 0).then_some(Self {
            blob,
            head,
            ret,
            params,
            variables: reader.variables,
        })
    }

    /// The return type, with its modifiers.
    pub fn ret(&self) -> &'a [u8] {
        &self.blob[self.ret.clone()]
    }

    /// A parameter, with its modifiers. `this` is none, unless it is explicit.
    pub fn param(&self, index: usize) -> Option<&'a [u8]> {
        self.params
            .get(index)
            .map(|range| &self.blob[range.clone()])
    }

    /// All parameters.
    pub fn params(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.params.iter().map(|range| &self.blob[range.clone()])
    }

    /// Whether it returns nothing. `void` may have modifiers: those of an unmanaged calling convention are there.
    pub fn returns_void(&self) -> bool {
        let ret = self.ret();
        let mut reader = Reader::new(ret);
        reader.modifiers().is_some() && reader.peek() == Some(VOID)
    }

    /// Whether it has a `this`.
    pub fn has_this(&self) -> bool {
        self.head.first & HAS_THIS != 0
    }

    /// Arguments in all, as `ldarg` counts them: `this` is number 0 if it is not among the parameters.
    pub fn args(&self) -> usize {
        let implicit = self.head.first & (HAS_THIS | EXPLICIT_THIS) == HAS_THIS;
        self.params.len() + usize::from(implicit)
    }

    /// Whether it is called as native code is.
    pub fn is_unmanaged(&self) -> bool {
        is_unmanaged(self.head.first)
    }

    /// The type variables in it, each once and in order.
    pub fn variables(&self) -> Vec<Variable> {
        let mut all: Vec<_> = self
            .variables
            .iter()
            .map(|(_, variable)| *variable)
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The same signature in a generic method whose own type variables stand for these.
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

    /// Type parameters of the method's own.
    pub fn generic(&self) -> u32 {
        self.head.generic
    }

    /// Whether it is that of an ordinary static method: no `this`, no type parameters, no convention, no more arguments than it declares.
    pub fn is_plain(&self) -> bool {
        self.head.first == 0
    }
}

/// Whether a signature's first byte says that native code is called.
pub const fn is_unmanaged(first: u8) -> bool {
    matches!(first & KIND, KIND_CDECL..KIND_VARARG | KIND_UNMANAGED)
}

/// Whether this is the signature of a native function that takes one pointer and is called as C functions are, in preemptive mode; and
/// whether it returns something, which fits a register.
pub fn takes_pointer(blob: &[u8]) -> Option<bool> {
    let (kind, [1, types @ ..]) = (*blob.first()?, blob.get(1..)?) else {
        return None;
    };
    // A modifier of the return type could say anything of the convention.
    if !matches!(kind, KIND_CDECL | KIND_UNMANAGED) {
        return None;
    }
    let (returns, param) = match types {
        [VOID, param @ ..] => (false, param),
        [INT32 | 0x09 | INT64 | 0x0B | NATIVE_INT | 0x19, param @ ..] => (true, param),
        [POINTER, VOID, param @ ..] => (true, param),
        _ => return None,
    };
    matches!(param, [NATIVE_INT | 0x19] | [POINTER, 0x01..=0x0D]).then_some(returns)
}

/// A type's first byte behind its modifiers, and what follows it.
pub fn strip(of: &[u8]) -> Option<(u8, &[u8])> {
    let mut reader = Reader::new(of);
    reader.modifiers()?;
    of[reader.at..]
        .split_first()
        .map(|(kind, rest)| (*kind, rest))
}

/// Reads a type's token as signatures have it.
pub fn type_token(bytes: &[u8]) -> Option<MdToken> {
    let (coded, _) = unsigned(bytes)?;
    let tables = [0x0200_0000, 0x0100_0000, 0x1B00_0000];
    let table = tables.get(coded as usize & 3)?;
    Some(MdToken(table | coded >> 2))
}

/// Reads a compressed number, and tells the bytes that it takes.
pub fn unsigned(bytes: &[u8]) -> Option<(u32, usize)> {
    match *bytes {
        [a, ..] if a & 0x80 == 0 => Some((a.into(), 1)),
        [a, b, ..] if a & 0x40 == 0 => Some((u32::from_be_bytes([0, 0, a & 0x3F, b]), 2)),
        [a, b, c, d, ..] if a & 0xC0 == 0xC0 && a & 0x20 == 0 => {
            Some((u32::from_be_bytes([a & 0x1F, b, c, d]), 4))
        }
        _ => None,
    }
}

/// Writes a number compressed; `None` if it is too great for that.
pub fn put_unsigned(out: &mut Vec<u8>, number: u32) -> Option<()> {
    let bytes = number.to_be_bytes();
    match number {
        0..=0x7F => out.push(bytes[3]),
        0x80..=0x3FFF => out.extend([bytes[2] | 0x80, bytes[3]]),
        0x4000..=MOST => out.extend([bytes[0] | 0xC0, bytes[1], bytes[2], bytes[3]]),
        _ => return None,
    }
    Some(())
}

/// Writes a type's token as signatures have it; `None` if it is no TypeDef, TypeRef or TypeSpec, or nil.
pub fn put_type(out: &mut Vec<u8>, token: MdToken) -> Option<()> {
    let tag = match token.table() {
        0x02 => 0,
        0x01 => 1,
        0x1B => 2,
        _ => return None,
    };
    if token.is_nil() {
        return None;
    }
    put_unsigned(out, token.row() << 2 | tag)
}

/// How native code is called from IL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmanaged {
    /// The thread stays in cooperative mode: some nanoseconds cheaper, and the callee may neither block nor take long.
    Suppressed {
        /// The type `CallConvSuppressGCTransition`.
        modopt: MdToken,
    },
    /// An ordinary call to a C function: the thread leaves managed code and comes back.
    Cdecl,
}

/// The signature of a `calli` to a hook.
///
/// A suppressed one is `09 n 20 <modopt> ret params`: the convention "unmanaged", and what it is more exactly as a modifier
/// of the return type. A cdecl one is `01 n ret params`.
pub fn hook_signature(convention: Unmanaged, ret: &[u8], params: &[&[u8]]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    out.push(match convention {
        Unmanaged::Suppressed { .. } => KIND_UNMANAGED,
        Unmanaged::Cdecl => KIND_CDECL,
    });
    put_unsigned(&mut out, u32::try_from(params.len()).ok()?)?;
    if let Unmanaged::Suppressed { modopt } = convention {
        out.push(CMOD_OPT);
        put_type(&mut out, modopt)?;
    }
    out.extend(ret);
    out.extend(params.iter().copied().flatten());
    Some(out)
}

/// The signature of local variables: `07 n types`. A method has 65,534 of them at most.
pub fn locals_signature(types: &[&[u8]]) -> Option<Vec<u8>> {
    let mut out = vec![KIND_LOCALS];
    let count = u16::try_from(types.len())
        .ok()
        .filter(|count| *count != u16::MAX)?;
    put_unsigned(&mut out, count.into())?;
    out.extend(types.iter().copied().flatten());
    Some(out)
}

/// The signature of a static method with that many type parameters, which takes `more` behind the parameters of another one.
pub fn with_one_more(of: &MethodSig, generic: u32, more: u8) -> Option<Vec<u8>> {
    let mut out = vec![if generic > 0 { GENERIC } else { 0 }];
    if generic > 0 {
        put_unsigned(&mut out, generic)?;
    }
    let params = of.params();
    put_unsigned(&mut out, u32::try_from(params.len()).ok()?.checked_add(1)?)?;
    out.extend(of.ret());
    out.extend(params.flatten());
    out.push(more);
    Some(out)
}

/// The signature of an instance of a generic method: `0A n types`.
pub fn instance_signature(types: &[Variable]) -> Option<Vec<u8>> {
    let mut out = vec![KIND_INSTANCE];
    put_unsigned(&mut out, u32::try_from(types.len()).ok()?)?;
    for variable in types {
        variable.put(&mut out)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests;
