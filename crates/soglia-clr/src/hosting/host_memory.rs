//! `IHostMemoryManager`: how much memory there is, and which address space the runtime takes.
//!
//! The runtime asks the system for both by functions of the C library, which it imports. If the
//! host has such a manager, these imports lead here ([`objects::lead`]), for the runtime and for
//! its collector alone. A collection reads how much memory is free from a file of the system. It
//! gets one that says what the host says.
//!
//! The functions run on threads in any state: in a collection, while all others stand still, and
//! with locks of the runtime.

use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char, c_int, c_void},
    fs,
    ptr::null_mut,
    str::FromStr,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError, atomic::AtomicBool, atomic::Ordering::AcqRel,
    },
};

use soglia_abi::{hosting::memory::IHostMemoryManager, hresult::S_OK, param::Out};

use crate::{
    boundary::fence,
    host::{failure::heed, shared::Shared},
    objects,
};

/// The host's manager.
pub static MANAGER: OnceLock<Shared<IHostMemoryManager>> = OnceLock::new();

fn manager() -> Option<&'static IHostMemoryManager> {
    MANAGER.get().map(|manager| &manager.0)
}

/// The runtime's files, the second of which need not be loaded.
const FILES: [&str; 2] = ["libcoreclr.so", "libclrgc.so"];

/// Leads the runtime's imports here, if the host manages memory. To be called when the runtime has
/// started.
pub fn started() {
    static LED: AtomicBool = AtomicBool::new(false);
    if manager().is_none() || LED.swap(true, AcqRel) {
        return;
    }
    let functions = [
        (c"fopen64", open as *const () as usize),
        (c"fopen", open as *const () as usize),
        (c"mmap64", map as *const () as usize),
        (c"mmap", map as *const () as usize),
        (c"munmap", unmap as *const () as usize),
    ];
    for file in FILES {
        for (name, function) in functions {
            // SAFETY: each has the type of the function that it stands for, and calls it.
            unsafe { objects::lead(file, name, function) };
        }
    }
}

/// Stands for `fopen`.
unsafe extern "C" fn open(path: *const c_char, mode: *const c_char) -> *mut libc::FILE {
    let file = fence(None, || {
        // SAFETY: the runtime passes a C string.
        let path = unsafe { CStr::from_ptr(path) }.to_str().ok()?;
        instead_of(path).and_then(|text| in_memory(text.as_bytes()))
    });
    // SAFETY: the arguments are the runtime's own.
    file.unwrap_or_else(|| unsafe { libc::fopen(path, mode) })
}

/// A file with these bytes, which is freed when it is closed.
fn in_memory(bytes: &[u8]) -> Option<*mut libc::FILE> {
    // SAFETY: the C library allocates the memory of the file. The bytes are as many as is said.
    unsafe {
        let file = libc::fmemopen(null_mut(), bytes.len() + 1, c"w+".as_ptr());
        if file.is_null() {
            return None;
        }
        if libc::fwrite(bytes.as_ptr().cast(), 1, bytes.len(), file) != bytes.len() {
            libc::fclose(file);
            return None;
        }
        libc::rewind(file);
        Some(file)
    }
}

/// What the runtime reads instead of a file, if the host knows how much memory there is.
fn instead_of(path: &str) -> Option<String> {
    if path == "/proc/meminfo" {
        // The runtime does not look at it again, either.
        static TOTAL: OnceLock<Option<u64>> = OnceLock::new();
        let said = ask()?;
        let total = *TOTAL.get_or_init(|| {
            let text = fs::read_to_string(path).ok()?;
            Some(number_after(&text, "MemTotal:")? << 10)
        });
        return Some(meminfo(said.free_of(total?)));
    }
    // The limit of a control group, of either version.
    let (folder, names) = if let Some(folder) = path.strip_suffix("/memory.current") {
        (folder, ["memory.max", "inactive_file"])
    } else if let Some(folder) = path.strip_suffix("/memory.usage_in_bytes") {
        (folder, ["memory.limit_in_bytes", "total_inactive_file"])
    } else {
        return None;
    };
    let limit = limit_of(folder, names[0])?;
    let used = limit - ask()?.free_of(limit);
    // The runtime subtracts these.
    let stat = fs::read_to_string(format!("{folder}/memory.stat")).unwrap_or_default();
    let inactive = number_after(&stat, names[1]).unwrap_or(0);
    Some(format!("{}\n", used + inactive))
}

