//! Numbers and tables as ReadyToRun images have them.

use super::{u16_at, u32_at};

/// A number as the native format has it, and where the next one is: the ones at the low end of the first byte count the
/// bytes that follow, up to four.
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

/// The same with a sign, which is that of the highest bit that is there.
fn native_signed(bytes: &[u8], at: usize) -> Option<(i32, usize)> {
    let (number, next) = native_unsigned(bytes, at)?;
    // A byte has seven bits for the number, two have fourteen, and so on to four; five have all of 32.
    let unused = 32_u32.saturating_sub(7 * u32::try_from(next - at).ok()?);
    let unused = if next - at > 4 { 0 } else { unused };
    Some(((number << unused).cast_signed() >> unused, next))
}

/// Where the entries of a hash table are: after a byte that says how large it is come the places of the buckets, one more
/// than there are, and the buckets: for each entry a byte, and how far from behind that it is.
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
            // Whatever is not understood ends it.
            at = end;
            let (distance, next) = native_signed(table, pointer)?;
            at = next;
            pointer.checked_add_signed(distance.try_into().ok()?)
        })
    }))
}

/// Numbers in nibbles, the lower half of a byte first: three bits each, the greatest first, and whether there are more.
pub(super) struct Nibbles<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl Nibbles<'_> {
    /// The next one.
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
