//! What a wrapper hands over, and how that reads.

use soglia_core::errno;

use super::details::Shape;
use crate::{objects::peek, types::Enumeration};

/// The index of the returned value among the parameters.
pub const RETURNED: u16 = 0xFFFF;
/// The index of the last error.
pub const ERROR: u16 = 0xFFFE;
/// A wrapper gives an address, or 0 for null, and the number of bytes that are there.
pub const FORM_AT: i64 = 0;
/// A wrapper gives a number: the value of a handle, the length of an array, or the last error.
pub const FORM_NUMBER: i64 = 1 << 16;
/// A wrapper gives the address of a string, or 0 for null.
pub const FORM_TEXT: i64 = 2 << 16;

/// Characters of a text that are shown.
const MOST_UNITS: usize = 64;
/// The most bytes of a value that are read.
const MOST_BYTES: usize = 8;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Null,
    /// The first bytes of a value, and how many it has.
    Bytes([u8; MOST_BYTES], usize),
    Number(i64),
    /// The first units of a text, and how many it has.
    Text(Vec<u16>, usize),
}

impl Given {
    /// What lies at an address.
    ///
    /// # Safety
    /// The address is 0, or `size` bytes can be read there.
    pub(super) unsafe fn at(address: usize, size: usize) -> Self {
        if address == 0 {
            return Self::Null;
        }
        let mut bytes = [0; MOST_BYTES];
        let read = size.min(MOST_BYTES);
        let from = std::ptr::with_exposed_provenance::<u8>(address);
        // SAFETY: the caller promises `size` bytes there, and `bytes` has room for `read`.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), read) };
        Self::Bytes(bytes, size)
    }

    /// A string of the runtime, which has its length and its units at these distances. `most` of
    /// its units are kept; `None`: as many as are shown of an argument.
    ///
    /// # Safety
    /// The address is 0, or that of a string that does not move.
    pub(super) unsafe fn text(
        address: usize,
        (length, units): (usize, usize),
        most: Option<usize>,
    ) -> Self {
        if address == 0 {
            return Self::Null;
        }
        // SAFETY: a string has the number of its units there, and so many units.
        unsafe {
            let at = std::ptr::with_exposed_provenance::<u8>(address);
            let length = at.add(length).cast::<u32>().read_unaligned() as usize;
            let units = at.add(units).cast::<u16>();
            let kept = length.min(most.unwrap_or(MOST_UNITS));
            let units = std::slice::from_raw_parts(units, kept);
            Self::Text(units.to_vec(), length)
        }
    }

    /// The text itself, if it is one that is not empty.
    pub(super) fn as_text(&self) -> Option<String> {
        match self {
            Self::Text(units, length) if *length > 0 => Some(lossy(units, *length > units.len())),
            _ => None,
        }
    }

    /// How people read it.
    pub(super) fn shown(&self, shape: &Shape) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Text(units, length) if *length > units.len() => {
                format!("{} ({length} characters)", quoted(units, true))
            }
            Self::Text(units, _) => quoted(units, false),
            Self::Number(number) => match shape {
                Shape::Other(of) if of.ends_with(']') => sized(of, *number),
                Shape::Other(of) => format!("{of} {number:#x}"),
                _ => number.to_string(),
            },
            Self::Bytes(bytes, size) => shown(u64::from_le_bytes(*bytes), *size, shape),
        }
    }
}

impl Shape {
    /// What is shown where a wrapper gives no value.
    pub(super) fn alone(&self) -> String {
        match self {
            Self::Other(of) => of.clone(),
            _ => "?".to_owned(),
        }
    }
}

/// `int[]` with its length: `int[3]`.
fn sized(array: &str, length: i64) -> String {
    let of = array.strip_suffix("[]").unwrap_or(array);
    format!("{of}[{length}]")
}

/// A value of so many bytes.
pub(super) fn shown(bits: u64, size: usize, shape: &Shape) -> String {
    let number = signed(bits, size);
    match shape {
        Shape::Signed => number.to_string(),
        Shape::Unsigned => bits.to_string(),
        Shape::Bool => (bits != 0).to_string(),
        Shape::Char => match u32::try_from(bits).ok().and_then(char::from_u32) {
            Some(character) => format!("{character:?}"),
            None => format!("{bits:#x}"),
        },
        Shape::Float if size == 4 => format!("{:?}", f32::from_bits(bits as u32)),
        Shape::Float => format!("{:?}", f64::from_bits(bits)),
        Shape::Pointer if bits == 0 => "null".to_owned(),
        Shape::Pointer => format!("{bits:#x}"),
        Shape::Utf8 => native(bits as usize, false),
        Shape::Utf16 => native(bits as usize, true),
        Shape::Enumerated(names) => named(bits, number, names),
        Shape::Other(of) => format!("{of} of {size} bytes"),
    }
}

