//! `swallowed-failure`: calls that failed.

use super::{
    context::Context,
    draft::{Draft, Severity, by, several},
    thresholds::FAILED_CALLS,
};
use crate::model::FailureRow;

pub(super) fn find(context: &Context) -> Vec<Draft> {
    let failed = context.model.failures.iter();
    let failed = failed.filter(|row| row.calls >= FAILED_CALLS);
    failed.map(|row| draft(context, row)).collect()
}

fn draft(context: &Context, row: &FailureRow) -> Draft {
    let why = match &row.exception {
        Some(exception) => format!("threw {exception}"),
        None => "ended by an exception".into(),
    };
    let survived = match context.model.ended {
        "exit" if context.model.exit_code == Some(0) => {
            " The program went on and exited with code 0."
        }
        _ => "",
    };
    let message = match &row.message {
        Some(message) => format!(" It says: {}", first_sentence(message)),
        None => String::new(),
    };
    let missing = match (&row.explanation, &row.missing) {
        (Some(explanation), _) => format!(" {explanation}."),
        (None, Some(missing)) => format!(" {missing} is missing."),
        (None, None) => String::new(),
    };
    let probed = match &row.probed[..] {
        [] => String::new(),
        files => format!(
            " The loader looked for {}.",
            several(files.len() as u64, "file", "files")
        ),
    };
    Draft {
        id: "swallowed-failure",
        severity: Severity::Problem,
        at_stake: row.calls,
        sentence: format!("{} of {} {why}{}.", several(row.calls, "call", "calls"), row.target, by(&row.first_caller)),
        evidence: format!("{} failed.{survived}{missing}{probed}{message}", several(row.calls, "call", "calls")),
        advice: match row.reason {
            "library-not-found" => "Put the library beside the program, or into a folder that the loader searches; or let the exception through, so that the program says what it lacks.".into(),
            "dependency-missing" => "Install the library that is missing: the one that the program names is there.".into(),
            "entry-not-found" => "Correct EntryPoint, or use the version of the library that has the function.".into(),
            "bad-image" => "Use a build of the library for this machine's processor.".into(),
            _ => "Look at what the program does with the exception, and why the call throws.".into(),
        },
        targets: vec![row.target.clone()],
    }
}

/// The first sentence of a message. What the runtime adds to it is general advice.
fn first_sentence(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default().trim();
    let end = line.find(". ").map_or(line.len(), |at| at + 1);
    &line[..end]
}
