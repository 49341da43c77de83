//! Leads functions that a loaded object imports elsewhere.
//!
//! The loader keeps the address of each imported function in a word of the object, through which
//! the object's code calls it. That word is changed. Other objects do not notice.

use std::{
    ffi::CStr,
    sync::atomic::{AtomicUsize, Ordering::Release},
};

use super::{
    dynamic::{DT_JMPREL, DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_STRSZ, DT_STRTAB, DT_SYMTAB},
    inside::{Object, look},
};

/// An entry of a table of places that the loader fills in: `Elf64_Rela`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Filled {
    offset: u64,
    /// The number of the symbol above, what to fill in below.
    info: u64,
    addend: i64,
}

impl Filled {
    /// Whether the place holds the address of a symbol, and nothing else.
    const fn is_address(self) -> bool {
        // R_X86_64_GLOB_DAT and R_X86_64_JUMP_SLOT, and the same of aarch64.
        let kinds = if cfg!(target_arch = "aarch64") {
            [1025, 1026]
        } else {
            [6, 7]
        };
        let kind = self.info & 0xffff_ffff;
        kind == kinds[0] || kind == kinds[1]
    }
}

/// Has the loaded object whose file has this name call `to` where it calls the function that it
/// imports by this name. Returns whether there was such a place.
///
/// # Safety
/// `to` is a function that can stand for that one, and stays.
pub unsafe fn lead(file: &str, function: &CStr, to: usize) -> bool {
    let places = look(|object| {
        let is_it = object.file().file_name().is_some_and(|name| name == file);
        is_it.then(|| places(object, function))
    });
    let places = places.flatten().unwrap_or_default();
    // SAFETY: the places hold addresses of functions, and the caller promises one.
    let set = |place: &&Place| unsafe { place.set(to) };
    places.iter().filter(set).count() > 0
}

/// A word that holds the address of an imported function.
struct Place {
    address: usize,
    /// The loader has made its page read-only.
    is_fixed: bool,
}

fn places(object: &Object, function: &CStr) -> Option<Vec<Place>> {
    let texts = object.values::<u8>(
        object.address(DT_STRTAB)?,
        usize::try_from(object.dynamic(DT_STRSZ)?).ok()?,
    );
    let fixed = object.of_type(libc::PT_GNU_RELRO).unwrap_or(0..0);
    let mut places = Vec::new();
    for (table, size) in [(DT_JMPREL, DT_PLTRELSZ), (DT_RELA, DT_RELASZ)] {
        let (Some(table), Some(size)) = (object.address(table), object.dynamic(size)) else {
            continue;
        };
        let entries = object.values::<Filled>(table, size as usize / size_of::<Filled>());
        for entry in entries.iter().filter(|entry| entry.is_address()) {
            let number = entry.info >> 32;
            let symbol = object.address(DT_SYMTAB)? + number * size_of::<libc::Elf64_Sym>() as u64;
            let [symbol] = object.values::<libc::Elf64_Sym>(symbol, 1) else {
                continue;
            };
            let name = texts.get(symbol.st_name as usize..).unwrap_or_default();
            if CStr::from_bytes_until_nul(name) != Ok(function) {
                continue;
            }
            let address = object.base().wrapping_add(entry.offset);
            if object.values::<usize>(address, 1).len() == 1 {
                places.push(Place {
                    address: address as usize,
                    is_fixed: fixed.contains(&address),
                });
            }
        }
    }
    Some(places)
}

impl Place {
    /// # Safety
    /// The place is one of a loaded object, and `to` can stand for the function in it.
    unsafe fn set(&self, to: usize) -> bool {
        // SAFETY: asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let Ok(page) = usize::try_from(page) else {
            return false;
        };
        let begin = std::ptr::with_exposed_provenance_mut(self.address & !(page - 1));
        let protect = |how| {
            // SAFETY: the page of a word of a loaded object. Its code is not in it.
            !self.is_fixed || unsafe { libc::mprotect(begin, page, how) } == 0
        };
        if !protect(libc::PROT_READ | libc::PROT_WRITE) {
            return false;
        }
        // SAFETY: an aligned word of the object, which can be written now. Code that calls through
        // it reads it as a whole.
        unsafe { AtomicUsize::from_ptr(std::ptr::with_exposed_provenance_mut(self.address)) }
            .store(to, Release);
        let _ = protect(libc::PROT_READ);
        true
    }
}
