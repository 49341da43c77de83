//! Loaded objects: where the native function of a P/Invoke lies, what a pointer points to, and for
//! how long that holds.
//!
//! The CLR has found the entry point, so the engine asks the CLR. Where the CLR does not say, the
//! engine looks for the names in the loaded objects. It never loads anything.

use std::{
    ffi::{CStr, CString, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

pub mod dynamic;
mod epoch;
mod imports;
mod inside;

pub use epoch::{Epoch, epoch, loads, prepare, word};
pub use imports::lead;
pub use inside::{Linkage, all, has, inside, linkage};

/// A native function in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The address of its first instruction.
    pub address: u64,
    /// The file of the object that it is in.
    pub file: String,
    /// The offset from the object's base, which is an address in the file's own terms.
    pub offset: u64,
    /// The symbol at that address. Its name can differ from the one that was asked for.
    pub symbol: Option<String>,
    /// The build id of the object.
    pub build: Option<String>,
}

/// The folder of `libcoreclr.so`. `None` for programs that contain the runtime.
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

/// Whether this is the folder of `libcoreclr.so`, by whatever path.
pub fn is_runtime_folder(folder: &Path) -> bool {
    runtime_folder().is_some_and(|runtime| {
        folder == runtime
            || std::fs::canonicalize(folder)
                .and_then(|folder| Ok(folder == std::fs::canonicalize(runtime)?))
                .unwrap_or(false)
    })
}

/// The paths of all loaded objects except the executable.
pub fn loaded() -> Vec<PathBuf> {
    unsafe extern "C" fn take(info: *mut libc::dl_phdr_info, _: usize, into: *mut c_void) -> c_int {
        // SAFETY: the caller below passes a vector. The loader passes a valid record, whose name is
        // a string or null.
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

/// Whether the runtime finds a loaded object for this library. The runtime tries the name as it is,
/// with `lib` before it, and with `.so` after it.
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

/// What the CLR's record of a P/Invoke says about where it leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Linked {
    /// To this function.
    At(Place),
    /// Nowhere yet.
    NotYet,
    /// The record cannot be read: this version of the CLR has another one.
    Unknown,
}

/// How many words of that record are looked at.
const RECORD: usize = 8;

/// Where a P/Invoke leads that the CLR has linked.
///
/// A function's number points to the CLR's record of the method. The record has the names of the
/// entry point and of the library, as in the metadata, and then the address, or a pointer to it.
/// Before the P/Invoke is linked, that is the address of a stub, which is in no loaded object.
pub fn linked(record: usize, library: &str, entry: &str) -> Linked {
    let mut words = [0; RECORD];
    let there = peek(record, &mut words);
    let words = &words[..there];
    let names = words
        .windows(3)
        .find(|three| reads(three[0], entry) && reads(three[1], library));
    let Some([_, _, word]) = names else {
        return Linked::Unknown;
    };
    let mut behind = [0];
    peek(*word, &mut behind);
    let mut addresses = [*word, behind[0]].into_iter();
    addresses
        .find_map(|address| place(address as u64, Some(entry)))
        .map_or(Linked::NotYet, Linked::At)
}

/// Whether this text is at an address.
fn reads(address: usize, text: &str) -> bool {
    let mut bytes = vec![0; text.len() + 1];
    peek(address, &mut bytes) == bytes.len()
        && bytes
            .strip_suffix(b"\0")
            .is_some_and(|there| there == text.as_bytes())
}

/// Reads numbers from memory that may not be mapped. Returns how many could be read.
pub fn peek<T: Copy>(from: usize, into: &mut [T]) -> usize {
    let here = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: size_of_val(into),
    };
    let there = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(from),
        iov_len: here.iov_len,
    };
    // SAFETY: the kernel writes into `into`, which is as long as said. It answers with an error
    // where `from` is not mapped.
    let bytes = unsafe {
        libc::process_vm_readv(libc::getpid(), &raw const here, 1, &raw const there, 1, 0)
    };
    usize::try_from(bytes).unwrap_or(0) / size_of::<T>()
}

/// Where the entry point of a library lies, judged by names alone: in the only object of the
/// library's name that exports it. If there is none, because a resolver gave another library, in
/// the only loaded object that exports it.
pub fn find(library: &str, entry: &str) -> Option<Place> {
    let (named, others) = candidates(library, entry);
    let fitting = if named.is_empty() { others } else { named };
    match fitting[..] {
        [address] => place(address as u64, Some(entry)),
        _ => None,
    }
}

