//! Numbers and tables as ReadyToRun images write them.

use crate::bytes::{u16_at, u32_at};

/// Reads a number at `at`. Returns it, and where the next one is.
///
/// The low ones of the first byte count the bytes that follow it, up to four.
pub(super) fn native_unsigned(bytes: &[u8], at: usize) -> Option<(u32, usize)> {
    let bytes = bytes.get(at..)?;
    let more = bytes.first()?.trailing_ones().min(4);
    if more == 4 {
        return Some((u32_at(bytes, 1)?, at + 5));
    }
    let mut word = [0; 4];
    let size = more as usize + 1;
    word[..size].copy_from_slice(bytes.get(..size)?);
    Some((u32::from_le_bytes(word) >> size, at + size))
}

/// Reads a number with a sign, which is that of the highest bit that the number has room for.
fn native_signed(bytes: &[u8], at: usize) -> Option<(i32, usize)> {
    let (number, next) = native_unsigned(bytes, at)?;
    // One byte has 7 bits for the number, two have 14, three 21, four 28; five have all 32.
    let unused = match next - at {
        size @ 1..=4 => 32 - 7 * u32::try_from(size).ok()?,
        _ => 0,
    };
    Some(((number << unused).cast_signed() >> unused, next))
}

/// The places of the entries of a hash table.
///
/// The table begins with a byte that says how many buckets there are.
/// The places of the buckets follow, one more than there are, then the buckets.
/// A bucket has for each entry a byte, and then the distance to the entry from behind that byte.
///
/// An item is `None` where the table cannot be read; that item is the last one.
pub(super) fn hash_table(table: &[u8]) -> Option<impl Iterator<Item = Option<usize>>> {
    const BASE: usize = 1;
    let header = *table.first()?;
    let buckets = 1_usize.checked_shl(u32::from(header >> 2));
    let buckets = buckets.filter(|buckets| *buckets < table.len())?;
    let place = |index: usize| {
        let place = match header & 3 {
            0 => (*table.get(BASE + index)?).into(),
            1 => u16_at(table, BASE + 2 * index)?.into(),
            2 => u32_at(table, BASE + 4 * index)?,
            _ => return None,
        };
        BASE.checked_add(usize::try_from(place).ok()?)
    };
    let (mut at, end) = (place(0)?, place(buckets)?);
    Some(std::iter::from_fn(move || {
        (at < end).then(|| {
            let pointer = at + 1;
            // If what follows is not understood, this item is the last one.
            at = end;
            let (distance, next) = native_signed(table, pointer)?;
            at = next;
            pointer.checked_add_signed(distance.try_into().ok()?)
        })
    }))
}

/// Numbers in nibbles, the lower half of a byte first.
/// Each nibble has three bits of the number, the greatest first, and a bit that says whether more
/// follow.
pub(super) struct Nibbles<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Nibbles<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Reads the next number.
    pub(super) fn number(&mut self) -> Option<u32> {
        let mut number = 0_u32;
        loop {
            let byte = self.bytes.get(self.at / 2)?;
            let nibble = byte >> (self.at % 2 * 4) & 0xF;
            self.at += 1;
            number = number.checked_mul(8)? | u32::from(nibble & 7);
            if nibble & 8 == 0 {
                return Some(number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The shortest form of a number.
    fn put_unsigned(number: u32) -> Vec<u8> {
        match (0..4).find(|more| u64::from(number) < 1 << (7 * (more + 1))) {
            Some(more) => {
                let word = number << (more + 1) | ((1 << more) - 1);
                word.to_le_bytes()[..=more].to_vec()
            }
            None => [&[0x0F][..], &number.to_le_bytes()].concat(),
        }
    }

    proptest! {
        #[test]
        fn a_number_that_was_written_is_read_back(number: u32, shift in 0..32_u32) {
            let number = number >> shift;
            let bytes = put_unsigned(number);
            prop_assert_eq!(native_unsigned(&bytes, 0), Some((number, bytes.len())));
            prop_assert_eq!(native_unsigned(&bytes[..bytes.len() - 1], 0), None);
        }
    }

    #[test]
    fn numbers_have_the_sign_of_their_highest_bit() {
        let read = |bytes: &[u8]| native_signed(bytes, 0).map(|(number, _)| number);
        assert_eq!(read(&[0x7E]), Some(63));
        assert_eq!(read(&[0x80]), Some(-64));
        assert_eq!(read(&[0xFE]), Some(-1));
        assert_eq!(read(&[0xFD, 0xFF]), Some(-1));
        assert_eq!(read(&[0xFB, 0xFF, 0xFF]), Some(-1));
        assert_eq!(read(&[0xF7, 0xFF, 0xFF, 0xFF]), Some(-1));
        assert_eq!(read(&[0x0F, 0xFE, 0xFF, 0xFF, 0xFF]), Some(-2));
        assert_eq!(read(&[0x0F, 0, 0, 0, 0x80]), Some(i32::MIN));
    }
}
