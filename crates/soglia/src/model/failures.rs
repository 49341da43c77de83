//! The rows of calls that failed.

use std::collections::HashMap;

use soglia_core::trace::{failure::Failure, names::Names};

use super::{
    answers::FailureRow,
    passed::{self, Passed},
    process::FIRST,
    room::Room,
    rows::TargetRow,
    targets::{callers, target_name},
};

/// Failed calls, by target in the order of `targets`, once for each reason. `about` has the number
/// of the row for each target that is not the first of its row, and the arguments of calls.
///
/// `aborted`: SIGABRT has ended the process, as the runtime does for an exception that nothing
/// handles. .NET 8 ends it before the call has failed, so the call is open still.
pub(super) fn rows(
    targets: &[TargetRow],
    names: &Names,
    about: (&HashMap<u32, u32>, &Passed),
    room: &mut Room,
    aborted: bool,
) -> Vec<FailureRow> {
    let calls = |row: &TargetRow, failure: &Failure| match failure.calls {
        0 if aborted => row.open,
        calls => calls,
    };
    let (first, passed) = about;
    let mut by_row: HashMap<u32, Vec<(u32, &Failure)>> = HashMap::new();
    for (number, failure) in (0..).zip(&names.failures) {
        let row = first.get(&failure.target).unwrap_or(&failure.target);
        by_row.entry(*row).or_default().push((number, failure));
    }
    let mut rows = Vec::new();
    let may_have = |row: &&TargetRow| row.failed > 0 || aborted && row.open > 0;
    for row in targets.iter().filter(may_have) {
        let failures = by_row.get(&row.number).map_or(&[][..], Vec::as_slice);
        let failures = failures
            .iter()
            .map(|(number, failure)| (*number, *failure, calls(row, failure)))
            .filter(|(.., calls)| *calls > 0);
        // Reasons that have a row, with its place in `rows`.
        let mut known: HashMap<(&str, &str), usize> = HashMap::new();
        let mut explained: u64 = 0;
        for (number, failure, calls) in failures {
            explained = explained.saturating_add(calls);
            let message = failure.message.as_deref().unwrap_or_default();
            if let Some(at) = known.get(&(&*failure.exception, message)) {
                let same: &mut FailureRow = &mut rows[*at];
                same.calls = same.calls.saturating_add(calls);
                continue;
            }
            let given = passed.failed(failure.target, number);
            let texts = passed::texts(given).chain([&*failure.exception, message]);
            if !room.takes(names.stack(failure.stack).into_iter().chain(texts)) {
                continue;
            }
            known.insert((&failure.exception, message), rows.len());
            rows.push(FailureRow {
                process: FIRST,
                target: target_name(names, row.number),
                exception: Some(failure.exception.clone()),
                reason: reason(&failure.exception),
                message: failure.message.clone(),
                first_caller: callers(names, failure.stack),
                calls,
                args: given.map(passed::rows),
                request: passed::request(given),
                ..FailureRow::default()
            });
        }
        let others = row.failed.saturating_sub(explained);
        let frames = row.first_caller.iter().map(String::as_str);
        if others > 0 && room.takes(frames) {
            rows.push(FailureRow {
                process: FIRST,
                target: row.name(),
                reason: "exception",
                first_caller: row.first_caller.clone(),
                calls: others,
                ..FailureRow::default()
            });
        }
    }
    rows
}

/// Why calls fail that end by this exception.
fn reason(exception: &str) -> &'static str {
    match exception {
        "System.DllNotFoundException" => "library-not-found",
        "System.EntryPointNotFoundException" => "entry-not-found",
        "System.BadImageFormatException" => "bad-image",
        _ => "exception",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(target: u32, exception: &str, calls: u64) -> Failure {
        Failure {
            target,
            exception: exception.into(),
            calls,
            ..Failure::default()
        }
    }

    fn row(number: u32, failed: u64) -> TargetRow {
        TargetRow {
            number,
            method: Some(format!("A.M{number}")),
            failed,
            ..TargetRow::default()
        }
    }

    #[test]
    fn there_is_a_row_for_each_target_and_reason() {
        let mut names = Names::default();
        names.failures = vec![
            failure(1, "System.DllNotFoundException", 3),
            failure(2, "System.EntryPointNotFoundException", 1),
            // Target 3 shares the row of target 1.
            failure(3, "System.DllNotFoundException", 2),
            failure(1, "A.Other", 0),
        ];
        let targets = [row(1, 7), row(2, 1), row(4, 0)];
        let rows = rows(
            &targets,
            &names,
            (&HashMap::from([(3, 1)]), &Passed::of(&names)),
            &mut Room::new(),
            false,
        );
        let found: Vec<_> = rows
            .iter()
            .map(|row| (row.reason, row.exception.as_deref(), row.calls))
            .collect();
        assert_eq!(
            found,
            [
                ("library-not-found", Some("System.DllNotFoundException"), 5),
                ("exception", None, 2),
                (
                    "entry-not-found",
                    Some("System.EntryPointNotFoundException"),
                    1
                ),
            ]
        );
    }

    #[test]
    fn a_call_that_the_end_of_the_process_has_left_open_failed_if_it_threw() {
        let mut names = Names::default();
        names.failures = vec![failure(1, "System.EntryPointNotFoundException", 0)];
        let open = TargetRow {
            open: 1,
            ..row(1, 0)
        };
        let found = |row: &TargetRow, aborted| {
            let rows = rows(
                std::slice::from_ref(row),
                &names,
                (&HashMap::new(), &Passed::of(&names)),
                &mut Room::new(),
                aborted,
            );
            rows.iter()
                .map(|row| (row.reason, row.calls))
                .collect::<Vec<_>>()
        };
        assert_eq!(found(&open, true), [("entry-not-found", 1)]);
        assert!(found(&open, false).is_empty() && found(&row(1, 0), true).is_empty());
    }
}
