//! A comparison as GitHub-flavoured Markdown, for pull requests.

use std::io::{self, Write};

use super::{
    noise::Certainty,
    outcome::{Diff, DiffTarget, Measure},
    table,
};
use crate::text::{count, plain};

/// Writes a comparison. Shows so many targets; 0 shows all that changed.
///
/// # Errors
/// If writing fails.
pub fn markdown(diff: &Diff, top: usize, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "### Native calls: {} compared with {}\n",
        code(&diff.b.file),
        code(&diff.a.file)
    )?;
    for failed in &diff.failed {
        writeln!(out, "- **FAIL** {}", code(failed))?;
    }
    if !diff.failed.is_empty() {
        writeln!(out)?;
    }
    writeln!(out, "| | A | B | change |\n| --- | ---: | ---: | ---: |")?;
    for row in table::totals(diff) {
        writeln!(
            out,
            "| {} | {} | {} | {} |",
            row.measure,
            table::value(row.is_time, Some(row.a)),
            table::value(row.is_time, Some(row.b)),
            table::percent(Some(row.a), Some(row.b), row.percent)
        )?;
    }
    let changed: Vec<&DiffTarget> = table::changed(diff).collect();
    let top = if top == 0 { changed.len() } else { top };
    if !changed.is_empty() {
        writeln!(
            out,
            "\n| what | target | calls | mean | p99 | total |\n| --- | --- | ---: | ---: | ---: | ---: |"
        )?;
    }
    for target in changed.iter().take(top) {
        write!(
            out,
            "| {} | {} |",
            table::verdicts(target),
            code(&target.target)
        )?;
        for measure in [Measure::Calls, Measure::Mean, Measure::P99, Measure::Total] {
            write!(out, " {} |", cell(target, measure))?;
        }
        writeln!(out)?;
    }
    let more = changed.len().saturating_sub(top);
    if more > 0 {
        writeln!(out, "\n{} more targets changed.", count(more as u64))?;
    }
    if let Some(rest) = table::unchanged(diff) {
        writeln!(out, "\n{rest}.")?;
    }
    for remark in &diff.remarks {
        writeln!(out, "\n> {}", code(remark))?;
    }
    Ok(())
}

/// Both numbers and the change, which is bold if it is more than noise.
fn cell(target: &DiffTarget, measure: Measure) -> String {
    let Some(change) = target.change(measure) else {
        return String::new();
    };
    let (a, b) = (
        table::value(measure.is_time(), change.a),
        table::value(measure.is_time(), change.b),
    );
    let percent = table::percent(change.a, change.b, change.percent);
    match change.certainty {
        Certainty::Equal => b,
        Certainty::Changed if percent.is_empty() => format!("{a} → {b}"),
        Certainty::Changed => format!("{a} → {b} **{percent}**"),
        Certainty::Noise | Certainty::TooFew => {
            format!("{a} → {b} {percent} ({})", table::certainty(change))
        }
    }
}

/// A text that Markdown leaves as it is, also in a cell of a table.
fn code(text: &str) -> String {
    let text = plain(text).to_string().replace('|', "\\|");
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn names_do_not_break_out() {
        assert_eq!(code("libz!inflate"), "`libz!inflate`");
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(code("a``b"), "``` a``b ```");
        assert_eq!(code("a\nb"), "`a\\nb`");
        assert_eq!(code("<script> @team #1"), "`<script> @team #1`");
    }
}
