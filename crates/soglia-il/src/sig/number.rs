//! Compressed numbers and coded tokens (ECMA-335, II.23.2 and II.23.2.8).

use soglia_abi::ids::MdToken;

/// The greatest number that can be compressed.
const MOST: u32 = 0x1FFF_FFFF;
/// The greatest row of a metadata table.
const MOST_ROWS: u32 = 0x00FF_FFFF;

const TYPE_REF: u32 = 0x0100_0000;
const TYPE_DEF: u32 = 0x0200_0000;
const TYPE_SPEC: u32 = 0x1B00_0000;
/// The tables of the first three tags of a coded token; the fourth tag is unused.
const TABLES: [u32; 3] = [TYPE_DEF, TYPE_REF, TYPE_SPEC];

/// Reads a compressed number at the front of `bytes`.
///
/// Returns the number, and how many bytes it takes.
/// Returns `None` if the bytes are not a compressed number, or end within it.
pub fn unsigned(bytes: &[u8]) -> Option<(u32, usize)> {
    match *bytes {
        [a, ..] if a & 0x80 == 0 => Some((a.into(), 1)),
        [a, b, ..] if a & 0x40 == 0 => Some((u32::from_be_bytes([0, 0, a & 0x3F, b]), 2)),
        [a, b, c, d, ..] if a & 0xC0 == 0xC0 && a & 0x20 == 0 => {
            Some((u32::from_be_bytes([a & 0x1F, b, c, d]), 4))
        }
        _ => None,
    }
}

/// Appends a number in its shortest compressed form.
///
/// Returns `None` and writes nothing if the number has more than 29 bits.
pub fn put_unsigned(out: &mut Vec<u8>, number: u32) -> Option<()> {
    let bytes = number.to_be_bytes();
    match number {
        0..=0x7F => out.push(bytes[3]),
        0x80..=0x3FFF => out.extend([bytes[2] | 0x80, bytes[3]]),
        0x4000..=MOST => out.extend([bytes[0] | 0xC0, bytes[1], bytes[2], bytes[3]]),
        _ => return None,
    }
    Some(())
}

/// Reads the token of a type at the front of `bytes`.
///
/// Returns `None` if there is none.
pub fn type_token(bytes: &[u8]) -> Option<MdToken> {
    let (coded, _) = unsigned(bytes)?;
    token_of(coded)
}

/// The token that a compressed number stands for.
///
/// Returns `None` if the tag is unused, or the row has more bits than a token has for it.
pub(super) fn token_of(coded: u32) -> Option<MdToken> {
    let table = TABLES.get(coded as usize & 3)?;
    let row = coded >> 2;
    (row <= MOST_ROWS).then_some(MdToken(table | row))
}

/// Appends the token of a type.
///
/// Returns `None` and writes nothing if the token is nil,
/// or neither a TypeDef, nor a TypeRef, nor a TypeSpec.
pub fn put_type(out: &mut Vec<u8>, token: MdToken) -> Option<()> {
    let mut tables = TABLES.iter();
    let tag = tables.position(|table| table >> 24 == u32::from(token.table()))?;
    if token.is_nil() {
        return None;
    }
    put_unsigned(out, token.row() << 2 | u32::try_from(tag).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_more_than_29_bits_is_not_written() {
        let mut out = Vec::new();
        assert_eq!(put_unsigned(&mut out, MOST + 1), None);
        assert_eq!(out, []);
    }
}
