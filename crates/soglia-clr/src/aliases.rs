//! All names of a native function: those of its object, and of the symbols that lead to it.
//!
//! A function has as many names as its object's dynamic symbols give it (`system` and
//! `__libc_system`). An object has the names of its file, of symbolic links to it, and its own
//! (`DT_SONAME`). A policy that names one of them applies to the function.

use std::{
    ffi::{CStr, c_void},
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
};

use crate::objects::{
    self, Linkage,
    dynamic::{DT_GNU_HASH, DT_HASH, DT_NULL, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMTAB, Dynamic},
};

/// The names of the function at an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases {
    /// The names of the object: paths, and the names of files.
    pub libraries: Vec<String>,
    /// The names of the function. A function without a name has "".
    pub entries: Vec<String>,
}

impl Aliases {
    /// One name, as people would write it.
    pub fn shown(&self) -> String {
        let file = self.libraries.iter().find(|name| !name.contains('/'));
        let file = file.map_or("?", String::as_str);
        // Of several names, programs use the one without underscores.
        let mut entries: Vec<&String> = self.entries.iter().collect();
        entries.sort_by_key(|name| (name.starts_with('_'), name.len()));
        match entries.first().map(|name| name.as_str()) {
            None | Some("") => file.to_owned(),
            Some(entry) => format!("{file}!{entry}"),
        }
    }
}

/// The names of the function at an address. `None`: no object is there. Takes the loader's lock.
pub fn at(address: usize) -> Option<Aliases> {
    let map = objects::linkage(address as u64)?;
    let _held = Held::of(&map.name);
    let path = match map.name.to_bytes() {
        b"" => fs::read_link("/proc/self/exe").unwrap_or_default(),
        bytes => Path::new(std::ffi::OsStr::from_bytes(bytes)).to_owned(),
    };
    let mut found = Aliases::default();
    let real = fs::canonicalize(&path).ok();
    for path in [Some(path), real].into_iter().flatten() {
        found.library(&path.to_string_lossy());
        if let Some(file) = path.file_name() {
            found.library(&file.to_string_lossy());
        }
    }
    if let Some(tables) = Tables::of(&map) {
        if let Some(own) = tables.soname.and_then(|at| tables.text(at)) {
            found.library(&own);
        }
        tables.names_of(address, map.base, &map.name, &mut found.entries);
    }
    if found.entries.is_empty() {
        found.entries.push(String::new());
    }
    Some(found)
}

impl Aliases {
    fn library(&mut self, name: &str) {
        if !name.is_empty() && !self.libraries.iter().any(|known| known == name) {
            self.libraries.push(name.to_owned());
        }
    }
}

/// A loaded object that cannot be unloaded while this exists.
struct Held(*mut c_void);

impl Held {
    fn of(name: &CStr) -> Self {
        let name = match name.to_bytes() {
            b"" => std::ptr::null(),
            _ => name.as_ptr(),
        };
        // SAFETY: with NOLOAD the loader returns a handle to a loaded object, or null.
        Self(unsafe { libc::dlopen(name, libc::RTLD_LAZY | libc::RTLD_NOLOAD) })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: this value owns the handle, and closes it once.
            unsafe { libc::dlclose(self.0) };
        }
    }
}

/// An object's dynamic symbols, in memory.
struct Tables {
    symbols: *const libc::Elf64_Sym,
    count: usize,
    strings: *const u8,
    size: usize,
    soname: Option<usize>,
}

impl Tables {
    fn of(map: &Linkage) -> Option<Self> {
        let (mut symbols, mut strings, mut size, mut soname) = (0, 0, 0, None);
        let (mut hash, mut gnu) = (0, 0);
        // The loader adds the base to the addresses that it can write. The kernel's own object has
        // them without it.
        let place = |value: usize| {
            if value < map.base {
                value + map.base
            } else {
                value
            }
        };
        let mut entry: *const Dynamic = std::ptr::with_exposed_provenance(map.dynamic?);
        loop {
            // SAFETY: the object is held, and its dynamic section ends with a null entry.
            let Dynamic { tag, value } = unsafe { entry.read() };
            let value = value as usize;
            match tag {
                DT_NULL => break,
                DT_SYMTAB => symbols = place(value),
                DT_STRTAB => strings = place(value),
                DT_STRSZ => size = value,
                DT_SONAME => soname = Some(value),
                DT_HASH => hash = place(value),
                DT_GNU_HASH => gnu = place(value),
                _ => {}
            }
            entry = entry.wrapping_add(1);
        }
        if symbols == 0 || strings == 0 {
            return None;
        }
        // SAFETY: the object is held, and its dynamic section gives the address of its hash table.
        let count = unsafe {
            match (hash, gnu) {
                (0, 0) => return None,
                (0, gnu) => symbols_by_gnu_hash(gnu),
                (hash, _) => std::ptr::with_exposed_provenance::<u32>(hash).add(1).read() as usize,
            }
        };
        Some(Self {
            symbols: std::ptr::with_exposed_provenance(symbols),
            count,
            strings: std::ptr::with_exposed_provenance(strings),
            size,
            soname,
        })
    }

