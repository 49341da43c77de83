//! Environment variables.

use std::ffi::OsString;

/// Reads an environment variable. Functions that depend on the environment take one of these, so
/// that tests can bring their own.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process, as a [`Lookup`].
///
/// A process that has more rights than its user, such as a set-user-ID program, gets no variables:
/// the user must not choose which libraries it loads.
pub fn process_env(name: &str) -> Option<OsString> {
    if has_more_rights() {
        return None;
    }
    std::env::var_os(name)
}

/// Whether the kernel asks for secure execution, as it does for the loader's `LD_LIBRARY_PATH`.
#[allow(unsafe_code, reason = "getauxval")]
fn has_more_rights() -> bool {
    // SAFETY: getauxval only reads the vector that the kernel gave this process. Every number is a
    // valid argument, and the result is 0 for one that the vector lacks.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
