//! How methods begin that the CLR's compiler makes, and where their callers' frames are.
//!
//! Each architecture has a `Beginning` with the same functions.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod registers;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as machine;
#[cfg(target_arch = "x86_64")]
use x86_64 as machine;

pub(super) use machine::{BEGINNING, Beginning, may_be_next};
pub(super) use registers::Registers;
