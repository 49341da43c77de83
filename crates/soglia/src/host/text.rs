//! Texts of the hosting API: UTF-16 with a final zero.

use std::path::Path;

use soglia_abi::HRESULT;
use soglia_abi::param::{Buffer, InOut, WideString};

use super::error::Error;

/// The text in UTF-16, with its final zero.
///
/// # Errors
/// [`Error::ZeroByte`]: a zero inside the text would end it.
pub(super) fn wide(text: &str) -> Result<WideString, Error> {
    if text.contains('\0') {
        return Err(Error::ZeroByte);
    }
    Ok(WideString::new(text))
}

/// The path as a text.
///
/// # Errors
/// [`Error::NotUnicode`]: .NET's texts are Unicode, and paths on Linux are bytes.
pub(super) fn unicode(path: &Path) -> Result<&str, Error> {
    path.to_str()
        .ok_or_else(|| Error::NotUnicode(path.to_owned()))
}

/// Reads a text from a method with a `pcchBuffer` parameter, which is first asked for the length.
///
/// The result is empty if the method fails.
pub(super) fn read(ask: impl Fn(Buffer<'_, u16>, InOut<'_, u32>) -> HRESULT) -> String {
    let mut length = 0;
    let _ = ask(Buffer::null(), InOut::new(&mut length));
    let mut buffer = vec![0; length as usize];
    if length == 0 || ask(Buffer::new(&mut buffer), InOut::new(&mut length)).is_err() {
        return String::new();
    }
    let end = buffer.iter().position(|unit| *unit == 0);
    String::from_utf16_lossy(&buffer[..end.unwrap_or(buffer.len())])
}
