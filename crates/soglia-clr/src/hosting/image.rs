//! The version that an assembly was built for, from its metadata.

use std::{fs, path::Path};

use soglia_abi::{HRESULT, param::Wide};
use soglia_dotnet::assembly::metadata_version;

/// `COR_E_BADIMAGEFORMAT`.
const BAD_IMAGE: HRESULT = HRESULT(0x8007_000b_u32 as i32);
/// `HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND)`.
const FILE_NOT_FOUND: HRESULT = HRESULT(0x8007_0002_u32 as i32);

/// The version in the file at `path`: `v4.0.30319` for everything that is compiled today.
///
/// # Errors
/// `E_POINTER`, `COR_E_FILENOTFOUND`, and `COR_E_BADIMAGEFORMAT` if the file is no assembly.
pub fn version_of(path: Wide<'_>) -> Result<String, HRESULT> {
    let path = path.to_text().ok_or(soglia_abi::hresult::E_POINTER)?;
    let file = fs::read(Path::new(&path)).map_err(|_| FILE_NOT_FOUND)?;
    metadata_version(&file).ok_or(BAD_IMAGE)
}
