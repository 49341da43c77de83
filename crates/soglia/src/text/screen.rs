//! Lines that fit the terminal.

use std::io::{self, Write};

use anstyle::Style;
use soglia_core::plain::plain;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns that a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// A text in at most so many columns: what is too much in the middle becomes `…`. The ends of a
/// name say more than its middle.
pub(super) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else {
        return String::new();
    };
    let head = taken(text.chars(), room.div_ceil(2));
    let tail: String = taken(text.chars().rev(), room - width(&head));
    let tail: String = tail.chars().rev().collect();
    format!("{head}…{tail}")
}

/// The first characters that fit.
fn taken(characters: impl Iterator<Item = char>, columns: usize) -> String {
    let mut used = 0;
    characters
        .take_while(|character| {
            used += character.width().unwrap_or(0);
            used <= columns
        })
        .collect()
}

/// A line that is put together of texts in several styles.
#[derive(Default)]
pub(super) struct Line {
    parts: Vec<(Style, String)>,
    columns: usize,
}

impl Line {
    /// A line that begins with spaces.
    pub(super) fn indented(columns: usize) -> Self {
        Self::default().text(&" ".repeat(columns))
    }

    /// Adds a text that is neither bold nor dim.
    pub(super) fn text(self, text: &str) -> Self {
        self.styled(Style::new(), text)
    }

    /// The same in a style.
    pub(super) fn styled(mut self, style: Style, text: &str) -> Self {
        self.columns += width(text);
        if !text.is_empty() {
            self.parts.push((style, text.to_owned()));
        }
        self
    }

    /// Adds a text that is aligned to the right of so many columns.
    pub(super) fn right(self, columns: usize, text: &str) -> Self {
        let space = columns.saturating_sub(width(text));
        self.text(&" ".repeat(space)).text(text)
    }

    /// Adds spaces up to this column.
    pub(super) fn up_to(self, column: usize) -> Self {
        let space = column.saturating_sub(self.columns);
        self.text(&" ".repeat(space))
    }

    /// All of the line in one style.
    pub(super) fn in_style(mut self, style: Style) -> Self {
        let text = self.parts.drain(..).map(|(_, text)| text).collect();
        self.parts = vec![(style, text)];
        self
    }

    /// The columns that the line takes.
    pub(super) const fn columns(&self) -> usize {
        self.columns
    }

    /// Writes the line. What does not fit is cut off.
    pub(super) fn write(self, screen: Screen, out: &mut impl Write) -> io::Result<()> {
        let is_whole = screen.has(self.columns);
        let mut room = match is_whole {
            true => usize::MAX,
            false => screen.columns().saturating_sub(1),
        };
        let last = self
            .parts
            .iter()
            .rposition(|(_, text)| !text.trim().is_empty());
        for (n, (style, text)) in self.parts.iter().enumerate() {
            let text = match last {
                Some(last) if n < last => text,
                Some(last) if n == last => text.trim_end(),
                _ => break,
            };
            let shown = match width(text) <= room {
                true => text.to_owned(),
                false => taken(text.chars(), room) + "…",
            };
            write!(out, "{style}{shown}{style:#}")?;
            if width(text) > room {
                break;
            }
            room -= width(text);
        }
        writeln!(out)
    }
}

/// How wide the output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// `None`: as wide as the lines need.
    pub columns: Option<usize>,
}

/// No terminal is narrower, as far as reports go.
const LEAST: usize = 40;

impl Screen {
    /// The columns of the screen, or more than any line has.
    pub(super) fn columns(self) -> usize {
        self.columns
            .map_or(usize::MAX / 2, |columns| columns.max(LEAST))
    }

    /// The same screen, but no wider than this.
    pub(super) fn at_most(self, columns: usize) -> Self {
        let columns = self.columns.map(|of| of.min(columns));
        Self { columns }
    }

    pub(super) fn has(self, columns: usize) -> bool {
        columns <= self.columns()
    }

    /// Writes sentences, broken at spaces. Lines after the first begin with spaces.
    pub(super) fn sentences(
        self,
        first: Line,
        style: Style,
        text: &str,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let indent = first.columns();
        let mut line = Some(first);
        for part in broken(text, self.columns().saturating_sub(indent)) {
            let begun = line.take().unwrap_or_else(|| Line::indented(indent));
            begun.styled(style, &part).write(self, out)?;
        }
        match line {
            Some(line) => line.write(self, out),
            None => Ok(()),
        }
    }

    /// A name in as many columns as are left after `before`.
    pub(super) fn name(self, name: &str, before: usize) -> String {
        fit(
            &plain(name).to_string(),
            self.columns().saturating_sub(before),
        )
    }
}

/// The most lines that one word takes.
const MOST_LINES: usize = 8;

/// The words of a text. A number and its unit are one word.
fn words(text: &str) -> Vec<String> {
    const UNITS: [&str; 5] = ["ns", "µs", "ms", "s", "%"];
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let is_unit = UNITS.contains(&word.trim_end_matches([',', '.', ';', ':']));
        match words.last_mut() {
            Some(last) if is_unit && last.ends_with(|c: char| c.is_ascii_digit()) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// A text in lines of at most so many columns, broken at spaces where that is possible.
fn broken(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words(text) {
        // A name may have any length.
        let word = &fit(&word, columns.saturating_mul(MOST_LINES));
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        let mut rest = word.as_str();
        while width(&line) + width(rest) > columns && columns > 0 {
            let head = taken(rest.chars(), columns - width(&line));
            if head.is_empty() {
                break;
            }
            rest = &rest[head.len()..];
            lines.push(std::mem::take(&mut line) + &head);
        }
        line += rest;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shortened_in_the_middle() {
        for (columns, shown) in [
            (20, "sqlite3!prepare_v2"),
            (18, "sqlite3!prepare_v2"),
            (17, "sqlite3!…epare_v2"),
            (3, "s…2"),
            (2, "s…"),
            (1, "…"),
            (0, ""),
        ] {
            assert_eq!(fit("sqlite3!prepare_v2", columns), shown);
        }
        // These characters take two columns each.
        assert_eq!(fit("日本語の名前", 12), "日本語の名前");
        assert_eq!(fit("日本語の名前", 8), "日本…前");
        assert!(width(&fit("日本語の名前", 7)) <= 7);
        // Combining marks take none.
        assert_eq!(fit("e\u{301}e\u{301}", 2), "e\u{301}e\u{301}");
    }

    #[test]
    fn sentences_are_broken_at_spaces() {
        assert_eq!(broken("one two three", 7), ["one two", "three"]);
        assert_eq!(broken("one two three", 100), ["one two three"]);
        assert_eq!(broken("for 3.00 s, then", 9), ["for", "3.00 s,", "then"]);
        assert_eq!(broken("a /long/path b", 6), ["a", "/long/", "path b"]);
        assert_eq!(broken("日本語", 4), ["日本", "語"]);
        assert!(broken("", 4).is_empty());
        assert_eq!(broken("日本語", 1), ["日本語"]);
    }

    #[test]
    fn a_line_is_never_wider_than_the_screen() {
        let screen = Screen { columns: Some(40) };
        for name in ["x".repeat(30), "x".repeat(40), "日".repeat(50)] {
            let mut text = Vec::new();
            let line = Line::indented(3)
                .right(8, "12 ms")
                .text("  ")
                .text(&name)
                .text("  ");
            line.write(screen, &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(width(text.trim_end_matches('\n')) <= 40, "{text:?}");
            assert!(!text.ends_with(" \n"), "{text:?}");
        }
    }
}
