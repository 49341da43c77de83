//! Signatures (ECMA-335, II.23.2): reads those of methods, writes those of hooks and of local
//! variables.
//!
//! A wrapper keeps the return type and the parameters of the method that it wraps.
//! [`MethodSig`] therefore cuts them out as bytes, and does not interpret them.
//! It accepts only a blob that is the signature of a method from the first byte to the last.

mod element;

mod method;
mod number;
mod reader;
mod spec;
mod variable;
mod write;

pub use element::*;

pub use method::{MethodSig, is_unmanaged, strip, takes_pointer};
pub use number::{put_type, put_unsigned, type_token, unsigned};
pub use spec::{Arguments, TypeSpec};
pub use variable::Variable;
pub use write::{
    Unmanaged, count_locals, hook_signature, instance_signature, locals_signature,
    static_signature, with_modifier, with_one_more, with_one_more_local,
};
