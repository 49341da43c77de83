//! A guard for a mapped file that may be cut: the reader finds zeros beyond the new end and goes
//! on.
//!
//! Reading a mapping beyond the end of its file raises SIGBUS. The handler of that signal puts
//! zeros in the place of all that is gone, from that page to the end of the mapping. The reader
//! goes on, and asks at the end whether the file is still whole. A copy of the file in memory would
//! need no handler. But it would take time and memory for all of a recording, of which a report
//! reads little, and it could tear a counter that a live process changes.
#![allow(
    unsafe_code,
    reason = "a signal handler, and mappings in place of others"
)]

use std::{
    ffi::c_void,
    mem, ptr,
    sync::{
        Once,
        atomic::{
            AtomicPtr, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
};

/// A guarded mapping. Entries are never freed, and are used again.
struct Entry {
    begin: AtomicUsize,
    /// 0: the entry is free. 1: it is being filled in.
    end: AtomicUsize,
    next: Option<&'static Entry>,
}

const TAKEN: usize = 1;

static ENTRIES: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());
static BEFORE: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());
static INSTALL: Once = Once::new();

/// Guards a mapping until it is dropped.
#[derive(Debug)]
pub(super) struct Guard(&'static AtomicUsize);

impl Guard {
    /// Guards the mapping that lies here. The guard must be dropped before the mapping.
    pub(super) fn of(begin: *const u8, bytes: usize) -> Self {
        INSTALL.call_once(install);
        let begin = begin as usize;
        let entry = free_entry();
        entry.begin.store(begin, Relaxed);
        entry.end.store(begin + bytes, Release);
        Self(&entry.end)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(0, Release);
    }
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    // SAFETY: the list holds null or entries that `free_entry` leaked, so the entry lives for ever.
    // The Acquire load sees it whole.
    let first = unsafe { ENTRIES.load(Acquire).as_ref() };
    std::iter::successors(first, |entry| entry.next)
}

fn free_entry() -> &'static Entry {
    let take = |entry: &&Entry| {
        entry
            .end
            .compare_exchange(0, TAKEN, AcqRel, Relaxed)
            .is_ok()
    };
    if let Some(entry) = entries().find(take) {
        return entry;
    }
    let mut first = ENTRIES.load(Acquire);
    loop {
        let entry = Box::leak(Box::new(Entry {
            begin: AtomicUsize::new(0),
            end: AtomicUsize::new(TAKEN),
            // SAFETY: the list holds null or entries that `free_entry` leaked, so the entry lives
            // for ever. The Acquire load sees it whole.
            next: unsafe { first.as_ref() },
        }));
        match ENTRIES.compare_exchange(first, entry, AcqRel, Acquire) {
            Ok(_) => return entry,
            Err(other) => first = other,
        }
    }
}

fn install() {
    // SAFETY: a sigaction of zeros is valid. `before` is leaked, so it lives for ever. Both calls
    // get pointers to whole sigactions, and the handler is a function with the signature that
    // SA_SIGINFO asks for.
    unsafe {
        let before = Box::leak(Box::new(mem::zeroed::<libc::sigaction>()));
        libc::sigaction(libc::SIGBUS, ptr::null(), before);
        BEFORE.store(before, Release);
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = on_bus_error as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigfillset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut());
    }
}

extern "C" fn on_bus_error(signal: i32, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel passes a siginfo_t to a handler with SA_SIGINFO, and it lives as long as
    // this call.
    let info = unsafe { &*info };
    // A signal that a process has sent has no address.
    let by_kernel = info.si_code > 0;
    let at = match by_kernel {
        // SAFETY: `by_kernel` says that the kernel raised this SIGBUS, and then it fills the
        // address in.
        true => unsafe { info.si_addr() as usize },
        false => 0,
    };
    let of_ours = |entry: &&Entry| {
        let end = entry.end.load(Acquire);
        end > TAKEN && (entry.begin.load(Relaxed)..end).contains(&at)
    };
    if by_kernel && let Some(entry) = entries().find(of_ours) {
        let page = at & !4095;
        let bytes = entry.end.load(Relaxed) - page;
        // SAFETY: the pages belong to a guarded mapping, which its owner only reads and which
        // stands as long as its entry. mmap is a plain system call, so a handler may make it.
        let zeros = unsafe {
            libc::mmap(
                page as *mut c_void,
                bytes,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if zeros != libc::MAP_FAILED {
            return;
        }
    }
    // It is not about a guarded mapping: restores the handler from before. The access is repeated
    // when this one returns. A signal that was sent is sent again.
    // SAFETY: `install` set `BEFORE` to a leaked sigaction before it set this handler. A handler
    // may call sigaction and raise.
    unsafe {
        libc::sigaction(signal, BEFORE.load(Acquire), ptr::null_mut());
        if !by_kernel {
            libc::raise(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memmap2::MmapOptions;

    #[test]
    #[cfg_attr(miri, ignore = "maps a file")]
    fn what_is_cut_off_becomes_zeros() {
        let file = tempfile::tempfile().unwrap();
        for round in 0..3 {
            file.set_len(64 << 12).unwrap();
            let filled = vec![7; 64 << 12];
            std::os::unix::fs::FileExt::write_all_at(&file, &filled, 0).unwrap();
            let map = MmapOptions::new().map_raw_read_only(&file).unwrap();
            let _guard = Guard::of(map.as_ptr(), map.len());
            // SAFETY: the tests below ask for bytes within the mapping, which `map` keeps.
            let at = |byte: usize| unsafe { map.as_ptr().add(byte).read_volatile() };
            assert_eq!((at(0), at(63 << 12)), (7, 7));
            file.set_len(8 << 12).unwrap();
            for page in [40, 9, 8, 63] {
                assert_eq!(at((page << 12) + 1), 0, "round {round}, page {page}");
            }
            assert_eq!(at((8 << 12) - 1), 7);
        }
    }
}
