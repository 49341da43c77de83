//! The loaded object at an address, and the function in it, from the object's tables in memory.
//!
//! `dladdr` gives them too, but takes the lock that is held while constructors of a library run. A
//! call that waits for it may wait for a thread that waits for that call.

use std::{
    ffi::{CStr, CString, OsStr, c_int, c_void},
    fs,
    ops::Range,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    slice,
};

use soglia_core::trace::loaded::LoadedObject;

use super::dynamic::{DT_GNU_HASH, DT_HASH, DT_STRSZ, DT_STRTAB, DT_SYMTAB, Dynamic};

/// Where an address lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// The object's file, as the loader names it.
    pub file: PathBuf,
    /// The address in the file's own terms: the offset from the object's base.
    pub offset: u64,
    /// The exported function that begins there.
    pub symbol: Option<String>,
    /// The object's build id, in hexadecimal.
    pub build: Option<String>,
}

/// Where an address lies, if it is in a loaded object. Of several names of the function there,
/// prefers `wanted`.
pub fn inside(address: u64, wanted: Option<&str>) -> Option<Inside> {
    look_at(address, |object| object.inside(address, wanted))
}

/// Whether an address lies in a loaded object.
pub fn has(address: u64) -> bool {
    look_at(address, |_| Some(())).is_some()
}

/// What a loaded object is linked by.
#[derive(Debug)]
pub struct Linkage {
    /// What the loader has added to the addresses in the object's file.
    pub base: usize,
    /// The name of its file, as the loader knows it. It is empty for the program itself.
    pub name: CString,
    /// The address of its dynamic section.
    pub dynamic: Option<usize>,
}

/// The object that contains the address.
pub fn linkage(address: u64) -> Option<Linkage> {
    look_at(address, |object| {
        let dynamic = object.of_type(libc::PT_DYNAMIC);
        Some(Linkage {
            base: object.info.dlpi_addr as usize,
            name: object.name().to_owned(),
            dynamic: dynamic.map(|range| range.start as usize),
        })
    })
}

/// All loaded objects that have a file.
pub fn all() -> Vec<LoadedObject> {
    unsafe extern "C" fn take(info: *mut libc::dl_phdr_info, _: usize, into: *mut c_void) -> c_int {
        // SAFETY: the caller below passes a vector. The loader passes a valid record, whose object
        // stays until this returns.
        let (all, info) = unsafe { (&mut *into.cast::<Vec<LoadedObject>>(), &*info) };
        let object = Object { info };
        let path = object.file();
        if path.is_absolute() {
            all.push(LoadedObject {
                base: info.dlpi_addr,
                end: object.segments().map(|(s, _)| s.end).max().unwrap_or(0),
                path: path.to_string_lossy().into_owned(),
                build: object.build(),
            });
        }
        0
    }
    let mut all: Vec<LoadedObject> = Vec::new();
    // SAFETY: `take` gets the vector that it expects, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(take), (&raw mut all).cast()) };
    all
}

/// What `f` finds in the object that contains the address.
fn look_at<T>(address: u64, f: impl Fn(&Object) -> Option<T>) -> Option<T> {
    look(|object| {
        let is_here = object.segments().any(|(s, _)| s.contains(&address));
        is_here.then(|| f(object))
    })?
}

/// What `f` finds in the first object in which it finds something.
pub(super) fn look<T, F: Fn(&Object) -> Option<T>>(f: F) -> Option<T> {
    struct Look<T, F> {
        f: F,
        found: Option<T>,
    }
    unsafe extern "C" fn look<T, F: Fn(&Object) -> Option<T>>(
        info: *mut libc::dl_phdr_info,
        _: usize,
        into: *mut c_void,
    ) -> c_int {
        // SAFETY: the caller below passes a `Look`. The loader passes a valid record, whose object
        // stays until this returns.
        let (look, info) = unsafe { (&mut *into.cast::<Look<T, F>>(), &*info) };
        look.found = (look.f)(&Object { info });
        look.found.is_some().into()
    }
    let mut wanted = Look { f, found: None };
    // SAFETY: `look` gets what it expects, and nothing in it panics.
    unsafe { libc::dl_iterate_phdr(Some(look::<T, F>), (&raw mut wanted).cast()) };
    wanted.found
}

/// A loaded object, while the loader keeps it.
pub(super) struct Object<'a> {
    info: &'a libc::dl_phdr_info,
}

const NT_GNU_BUILD_ID: u32 = 3;

