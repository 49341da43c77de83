//! Calls through trampolines: arguments, results, and the stack.
#![allow(unsafe_code, reason = "calls numbers as functions")]

mod support;

use std::ffi::{c_char, c_int};

use soglia_trampolines::Callee;
use support::{
    INTEGERS, add, callee, forward, kept, plain, pointer, recorded, reverse, trampolines,
};

#[test]
fn a_denied_call_is_not_made_and_returns_zeros() {
    #[repr(C)]
    struct Large([u64; 5]);
    extern "C" fn never() -> c_int {
        panic!("was called");
    }
    let t = trampolines();
    let of = |id: usize| never as *const () as usize + 16 * id;
    let denied = |id: usize, in_memory| {
        let target = Callee {
            id: -1,
            stack: 16,
            in_memory,
            keeps: false,
        };
        reverse(&t, of(id), 7, || Some(target))
    };
    let made = denied(0, false);
    assert_eq!(pointer!(made, extern "C" fn() -> u64)(), 0);
    assert_eq!(pointer!(made, extern "C" fn(f64) -> f64)(1.5), 0.0);
    assert_eq!(recorded().len(), 2);
    // The caller gives the address of the result, and on x86_64 expects that address back.
    let made = denied(1, true);
    let place = pointer!(made, extern "C" fn(*mut Large) -> *mut Large);
    let mut large = Large([7; 5]);
    let at = &raw mut large;
    let back = if cfg!(target_arch = "x86_64") {
        at
    } else {
        std::ptr::null_mut()
    };
    assert_eq!(place(at), back);
    assert_eq!(large.0, [7; 5]);
    assert_eq!(recorded().len(), 1);
}

