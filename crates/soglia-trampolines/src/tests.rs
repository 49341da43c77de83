use std::{
    cell::RefCell,
    ffi::{c_int, c_void},
};

use super::*;

thread_local! {
    static TOLD: RefCell<Vec<(char, i64, usize)>> = const { RefCell::new(Vec::new()) };
}

/// Writes down what it is told, and leaves as little as it may as it was.
struct Callbacks;
struct Outward;

#[inline(never)]
fn tell(what: char, id: i64, original: usize) {
    TOLD.with_borrow_mut(|told| told.push((what, id, original)));
    ravage();
}

/// Whatever a callee may overwrite is overwritten.
fn ravage() {
    // SAFETY: all that is written to is told.
    unsafe {
        std::arch::asm!(
            "mov rax, -1; mov rcx, rax; mov rdx, rax; mov rsi, rax; mov rdi, rax",
            "mov r8, rax; mov r9, rax; mov r10, rax; mov r11, rax",
            "movq xmm0, rax; movq xmm1, rax; movq xmm2, rax; movq xmm3, rax",
            "movq xmm4, rax; movq xmm5, rax; movq xmm6, rax; movq xmm7, rax",
            clobber_abi("C"),
        );
    }
}

/// What is answered before a call, to come back after it. Calls with an id below 0 are refused.
const ANSWER: i32 = 0x7654_3210;

impl CallHooks for Callbacks {
    extern "C" fn open(id: i64, original: usize) -> i32 {
        tell('R', id, original);
        if id < 0 { -1 } else { ANSWER }
    }
    extern "C" fn close(id: i64, original: usize, opened: i32) {
        assert_eq!(opened, ANSWER);
        tell('V', id, original);
    }
}

impl CallHooks for Outward {
    extern "C" fn open(id: i64, original: usize) -> i32 {
        tell('L', id, original);
        ANSWER
    }
    extern "C" fn close(id: i64, original: usize, opened: i32) {
        assert_eq!(opened, ANSWER);
        tell('E', id, original);
    }
}

fn trampolines() -> Trampolines {
    Trampolines::new(Common::of::<Callbacks>(), Common::of::<Outward>())
}

fn reverse(
    t: &Trampolines,
    thunk: usize,
    owner: u64,
    target: impl FnOnce() -> Option<Callee>,
) -> usize {
    t.reverse(thunk, owner, false, target).unwrap()
}

fn forward(t: &Trampolines, native: usize, target: Callee) -> usize {
    t.forward(native, target).unwrap()
}

fn target(id: i64, stack: usize) -> Option<Callee> {
    Some(Callee {
        id,
        stack,
        in_memory: false,
    })
}

fn told() -> Vec<(char, i64, usize)> {
    TOLD.take()
}

/// A function pointer of a number, and back.
macro_rules! pointer {
    ($of:expr, $type:ty) => {{
        // SAFETY: callers name the type of what the trampoline stands for.
        let function: $type = unsafe { std::mem::transmute::<usize, $type>($of) };
        function
    }};
}

extern "C" fn add(a: c_int, b: c_int) -> c_int {
    a + b
}

#[test]
fn a_refused_call_is_not_made_and_returns_zeros() {
    #[repr(C)]
    struct Large([u64; 5]);
    extern "C" fn never() -> c_int {
        panic!("was called");
    }
    let t = trampolines();
    let of = |id: usize| never as *const () as usize + 16 * id;
    let refused = |id: usize, in_memory| {
        let target = Callee {
            id: -1,
            stack: 16,
            in_memory,
        };
        reverse(&t, of(id), 7, || Some(target))
    };
    let made = refused(0, false);
    assert_eq!(pointer!(made, extern "C" fn() -> u64)(), 0);
    assert_eq!(pointer!(made, extern "C" fn(f64) -> f64)(1.5), 0.0);
    assert_eq!(told().len(), 2);
    // The caller gives the place, and counts on being told it again.
    let made = refused(1, true);
    let place = pointer!(made, extern "C" fn(*mut Large) -> *mut Large);
    let mut large = Large([7; 5]);
    let at = &raw mut large;
    assert_eq!(place(at), at);
    assert_eq!(large.0, [7; 5]);
    assert_eq!(told().len(), 1);
}