/// What the host says of the machine's memory.
struct Said {
    /// In percent.
    load: u32,
    /// In bytes.
    available: usize,
}

/// Asks the host. `None`: it leaves that to the system.
fn ask() -> Option<Said> {
    let (mut load, mut available) = (0, usize::MAX);
    let (load_place, available_place) = (Out::new(&mut load), Out::new(&mut available));
    // SAFETY: the host's managers live until the process ends.
    let answer = heed(unsafe { manager()?.GetMemoryLoad(load_place, available_place) });
    (answer == S_OK).then_some(Said { load, available })
}

impl Said {
    /// How many bytes of so many are free: what both numbers allow.
    fn free_of(&self, total: u64) -> u64 {
        // The collector takes 0 for a load that it does not know.
        let free = u128::from(total) * u128::from(100 - self.load.clamp(1, 100)) / 100;
        (free as u64).min(self.available as u64)
    }
}

/// The number that follows a word at the beginning of a line.
fn number_after(text: &str, word: &str) -> Option<u64> {
    let mut lines = text.lines().map(str::split_ascii_whitespace);
    let mut line = lines.find_map(|mut line| (line.next() == Some(word)).then_some(line))?;
    u64::from_str(line.next()?).ok()
}

/// What the runtime reads of `/proc/meminfo`, with so many bytes available.
fn meminfo(bytes: u64) -> String {
    format!("MemAvailable: {} kB\n", bytes >> 10)
}

/// The least limit of a control group and those around it.
fn limit_of(folder: &str, name: &str) -> Option<u64> {
    let folders = std::path::Path::new(folder).ancestors();
    let texts = folders.map_while(|folder| fs::read_to_string(folder.join(name)).ok());
    let limits = texts.filter_map(|text| u64::from_str(text.trim()).ok());
    // Version 1 has a limit beyond all memory where there is none.
    limits.filter(|limit| *limit < 1 << 60).min()
}

/// Address space that the host knows to be taken: its beginnings and ends.
static TAKEN: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());

fn taken() -> MutexGuard<'static, BTreeMap<usize, usize>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notifies the host that the runtime has taken address space.
fn acquired(manager: &IHostMemoryManager, begin: usize, end: usize) {
    if begin < end {
        taken().insert(begin, end);
        let place = std::ptr::with_exposed_provenance_mut(begin);
        // SAFETY: the host's managers live until the process ends. The address is a number to it.
        let _ = heed(unsafe { manager.AcquiredVirtualAddressSpace(place, end - begin) });
    }
}

/// Notifies the host that the runtime gives it back.
fn released(manager: &IHostMemoryManager, begin: usize) {
    let place = std::ptr::with_exposed_provenance_mut(begin);
    // SAFETY: the host's managers live until the process ends. The address is a number to it.
    let _ = heed(unsafe { manager.ReleasedVirtualAddressSpace(place) });
}

/// Stands for `mmap`.
unsafe extern "C" fn map(
    at: *mut c_void,
    length: usize,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: libc::off_t,
) -> *mut c_void {
    // SAFETY: the arguments are the runtime's own.
    let take = || unsafe { libc::mmap(at, length, protection, flags, file, offset) };
    let mut place = take();
    let Some(manager) = manager() else {
        return place;
    };
    if place == libc::MAP_FAILED && last_error() == libc::ENOMEM {
        let made_room = fence(false, || {
            // SAFETY: the host's managers live until the process ends.
            heed(unsafe { manager.NeedsVirtualAddressSpace(at, length) }).is_ok()
        });
        if made_room {
            place = take();
        }
    }
    // What is mapped at a fixed address replaces what was taken before.
    if place != libc::MAP_FAILED && flags & libc::MAP_FIXED == 0 {
        let begin = place.expose_provenance();
        fence((), || acquired(manager, begin, begin + length));
    }
    place
}

