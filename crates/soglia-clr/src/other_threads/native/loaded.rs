//! Objects that the loader has loaded, and their functions.

use std::{
    ffi::{CStr, OsStr, c_int, c_void},
    fs::{self, File},
    ops::Range,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    rc::Rc,
};

use object::{Endianness, Object, ObjectSymbol, ReadCache, SymbolKind, read::elf::ElfFile64};
use soglia_core::mappings;

/// The most bytes of unwinding tables that are copied.
const MOST_TABLES: usize = 64 << 20;

pub type Bytes = Rc<[u8]>;

/// A loaded object.
pub struct Loaded {
    /// Its file.
    pub path: PathBuf,
    /// The number to add to addresses of its file.
    pub base: u64,
    /// From its first address to its last.
    pub range: Range<u64>,
    /// `.eh_frame_hdr` and `.eh_frame`: their addresses, and their bytes.
    pub tables: Option<[(Range<u64>, Bytes); 2]>,
}

/// The file of the object at an address.
pub fn file_at(address: u64) -> Option<PathBuf> {
    loaded_at(address).map(|found| found.path)
}

/// The function of a file that contains this address, and where it begins.
pub fn symbol(path: &Path, address: u64) -> Option<(String, u64)> {
    let data = ReadCache::new(File::open(path).ok()?);
    let file = ElfFile64::<Endianness, _>::parse(&data).ok()?;
    let best = file
        .symbols()
        .chain(file.dynamic_symbols())
        .filter(|symbol| symbol.is_definition() && symbol.kind() == SymbolKind::Text)
        .filter(|symbol| {
            // A file may say anything about where its symbols end.
            let within = address.checked_sub(symbol.address());
            within.is_some_and(|within| within < symbol.size())
        })
        // Of several names, people know the global one.
        .max_by_key(|symbol| (symbol.address(), symbol.is_global()))?;
    // Versions are not part of names.
    let name = best.name().ok()?.split('@').next()?.to_owned();
    Some((name, best.address()))
}

/// Whether the processor may execute what is at an address.
pub fn is_executable(address: u64) -> bool {
    mappings::at(address).is_some_and(|mapping| mapping.is_executable)
}

/// The loaded object at an address. Unlike `dladdr`, never waits for a library that is being
/// loaded.
pub fn loaded_at(address: u64) -> Option<Loaded> {
    struct Wanted {
        address: u64,
        found: Option<Loaded>,
    }
    unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _: usize, into: *mut c_void) -> c_int {
        // SAFETY: the caller below passes a `Wanted`. The loader passes a valid record, whose
        // object stays until this returns.
        let (wanted, info) = unsafe { (&mut *into.cast::<Wanted>(), &*info) };
        wanted.found = Loaded::of(info, wanted.address);
        c_int::from(wanted.found.is_some())
    }
    let mut wanted = Wanted {
        address,
        found: None,
    };
    // SAFETY: `look` gets the `Wanted` that it expects, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut wanted).cast()) };
    wanted.found
}

impl Loaded {
    /// The object of this record, if it contains the address.
    fn of(info: &libc::dl_phdr_info, address: u64) -> Option<Self> {
        let headers = match info.dlpi_phdr.is_null() {
            true => &[],
            // SAFETY: the loader's record says how many headers there are.
            false => unsafe {
                std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum))
            },
        };
        let base = info.dlpi_addr;
        let range = |header: &libc::Elf64_Phdr| {
            let start = base.wrapping_add(header.p_vaddr);
            start..start.saturating_add(header.p_memsz)
        };
        let segments = || {
            headers
                .iter()
                .filter(|header| header.p_type == libc::PT_LOAD)
        };
        if !segments().any(|segment| range(segment).contains(&address)) {
            return None;
        }
        let start = segments().map(|segment| range(segment).start).min()?;
        let end = segments().map(|segment| range(segment).end).max()?;
        let name = match info.dlpi_name.is_null() {
            true => c"",
            // SAFETY: the loader's string ends with a zero.
            false => unsafe { CStr::from_ptr(info.dlpi_name) },
        };
        let path = match name.to_bytes() {
            // The executable.
            b"" => fs::read_link("/proc/self/exe").unwrap_or_default(),
            name => PathBuf::from(OsStr::from_bytes(name)),
        };
        let tables = headers
            .iter()
            .find(|header| header.p_type == libc::PT_GNU_EH_FRAME)
            .and_then(|header| {
                let header = range(header);
                let whole = segments().map(range).find(|s| s.contains(&header.start))?;
                // SAFETY: the object is loaded, and the range is in one of its segments that the
                // loader has mapped readable.
                let bytes = |range: &Range<u64>| unsafe {
                    let size = (range.end - range.start) as usize;
                    std::slice::from_raw_parts(range.start as *const u8, size)
                };
                let in_header = bytes(&(header.start..header.end.min(whole.end)));
                // Version 1, and a signed distance of four bytes from here to the other table, as
                // all linkers write it.
                let [1, 0x1b, _, _, a, b, c, d, ..] = *in_header else {
                    return None;
                };
                let distance = i64::from(i32::from_le_bytes([a, b, c, d]));
                let frames = (header.start + 4).checked_add_signed(distance)?;
                let whole = segments().map(range).find(|s| s.contains(&frames))?;
                let frames = frames..whole.end;
                if frames.end - frames.start > MOST_TABLES as u64 {
                    return None;
                }
                let copy = |range: Range<u64>| {
                    let copied = Bytes::from(bytes(&range));
                    (range, copied)
                };
                Some([copy(header), copy(frames)])
            });
        Some(Self {
            path,
            base,
            range: start..end,
            tables,
        })
    }
}
