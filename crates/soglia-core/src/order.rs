//! The order in which other threads and processes see stores.
//!
//! x86_64 shows all stores of a thread in their order, and takes loads in theirs. aarch64 does
//! neither by itself. What is here costs no instruction on x86_64.

use std::sync::atomic::Ordering;

/// For a load after which others must not be taken earlier.
///
/// On x86_64 the processor sees to that.
pub(crate) const IN_ORDER: Ordering = if cfg!(target_arch = "x86_64") {
    Ordering::Relaxed
} else {
    Ordering::Acquire
};

/// Stores before this are seen before stores after it.
#[inline(always)]
#[allow(
    unsafe_code,
    reason = "a barrier for stores alone, which Rust has no name for"
)]
pub(crate) fn keep_stores_in_order() {
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: a barrier has no operands and changes nothing.
    unsafe {
        std::arch::asm!("dmb ishst", options(nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", not(miri)))))]
    std::sync::atomic::fence(Ordering::Release);
}
