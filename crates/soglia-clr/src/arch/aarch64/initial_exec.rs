//! Variables of the running thread by the initial-exec model: the loader has stored how far they
//! lie from the thread pointer.

macro_rules! read_local {
    ($symbol:literal) => {{
        let pointer;
        // SAFETY: reads this thread's own variable, which the caller has defined.
        unsafe {
            std::arch::asm!(
                concat!("adrp {0}, :gottprel:", $symbol),
                concat!("ldr {0}, [{0}, :gottprel_lo12:", $symbol, "]"),
                "mrs {1}, tpidr_el0",
                "ldr {0}, [{1}, {0}]",
                out(reg) pointer,
                out(reg) _,
                options(nostack, readonly, preserves_flags, pure),
            );
        }
        pointer
    }};
}

macro_rules! place_of_local {
    ($symbol:literal) => {{
        let place;
        // SAFETY: computes the address of this thread's own variable, which the caller has defined.
        unsafe {
            std::arch::asm!(
                concat!("adrp {0}, :gottprel:", $symbol),
                concat!("ldr {0}, [{0}, :gottprel_lo12:", $symbol, "]"),
                "mrs {1}, tpidr_el0",
                "add {0}, {1}, {0}",
                out(reg) place,
                out(reg) _,
                options(nostack, readonly, preserves_flags, pure),
            );
        }
        place
    }};
}

macro_rules! write_local {
    ($symbol:literal, $value:expr) => {{
        // SAFETY: writes this thread's own variable, which the caller has defined.
        unsafe {
            std::arch::asm!(
                concat!("adrp {0}, :gottprel:", $symbol),
                concat!("ldr {0}, [{0}, :gottprel_lo12:", $symbol, "]"),
                "mrs {1}, tpidr_el0",
                "str {2}, [{1}, {0}]",
                out(reg) _,
                out(reg) _,
                in(reg) $value,
                options(nostack, preserves_flags),
            );
        }
    }};
}

pub(crate) use {place_of_local, read_local, write_local};
