//! Exports, read by libraries and viewers that know nothing of soglia. What they say is compared
//! with the rows of `--to jsonl`, which the tests of the tool compare with the report.

use std::collections::BTreeMap;
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use soglia_testing::chromium::Chromium;
use soglia_testing::needs::{Outcome, Unmet};

use crate::support::{Space, text};

/// A place with `a.soglia`, which has events, callbacks, exceptions and open calls.
fn recorded(program: &str, args: &str) -> Space {
    let space = Space::new();
    let run = space.run("-q --record events -o a.soglia", program, args);
    let output = { run }.output().unwrap();
    assert!(space.path("a.soglia").exists(), "{}", text(&output.stderr));
    space
}

/// The programs whose recordings are read.
const PROGRAMS: [(&str, &str); 4] = [
    ("sqlitedemo.dll", "50"),
    ("semantics.dll", "exceptions"),
    ("semantics.dll", "background"),
    ("outcomes.dll", ""),
];

fn export(space: &Space, args: &str) {
    let args = format!("export a.soglia --to {args}");
    let output = space.soglia(&args).output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.success(), "{args}");
}

fn rows(space: &Space) -> Vec<Value> {
    let output = space
        .soglia("export a.soglia --to jsonl -o -")
        .output()
        .unwrap();
    let lines = text(&output.stdout);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Where `tools/viewers` has put its packages.
pub fn packages() -> Result<PathBuf, Unmet> {
    let folder = env::var_os("SOGLIA_TEST_VIEWERS").map(PathBuf::from);
    folder.ok_or_else(|| Unmet::new("SOGLIA_TEST_VIEWERS is not set (`make test-viewers` sets it)"))
}

/// What a command prints as JSON.
fn printed(command: &mut Command, input: &str) -> Value {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub fn python(how: &str, what: &Path, input: &str) -> Result<Value, Unmet> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/viewers/read.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(how).arg(what);
    command.env("PYTHONPATH", packages()?.join("python"));
    Ok(printed(&mut command, input))
}

/// `pyarrow` reads every cell.
pub fn pyarrow_reads_the_same_rows() -> Outcome {
    packages()?;
    for (program, args) in PROGRAMS {
        let space = recorded(program, args);
        export(&space, "parquet");
        let table = python("arrow", &space.path("a.parquet"), "")?;
        let (found, expected) = (table.as_array().unwrap(), rows(&space));
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            for (key, value) in expected.as_object().unwrap() {
                assert_eq!(&found[key], value, "{key} of {expected}");
            }
            let time = found["time"].as_str().unwrap();
            assert!(time.starts_with("20") && time.contains("+00:00"), "{time}");
        }
    }
    Ok(())
}

/// The queries of docs/export.md are those of people.
pub fn duckdb_answers_the_queries_of_the_documents() -> Outcome {
    packages()?;
    let document = include_str!("../../../../docs/export.md");
    let parts = document.split("```sql\n").skip(1);
    let of_document = parts.map(|part| part.split("```").next().unwrap().trim());
    let sums = "SELECT direction, target, count(*) AS calls, sum(duration_ns)::BIGINT AS total, \
                sum(self_ns)::BIGINT AS own FROM 'a.parquet' GROUP BY ALL";
    let targets = "SELECT direction, target, sum(calls)::BIGINT AS calls FROM 'a.targets.parquet' \
                   WHERE calls > 0 GROUP BY ALL";
    let queries: Vec<&str> = [sums, targets].into_iter().chain(of_document).collect();
    assert!(queries.len() > 5, "docs/export.md has queries");
    let space = recorded("sqlitedemo.dll", "50");
    export(&space, "parquet");
    export(&space, "parquet --table targets");
    let answers = python("queries", &space.path("."), &queries.join("\n\n"))?;
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), queries.len());
    for (query, answer) in queries.iter().zip(answers) {
        assert!(
            !answer.as_array().unwrap().is_empty(),
            "nothing for {query}"
        );
    }
    let mut expected: BTreeMap<(String, String), [u64; 3]> = BTreeMap::new();
    for row in rows(&space) {
        let part = |key: &str| row[key].as_str().unwrap().to_owned();
        let sum = expected
            .entry((part("direction"), part("target")))
            .or_default();
        let number = |key: &str| row[key].as_u64().unwrap();
        let more = [1, number("duration_ns"), number("self_ns")];
        *sum = std::array::from_fn(|n| sum[n] + more[n]);
    }
    let found = |answer: &Value, keys: [&str; 3]| -> BTreeMap<(String, String), [u64; 3]> {
        let of = |row: &Value| {
            let part = |key: &str| row[key].as_str().unwrap().to_owned();
            let values = keys.map(|key| row[key].as_u64().unwrap());
            ((part("direction"), part("target")), values)
        };
        answer.as_array().unwrap().iter().map(of).collect()
    };
    assert_eq!(found(&answers[0], ["calls", "total", "own"]), expected);
    for (key, [calls, ..]) in found(&answers[1], ["calls"; 3]) {
        assert_eq!(calls, expected[&key][0], "{key:?}");
    }
    Ok(())
}

