//! Methods of the framework that call no code of a program.

use crate::sig::{self, MethodSig};

/// Namespaces of the framework whose methods only compute, and call no code of a program.
const NAMESPACES: [&str; 4] = [
    "System.Numerics.",
    "System.Runtime.Intrinsics.",
    "System.Buffers.Binary.",
    "System.Buffers.Text.",
];

/// Numbers, strings, and types that are made of these.
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

/// More types of the framework whose methods call no code of a program, except those in
/// [`OVERRIDDEN`] if the type is generic.
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

/// Generic types whose methods call those of a type argument. That is harmless if all arguments are
/// numbers and strings.
const KEYED: &[&str] = &[
    "System.Collections.Generic.Dictionary`2",
    "System.Collections.Generic.Dictionary`2+Enumerator",
    "System.Collections.Generic.HashSet`1",
    "System.Collections.Generic.HashSet`1+Enumerator",
    "System.IComparable`1",
    "System.IEquatable`1",
];

/// Single methods of types that are not in [`TYPES`].
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

/// Whether the type of the framework with this name is a number, a string, or made of these.
pub fn is_plain_name(of: &str) -> bool {
    PLAIN.contains(&of)
}

/// Whether a method of the framework calls no code of a program, as far as its name and signature
/// tell.
///
/// `of` is the name of its type. `plain` says that this type is an instance of a generic type, and
/// that all its arguments are numbers and strings.
pub fn is_harmless(of: &str, method: &str, signature: &[u8], plain: bool) -> bool {
    let Some(signature) = MethodSig::parse(signature) else {
        return false;
    };
    if method == ".ctor" {
        // The constructor of a delegate does not call it.
        // That of an exception runs when the exception is about to be thrown.
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

/// Whether a program cannot have written the methods of a type's objects.
///
/// That holds for a number, a string, a structure, a type parameter, and for a reference to one of
/// these, or an array.
fn is_plain(mut of: &[u8]) -> bool {
    loop {
        let Some((kind, rest)) = sig::strip(of) else {
            return false;
        };
        match kind {
            sig::VOID..=sig::STRING | sig::TYPED_REFERENCE | sig::NATIVE_INT | sig::NATIVE_UINT => {
                return true;
            }
            sig::VALUE_TYPE | sig::TYPE_VARIABLE | sig::METHOD_VARIABLE => return true,
            sig::INSTANCE => return rest.first() == Some(&sig::VALUE_TYPE),
            sig::POINTER | sig::BYREF | sig::ARRAY => of = rest,
            _ => return false,
        }
    }
}
