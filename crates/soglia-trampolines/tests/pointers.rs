//! Which pointer has which trampoline, and how trampolines look.
#![allow(unsafe_code, reason = "calls numbers as functions")]

mod support;

use std::{ffi::c_int, ptr};

use soglia_core::mappings;
use support::{add, callee, forward, plain, pointer, recorded, reverse, trampolines};

/// Trampolines of a block, the bytes of each, and of all.
const THUNKS: usize = if cfg!(target_arch = "aarch64") {
    4096
} else {
    1024
};
const THUNK: usize = 16;
const CODE: usize = THUNKS * THUNK;

#[test]
fn the_same_pointer_has_the_same_trampoline() {
    let t = trampolines();
    let made = reverse(&t, 0x1000, 1, || callee(1, 0));
    assert_eq!(reverse(&t, 0x1000, 1, || panic!("known")), made);
    assert_ne!(reverse(&t, 0x2000, 1, || callee(1, 0)), made);
    let out = forward(&t, 0x1000, plain(1, 0));
    assert_eq!(forward(&t, 0x1000, plain(1, 0)), out);
    assert_ne!(forward(&t, 0x1000, plain(2, 0)), out);
}

#[test]
fn a_thunk_that_is_used_again_stands_for_its_new_owner() {
    let t = trampolines();
    let original = add as *const () as usize;
    let made = reverse(&t, original, 1, || callee(1, 0));
    assert_eq!(reverse(&t, original, 2, || callee(22, 0)), made);
    pointer!(made, extern "C" fn(c_int, c_int) -> c_int)(1, 1);
    assert_eq!(recorded(), [('R', 22, original), ('V', 22, original)]);
    // A new owner without a callee gets none.
    assert_eq!(t.reverse(original, 3, false, || None), None);
    assert_eq!(t.reverse(0x5000, 3, false, || None), None);
}

#[test]
fn there_are_many() {
    let t = trampolines();
    let count = 3 * THUNKS + 5;
    let made: Vec<usize> = (0..count)
        .map(|n| reverse(&t, 0x10_0000 + n, 1, || callee(n as i64, 0)))
        .collect();
    let mut sorted = made.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), count);
    for (n, made) in made.iter().enumerate() {
        assert_eq!(t.original(*made), 0x10_0000 + n);
        assert_eq!(t.original(*made + 1), *made + 1);
    }
    // The last of them works.
    let original = add as *const () as usize;
    let last = reverse(&t, original, 1, || callee(5, 0));
    assert_eq!(
        pointer!(last, extern "C" fn(c_int, c_int) -> c_int)(2, 2),
        4
    );
    assert_eq!(recorded(), [('R', 5, original), ('V', 5, original)]);
    // Slots are no trampolines, and neither are those that are not made yet.
    assert_eq!(t.original(last + THUNK), last + THUNK);
    assert_eq!(t.original(made[0] + CODE), made[0] + CODE);
    assert_eq!(t.original(0), 0);
}

/// Bytes of a thunk that a CLR before .NET 9 makes of a delegate, where it has the address of the
/// code, and how many bytes distinguish it from other code.
#[cfg(target_arch = "aarch64")]
const CLR_THUNK: (usize, usize, &[usize]) = (32, 16, &[0, 3, 4, 7, 8, 11]);
#[cfg(target_arch = "x86_64")]
const CLR_THUNK: (usize, usize, &[usize]) = (23, 12, &[0, 1, 10, 11, 20, 21, 22]);

/// A thunk as a CLR before .NET 9 makes them, with some data.
#[cfg(target_arch = "aarch64")]
fn clr_thunk(leads_to: usize) -> [u8; CLR_THUNK.0] {
    let mut thunk = [0; CLR_THUNK.0];
    thunk[..4].copy_from_slice(&0x1000_008C_u32.to_le_bytes());
    thunk[4..8].copy_from_slice(&0xA940_3190_u32.to_le_bytes());
    thunk[8..12].copy_from_slice(&0xD61F_0200_u32.to_le_bytes());
    thunk[16..24].copy_from_slice(&leads_to.to_le_bytes());
    thunk[24..].copy_from_slice(&0x1234_5678_9ABC_u64.to_le_bytes());
    thunk
}

