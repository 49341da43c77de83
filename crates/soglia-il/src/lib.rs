//! IL as bytes: signatures, method bodies and ReadyToRun images.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`sig`] | reads and writes signatures |
//! | [`asm`] | assembles method bodies |
//! | [`body`] | reads and patches method bodies that a compiler has made |
//! | [`leads`] | finds the instructions of a body that run code of other methods |
//! | [`r2r`] | finds what precompiled code has inlined |
//!
//! This crate knows no CLR: it takes bytes and returns bytes.
//! It trusts no input: bytes that do not follow the format make a function return `None`.
#![forbid(unsafe_code)]

mod bytes;
mod clause;
mod format;
mod opcode;

pub mod asm;
pub mod body;
pub mod leads;
pub mod r2r;
pub mod sig;
