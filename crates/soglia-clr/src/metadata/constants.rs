//! The names of the values of enumerations.

use std::ptr::null_mut;

use soglia_abi::{ids::MdToken, profiler::metadata::IMetaDataImport};

use super::{before::enumerated, scope::string};

/// A flag of a field: it has a value and no place.
const LITERAL: u32 = 0x40;
/// The most names that are read.
const MOST: usize = 1024;

/// The constants of a type, if they are whole numbers.
pub fn constants(import: &IMetaDataImport, of: MdToken) -> Vec<(String, i64)> {
    let fields = enumerated(import, |handle, into, room, count| {
        // SAFETY: `enumerated` passes a valid handle, and a buffer of the size that it says.
        unsafe { import.EnumFields(handle, of, into, room, count) }
    });
    let all = fields.into_iter().take(MOST);
    all.filter_map(|field| constant(import, field)).collect()
}

fn constant(import: &IMetaDataImport, field: MdToken) -> Option<(String, i64)> {
    let (mut flags, mut kind) = (0, 0);
    let mut value = std::ptr::null();
    let name = string(|buffer, size, needed| {
        // SAFETY: the field is of this module, and the buffer is as large as said. The pointers are
        // to locals, or null, which asks for nothing.
        let answer = unsafe {
            import.GetFieldProps(
                field,
                null_mut(),
                buffer,
                size,
                needed,
                &raw mut flags,
                null_mut(),
                null_mut(),
                &raw mut kind,
                &raw mut value,
                null_mut(),
            )
        };
        answer.is_ok()
    })?;
    if flags & LITERAL == 0 || value.is_null() {
        return None;
    }
    // SAFETY: the value is of this kind, in metadata, where it need not be aligned.
    let value = unsafe {
        match kind {
            0x04 => value.cast::<i8>().read().into(),
            0x05 => value.cast::<u8>().read().into(),
            0x06 => value.cast::<i16>().read_unaligned().into(),
            0x07 => value.cast::<u16>().read_unaligned().into(),
            0x08 => value.cast::<i32>().read_unaligned().into(),
            0x09 => value.cast::<u32>().read_unaligned().into(),
            0x0A | 0x0B => value.cast::<i64>().read_unaligned(),
            _ => return None,
        }
    };
    Some((name, value))
}
