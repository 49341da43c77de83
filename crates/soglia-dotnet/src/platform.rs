//! The platforms of .NET on Linux: an architecture and a C library.

use std::fs;
use std::path::Path;

use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadRef};

use crate::native::NativeFile;

pub use crate::machine::{ARM64, Machine, OWN, X64};

/// A C library of Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CLibrary {
    /// That of most distributions.
    Glibc,
    /// That of Alpine.
    Musl,
}

impl CLibrary {
    /// The one that this process was built for.
    pub const OWN: Self = if cfg!(target_env = "musl") {
        Self::Musl
    } else {
        Self::Glibc
    };

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
        }
    }

    /// What .NET calls a platform with it on this architecture, such as `linux-musl-x64`.
    pub fn platform(self) -> String {
        let name = OWN.name;
        match self {
            Self::Glibc => format!("linux-{name}"),
            Self::Musl => format!("linux-musl-{name}"),
        }
    }

    /// The one that a loader belongs to. `None`: another system has it.
    pub fn of_loader(path: &str) -> Option<Self> {
        let file = path.rsplit('/').next()?;
        if file.starts_with("ld-musl-") {
            return Some(Self::Musl);
        }
        file.starts_with("ld-linux").then_some(Self::Glibc)
    }

    /// The one that a library belongs to by its name, if it is the C library itself.
    pub fn of_name(library: &str) -> Option<Self> {
        match library {
            "libc.so.6" => Some(Self::Glibc),
            // The last is the name in what musl's own wrapper of the compiler has linked.
            _ if library.starts_with("libc.musl-") || library == "libc.so" => Some(Self::Musl),
            _ => None,
        }
    }

    /// The one that an executable starts with. `None`: it is linked statically, or cannot be read.
    pub fn of_program(path: &Path) -> Option<Self> {
        if !fs::metadata(path).ok()?.is_file() {
            return None;
        }
        let data = ReadCache::new(fs::File::open(path).ok()?);
        Self::of_loader(&loader(&data)?)
    }

    /// The one that a shared object needs.
    pub fn of_library(path: &Path) -> Option<Self> {
        let needed = NativeFile::read(path).ok()?.needed;
        needed.iter().find_map(|name| Self::of_name(name))
    }

    /// The one of this system: that of its shell.
    pub fn of_system() -> Self {
        Self::of_program(Path::new("/bin/sh")).unwrap_or(Self::OWN)
    }
}

/// The loader that an executable names.
fn loader<'data, R: ReadRef<'data>>(data: R) -> Option<String> {
    let header = elf::FileHeader64::<object::Endianness>::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, data).ok()?;
    let mut found = segments
        .iter()
        .filter_map(|segment| segment.interpreter(endian, data).ok()?);
    found
        .next()
        .map(|name| String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loaders_and_libraries_have_their_c_library() {
        let loader = CLibrary::of_loader;
        assert_eq!(loader("/lib/ld-musl-x86_64.so.1"), Some(CLibrary::Musl));
        assert_eq!(loader("/lib64/ld-linux-x86-64.so.2"), Some(CLibrary::Glibc));
        assert_eq!(loader("/lib/ld-linux-aarch64.so.1"), Some(CLibrary::Glibc));
        assert_eq!(loader("/system/bin/linker64"), None);
        let name = CLibrary::of_name;
        assert_eq!(name("libc.so.6"), Some(CLibrary::Glibc));
        assert_eq!(name("libc.musl-aarch64.so.1"), Some(CLibrary::Musl));
        assert_eq!(
            (name("libc.so"), name("libm.so.6")),
            (Some(CLibrary::Musl), None)
        );
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn this_program_has_that_of_its_target() {
        let own = std::env::current_exe().unwrap();
        assert_eq!(CLibrary::of_program(&own), Some(CLibrary::OWN));
        assert_eq!(CLibrary::of_library(&own), Some(CLibrary::OWN));
        assert_eq!(CLibrary::of_program(Path::new("/absent")), None);
    }
}
