//! x86_64: a call pushes the return address, so the stack pointer is enough for most code.

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};

use super::super::{memory::Stack, outer::Outer};

pub use framehop::x86_64::UnwindRegsX86_64 as Registers;

/// What unwinds.
pub type Unwinder<D> = UnwinderX86_64<D>;
/// What an unwinder remembers.
pub type Cache = CacheX86_64;

/// The registers of a thread, as far as they are known. A frame pointer of 0 leads nowhere, so
/// frames that need it end there.
pub fn registers(ip: u64, sp: u64, fp: u64) -> Registers {
    UnwindRegsX86_64::new(ip, sp, fp)
}

/// Whether the frame pointer is known, and the stack pointer.
pub fn known(registers: &Registers) -> (bool, u64) {
    (registers.bp() != 0, registers.sp())
}

/// Where the function that managed code has called keeps the frame pointer of that, with the return
/// address behind it.
pub fn outermost(outer: &Outer, _sp: u64, stack: &Stack) -> Option<u64> {
    let fp = outer.sp.checked_sub(16)?;
    let is_there = stack.word(fp + 8) == Some(outer.ip) && stack.word(fp) == Some(outer.fp);
    is_there.then_some(fp)
}
