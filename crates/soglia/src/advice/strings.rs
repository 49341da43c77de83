//! `string-marshalling` and `needless-last-error`: what the runtime does beside the call, on a
//! function that is called very often.

use super::{
    context::Context,
    draft::{Draft, Severity, by, several},
    shape::{Shape, shape},
    thresholds::{
        LAST_ERROR_CALLS, LAST_ERROR_COST, LAST_ERROR_SELF, STRINGS_CALLS, STRINGS_COST,
        STRINGS_MANY, STRINGS_RUN, STRINGS_SELF,
    },
};
use crate::text::time;

/// Functions with string parameters or results.
pub(super) fn marshalling(context: &Context) -> Vec<Draft> {
    let mut found = Vec::new();
    for row in context.forward() {
        let signature = context.signature(row);
        let Some(signature) = signature.filter(|s| s.strings_in || s.strings_out) else {
            continue;
        };
        let mean = row.self_ns / row.returned.max(1);
        if row.calls < STRINGS_CALLS || mean > STRINGS_SELF {
            continue;
        }
        // Where a source generator fills the method in, it converts outside of the native call.
        let all = match signature.is_generated {
            true => row.calls.saturating_mul(STRINGS_COST),
            false => row.self_ns,
        };
        if !context.matters((all, STRINGS_RUN), (row.calls, STRINGS_MANY)) {
            continue;
        }
        let (name, mark) = (row.name(), row.mark());
        let what = match (signature.strings_in, signature.strings_out) {
            (true, true) => "strings in both directions",
            (false, true) => "a string that it returns",
            _ => "a string",
        };
        found.push(Draft {
            id: "string-marshalling",
            severity: Severity::Warning,
            at_stake: all,
            sentence: format!(
                "{name} converts {what} at each of {}{}.",
                several(row.calls, "call", "calls"),
                by(&row.first_caller)
            ),
            evidence: match signature.is_generated {
                true => format!(
                    "Its signature is {}. At {STRINGS_COST} ns for each, the conversions take about {}, {} % of the run.",
                    signature.text,
                    time(all),
                    context.percent_of_run(all),
                ),
                false => format!(
                    "Its signature is {}. Its calls take {mark}{} each with the conversion, {mark}{} in all, {} % of the run.",
                    signature.text,
                    time(mean),
                    time(all),
                    context.percent_of_run(all),
                ),
            },
            advice: "Convert the string once and pass the bytes (u8 literals, ReadOnlySpan<byte>), or pass a number that stands for it.".into(),
            targets: vec![name],
        });
    }
    found
}

/// `SetLastError` on functions that are called very often.
pub(super) fn last_error(context: &Context) -> Vec<Draft> {
    let mut found = Vec::new();
    for row in context.forward() {
        let signature = context.signature(row);
        let mean = row.self_ns / row.returned.max(1);
        let keeps = signature.is_some_and(|signature| signature.sets_last_error);
        if !keeps || row.calls < LAST_ERROR_CALLS || mean > LAST_ERROR_SELF {
            continue;
        }
        let name = row.name();
        let cost = row.calls.saturating_mul(LAST_ERROR_COST);
        found.push(Draft {
            id: "needless-last-error",
            severity: match shape(context, row) {
                Shape::Computes => Severity::Warning,
                Shape::LooksUp => Severity::Hint,
            },
            at_stake: cost,
            sentence: format!(
                "{name} keeps the last error (SetLastError) at each of {}{}.",
                several(row.calls, "call", "calls"),
                by(&row.first_caller)
            ),
            evidence: format!(
                "At {LAST_ERROR_COST} ns for each, that takes about {} of this run; the calls themselves take {}{} each.",
                time(cost),
                row.mark(),
                time(mean)
            ),
            advice: "Leave SetLastError out if the program does not look at Marshal.GetLastPInvokeError after this call.".into(),
            targets: vec![name],
        });
    }
    found
}