const fn signed(bits: u64, size: usize) -> i64 {
    match size {
        1 => bits as i8 as i64,
        2 => bits as i16 as i64,
        4 => bits as i32 as i64,
        _ => bits.cast_signed(),
    }
}

/// A number with its name, or with the names of its bits: `Read | Write (3)`.
fn named(bits: u64, number: i64, of: &Enumeration) -> String {
    let value = if of.is_signed {
        number
    } else {
        bits.cast_signed()
    };
    let digits = if of.is_signed {
        number.to_string()
    } else {
        bits.to_string()
    };
    if let Some((name, _)) = of.names.iter().find(|(_, is)| *is == value) {
        return format!("{name} ({digits})");
    }
    let (mut left, mut names) = (value, Vec::new());
    let mut all: Vec<_> = of.names.iter().filter(|(_, is)| *is != 0).collect();
    // Names of several bits come before those of one of them.
    all.sort_by_key(|(_, is)| std::cmp::Reverse(is.count_ones()));
    for (name, is) in all {
        if left & is == *is {
            left &= !is;
            names.push((*is, &**name));
        }
    }
    if left != 0 || names.is_empty() {
        return digits;
    }
    names.sort_unstable();
    let names: Vec<&str> = names.into_iter().map(|(_, name)| name).collect();
    format!("{} ({digits})", names.join(" | "))
}

/// Text in native memory, up to a zero.
fn native(at: usize, is_wide: bool) -> String {
    if at == 0 {
        return "null".to_owned();
    }
    if is_wide {
        let mut units = [0_u16; MOST_UNITS + 1];
        let read = peek(at, &mut units);
        return until_zero(&units[..read], at, <[u16]>::to_vec);
    }
    let mut bytes = [0_u8; MOST_UNITS + 1];
    let read = peek(at, &mut bytes);
    until_zero(&bytes[..read], at, |bytes| {
        String::from_utf8_lossy(bytes).encode_utf16().collect()
    })
}

fn until_zero<T: Copy + Default + PartialEq>(
    read: &[T],
    at: usize,
    wide: impl Fn(&[T]) -> Vec<u16>,
) -> String {
    if read.is_empty() {
        return format!("{at:#x}");
    }
    match read.iter().position(|unit| *unit == T::default()) {
        Some(end) => quoted(&wide(&read[..end]), false),
        None => quoted(&wide(&read[..read.len().min(MOST_UNITS)]), true),
    }
}

/// A text in quotes, without control characters.
fn quoted(units: &[u16], is_cut: bool) -> String {
    format!("{:?}", lossy(units, is_cut))
}

fn lossy(units: &[u16], is_cut: bool) -> String {
    let whole = match units.split_last() {
        // Half a character.
        Some((0xD800..=0xDBFF, before)) if is_cut => before,
        _ => units,
    };
    let end = if is_cut { "…" } else { "" };
    String::from_utf16_lossy(whole) + end
}