fn last_error() -> c_int {
    // SAFETY: each thread has an errno of its own, which is always there.
    unsafe { *libc::__errno_location() }
}

/// Stands for `munmap`.
unsafe extern "C" fn unmap(at: *mut c_void, length: usize) -> c_int {
    let begin = at.addr();
    let hit = fence(Vec::new(), || take_back(begin, begin + length));
    if let Some(manager) = manager() {
        // Before another thread may be given the same address.
        for (begin, _) in &hit {
            fence((), || released(manager, *begin));
        }
    }
    // SAFETY: the arguments are the runtime's own.
    let answer = unsafe { libc::munmap(at, length) };
    if let Some(manager) = manager() {
        for (first, last) in hit {
            let left = match answer {
                0 => [(first, begin.max(first)), (last.min(begin + length), last)],
                _ => [(first, last), (last, last)],
            };
            for (begin, end) in left {
                fence((), || acquired(manager, begin, end));
            }
        }
    }
    answer
}

/// Forgets what the host knows of this range. Returns it whole.
fn take_back(begin: usize, end: usize) -> Vec<(usize, usize)> {
    let mut taken = taken();
    let before = taken.range(..end).rev();
    let hit: Vec<_> = before
        .map(|(first, last)| (*first, *last))
        .take_while(|(_, last)| *last > begin)
        .collect();
    for (first, _) in &hit {
        taken.remove(first);
    }
    hit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_the_host_says() {
        let text = "MemTotal:       1000 kB\nMemFree: 7 kB\nMemAvailable:    500 kB\nOther: 1\n";
        assert_eq!(number_after(text, "MemTotal:"), Some(1000));
        assert_eq!(number_after(text, "Mem"), None);
        let text = meminfo(123 << 10);
        assert_eq!(number_after(&text, "MemAvailable:"), Some(123));
    }

    #[test]
    fn limits_are_the_least_of_all_groups() {
        let folder = std::env::temp_dir().join(format!("soglia-limits-{}", std::process::id()));
        let inner = folder.join("outer/inner");
        fs::create_dir_all(&inner).unwrap();
        let write = |at: &str, text: &str| fs::write(folder.join(at), text).unwrap();
        let limit = || limit_of(inner.to_str().unwrap(), "memory.max");
        assert_eq!(limit(), None);
        write("outer/inner/memory.max", "max\n");
        assert_eq!(limit(), None);
        write("outer/memory.max", "5000\n");
        assert_eq!(limit(), Some(5000));
        write("outer/inner/memory.max", "9223372036854771712\n");
        assert_eq!(limit(), Some(5000));
        write("outer/inner/memory.max", "3000\n");
        assert_eq!(limit(), Some(3000));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_in_memory_is_read_to_its_end() {
        let file = in_memory(b"one\ntwo\n").unwrap();
        let mut bytes = [0_u8; 20];
        // SAFETY: an open file, and as much room as is said.
        let count = unsafe { libc::fread(bytes.as_mut_ptr().cast(), 1, bytes.len(), file) };
        assert_eq!(&bytes[..8], b"one\ntwo\n");
        assert!(bytes[8..count].iter().all(|byte| *byte == 0));
        // SAFETY: the file is open, and closed once.
        unsafe { libc::fclose(file) };
    }

    #[test]
    fn what_is_released_is_known_whole() {
        taken().extend([(100, 200), (200, 300), (400, 500)]);
        assert_eq!(take_back(0, 100), []);
        assert_eq!(take_back(150, 201), [(200, 300), (100, 200)]);
        assert_eq!(take_back(150, 201), []);
        assert_eq!(take_back(450, 460), [(400, 500)]);
        assert!(taken().is_empty());
    }
}
