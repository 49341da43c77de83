//! Trampolines whose hooks record their calls.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test file uses a part of it"
)]

use std::{cell::RefCell, ffi::c_int};

use soglia_trampolines::{CallHooks, Callee, Common, Passed, Trampolines};

thread_local! {
    static RECORDED: RefCell<Vec<(char, i64, usize)>> = const { RefCell::new(Vec::new()) };
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// What the last callback whose arguments are kept has passed and returned.
#[derive(Debug, Default, PartialEq)]
pub struct Kept {
    pub integers: [Option<u64>; 9],
    pub floats: [Option<f64>; 9],
    pub stack: Vec<u64>,
    pub returned: u64,
    pub returned_float: f64,
}

fn keep(passed: &Passed) {
    let kept = Kept {
        integers: std::array::from_fn(|n| passed.integer(n)),
        floats: std::array::from_fn(|n| passed.float(n).map(f64::from_bits)),
        stack: (0..).map_while(|n| passed.on_stack(n)).collect(),
        returned: passed.returned(),
        returned_float: f64::from_bits(passed.returned_float()),
    };
    KEPT.set(Some(kept));
}

pub fn kept() -> Option<Kept> {
    KEPT.take()
}

/// Hooks that record their calls, and overwrite all registers that a callee may overwrite.
pub struct Callbacks;
pub struct Outward;

#[inline(never)]
fn record(what: char, id: i64, original: usize) {
    RECORDED.with_borrow_mut(|recorded| recorded.push((what, id, original)));
    ravage();
}

/// How many integers are passed in registers.
pub const INTEGERS: usize = if cfg!(target_arch = "aarch64") { 8 } else { 6 };

/// Overwrites all registers that a callee may overwrite.
#[cfg(target_arch = "aarch64")]
fn ravage() {
    // SAFETY: `clobber_abi` names all registers that are written.
    unsafe {
        std::arch::asm!(
            "mov x0, #-1; mov x1, x0; mov x2, x0; mov x3, x0; mov x4, x0; mov x5, x0",
            "mov x6, x0; mov x7, x0; mov x8, x0; mov x9, x0; mov x10, x0; mov x11, x0",
            "mov x12, x0; mov x13, x0; mov x14, x0; mov x15, x0; mov x16, x0; mov x17, x0",
            "dup v0.2d, x0; dup v1.2d, x0; dup v2.2d, x0; dup v3.2d, x0",
            "dup v4.2d, x0; dup v5.2d, x0; dup v6.2d, x0; dup v7.2d, x0",
            "dup v16.2d, x0; dup v31.2d, x0",
            clobber_abi("C"),
        );
    }
}

/// Overwrites all registers that a callee may overwrite.
#[cfg(target_arch = "x86_64")]
fn ravage() {
    // SAFETY: `clobber_abi` names all registers that are written.
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

/// What `open` returns, and `close` gets. Calls with an id below 0 are denied.
pub const ANSWER: i32 = 0x7654_3210;

impl CallHooks for Callbacks {
    extern "C" fn open(id: i64, original: usize) -> i32 {
        record('R', id, original);
        if id < 0 { -1 } else { ANSWER }
    }
    extern "C" fn close(id: i64, original: usize, opened: i32, passed: Option<&Passed>) {
        assert_eq!(opened, ANSWER);
        passed.map(keep);
        record('V', id, original);
    }
}

impl CallHooks for Outward {
    extern "C" fn open(id: i64, original: usize) -> i32 {
        record('L', id, original);
        ANSWER
    }
    extern "C" fn close(id: i64, original: usize, opened: i32, _: Option<&Passed>) {
        assert_eq!(opened, ANSWER);
        record('E', id, original);
    }
}

pub fn trampolines() -> Trampolines {
    Trampolines::new(Common::of::<Callbacks>(), Common::of::<Outward>())
}

pub fn reverse(
    t: &Trampolines,
    thunk: usize,
    owner: u64,
    callee: impl FnOnce() -> Option<Callee>,
) -> usize {
    t.reverse(thunk, owner, false, callee).unwrap()
}

pub fn forward(t: &Trampolines, native: usize, callee: Callee) -> usize {
    t.forward(native, callee).unwrap()
}

pub fn callee(id: i64, stack: usize) -> Option<Callee> {
    Some(plain(id, stack))
}

/// A callee whose result is in registers.
pub fn plain(id: i64, stack: usize) -> Callee {
    Callee {
        id,
        stack,
        in_memory: false,
        keeps: false,
    }
}

pub fn recorded() -> Vec<(char, i64, usize)> {
    RECORDED.take()
}

/// A number as a function pointer.
macro_rules! pointer {
    ($of:expr, $type:ty) => {{
        // SAFETY: the caller of the macro names the type of the function that the trampoline at
        // this address stands for.
        let function: $type = unsafe { std::mem::transmute::<usize, $type>($of) };
        function
    }};
}

pub extern "C" fn add(a: c_int, b: c_int) -> c_int {
    a + b
}

pub(crate) use pointer;
