//! Recordings of 100 machines, read by DuckDB and by ClickHouse's engine. The queries are those of
//! docs/fleet.md, and the sums are those of the reports.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::Value;
use soglia_testing::needs::Outcome;

use crate::exports::{packages, python};
use crate::support::{Space, text};

const MACHINES: usize = 100;
/// Services, and what their machines run.
const SERVICES: [(&str, &str, &str); 3] = [
    ("shop", "sqlitedemo.dll", ""),
    ("billing & tax", "outcomes.dll", ""),
    ("semantics", "semantics.dll", "nested"),
];

/// Calls, failed calls and own time, by service and target, of calls to native code.
type Sums = BTreeMap<(String, String), [u64; 3]>;

/// Runs a program on a machine, exports its recording, and adds up its report.
fn machine(space: &Space, number: usize, sums: &Mutex<Sums>) {
    let (service, program, args) = SERVICES[number % SERVICES.len()];
    let args = match program {
        "sqlitedemo.dll" => (10 + number).to_string(),
        _ => args.to_owned(),
    };
    let name = format!("{number}.soglia");
    let output = space.run(&format!("-q -o {name}"), program, &args).output();
    assert!(
        space.path(&name).exists(),
        "{}",
        text(&output.unwrap().stderr)
    );
    for _ in 0..2 {
        // A second export of a recording replaces the first.
        let mut export = space.soglia("export --to parquet --table targets --partition -o lake");
        export.args(["--service", service, "--host", &format!("m{number}")]);
        let output = export.arg(&name).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let report = space.recording(&name).json("");
    let mut sums = sums.lock().unwrap();
    for row in report["targets"].as_array().unwrap() {
        if row["direction"] == "forward" {
            let target = match row["library"].as_str() {
                Some(library) => format!("{library}!{}", row["entry"].as_str().unwrap()),
                None => row["method"]
                    .as_str()
                    .unwrap_or("[function pointer]")
                    .to_owned(),
            };
            let sum = sums.entry((service.to_owned(), target)).or_default();
            let more = ["calls", "failed", "self_ns"].map(|field| row[field].as_u64().unwrap());
            *sum = std::array::from_fn(|n| sum[n] + more[n]);
        }
    }
}

/// The queries of the document for one engine.
fn queries(engine: &str) -> Vec<&'static str> {
    let document = include_str!("../../../../docs/fleet.md");
    let parts = document.split("```sql ").skip(1);
    let of_engine = parts.filter_map(|part| part.strip_prefix(engine)?.strip_prefix('\n'));
    let queries = of_engine.map(|part| part.split("```").next().unwrap().trim());
    queries.collect()
}

fn answers(engine: &str, space: &Space, queries: &[&str]) -> Vec<Vec<Value>> {
    let found = python(engine, &space.path("."), &queries.join("\n\n"))
        .ok()
        .unwrap();
    let found: Vec<Vec<Value>> = serde_json::from_value(found).unwrap();
    assert_eq!(found.len(), queries.len());
    for (query, rows) in queries.iter().zip(&found) {
        assert!(!rows.is_empty(), "{engine} finds nothing: {query}");
    }
    found
}

fn number(row: &Value, field: &str) -> u64 {
    let value = &row[field];
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.unwrap_or_else(|| panic!("{field}: {row}"))
}

fn sums_of(rows: &[Value]) -> Sums {
    let row = |row: &Value| {
        let part = |field: &str| row[field].as_str().unwrap().to_owned();
        let sums = ["calls", "failed", "self_ns"].map(|field| number(row, field));
        ((part("service"), part("target")), sums)
    };
    rows.iter().map(row).collect()
}

/// All sums, as each engine writes the query.
const ALL: [(&str, &str); 2] = [
    (
        "queries",
        "SELECT service, target, sum(calls)::BIGINT AS calls, sum(failed)::BIGINT AS failed, \
         sum(self_ns)::BIGINT AS self_ns FROM read_parquet('lake/targets/**/*.parquet', \
         hive_partitioning = true) WHERE direction = 'forward' GROUP BY ALL",
    ),
    (
        "clickhouse",
        "SELECT decodeURLComponent(service) AS service, target, sum(calls) AS calls, \
         sum(failed) AS failed, sum(self_ns) AS self_ns FROM file('lake/targets/**/*.parquet', Parquet) \
         WHERE direction = 'forward' GROUP BY service, target \
         SETTINGS use_hive_partitioning = 1, optimize_move_to_prewhere = 0",
    ),
];

