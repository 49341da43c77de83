//! Native functions, by their addresses.

#![allow(unsafe_code, reason = "dladdr")]

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The native function that managed code calls.
///
/// Two targets are equal if their addresses are. Names are looked up each time they are asked for,
/// which takes the loader's lock and microseconds. So look a function up once, in
/// [`call_needs_host_hook`](super::HostTaskManager::call_needs_host_hook), and keep its address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(usize);

impl Target {
    /// The function at that address; 0 is an unknown function.
    pub const fn new(address: usize) -> Self {
        Self(address)
    }

    /// Where the function begins; 0 if it is unknown.
    pub const fn address(self) -> usize {
        self.0
    }

    /// The function's name, if its library exports one.
    ///
    /// For a function with several names it is any of them: `__getpid` for `getpid`.
    pub fn name(self) -> Option<String> {
        let found = self.look_up()?;
        if found.dli_sname.is_null() || found.dli_saddr as usize != self.0 {
            return None;
        }
        // SAFETY: the loader has found a library at this address. Its names stay while it is
        // loaded, and a library is not unloaded while one of its functions is being called.
        let name = unsafe { CStr::from_ptr(found.dli_sname) };
        Some(name.to_string_lossy().into_owned())
    }

    /// The file of the library that the function is in, by the name it was loaded by.
    pub fn library(self) -> Option<PathBuf> {
        let found = self.look_up()?;
        if found.dli_fname.is_null() {
            return None;
        }
        // SAFETY: the loader has found a library at this address, and keeps its file's name while
        // it is loaded, which is as long as one of its functions is being called.
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
        // SAFETY: `dladdr` takes any address, and fills all fields if it succeeds.
        unsafe {
            (self.0 != 0 && libc::dladdr(self.0 as *const _, found.as_mut_ptr()) != 0)
                .then(|| found.assume_init())
        }
    }
}

/// `libc.so.6!usleep`, or the parts that are known.
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
