//! Findings as text.

use std::io::{self, Write};

use super::finding::{Finding, Level};
use crate::dotnet::Lookup;
use crate::text::plain;

/// The exit code of `doctor`: 0 if soglia works here, 2 if not.
pub fn exit_code(findings: &[Finding]) -> i32 {
    if findings.iter().any(|finding| finding.level == Level::Fail) {
        2
    } else {
        0
    }
}

/// Writes one line for each finding, then one for each of its notes and one for its advice.
///
/// # Errors
/// If writing fails.
pub fn print(findings: &[Finding], out: &mut impl Write, color: bool) -> io::Result<()> {
    let width = findings
        .iter()
        .map(|finding| finding.title.len())
        .max()
        .unwrap_or(0);
    for finding in findings {
        let (word, paint) = match finding.level {
            Level::Ok => ("ok", "\x1b[32m"),
            Level::Warn => ("warn", "\x1b[33m"),
            Level::Fail => ("FAIL", "\x1b[1;31m"),
        };
        let (paint, reset) = if color { (paint, "\x1b[0m") } else { ("", "") };
        writeln!(
            out,
            "{paint}{word:<4}{reset}  {:<width$}  {}",
            finding.title,
            plain(&finding.detail)
        )?;
        for note in &finding.notes {
            writeln!(out, "{:<6}{:<width$}  {}", "", "", plain(note))?;
        }
        if !finding.advice.is_empty() {
            writeln!(
                out,
                "{:<6}{:<width$}  -> {}",
                "",
                "",
                plain(&finding.advice)
            )?;
        }
    }
    Ok(())
}

/// Writes one object with all findings.
///
/// # Errors
/// If writing fails.
pub fn print_json(findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    let all = serde_json::json!({
        "works": exit_code(findings) == 0,
        "findings": findings,
    });
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

/// Whether to colour the words `ok`, `warn` and `FAIL`.
pub(super) fn wants_color(terminal: bool, env: Lookup<'_>) -> bool {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_has_its_word_and_advice_its_own_line() {
        let findings = [
            Finding::ok("system", "fine"),
            Finding::warn("clock", "odd", "look"),
            Finding::fail("engine", "gone", "install").noting(["here", "there"]),
        ];
        let mut out = Vec::new();
        print(&findings, &mut out, false).unwrap();
        let expected = "ok    system  fine\n\
                        warn  clock   odd\n              -> look\n\
                        FAIL  engine  gone\n              here\n              there\n              -> install\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!((exit_code(&findings), exit_code(&findings[..2])), (2, 0));
    }

    #[test]
    fn color_only_on_a_terminal_that_wants_it() {
        let none = |_: &str| None;
        let no_color = |name: &str| (name == "NO_COLOR").then(|| "1".into());
        let dumb = |name: &str| (name == "TERM").then(|| "dumb".into());
        assert!(wants_color(true, &none));
        assert!(
            !wants_color(false, &none)
                && !wants_color(true, &no_color)
                && !wants_color(true, &dumb)
        );
        let mut out = Vec::new();
        print(&[Finding::ok("a", "b")], &mut out, true).unwrap();
        assert!(out.starts_with(b"\x1b[32mok"));
    }
}
