//! Types and methods by their names.

use soglia_abi::{ids::MdToken, profiler::metadata::IMetaDataImport};

use super::before::{Before, enumerated, wide};

/// The type of that name that is in no other one.
pub fn class(import: &IMetaDataImport, name: &str) -> Option<MdToken> {
    let (wide, mut token) = (wide(name), MdToken::default());
    // SAFETY: a zero-terminated name, a pointer to a local; nil stands for no enclosing type.
    let answer = unsafe { import.FindTypeDefByName(wide.as_ptr(), MdToken(0), &raw mut token) };
    answer.is_ok().then_some(token)
}

/// The methods of that name, with their signatures, which have two bytes at least.
pub fn methods(import: &IMetaDataImport, class: MdToken, name: &str) -> Vec<(MdToken, Vec<u8>)> {
    let wide = wide(name);
    let tokens = enumerated(import, |handle, into, room, count| {
        // SAFETY: a zero-terminated name; the pointers that `enumerated` passes are good.
        unsafe { import.EnumMethodsWithName(handle, class, wide.as_ptr(), into, room, count) }
    });
    let with_signature = |token: MdToken| {
        let signature = Before::of(import, token).ok()?.signature;
        (signature.len() >= 2).then_some((token, signature))
    };
    tokens.into_iter().filter_map(with_signature).collect()
}
