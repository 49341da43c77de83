//! What an ELF executable is, as far as .NET is concerned.

use std::path::Path;

use memchr::memmem;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::read::{Error, ReadRef};
use object::{LittleEndian, endian::LittleEndian as LE};

use super::error::ProgramError;
use crate::dotnet::platform::OWN;

/// In every apphost; the eight bytes before it are the offset of the bundle, 0 if there is none.
const BUNDLE_MARKER: [u8; 32] = [
    0x8b, 0x12, 0x02, 0xb9, 0x6a, 0x61, 0x20, 0x38, 0x72, 0x7b, 0x93, 0x02, 0x14, 0xd7, 0xa0, 0x32,
    0x13, 0xf5, 0xb9, 0xe6, 0xef, 0xae, 0x33, 0x18, 0xee, 0x3b, 0x2d, 0xce, 0x24, 0xb3, 0x6a, 0xae,
];

/// What .NET has to do with an executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// An apphost: starts the CLR for the assembly beside it.
    Apphost,
    /// An apphost with the assemblies in the same file, whose list begins at this offset.
    SingleFile(u64),
    /// Nothing that can be seen from here.
    None,
}

/// Checks that the ELF file `data` can run here with a CLR in it, and says what kind of host it is.
/// `path` is for messages.
///
/// # Errors
/// Why the file cannot run here.
pub fn check<'data, R: ReadRef<'data>>(path: &Path, data: R) -> Result<Host, ProgramError> {
    let broken = |error: Error| ProgramError::BrokenElf {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let path = path.to_owned();
    let ident = data.read_bytes_at(0, 20).unwrap_or_default();
    let other = match ident {
        [_, _, _, _, 1, ..] => Some("a 32-bit system"),
        [_, _, _, _, 2, 1, .., low, high] => match u16::from_le_bytes([*low, *high]) {
            own if own == OWN.elf => None,
            62 => Some("x64"),
            183 => Some("ARM64"),
            _ => Some("another kind of machine"),
        },
        _ => Some("another kind of machine"),
    };
    if let Some(machine) = other {
        let machine = machine.into();
        return Err(ProgramError::WrongMachine { path, machine });
    }
    let header = FileHeader64::<LittleEndian>::parse(data).map_err(broken)?;
    if header.e_entry(LE) == 0 {
        return Err(ProgramError::SharedLibrary { path });
    }
    let mut host = Host::None;
    for segment in header.program_headers(LE, data).map_err(broken)? {
        // The SDK writes to the marker when it makes an apphost, so the marker is in writable data.
        // The bundle follows the last segment and may be large, so it is not searched.
        if host == Host::None
            && segment.p_type(LE) == elf::PT_LOAD
            && segment.p_flags(LE).contains(elf::PF_W)
        {
            host = bundle_in(segment.data(LE, data).unwrap_or_default());
        }
    }
    if host == Host::None && is_native_aot(header, data) {
        return Err(ProgramError::NativeAot { path });
    }
    Ok(host)
}

fn bundle_in(segment: &[u8]) -> Host {
    let Some(at) = memmem::find(segment, &BUNDLE_MARKER) else {
        return Host::None;
    };
    let before = at
        .checked_sub(8)
        .and_then(|from| segment[from..at].try_into().ok());
    match before.map_or(0, u64::from_le_bytes) {
        0 => Host::Apphost,
        list => Host::SingleFile(list),
    }
}

/// Native AOT puts the compiled C# into a section of its own.
fn is_native_aot<'data, R: ReadRef<'data>>(
    header: &'data FileHeader64<LittleEndian>,
    data: R,
) -> bool {
    let Ok(sections) = header.sections(LE, data) else {
        return false;
    };
    sections
        .iter()
        .filter(|section| section.sh_type(LE) == elf::SHT_PROGBITS)
        .any(|section| sections.section_name(LE, section) == Ok(b"__managedcode"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An ELF file of one segment with an interpreter and, if given, an apphost's bundle offset.
    pub(crate) fn executable(
        class: u8,
        machine: u16,
        interpreter: &str,
        bundle: Option<u64>,
    ) -> Vec<u8> {
        let mut file = vec![0u8; 0x300];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"\x7fELF");
        put(4, &[class, 1, 1]);
        put(16, &3u16.to_le_bytes());
        put(18, &machine.to_le_bytes());
        put(20, &1u32.to_le_bytes());
        put(24, &0x1000u64.to_le_bytes()); // entry point
        put(32, &64u64.to_le_bytes()); // program headers
        for (at, value) in [(52, 64u16), (54, 56), (56, 2), (58, 64)] {
            put(at, &value.to_le_bytes());
        }
        for (at, kind, offset, size) in [
            (64, 3u32, 0x100u64, interpreter.len() as u64 + 1),
            (120, 1, 0x200, 0x100),
        ] {
            put(at, &kind.to_le_bytes());
            put(at + 4, &6u32.to_le_bytes());
            put(at + 8, &offset.to_le_bytes());
            put(at + 32, &size.to_le_bytes());
        }
        put(0x100, interpreter.as_bytes());
        if let Some(offset) = bundle {
            put(0x248, &offset.to_le_bytes());
            put(0x250, &BUNDLE_MARKER);
        }
        file
    }

    const GLIBC: &str = "/lib64/ld-linux-x86-64.so.2";

    #[test]
    fn the_offset_before_the_marker_tells_apphost_and_single_file_apart() {
        let path = Path::new("app");
        assert_eq!(
            check(path, executable(2, OWN.elf, GLIBC, None).as_slice()).unwrap(),
            Host::None
        );
        assert_eq!(
            check(path, executable(2, OWN.elf, GLIBC, Some(0)).as_slice()).unwrap(),
            Host::Apphost
        );
        assert_eq!(
            check(
                path,
                executable(2, OWN.elf, GLIBC, Some(0x8_0000)).as_slice()
            )
            .unwrap(),
            Host::SingleFile(0x8_0000)
        );
    }

    #[test]
    fn other_machines_are_refused() {
        let message = |file: &[u8]| check(Path::new("app"), file).unwrap_err().to_string();
        let (other, name) = match OWN.elf {
            183 => (62, "is for x64"),
            _ => (183, "is for ARM64"),
        };
        assert!(message(&executable(2, other, GLIBC, None)).contains(name));
        assert!(message(&executable(1, 3, GLIBC, None)).contains("is for a 32-bit system"));
        assert!(
            message(&executable(2, 243, GLIBC, None)).contains("is for another kind of machine")
        );
    }

    #[test]
    fn a_shared_library_is_refused() {
        let mut file = executable(2, OWN.elf, GLIBC, None);
        file[24..32].fill(0);
        let message = check(Path::new("lib.so"), file.as_slice())
            .unwrap_err()
            .to_string();
        assert!(message.contains("is a shared library"), "{message}");
    }

    #[test]
    fn a_cut_off_file_never_panics() {
        let whole = executable(2, OWN.elf, GLIBC, Some(0));
        for length in 0..whole.len() {
            let _ = check(Path::new("app"), &whole[..length]);
        }
    }
}
