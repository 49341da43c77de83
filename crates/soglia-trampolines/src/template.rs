//! The file that blocks map their thunks from.

use std::{
    ffi::CStr,
    fs::File,
    io::Write,
    os::{
        fd::FromRawFd,
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::PathBuf,
    sync::OnceLock,
};

use soglia_core::mappings;

use crate::arch::template;

/// A file that holds the template, and where: this library's own file, or else a copy in memory.
pub(crate) fn file() -> Option<(File, u64)> {
    own_file(template()).or_else(|| copy(template()))
}

/// The file that this library was loaded from, and where the template is in it.
///
/// Returns `None` if the file does not hold the template there any more.
fn own_file(template: &[u8]) -> Option<(File, u64)> {
    static PLACE: OnceLock<Option<(PathBuf, u64)>> = OnceLock::new();
    let place = PLACE.get_or_init(|| {
        let address = template.as_ptr().addr() as u64;
        let mapping = mappings::at(address)?;
        Some((
            mapping.path?,
            mapping.offset + (address - mapping.range.start),
        ))
    });
    let (path, offset) = place.as_ref()?;
    let mut options = File::options();
    options.read(true);
    options.custom_flags(libc::O_CLOEXEC | libc::O_NOCTTY);
    let file = options.open(path).ok()?;
    // Another file may be there by now. It is read and not mapped: if it were shorter, looking at
    // the mapping would end the process.
    let mut there = vec![0; template.len()];
    file.read_exact_at(&mut there, *offset).ok()?;
    (there == template).then_some((file, *offset))
}

/// A copy of the template in a file in memory.
fn copy(template: &[u8]) -> Option<(File, u64)> {
    let mut file = in_memory(c"soglia-thunks")?;
    file.write_all(template).ok()?;
    Some((file, 0))
}

/// A new file in memory.
pub(crate) fn in_memory(name: &CStr) -> Option<File> {
    // SAFETY: the name ends with a zero, as `CStr` guarantees.
    let file = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    // SAFETY: the descriptor is a new one, which nothing else owns.
    (file >= 0).then(|| unsafe { File::from_raw_fd(file) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_bytes_of_the_template() {
        let (file, offset) = copy(b"template").unwrap();
        let mut there = [0; 8];
        file.read_exact_at(&mut there, offset).unwrap();
        assert_eq!(&there, b"template");
    }

    #[test]
    fn the_library_itself_has_the_template() {
        assert!(own_file(template()).is_some());
        assert!(own_file(&[0x90; 16]).is_none());
    }
}
