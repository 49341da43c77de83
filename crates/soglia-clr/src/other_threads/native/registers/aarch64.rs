//! aarch64: a call leaves the return address in `x30`, which the kernel does not give. A function
//! that calls others keeps it on the stack, beside `x29`.

use framehop::aarch64::{CacheAarch64, UnwindRegsAarch64, UnwinderAarch64};

use super::super::{memory::Stack, outer::Outer};

pub use framehop::aarch64::UnwindRegsAarch64 as Registers;

/// What unwinds.
pub type Unwinder<D> = UnwinderAarch64<D>;
/// What an unwinder remembers.
pub type Cache = CacheAarch64;

/// The place of no code, for a return address that is not known: frames that need it end there.
const NOWHERE: u64 = 1;

/// The registers of a thread, as far as they are known. A frame pointer of 0 leads nowhere, so
/// frames that need it end there.
pub fn registers(_ip: u64, sp: u64, fp: u64) -> Registers {
    UnwindRegsAarch64::new(NOWHERE, sp, fp)
}

/// Whether the frame pointer is known, and the stack pointer.
pub fn known(registers: &Registers) -> (bool, u64) {
    (registers.fp() != 0, registers.sp())
}

/// Where the function that managed code has called keeps the frame pointer of that, with the return
/// address behind it: anywhere in its frame.
pub fn outermost(outer: &Outer, sp: u64, stack: &Stack) -> Option<u64> {
    let mut places = (sp.next_multiple_of(16)..outer.sp).step_by(8);
    places.find(|at| stack.word(*at) == Some(outer.fp) && stack.word(*at + 8) == Some(outer.ip))
}
