//! `--metrics`: an endpoint for Prometheus, whose figures are those of the report.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::scrape::{self, Sample, ask, get, samples};
use crate::support::{Live, Served, Space, refusal, signal, text, until};

const PROMETHEUS: &str = "text/plain;version=0.0.4";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

/// Where the tool says that the metrics are.
fn address(line: &str) -> SocketAddr {
    let at = line.split_once("http://").and_then(|(_, rest)| {
        let at = rest.strip_suffix("/metrics")?;
        at.parse().ok()
    });
    at.unwrap_or_else(|| panic!("no address: {line:?}"))
}

/// `served.dll` under `soglia run`, and its endpoint.
fn served<'a>(space: &'a Space, options: &str, args: &str) -> (Served<'a>, SocketAddr) {
    let options = format!("-q -o a.soglia --metrics 0 {options}");
    let mut command = space.run(&options, "served.dll", args);
    let mut served = Served::start_command(space, &mut command);
    let at = address(&served.error_line());
    (served, at)
}

fn scraped(at: SocketAddr) -> Vec<Sample> {
    let answer = get(at, "/metrics", PROMETHEUS);
    assert_eq!(answer.status, 200, "{}", answer.body);
    samples(&answer.body)
}

/// What tells a target from others, in reports and in metrics.
type Key = [String; 3];

fn key(row: &Value) -> Key {
    let part = |field: &str| row[field].as_str();
    let name = match (part("library"), part("entry"), part("method")) {
        (Some(library), Some(entry), _) => format!("{library}!{entry}"),
        (_, _, Some(method)) => method.to_owned(),
        _ => panic!("a row without a name: {row}"),
    };
    let assembly = part("assembly").unwrap_or_default().to_owned();
    [name, assembly, part("direction").unwrap().to_owned()]
}

/// The values of one name, by target.
fn by_target(samples: &[Sample], name: &str) -> BTreeMap<Key, f64> {
    let of_name = samples.iter().filter(|sample| sample.name == name);
    let keys = of_name.map(|sample| {
        let key = ["target", "assembly", "direction"].map(|label| sample.labels[label].clone());
        (key, sample.value)
    });
    keys.collect()
}

/// The sums of a field of the report, by target.
fn of_report(report: &Value, of: impl Fn(&Value) -> f64) -> BTreeMap<Key, f64> {
    let mut sums = BTreeMap::new();
    for row in report["targets"].as_array().unwrap() {
        *sums.entry(key(row)).or_default() += of(row);
    }
    sums
}

fn number(row: &Value, field: &str) -> f64 {
    row[field]
        .as_u64()
        .unwrap_or_else(|| panic!("{field}: {row}")) as f64
}

/// One sample without labels.
fn single(samples: &[Sample], name: &str) -> f64 {
    let found: Vec<_> = samples
        .iter()
        .filter(|sample| sample.name == name)
        .collect();
    let [one] = found[..] else {
        panic!("{name}: {found:?}")
    };
    one.value
}

/// Compares times, of which one is a sum of nanoseconds in seconds.
fn assert_times(found: &BTreeMap<Key, f64>, expected: &BTreeMap<Key, f64>) {
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    for (key, seconds) in found {
        let ns = expected[key];
        // The rate of the clock is known better later.
        assert!(
            (seconds * 1e9 - ns).abs() <= ns * 1e-4 + 1.0,
            "{key:?}: {seconds} s, {ns} ns"
        );
    }
}

const COUNTS: [(&str, &str); 6] = [
    ("soglia_native_calls_total", "calls"),
    ("soglia_native_timed_total", "timed_calls"),
    ("soglia_native_failed_total", "failed"),
    ("soglia_native_refused_total", "refused"),
    ("soglia_native_abandoned_total", "abandoned"),
    ("soglia_native_open", "open"),
];