/// The last error as people read it: `ENOENT (2)`. `None`: there was none.
pub(super) fn error(number: i32) -> Option<String> {
    match (number, errno::name(number)) {
        (0, _) => None,
        (_, Some(name)) => Some(format!("{name} ({number})")),
        (_, None) => Some(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[(&str, i64)], is_signed: bool) -> Enumeration {
        let names = names.iter().map(|(name, is)| ((*name).to_owned(), *is));
        Enumeration {
            names: names.collect(),
            is_signed,
            size: 4,
        }
    }

    fn of(value: u64, size: usize, shape: &Shape) -> String {
        Given::Bytes(value.to_le_bytes(), size).shown(shape)
    }

    #[test]
    fn numbers_read_as_their_types() {
        assert_eq!(of(0xFF, 1, &Shape::Signed), "-1");
        assert_eq!(of(0xFFFF_FFFF, 4, &Shape::Signed), "-1");
        assert_eq!(of(0xFFFF_FFFF, 4, &Shape::Unsigned), "4294967295");
        assert_eq!(of(2, 4, &Shape::Bool), "true");
        assert_eq!(of(0x41, 2, &Shape::Char), "'A'");
        assert_eq!(of(0xD800, 2, &Shape::Char), "0xd800");
        assert_eq!(of(0x1b, 2, &Shape::Char), r"'\u{1b}'");
        assert_eq!(of(1.5_f64.to_bits(), 8, &Shape::Float), "1.5");
        assert_eq!(of(0.1_f32.to_bits().into(), 4, &Shape::Float), "0.1");
        assert_eq!(of(0x7f00, 8, &Shape::Pointer), "0x7f00");
        assert_eq!(of(0, 8, &Shape::Pointer), "null");
        assert_eq!(of(9, 24, &Shape::Other("Stat".into())), "Stat of 24 bytes");
        assert_eq!(
            Given::Number(3).shown(&Shape::Other("int[]".into())),
            "int[3]"
        );
        let handle = Shape::Other("SafeFileHandle".into());
        assert_eq!(Given::Number(5).shown(&handle), "SafeFileHandle 0x5");
        assert_eq!(Given::Null.shown(&handle), "null");
    }

    #[test]
    fn numbers_have_names() {
        let bits = names(
            &[
                ("None", 0),
                ("Read", 1),
                ("Write", 2),
                ("Both", 3),
                ("Sync", 8),
            ],
            true,
        );
        let shown = |value| of(value, 4, &Shape::Enumerated(bits.clone()));
        assert_eq!(shown(0), "None (0)");
        assert_eq!(shown(3), "Both (3)");
        assert_eq!(shown(9), "Read | Sync (9)");
        assert_eq!(shown(11), "Both | Sync (11)");
        assert_eq!(shown(16), "16", "no name has this bit");
        let signed = names(&[("Bad", -1)], true);
        assert_eq!(of(0xFFFF_FFFF, 4, &Shape::Enumerated(signed)), "Bad (-1)");
        let unsigned = names(&[("All", 0xFF)], false);
        assert_eq!(of(0xFF, 1, &Shape::Enumerated(unsigned)), "All (255)");
    }

    #[test]
    fn texts_are_short_and_without_control_characters() {
        let wide = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let text = |text: &str, length| Given::Text(wide(text), length).shown(&Shape::Signed);
        assert_eq!(text("/tmp/x", 6), "\"/tmp/x\"");
        assert_eq!(text("a\n\u{1b}[0m\"b\"", 9), r#""a\n\u{1b}[0m\"b\"""#);
        assert_eq!(text("abc", 120), "\"abc…\" (120 characters)");
        let half = Given::Text(vec![0x61, 0xD83D], 70).shown(&Shape::Signed);
        assert_eq!(
            half, "\"a…\" (70 characters)",
            "half a character is left out"
        );
    }

    #[test]
    fn native_texts_end_with_a_zero() {
        let of = |at: *const u8, shape| of(at.addr() as u64, 8, &shape);
        let text = c"na\xc3\xafve";
        assert_eq!(of(text.as_ptr().cast(), Shape::Utf8), "\"naïve\"");
        let wide: Vec<u16> = "wide\0".encode_utf16().collect();
        assert_eq!(of(wide.as_ptr().cast(), Shape::Utf16), "\"wide\"");
        let long = [b'x'; 100];
        let shown = of(long.as_ptr(), Shape::Utf8);
        assert_eq!(shown, format!("\"{}…\"", "x".repeat(64)));
        assert_eq!(
            of(std::ptr::without_provenance(8), Shape::Utf8),
            "0x8",
            "nothing is there"
        );
    }

    #[test]
    fn errors_have_names() {
        assert_eq!(error(0), None);
        assert_eq!(error(2).as_deref(), Some("ENOENT (2)"));
        assert_eq!(error(9999).as_deref(), Some("9999"));
    }

    #[test]
    fn a_value_is_read_up_to_its_size() {
        let place = [1_u8, 2, 3, 4, 5, 6, 7, 8, 9];
        // SAFETY: the array has 9 bytes.
        let given = |size| unsafe { Given::at(place.as_ptr().expose_provenance(), size) };
        assert_eq!(given(2), Given::Bytes([1, 2, 0, 0, 0, 0, 0, 0], 2));
        assert_eq!(given(9), Given::Bytes([1, 2, 3, 4, 5, 6, 7, 8], 9));
        // SAFETY: 0 stands for null.
        assert_eq!(unsafe { Given::at(0, 8) }, Given::Null);
    }
}
