//! How a report looks.

use anstyle::{AnsiColor, Style};

pub(crate) const HEAD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();

/// The arrow before a target: `->` for a call to native code, `<-` for a callback.
pub(crate) fn arrow(direction: &str) -> &'static str {
    match direction {
        "reverse" => "<-",
        _ => "->",
    }
}
