//! Cells of CSV.

use soglia_core::plain::plain;

/// A text as a cell of CSV, without control characters. A text that a spreadsheet would run as a
/// formula gets an apostrophe in front.
pub fn cell(text: &str) -> String {
    let formula = text
        .trim_start_matches(|c: char| c.is_whitespace() || "\"'`".contains(c))
        .starts_with([
            '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
        ]);
    let apostrophe = if formula || text.starts_with(['\t', '\r', '\n']) {
        "'"
    } else {
        ""
    };
    format!("{apostrophe}{}", plain(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_no_formulas() {
        for (text, expected) in [
            ("read", "read"),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("@SUM(1)", "'@SUM(1)"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("  =1", "'  =1"),
            ("\"=1", "'\"=1"),
            ("'=1", "''=1"),
            ("\t=1", "'\\t=1"),
            ("\r", "'\\r"),
            ("a=b", "a=b"),
            ("0x7f", "0x7f"),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }
}
