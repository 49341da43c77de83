//! Findings, in sentences.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use soglia_core::plain::plain;

use super::{
    calls::groups,
    moments::Moments,
    screen::{Line, Screen},
    shown::{MOST_ROWS, Shown},
    style::{BAD, DIM, HEAD, WARN},
    words::{count, more},
};
use crate::model::{Finding, Model};

/// Columns before the sentences: `problem  `.
const INDENT: usize = 9;
const HINT: Style = AnsiColor::Cyan.on_default();

/// Writes the section of a report.
pub(super) fn section(
    model: &Model,
    moments: &Moments,
    shown: Shown,
    out: &mut impl Write,
) -> io::Result<()> {
    if !model.findings.is_empty() {
        writeln!(out)?;
    }
    all(&model.findings, moments, shown.screen, out)
}

/// Writes each finding of a report with its evidence and advice.
///
/// # Errors
/// Those of `out`.
pub fn advice(model: &Model, screen: Screen, out: &mut impl Write) -> io::Result<()> {
    all(&model.findings, &Moments::of(model), screen, out)
}

fn all(
    findings: &[Finding],
    moments: &Moments,
    screen: Screen,
    out: &mut impl Write,
) -> io::Result<()> {
    // Sentences that are too long are hard to read.
    let screen = screen.at_most(MOST_COLUMNS);
    let findings: Vec<&Finding> = findings.iter().collect();
    // Processes of one program have the same findings, with other figures. One process has each
    // finding once.
    let groups = groups(&findings, |of| {
        let process = moments.process(of.process).is_none();
        let sentence = process.then_some(&of.sentence);
        (of.id, of.severity, &of.targets, sentence)
    });
    let most = match findings
        .iter()
        .any(|of| moments.process(of.process).is_some())
    {
        true => MOST_ROWS,
        false => groups.len(),
    };
    for (n, group) in groups.iter().take(most).enumerate() {
        let Some(first) = group.first() else { continue };
        if n > 0 {
            writeln!(out)?;
        }
        one(first, screen, out)?;
        if let Some(process) = moments.process(first.process) {
            let others = match group.len() - 1 {
                0 => String::new(),
                1 => "; one more process has the same".to_owned(),
                n => format!("; {} more processes have the same", count(n as u64)),
            };
            let said = format!("in {process}{others}");
            screen.sentences(Line::indented(INDENT), DIM, &said, out)?;
        }
    }
    let hidden: usize = groups.iter().skip(most).map(Vec::len).sum();
    more(hidden as u64, 0, out)
}

/// Writes a finding.
fn one(finding: &Finding, screen: Screen, out: &mut impl Write) -> io::Result<()> {
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
        let model = Model {
            findings: vec![finding],
            ..Model::default()
        };
        advice(&model, screen, &mut text).unwrap();
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
