//! Variables of the running thread by TLS descriptors: the loader has stored a function that
//! returns how far they lie from the thread pointer. It changes rax and the flags, and no other
//! register, so it fits into hooks. The loader of musl makes room for all threads when it loads a
//! library, so the function takes no lock and allocates nothing.

macro_rules! place_of_local {
    ($symbol:literal) => {{
        let place: usize;
        // SAFETY: computes the address of this thread's own variable, which the caller has defined:
        // the first word of the thread's block is its own address.
        unsafe {
            std::arch::asm!(
                concat!("lea rax, [rip + ", $symbol, "@TLSDESC]"),
                concat!("call qword ptr [rax + ", $symbol, "@TLSCALL]"),
                "add rax, qword ptr fs:[0]",
                out("rax") place,
                options(readonly, pure),
            );
        }
        place
    }};
}

macro_rules! read_local {
    ($symbol:literal) => {{
        let place: usize = $crate::arch::place_of_local!($symbol);
        // SAFETY: this thread's own variable, which the caller has defined.
        unsafe { $crate::arch::by_place::read(place) }
    }};
}

macro_rules! write_local {
    ($symbol:literal, $value:expr) => {{
        let place: usize = $crate::arch::place_of_local!($symbol);
        // SAFETY: this thread's own variable, which the caller has defined.
        unsafe { $crate::arch::by_place::write(place, $value) }
    }};
}

pub(crate) use {place_of_local, read_local, write_local};
