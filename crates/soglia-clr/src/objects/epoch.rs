//! How long a native address keeps its meaning: until an object is loaded after another one was
//! unloaded.
//!
//! The C library counts the objects that it has loaded, and returns the count from
//! `dl_iterate_phdr`, under a lock. The counter itself is in `_rtld_global`, which the loader
//! exports without describing it. The engine looks for it there, once. Where it is found, the hot
//! path reads it and compares it with the value of before. Where it is not found, [`loads`] never
//! equals that value, so every call by an address takes the slow path, where [`epoch`] asks.
//!
//! musl never unloads an object, so there the value that the hot path compares is always 0.

use std::{
    ffi::{c_int, c_void},
    mem::size_of,
    ptr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed},
    },
};

/// How many objects were loaded, and unloaded, since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epoch {
    /// Each is counted before any of its addresses can be called.
    pub loads: u64,
    /// An address keeps its object as long as this number stays the same.
    pub unloads: u64,
}

/// Whether the C library unloads objects.
const UNLOADS: bool = !cfg!(target_env = "musl");

impl Epoch {
    /// What [`loads`] reads while this is the epoch.
    pub const fn mark(self) -> u64 {
        if UNLOADS { self.loads } else { 0 }
    }
}

/// What [`loads`] reads where the counter was not found.
static UNKNOWN: AtomicU64 = AtomicU64::new(if UNLOADS { u64::MAX } else { 0 });
static WORD: AtomicPtr<AtomicU64> = AtomicPtr::new((&raw const UNKNOWN).cast_mut());

/// Words that may be the counter, and the value that they all had at the first look.
static MAY_BE: Mutex<(Vec<usize>, u64)> = Mutex::new((Vec::new(), 0));

/// How many objects were loaded so far, without a call; `u64::MAX` where only [`epoch`] knows, and
/// 0 where objects are never unloaded.
#[inline(always)]
pub fn loads() -> u64 {
    // SAFETY: points to `UNKNOWN`, or to a word of the loader, which stays as long as the process.
    unsafe { (*WORD.load(Relaxed)).load(Relaxed) }
}

/// The address that [`loads`] reads. Generated code may read it too.
pub fn word() -> *const AtomicU64 {
    WORD.load(Relaxed)
}

/// Looks for the counter.
pub fn prepare() {
    if !UNLOADS {
        return;
    }
    let Some(words) = rtld_global() else { return };
    let now = told();
    let mut may_be = MAY_BE.lock().unwrap_or_else(PoisonError::into_inner);
    if !ptr::eq(word(), &raw const UNKNOWN) || !may_be.0.is_empty() {
        return;
    }
    let mut fits: Vec<usize> = (0..words.len())
        .filter(|at| words[*at].load(Relaxed) == now.loads)
        .collect();
    let behind_locks: Vec<usize> = fits
        .iter()
        .copied()
        .filter(|at| is_behind_locks(words, *at))
        .collect();
    if let [only] = behind_locks[..] {
        WORD.store(ptr::from_ref(&words[only]).cast_mut(), Relaxed);
        fits.clear();
    }
    *may_be = (fits, now.loads);
}

/// How many objects were loaded and unloaded so far.
///
/// Never waits for an object that is being loaded: the lock that it takes is not held while
/// constructors run. To be asked before the object of an address is looked for.
pub fn epoch() -> Epoch {
    let before = loads();
    let now = told();
    let after = loads();
    if !UNLOADS {
        return now;
    }
    if before == u64::MAX {
        narrow(now.loads);
    } else if !(before..=after).contains(&now.loads) {
        // The word was not the counter.
        WORD.store((&raw const UNKNOWN).cast_mut(), Relaxed);
    }
    now
}

/// Keeps the words that equal the count. The only one that is left at another count than the first
/// is the counter.
fn narrow(now: u64) {
    let mut may_be = MAY_BE.lock().unwrap_or_else(PoisonError::into_inner);
    let (fits, first) = &mut *may_be;
    if fits.is_empty() || now == *first {
        return;
    }
    let Some(words) = rtld_global() else { return };
    fits.retain(|at| words[*at].load(Relaxed) == now);
    if let [only] = fits[..] {
        WORD.store(ptr::from_ref(&words[only]).cast_mut(), Relaxed);
        fits.clear();
    }
}

/// Whether the word follows two or three recursive locks, as in all known versions. The third word
/// of a lock is its kind, and other kinds use the following ones: two, or three on aarch64.
fn is_behind_locks(words: &[AtomicU64], at: usize) -> bool {
    const RECURSIVE: u32 = 1;
    const LOCK: usize = size_of::<libc::pthread_mutex_t>() / size_of::<u64>();
    let word = |before: usize| at.checked_sub(before).map(|at| words[at].load(Relaxed));
    let is_lock = |end: usize| {
        word(end + LOCK - 2).is_some_and(|kind| kind as u32 == RECURSIVE)
            && (1..LOCK - 2).all(|last| word(end + last) == Some(0))
    };
    is_lock(0) && is_lock(LOCK)
}

