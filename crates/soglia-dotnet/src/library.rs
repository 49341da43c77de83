//! Shared objects of .NET. They stay loaded until the process ends, since a CLR cannot be unloaded.

#![allow(unsafe_code, reason = "dlopen and dlsym")]

use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Why a library cannot be loaded, or lacks a function.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// The library cannot be loaded.
    #[error("cannot load {}: {reason}", path.display())]
    Load {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// The library lacks a function.
    #[error("{} has no {name}: is it the libhostfxr.so of a .NET?", path.display())]
    Symbol {
        /// The library.
        path: PathBuf,
        /// The function.
        name: String,
    },
    /// A path or argument has a zero byte in it.
    #[error("an argument has a zero byte in it")]
    ZeroByte,
}

/// A library that stays loaded until the process ends.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    handle: *mut c_void,
}

// SAFETY: the loader locks its own state in each call with the handle, from any thread, and the
// handle is never closed.
unsafe impl Send for Library {}
// SAFETY: `&Library` gives the handle to dlsym only, which may run on several threads at once.
unsafe impl Sync for Library {}

impl Library {
    /// Loads the library, or finds it loaded.
    ///
    /// # Errors
    /// [`LibraryError::Load`] or [`LibraryError::ZeroByte`].
    pub fn open(path: &Path) -> Result<Self, LibraryError> {
        Self::with(path, libc::RTLD_LAZY)
    }

    /// Finds the library only if it is loaded already.
    ///
    /// # Errors
    /// [`LibraryError::Load`] or [`LibraryError::ZeroByte`].
    pub fn loaded(path: &Path) -> Result<Self, LibraryError> {
        Self::with(path, libc::RTLD_LAZY | libc::RTLD_NOLOAD)
    }

    fn with(path: &Path, flags: i32) -> Result<Self, LibraryError> {
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| LibraryError::ZeroByte)?;
        // SAFETY: the name is a live C string. Loading runs the library's constructors; the caller
        // names a library of the .NET that the user chose to run.
        let handle = unsafe { libc::dlopen(name.as_ptr(), flags) };
        if handle.is_null() {
            // SAFETY: dlerror returns null or a C string that is valid until the next dl* call of
            // this thread, and it is copied before that.
            let reason = unsafe {
                let text = libc::dlerror();
                if text.is_null() {
                    String::new()
                } else {
                    CStr::from_ptr(text).to_string_lossy().into_owned()
                }
            };
            return Err(LibraryError::Load {
                path: path.to_owned(),
                reason,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            handle,
        })
    }

    /// The loader's handle.
    pub fn as_raw(&self) -> *mut c_void {
        self.handle
    }

    /// A function of the library.
    ///
    /// # Errors
    /// [`LibraryError::Symbol`].
    ///
    /// # Safety
    /// `F` must be the type of a pointer to the function of that name.
    pub unsafe fn function<F: Copy>(&self, name: &CStr) -> Result<F, LibraryError> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        // SAFETY: the handle is never closed, and the name is a live C string.
        let symbol = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        if symbol.is_null() {
            return Err(LibraryError::Symbol {
                path: self.path.clone(),
                name: name.to_string_lossy().into_owned(),
            });
        }
        // SAFETY: the caller vouches that F is the type of a pointer to this function. The
        // assertion above says that F has the size of a pointer.
        Ok(unsafe { std::mem::transmute_copy(&symbol) })
    }
}

/// The libraries that `dotnet` and the apphosts are linked with. Some native libraries of packages
/// need them without naming them: the widely used `libe_sqlite3.so` calls `trunc` without naming
/// `libm`.
const LINKED_BY_DOTNET: [&CStr; 5] = [
    c"libdl.so.2",
    c"libpthread.so.0",
    c"libstdc++.so.6",
    c"libm.so.6",
    c"libgcc_s.so.1",
];

/// Loads the libraries that a process of `dotnet` has from its start, and makes their symbols
/// global.
pub fn load_what_dotnet_links() {
    for library in LINKED_BY_DOTNET {
        // SAFETY: the name is a C string. The constructors of these libraries, which belong to the
        // C and C++ runtimes, may run at any time. If one is missing, hostfxr reports it if it
        // needs it.
        unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_LAZY | libc::RTLD_GLOBAL) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_hostfxr_is_told_apart() {
        let missing = Library::open(Path::new("/absent/libhostfxr.so")).unwrap_err();
        assert!(
            missing
                .to_string()
                .starts_with("cannot load /absent/libhostfxr.so: ")
        );
        let other = Library::open(Path::new("libc.so.6")).unwrap();
        // SAFETY: the C library lacks the function, so no pointer of this type is made.
        let none = unsafe { other.function::<extern "C" fn()>(c"hostfxr_main") };
        assert!(
            none.unwrap_err()
                .to_string()
                .contains("has no hostfxr_main")
        );
        assert!(Library::loaded(Path::new("libc.so.6")).is_ok());
        assert!(Library::loaded(Path::new("libabsent.so")).is_err());
    }
}
