//! What the recording shows, in sentences.

use ratatui::text::Line;
use soglia_core::plain::plain;

use super::{
    super::{screen::Screen, style::Look},
    words::wrapped,
};

/// How many findings there are.
pub(super) fn count(screen: &Screen) -> usize {
    screen.look.whole.findings.len()
}

pub(super) fn list(screen: &Screen, look: Look, columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for finding in &screen.look.whole.findings {
        let style = match finding.severity {
            "hint" => look.head(),
            _ => look.warn(),
        };
        let sentence = format!("{}: {}", finding.severity, plain(&finding.sentence));
        lines.extend(wrapped(&sentence, 0, columns).map(|line| line.style(style)));
        for text in [&finding.evidence, &finding.advice, &finding.link] {
            lines.extend(wrapped(&plain(text).to_string(), 2, columns));
        }
        lines.push(Line::default());
    }
    if lines.is_empty() {
        lines.push(Line::styled(
            "  nothing that is worth a sentence",
            look.dim(),
        ));
    }
    lines
}
