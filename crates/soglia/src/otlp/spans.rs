//! Slow, failed and denied calls as spans.

use std::{
    hash::{BuildHasher, RandomState},
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::KeyValue,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Event, SpanKind},
        status::StatusCode,
    },
};

use super::{
    resource::{SCHEMA, number, resource, scope, text, truth},
    settings::Settings,
};
use crate::model::{Figures, How, SingleCall, WallClock};

/// Frames of a stack that are sent.
const MOST_FRAMES: usize = 64;
/// The trace is one that others take part in, and the parent is in the same process.
const FLAGS: u32 = 0x101;

/// Nanoseconds since 1970.
pub fn unix_ns(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().try_into().unwrap_or(u64::MAX)
}

/// These calls as a message.
pub fn request(
    settings: &Settings,
    process: &Figures,
    (ids, wall): (&Ids, WallClock),
    calls: &[SingleCall],
) -> ExportTraceServiceRequest {
    let start = wall.start_ns().unwrap_or(0);
    let scope_spans = ScopeSpans {
        scope: Some(scope(process)),
        spans: calls.iter().map(|call| span(call, ids, start)).collect(),
        schema_url: SCHEMA.to_owned(),
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource(settings, process)),
            scope_spans: vec![scope_spans],
            schema_url: SCHEMA.to_owned(),
        }],
    }
}

/// The bytes of a number that others write in hexadecimal digits. `None` if it is not such a number
/// of `N` bytes, or 0, which stands for none.
fn bytes<const N: usize>(digits: Option<&str>) -> Option<Vec<u8>> {
    let digits = digits?;
    let is_hex = digits.len() == 2 * N && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let two = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    let bytes: Option<Vec<u8>> = is_hex.then(|| (0..N).map(|n| two(2 * n)).collect())?;
    bytes.filter(|bytes| bytes.iter().any(|byte| *byte != 0))
}

/// The numbers of spans. Those of one call are always the same, so that a receiver can tell what it
/// gets twice. Its keys come from the system's random numbers.
#[derive(Default)]
pub struct Ids(RandomState);

impl Ids {
    fn of(&self, call: &SingleCall, which: u8) -> [u8; 8] {
        let is = (call.row.task, call.recorded, call.how == How::Slow, which);
        // 0 stands for none.
        self.0.hash_one(is).max(1).to_be_bytes()
    }

    /// The trace and the span that a call belongs to: those of its request, or a trace of its own.
    fn belongs_to(&self, call: &SingleCall) -> (Vec<u8>, Vec<u8>) {
        let request = &call.row.request;
        let trace = bytes::<16>(request.trace_id.as_deref());
        let parent = bytes::<8>(request.span_id.as_deref());
        match (trace, parent) {
            (Some(trace), Some(parent)) => (trace, parent),
            _ => ([self.of(call, 1), self.of(call, 2)].concat(), Vec::new()),
        }
    }
}

