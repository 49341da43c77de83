//! JSON inside a script element.

use std::io::{self, Write};

/// Writes JSON on, with `<` as `\u003c`. In JSON, `<` occurs inside of strings only. Without it,
/// no name can end the element that the JSON is in, or begin a comment there.
pub(super) struct Escaped<W>(pub(super) W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (n, part) in bytes.split(|byte| *byte == b'<').enumerate() {
            if n > 0 {
                self.0.write_all(b"\\u003c")?;
            }
            self.0.write_all(part)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_element() {
        let texts = [
            "</script>",
            "<!-- <script>",
            "a<",
            "<",
            "<<",
            "\u{2028}",
            "",
        ];
        let mut out = Vec::new();
        serde_json::to_writer(Escaped(&mut out), &texts).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains('<'), "{out}");
        let back: Vec<String> = serde_json::from_str(&out).unwrap();
        assert_eq!(back, texts);
    }
}
