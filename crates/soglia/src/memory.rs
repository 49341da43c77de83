//! Files in memory only.

#![allow(unsafe_code, reason = "memfd_create, which std has no means for")]

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;

/// From Linux 6.3 on: code may be loaded from the file. Older kernels permit it without the flag.
const MFD_EXEC: libc::c_uint = 0x10;

/// A new file in memory, from which code can be loaded. Programs that this process starts do not
/// get it.
///
/// # Errors
/// Those of the operating system, which may permit no code there (`vm.memfd_noexec`).
pub fn for_code(name: &CStr) -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    match create(name, flags | MFD_EXEC) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => create(name, flags),
        made => made,
    }
}

fn create(name: &CStr, flags: libc::c_uint) -> io::Result<File> {
    // SAFETY: a live C string and a number. A result that is not negative is a new descriptor,
    // which has no other owner.
    unsafe {
        match libc::memfd_create(name.as_ptr(), flags) {
            -1 => Err(io::Error::last_os_error()),
            file => Ok(File::from_raw_fd(file)),
        }
    }
}
