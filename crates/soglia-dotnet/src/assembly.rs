//! PE files: whether one is a .NET assembly that can be started here, and its metadata version.

use std::path::{Path, PathBuf};

use object::endian::LittleEndian as LE;
use object::pe::{self, ImageCor20Header, ImageNtHeaders32, ImageNtHeaders64, Machine};
use object::read::ReadRef;
use object::read::pe::{ImageNtHeaders, PeFile};

use crate::machine::OWN;

/// Why an assembly cannot be started as a program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the messages say what the variants and their fields are"
)]
pub enum AssemblyError {
    #[error("{} is no .NET assembly but a native Windows program (it has no CLR header){hint}", path.display(), hint = assembly_beside(path))]
    NoClrHeader { path: PathBuf },
    #[error("{} is damaged: {reason}; build or copy it again", path.display())]
    Broken { path: PathBuf, reason: String },
    #[error("{} has no entry point: it is a library; name the program that uses it", path.display())]
    NoEntryPoint { path: PathBuf },
    #[error("{} has a native entry point (C++/CLI), which only Windows can start", path.display())]
    NativeEntryPoint { path: PathBuf },
    #[error("{} is for {machine}; soglia runs programs for AnyCPU or {own}: build it for linux-{own}", path.display(), own = OWN.name)]
    WrongMachine { path: PathBuf, machine: String },
}

fn assembly_beside(path: &Path) -> String {
    let dll = path.with_extension("dll");
    if dll != path && dll.is_file() {
        format!("; run {} instead", dll.display())
    } else {
        String::new()
    }
}

/// A precompiled assembly has its machine xored with a number of the operating system that it was
/// compiled for.
const OS_OVERRIDES: [u16; 6] = [
    0,      // Windows, and plain IL
    0x7B79, // Linux
    0x4644, // macOS
    0xADC4, // FreeBSD
    0x1993, // NetBSD
    0x1992, // illumos
];

