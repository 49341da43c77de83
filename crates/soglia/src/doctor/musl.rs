//! Which C library a runtime was built for.

use std::{fs, path::Path};

use object::read::elf::{Dyn, FileHeader};

/// Whether a shared object is linked with musl libc.
pub(super) fn is_for_musl(library: &Path) -> bool {
    let Ok(data) = fs::read(library) else {
        return false;
    };
    let needed = || {
        let data = data.as_slice();
        let header = object::elf::FileHeader64::<object::Endianness>::parse(data).ok()?;
        let endian = header.endian().ok()?;
        let sections = header.sections(endian, data).ok()?;
        let (dynamic, strings) = sections.dynamic(endian, data).ok()??;
        let strings = sections.strings(endian, data, strings).ok()?;
        Some(
            dynamic
                .iter()
                .filter(|entry| entry.is_string(endian))
                .any(|entry| {
                    entry
                        .string(endian, strings)
                        .is_ok_and(|name| name.starts_with(b"libc.musl"))
                }),
        )
    };
    needed().unwrap_or(false)
}
