//! Lists of names.

/// Names that are listed in one line.
const MOST_NAMES: usize = 5;

/// Some names, and how many more there are.
pub(super) fn listed(names: &[String]) -> String {
    let shown = names.len().min(MOST_NAMES);
    let mut text = names[..shown].join(", ");
    if shown < names.len() {
        text += &format!(" and {} more", names.len() - shown);
    }
    text
}