/// A thunk as a CLR before .NET 9 makes them, with some data.
#[cfg(target_arch = "x86_64")]
fn clr_thunk(leads_to: usize) -> [u8; CLR_THUNK.0] {
    let mut thunk = [0; CLR_THUNK.0];
    thunk[..2].copy_from_slice(&[0x49, 0xBA]);
    thunk[2..10].copy_from_slice(&0x1234_5678_9ABC_u64.to_le_bytes());
    thunk[10..12].copy_from_slice(&[0x48, 0xB8]);
    thunk[12..20].copy_from_slice(&leads_to.to_le_bytes());
    thunk[20..23].copy_from_slice(&[0x48, 0xFF, 0xE0]);
    thunk
}

fn address_of<T>(of: &T) -> usize {
    ptr::from_ref(of).expose_provenance()
}

#[test]
fn a_face_looks_like_its_thunk_and_leads_to_the_trampoline() {
    let t = trampolines();
    // Trampolines without faces come between.
    for n in 0..THUNKS + 3 {
        forward(&t, 0x1000 + n, plain(1, 0));
    }
    let thunks: Vec<_> = (0..2 * THUNKS)
        .map(|_| Box::new(clr_thunk(0x1111)))
        .collect();
    for thunk in &thunks {
        let address = address_of(&**thunk);
        let made = t.reverse(address, 1, true, || callee(1, 0)).unwrap();
        // SAFETY: a face can be read, and has 32 bytes.
        let face = unsafe { ptr::with_exposed_provenance::<[u8; 32]>(made).read() };
        let (size, code, _) = CLR_THUNK;
        assert_eq!(face[..code], thunk[..code]);
        assert_ne!(face[code..code + 8], thunk[code..code + 8]);
        assert_eq!(face[code + 8..size], thunk[code + 8..size]);
        assert_eq!(t.original(made), address);
        assert_eq!(t.original(made + 1), made + 1);
        assert_eq!(t.reverse(address, 1, true, || panic!("known")), Some(made));
    }
}

#[test]
fn what_looks_otherwise_has_no_face() {
    let t = trampolines();
    for at in CLR_THUNK.2.iter().copied() {
        let mut other = clr_thunk(0x1111);
        other[at] ^= 1;
        let made = t.reverse(address_of(&other), 1, true, || callee(1, 0));
        assert_eq!(made, None, "byte {at}");
    }
}

#[test]
fn a_face_is_called_like_its_trampoline() {
    let t = trampolines();
    let thunk = clr_thunk(add as *const () as usize);
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: new memory, wherever the kernel has room; it is as large as a thunk, and is changed
    // before anything executes it, which a fault of a new page precedes.
    let code = unsafe {
        let page = libc::mmap(ptr::null_mut(), 4096, protection, flags, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        page.cast::<[u8; CLR_THUNK.0]>().write(thunk);
        assert_eq!(
            libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC),
            0
        );
        page.expose_provenance()
    };
    let made = t.reverse(code, 1, true, || callee(6, 0)).unwrap();
    assert_eq!(
        pointer!(made, extern "C" fn(c_int, c_int) -> c_int)(20, 3),
        23
    );
    assert_eq!(recorded(), [('R', 6, code), ('V', 6, code)]);
}

#[test]
fn no_memory_is_writable_and_executable() {
    let t = trampolines();
    let made = reverse(&t, 0x1000, 1, || callee(1, 0));
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.lines().any(|line| line.contains("rwx")), "{maps}");
    let of = |address: usize| mappings::at(address as u64).unwrap();
    assert_eq!(of(made).path, std::env::current_exe().ok());
    assert!(of(made).is_executable);
    // The slots.
    assert_eq!(of(made + CODE).path, None);
    assert!(!of(made + CODE).is_executable);
}

#[test]
fn threads_get_the_same() {
    let t = trampolines();
    let all: Vec<Vec<usize>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    (0..2000)
                        .map(|n| reverse(&t, 0x1000 + 16 * n, 1, || callee(1, 0)))
                        .collect()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(all.iter().all(|made| *made == all[0]));
}
