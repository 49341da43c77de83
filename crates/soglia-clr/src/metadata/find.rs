//! Finds types and methods by their names.

use soglia_abi::{ids::MdToken, profiler::metadata::IMetaDataImport};

use super::before::{Before, enumerated, wide};

/// The type of this name that is not nested.
pub fn class(import: &IMetaDataImport, name: &str) -> Option<MdToken> {
    let (wide, mut token) = (wide(name), MdToken::default());
    // SAFETY: the name ends with a zero, and the pointer is to a local. The nil token means that no
    // type encloses it.
    let answer = unsafe { import.FindTypeDefByName(wide.as_ptr(), MdToken(0), &raw mut token) };
    answer.is_ok().then_some(token)
}

/// The methods of this name, with their signatures, which have at least two bytes.
pub fn methods(import: &IMetaDataImport, class: MdToken, name: &str) -> Vec<(MdToken, Vec<u8>)> {
    let wide = wide(name);
    let tokens = enumerated(import, |handle, into, room, count| {
        // SAFETY: the name ends with a zero. `enumerated` passes a valid handle, and a buffer of
        // the size that it says.
        unsafe { import.EnumMethodsWithName(handle, class, wide.as_ptr(), into, room, count) }
    });
    let with_signature = |token: MdToken| {
        let signature = Before::of(import, token).ok()?.signature;
        (signature.len() >= 2).then_some((token, signature))
    };
    tokens.into_iter().filter_map(with_signature).collect()
}