/// Compares the figures of targets that stand still.
fn assert_equal(samples: &[Sample], report: &Value) {
    for (name, field) in COUNTS {
        let expected = of_report(report, |row| number(row, field));
        assert_eq!(by_target(samples, name), expected, "{name}");
    }
    let returned = of_report(report, |row| number(row, "returned"));
    let count = by_target(samples, "soglia_native_duration_seconds_count");
    assert_eq!(count, returned);
    let total = of_report(report, |row| number(row, "total_ns"));
    assert_times(
        &by_target(samples, "soglia_native_time_seconds_total"),
        &total,
    );
    assert_times(
        &by_target(samples, "soglia_native_duration_seconds_sum"),
        &total,
    );
    let own = of_report(report, |row| number(row, "self_ns"));
    assert_times(
        &by_target(samples, "soglia_native_self_time_seconds_total"),
        &own,
    );
    let mut bounds: Vec<f64> = samples
        .iter()
        .filter_map(|sample| {
            Some(
                sample
                    .labels
                    .get("le")?
                    .replace("+Inf", "inf")
                    .parse()
                    .unwrap(),
            )
        })
        .collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    assert_eq!(bounds.len(), 17);
    for bound in bounds {
        let of_bound = samples.iter().filter(|sample| {
            let le = sample.labels.get("le").map(|le| le.replace("+Inf", "inf"));
            le.is_some_and(|le| le.parse() == Ok(bound))
        });
        let of_bound: Vec<Sample> = of_bound.cloned().collect();
        let within = |row: &Value, wide: f64| {
            let buckets = row["histogram"].as_array().unwrap().iter();
            let middle = |bucket: &Value| {
                let of = |n: usize| bucket[n].as_u64().unwrap();
                ((of(0) + (of(1) - of(0)) / 2) as f64 / 1e9, of(2))
            };
            let inside = buckets
                .map(middle)
                .filter(|(middle, _)| *middle <= bound * wide);
            inside.map(|(_, calls)| calls).sum::<u64>() as f64
        };
        let least = of_report(report, |row| within(row, 0.9999));
        let most = of_report(report, |row| within(row, 1.0001));
        let found = by_target(&of_bound, "soglia_native_duration_seconds_bucket");
        assert_eq!(found.len(), least.len());
        for (key, calls) in found {
            assert!(
                (least[&key]..=most[&key]).contains(&calls),
                "{key:?} within {bound}: {calls}"
            );
        }
    }
}

#[test]
fn the_figures_are_those_of_the_report() {
    let space = Space::new();
    let (mut served, at) = served(&space, "--times exact", "");
    served.stop();
    let report = space.recording("a.soglia").json("");
    let of_prometheus = get(at, "/metrics", PROMETHEUS);
    let of_open_metrics = get(at, "/metrics", OPEN_METRICS);
    for (answer, kind) in [
        (&of_prometheus, "text/plain; version=0.0.4; charset=utf-8"),
        (
            &of_open_metrics,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ] {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.headers["content-type"], kind);
        let samples = samples(&answer.body);
        assert_equal(&samples, &report);
        let error = by_target(&samples, "soglia_native_time_error_seconds");
        assert!(error.values().all(|error| *error == 0.0), "{error:?}");
        assert_eq!(single(&samples, "soglia_process_running"), 1.0);
        assert_eq!(single(&samples, "soglia_incomplete"), 0.0);
        assert_eq!(single(&samples, "soglia_targets_cut"), 0.0);
        let targets = by_target(&samples, "soglia_native_calls_total").len();
        assert_eq!(single(&samples, "soglia_targets"), targets as f64);
        let tasks = report["tasks"].as_array().unwrap();
        let alive = tasks.iter().filter(|task| task["ended"] == false).count();
        let of_state = |state: &str| {
            let of =
                |sample: &&Sample| sample.name == "soglia_tasks" && sample.labels["state"] == state;
            samples.iter().find(of).unwrap().value
        };
        assert_eq!(of_state("alive"), alive as f64);
        assert_eq!(of_state("ended"), (tasks.len() - alive) as f64);
        let depth = tasks.iter().map(|task| task["max_depth"].as_u64().unwrap());
        let deepest = depth.max().unwrap() as f64;
        assert_eq!(single(&samples, "soglia_depth_max"), deepest);
        // A loop in native code, and its callback.
        assert_eq!(single(&samples, "soglia_depth"), 2.0);
        let info = samples
            .iter()
            .find(|sample| sample.name == "soglia_process_info");
        let info = &info.unwrap().labels;
        assert_eq!(info["pid"], report["pid"].to_string());
        assert_eq!(info["program"], report["program"].as_str().unwrap());
        assert_eq!(info["runtime_version"], report["runtime"]["version"]);
        assert_eq!((&*info["times"], &*info["level"]), ("exact", "summary"));
    }
    let lines = |of: &scrape::Answer, line: &str| of.body.lines().any(|is| is == line);
    assert!(lines(
        &of_prometheus,
        "# TYPE soglia_native_calls_total counter"
    ));
    assert!(lines(
        &of_open_metrics,
        "# TYPE soglia_native_calls counter"
    ));
    assert!(lines(
        &of_open_metrics,
        "# UNIT soglia_native_time_seconds seconds"
    ));
    assert!(of_open_metrics.body.ends_with("\n# EOF\n"));
    served.go();
    served.end();
    assert!(TcpStream::connect(at).is_err(), "the endpoint has ended");
}