/// How many files there are.
fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let count = |entry: std::fs::DirEntry| match entry.file_type().unwrap().is_dir() {
        true => files(&entry.path()),
        false => 1,
    };
    entries.map(count).sum()
}

pub fn a_hundred_machines_have_equal_sums_everywhere() -> Outcome {
    packages()?;
    let space = Space::new();
    let (sums, next) = (Mutex::default(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    match next.fetch_add(1, Relaxed) {
                        number if number < MACHINES => machine(&space, number, &sums),
                        _ => return,
                    }
                }
            });
        }
    });
    assert_eq!(files(&space.path("lake")), MACHINES);
    let expected = sums.into_inner().unwrap();
    for (engine, query) in ALL {
        let found = answers(engine, &space, &[query]);
        assert_eq!(sums_of(&found[0]), expected, "{engine}");
    }
    let duckdb = answers("queries", &space, &queries("duckdb"));
    let clickhouse = answers("clickhouse", &space, &queries("clickhouse"));
    let [most, slower, failing, native] = &duckdb[..] else {
        panic!("{}", duckdb.len())
    };
    let [the_same, failing_too] = &clickhouse[..] else {
        panic!("{}", clickhouse.len())
    };
    // The functions that take the most time.
    let mut by_time: Vec<_> = expected.iter().map(|(key, sums)| (sums[2], key)).collect();
    by_time.sort_by(|a, b| b.cmp(a));
    for rows in [most, the_same] {
        assert_eq!(rows.len(), by_time.len().min(20));
        for (row, (self_ns, _)) in rows.iter().zip(&by_time) {
            assert_eq!(number(row, "self_ns"), *self_ns, "{row}");
            let part = |field: &str| row[field].as_str().unwrap().to_owned();
            let sums = expected[&(part("service"), part("target"))];
            assert_eq!(
                [number(row, "calls"), number(row, "self_ns")],
                [sums[0], sums[2]]
            );
        }
    }
    for (one, other) in most.iter().zip(the_same) {
        let error = |row: &Value| row["self_ns_se"].as_f64().unwrap();
        assert!(
            (error(one) - error(other)).abs() <= error(one) * 1e-9,
            "{one} and {other}"
        );
    }
    assert!(
        slower
            .iter()
            .all(|row| row["times_the_median"].as_f64().is_some())
    );
    // Calls that fail. Both have the same rows.
    let rows = |rows: &[Value]| -> Vec<_> {
        let part = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        let row = |row: &Value| {
            let key = [part(row, "day"), part(row, "service"), part(row, "target")];
            (key, number(row, "failed"), number(row, "calls"))
        };
        rows.iter().map(row).collect()
    };
    assert_eq!(rows(failing), rows(failing_too));
    assert_eq!(failing[0]["service"], "billing & tax");
    assert!(number(&failing[0], "failed") > 0);
    let hosts: u64 = native.iter().map(|row| number(row, "hosts")).sum();
    assert_eq!(hosts, MACHINES as u64);
    Ok(())
}

/// Calls of recordings with events lie beside.
pub fn calls_of_machines_lie_in_folders_too() -> Outcome {
    packages()?;
    let space = Space::new();
    let output = space
        .run("-q --record events -o a.soglia", "sixsteps.dll", "")
        .output();
    assert!(output.unwrap().status.success());
    let mut export = space.soglia("export a.soglia --to parquet --partition -o lake");
    let output = export.env("OTEL_SERVICE_NAME", "six").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let query = "SELECT service, program, count(*) AS calls, count(DISTINCT pid) AS processes \
                 FROM read_parquet('lake/calls/**/*.parquet', hive_partitioning = true) \
                 GROUP BY ALL";
    let found = answers("queries", &space, &[query]);
    let [row] = &found[0][..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        (&row["service"], &row["program"]),
        (&"six".into(), &"sixsteps.dll".into())
    );
    let report = space.recording("a.soglia").report();
    let calls: u64 = report.targets.iter().map(|row| row.calls).sum();
    assert_eq!((number(row, "calls"), number(row, "processes")), (calls, 1));
    Ok(())
}
