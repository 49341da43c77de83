//! Open calls, as findings look at them.

use crate::model::OpenRow;

/// For each thread, its innermost call, if that is a native one.
pub(super) fn innermost(open: &[OpenRow]) -> Vec<&OpenRow> {
    let mut found: Vec<&OpenRow> = Vec::new();
    for row in open {
        match found.last_mut() {
            Some(last) if last.task == row.task => *last = row,
            _ => found.push(row),
        }
    }
    found.retain(|row| row.direction == "forward" && !row.runtime_internal);
    found
}

/// For each thread, its innermost native call, whether or not it has called back since.
pub(super) fn native(open: &[OpenRow]) -> Vec<&OpenRow> {
    let mut found: Vec<&OpenRow> = Vec::new();
    let natives = open
        .iter()
        .filter(|row| row.direction == "forward" && !row.runtime_internal);
    for row in natives {
        match found.last_mut() {
            Some(last) if last.task == row.task => *last = row,
            _ => found.push(row),
        }
    }
    found
}
