//! Numbers and names in columns.

use ratatui::text::{Line, Span};

use crate::text;

/// The columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text in at most so many columns. If it is longer, its middle is left out: the end of a name
/// says most, and its beginning where it belongs.
pub(super) fn fit(text: &str, columns: usize) -> String {
    const GAP: &str = "…";
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let (at_end, at_begin) = (room - room / 3, room / 3);
    let begin = taken(text.chars(), at_begin);
    let end: Vec<char> = taken(text.chars().rev(), at_end);
    let end = end.into_iter().rev();
    let gap = if columns > 0 { GAP } else { "" };
    begin.into_iter().chain(gap.chars()).chain(end).collect()
}

/// The beginning of a sentence that takes at most so many columns.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let begin = taken(text.chars(), columns.saturating_sub(1));
    begin.into_iter().chain("…".chars()).collect()
}

/// The characters that fit into so many columns.
fn taken(chars: impl Iterator<Item = char>, columns: usize) -> Vec<char> {
    let mut left = columns;
    let fits = |c: &char| {
        let wide = width(c.encode_utf8(&mut [0; 4]));
        match left.checked_sub(wide) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        }
    };
    chars.take_while(fits).collect()
}

/// A text that fills so many columns.
pub(in super::super) fn padded(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let rest = columns.saturating_sub(width(&text));
    format!("{text}{:rest$}", "")
}

/// A number of things.
pub(super) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", text::count(n), if n == 1 { one } else { many })
}

/// A duration, or a dash.
pub(super) fn optional(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".into(), text::time)
}

/// A number of things a second.
pub(super) fn rate(rate: f64) -> String {
    match rate {
        0.0 => "0".into(),
        r if r < 10.0 => format!("{r:.1}"),
        r => text::count(r.round() as u64),
    }
}

/// A share of one core, or of the time that passed.
pub(super) fn share(share: f64) -> String {
    match share {
        0.0 => "-".into(),
        s if s < 0.000_5 => "<0.1 %".into(),
        s => format!("{:.1} %", s * 100.0),
    }
}

/// A text in lines of so many columns, broken between words, each behind so many spaces.
pub(super) fn wrapped(
    text: &str,
    indent: usize,
    columns: usize,
) -> impl Iterator<Item = Line<'static>> + use<> {
    let room = columns.saturating_sub(indent).max(1);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fit(word, room)),
        }
    }
    lines
        .into_iter()
        .map(move |line| Line::from(format!("{:indent$}{line}", "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_lose_their_middle() {
        for (text, columns, expected) in [
            ("short", 10, "short"),
            ("sqlite3!sqlite3_prepare_v2", 16, "sqlit…prepare_v2"),
            ("日本語の名前", 7, "日…名前"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
        ] {
            let fitted = fit(text, columns);
            assert_eq!(fitted, expected, "{text}");
            assert!(width(&fitted) <= columns);
        }
        assert_eq!(padded("日本", 6), "日本  ");
        assert_eq!([cut("a sentence", 5), cut("short", 5)], ["a se…", "short"]);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 0.4, 3.0, 1234.5].map(rate),
            ["0", "0.4", "3.0", "1,235"]
        );
        assert_eq!(
            [0.0, 0.000_1, 0.5, 3.25].map(share),
            ["-", "<0.1 %", "50.0 %", "325.0 %"]
        );
    }
}
