//! The machine's part: thunks, the code that they share, and memory to put more of them into. System V calling convention.

use std::{
    arch::{global_asm, naked_asm},
    ffi::CStr,
    fs::{self, File},
    io::Write,
    os::{
        fd::{AsRawFd, FromRawFd},
        unix::fs::{FileExt, OpenOptionsExt},
    },
    ptr,
    sync::OnceLock,
};

use super::{CLR_THUNK, CODE, FACE, THUNKS};

/// What a trampoline tells, before and after. The id is that of its [`super::Callee`], `original` what is called between.
///
/// Neither may unwind, and both keep errno. They run wherever native code calls from, so also on threads that were never managed.
pub trait CallHooks {
    /// Before. Below 0: the call is not made, and returns zeros.
    extern "C" fn open(id: i64, original: usize) -> i32;
    /// After, with what `open` has answered. Not told if the call ends in another way than by its return, or is not made.
    extern "C" fn close(id: i64, original: usize, opened: i32);
}

/// Code that all thunks of a direction share.
#[derive(Clone, Copy)]
pub struct Common(unsafe extern "C" fn());

impl Common {
    /// With these hooks.
    pub const fn of<H: CallHooks>() -> Self {
        Self(common::<H>)
    }

    pub(super) fn address(self) -> usize {
        self.0 as usize
    }
}

// `endbr64; lea r11, [rip + slot]; jmp [r11]`, 16 bytes each. A slot takes 32: from the end of the `lea` it is the template's
// length and 16 bytes for each thunk before this one. As bytes, for an assembler would take the distance for an address.
global_asm!(
    ".pushsection .text.soglia_thunks,\"ax\",@progbits",
    ".balign 4096",
    ".globl soglia_thunks",
    ".hidden soglia_thunks",
    ".type soglia_thunks,@object",
    ".size soglia_thunks,{code}",
    "soglia_thunks:",
    ".set soglia_thunk, 0",
    ".rept {thunks}",
    "endbr64",
    ".byte 0x4c, 0x8d, 0x1d",
    ".long {code} + 16 * soglia_thunk - 11",
    ".byte 0x41, 0xff, 0x23",
    ".balign 16, 0xcc",
    ".set soglia_thunk, soglia_thunk + 1",
    ".endr",
    ".popsection",
    code = const CODE,
    thunks = const THUNKS,
);

