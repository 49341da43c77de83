//! How a report looks.

use anstyle::{AnsiColor, Style};

pub(super) const HEAD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const WARN: Style = AnsiColor::Yellow.on_default();

/// The arrow before a target: `->` for a call to native code, `<-` for a callback.
pub(super) fn arrow(direction: &str) -> &'static str {
    match direction {
        "reverse" => "<-",
        _ => "->",
    }
}
