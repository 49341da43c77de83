//! Time stamps in ticks, which are cheap to take, and their conversion to nanoseconds.
//!
//! On x86-64 a tick is one of the time stamp counter, if the CPU says that it runs at a constant
//! rate and the kernel itself keeps time by it. On aarch64 it is one of the virtual counter, if the
//! kernel keeps time by that. Elsewhere a tick is a nanosecond of `CLOCK_MONOTONIC`. A recording
//! holds *anchors*: pairs of ticks and nanoseconds.

use std::{
    mem::MaybeUninit,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

/// What a tick is. The numbers are part of the recording's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TickSource {
    /// `CLOCK_MONOTONIC`: a tick is a nanosecond.
    Monotonic = 1,
    /// The CPU's own counter (`rdtsc` on x86-64, `cntvct_el0` on aarch64).
    Counter = 2,
}

static SOURCE: AtomicU8 = AtomicU8::new(TickSource::Monotonic as u8);

impl TickSource {
    /// The best source of this machine.
    pub fn detect() -> Self {
        if counter_is_steady() {
            Self::Counter
        } else {
            Self::Monotonic
        }
    }

    /// Makes this the source of [`now`] for the whole process.
    pub fn select(self) {
        SOURCE.store(self as u8, Relaxed);
    }

    /// The source that [`now`] uses.
    pub fn selected() -> Self {
        if SOURCE.load(Relaxed) == Self::Counter as u8 {
            Self::Counter
        } else {
            Self::Monotonic
        }
    }

    /// The source with this number in a recording.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Monotonic),
            2 => Some(Self::Counter),
            _ => None,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn counter_is_steady() -> bool {
    let advanced = std::arch::x86_64::__cpuid(0x8000_0000).eax;
    let invariant =
        advanced >= 0x8000_0007 && std::arch::x86_64::__cpuid(0x8000_0007).edx & (1 << 8) != 0;
    // Some virtual machines hide the CPU's promise. A kernel that keeps its own time by the counter
    // is proof enough.
    let kernel = clock_of_the_kernel();
    kernel == "tsc" || (invariant && kernel == "kvm-clock")
}

/// The architecture promises a counter of one rate, the same on all cores. The kernel uses another
/// clock where that does not hold.
#[cfg(target_arch = "aarch64")]
fn counter_is_steady() -> bool {
    clock_of_the_kernel() == "arch_sys_counter"
}

#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
fn counter_is_steady() -> bool {
    false
}

/// The clock by which the kernel keeps time.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
fn clock_of_the_kernel() -> String {
    let name =
        std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// The time now, in ticks of the selected source.
#[inline]
pub fn now() -> u64 {
    if SOURCE.load(Relaxed) == TickSource::Counter as u8 {
        return counter();
    }
    slow_now()
}

/// The CPU's counter. These are ticks only where [`TickSource::Counter`] is selected.
#[inline(always)]
pub fn counter() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 CPU has rdtsc. Linux enables it unless the process asked otherwise by
    // prctl, in which case the kernel's own vDSO clock would fault too.
    #[allow(unsafe_code, reason = "reads a CPU register")]
    return unsafe { std::arch::x86_64::_rdtsc() };
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    {
        let ticks: u64;
        // SAFETY: reads a register that Linux lets programs read. The kernel emulates the read on
        // processors whose counter has a defect.
        #[allow(unsafe_code, reason = "reads a CPU register")]
        unsafe {
            std::arch::asm!(
                "mrs {}, cntvct_el0",
                out(reg) ticks,
                options(nomem, nostack, preserves_flags),
            );
        }
        ticks
    }
    #[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", not(miri)))))]
    slow_now()
}

/// Out of line, so that the fast path needs no stack space and saves no registers. A C function
/// does not unwind, so its callers need nothing for that either.
#[cold]
#[inline(never)]
extern "C" fn slow_now() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub fn monotonic_ns() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds since 1970.
pub fn wall_ns() -> u64 {
    clock(libc::CLOCK_REALTIME)
}

#[allow(unsafe_code, reason = "the OS clock")]
fn clock(id: libc::clockid_t) -> u64 {
    // The compiler would store zeros by a vector register, which managed code may have left in use
    // (see `bucket_of_usual`).
    let mut at = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: `at` is valid for writing a timespec. Both clocks that callers ask for exist on every
    // Linux.
    if unsafe { libc::clock_gettime(id, at.as_mut_ptr()) } != 0 {
        return 0;
    }
    // SAFETY: the call above succeeded, and then it has written the whole of `at`.
    let at = unsafe { at.assume_init() };
    at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64
}

/// Ticks and the monotonic clock, read at the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Anchor {
    /// [`now`].
    pub ticks: u64,
    /// [`monotonic_ns`].
    pub monotonic_ns: u64,
}

impl Anchor {
    /// Takes one now: of three tries, the one with the shortest gap between its two readings.
    pub fn take() -> Self {
        let mut best = (u64::MAX, Self::default());
        for _ in 0..3 {
            let before = now();
            let monotonic_ns = monotonic_ns();
            let gap = now().saturating_sub(before);
            if gap < best.0 {
                best = (
                    gap,
                    Self {
                        ticks: before + gap / 2,
                        monotonic_ns,
                    },
                );
            }
        }
        best.1
    }
}

/// Turns ticks into nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    ns_per_tick: f64,
}

impl Scale {
    /// One tick, one nanosecond.
    pub const IDENTITY: Self = Self { ns_per_tick: 1.0 };

    /// The rate between two anchors. Returns `None` if no time lies between them.
    pub fn between(first: Anchor, last: Anchor) -> Option<Self> {
        let ticks = last.ticks.checked_sub(first.ticks).filter(|t| *t > 0)?;
        let ns = last
            .monotonic_ns
            .checked_sub(first.monotonic_ns)
            .filter(|n| *n > 0)?;
        Some(Self {
            ns_per_tick: ns as f64 / ticks as f64,
        })
    }

    /// A span of ticks in nanoseconds.
    #[inline]
    pub fn ns(self, ticks: u64) -> u64 {
        (ticks as f64 * self.ns_per_tick).round() as u64
    }

    /// A span of nanoseconds in ticks.
    pub fn ticks(self, ns: u64) -> u64 {
        (ns as f64 / self.ns_per_tick).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "reads a CPU register")]
    fn the_counter_goes_on() {
        let before = counter();
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(counter() > before);
    }
}