impl Object<'_> {
    /// What the loader has added to the addresses in the object's file.
    pub(super) fn base(&self) -> u64 {
        self.info.dlpi_addr
    }

    fn headers(&self) -> &[libc::Elf64_Phdr] {
        match self.info.dlpi_phdr.is_null() {
            true => &[],
            // SAFETY: the loader's record says how many headers there are.
            false => unsafe {
                slice::from_raw_parts(self.info.dlpi_phdr, usize::from(self.info.dlpi_phnum))
            },
        }
    }

    fn range(&self, header: &libc::Elf64_Phdr) -> Range<u64> {
        let start = self.info.dlpi_addr.wrapping_add(header.p_vaddr);
        start..start.saturating_add(header.p_memsz)
    }

    /// The loaded segments, and whether they can be read.
    fn segments(&self) -> impl Iterator<Item = (Range<u64>, bool)> {
        let loaded = self.headers().iter().filter(|h| h.p_type == libc::PT_LOAD);
        loaded.map(|header| (self.range(header), header.p_flags & libc::PF_R != 0))
    }

    /// The values from this address on, at most `most`, as far as they are in a readable segment.
    pub(super) fn values<T>(&self, from: u64, most: usize) -> &[T] {
        let mut segments = self.segments();
        let there = segments.find(|(range, readable)| range.contains(&from) && *readable);
        match there {
            Some((range, _)) if from.is_multiple_of(align_of::<T>() as u64) => {
                let room = (range.end - from) as usize / size_of::<T>();
                // SAFETY: so many are in the segment, which the loader has mapped readable. All
                // types that this is used with are numbers or consist of numbers.
                unsafe { slice::from_raw_parts(from as *const T, room.min(most)) }
            }
            _ => &[],
        }
    }

    pub(super) fn of_type(&self, kind: u32) -> Option<Range<u64>> {
        let header = self.headers().iter().find(|h| h.p_type == kind)?;
        Some(self.range(header))
    }

    pub(super) fn dynamic(&self, tag: u64) -> Option<u64> {
        let range = self.of_type(libc::PT_DYNAMIC)?;
        let most = (range.end - range.start) as usize / size_of::<Dynamic>();
        let mut entries = self.values::<Dynamic>(range.start, most).iter();
        Some(entries.find(|entry| entry.tag == tag)?.value)
    }

    /// An address in the dynamic section. The loader of glibc adds the base to it in place, others
    /// do not.
    pub(super) fn address(&self, tag: u64) -> Option<u64> {
        let value = self.dynamic(tag)?;
        let base = self.info.dlpi_addr;
        let is_there = |address: u64| self.segments().any(|(range, _)| range.contains(&address));
        let moved = base.wrapping_add(value);
        [value, moved]
            .into_iter()
            .find(|address| is_there(*address))
    }

    /// How many dynamic symbols there are.
    fn count(&self) -> usize {
        if let Some(hash) = self.address(DT_HASH)
            && let [_, chains] = self.values::<u32>(hash, 2)
        {
            return *chains as usize;
        }
        let Some(hash) = self.address(DT_GNU_HASH) else {
            return 0;
        };
        let [buckets, first, bloom, _] = *self.values::<u32>(hash, 4) else {
            return 0;
        };
        let at_buckets = hash.wrapping_add(16 + u64::from(bloom) * 8);
        let last = self
            .values::<u32>(at_buckets, buckets as usize)
            .iter()
            .max();
        let last = last.copied().unwrap_or(0);
        if last < first {
            return first as usize;
        }
        // The chain of the last bucket ends at the last symbol.
        let before = u64::from(buckets) + u64::from(last - first);
        let chain = at_buckets.wrapping_add(before * 4);
        let rest = self.values::<u32>(chain, usize::MAX);
        rest.iter()
            .position(|hash| hash & 1 != 0)
            .map_or(0, |more| last as usize + more + 1)
    }

    fn symbol(&self, offset: u64, wanted: Option<&str>) -> Option<String> {
        const FUNCTIONS: [u8; 3] = [0, 2, 10];
        let symbols = self.values::<libc::Elf64_Sym>(self.address(DT_SYMTAB)?, self.count());
        let texts = self.values::<u8>(
            self.address(DT_STRTAB)?,
            usize::try_from(self.dynamic(DT_STRSZ)?).ok()?,
        );
        let here = symbols.iter().filter(|symbol| {
            symbol.st_shndx != 0
                && symbol.st_value == offset
                && FUNCTIONS.contains(&(symbol.st_info & 0xf))
        });
        let names = here.filter_map(|symbol| {
            let name = texts.get(symbol.st_name as usize..)?;
            let name = CStr::from_bytes_until_nul(name).ok()?.to_str().ok()?;
            (!name.is_empty()).then_some(name)
        });
        // Of several names, people know the plain one.
        let rank = |name: &str| (wanted != Some(name), name.starts_with('_'));
        names.min_by_key(|name| rank(name)).map(str::to_owned)
    }

    fn build(&self) -> Option<String> {
        let notes = self.headers().iter().filter(|h| h.p_type == libc::PT_NOTE);
        for header in notes {
            let range = self.range(header);
            let mut words = self.values::<u32>(range.start, (range.end - range.start) as usize / 4);
            while let [name, bytes, kind, rest @ ..] = words {
                let name_words = (*name as usize).div_ceil(4);
                let words_of_id = (*bytes as usize).div_ceil(4);
                let Some(id) = rest.get(name_words..name_words + words_of_id) else {
                    break;
                };
                if *kind == NT_GNU_BUILD_ID && rest[..name_words] == [u32::from_le_bytes(*b"GNU\0")]
                {
                    let id = id.iter().flat_map(|word| word.to_le_bytes());
                    return Some(
                        id.take(*bytes as usize)
                            .map(|b| format!("{b:02x}"))
                            .collect(),
                    );
                }
                words = &rest[name_words + words_of_id..];
            }
        }
        None
    }

    /// The name of its file, as the loader knows it. It is empty for the program itself, which
    /// glibc gives no name, and musl the one that it was started by.
    fn name(&self) -> &CStr {
        // SAFETY: the call takes a number.
        let of_program = unsafe { libc::getauxval(libc::AT_PHDR) };
        match self.info.dlpi_name.is_null() || self.info.dlpi_phdr.addr() as u64 == of_program {
            true => c"",
            // SAFETY: the loader's string ends with a zero.
            false => unsafe { CStr::from_ptr(self.info.dlpi_name) },
        }
    }

    pub(super) fn file(&self) -> PathBuf {
        match self.name().to_bytes() {
            // The executable.
            b"" => fs::read_link("/proc/self/exe").unwrap_or_default(),
            name => PathBuf::from(OsStr::from_bytes(name)),
        }
    }

    fn inside(&self, address: u64, wanted: Option<&str>) -> Option<Inside> {
        let offset = address.wrapping_sub(self.info.dlpi_addr);
        Some(Inside {
            file: self.file(),
            offset,
            symbol: self.symbol(offset, wanted),
            build: self.build(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn not_exported() {}

    #[test]
    fn an_exported_function_is_known_by_its_name() {
        let address = libc::getpid as *const () as u64;
        let found = inside(address, Some("getpid")).unwrap();
        assert!(found.file.to_string_lossy().contains("libc.so"));
        assert_eq!(found.symbol.as_deref(), Some("getpid"));
        assert_eq!(inside(address + 1, None).unwrap().symbol, None);
    }

    #[test]
    fn of_several_names_the_wanted_one_is_given() {
        // SAFETY: looks up a name in the loaded objects; the name ends with a zero.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"system".as_ptr()) } as u64;
        for wanted in [None, Some("system")] {
            let found = inside(address, wanted).unwrap();
            assert_eq!(found.symbol.as_deref(), Some("system"));
        }
        let other = inside(address, Some("__libc_system")).unwrap();
        let name = other.symbol.unwrap();
        assert!(["__libc_system", "system"].contains(&&*name), "{name}");
    }

    #[test]
    fn a_function_that_is_not_exported_is_known_by_its_place() {
        let address = not_exported as *const () as u64;
        let found = inside(address, None).unwrap();
        assert_eq!(found.symbol, None);
        assert_eq!(found.file, std::env::current_exe().unwrap());
        assert!(found.offset > 0 && found.offset < address);
    }

    #[test]
    fn what_is_in_no_object_is_nowhere() {
        let memory = Box::new(0_u64);
        assert_eq!(inside(std::ptr::from_ref(&*memory) as u64, None), None);
        assert!(!has(8));
    }

    #[test]
    fn the_vdso_is_an_object_as_well() {
        // SAFETY: the call takes a number.
        let vdso = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
        if vdso != 0 {
            let found = inside(vdso, None).unwrap();
            assert_eq!((found.offset, found.symbol), (0, None));
        }
    }
}
