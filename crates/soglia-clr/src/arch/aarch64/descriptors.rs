//! Variables of the running thread by TLS descriptors: the loader has stored a function that
//! returns how far they lie from the thread pointer. It changes x0 and no other register, besides
//! x1 and x30, which the call itself takes. The loader of musl makes room for all threads when it
//! loads a library, so the function takes no lock and allocates nothing.

macro_rules! place_of_local {
    ($symbol:literal) => {{
        let place: usize;
        // SAFETY: computes the address of this thread's own variable, which the caller has defined.
        unsafe {
            std::arch::asm!(
                concat!("adrp x0, :tlsdesc:", $symbol),
                concat!("ldr x1, [x0, :tlsdesc_lo12:", $symbol, "]"),
                concat!("add x0, x0, :tlsdesc_lo12:", $symbol),
                concat!(".tlsdesccall ", $symbol),
                "blr x1",
                "mrs x1, tpidr_el0",
                "add x0, x1, x0",
                out("x0") place,
                out("x1") _,
                out("x30") _,
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
