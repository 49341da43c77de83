//! Slow, failed and denied calls as spans of OpenTelemetry.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use serde_json::Value;

use crate::otlp::{assert_headers, assert_named, microseconds, run, run_requests, said, texts};
use crate::support::receiver::{Receiver, spans};
use crate::support::{Live, Space};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn slow_calls_are_spans_under_those_of_their_requests() {
    let (space, receiver) = (Space::new(), Receiver::new());
    let output = run_requests(&space, &receiver);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said(&output), "");
    assert_headers(&receiver.got());
    let report = space.recording("a.soglia").json("");
    for request in receiver.traces() {
        let [of] = &request.resource_spans[..] else {
            panic!()
        };
        let [spans] = &of.scope_spans[..] else {
            panic!()
        };
        let scope = spans.scope.as_ref().unwrap();
        assert_eq!(
            (&*scope.name, &*scope.version),
            ("soglia", env!("CARGO_PKG_VERSION"))
        );
        let resource = &of.resource.as_ref().unwrap().attributes;
        assert_named(resource, &scope.attributes, &report, "passed");
        assert_eq!(of.schema_url, spans.schema_url);
        assert!(
            of.schema_url
                .starts_with("https://opentelemetry.io/schemas/1.")
        );
    }
    let (spans, slow) = (receiver.spans(), report["slow"].as_array().unwrap());
    assert_eq!((spans.len(), slow.len()), (4, 4));
    let ids: BTreeSet<String> = spans.iter().map(|span| hex(&span.span_id)).collect();
    assert_eq!(ids.len(), 4);
    for (span, row) in spans.iter().zip(slow) {
        assert_span(span, row);
        assert_eq!((span.status.as_ref(), span.events.len()), (None, 0));
    }
    // The first and the last are in no activity: each has a trace of its own.
    let own: BTreeSet<String> = [0, 3].map(|n| hex(&spans[n].trace_id)).into();
    assert_eq!(own.len(), 2);
    for n in [0, 3] {
        assert_eq!(spans[n].trace_id.len(), 16);
        assert!(spans[n].parent_span_id.is_empty());
        assert!(!own.contains(&hex(&spans[1].trace_id)));
    }
    let requests = slow.iter().filter(|row| !row["trace_id"].is_null());
    assert_eq!(requests.count(), 2);
}

/// Compares a span with the row of the report.
fn assert_span(span: &Span, row: &Value) {
    assert_eq!(span.name, row["target"]);
    assert_eq!(span.kind, SpanKind::Internal as i32);
    assert_eq!(span.span_id.len(), 8);
    if let Some(trace) = row["trace_id"].as_str() {
        assert_eq!(hex(&span.trace_id), trace);
        assert_eq!(hex(&span.parent_span_id), row["span_id"].as_str().unwrap());
    }
    let end = i64::try_from(span.end_time_unix_nano / 1000).unwrap();
    // The rate of the clock is known better at the end.
    assert!(
        (end - microseconds(&row["time"])).abs() < 1000,
        "{end} and {}",
        row["time"]
    );
    let took = span.end_time_unix_nano - span.start_time_unix_nano;
    let exact = row["duration_ns"].as_u64().unwrap();
    assert!(
        took.abs_diff(exact) <= exact / 10_000 + 1,
        "{took} and {exact}"
    );
    let attributes = texts(&span.attributes);
    let stack: Vec<&str> = row["stack"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f.as_str().unwrap())
        .collect();
    let lines: Vec<String> = stack.iter().map(|frame| format!("   at {frame}")).collect();
    assert_eq!(attributes["code.stacktrace"], lines.join("\n"));
    assert_eq!(attributes["code.function.name"], stack[0]);
    assert_eq!(attributes["soglia.outcome"], "slow");
    assert_eq!(
        attributes["soglia.direction"],
        row["direction"].as_str().unwrap()
    );
    assert_eq!(attributes["soglia.task"], row["task"].to_string());
    assert!(attributes["thread.id"].parse::<u32>().unwrap() > 0);
    for (key, field) in [
        ("http.route", "route"),
        ("soglia.activity", "activity"),
        ("thread.name", "thread_name"),
        ("soglia.result", "result"),
        ("soglia.error", "error"),
    ] {
        assert_eq!(
            attributes.get(key).map(String::as_str),
            row[field].as_str(),
            "{key}"
        );
    }
    for arg in row["args"].as_array().unwrap() {
        let key = format!("soglia.argument.{}", arg["name"].as_str().unwrap());
        assert_eq!(attributes[&key], arg["value"].as_str().unwrap());
    }
}

