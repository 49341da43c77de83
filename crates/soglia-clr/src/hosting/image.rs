//! The version that an assembly was built for, as its metadata have it.

use std::{fs, path::Path};

use soglia_abi::HRESULT;

use super::wide;

/// `COR_E_BADIMAGEFORMAT`.
const BAD_IMAGE: HRESULT = HRESULT(0x8007_000b_u32 as i32);
/// `HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND)`.
const FILE_NOT_FOUND: HRESULT = HRESULT(0x8007_0002_u32 as i32);

/// The version in the file at `path`: `v4.0.30319` for everything that is compiled today.
///
/// # Errors
/// `E_POINTER`, `COR_E_FILENOTFOUND`, `COR_E_BADIMAGEFORMAT` for what is no assembly.
///
/// # Safety
/// Null, or zero-terminated.
pub unsafe fn version_of(path: *const u16) -> Result<String, HRESULT> {
    // SAFETY: by the contract.
    let path = unsafe { wide::read(path) }.ok_or(soglia_abi::hresult::E_POINTER)?;
    let file = fs::read(Path::new(&path)).map_err(|_| FILE_NOT_FOUND)?;
    version_in(&file).ok_or(BAD_IMAGE)
}

/// Walks a PE file to its metadata: DOS header, COFF header, optional header, section, CLI header, metadata root.
fn version_in(file: &[u8]) -> Option<String> {
    let word = |at: usize| Some(u32::from_le_bytes(*file.get(at..)?.first_chunk()?));
    let half = |at: usize| Some(u16::from_le_bytes(*file.get(at..)?.first_chunk()?) as usize);
    if !file.starts_with(b"MZ") {
        return None;
    }
    let pe = word(0x3c)? as usize;
    if file.get(pe..)?.first_chunk() != Some(b"PE\0\0") {
        return None;
    }
    let (sections, optional) = (half(pe.checked_add(6)?)?, pe.checked_add(24)?);
    let directories = match half(optional)? {
        0x10b => optional + 96,
        0x20b => optional + 112,
        _ => return None,
    };
    // The fifteenth directory is that of the CLI header.
    let cli = word(directories + 14 * 8)?;
    let table = optional + half(pe + 20)?;
    let offset = |address: u32| -> Option<usize> {
        (0..sections).find_map(|i| {
            let section = table + i * 40;
            let (size, start) = (word(section + 8)?, word(section + 12)?);
            let inside = address.checked_sub(start).filter(|at| *at < size)?;
            Some(word(section + 20)? as usize + inside as usize)
        })
    };
    let metadata = offset(word(offset(cli).filter(|_| cli != 0)? + 8)?)?;
    if word(metadata)? != 0x424a_5342 {
        return None;
    }
    let length = word(metadata + 12)? as usize;
    let text = file.get(metadata + 16..)?.get(..length)?;
    let text = text.split(|byte| *byte == 0).next()?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSEMBLY: &[u8] = include_bytes!("../../../../fixtures/managed/hello/hello.dll");

    #[test]
    fn an_assembly_has_a_version_and_other_files_have_none() {
        assert_eq!(version_in(ASSEMBLY).as_deref(), Some("v4.0.30319"));
        assert_eq!(version_in(b""), None);
        assert_eq!(version_in(b"\x7fELF"), None);
        assert_eq!(version_in(b"MZ"), None);
        for length in 0..ASSEMBLY.len() {
            // Cut anywhere it is an assembly or none, but never a panic.
            let _ = version_in(&ASSEMBLY[..length]);
        }
    }

    #[test]
    fn random_damage_is_no_panic() {
        let mut file = ASSEMBLY.to_vec();
        for at in 0..file.len().min(0x400) {
            let before = std::mem::replace(&mut file[at], 0xff);
            let _ = version_in(&file);
            file[at] = before;
        }
    }
}