/// The words of the loader's state.
fn rtld_global() -> Option<&'static [AtomicU64]> {
    /// For `dladdr1`: asks for the symbol itself.
    const RTLD_DL_SYMENT: c_int = 1;
    type Dladdr1 =
        unsafe extern "C" fn(*const c_void, *mut libc::Dl_info, *mut *mut c_void, c_int) -> c_int;
    // SAFETY: looks up both names in the loaded objects. The second, if it is there, is a function
    // of the C library of that type.
    unsafe {
        let state = libc::dlsym(libc::RTLD_DEFAULT, c"_rtld_global".as_ptr());
        let dladdr1 = libc::dlsym(libc::RTLD_DEFAULT, c"dladdr1".as_ptr());
        if state.is_null() || dladdr1.is_null() || !state.cast::<AtomicU64>().is_aligned() {
            return None;
        }
        let dladdr1: Dladdr1 = std::mem::transmute(dladdr1);
        let mut info: libc::Dl_info = std::mem::zeroed();
        let mut symbol = ptr::null_mut();
        let found = dladdr1(state, &raw mut info, &raw mut symbol, RTLD_DL_SYMENT);
        let symbol = symbol.cast::<libc::Elf64_Sym>();
        if found == 0 || symbol.is_null() || info.dli_saddr != state {
            return None;
        }
        // The symbol gives its size. The loader writes whole words, and the memory is never
        // unmapped.
        let size = (*symbol).st_size as usize / size_of::<u64>();
        Some(std::slice::from_raw_parts(state.cast(), size))
    }
}

/// The counts, as the C library returns them.
fn told() -> Epoch {
    unsafe extern "C" fn take(info: *mut libc::dl_phdr_info, _: usize, into: *mut c_void) -> c_int {
        // SAFETY: the caller below passes an epoch, and the loader a record with the counts.
        unsafe {
            *into.cast::<Epoch>() = Epoch {
                loads: (*info).dlpi_adds,
                unloads: (*info).dlpi_subs,
            };
        }
        1
    }
    let mut now = Epoch::default();
    // SAFETY: `take` gets the epoch that it expects, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(take), (&raw mut now).cast()) };
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some library that this process does not need.
    fn load_and_unload() {
        // SAFETY: the library belongs to the C library, and its constructor does nothing.
        unsafe {
            let library = libc::dlopen(c"libanl.so.1".as_ptr(), libc::RTLD_NOW);
            assert!(!library.is_null());
            libc::dlclose(library);
        }
    }

    #[test]
    fn the_word_counts_along() {
        prepare();
        let before = epoch();
        assert!(
            !ptr::eq(word(), &raw const UNKNOWN),
            "not found in this C library"
        );
        assert!(loads() >= before.loads);
        load_and_unload();
        let after = epoch();
        assert!(after.loads > before.loads && after.unloads > before.unloads);
        assert!(loads() >= after.loads && loads() != u64::MAX);
    }

    #[test]
    fn the_word_is_the_only_one_that_counts_along() {
        let words = rtld_global().unwrap();
        let holds = |now: u64| -> Vec<usize> {
            (0..words.len())
                .filter(|at| words[*at].load(Relaxed) == now)
                .collect()
        };
        // Other tests load objects too, so only undisturbed looks count.
        let mut fits: Vec<usize> = (0..words.len()).collect();
        let (mut looks, mut last) = (0, 0);
        while looks < 5 {
            load_and_unload();
            let before = told();
            let those = holds(before.loads);
            // Nothing was loaded if another test had that library loaded.
            if told() == before && before.loads > last {
                fits.retain(|at| those.contains(at));
                last = before.loads;
                looks += 1;
            }
        }
        let [only] = fits[..] else {
            panic!("not one word: {fits:?}");
        };
        assert!(is_behind_locks(words, only));
    }

    #[test]
    fn locks_are_known_by_their_kind() {
        let words = |values: &[u64]| -> Vec<AtomicU64> {
            values.iter().copied().map(AtomicU64::new).collect()
        };
        let rest = size_of::<libc::pthread_mutex_t>() / 8 - 3;
        let lock = |kind: u64| [vec![7 << 32, 9, kind], vec![0; rest]].concat();
        let good = words(&[vec![1], lock(1), lock(1), vec![5]].concat());
        let end = good.len() - 1;
        assert!(is_behind_locks(&good, end));
        assert!(!is_behind_locks(&good, end - 1) && !is_behind_locks(&good, 3));
        let other_kind = words(&[vec![1], lock(0), lock(1), vec![5]].concat());
        assert!(!is_behind_locks(&other_kind, end));
    }
}