/// Perfetto's own classes read the trace, and its begins and ends nest.
pub fn perfetto_has_the_same_slices() -> Outcome {
    packages()?;
    for (program, args) in PROGRAMS {
        let space = recorded(program, args);
        export(&space, "perfetto");
        let trace = python("perfetto", &space.path("a.perfetto-trace"), "")?;
        assert_eq!(trace["clocks"]["process"], program);
        let key = |row: &Value, ended: &Value| {
            let number = |key: &str| row[key].as_u64().unwrap();
            let part = |key: &str| row[key].as_str().unwrap().to_owned();
            let ended = ended.as_u64().unwrap_or(u64::MAX);
            let names = (part("direction"), part("target"), part("outcome"));
            (number("began"), ended, number("depth"), names)
        };
        let slices = trace["slices"].as_array().unwrap();
        let mut found: Vec<_> = slices.iter().map(|s| key(s, &s["ended"])).collect();
        let rows = rows(&space);
        let mut expected: Vec<_> = rows.iter().map(|r| key(r, &r["ended"])).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{program} {args}");
    }
    Ok(())
}

/// The leaves of all stacks have the calls and the own time of the targets.
pub fn pprof_sums_up_to_the_same() -> Outcome {
    let modules = packages()?.join("node_modules");
    for (program, args) in PROGRAMS {
        let space = recorded(program, args);
        export(&space, "pprof");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/viewers/read.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(&modules).arg(space.path("a.pb"));
        let profile = printed(&mut command, "");
        assert_eq!(profile["types"], json!(["calls/count", "self/nanoseconds"]));
        let mut found: BTreeMap<String, [u64; 2]> = BTreeMap::new();
        for sample in profile["samples"].as_array().unwrap() {
            let leaf = sample["stack"][0].as_str().unwrap().to_owned();
            let sum = found.entry(leaf).or_default();
            *sum = std::array::from_fn(|n| sum[n] + sample["values"][n].as_u64().unwrap());
        }
        let mut expected: BTreeMap<String, [u64; 2]> = BTreeMap::new();
        for row in rows(&space) {
            if ["refused", "unmatched"].contains(&row["outcome"].as_str().unwrap()) {
                continue;
            }
            let name = row["target"].as_str().unwrap();
            let name = match row["direction"] == "reverse" {
                true => soglia::text::method(name),
                false => name.to_owned(),
            };
            let sum = expected.entry(name).or_default();
            *sum = [sum[0] + 1, sum[1] + row["self_ns"].as_u64().unwrap()];
        }
        assert_eq!(found, expected, "{program} {args}");
    }
    Ok(())
}

/// speedscope opens its own format, Chrome's, pprof's and folded stacks.
pub fn speedscope_opens_what_it_can_read() -> Outcome {
    let page = packages()?.join("node_modules/speedscope/dist/release/index.html");
    let space = recorded("sqlitedemo.dll", "50");
    let mut chromium = Chromium::start()?;
    for (format, file, title) in [
        ("speedscope", "a.speedscope.json", "1 main"),
        ("chrome", "a.trace.json", "a.trace.json"),
        ("pprof", "a.pb", "a.pb"),
        ("folded", "a.folded", "a.folded"),
    ] {
        export(&space, format);
        let bytes = std::fs::read(space.path(file)).unwrap();
        // As speedscope's own command hands a profile to the page.
        let script = format!(
            "speedscope.loadFileFromBase64({}, {})",
            Value::from(file),
            Value::from(base64(&bytes))
        );
        std::fs::write(space.path("profile.js"), script).unwrap();
        chromium.open(&page, (1200, 800), false);
        chromium.call("Page.navigate", json!({"url": "about:blank"}));
        chromium.until("location.href === 'about:blank'");
        let path = space.path("profile.js");
        let url = format!(
            "file://{}#localProfilePath={}",
            page.display(),
            path.display()
        );
        chromium.call("Page.navigate", json!({"url": url}));
        chromium.until("document.title.endsWith(' - speedscope')");
        let shown = chromium.eval("document.title + '\\n' + document.body.innerText");
        let shown = shown.as_str().unwrap();
        assert!(shown.contains(title), "{format}: {shown}");
        assert!(shown.contains("Time Order"), "{format}: {shown}");
        if let Some(folder) = env::var_os("SOGLIA_TEST_SCREENSHOTS") {
            let name = format!("speedscope-{format}.png");
            chromium.screenshot(&PathBuf::from(folder).join(name));
        }
    }
    Ok(())
}

/// The picture is drawn, and its script runs.
pub fn a_flame_graph_is_drawn_and_searched() -> Outcome {
    let space = recorded("sqlitedemo.dll", "50");
    let mut chromium = Chromium::start()?;
    export(&space, "flamegraph");
    chromium.open(&space.path("a.svg"), (1200, 800), false);
    let titles = "[...document.querySelectorAll('g > title')].map((t) => t.textContent)";
    let shown = chromium.eval(&format!("{titles}.join('\\n')"));
    let shown = shown.as_str().unwrap();
    assert!(
        shown.contains("e_sqlite3!sqlite3_step") || shown.contains("!sqlite3_step"),
        "{shown}"
    );
    assert!(shown.contains("Main"), "{shown}");
    chromium.eval("search('sqlite3_step'); 0");
    let matched = chromium.eval("document.getElementById('matched').textContent");
    assert!(matched.as_str().unwrap().contains('%'), "{matched}");
    if let Some(folder) = env::var_os("SOGLIA_TEST_SCREENSHOTS") {
        chromium.screenshot(&PathBuf::from(folder).join("flamegraph.png"));
    }
    assert_eq!(chromium.complaints(), Vec::<String>::new());
    Ok(())
}

/// As a page takes it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, n| {
            bits << 8 | u32::from(three.get(n).copied().unwrap_or(0))
        });
        for n in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * n) & 63) as usize];
            text.push(if n > three.len() { '=' } else { digit.into() });
        }
    }
    text
}