    fn text(&self, at: usize) -> Option<String> {
        let room = self.size.checked_sub(at)?;
        // SAFETY: the offset and the length are within the object's table of strings.
        let bytes = unsafe { std::slice::from_raw_parts(self.strings.add(at), room) };
        let text = CStr::from_bytes_until_nul(bytes).ok()?;
        Some(text.to_string_lossy().into_owned())
    }

    /// Adds the names of all symbols that contain the address, or that lead to it.
    fn names_of(&self, address: usize, base: usize, object: &CStr, into: &mut Vec<String>) {
        for number in 1..self.count {
            // SAFETY: the hash table says that there are so many symbols, and the object is held.
            let symbol = unsafe { &*self.symbols.add(number) };
            let (kind, value) = (symbol.st_info & 0xf, symbol.st_value as usize);
            if symbol.st_shndx == 0 || value == 0 {
                continue;
            }
            let start = base.wrapping_add(value);
            let size = (symbol.st_size as usize).max(1);
            let is_here = match kind {
                // No type, an object, a function: an entry point may have any of these types.
                0..=2 => (start..start.saturating_add(size)).contains(&address),
                // An indirect function: the loader knows which implementation it has chosen.
                10 => self.chosen(object, symbol.st_name as usize) == Some(address),
                _ => false,
            };
            if is_here
                && let Some(name) = self.text(symbol.st_name as usize)
                && !into.contains(&name)
            {
                into.push(name);
            }
        }
    }

    fn chosen(&self, object: &CStr, name: usize) -> Option<usize> {
        let name = self.text(name)?;
        let name = std::ffi::CString::new(name).ok()?;
        let held = Held::of(object);
        if held.0.is_null() {
            return None;
        }
        // SAFETY: the handle is open, and the name ends with a zero.
        let found = unsafe { libc::dlsym(held.0, name.as_ptr()) };
        (!found.is_null()).then(|| found.expose_provenance())
    }
}

/// How many symbols an object has: the last one of the last chain is the last of all.
///
/// # Safety
/// At `at` is the GNU hash table of a loaded object.
unsafe fn symbols_by_gnu_hash(at: usize) -> usize {
    let words = std::ptr::with_exposed_provenance::<u32>(at);
    // SAFETY: the caller promises a hash table. It has a header, a filter in words of 8 bytes, the
    // buckets, then the chains.
    unsafe {
        let (buckets, first, filter) = (words.read(), words.add(1).read(), words.add(2).read());
        let bucket = words.add(4 + 2 * filter as usize);
        let last = (0..buckets as usize).map(|n| bucket.add(n).read()).max();
        let Some(mut last) = last.filter(|last| *last >= first) else {
            return first as usize;
        };
        let chain = bucket.add(buckets as usize);
        while chain.add((last - first) as usize).read() & 1 == 0 {
            last += 1;
        }
        last as usize + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(function: *const c_void) -> Aliases {
        at(function.expose_provenance()).unwrap()
    }

    #[test]
    fn a_function_has_all_its_names() {
        let system = of(libc::system as *const c_void);
        let file = system.libraries.iter().any(|name| name == "libc.so.6");
        assert!(file, "{system:?}");
        for entry in ["system", "__libc_system"] {
            assert!(
                system.entries.iter().any(|name| name == entry),
                "{system:?}"
            );
        }
        assert_eq!(system.shown(), "libc.so.6!system");
        // An address behind its first instruction is in the same function.
        let within = at((libc::system as *const c_void).expose_provenance() + 4).unwrap();
        assert_eq!(within, system);
    }

    #[test]
    fn what_the_loader_chooses_has_its_name() {
        // SAFETY: looks up a name in the loaded objects; the name ends with a zero.
        let chosen = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"memcpy".as_ptr()) };
        let memcpy = of(chosen);
        assert!(
            memcpy.entries.iter().any(|name| name == "memcpy"),
            "{memcpy:?}"
        );
    }

    #[test]
    fn this_program_has_a_name_and_memory_has_none() {
        let own = of(at as *const c_void);
        assert_eq!(own.entries, [""]);
        let file = std::env::current_exe().unwrap();
        let file = file.file_name().unwrap().to_string_lossy();
        assert!(own.libraries.iter().any(|name| *name == file), "{own:?}");
        assert_eq!(own.shown(), file);
        let boxed = Box::new(0_u64);
        assert_eq!(at(std::ptr::from_ref(&*boxed).addr()), None);
    }
}
