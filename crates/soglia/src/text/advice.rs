//! Findings, in sentences.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use soglia_core::plain::plain;

use super::{
    screen::{Line, Screen},
    shown::Shown,
    style::{BAD, DIM, HEAD, WARN},
};
use crate::model::{Finding, Model};

/// Columns before the sentences: `problem  `.
const INDENT: usize = 9;
const HINT: Style = AnsiColor::Cyan.on_default();

/// Writes the section of a report.
pub(super) fn section(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    if !model.findings.is_empty() {
        writeln!(out)?;
    }
    advice(&model.findings, shown.screen, out)
}

/// Writes each finding with its evidence and advice.
///
/// # Errors
/// Those of `out`.
pub fn advice(findings: &[Finding], screen: Screen, out: &mut impl Write) -> io::Result<()> {
    // Sentences that are too long are hard to read.
    let screen = screen.at_most(MOST_COLUMNS);
    for (n, finding) in findings.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        let mut line = Line::default()
            .styled(style(finding.severity), finding.severity)
            .up_to(INDENT);
        for (style, text) in [
            (HEAD, &finding.sentence),
            (Style::new(), &finding.evidence),
            (Style::new(), &finding.advice),
            (DIM, &finding.link),
        ] {
            if !text.is_empty() {
                screen.sentences(line, style, &plain(text).to_string(), out)?;
                line = Line::indented(INDENT);
            }
        }
    }
    Ok(())
}

/// The most columns of sentences.
const MOST_COLUMNS: usize = 100;

fn style(severity: &str) -> Style {
    match severity {
        "problem" => BAD,
        "warning" => WARN,
        _ => HINT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_sentences_of_the_width_of_the_screen() {
        let finding = Finding {
            severity: "warning",
            sentence: "A sentence that needs more than one line of forty columns.".into(),
            evidence: "3 calls".into(),
            link: "docs/advice.md#x".into(),
            ..Finding::default()
        };
        let mut text = Vec::new();
        let screen = Screen { columns: Some(40) };
        advice(&[finding], screen, &mut text).unwrap();
        let text = anstream::adapter::strip_str(str::from_utf8(&text).unwrap()).to_string();
        let expected = "\
warning  A sentence that needs more than
         one line of forty columns.
         3 calls
         docs/advice.md#x
";
        assert_eq!(text, expected);
    }
}