#[test]
fn counters_never_go_backwards_and_estimates_are_marked() {
    let space = Space::new();
    let (mut served, at) = served(&space, "--times sampled", "--busy");
    let mut before: BTreeMap<String, f64> = BTreeMap::new();
    for _ in 0..100 {
        let mut buckets: BTreeMap<Key, f64> = BTreeMap::new();
        for sample in scraped(at) {
            let suffixes = ["_total", "_bucket", "_count", "_sum"];
            if !suffixes.iter().any(|suffix| sample.name.ends_with(suffix)) {
                continue;
            }
            let series = format!("{} {:?}", sample.name, sample.labels);
            let last = before.insert(series.clone(), sample.value).unwrap_or(0.0);
            assert!(
                sample.value >= last,
                "{series}: {last}, then {}",
                sample.value
            );
            if sample.name.ends_with("_bucket") {
                let key = ["target", "assembly", "direction"];
                let key = key.map(|label| sample.labels[label].clone());
                let narrower = buckets.insert(key, sample.value).unwrap_or(0.0);
                assert!(sample.value >= narrower, "{series}");
            }
        }
    }
    served.stop();
    // For 100 ms the endpoint gives the figures that it gave before.
    std::thread::sleep(Duration::from_millis(200));
    let (report, samples) = (space.recording("a.soglia").json(""), scraped(at));
    for (name, field) in COUNTS {
        let expected = of_report(&report, |row| number(row, field));
        assert_eq!(by_target(&samples, name), expected, "{name}");
    }
    let error = by_target(&samples, "soglia_native_time_error_seconds");
    let timed = by_target(&samples, "soglia_native_timed_total");
    let returned = by_target(&samples, "soglia_native_duration_seconds_count");
    let estimated = error.iter().filter(|(_, error)| **error > 0.0);
    let estimated: Vec<&Key> = estimated.map(|(key, _)| key).collect();
    assert!(!estimated.is_empty(), "{error:?}");
    for key in estimated {
        assert!(timed[key] <= returned[key], "{key:?}");
    }
    let info = samples
        .iter()
        .find(|sample| sample.name == "soglia_process_info");
    assert_eq!(info.unwrap().labels["times"], "sampled");
    served.go();
    served.end();
}

#[test]
fn too_many_targets_are_summed_up_and_it_is_said() {
    let space = Space::new();
    let (mut served, at) = served(&space, "--times exact --metrics-targets 3", "");
    served.stop();
    let (report, samples) = (space.recording("a.soglia").json(""), scraped(at));
    let all = of_report(&report, |row| number(row, "calls"));
    let calls = by_target(&samples, "soglia_native_calls_total");
    assert_eq!(calls.values().sum::<f64>(), all.values().sum::<f64>());
    let others: Vec<_> = calls.keys().filter(|key| key[0] == "other").collect();
    assert_eq!(calls.len(), 3 + others.len(), "{calls:?}");
    assert!(!others.is_empty() && others.len() <= 2, "{others:?}");
    for direction in ["forward", "reverse"] {
        let of = |sums: &BTreeMap<Key, f64>| {
            let of_direction = sums.iter().filter(|(key, _)| key[2] == direction);
            of_direction.map(|(_, calls)| calls).sum::<f64>()
        };
        assert_eq!(of(&calls), of(&all), "{direction}");
    }
    let cut = all.len() - 3;
    assert_eq!(single(&samples, "soglia_targets"), 3.0);
    assert_eq!(single(&samples, "soglia_targets_cut"), cut as f64);
    let said = served.error_line();
    let expected = format!("metrics: {cut} targets have no series of their own");
    assert!(said.contains(&expected), "{said}");
    served.go();
    served.end();
}

