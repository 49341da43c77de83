//! All that the page shows.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::Serialize;
use serde_json::Value;
use soglia_core::trace::reader::Reader;

use super::{
    callers::{self, CallNode},
    shown::shown,
    timeline::Timeline,
};
use crate::{
    model::Model,
    text::{frames, gaps, method},
};

/// The most characters of a text. A hostile recording may have long ones, in many places.
const MOST_TEXT: usize = 4 << 10;

/// The most frames of a stack.
const MOST_FRAMES: usize = 100;

/// The most rows of the lists that a page has.
const MOST_ROWS: usize = 2_048;
const MOST_TARGETS: usize = 5_000;

/// The data of a page, which it reads as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Data {
    /// The version of the tool.
    version: &'static str,
    /// When the recording was made, in nanoseconds since 1970.
    wall_ns: u64,
    /// The JSON of the report, with texts that are safe to show.
    report: Value,
    /// Rows of the report's lists that the page does not have.
    cut: Vec<(&'static str, u64)>,
    /// The names of targets that people write in another way.
    written: BTreeMap<String, String>,
    timeline: Timeline,
    callers: Vec<CallNode>,
    /// What an attached engine has not seen.
    gaps: Vec<String>,
}

impl Data {
    pub(super) fn of(reader: Option<&Reader>, mut model: Model) -> Self {
        // The page has the longest of them.
        model.slow.sort_by_key(|call| Reverse(call.duration_ns));
        // Several processes have no common timeline.
        let timeline = reader.map(|reader| Timeline::of(reader, &model));
        let timeline = timeline.unwrap_or_default();
        let callers = callers::rows(&model);
        let cut = cut(&mut model);
        let gaps = gaps(&model)
            .iter()
            .map(|gap| shown(gap, MOST_TEXT))
            .collect();
        make_readable(&mut model);
        let written = model.targets.iter().map(|row| row.name());
        let written = written
            .map(|name| (shown(&name, MOST_TEXT), shown(&method(&name), MOST_TEXT)))
            .filter(|(name, written)| name != written)
            .collect();
        // A report is made of texts and numbers, so it has a JSON form.
        let mut report = serde_json::to_value(&model).unwrap_or_default();
        drop(model);
        make_plain(&mut report);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            wall_ns: reader.map_or(0, Reader::wall_ns),
            report,
            cut,
            written,
            timeline,
            callers,
            gaps,
        }
    }
}

/// Shortens the lists of a report. Returns how many rows each of them loses.
fn cut(model: &mut Model) -> Vec<(&'static str, u64)> {
    fn cut<T>(list: &mut Vec<T>, most: usize) -> u64 {
        let lost = list.len().saturating_sub(most);
        list.truncate(most);
        lost as u64
    }
    let lost = [
        ("targets", cut(&mut model.targets, MOST_TARGETS)),
        ("processes", cut(&mut model.processes, MOST_ROWS)),
        ("threads", cut(&mut model.tasks, MOST_ROWS)),
        ("slow calls", cut(&mut model.slow, MOST_ROWS)),
        ("overdue calls", cut(&mut model.overdue, MOST_ROWS)),
        ("open calls", cut(&mut model.open, MOST_ROWS)),
        ("failures", cut(&mut model.failures, MOST_ROWS)),
        ("calls not watched", cut(&mut model.not_watched, MOST_ROWS)),
        ("threads at the attach", cut(&mut model.before, MOST_ROWS)),
    ];
    for stack in stacks(model) {
        stack.truncate(MOST_FRAMES);
    }
    lost.into_iter().filter(|(_, rows)| *rows > 0).collect()
}

/// The managed stacks of a report.
fn stacks(model: &mut Model) -> impl Iterator<Item = &mut Vec<String>> {
    let slow = model.slow.iter_mut().map(|row| &mut row.stack);
    let open = model.open.iter_mut().map(|row| &mut row.stack);
    let overdue = model.overdue.iter_mut().flat_map(|row| &mut row.reports);
    let overdue = overdue.map(|report| &mut report.stack);
    let called = model.targets.iter_mut().flat_map(|row| {
        let callers = row.callers.iter_mut().map(|caller| &mut caller.stack);
        callers.chain([&mut row.first_caller])
    });
    let failed = model.failures.iter_mut();
    let failed = failed.map(|row| &mut row.first_caller);
    let before = model.before.iter_mut();
    let before = before.flat_map(|row| [&mut row.stack, &mut row.native_stack]);
    slow.chain(before)
        .chain(open)
        .chain(overdue)
        .chain(called)
        .chain(failed)
}

/// Writes stacks as people read them.
fn make_readable(model: &mut Model) {
    for stack in stacks(model) {
        *stack = frames(stack);
    }
}

/// Makes all texts in a value safe to show.
fn make_plain(value: &mut Value) {
    match value {
        Value::String(text) => *text = shown(text, MOST_TEXT),
        Value::Array(values) => values.iter_mut().for_each(make_plain),
        Value::Object(fields) => fields.values_mut().for_each(make_plain),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_plain_and_short() {
        let mut value = json!({"a": ["x\u{202e}y", 1, {"b": "z".repeat(MOST_TEXT + 1)}]});
        make_plain(&mut value);
        assert_eq!(value["a"][0], "x\\u{202e}y");
        assert_eq!(value["a"][1], 1);
        let long = value["a"][2]["b"].as_str().unwrap();
        assert_eq!(long, "z".repeat(MOST_TEXT) + "...");
    }

    #[test]
    fn lists_and_stacks_are_cut() {
        let mut model = Model::default();
        model
            .targets
            .resize_with(MOST_TARGETS + 7, Default::default);
        model.targets[0].first_caller = vec![String::new(); MOST_FRAMES + 1];
        assert_eq!(cut(&mut model), [("targets", 7)]);
        assert_eq!(model.targets.len(), MOST_TARGETS);
        assert_eq!(model.targets[0].first_caller.len(), MOST_FRAMES);
    }
}
