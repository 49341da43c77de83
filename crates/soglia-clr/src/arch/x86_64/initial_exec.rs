//! Variables of the running thread by the initial-exec model: the loader has stored how far they
//! lie from the thread pointer.

macro_rules! read_local {
    ($symbol:literal) => {{
        let pointer;
        // SAFETY: reads this thread's own variable, which the caller has defined.
        unsafe {
            std::arch::asm!(
                concat!("mov {0}, qword ptr [rip + ", $symbol, "@GOTTPOFF]"),
                "mov {0}, qword ptr fs:[{0}]",
                out(reg) pointer,
                options(nostack, readonly, preserves_flags, pure),
            );
        }
        pointer
    }};
}

macro_rules! place_of_local {
    ($symbol:literal) => {{
        let place;
        // SAFETY: computes the address of this thread's own variable, which the caller has defined:
        // the first word of the thread's block is its own address.
        unsafe {
            std::arch::asm!(
                concat!("mov {0}, qword ptr [rip + ", $symbol, "@GOTTPOFF]"),
                "add {0}, qword ptr fs:[0]",
                out(reg) place,
                options(nostack, readonly, pure),
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
                concat!("mov {0}, qword ptr [rip + ", $symbol, "@GOTTPOFF]"),
                "mov qword ptr fs:[{0}], {1}",
                out(reg) _,
                in(reg) $value,
                options(nostack, preserves_flags),
            );
        }
    }};
}

pub(crate) use {place_of_local, read_local, write_local};