#[test]
fn an_address_that_cannot_be_had_is_an_error_before_the_program_starts() {
    let space = Space::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    for (address, why) in [
        (&*at, "Address already in use"),
        (
            "here",
            "expected HOST:PORT, such as 127.0.0.1:9464, or a port",
        ),
        ("127.0.0.1:70000", "expected HOST:PORT"),
        ("192.0.2.1:80", "Cannot assign requested address"),
    ] {
        let mut command = space.run(&format!("-o a.soglia --metrics {address}"), "hello.dll", "");
        let line = refusal(&mut command);
        let expected = format!("cannot answer at --metrics {address}: ");
        assert!(line.starts_with(&expected) && line.contains(why), "{line}");
        assert!(!space.path("a.soglia").exists());
    }
}

#[test]
fn clients_that_misbehave_do_no_harm() {
    let space = Space::new();
    let (mut served, at) = served(&space, "--times exact", "");
    let host = format!("Host: {at}\r\n\r\n");
    let head = ask(at, &format!("HEAD /metrics HTTP/1.1\r\n{host}"));
    assert_eq!((head.status, &*head.body), (200, ""));
    assert!(head.headers["content-length"].parse::<u64>().unwrap() > 1000);
    let post = ask(at, &format!("POST /metrics HTTP/1.1\r\n{host}"));
    assert_eq!((post.status, &*post.headers["allow"]), (405, "GET, HEAD"));
    assert_eq!(get(at, "/", "").status, 200);
    assert_eq!(get(at, "/metrics?name=x", "").status, 200);
    let absent = get(at, "/elsewhere", "");
    assert_eq!(
        (absent.status, &*absent.body),
        (404, "the figures are at /metrics\n")
    );
    assert_eq!(ask(at, "\u{1}\u{2}\r\n\r\n").status, 400);
    // As many as are served at a time, and one more.
    let idle: Vec<TcpStream> = (0..17).map(|_| TcpStream::connect(at).unwrap()).collect();
    drop(idle);
    let answer = until("room for a client", || {
        Some(get(at, "/metrics", "")).filter(|answer| answer.status == 200)
    });
    assert_eq!(
        answer.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    // Half of a request, until the end.
    let mut half = TcpStream::connect(at).unwrap();
    std::io::Write::write_all(&mut half, b"GET /metrics HTTP/1.1\r\n").unwrap();
    served.stop();
    served.go();
    served.end();
}

#[test]
fn a_program_that_is_attached_to_has_metrics() {
    let space = Space::new();
    let mut served = Served::start(&space, "", &[]);
    let mut attached = served.attach("a.soglia", "-q --times exact --metrics 0");
    let at = address(&attached.tool.error_line());
    served.stop();
    let report = space.recording("a.soglia").json("");
    assert_equal(&scraped(at), &report);
    attached.let_go();
    assert!(TcpStream::connect(at).is_err(), "the endpoint has ended");
    served.go();
    served.end();
}

#[test]
fn without_times_there_are_counts() {
    let space = Space::new();
    let (mut served, at) = served(&space, "--counts", "");
    served.stop();
    let (report, samples) = (space.recording("a.soglia").json(""), scraped(at));
    let calls = of_report(&report, |row| number(row, "calls"));
    assert_eq!(by_target(&samples, "soglia_native_calls_total"), calls);
    for name in [
        "soglia_native_time_seconds_total",
        "soglia_native_duration_seconds_count",
    ] {
        assert!(by_target(&samples, name).is_empty(), "{name}");
    }
    served.go();
    served.end();
}

/// A script may take its time before it starts a runtime.
#[test]
fn before_a_runtime_starts_there_is_nothing_to_tell() {
    let space = Space::new();
    let script = space.path("wait");
    std::fs::write(&script, "#!/bin/sh\nread line\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    let mut command = space.soglia("run --metrics 0");
    let mut tool = Live::start(command.arg(&script).stdin(Stdio::piped()));
    let at = address(&tool.error_line());
    let samples = scraped(at);
    assert_eq!(samples.len(), 1, "{samples:?}");
    assert_eq!(single(&samples, "soglia_process_running"), 0.0);
    signal(tool.pid(), "TERM");
    let (_, said) = tool.wait();
    assert!(said.contains("nothing was recorded"), "{said}");
}

/// The report in other formats is all that is on standard error.
#[test]
fn in_other_formats_nothing_is_said() {
    let space = Space::new();
    let mut command = space.run("--metrics 0 --format json", "hello.dll", "");
    let output = command.output().unwrap();
    let report: Value = serde_json::from_slice(&output.stderr)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    assert_eq!(report["ended"], "exit");
}
