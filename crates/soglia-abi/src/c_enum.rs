//! C enums, on both sides of the ABI.

/// A C enum: a number with names for some of its values.
///
/// A later runtime may send a value that has no name here, which would be undefined behaviour for a
/// Rust enum. The names are free constants, as in C.
macro_rules! c_enum {
    ($($(#[$doc:meta])* $name:ident { $($value:ident = $number:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name(pub u32);
        $(pub const $value: $name = $name($number);)*
    )*};
}