/// Checks that `data`, the PE file at `path`, is an assembly that a CLR can start on this
/// architecture.
///
/// # Errors
/// [`AssemblyError`] says what it is instead.
pub fn check<'data, R: ReadRef<'data>>(path: &Path, data: R) -> Result<(), AssemblyError> {
    let broken = |error: object::read::Error| AssemblyError::Broken {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    match object::FileKind::parse(data).map_err(broken)? {
        object::FileKind::Pe32 => check_headers(
            path,
            &PeFile::<ImageNtHeaders32, R>::parse(data).map_err(broken)?,
        ),
        object::FileKind::Pe64 => check_headers(
            path,
            &PeFile::<ImageNtHeaders64, R>::parse(data).map_err(broken)?,
        ),
        _ => Err(AssemblyError::Broken {
            path: path.to_owned(),
            reason: "no PE header".into(),
        }),
    }
}

fn check_headers<'data, Pe: ImageNtHeaders, R: ReadRef<'data>>(
    path: &Path,
    file: &PeFile<'data, Pe, R>,
) -> Result<(), AssemblyError> {
    let path = path.to_owned();
    let directory = file.data_directory(pe::IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR);
    let Some(directory) = directory.filter(|directory| directory.virtual_address.get(LE) != 0)
    else {
        return Err(AssemblyError::NoClrHeader { path });
    };
    let Some(clr) = file
        .section_table()
        .pe_data_at(file.data(), directory.virtual_address.get(LE))
        .and_then(|data| data.read::<ImageCor20Header>(&mut 0).ok())
    else {
        return Err(AssemblyError::Broken {
            path,
            reason: "its CLR header is outside the file".into(),
        });
    };
    let flags = clr.flags.get(LE);
    let machine = machine_of(file.nt_headers().file_header().machine.get(LE));
    let il_only = flags.contains(pe::COMIMAGE_FLAGS_ILONLY);
    match machine {
        Machine(own) if own == OWN.pe => {}
        // An AnyCPU assembly is a 32-bit file for a 386. Only the flags distinguish it from a
        // program that needs such a machine. "32-bit preferred" sets both 32-bit flags, and only
        // Windows acts on it.
        pe::IMAGE_FILE_MACHINE_I386 => {
            let required = flags.contains(pe::COMIMAGE_FLAGS_32BITREQUIRED)
                && !flags.contains(pe::COMIMAGE_FLAGS_32BITPREFERRED);
            let precompiled = flags.contains(pe::COMIMAGE_FLAGS_IL_LIBRARY);
            if required || !(il_only || precompiled) {
                return Err(AssemblyError::WrongMachine {
                    path,
                    machine: "32-bit x86".into(),
                });
            }
        }
        pe::IMAGE_FILE_MACHINE_AMD64 => {
            return Err(AssemblyError::WrongMachine {
                path,
                machine: "x64".into(),
            });
        }
        pe::IMAGE_FILE_MACHINE_ARM64 => {
            return Err(AssemblyError::WrongMachine {
                path,
                machine: "ARM64".into(),
            });
        }
        pe::IMAGE_FILE_MACHINE_ARMNT => {
            return Err(AssemblyError::WrongMachine {
                path,
                machine: "32-bit ARM".into(),
            });
        }
        other => {
            return Err(AssemblyError::WrongMachine {
                path,
                machine: format!("machine 0x{:04x}", other.0),
            });
        }
    }
    if flags.contains(pe::COMIMAGE_FLAGS_NATIVE_ENTRYPOINT) {
        return Err(AssemblyError::NativeEntryPoint { path });
    }
    if clr.entry_point_token_or_rva.get(LE) == 0 {
        return Err(AssemblyError::NoEntryPoint { path });
    }
    Ok(())
}

/// The version of the metadata format in an assembly: `v4.0.30319` for what compilers write today.
/// Returns `None` if `file` is not an assembly.
pub fn metadata_version(file: &[u8]) -> Option<String> {
    match object::FileKind::parse(file).ok()? {
        object::FileKind::Pe32 => version_in(&PeFile::<ImageNtHeaders32>::parse(file).ok()?),
        object::FileKind::Pe64 => version_in(&PeFile::<ImageNtHeaders64>::parse(file).ok()?),
        _ => None,
    }
}

/// Reads the metadata root (ECMA-335, II.24.2.1): signature, two numbers and a reserved word, the
/// length of the version, the version.
fn version_in<Pe: ImageNtHeaders>(file: &PeFile<'_, Pe>) -> Option<String> {
    const SIGNATURE: u32 = 0x424a_5342;
    let at = |address: u32| file.section_table().pe_data_at(file.data(), address);
    let directory = file.data_directory(pe::IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR)?;
    let clr = at(directory.virtual_address.get(LE))?;
    let clr = clr.read::<ImageCor20Header>(&mut 0).ok()?;
    let root = at(clr.meta_data.virtual_address.get(LE))?;
    let word = |at| root.read_at::<object::U32<object::LittleEndian>>(at).ok();
    if word(0)?.get(LE) != SIGNATURE {
        return None;
    }
    let text = root.get(16..)?.get(..word(12)?.get(LE) as usize)?;
    let text = text.split(|byte| *byte == 0).next()?;
    String::from_utf8(text.to_vec()).ok()
}

/// The machine without the mark of the operating system, if there is one.
fn machine_of(raw: Machine) -> Machine {
    let known = [
        pe::IMAGE_FILE_MACHINE_I386,
        pe::IMAGE_FILE_MACHINE_AMD64,
        pe::IMAGE_FILE_MACHINE_ARM64,
        pe::IMAGE_FILE_MACHINE_ARMNT,
    ];
    OS_OVERRIDES
        .iter()
        .map(|os| Machine(raw.0 ^ os))
        .find(|machine| known.contains(machine))
        .unwrap_or(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest PE file that has what [`check`] reads.
    fn assembly(plus: bool, machine: u16, flags: u32, entry: u32, clr_header: bool) -> Vec<u8> {
        let mut file = vec![0u8; 0x400];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"MZ");
        put(0x3c, &0x80u32.to_le_bytes());
        put(0x80, b"PE\0\0");
        put(0x84, &machine.to_le_bytes());
        put(0x86, &1u16.to_le_bytes()); // sections
        let (optional, directories) = if plus { (240u16, 112) } else { (224u16, 96) };
        put(0x94, &optional.to_le_bytes());
        put(0x98, &(if plus { 0x20bu16 } else { 0x10b }).to_le_bytes());
        put(0x98 + directories - 4, &16u32.to_le_bytes());
        if clr_header {
            let entry = 0x98 + directories + 14 * 8;
            put(entry, &0x1000u32.to_le_bytes());
            put(entry + 4, &72u32.to_le_bytes());
        }
        let section = 0x98 + usize::from(optional);
        put(section, b".text");
        for (at, value) in [(8, 0x200u32), (12, 0x1000), (16, 0x200), (20, 0x200)] {
            put(section + at, &value.to_le_bytes());
        }
        put(0x200, &72u32.to_le_bytes());
        put(0x200 + 16, &flags.to_le_bytes());
        put(0x200 + 20, &entry.to_le_bytes());
        file
    }

    fn message(file: &[u8]) -> String {
        check(Path::new("a.dll"), file).map_or_else(|error| error.to_string(), |()| "fine".into())
    }

    const MAIN: u32 = 0x0600_0001;

    #[test]
    fn anycpu_own_and_precompiled_are_fine() {
        assert_eq!(message(&assembly(false, 0x14c, 1, MAIN, true)), "fine");
        assert_eq!(
            message(&assembly(false, 0x14c, 0x0002_0003, MAIN, true)),
            "fine",
            "32-bit preferred"
        );
        assert_eq!(message(&assembly(true, OWN.pe, 1, MAIN, true)), "fine");
        assert_eq!(
            message(&assembly(true, OWN.pe ^ 0x7B79, 4, MAIN, true)),
            "fine",
            "ReadyToRun for Linux"
        );
    }

    #[test]
    fn other_machines_are_named() {
        assert!(message(&assembly(false, 0x14c, 3, MAIN, true)).contains("is for 32-bit x86"));
        assert!(message(&assembly(false, 0x14c, 0, MAIN, true)).contains("is for 32-bit x86"));
        let (other, name) = match OWN.pe {
            0xaa64 => (0x8664, "is for x64"),
            _ => (0xaa64, "is for ARM64"),
        };
        assert!(message(&assembly(true, other, 1, MAIN, true)).contains(name));
        assert!(message(&assembly(true, other ^ 0x7B79, 4, MAIN, true)).contains(name));
        assert!(message(&assembly(true, 0x0200, 1, MAIN, true)).contains("is for machine 0x0200"));
    }

    #[test]
    fn a_library_has_no_entry_point() {
        assert!(message(&assembly(false, 0x14c, 1, 0, true)).contains("has no entry point"));
    }

    #[test]
    fn a_native_windows_program_is_no_assembly() {
        assert!(message(&assembly(true, 0x8664, 0, 0, false)).contains("is no .NET assembly"));
    }

    #[test]
    fn a_cut_off_file_is_reported_and_never_panics() {
        let whole = assembly(false, 0x14c, 1, MAIN, true);
        for length in 0..0x220 {
            assert_ne!(message(&whole[..length]), "fine", "{length} bytes");
        }
    }

    const HELLO: &[u8] = include_bytes!("../../../fixtures/managed/hello/hello.dll");

    #[test]
    fn an_assembly_has_a_version_and_other_files_have_none() {
        assert_eq!(metadata_version(HELLO).as_deref(), Some("v4.0.30319"));
        for other in [&b""[..], b"\x7fELF", b"MZ"] {
            assert_eq!(metadata_version(other), None);
        }
        for length in 0..HELLO.len() {
            // Cut anywhere, it is an assembly or it is not, but never a panic.
            let _ = metadata_version(&HELLO[..length]);
        }
    }

    #[test]
    fn a_damaged_file_is_not_a_panic() {
        let mut file = HELLO.to_vec();
        for at in 0..file.len().min(0x400) {
            let before = std::mem::replace(&mut file[at], 0xff);
            let _ = metadata_version(&file);
            file[at] = before;
        }
    }
}
