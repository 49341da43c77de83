//! Texts as the hosting API has them: UTF-16 with a zero at its end.

use std::path::Path;

use soglia_abi::HRESULT;

use super::Error;

/// The text with its zero.
pub(super) fn wide(text: &str) -> Result<Vec<u16>, Error> {
    if text.contains('\0') {
        return Err(Error::ZeroByte);
    }
    Ok(text.encode_utf16().chain([0]).collect())
}

/// The path as a text.
pub(super) fn unicode(path: &Path) -> Result<&str, Error> {
    path.to_str()
        .ok_or_else(|| Error::NotUnicode(path.to_owned()))
}

/// A text that is asked for as `pcchBuffer` methods have it: the number of characters first. Empty if there is none.
pub(super) fn read(ask: impl Fn(*mut u16, *mut u32) -> HRESULT) -> String {
    let mut length = 0;
    let _ = ask(std::ptr::null_mut(), &raw mut length);
    let mut buffer = vec![0; length as usize];
    if length == 0 || ask(buffer.as_mut_ptr(), &raw mut length).is_err() {
        return String::new();
    }
    let end = buffer.iter().position(|unit| *unit == 0);
    String::from_utf16_lossy(&buffer[..end.unwrap_or(buffer.len())])
}