/// What every thunk goes on with, `r11` being its slot.
///
/// ```text
///  rbp+16 ..   arguments on the stack            rbp-40 ..  before the call: rdi rsi rdx rcx r8 r9 rax r10
///  rbp+8       return address                    rbp-224    and xmm0 .. xmm7
///  rbp         caller's rbp
///  rbp-8       the id, as it was before: another thread may change the slot
///  rbp-16      the original, likewise
///  rbp-24      what the first hook has answered
///  rbp-32      what the slot says of the stack   rbp-40 ..  behind it: rax rdx xmm0 xmm1
/// ```
///
/// What calls nested in each other leave no room for is given back before the call: a frame takes 48 bytes then.
///
/// Of ymm and zmm registers the upper parts are left to chance: the CLR passes nothing in them. rax is the number of vector registers
/// where the callee takes any number of arguments, and r10 is what some compilers pass to nested functions.
#[unsafe(naked)]
unsafe extern "C" fn common<H: CallHooks>() {
    naked_asm!(
        ".cfi_startproc",
        "endbr64",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "sub rsp, 224",
        "mov [rbp - 40], rdi",
        "mov [rbp - 48], rsi",
        "mov [rbp - 56], rdx",
        "mov [rbp - 64], rcx",
        "mov [rbp - 72], r8",
        "mov [rbp - 80], r9",
        "mov [rbp - 88], rax",
        "mov [rbp - 96], r10",
        "movaps [rbp - 224], xmm0",
        "movaps [rbp - 208], xmm1",
        "movaps [rbp - 192], xmm2",
        "movaps [rbp - 176], xmm3",
        "movaps [rbp - 160], xmm4",
        "movaps [rbp - 144], xmm5",
        "movaps [rbp - 128], xmm6",
        "movaps [rbp - 112], xmm7",
        "mov rsi, [r11 + 8]",
        "mov rdi, [r11 + 16]",
        "mov rax, [r11 + 24]",
        "mov [rbp - 8], rdi",
        "mov [rbp - 16], rsi",
        "mov [rbp - 32], rax",
        "call {open}",
        "mov [rbp - 24], rax",
        "test eax, eax",
        "js 4f",
        "movaps xmm0, [rbp - 224]",
        "movaps xmm1, [rbp - 208]",
        "movaps xmm2, [rbp - 192]",
        "movaps xmm3, [rbp - 176]",
        "movaps xmm4, [rbp - 160]",
        "movaps xmm5, [rbp - 144]",
        "movaps xmm6, [rbp - 128]",
        "movaps xmm7, [rbp - 112]",
        "mov rdi, [rbp - 40]",
        "mov rsi, [rbp - 48]",
        "mov rdx, [rbp - 56]",
        "mov rcx, [rbp - 64]",
        "mov r8, [rbp - 72]",
        "mov r9, [rbp - 80]",
        "mov rax, [rbp - 88]",
        "mov r10, [rbp - 96]",
        "lea rsp, [rbp - 32]",
        // What the caller has put on the stack, once more.
        "mov r11, [rbp - 32]",
        "and r11, -16",
        "je 3f",
        "2:",
        "push qword ptr [rbp + r11 + 8]",
        "sub r11, 8",
        "jne 2b",
        "3:",
        "call qword ptr [rbp - 16]",
        // Results are in these four at most.
        "lea rsp, [rbp - 80]",
        "mov [rbp - 40], rax",
        "mov [rbp - 48], rdx",
        "movaps [rbp - 64], xmm0",
        "movaps [rbp - 80], xmm1",
        "mov rdi, [rbp - 8]",
        "mov rsi, [rbp - 16]",
        "mov edx, [rbp - 24]",
        "call {close}",
        "mov rax, [rbp - 40]",
        "mov rdx, [rbp - 48]",
        "movaps xmm0, [rbp - 64]",
        "movaps xmm1, [rbp - 80]",
        "leave",
        ".cfi_remember_state",
        ".cfi_def_cfa rsp, 8",
        ".cfi_restore rbp",
        "ret",
        ".cfi_restore_state",
        // Not made: zeros, or where the caller wants a result in memory, its address.
        "4:",
        "xor eax, eax",
        "test qword ptr [rbp - 32], 1",
        "cmovne rax, [rbp - 40]",
        "xor edx, edx",
        "xorps xmm0, xmm0",
        "xorps xmm1, xmm1",
        "leave",
        ".cfi_def_cfa rsp, 8",
        ".cfi_restore rbp",
        "ret",
        ".cfi_endproc",
        open = sym H::open,
        close = sym H::close,
    )
}

/// Addresses for all blocks there will ever be; no memory yet.
pub(super) fn reserve(size: usize) -> Option<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping, wherever there is room.
    let at = unsafe { libc::mmap(ptr::null_mut(), size, libc::PROT_NONE, flags, -1, 0) };
    (at != libc::MAP_FAILED).then(|| at.expose_provenance())
}

/// Puts a block of thunks and empty slots there, into what was reserved. If that fails, nobody knows what is there now.
pub(super) fn map_block(at: usize) -> bool {
    let template = template();
    let slots = THUNKS * size_of::<super::Slot>();
    let code = ptr::with_exposed_provenance_mut::<u8>(at);
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    // SAFETY: what is there is ours, reserved and unused.
    let got = unsafe { libc::mmap(code.add(CODE).cast(), slots, protection, flags, -1, 0) };
    if got == libc::MAP_FAILED {
        return false;
    }
    let Some((file, offset)) = own_file(template).or_else(|| copy(template)) else {
        return false;
    };
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_FIXED;
    let (Ok(offset), file) = (libc::off_t::try_from(offset), file.as_raw_fd()) else {
        return false;
    };
    // SAFETY: as above.
    let got = unsafe { libc::mmap(code.cast(), CODE, protection, flags, file, offset) };
    got != libc::MAP_FAILED
}

