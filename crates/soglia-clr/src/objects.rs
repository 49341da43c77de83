//! Loaded objects: where the native function of a P/Invoke lies, after its first return.
//!
//! By then the CLR has loaded the library and found the entry point, so both are looked for among what is loaded,
//! and nothing new is ever loaded.

use std::{
    ffi::{CStr, CString, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// A native function in memory.
pub struct Place {
    /// Of its first instruction.
    pub address: u64,
    /// The object that it lies in.
    pub file: Option<String>,
    /// The symbol at that address, which may have another name than the one that was asked for.
    pub symbol: Option<String>,
}

/// The folder of `libcoreclr.so`; `None` for programs that have the runtime inside.
pub fn runtime_folder() -> Option<PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let path = loaded()
            .into_iter()
            .find(|p| p.file_name().is_some_and(|n| n == "libcoreclr.so"))?;
        path.parent().map(Path::to_owned)
    };
    FOLDER.get_or_init(find).clone()
}

/// The paths of all loaded objects but the executable.
pub fn loaded() -> Vec<PathBuf> {
    unsafe extern "C" fn take(info: *mut libc::dl_phdr_info, _: usize, into: *mut c_void) -> c_int {
        // SAFETY: the caller below passes a vector; the loader passes a valid record whose name is a string or null.
        unsafe {
            let name = (*info).dlpi_name;
            if !name.is_null() && *name != 0 {
                let path = std::ffi::OsStr::from_bytes(CStr::from_ptr(name).to_bytes());
                (*into.cast::<Vec<PathBuf>>()).push(path.into());
            }
        }
        0
    }
    let mut paths: Vec<PathBuf> = Vec::new();
    // SAFETY: `take` gets the vector that it expects, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(take), (&raw mut paths).cast()) };
    paths
}

/// Whether a loaded object is what the runtime finds for this library: it tries the name as it is, with `lib` before
/// and `.so` behind.
fn fits(path: &Path, library: &str) -> bool {
    let Some(file) = path.file_name().and_then(|f| f.to_str()) else {
        return false;
    };
    let wanted = Path::new(library)
        .file_name()
        .and_then(|f| f.to_str())
        .unwrap_or(library);
    let bare = |name: &str| -> String {
        // `libm.so.6`, `m.so`, `libm`, `m` are all `m`.
        let name = name.split(".so").next().unwrap_or(name);
        name.strip_prefix("lib").unwrap_or(name).to_owned()
    };
    file == wanted || bare(file) == bare(wanted)
}

/// Words of the CLR's own record of a P/Invoke that are looked at: it is about half as long.
const RECORD: usize = 24;

/// Where a P/Invoke leads that the CLR has linked: its record of the method, which is what a function's number points to, has the
/// address in it, or points to it. Where it lies there depends on the version, so it is known by the symbol that it points to, or by what
/// some loaded object has under that name: dynamic symbols may lead to functions that have another one, or none.
pub fn linked(record: usize, entry: &str) -> Option<usize> {
    let mut words = vec![0; RECORD];
    let there = peek(record, &mut words);
    words.truncate(there);
    let pointers: Vec<usize> = words.iter().copied().filter(|w| w % 8 == 0).collect();
    words.extend(pointers.into_iter().filter_map(|pointer| {
        let mut word = [0];
        (peek(pointer, &mut word) == 1).then_some(word[0])
    }));
    let named = |word: &usize| {
        let symbol = object_at(std::ptr::without_provenance_mut(*word)).and_then(|(_, s)| s);
        symbol.is_some_and(|symbol| symbol == entry)
    };
    words.iter().copied().find(named).or_else(|| {
        let symbol = CString::new(entry).ok()?;
        let mut known = loaded().into_iter().filter_map(|o| exported(&o, &symbol));
        known.find(|address| words.contains(address))
    })
}

/// Reads words that may not be there. Answers how many are.
pub fn peek(from: usize, into: &mut [usize]) -> usize {
    let here = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: size_of_val(into),
    };
    let there = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(from),
        iov_len: here.iov_len,
    };
    // SAFETY: reads into our own words; what is not mapped over there is an error, no fault.
    let bytes = unsafe {
        libc::process_vm_readv(libc::getpid(), &raw const here, 1, &raw const there, 1, 0)
    };
    usize::try_from(bytes).unwrap_or(0) / size_of::<usize>()
}

/// Where the entry point of a library lies: in an object of the library's name, or, if there is none (a resolver gave
/// another), in the only loaded object that exports the entry point.
pub fn find(library: &str, entry: &str) -> Option<Place> {
    // `#N` asks for an ordinal, which ELF does not have.
    let symbol = CString::new(entry).ok()?;
    let paths = loaded();
    let by_name = paths
        .iter()
        .filter(|path| fits(path, library))
        .find_map(|path| exported(path, &symbol));
    by_name
        .or_else(|| {
            let mut found = paths.iter().filter_map(|path| exported(path, &symbol));
            let first = found.next()?;
            found.all(|other| other == first).then_some(first)
        })
        .map(describe)
}

/// The address of a symbol that this object itself defines.
pub fn exported(path: &Path, symbol: &CStr) -> Option<usize> {
    let name = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: NOLOAD gives a handle to what is loaded already, or null; nothing runs but the loader.
    let (address, place) = unsafe {
        let handle = libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
        if handle.is_null() {
            return None;
        }
        let address = libc::dlsym(handle, symbol.as_ptr());
        libc::dlclose(handle);
        (address, object_at(address))
    };
    // dlsym also searches what the object depends on.
    let (file, _) = place?;
    (!address.is_null() && Path::new(&file).file_name() == path.file_name())
        .then_some(address as usize)
}

/// Whether an address lies in a loaded object. Takes the loader's lock.
pub fn has(address: usize) -> bool {
    // SAFETY: dladdr takes any address, and fills in what it is given.
    unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        libc::dladdr(std::ptr::without_provenance(address), &raw mut info) != 0
    }
}

/// The object and the symbol at an address.
pub fn object_at(address: *mut c_void) -> Option<(String, Option<String>)> {
    // SAFETY: dladdr takes any address; the strings that it gives belong to the loader and are copied at once.
    unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(address, &raw mut info) == 0 || info.dli_fname.is_null() {
            return None;
        }
        let text = |s: *const libc::c_char| CStr::from_ptr(s).to_string_lossy().into_owned();
        let exact = !info.dli_sname.is_null() && info.dli_saddr == address;
        Some((text(info.dli_fname), exact.then(|| text(info.dli_sname))))
    }
}

/// What lies at an address. Code of ours and code that the runtime made for itself is in no file.
pub fn at(address: u64) -> Place {
    let ours = object_at(at as *const () as *mut c_void).map(|(file, _)| file);
    let mut place = describe(address as usize);
    if place.file == ours {
        (place.file, place.symbol) = (None, None);
    }
    place
}

fn describe(address: usize) -> Place {
    let (file, symbol) = object_at(address as *mut c_void).unzip();
    Place {
        address: address as u64,
        file,
        symbol: symbol.flatten(),
    }
}
