//! The bytes that signatures are made of (ECMA-335, II.23.1.16 and II.23.2).

/// `void`.
pub const VOID: u8 = 0x01;
/// `bool`.
pub const BOOLEAN: u8 = 0x02;
/// `char`.
pub const CHARACTER: u8 = 0x03;
/// `int32`.
pub const INT32: u8 = 0x08;
/// `unsigned int32`.
pub const UINT32: u8 = 0x09;
/// `int64`.
pub const INT64: u8 = 0x0A;
/// `unsigned int64`.
pub const UINT64: u8 = 0x0B;
/// `float32`.
pub const R4: u8 = 0x0C;
/// `float64`.
pub const R8: u8 = 0x0D;
/// `string`.
pub const STRING: u8 = 0x0E;
/// A pointer; the type that it points to follows.
pub const POINTER: u8 = 0x0F;
/// A reference; the type that it refers to follows.
pub const BYREF: u8 = 0x10;
/// A value type; its token follows.
pub const VALUE_TYPE: u8 = 0x11;
/// A class; its token follows.
pub const CLASS: u8 = 0x12;
/// A type parameter of the type; its number follows.
pub const TYPE_VARIABLE: u8 = 0x13;
/// An array with a shape; the type of its elements, its rank, sizes and lower bounds follow.
pub const SHAPED_ARRAY: u8 = 0x14;
/// An instance of a generic type; the generic type and its arguments follow.
pub const INSTANCE: u8 = 0x15;
/// `typedref`, a reference together with its type.
pub const TYPED_REFERENCE: u8 = 0x16;
/// `native int`.
pub const NATIVE_INT: u8 = 0x18;
/// `native unsigned int`.
pub const NATIVE_UINT: u8 = 0x19;
/// A function pointer; the signature of the function follows.
pub const FUNCTION: u8 = 0x1B;
/// `object`.
pub const OBJECT: u8 = 0x1C;
/// An array with one dimension that begins at 0; the type of its elements follows.
pub const ARRAY: u8 = 0x1D;
/// A type parameter of the method; its number follows.
pub const METHOD_VARIABLE: u8 = 0x1E;

/// A custom modifier that must be understood; its token follows.
pub(super) const CMOD_REQD: u8 = 0x1F;
/// A custom modifier that may be ignored; its token follows.
pub(super) const CMOD_OPT: u8 = 0x20;
/// In the signature of a vararg call: the arguments that the callee does not declare begin here.
pub(super) const SENTINEL: u8 = 0x41;
/// A pinned local variable; its type follows.
pub const PINNED: u8 = 0x45;

/// The first byte of the signature of a field.
pub const FIELD: u8 = 0x06;
/// In the first byte of the signature of a method: the method has a `this`.
pub const THIS: u8 = 0x20;

/// The bits of the first byte that say what the signature is of, and how a method is called.
pub(super) const KIND: u8 = 0x0F;
pub(super) const KIND_CDECL: u8 = 0x01;
pub(super) const KIND_VARARG: u8 = 0x05;
pub(super) const KIND_LOCALS: u8 = 0x07;
pub(super) const KIND_UNMANAGED: u8 = 0x09;
pub(super) const KIND_INSTANCE: u8 = 0x0A;
/// In the first byte of the signature of a method: the method has type parameters.
pub const GENERIC: u8 = 0x10;
/// In the first byte of the signature of a method: `this` is the first of the parameters.
pub(super) const EXPLICIT_THIS: u8 = 0x40;
/// No first byte has this bit.
pub(super) const NO_METHOD: u8 = 0x80;