fn template() -> &'static [u8; CODE] {
    unsafe extern "C" {
        static soglia_thunks: [u8; CODE];
    }
    // SAFETY: defined above, constant and that long.
    unsafe { &soglia_thunks }
}

/// The file that the template was loaded from, and where in it; if it is still the same there.
fn own_file(template: &[u8]) -> Option<(File, u64)> {
    static PLACE: OnceLock<Option<(String, u64)>> = OnceLock::new();
    let place = PLACE.get_or_init(|| {
        let maps = fs::read_to_string("/proc/self/maps").ok()?;
        place(&maps, template.as_ptr().addr() as u64)
    });
    let (path, offset) = place.as_ref()?;
    let flags = libc::O_CLOEXEC | libc::O_NOCTTY;
    let file = File::options()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .ok()?;
    // Somebody may have put another one there since. Read, not mapped: a shorter one would kill.
    let mut there = vec![0; template.len()];
    file.read_exact_at(&mut there, *offset).ok()?;
    (there == template).then_some((file, *offset))
}

/// Which file an address was mapped from, and where in it, by the words of `/proc/self/maps`.
pub(super) fn place(maps: &str, address: u64) -> Option<(String, u64)> {
    maps.lines().find_map(|line| {
        // start-end perms offset device inode   path
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        let start = u64::from_str_radix(start, 16).ok()?;
        let end = u64::from_str_radix(end, 16).ok()?;
        let offset = u64::from_str_radix(words.nth(1)?, 16).ok()?;
        let path = words.nth(2)?.trim_start();
        let within = (start..end).contains(&address) && path.starts_with('/');
        within.then(|| (path.to_owned(), offset + (address - start)))
    })
}

/// What a CLR before .NET 9 makes of a delegate: `mov r10, ITS OWN DATA; mov rax, CODE; jmp rax`. By these bytes it knows such a thunk
/// again when managed code gets a pointer, and by the data whose it is.
///
/// A face has the same bytes, but for the code: that is the trampoline. `None`: the thunk looks otherwise.
pub(super) fn face(thunk: &[u8; CLR_THUNK], trampoline: usize) -> Option<[u8; FACE]> {
    if thunk[..2] != BEGINS || thunk[10..12] != [0x48, 0xB8] || thunk[20..] != [0x48, 0xFF, 0xE0] {
        return None;
    }
    let mut face = [0xCC; FACE];
    face[..CLR_THUNK].copy_from_slice(thunk);
    face[12..20].copy_from_slice(&trampoline.to_le_bytes());
    Some(face)
}

/// How such a thunk begins.
pub(super) const BEGINS: [u8; 2] = [0x49, 0xBA];

/// Puts room for a block of faces there, into what was reserved, to be executed; and answers where it can be written.
///
/// It is one memory at two addresses, as the CLR has it for code of its own.
pub(super) fn map_faces(at: usize) -> Option<usize> {
    const SIZE: usize = THUNKS * FACE;
    let file = in_memory(c"soglia-faces")?;
    file.set_len(SIZE as u64).ok()?;
    let descriptor = file.as_raw_fd();
    let map = |at: usize, protection, fixed| {
        let at = ptr::with_exposed_provenance_mut::<u8>(at).cast();
        let flags = libc::MAP_SHARED | fixed;
        // SAFETY: a new mapping wherever there is room, or where all is ours, reserved and unused.
        let got = unsafe { libc::mmap(at, SIZE, protection, flags, descriptor, 0) };
        (got != libc::MAP_FAILED).then(|| got.expose_provenance())
    };
    let written = map(0, libc::PROT_READ | libc::PROT_WRITE, 0)?;
    map(at, libc::PROT_READ | libc::PROT_EXEC, libc::MAP_FIXED)?;
    Some(written)
}

/// A copy of the template in a file of its own, in memory.
pub(super) fn copy(template: &[u8]) -> Option<(File, u64)> {
    let mut file = in_memory(c"soglia-thunks")?;
    file.write_all(template).ok()?;
    Some((file, 0))
}

fn in_memory(name: &CStr) -> Option<File> {
    // SAFETY: a zero-terminated name.
    let file = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    // SAFETY: just made, and nobody else's.
    (file >= 0).then(|| unsafe { File::from_raw_fd(file) })
}
