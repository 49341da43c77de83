//! A native function, as hosts are told of it: by its address.

#![allow(unsafe_code, reason = "dladdr")]

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The native function that managed code calls.
///
/// It is its address, and compares by it. Names are looked up each time they are asked for, which takes the loader's lock and
/// microseconds: ask in [`call_needs_host_hook`](super::HostTaskManager::call_needs_host_hook), once, and keep the address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(usize);

impl Target {
    /// The function at that address; 0 is one that is not known.
    pub const fn new(address: usize) -> Self {
        Self(address)
    }

    /// Where the function begins; 0 if it is not known.
    pub const fn address(self) -> usize {
        self.0
    }

    /// The function's name, if its library exports one. A function with several names has any of them: `__getpid` for `getpid`.
    pub fn name(self) -> Option<String> {
        let found = self.look_up()?;
        if found.dli_sname.is_null() || found.dli_saddr as usize != self.0 {
            return None;
        }
        // SAFETY: a C string of the loader's, of a library that holds a function which is just being called.
        let name = unsafe { CStr::from_ptr(found.dli_sname) };
        Some(name.to_string_lossy().into_owned())
    }

    /// The file of the library that the function is in, as it was loaded.
    pub fn library(self) -> Option<PathBuf> {
        let found = self.look_up()?;
        if found.dli_fname.is_null() {
            return None;
        }
        // SAFETY: as above.
        let file = unsafe { CStr::from_ptr(found.dli_fname) };
        Some(PathBuf::from(OsStr::from_bytes(file.to_bytes())))
    }

    /// Whether the function is in a library with that file name, such as `libc.so.6`.
    pub fn is_in(self, file_name: &str) -> bool {
        self.library()
            .is_some_and(|file| file.file_name() == Some(OsStr::new(file_name)))
    }

    fn look_up(self) -> Option<libc::Dl_info> {
        let mut found = MaybeUninit::uninit();
        // SAFETY: any address may be asked for; a success fills all fields.
        unsafe {
            (self.0 != 0 && libc::dladdr(self.0 as *const _, found.as_mut_ptr()) != 0)
                .then(|| found.assume_init())
        }
    }
}

/// `libc.so.6!usleep`, or as much of it as is known.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(library) = self.library() {
            let name = library.file_name().map(Path::new).unwrap_or(&library);
            write!(f, "{}!", name.display())?;
        }
        match self.name() {
            Some(name) => f.write_str(&name),
            None => write!(f, "0x{:x}", self.0),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_a_name_and_a_library() {
        let target = Target::new(libc::strtol as *const () as usize);
        assert!(target.is_in("libc.so.6"), "{target}");
        assert!(target.name().unwrap().contains("strtol"), "{target}");
        assert!(target.to_string().starts_with("libc.so.6!"));
        assert!(target.library().unwrap().is_absolute());
    }

    #[test]
    fn what_is_no_function_has_none() {
        let inside = Target::new(libc::strtol as *const () as usize + 1);
        assert_eq!(inside.name(), None);
        assert!(inside.is_in("libc.so.6"));
        assert_eq!(
            (Target::new(0).name(), Target::new(0).library()),
            (None, None)
        );
        assert_eq!(Target::new(0).to_string(), "0x0");
        assert_eq!(Target::new(16).library(), None);
    }
}
