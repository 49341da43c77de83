//! Starting an assembly without the `dotnet` command, through `libhostfxr.so`.
//!
//! A .NET root need not have the command. Then the tool starts itself anew with the hidden [`SUBCOMMAND`], and that
//! fresh process becomes the .NET program: [`run`] does what `dotnet` itself does. What the program can tell is that
//! `Environment.ProcessPath` is this tool.

#![allow(unsafe_code, reason = "dlopen, and the C interface of hostfxr")]

use std::ffi::{CStr, CString, OsString, c_char, c_int, c_void};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::ptr;

use crate::launch;

/// The hidden subcommand `ROOT HOSTFXR APP ARGS...` for which `main` calls [`run`].
pub const SUBCOMMAND: &str = "__assembly";

/// Why hostfxr could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FxrError {
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
    /// hostfxr refused; mostly it has told why on standard error.
    #[error("hostfxr did not start {} (code 0x{code:08x})", app.display())]
    Refused {
        /// The assembly.
        app: PathBuf,
        /// The code, one of those in hostfxr's `error_codes.h`.
        code: i32,
    },
    /// The tool does not know its own file.
    #[error("cannot find the file of this tool: {0}")]
    NoSelf(std::io::Error),
}

impl FxrError {
    /// The exit code for this: what `dotnet` would exit with, if it would have got this far.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Refused { code, .. } => code & 0xff,
            _ => 2,
        }
    }
}

type Handle = *mut c_void;

/// `hostfxr_initialize_parameters`.
#[repr(C)]
struct InitializeParameters {
    size: usize,
    host_path: *const c_char,
    dotnet_root: *const c_char,
}

type Initialize = unsafe extern "C" fn(
    c_int,
    *const *const c_char,
    *const InitializeParameters,
    *mut Handle,
) -> i32;
type RunApp = unsafe extern "C" fn(Handle) -> i32;
type Close = unsafe extern "C" fn(Handle) -> i32;

/// The libraries that `dotnet` and the apphosts are linked with. Some native libraries of packages take their presence
/// for granted and do not name them: the widely used `libe_sqlite3.so` calls `trunc` without naming `libm`.
const LINKED_BY_DOTNET: [&CStr; 5] = [
    c"libdl.so.2",
    c"libpthread.so.0",
    c"libstdc++.so.6",
    c"libm.so.6",
    c"libgcc_s.so.1",
];

/// Runs the assembly `app` with `args` in this process on the .NET in `root`, and returns its exit code.
///
/// hostfxr reports on standard error what it does not like.
/// The process must be fresh and about to end: its signal dispositions become those that it was started with, and a
/// CLR cannot be unloaded.
///
/// # Errors
/// If hostfxr cannot be loaded, or refuses the program.
pub fn run(root: &Path, hostfxr: &Path, app: &Path, args: &[OsString]) -> Result<i32, FxrError> {
    let library = Library::open(hostfxr)?;
    // SAFETY: hostfxr.h declares the three functions with these signatures.
    let (initialize, run_app, close) = unsafe {
        (
            library.function::<Initialize>(c"hostfxr_initialize_for_dotnet_command_line")?,
            library.function::<RunApp>(c"hostfxr_run_app")?,
            library.function::<Close>(c"hostfxr_close")?,
        )
    };
    let host_path = c_string(std::env::current_exe().map_err(FxrError::NoSelf)?.into())?;
    let dotnet_root = c_string(root.into())?;
    let arguments = std::iter::once(app.as_os_str().to_owned())
        .chain(args.iter().cloned())
        .map(c_string)
        .collect::<Result<Vec<_>, _>>()?;
    let argv: Vec<*const c_char> = arguments.iter().map(|argument| argument.as_ptr()).collect();
    let parameters = InitializeParameters {
        size: size_of::<InitializeParameters>(),
        host_path: host_path.as_ptr(),
        dotnet_root: dotnet_root.as_ptr(),
    };
    for library in LINKED_BY_DOTNET {
        // SAFETY: the name is a C string; these are libraries of the C and C++ runtimes. One that is missing is missed
        // by hostfxr itself, or by nobody.
        unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_LAZY | libc::RTLD_GLOBAL) };
    }
    become_plain();
    let mut handle: Handle = ptr::null_mut();
    let argc = c_int::try_from(argv.len()).unwrap_or(c_int::MAX);
    // SAFETY: argc tells the length of argv, and every string outlives the call, as do the parameters; hostfxr copies
    // what it keeps.
    let code = unsafe { initialize(argc, argv.as_ptr(), &raw const parameters, &raw mut handle) };
    // Codes above 0 are kinds of success.
    if code < 0 || handle.is_null() {
        return Err(FxrError::Refused {
            app: app.to_owned(),
            code,
        });
    }
    // SAFETY: the handle is of a context initialised for an app, not yet run or closed.
    let exit_code = unsafe { run_app(handle) };
    // SAFETY: the handle is open, and not used after this.
    unsafe { close(handle) };
    Ok(exit_code)
}