/// The addresses of an entry point in objects of the library's name, and in all others.
fn candidates(library: &str, entry: &str) -> (Vec<usize>, Vec<usize>) {
    // `#N` asks for an ordinal, which ELF does not have.
    let Ok(symbol) = CString::new(entry) else {
        return Default::default();
    };
    let exporting = loaded()
        .into_iter()
        .filter_map(|path| Some((fits(&path, library), exported(&path, &symbol)?)));
    let (named, others): (Vec<_>, Vec<_>) = exporting.partition(|(fits, _)| *fits);
    let addresses = |of: Vec<(bool, usize)>| {
        let mut addresses: Vec<usize> = of.into_iter().map(|(_, address)| address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    };
    (addresses(named), addresses(others))
}

/// The address of a symbol that this object itself defines.
pub fn exported(path: &Path, symbol: &CStr) -> Option<usize> {
    let name = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: with NOLOAD the loader returns a handle to a loaded object, or null, and runs no code
    // of the object.
    let (address, place) = unsafe {
        let handle = libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
        if handle.is_null() {
            return None;
        }
        let address = libc::dlsym(handle, symbol.as_ptr());
        libc::dlclose(handle);
        (address, object_at(address))
    };
    // `dlsym` also searches the objects that this one depends on.
    let (file, _) = place?;
    (!address.is_null() && Path::new(&file).file_name() == path.file_name())
        .then_some(address as usize)
}

/// The object and the symbol at an address.
pub fn object_at(address: *mut c_void) -> Option<(String, Option<String>)> {
    // SAFETY: `dladdr` accepts any address. The strings that it returns belong to the loader and
    // are copied at once.
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

/// The native function at an address. `None`: the address is in no loaded object. If the function
/// has several names, `wanted` is preferred.
pub fn place(address: u64, wanted: Option<&str>) -> Option<Place> {
    let found = inside(address, wanted)?;
    Some(Place {
        address,
        file: found.file.to_string_lossy().into_owned(),
        offset: found.offset,
        symbol: found.symbol,
        build: found.build,
    })
}

/// The native function that a pointer points to. `None` also for code that the engine or the
/// runtime has made, which is in no file.
pub fn at(address: u64) -> Option<Place> {
    static OURS: OnceLock<Option<PathBuf>> = OnceLock::new();
    let ours = || inside(at as *const () as u64, None).map(|found| found.file);
    let ours = OURS.get_or_init(ours).as_deref();
    place(address, None).filter(|place| ours != Some(Path::new(&place.file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of a P/Invoke as the CLR has it, which leads to `word`.
    fn record(before: usize, names: [&CStr; 2], word: usize) -> Vec<usize> {
        let mut words = vec![0x8a00_0005_0107_0084; before];
        words.extend(names.map(|name| name.as_ptr() as usize));
        words.extend([word, 0, 0, 0, 0, 0]);
        words
    }

    fn read(record: &[usize]) -> Linked {
        linked(record.as_ptr() as usize, "libc", "getpid")
    }

    #[test]
    fn the_clr_says_where_a_p_invoke_leads() {
        let names = [c"getpid", c"libc"];
        let address = libc::getpid as *const () as usize;
        let there = place(address as u64, Some("getpid")).unwrap();
        assert_eq!(there.symbol.as_deref(), Some("getpid"));
        // .NET 9 and later have the address in the record, .NET 8 in a word of its own.
        assert_eq!(read(&record(2, names, address)), Linked::At(there.clone()));
        let behind = Box::new(address);
        let word = std::ptr::from_ref(&*behind) as usize;
        assert_eq!(read(&record(1, names, word)), Linked::At(there));
        // A stub lies in no object.
        assert_eq!(read(&record(2, names, word + 1)), Linked::NotYet);
        let stub = Box::new(std::ptr::from_ref(&*behind) as usize);
        let word = std::ptr::from_ref(&*stub) as usize;
        assert_eq!(read(&record(1, names, word)), Linked::NotYet);
    }

    #[test]
    fn a_record_of_another_method_says_nothing() {
        let address = libc::getpid as *const () as usize;
        for names in [
            [c"getppid", c"libc"],
            [c"getpid", c"libm"],
            [c"getpid2", c"libc"],
            [c"libc", c"getpid"],
        ] {
            assert_eq!(read(&record(2, names, address)), Linked::Unknown);
        }
        assert_eq!(
            read(&record(7, [c"getpid", c"libc"], address)),
            Linked::Unknown
        );
        assert_eq!(linked(8, "libc", "getpid"), Linked::Unknown);
    }

    #[test]
    fn where_several_fit_none_is_taken() {
        assert!(find("libc", "getpid").is_some());
        assert_eq!(find("libc", "no_such_function"), None);
        // No object has that name, and one exports the function.
        assert_eq!(find("elsewhere", "getpid"), find("libc", "getpid"));
    }
}
