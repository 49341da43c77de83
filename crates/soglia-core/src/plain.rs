//! Names and paths as one line of text that does nothing to a terminal.
//!
//! Programs name their functions, threads and files as they like, and a recording may hold any
//! bytes. So all names that are not soglia's own go through [`plain`] or [`plain_path`] before
//! people see them, on a terminal or elsewhere. The replacements can be turned back: a backslash in
//! a name is doubled.

use std::{fmt, os::unix::ffi::OsStrExt, path::Path};

/// A text in which characters are replaced that control a terminal, break a line or are invisible:
/// `\x1b`, `\n`, `\u{202e}`.
pub fn plain(text: &str) -> Plain<'_> {
    Plain(text.as_bytes())
}

/// The same for a path. Bytes that are not UTF-8 become `\xff`.
pub fn plain_path(path: &Path) -> Plain<'_> {
    Plain(path.as_os_str().as_bytes())
}

/// See [`plain`].
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a>(&'a [u8]);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            let mut rest = chunk.valid();
            while let Some(at) = rest.find(must_be_written) {
                f.write_str(&rest[..at])?;
                let mut after = rest[at..].chars();
                if let Some(c) = after.next() {
                    write_as(c, f)?;
                }
                rest = after.as_str();
            }
            f.write_str(rest)?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn write_as(c: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match c {
        '\\' => f.write_str("\\\\"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        c if c.is_ascii() => write!(f, "\\x{:02x}", u32::from(c)),
        c => write!(f, "\\u{{{:x}}}", u32::from(c)),
    }
}

fn must_be_written(c: char) -> bool {
    c == '\\' || c.is_control() || (!c.is_ascii() && is_format(c))
}

/// Unicode's categories Cf (format characters, including those for bidirectional text), Zl and Zp
/// (separators of lines and paragraphs), and characters that some terminals do not show.
fn is_format(c: char) -> bool {
    matches!(u32::from(c),
        0xad
        | 0x34f
        | 0x600..=0x605
        | 0x61c
        | 0x6dd
        | 0x70f
        | 0x890..=0x891
        | 0x8e2
        | 0x115f..=0x1160
        | 0x17b4..=0x17b5
        | 0x180b..=0x180f
        | 0x200b..=0x200f
        | 0x2028..=0x202e
        | 0x2060..=0x206f
        | 0x3164
        | 0xfe00..=0xfe0f
        | 0xfeff
        | 0xffa0
        | 0xfff0..=0xfffb
        | 0x110bd
        | 0x110cd
        | 0x13430..=0x1343f
        | 0x1bca0..=0x1bca3
        | 0x1d173..=0x1d17a
        | 0xe0000..=0xe0fff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn what_controls_is_written() {
        for (text, shown) in [
            ("libc!read", "libc!read"),
            ("Ünï.Cödé<日本>", "Ünï.Cödé<日本>"),
            ("\x1b]0;T\x07\x1b[2J", "\\x1b]0;T\\x07\\x1b[2J"),
            ("a\nb\r\tc\x7f\0", "a\\nb\\r\\tc\\x7f\\x00"),
            ("\u{9b}31m\u{85}", "\\u{9b}31m\\u{85}"),
            (
                "odd\u{202e}gnp\u{2066}\u{200f}\u{61c}",
                "odd\\u{202e}gnp\\u{2066}\\u{200f}\\u{61c}",
            ),
            (
                "\u{feff}\u{2028}\u{2029}\u{ad}\u{e0041}",
                "\\u{feff}\\u{2028}\\u{2029}\\u{ad}\\u{e0041}",
            ),
            ("C:\\a", "C:\\\\a"),
            ("\\x1b", "\\\\x1b"),
        ] {
            assert_eq!(plain(text).to_string(), shown);
        }
        let path = Path::new(OsStr::from_bytes(b"a\xff\xc3\x1b/\xc3\xbc"));
        assert_eq!(plain_path(path).to_string(), "a\\xff\\xc3\\x1b/ü");
    }

    /// Different texts look different, so that people can tell two names apart.
    #[test]
    fn what_is_written_can_be_turned_back() {
        let back = |shown: &str| {
            let mut text = String::new();
            let mut rest = shown;
            while let Some(at) = rest.find('\\') {
                text += &rest[..at];
                let (c, length) = match &rest[at + 1..at + 2] {
                    "n" => ('\n', 2),
                    "r" => ('\r', 2),
                    "t" => ('\t', 2),
                    "x" => {
                        let number = u32::from_str_radix(&rest[at + 2..at + 4], 16).unwrap();
                        (char::from_u32(number).unwrap(), 4)
                    }
                    "u" => {
                        let end = rest[at..].find('}').unwrap();
                        let number = u32::from_str_radix(&rest[at + 3..at + end], 16).unwrap();
                        (char::from_u32(number).unwrap(), end + 1)
                    }
                    _ => ('\\', 2),
                };
                text.push(c);
                rest = &rest[at + length..];
            }
            text + rest
        };
        let all: String = ('\0'..='\u{ffff}')
            .chain(['\u{e0001}', '\u{10ffff}'])
            .collect();
        let shown = plain(&all).to_string();
        assert!(!shown.contains(|c: char| c.is_control()));
        assert_eq!(back(&shown), all);
    }
}