/// Takes back what the Rust runtime did to the process: the CLR brings its own handlers and its own stack for them, but
/// would keep a smaller one that it finds.
fn become_plain() {
    launch::become_as_started();
    // SAFETY: zeroed is a valid stack_t.
    let mut none: libc::stack_t = unsafe { std::mem::zeroed() };
    none.ss_flags = libc::SS_DISABLE;
    // SAFETY: this thread is not on the alternate stack, and the handlers that would use it are gone.
    unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) };
}

fn c_string(text: OsString) -> Result<CString, FxrError> {
    CString::new(text.into_vec()).map_err(|_| FxrError::ZeroByte)
}

/// A library that stays loaded until the process ends: a CLR cannot be unloaded.
struct Library {
    path: PathBuf,
    handle: *mut c_void,
}

impl Library {
    fn open(path: &Path) -> Result<Self, FxrError> {
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| FxrError::ZeroByte)?;
        // SAFETY: the name is a live C string; the constructors of the library are the user's .NET, to be run anyway.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY) };
        if handle.is_null() {
            // SAFETY: dlerror gives a C string or null, valid until the next dl* call of this thread.
            let reason = unsafe {
                let text = libc::dlerror();
                if text.is_null() {
                    String::new()
                } else {
                    CStr::from_ptr(text).to_string_lossy().into_owned()
                }
            };
            return Err(FxrError::Load {
                path: path.to_owned(),
                reason,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            handle,
        })
    }

    /// # Safety
    /// `F` must be the type of a pointer to the function of that name.
    unsafe fn function<F: Copy>(&self, name: &CStr) -> Result<F, FxrError> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        // SAFETY: the handle is open and the name is a C string.
        let symbol = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        if symbol.is_null() {
            return Err(FxrError::Symbol {
                path: self.path.clone(),
                name: name.to_string_lossy().into_owned(),
            });
        }
        // SAFETY: the caller vouches for F; the sizes are equal.
        Ok(unsafe { std::mem::transmute_copy(&symbol) })
    }
}

/// The version of the C library, for `doctor`.
pub(crate) fn glibc_version() -> String {
    // SAFETY: gives a static C string.
    unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) }
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_hostfxr_is_told_apart() {
        let missing = run(
            Path::new("/r"),
            Path::new("/absent/libhostfxr.so"),
            Path::new("a.dll"),
            &[],
        );
        assert!(
            missing
                .unwrap_err()
                .to_string()
                .starts_with("cannot load /absent/libhostfxr.so: ")
        );
        let other = run(
            Path::new("/r"),
            Path::new("libc.so.6"),
            Path::new("a.dll"),
            &[],
        );
        assert!(
            other
                .unwrap_err()
                .to_string()
                .contains("has no hostfxr_initialize_for_dotnet_command_line")
        );
    }
}
