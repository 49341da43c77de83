//! Where the instructions of a method lead, and which methods of the framework lead nowhere.
//!
//! Bytes and names only: [`super::frames`] asks the metadata.

use soglia_abi::ids::MdToken;

use crate::{
    body::{code, next},
    sig::{self, MethodSig},
};

const JMP: u8 = 0x27;
const CALL: u8 = 0x28;
const CALLI: u8 = 0x29;
const RET: u8 = 0x2A;
const CALLVIRT: u8 = 0x6F;
const NEWOBJ: u8 = 0x73;
const LDSFLD: u8 = 0x7E;
const LDSFLDA: u8 = 0x7F;
const STSFLD: u8 = 0x80;
const CONSTRAINED: [u8; 2] = [0xFE, 0x16];

/// How an instruction may run code of another method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A call of this very method, or of a constructor.
    Call,
    /// A call of what stands for this method in the object.
    Virtual,
    /// A call by pointer.
    Pointer,
    /// A static field: its type may have to be initialised.
    Field,
}

/// An instruction that may run code of another method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// How.
    pub how: How,
    /// The method, the signature or the field.
    pub token: MdToken,
    /// The type that the object is of, which a prefix has told: it stands for another method then.
    pub constrained: Option<MdToken>,
    /// The method returns right behind it: a compiler may give up its frame before the call.
    pub last: bool,
}

/// The instructions of a body that may run code of other methods. `None`: the body cannot be read.
pub fn of_body(body: &[u8]) -> Option<Vec<Lead>> {
    let (start, end) = code(body)?;
    let code = &body[..end];
    let mut leads = Vec::new();
    let mut at = start;
    let mut constrained = None;
    while at < code.len() {
        let next = next(code, at)?;
        if code[at..].starts_with(&CONSTRAINED) {
            constrained = Some(token(code, at + 2)?);
            at = next;
            continue;
        }
        let how = match code[at] {
            CALL | NEWOBJ => Some(How::Call),
            CALLVIRT => Some(How::Virtual),
            JMP | CALLI => Some(How::Pointer),
            LDSFLD | LDSFLDA | STSFLD => Some(How::Field),
            _ => None,
        };
        if let Some(how) = how {
            leads.push(Lead {
                how,
                token: token(code, at + 1)?,
                constrained: constrained.take(),
                last: code.get(next) == Some(&RET) && code[at] != NEWOBJ,
            });
        }
        at = next;
    }
    Some(leads)
}

fn token(code: &[u8], at: usize) -> Option<MdToken> {
    let bytes = code.get(at..)?.first_chunk()?;
    Some(MdToken(u32::from_le_bytes(*bytes)))
}

/// Namespaces of the framework whose methods compute, and call nothing of a program's.
const NAMESPACES: [&str; 4] = [
    "System.Numerics.",
    "System.Runtime.Intrinsics.",
    "System.Buffers.Binary.",
    "System.Buffers.Text.",
];

/// Numbers, strings, and what is made of these.
const PLAIN: &[&str] = &[
    "System.String",
    "System.Char",
    "System.Boolean",
    "System.Byte",
    "System.SByte",
    "System.Int16",
    "System.UInt16",
    "System.Int32",
    "System.UInt32",
    "System.Int64",
    "System.UInt64",
    "System.Int128",
    "System.UInt128",
    "System.IntPtr",
    "System.UIntPtr",
    "System.Half",
    "System.Single",
    "System.Double",
    "System.Decimal",
    "System.DateTime",
    "System.DateTimeOffset",
    "System.TimeSpan",
    "System.DateOnly",
    "System.TimeOnly",
    "System.Guid",
];

/// More types of the framework whose methods do so, but for [`OVERRIDDEN`] where the type is
/// generic.
const TYPES: &[&str] = &[
    "System.Math",
    "System.MathF",
    "System.Index",
    "System.Range",
    "System.BitConverter",
    "System.Buffer",
    "System.Nullable`1",
    "System.Span`1",
    "System.Span`1+Enumerator",
    "System.ReadOnlySpan`1",
    "System.ReadOnlySpan`1+Enumerator",
    "System.Memory`1",
    "System.ReadOnlyMemory`1",
    "System.ArraySegment`1",
    "System.ValueTuple`1",
    "System.ValueTuple`2",
    "System.ValueTuple`3",
    "System.ValueTuple`4",
    "System.ValueTuple`5",
    "System.ValueTuple`6",
    "System.ValueTuple`7",
    "System.ValueTuple`8",
    "System.Runtime.CompilerServices.Unsafe",
    "System.Runtime.CompilerServices.RuntimeHelpers",
    "System.Runtime.InteropServices.MemoryMarshal",
    "System.Runtime.InteropServices.CollectionsMarshal",
    "System.Threading.Interlocked",
    "System.Threading.Volatile",
    "System.Text.StringBuilder",
    "System.Collections.Generic.KeyValuePair`2",
    "System.Collections.Generic.List`1",
    "System.Collections.Generic.List`1+Enumerator",
    "System.Collections.Generic.Stack`1",
    "System.Collections.Generic.Queue`1",
];