#[test]
fn a_call_passes_through_and_is_told_before_and_after() {
    let t = trampolines();
    let original = add as *const () as usize;
    let made = reverse(&t, original, 7, || target(3, 0));
    assert_ne!(made, original);
    assert_eq!(
        pointer!(made, extern "C" fn(c_int, c_int) -> c_int)(40, 2),
        42
    );
    assert_eq!(told(), [('R', 3, original), ('V', 3, original)]);

    let out = forward(
        &t,
        original,
        Callee {
            id: 9,
            stack: 0,
            in_memory: false,
        },
    );
    assert_ne!(out, made);
    assert_eq!(pointer!(out, extern "C" fn(c_int, c_int) -> c_int)(1, 2), 3);
    assert_eq!(told(), [('L', 9, original), ('E', 9, original)]);
    assert_eq!((t.original(made), t.original(out)), (original, original));
    assert_eq!((t.outward(made), t.outward(out)), (None, Some(original)));
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Large([u64; 5]);

/// Six in registers, then the stack; of doubles, eight.
#[allow(clippy::too_many_arguments, reason = "that is what it is for")]
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
    // The sixth integer is on the stack too: the result's address took the first register.
    let exact = 8 * (1 + 1 + 5 + 1 + 1);
    for (id, stack) in [exact, 256, 4096].into_iter().enumerate() {
        let made = reverse(&t, many as *const () as usize, id as u64, || {
            target(id as i64, stack)
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
        assert_eq!(told().len(), 2);
    }
}

/// Calls that are nested through trampolines have the stack almost to themselves.
#[test]
fn a_call_takes_little_of_the_stack() {
    #[inline(never)]
    extern "C" fn depth() -> usize {
        let here = 0_u8;
        std::hint::black_box(&raw const here).addr()
    }
    let t = trampolines();
    let made = reverse(&t, depth as *const () as usize, 7, || target(3, 0));
    let call = |of: usize| std::hint::black_box(pointer!(of, extern "C" fn() -> usize))();
    let direct = call(depth as *const () as usize);
    assert_eq!(direct - call(made), 48);
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

#[test]
fn results_come_back_in_whatever_registers_they_are() {
    let t = trampolines();
    let through = |function: *const ()| {
        forward(
            &t,
            function as usize,
            Callee {
                id: 1,
                stack: 0,
                in_memory: false,
            },
        )
    };
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
    let made = forward(
        &t,
        libc::snprintf as *const () as usize,
        Callee {
            id: 1,
            stack: 64,
            in_memory: false,
        },
    );
    let print = pointer!(
        made,
        unsafe extern "C" fn(*mut i8, usize, *const i8, ...) -> c_int
    );
    let mut text = [0_u8; 64];
    // SAFETY: a buffer of that size, a format that fits the arguments.
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

#[test]
fn the_same_pointer_has_the_same_trampoline() {
    let t = trampolines();
    let made = reverse(&t, 0x1000, 1, || target(1, 0));
    assert_eq!(reverse(&t, 0x1000, 1, || panic!("known")), made);
    assert_ne!(reverse(&t, 0x2000, 1, || target(1, 0)), made);
    let out = forward(
        &t,
        0x1000,
        Callee {
            id: 1,
            stack: 0,
            in_memory: false,
        },
    );
    assert_eq!(
        forward(
            &t,
            0x1000,
            Callee {
                id: 1,
                stack: 0,
                in_memory: false
            }
        ),
        out
    );
    assert_ne!(
        forward(
            &t,
            0x1000,
            Callee {
                id: 2,
                stack: 0,
                in_memory: false
            }
        ),
        out
    );
}

#[test]
fn a_thunk_that_is_used_again_stands_for_its_new_owner() {
    let t = trampolines();
    let original = add as *const () as usize;
    let made = reverse(&t, original, 1, || target(1, 0));
    assert_eq!(reverse(&t, original, 2, || target(22, 0)), made);
    pointer!(made, extern "C" fn(c_int, c_int) -> c_int)(1, 1);
    assert_eq!(told(), [('R', 22, original), ('V', 22, original)]);
    // A new owner of whom nothing is known gets none.
    assert_eq!(t.reverse(original, 3, false, || None), None);
    assert_eq!(t.reverse(0x5000, 3, false, || None), None);
}

#[test]
fn there_are_many() {
    let t = trampolines();
    let count = 3 * THUNKS + 5;
    let made: Vec<usize> = (0..count)
        .map(|n| reverse(&t, 0x10_0000 + n, 1, || target(n as i64, 0)))
        .collect();
    let mut sorted = made.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), count);
    for (n, made) in made.iter().enumerate() {
        assert_eq!(t.original(*made), 0x10_0000 + n);
        assert_eq!(t.original(*made + 1), *made + 1);
    }
    // The last of them works as the first does.
    let original = add as *const () as usize;
    let last = reverse(&t, original, 1, || target(5, 0));
    assert_eq!(
        pointer!(last, extern "C" fn(c_int, c_int) -> c_int)(2, 2),
        4
    );
    assert_eq!(told(), [('R', 5, original), ('V', 5, original)]);
    // Neither slots nor what is not made yet are trampolines.
    assert_eq!(t.original(last + THUNK), last + THUNK);
    assert_eq!(t.original(made[0] + CODE), made[0] + CODE);
    assert_eq!(t.original(0), 0);
}

/// A thunk as a CLR before .NET 9 makes them, with data that nobody needs.
fn clr_thunk(leads_to: usize) -> [u8; CLR_THUNK] {
    let mut thunk = [0; CLR_THUNK];
    thunk[..2].copy_from_slice(&[0x49, 0xBA]);
    thunk[2..10].copy_from_slice(&0x1234_5678_9ABC_u64.to_le_bytes());
    thunk[10..12].copy_from_slice(&[0x48, 0xB8]);
    thunk[12..20].copy_from_slice(&leads_to.to_le_bytes());
    thunk[20..23].copy_from_slice(&[0x48, 0xFF, 0xE0]);
    thunk
}

#[test]
fn a_face_looks_like_its_thunk_and_leads_to_the_trampoline() {
    let thunk = clr_thunk(0x1111);
    let face = machine::face(&thunk, 0x2222).unwrap();
    assert_eq!(face[..12], thunk[..12]);
    assert_eq!(face[12..20], 0x2222_u64.to_le_bytes());
    assert_eq!(face[20..23], thunk[20..23]);
    for at in [0, 1, 10, 11, 20, 21, 22] {
        let mut other = thunk;
        other[at] ^= 1;
        assert_eq!(machine::face(&other, 0x2222), None, "byte {at}");
    }

    let t = trampolines();
    // Trampolines without faces come between.
    for n in 0..THUNKS + 3 {
        forward(
            &t,
            0x1000 + n,
            Callee {
                id: 1,
                stack: 0,
                in_memory: false,
            },
        );
    }
    let thunks: Vec<_> = (0..2 * THUNKS)
        .map(|_| Box::new(clr_thunk(0x1111)))
        .collect();
    for thunk in &thunks {
        let address = std::ptr::from_ref(&**thunk).expose_provenance();
        let made = t.reverse(address, 1, true, || target(1, 0)).unwrap();
        // SAFETY: mapped to be read, that large.
        let face = unsafe { std::ptr::with_exposed_provenance::<[u8; FACE]>(made).read() };
        assert_eq!(face[..12], thunk[..12]);
        assert_eq!(t.original(made), address);
        assert_eq!(t.original(made + 1), made + 1);
        assert_eq!(t.reverse(address, 1, true, || panic!("known")), Some(made));
    }
    // What does not look like a thunk gets none.
    let other = std::ptr::from_ref(&[0_u8; FACE]).expose_provenance();
    assert_eq!(t.reverse(other, 1, true, || target(1, 0)), None);
}

#[test]
fn a_face_is_called_like_its_trampoline() {
    let t = trampolines();
    // Memory that holds a thunk and can be executed: a face of another thunk is one.
    let inner = Box::new(clr_thunk(0));
    let inner_code = machine::face(&inner, add as *const () as usize).unwrap();
    let at = machine::reserve(THUNKS * FACE).unwrap();
    let written = machine::map_faces(at).unwrap();
    // SAFETY: mapped to be written, that large.
    unsafe {
        std::ptr::with_exposed_provenance_mut::<[u8; FACE]>(written).write(inner_code);
    }
    let made = t.reverse(at, 1, true, || target(6, 0)).unwrap();
    assert_eq!(
        pointer!(made, extern "C" fn(c_int, c_int) -> c_int)(20, 3),
        23
    );
    assert_eq!(told(), [('R', 6, at), ('V', 6, at)]);
}

#[test]
fn a_copy_of_the_template_does_as_well() {
    let (file, offset) = machine::copy(b"template").unwrap();
    let mut there = [0; 8];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut there, offset).unwrap();
    assert_eq!(&there, b"template");
}

#[test]
fn no_memory_is_writable_and_executable() {
    let t = trampolines();
    let made = reverse(&t, 0x1000, 1, || target(1, 0));
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.lines().any(|line| line.contains("rwx")), "{maps}");
    let of = |address: usize| machine::place(&maps, address as u64);
    let own = std::env::current_exe().unwrap();
    assert_eq!(
        of(made).map(|(path, _)| path),
        own.to_str().map(str::to_owned)
    );
    assert_eq!(of(made + CODE), None);
}