#[test]
fn secrets_are_not_sent() {
    let (space, receiver) = (Space::new(), Receiver::new());
    run(
        &space,
        &receiver.url(),
        "--slow 20ms",
        "passed.dll",
        "secrets",
    );
    assert_eq!(receiver.spans().len(), 3);
    for got in receiver.got() {
        let bytes = String::from_utf8_lossy(&got.body);
        assert!(
            !bytes.contains("hunter2") && !bytes.contains("tok-en"),
            "{bytes}"
        );
    }
    let attributes = texts(&receiver.spans()[0].attributes);
    assert_eq!(attributes["soglia.argument.password"], "[redacted]");
}

#[test]
fn failed_and_denied_calls_are_spans_with_errors() {
    let (space, receiver) = (Space::new(), Receiver::new());
    run(&space, &receiver.url(), "", "passed.dll", "nowhere");
    let spans = receiver.spans();
    let [span] = &spans[..] else {
        panic!("{spans:?}")
    };
    let report = space.recording("a.soglia").json("");
    let failure = &report["failures"][0];
    assert_eq!(span.name, failure["target"]);
    assert_eq!(span.start_time_unix_nano, span.end_time_unix_nano);
    let status = span.status.as_ref().unwrap();
    assert_eq!(status.code, StatusCode::Error as i32);
    assert_eq!(status.message, failure["message"]);
    let attributes = texts(&span.attributes);
    let exception = failure["exception"].as_str().unwrap();
    assert_eq!(attributes["error.type"], exception);
    assert_eq!(attributes["soglia.outcome"], "failed");
    assert_eq!(attributes["soglia.duration.unknown"], "true");
    assert_eq!(attributes["soglia.argument.note"], "\"lost\"");
    let [event] = &span.events[..] else {
        panic!("{span:?}")
    };
    assert_eq!(
        (&*event.name, event.time_unix_nano),
        ("exception", span.end_time_unix_nano)
    );
    let of_event = texts(&event.attributes);
    assert_eq!(of_event["exception.type"], exception);
    assert_eq!(
        of_event["exception.message"],
        failure["message"].as_str().unwrap()
    );

    let (space, receiver) = (Space::new(), Receiver::new());
    run(
        &space,
        &receiver.url(),
        "--deny passed!passed_plain",
        "passed.dll",
        "denied",
    );
    let spans = receiver.spans();
    assert_eq!(spans.len(), 3);
    for (n, span) in spans.iter().enumerate() {
        assert_eq!(
            span.status.as_ref().unwrap().message,
            "a policy denied the call"
        );
        let attributes = texts(&span.attributes);
        assert_eq!(attributes["soglia.outcome"], "refused");
        assert_eq!(attributes["soglia.argument.ms"], n.to_string());
    }
}

#[test]
fn spans_come_while_the_program_runs() {
    let (space, receiver) = (Space::new(), Receiver::new());
    let options = format!("-q -o a.soglia --slow 20ms --otlp {}", receiver.url());
    let mut command = space.run(&options, "passed.dll", "asked");
    command.env("OTEL_BSP_SCHEDULE_DELAY", "20");
    command.env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1");
    let mut program = Live::start(command.stdin(std::process::Stdio::piped()));
    let mut input = program.input().unwrap();
    std::io::Write::write_all(&mut input, b"one\n").unwrap();
    let line = program.line();
    receiver.wait_for("/v1/traces", 2);
    let found = receiver.spans();
    let (trace, span) = line.split_once(' ').unwrap();
    for found in &found {
        assert_eq!(hex(&found.trace_id), trace);
        assert_eq!(hex(&found.parent_span_id), span);
        assert_eq!(texts(&found.attributes)["http.route"], "/one");
    }
    assert_eq!(found.len(), 2);
    assert!(
        receiver
            .traces()
            .iter()
            .all(|request| spans(vec![request.clone()]).len() == 1)
    );
    drop(input);
    program.wait_quietly();
    assert_eq!(receiver.spans().len(), 2, "each once");
}