/// Methods of generic types, and generic methods, that call those of a type argument.
const OVERRIDDEN: &[&str] = &[
    "Equals",
    "GetHashCode",
    "ToString",
    "CompareTo",
    "Contains",
    "IndexOf",
    "LastIndexOf",
    "Remove",
    "Sort",
    "BinarySearch",
    "AddRange",
    "InsertRange",
    "RunClassConstructor",
    "RunModuleConstructor",
    "ExecuteCodeWithGuaranteedCleanup",
    "PrepareMethod",
    "PrepareDelegate",
    "Append",
];

/// Generic types whose methods call those of a type argument, which is harmless where these are
/// numbers and strings.
const KEYED: &[&str] = &[
    "System.Collections.Generic.Dictionary`2",
    "System.Collections.Generic.Dictionary`2+Enumerator",
    "System.Collections.Generic.HashSet`1",
    "System.Collections.Generic.HashSet`1+Enumerator",
    "System.IComparable`1",
    "System.IEquatable`1",
];

/// Single methods of types that are not among [`TYPES`].
const METHODS: &[(&str, &[&str])] = &[
    ("System.Object", &[".ctor", "GetType", "MemberwiseClone"]),
    ("System.ValueType", &[".ctor"]),
    ("System.Attribute", &[".ctor"]),
    (
        "System.Array",
        &[
            "get_Length",
            "GetLength",
            "get_Rank",
            "Empty",
            "GetUpperBound",
            "GetLowerBound",
        ],
    ),
    ("System.MemoryExtensions", &["AsSpan", "AsMemory"]),
    ("System.GC", &["KeepAlive"]),
    ("System.Type", &["GetTypeFromHandle"]),
    ("System.ArgumentNullException", &["ThrowIfNull"]),
    ("System.Diagnostics.Stopwatch", &["GetTimestamp"]),
];

/// Whether a type of the framework is a number, a string, or made of these.
pub fn is_plain_name(of: &str) -> bool {
    PLAIN.contains(&of)
}

/// Whether a method of the framework calls nothing of a program's, as far as its name and signature
/// tell. `plain`: its type is an instance for numbers and strings.
pub fn is_harmless(of: &str, method: &str, signature: &[u8], plain: bool) -> bool {
    let Some(signature) = MethodSig::parse(signature) else {
        return false;
    };
    if method == ".ctor" {
        // Of a delegate: to make one is not to call it. Of an exception: it is about to be thrown.
        let params: Vec<&[u8]> = signature.params().collect();
        if params == [&[sig::OBJECT][..], &[sig::NATIVE_INT]] || of.ends_with("Exception") {
            return true;
        }
    }
    let single = METHODS.iter().find(|(name, _)| *name == of);
    if let Some((_, methods)) = single {
        return methods.contains(&method);
    }
    let is_generic = signature.generic() > 0 || of.contains('`') && !plain;
    let listed = NAMESPACES.iter().any(|prefix| of.starts_with(prefix))
        || is_plain_name(of)
        || TYPES.contains(&of)
        || plain && KEYED.contains(&of);
    listed && !(is_generic && OVERRIDDEN.contains(&method)) && signature.params().all(is_plain)
}

/// Whether a type is no object whose methods a program can have written: a number, a string, a
/// structure, a reference or an array of these, or whatever a type variable stands for.
fn is_plain(mut of: &[u8]) -> bool {
    loop {
        let Some((kind, rest)) = sig::strip(of) else {
            return false;
        };
        match kind {
            0x01..=0x0E | 0x16 | 0x18 | 0x19 => return true,
            sig::VALUE_TYPE | sig::TYPE_VARIABLE | sig::METHOD_VARIABLE => return true,
            sig::INSTANCE => return rest.first() == Some(&sig::VALUE_TYPE),
            // A pointer, a reference, an array: of what, follows.
            0x0F | 0x10 | 0x1D => of = rest,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests;