#[test]
fn a_call_passes_through_between_its_hooks() {
    let t = trampolines();
    let original = add as *const () as usize;
    let made = reverse(&t, original, 7, || callee(3, 0));
    assert_ne!(made, original);
    assert_eq!(
        pointer!(made, extern "C" fn(c_int, c_int) -> c_int)(40, 2),
        42
    );
    assert_eq!(recorded(), [('R', 3, original), ('V', 3, original)]);

    let out = forward(&t, original, plain(9, 0));
    assert_ne!(out, made);
    assert_eq!(pointer!(out, extern "C" fn(c_int, c_int) -> c_int)(1, 2), 3);
    assert_eq!(recorded(), [('L', 9, original), ('E', 9, original)]);
    assert_eq!((t.original(made), t.original(out)), (original, original));
    assert_eq!((t.outward(made), t.outward(out)), (None, Some(original)));
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Large([u64; 5]);

/// Takes six integers in registers (eight on aarch64) and the others on the stack; of doubles,
/// eight in registers.
#[allow(clippy::too_many_arguments, reason = "they do not fit the registers")]
extern "C" fn many(
    a: u64,
    b: u64,
    c: u64,
    d: u64,
    e: u64,
    f: u64,
    x0: f64,
    x1: f64,
    x2: f64,
    x3: f64,
    x4: f64,
    x5: f64,
    x6: f64,
    x7: f64,
    g: u64,
    large: Large,
    x8: f64,
    h: u8,
) -> Large {
    Large([
        a + 10 * b + 100 * c + 1000 * d + 10_000 * e + 100_000 * f,
        (x0 + 10.0 * x1 + 100.0 * x2 + 1000.0 * x3 + 1e4 * x4 + 1e5 * x5 + 1e6 * x6 + 1e7 * x7)
            as u64,
        g,
        large.0.iter().sum(),
        x8 as u64 + u64::from(h),
    ])
}

#[test]
fn arguments_on_the_stack_and_results_in_memory_arrive() {
    type Many = extern "C" fn(
        u64,
        u64,
        u64,
        u64,
        u64,
        u64,
        f64,
        f64,
        f64,
        f64,
        f64,
        f64,
        f64,
        f64,
        u64,
        Large,
        f64,
        u8,
    ) -> Large;
    let t = trampolines();
    let exact = if cfg!(target_arch = "aarch64") {
        // The large struct is passed by its address, in a register.
        8 * (1 + 1)
    } else {
        // The sixth integer is on the stack too: the result's address took the first register.
        8 * (1 + 1 + 5 + 1 + 1)
    };
    for (id, stack) in [exact, 256, 4096].into_iter().enumerate() {
        let made = reverse(&t, many as *const () as usize, id as u64, || {
            callee(id as i64, stack)
        });
        let got = pointer!(made, Many)(
            1,
            2,
            3,
            4,
            5,
            6,
            1.0,
            2.0,
            3.0,
            4.0,
            5.0,
            6.0,
            7.0,
            8.0,
            77,
            Large([1, 2, 3, 4, 5]),
            9.0,
            200,
        );
        assert_eq!(got, Large([654_321, 87_654_321, 77, 15, 209]));
        assert_eq!(recorded().len(), 2);
    }
}

#[test]
fn a_call_takes_little_of_the_stack() {
    #[inline(never)]
    extern "C" fn depth() -> usize {
        let here = 0_u8;
        std::hint::black_box(&raw const here).addr()
    }
    let t = trampolines();
    let made = reverse(&t, depth as *const () as usize, 7, || callee(3, 0));
    let call = |of: usize| std::hint::black_box(pointer!(of, extern "C" fn() -> usize))();
    let direct = call(depth as *const () as usize);
    assert_eq!(direct - call(made), 48);
}

#[test]
fn arguments_are_kept_for_the_hook_that_runs_last() {
    #[repr(C)]
    struct Three([u64; 3]);
    extern "C" fn nine(a: u64, x: f64, rest: Three, b: u64, y: f64) -> f64 {
        assert!(kept().is_none(), "the call is not over");
        // Other calls use the registers and the stack meanwhile.
        let sum = std::hint::black_box(rest).0.iter().sum::<u64>() + a + b;
        format!("{sum}").parse::<f64>().unwrap() + x + y
    }
    type Nine = extern "C" fn(u64, f64, Three, u64, f64) -> f64;
    let t = trampolines();
    let made = reverse(&t, nine as *const () as usize, 7, || {
        Some(Callee {
            keeps: true,
            ..plain(3, 32)
        })
    });
    assert_eq!(
        pointer!(made, Nine)(1, 0.5, Three([10, 20, 30]), 2, 0.25),
        63.75
    );
    let kept = kept().unwrap();
    if cfg!(target_arch = "aarch64") {
        // Between them is the address of the struct.
        assert_eq!((kept.integers[0], kept.integers[2]), (Some(1), Some(2)));
    } else {
        assert_eq!(kept.integers[..2], [Some(1), Some(2)]);
    }
    assert!(kept.integers[INTEGERS - 1].is_some() && kept.integers[INTEGERS].is_none());
    assert_eq!(kept.floats[..2], [Some(0.5), Some(0.25)]);
    assert!(kept.floats[7].is_some() && kept.floats[8].is_none());
    assert_eq!(kept.stack.len(), 4);
    if cfg!(target_arch = "x86_64") {
        assert_eq!(kept.stack[..3], [10, 20, 30]);
    }
    assert_eq!(kept.returned_float, 63.75);

    let made = reverse(&t, add as *const () as usize, 8, || {
        Some(Callee {
            keeps: true,
            ..plain(4, 0)
        })
    });
    let sum = pointer!(made, extern "C" fn(c_int, c_int) -> c_int)(40, 2);
    assert_eq!((sum, support::kept().unwrap().returned as c_int), (42, 42));
    assert_eq!(recorded().len(), 4);
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mixed(f64, u64);
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Integers(u64, u64);
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Doubles(f64, f64);

extern "C" fn mixed(a: f64, b: u64) -> Mixed {
    Mixed(a, b)
}
extern "C" fn integers(a: u64, b: u64) -> Integers {
    Integers(a, b)
}
extern "C" fn doubles(a: f32, b: f64) -> Doubles {
    Doubles(a.into(), b)
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Four([f64; 4]);

extern "C" fn four(a: f64, b: f64) -> Four {
    Four([a, b, a + b, a - b])
}

/// On aarch64, they are in four registers, elsewhere in memory.
#[test]
fn four_numbers_come_back() {
    let t = trampolines();
    let callee = Callee {
        in_memory: cfg!(target_arch = "x86_64"),
        ..plain(1, 0)
    };
    let made = forward(&t, four as *const () as usize, callee);
    let got = pointer!(made, extern "C" fn(f64, f64) -> Four)(3.0, 0.5);
    assert_eq!(got, Four([3.0, 0.5, 3.5, 2.5]));
}

/// On aarch64, arguments on the stack are copied by pairs.
#[test]
fn many_arguments_on_the_stack_keep_their_order() {
    type Ten = extern "C" fn(u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64) -> u64;
    #[allow(clippy::too_many_arguments, reason = "they do not fit the registers")]
    extern "C" fn digits(
        a: u64,
        b: u64,
        c: u64,
        d: u64,
        e: u64,
        f: u64,
        g: u64,
        h: u64,
        i: u64,
        j: u64,
        k: u64,
        l: u64,
    ) -> u64 {
        let all = [a, b, c, d, e, f, g, h, i, j, k, l];
        all.iter().fold(0, |sum, digit| sum * 10 + digit)
    }
    let t = trampolines();
    for keeps in [false, true] {
        let callee = Callee {
            keeps,
            ..plain(1, 48)
        };
        let original = digits as *const () as usize;
        let made = t.reverse(original, keeps.into(), false, || Some(callee));
        let got = pointer!(made.unwrap(), Ten)(1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3);
        assert_eq!(got, 123_456_789_123);
    }
}

#[test]
fn results_come_back_in_whatever_registers_they_are() {
    let t = trampolines();
    let through = |function: *const ()| forward(&t, function as usize, plain(1, 0));
    let (a, b, c) = (
        through(mixed as _),
        through(integers as _),
        through(doubles as _),
    );
    assert_eq!(
        pointer!(a, extern "C" fn(f64, u64) -> Mixed)(1.5, 2),
        Mixed(1.5, 2)
    );
    assert_eq!(
        pointer!(b, extern "C" fn(u64, u64) -> Integers)(1, 2),
        Integers(1, 2)
    );
    assert_eq!(
        pointer!(c, extern "C" fn(f32, f64) -> Doubles)(0.5, 2.25),
        Doubles(0.5, 2.25)
    );
}

#[test]
fn functions_of_any_number_of_arguments_are_called() {
    let t = trampolines();
    let made = forward(&t, libc::snprintf as *const () as usize, plain(1, 64));
    let print = pointer!(
        made,
        unsafe extern "C" fn(*mut c_char, usize, *const c_char, ...) -> c_int
    );
    let mut text = [0_u8; 64];
    // SAFETY: `text` has as many bytes as is said, and the format fits the arguments.
    let length = unsafe {
        let format = c"%d %.1f %d %d %d %.2f".as_ptr();
        print(
            text.as_mut_ptr().cast(),
            text.len(),
            format,
            1,
            2.5,
            3,
            4,
            5,
            6.25,
        )
    };
    assert_eq!(&text[..length as usize], b"1 2.5 3 4 5 6.25");
}
