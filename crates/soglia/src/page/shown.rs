//! Texts of a recording on a page.

use soglia_core::plain::plain;

/// A text that does nothing but be read, cut at a number of characters.
pub(super) fn shown(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => plain(text).to_string(),
        Some((end, _)) => format!("{}...", plain(&text[..end])),
    }
}