#[test]
fn mappings_are_read_as_the_kernel_writes_them() {
    let maps = "7f00-7f10 r--p 00000000 fe:01 5 /lib/a b.so\n\
        7f10-7f20 r-xp 00000100 fe:01 5                          /lib/a b.so\n\
        7f20-7f30 rw-p 00000000 00:00 0 \n\
        7f30-7f40 r-xp 00000000 00:00 0                          [vdso]\n";
    assert_eq!(
        machine::place(maps, 0x7f15),
        Some(("/lib/a b.so".into(), 0x105))
    );
    assert_eq!(machine::place(maps, 0x7f20), None);
    assert_eq!(machine::place(maps, 0x7f31), None);
    assert_eq!(machine::place("", 0x7f31), None);
}

#[test]
fn threads_get_the_same() {
    let t = trampolines();
    let all: Vec<Vec<usize>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    (0..2000)
                        .map(|n| reverse(&t, 0x1000 + 16 * n, 1, || target(1, 0)))
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

/// Every return address from here up to the test, by the tables that exceptions go by.
extern "C" fn walk(test: usize) -> c_int {
    struct Walk {
        frames: Vec<usize>,
    }
    unsafe extern "C" {
        fn _Unwind_Backtrace(
            each: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
            with: *mut c_void,
        ) -> c_int;
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
        fn _Unwind_FindEnclosingFunction(address: *mut c_void) -> *mut c_void;
    }
    extern "C" fn each(context: *mut c_void, walk: *mut c_void) -> c_int {
        // SAFETY: what is passed below; the address is asked of the context that was given.
        unsafe { &mut *walk.cast::<Walk>() }
            .frames
            .push(unsafe { _Unwind_GetIP(context) });
        0
    }
    let mut walk = Walk { frames: Vec::new() };
    // SAFETY: a callback of that signature, a pointer to a local that outlives the call.
    unsafe { _Unwind_Backtrace(each, (&raw mut walk).cast()) };
    let function = |address: &usize| {
        // SAFETY: any address may be asked about.
        unsafe {
            _Unwind_FindEnclosingFunction(std::ptr::without_provenance_mut(address.wrapping_sub(1)))
        }
        .addr()
    };
    let functions: Vec<usize> = walk.frames.iter().map(function).collect();
    let common = Common::of::<Callbacks>().address();
    let at = functions.iter().position(|function| *function == common);
    let Some(at) = at else { return -1 };
    // The caller of the trampoline is the next frame, and the walk goes on from there.
    let deeper = functions.len() - at;
    c_int::from(functions[at + 1] == test && deeper > 4)
}

#[inline(never)]
extern "C" fn calls_the_walk(made: usize) -> c_int {
    let me = calls_the_walk as *const () as usize;
    let found = pointer!(made, extern "C" fn(usize) -> c_int)(me);
    std::hint::black_box(found)
}

#[test]
fn unwinders_walk_through() {
    let t = trampolines();
    for stack in [0, 16, 48] {
        let made = reverse(&t, walk as *const () as usize, stack as u64, || {
            target(1, stack)
        });
        assert_eq!(calls_the_walk(made), 1, "with {stack} bytes on the stack");
    }
}

#[test]
fn a_panic_unwinds_through() {
    extern "C-unwind" fn panics(value: c_int) {
        std::panic::resume_unwind(Box::new(value));
    }
    let t = trampolines();
    let original = panics as *const () as usize;
    let made = reverse(&t, original, 1, || target(1, 16));
    let call = pointer!(made, extern "C-unwind" fn(c_int));
    let thrown = std::panic::catch_unwind(|| call(5)).unwrap_err();
    assert_eq!(thrown.downcast_ref::<c_int>(), Some(&5));
    // The way back was not taken, and nobody was told.
    assert_eq!(told(), [('R', 1, original)]);
}
