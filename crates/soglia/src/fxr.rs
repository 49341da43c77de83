//! Starting an assembly without the `dotnet` command, through `libhostfxr.so`.
//!
//! A .NET root need not have the command. Then the tool starts itself again with the hidden
//! [`SUBCOMMAND`], and that fresh process becomes the .NET program: [`run`] does what `dotnet`
//! does. The program notices one difference: `Environment.ProcessPath` is this tool.

#![allow(unsafe_code, reason = "the C interface of hostfxr")]

use std::ffi::{CString, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::ptr;

use soglia_dotnet::fxr::{Close, Handle, InitializeForCommandLine, InitializeParameters, RunApp};
use soglia_dotnet::library::{Library, LibraryError, load_what_dotnet_links};

use crate::startup;

/// The hidden subcommand `ROOT HOSTFXR APP ARGS...` for which `main` calls [`run`].
pub const SUBCOMMAND: &str = "__assembly";

/// Why hostfxr did not run an assembly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FxrError {
    /// hostfxr cannot be loaded or lacks a function, or an argument has a zero byte in it.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// hostfxr did not start the assembly. It usually says why on standard error.
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
    /// The exit code for this error: that of `dotnet` for the same one.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Refused { code, .. } => code & 0xff,
            _ => 2,
        }
    }
}

/// Runs the assembly `app` with `args` in this process, on the .NET in `root`. Returns its exit
/// code.
///
/// hostfxr reports errors on standard error. To be called in a fresh process that ends afterwards:
/// its signal dispositions become those that it was started with, and a CLR cannot be unloaded.
///
/// # Errors
/// If hostfxr cannot be loaded, or does not start the program.
pub fn run(root: &Path, hostfxr: &Path, app: &Path, args: &[OsString]) -> Result<i32, FxrError> {
    let library = Library::open(hostfxr)?;
    // SAFETY: hostfxr.h declares the three functions with these signatures, and they are the same
    // in all versions since .NET Core 3.0.
    let (initialize, run_app, close) = unsafe {
        (
            library.function::<InitializeForCommandLine>(
                c"hostfxr_initialize_for_dotnet_command_line",
            )?,
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
    load_what_dotnet_links();
    become_plain();
    let mut handle: Handle = ptr::null_mut();
    let argc = c_int::try_from(argv.len()).unwrap_or(c_int::MAX);
    // SAFETY: argv has argc entries. They, the strings and the parameters live until the function
    // returns; hostfxr copies what it keeps.
    let code = unsafe { initialize(argc, argv.as_ptr(), &raw const parameters, &raw mut handle) };
    // Codes above 0 are kinds of success.
    if code < 0 || handle.is_null() {
        return Err(FxrError::Refused {
            app: app.to_owned(),
            code,
        });
    }
    // SAFETY: the handle is not null. It is of a context that was initialised for an app, and that
    // was neither run nor closed.
    let exit_code = unsafe { run_app(handle) };
    // SAFETY: the handle is open until here, and nothing uses it after this.
    unsafe { close(handle) };
    Ok(exit_code)
}

/// Takes back what the Rust runtime did to the process. The CLR installs its own signal handlers
/// and a stack for them, but it would keep a smaller stack that it finds.
fn become_plain() {
    startup::become_as_started();
    // SAFETY: stack_t is made of a pointer and numbers, for which zero is valid.
    let mut none: libc::stack_t = unsafe { std::mem::zeroed() };
    none.ss_flags = libc::SS_DISABLE;
    // SAFETY: this thread runs no signal handler, so it is not on the alternate stack. The handlers
    // that would use that stack are gone: `become_as_started` has reset them.
    unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) };
}

fn c_string(text: OsString) -> Result<CString, FxrError> {
    CString::new(text.into_vec()).map_err(|_| FxrError::Library(LibraryError::ZeroByte))
}

/// The C library of this tool and its version, for `doctor`.
#[cfg(target_env = "gnu")]
pub(crate) fn c_library() -> String {
    // SAFETY: the function returns a C string that is constant for the life of the process.
    let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    format!("glibc {}", version.to_string_lossy())
}

/// The same for a C library that does not tell its version.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn c_library() -> String {
    "musl".into()
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
