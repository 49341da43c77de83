//! Whether the kernel has taken the running thread off its processor core, at the cost of a load.
//!
//! Linux keeps an area for each thread, by which programs make *restartable sequences* (rseq(2)).
//! The C library registers it. Its word `rseq_cs` may lead to the description of a piece of code.
//! When the kernel has taken the thread off its core, and finds it outside that piece of code as it
//! goes on, it sets the word to 0. So a word that leads to a piece of code which no thread ever
//! runs is a flag that the kernel lowers.
//!
//! Other users of the area set the word before their own sequences, and expect nothing of it in
//! between. A word that is not ours counts as a lowered flag.
#![allow(unsafe_code, reason = "the area lies in the memory of the thread")]

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::coarse::NO_CORE;

/// The flag of one thread, for that thread.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    word: &'static AtomicU64,
    /// What the word holds while the flag is up.
    up: u64,
}

/// Of threads without an area: a flag that nothing lowers.
static ALWAYS_UP: AtomicU64 = AtomicU64::new(0);

impl Flag {
    /// The flag of the running thread. It is valid as long as the thread. Where there is no area,
    /// it is always up.
    pub fn of_this_thread() -> Self {
        linux::word().unwrap_or(Self {
            word: &ALWAYS_UP,
            up: 0,
        })
    }

    /// Whether the thread was on its core since [`Flag::raise`].
    #[inline(always)]
    pub fn is_up(self) -> bool {
        self.word.load(Relaxed) == self.up
    }

    /// Whether the kernel ever lowers it.
    pub fn is_real(self) -> bool {
        self.up != 0
    }

    /// The number of the core that the thread runs on.
    pub fn core(self) -> u32 {
        if !self.is_real() {
            return NO_CORE;
        }
        // SAFETY: the word is a field of the area, and the number of the core lies four bytes
        // before it. The kernel writes it while the thread does not run.
        unsafe { AtomicU32::from_ptr(self.word.as_ptr().cast::<u32>().sub(1)) }.load(Relaxed)
    }

    /// Raises the flag.
    #[inline(always)]
    pub fn raise(self) {
        self.word.store(self.up, Relaxed);
    }
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64"),
    not(miri)
))]
mod linux {
    use std::{
        arch::{asm, global_asm},
        sync::{OnceLock, atomic::AtomicU64},
    };

    use super::Flag;

    /// `struct rseq_cs` of `linux/rseq.h`. The kernel reads it when it looks at the word, and ends
    /// the process if it is not valid.
    #[repr(C, align(32))]
    struct Sequence {
        version: u32,
        flags: u32,
        start: unsafe extern "C" fn(),
        length: u64,
        abort: unsafe extern "C" fn(),
    }

    // The address to go on at must lie outside of the sequence, behind the number that the C
    // library has registered, `RSEQ_SIG`.
    #[cfg(target_arch = "aarch64")]
    global_asm!(
        ".pushsection .text.soglia_off_core, \"ax\", @progbits",
        ".p2align 4",
        "brk #0x45e0",
        ".hidden soglia_off_core_abort",
        ".globl soglia_off_core_abort",
        "soglia_off_core_abort:",
        "brk #1",
        ".hidden soglia_off_core_start",
        ".globl soglia_off_core_start",
        "soglia_off_core_start:",
        "brk #1",
        ".popsection",
    );
    #[cfg(target_arch = "x86_64")]
    global_asm!(
        ".pushsection .text.soglia_off_core, \"ax\", @progbits",
        ".p2align 4",
        "ud2",
        "nop",
        "nop",
        ".long 0x53053053",
        ".hidden soglia_off_core_abort",
        ".globl soglia_off_core_abort",
        "soglia_off_core_abort:",
        "ud2",
        ".hidden soglia_off_core_start",
        ".globl soglia_off_core_start",
        "soglia_off_core_start:",
        "ud2",
        ".popsection",
    );

    unsafe extern "C" {
        fn soglia_off_core_abort();
        fn soglia_off_core_start();
    }

    /// Two bytes that are never run, or on aarch64 one instruction.
    static SEQUENCE: Sequence = Sequence {
        version: 0,
        flags: 0,
        start: soglia_off_core_start,
        length: if cfg!(target_arch = "aarch64") { 4 } else { 2 },
        abort: soglia_off_core_abort,
    };

    /// Where `rseq_cs` lies in the area.
    const WORD: usize = 8;

    /// How far the areas lie from the thread pointers, if the C library has registered some
    /// (glibc 2.35 and later, not musl).
    fn offset() -> Option<isize> {
        static OFFSET: OnceLock<Option<isize>> = OnceLock::new();
        *OFFSET.get_or_init(|| {
            // SAFETY: both names end with a zero byte.
            let (offset, size) = unsafe {
                (
                    libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_offset".as_ptr()),
                    libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_size".as_ptr()),
                )
            };
            if offset.is_null() || size.is_null() {
                return None;
            }
            // SAFETY: glibc documents both as constants of these types: `ptrdiff_t` and `unsigned
            // int`. The size is 0 where the kernel has refused.
            let (offset, size) = unsafe { (*offset.cast::<isize>(), *size.cast::<u32>()) };
            (size as usize >= WORD + size_of::<u64>()).then_some(offset)
        })
    }

    pub(super) fn word() -> Option<Flag> {
        let offset = offset()?;
        let thread: *mut u8;
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the register holds the thread pointer.
        unsafe {
            asm!("mrs {}, tpidr_el0", out(reg) thread, options(nostack, nomem, preserves_flags));
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: on x86-64, the word at the thread pointer is its own address.
        unsafe {
            asm!("mov {}, qword ptr fs:[0]", out(reg) thread, options(nostack, pure, readonly));
        }
        let word = thread.wrapping_offset(offset).wrapping_add(WORD);
        Some(Flag {
            // SAFETY: the area of a thread lies there and is aligned to 32 bytes. It lives as long
            // as the thread, which alone uses the flag. The kernel writes the word while the thread
            // does not run.
            word: unsafe { AtomicU64::from_ptr(word.cast()) },
            up: (&raw const SEQUENCE).addr() as u64,
        })
    }
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64"),
    not(miri)
)))]
mod linux {
    pub(super) fn word() -> Option<super::Flag> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    #[test]
    fn sleeping_lowers_it() {
        let flag = Flag::of_this_thread();
        flag.raise();
        thread::sleep(Duration::from_millis(1));
        assert_eq!(flag.is_up(), !flag.is_real());
        flag.raise();
        assert_ne!(flag.is_real(), flag.core() == NO_CORE);
        // The kernel has not had the thread since, or not in each of so many attempts.
        let stays = (0..1000).any(|_| {
            flag.raise();
            flag.is_up()
        });
        assert!(stays);
    }

    #[test]
    fn each_thread_has_its_own() {
        let flag = Flag::of_this_thread();
        let other = thread::spawn(|| std::ptr::from_ref(Flag::of_this_thread().word).addr());
        let other = other.join().expect("a thread");
        assert_eq!(
            std::ptr::from_ref(flag.word).addr() != other,
            flag.is_real()
        );
    }
}
