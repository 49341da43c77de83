//! `library-search`: a first call that takes long, because a library is searched for and loaded.

use super::{
    context::Context,
    draft::{Draft, Severity, by},
    thresholds::{FIRST_CALL, FIRST_TIMES},
};
use crate::text::time;

pub(super) fn find(context: &Context) -> Vec<Draft> {
    let mut found = Vec::new();
    // The first call that an attached engine sees is not the first one.
    if context.model.attach.is_some() {
        return found;
    }
    for row in context.forward() {
        let (Some(first), Some(median)) = (row.first_call_ns, row.p50_ns) else {
            continue;
        };
        // A function that was called once may be as slow at each call.
        if first < FIRST_CALL || row.returned < 3 || first / median.max(1) < FIRST_TIMES {
            continue;
        }
        let name = row.name();
        let file = row
            .file
            .as_ref()
            .map_or_else(String::new, |file| format!(" The library is {file}."));
        found.push(Draft {
            id: "library-search",
            severity: Severity::Warning,
            at_stake: first,
            sentence: format!("The first call of {name} took {}{}.", time(first), by(&row.first_caller)),
            evidence: format!(
                "Half of all calls take {} or less. The first one includes the search for the library, its loading and its own start.{file}",
                time(median)
            ),
            advice: "Load the library ahead of the first request (NativeLibrary.Load), and look at what it does when it is loaded.".into(),
            targets: vec![name],
        });
    }
    found
}