fn span(call: &SingleCall, ids: &Ids, start: u64) -> Span {
    let row = &call.row;
    let (trace_id, parent_span_id) = ids.belongs_to(call);
    let end = start.saturating_add(row.returned);
    let stack = stack(call);
    let (status, events) = outcome(call, end, &stack);
    Span {
        trace_id,
        span_id: ids.of(call, 0).into(),
        flags: FLAGS,
        parent_span_id,
        name: row.target.clone(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: start.saturating_add(row.began),
        end_time_unix_nano: end,
        attributes: attributes(call, stack),
        events,
        status,
        ..Span::default()
    }
}

fn stack(call: &SingleCall) -> String {
    let frames = call.row.stack.iter().take(MOST_FRAMES);
    let lines = frames.map(|frame| format!("   at {frame}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// How a call ended that did not return.
fn outcome(call: &SingleCall, at: u64, stack: &str) -> (Option<Status>, Vec<Event>) {
    let failed = |message: String| {
        Some(Status {
            message,
            code: StatusCode::Error.into(),
        })
    };
    match &call.how {
        How::Slow => (None, Vec::new()),
        How::Denied => (failed("a policy denied the call".to_owned()), Vec::new()),
        How::Failed { exception, message } => {
            let mut attributes = Vec::new();
            attributes.extend(exception.as_deref().map(|is| text("exception.type", is)));
            attributes.extend(message.as_deref().map(|is| text("exception.message", is)));
            if !stack.is_empty() {
                attributes.push(text("exception.stacktrace", stack));
            }
            let event = Event {
                time_unix_nano: at,
                name: "exception".to_owned(),
                attributes,
                dropped_attributes_count: 0,
            };
            let what = message.as_ref().or(exception.as_ref());
            (failed(what.cloned().unwrap_or_default()), vec![event])
        }
    }
}

fn attributes(call: &SingleCall, stack: String) -> Vec<KeyValue> {
    let row = &call.row;
    let (how, error) = match &call.how {
        How::Slow => ("slow", None),
        How::Failed { exception, .. } => ("failed", exception.as_deref().or(Some("_OTHER"))),
        How::Denied => ("refused", Some("refused")),
    };
    let mut all = vec![
        text("soglia.outcome", how),
        text("soglia.direction", row.direction),
        number("soglia.task", row.task.into()),
        number("thread.id", call.os_thread.into()),
    ];
    let request = &row.request;
    let texts = [
        ("error.type", error),
        ("code.function.name", row.stack.first().map(String::as_str)),
        ("code.stacktrace", Some(&*stack).filter(|is| !is.is_empty())),
        ("thread.name", request.thread_name.as_deref()),
        ("http.route", request.route.as_deref()),
        ("soglia.activity", request.activity.as_deref()),
        ("soglia.result", row.result.as_deref()),
        ("soglia.error", row.error.as_deref()),
    ];
    all.extend(
        texts
            .into_iter()
            .filter_map(|(key, is)| Some(text(key, is?))),
    );
    // Numbers of the older kind name no trace that others know. They are kept as texts.
    if bytes::<16>(request.trace_id.as_deref()).is_none() {
        let ids = [
            ("soglia.activity.root_id", &request.trace_id),
            ("soglia.activity.id", &request.span_id),
        ];
        let ids = ids.into_iter();
        all.extend(ids.filter_map(|(key, id)| Some(text(key, id.as_deref()?))));
    }
    if call.how != How::Slow {
        all.push(truth("soglia.duration.unknown"));
    }
    if row.runtime_internal {
        all.push(truth("soglia.runtime_internal"));
    }
    let args = row.args.iter().flatten();
    all.extend(args.map(|arg| text(format!("soglia.argument.{}", arg.name), &*arg.value)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RequestRow, SlowRow};

    #[test]
    fn only_numbers_of_traces_are_taken() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let found = bytes::<16>(Some(trace)).unwrap();
        assert_eq!((found[0], found[15], found.len()), (0x4b, 0x36, 16));
        let zeros = "0".repeat(32);
        for other in [
            "",
            "4bf9",
            "|root.1.",
            &trace[..31],
            &zeros,
            "é".repeat(16).as_str(),
        ] {
            assert_eq!(bytes::<16>(Some(other)), None, "{other}");
        }
        assert_eq!(bytes::<16>(None), None);
    }

    #[test]
    fn a_call_without_a_trace_has_one_of_its_own() {
        let ids = Ids::default();
        let of = |trace: Option<&str>, parent: Option<&str>, returned| {
            let request = RequestRow {
                trace_id: trace.map(str::to_owned),
                span_id: parent.map(str::to_owned),
                ..RequestRow::default()
            };
            let row = SlowRow {
                request,
                returned,
                ..SlowRow::default()
            };
            let call = SingleCall {
                how: How::Slow,
                row,
                os_thread: 0,
                recorded: (1, returned, 0),
            };
            span(&call, &ids, 0)
        };
        let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let request = of(Some(trace), Some(parent), 1);
        assert_eq!(
            (request.trace_id[0], request.parent_span_id[7]),
            (0x4b, 0xb7)
        );
        let (one, other) = (of(None, None, 1), of(Some("|root."), Some("|root.1.2."), 2));
        assert_eq!((one.trace_id.len(), one.span_id.len()), (16, 8));
        assert_eq!((one.parent_span_id.len(), other.trace_id.len()), (0, 16));
        assert_ne!(one.trace_id, other.trace_id);
        assert_ne!(one.span_id, other.span_id);
        // It may be sent twice.
        assert_eq!(of(None, None, 1), one);
    }
}
