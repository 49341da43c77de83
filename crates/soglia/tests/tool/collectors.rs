//! Collectors that are slow, busy, gone, or do not take everything.

use std::net::TcpListener;

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::otlp::{by_name, of_report, run, run_requests, said, sums};
use crate::support::receiver::{Receiver, Reply, spans};
use crate::support::{Live, Space, refusal, signal, text};

/// A busy collector gets everything a moment later, and each span once.
#[test]
fn what_a_busy_collector_does_not_take_is_sent_again() {
    for (status, headers) in [(503, "Retry-After: 1\r\n"), (429, ""), (502, ""), (504, "")] {
        let space = Space::new();
        let busy = Reply {
            headers,
            ..Reply::status(status)
        };
        let receiver = Receiver::start(move |number, _| match number {
            0 | 1 => busy.clone(),
            _ => Reply::ok(),
        });
        let output = run_requests(&space, &receiver);
        assert!(output.status.success(), "{output:?}");
        let said = said(&output);
        assert!(!said.contains("did not reach"), "{said}");
        // One of each kind was not taken.
        let traces = receiver.traces();
        let [first, .., last] = &traces[..] else {
            panic!("{}", traces.len())
        };
        assert_eq!(spans(vec![first.clone()]).len(), 4);
        let ids = |of: &_| -> Vec<Vec<u8>> {
            let spans: Vec<Span> = spans(vec![Clone::clone(of)]);
            spans.into_iter().map(|span| span.span_id).collect()
        };
        assert_eq!(ids(first), ids(last), "the same spans again");
        assert!(receiver.metrics().len() >= 2);
    }
}

/// A collector that is slow delays neither the program nor its end.
#[test]
fn a_collector_that_does_not_answer_is_given_up() {
    let space = Space::new();
    let receiver = Receiver::start(|_, _| Reply {
        waits: true,
        ..Reply::ok()
    });
    let output = run_requests(&space, &receiver);
    assert!(output.status.success(), "{output:?}");
    let said = said(&output);
    let spans = format!("otlp: 4 spans did not reach {}/v1/traces: ", receiver.url());
    let metrics = format!(
        "otlp: the last metrics did not reach {}/v1/metrics: ",
        receiver.url()
    );
    assert!(said.contains(&spans) && said.contains(&metrics), "{said}");
}

#[test]
fn a_collector_that_is_gone_is_said_and_changes_nothing() {
    let space = Space::new();
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{gone}");
    let output = run(&space, &url, "--slow 20ms", "outcomes.dll", "");
    let bare = space.bare("outcomes.dll", "").output().unwrap();
    assert_eq!(output.status, bare.status);
    assert_eq!(text(&output.stdout), text(&bare.stdout));
    let said = said(&output);
    assert!(
        said.contains(&format!(
            "otlp: the last metrics did not reach {url}/v1/metrics: "
        )),
        "{said}"
    );
    // One that dies in the middle of an answer.
    let receiver = Receiver::start(|_, _| Reply::default());
    let output = run_requests(&space, &receiver);
    let said = text(&output.stderr);
    assert!(said.contains("otlp: 4 spans did not reach"), "{said}");
}

#[test]
fn a_collector_that_takes_only_metrics_is_said() {
    let space = Space::new();
    let receiver = Receiver::start(|_, got| match &*got.path {
        "/v1/metrics" => Reply::ok(),
        _ => Reply {
            body: b"404 page not found\n".to_vec(),
            ..Reply::status(404)
        },
    });
    let output = run_requests(&space, &receiver);
    let expected = format!(
        "soglia: otlp: {}/v1/traces refused 4 spans: HTTP 404 Not Found: 404 page not found",
        receiver.url()
    );
    let said = said(&output);
    assert!(said.lines().any(|line| line == expected), "{said}");
    assert!(!said.contains("metrics"), "{said}");
    assert_eq!(receiver.traces().len(), 1, "it is not sent again");
}

#[test]
fn what_a_collector_leaves_out_is_said() {
    let space = Space::new();
    let receiver = Receiver::start(|_, got| {
        let body = match &*got.path {
            "/v1/metrics" => ExportMetricsServiceResponse {
                partial_success: Some(ExportMetricsPartialSuccess {
                    rejected_data_points: 7,
                    error_message: "too many".to_owned(),
                }),
            }
            .encode_to_vec(),
            _ => ExportTraceServiceResponse {
                partial_success: Some(ExportTracePartialSuccess {
                    rejected_spans: 3,
                    error_message: "too old".to_owned(),
                }),
            }
            .encode_to_vec(),
        };
        Reply {
            body,
            ..Reply::ok()
        }
    });
    let output = run_requests(&space, &receiver);
    let said = said(&output);
    assert!(
        said.contains("/v1/metrics left out 7 data points: too many"),
        "{said}"
    );
    assert!(
        said.contains("/v1/traces left out 3 spans: too old"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_sent_to_is_an_error_before_the_program_starts() {
    let space = Space::new();
    for (url, why) in [
        ("https://localhost", "soglia has no TLS"),
        ("localhost:4318", "not the URL of a collector"),
    ] {
        let line = refusal(&mut space.run(&format!("--otlp {url}"), "hello.dll", ""));
        assert!(line.contains(why), "{line}");
    }
    let mut command = space.run("--otlp env", "hello.dll", "");
    let line = refusal(command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"));
    assert!(line.contains("http/protobuf"), "{line}");
}

#[test]
fn a_signal_ends_the_program_and_the_rest_is_sent() {
    let (space, receiver) = (Space::new(), Receiver::new());
    let options = format!("-q -o a.soglia --times exact --otlp {}", receiver.url());
    let mut command = space.run(&options, "served.dll", "");
    command.stdin(std::process::Stdio::piped());
    command.env("SERVED_FILE", space.path("served"));
    let mut program = Live::start(&mut command);
    let _input = program.input();
    program.expect("ready");
    signal(program.pid(), "TERM");
    program.wait_quietly();
    let report = space.recording("a.soglia").json("");
    let metrics = by_name(receiver.metrics().last().unwrap());
    assert_eq!(
        sums(&metrics["soglia.native.calls"]),
        of_report(&report, "calls")
    );
}
