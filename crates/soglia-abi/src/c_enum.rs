//! C enums, on both sides of the ABI.

/// A C enum: a number with names for some of its values.
///
/// Not a Rust enum, because a later runtime may send a value that has no name here, and that must not be undefined
/// behaviour. The names are free constants, as they are in C.
macro_rules! c_enum {
    ($($(#[$doc:meta])* $name:ident { $($value:ident = $number:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name(pub u32);
        $(pub const $value: $name = $name($number);)*
    )*};
}
