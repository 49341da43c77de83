//! Texts that people read, as files: what `--help` says, and an account of the six steps.
//!
//! `SOGLIA_BLESS=1 cargo test -p soglia --test tool outputs` writes them. Read the difference
//! before you commit it.

use std::path::Path;

use crate::support::{Space, fixture, text};

pub fn compare(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tool/expected")
        .join(name);
    if std::env::var_os("SOGLIA_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        actual,
        expected,
        "{} differs; SOGLIA_BLESS=1 writes it anew",
        path.display()
    );
}

#[test]
fn help_is_as_expected() {
    for (name, args) in [
        ("help.txt", "--help"),
        ("help-run.txt", "run --help"),
        ("help-report.txt", "report --help"),
        ("help-advise.txt", "advise --help"),
        ("help-top.txt", "top --help"),
        ("help-events.txt", "events --help"),
        ("help-export.txt", "export --help"),
        ("help-verify.txt", "verify --help"),
        ("help-doctor.txt", "doctor --help"),
    ] {
        let output = Space::new()
            .soglia(args)
            .env_remove("COLUMNS")
            .output()
            .unwrap();
        assert_eq!(
            (output.status.code(), text(&output.stderr)),
            (Some(0), String::new())
        );
        compare(name, &text(&output.stdout));
    }
}

/// With every number that changes from run to run as `#`, and columns one space apart.
#[test]
fn an_account_is_as_expected() {
    let space = Space::new();
    assert!(
        space
            .run("-q --record events -o a.soglia", "sixsteps.dll", "")
            .status()
            .unwrap()
            .success()
    );
    let report = text(
        &space
            .soglia("report --sort name a.soglia")
            .output()
            .unwrap()
            .stdout,
    );
    let own = report
        .lines()
        .filter(|line| !line.contains("the runtime's own") && !line.contains("was the first"))
        .map(|line| {
            let counts = line.contains("crossings:")
                || line.starts_with("soglia: ")
                || line.starts_with(".NET ");
            let words = line.split_whitespace().map(|word| masked(word, counts));
            let line = words.collect::<Vec<_>>().join(" ") + "\n";
            // The share of a thread's time.
            match line.split_once(" % ") {
                Some((_, rest)) => format!("# {rest}"),
                None => line,
            }
        });
    let program = fixture("sixsteps.dll");
    let own: String = own.collect::<String>();
    let first = own.lines().next().unwrap();
    assert!(
        first.starts_with("soglia: ") && first.contains(program.to_str().unwrap()),
        "{first}"
    );
    compare("report.txt", own.split_once('\n').unwrap().1);
}

/// Numbers of times, and where `all` of them may differ, as `#`; units too.
fn masked(word: &str, all: bool) -> String {
    let number = word.trim_start_matches(['+', '-']);
    let number = number.trim_end_matches([',', '*']);
    let is_number = number.starts_with(|c: char| c.is_ascii_digit())
        && number
            .chars()
            .all(|c| c.is_ascii_digit() || ".,:-".contains(c));
    let units = ["ns", "µs", "ms", "s"];
    match number {
        _ if is_number && (all || number.contains('.') || number.len() > 1) => {
            word.replace(number, "#")
        }
        // Which call of a target took longest, the first or another one, is as it happens.
        _ if units.contains(&number) => word.replace(number, "time").replace('*', ""),
        _ => word.to_owned(),
    }
}

#[test]
fn csv_has_the_targets_of_the_report() {
    let space = Space::new();
    assert!(
        space
            .run("-q -o a.soglia", "semantics.dll", "nested")
            .status()
            .unwrap()
            .success()
    );
    let rows = space.recording("a.soglia").json("--sort name")["targets"]
        .as_array()
        .unwrap()
        .clone();
    let csv = text(
        &space
            .soglia("report --format csv --sort name a.soglia")
            .output()
            .unwrap()
            .stdout,
    );
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let fields = rows[0].as_object().unwrap();
    assert!(
        header.iter().all(|name| fields.contains_key(*name)),
        "{header:?}"
    );
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let (entry, calls, total) = (column("entry"), column("calls"), column("total_ns"));
    for (line, row) in lines.by_ref().zip(&rows) {
        // Methods of generics have commas and are quoted; these have not.
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), header.len(), "{line}");
        assert_eq!(cells[entry], row["entry"].as_str().unwrap_or_default());
        assert_eq!(
            (cells[calls], cells[total]),
            (&*row["calls"].to_string(), &*row["total_ns"].to_string())
        );
    }
    assert_eq!((lines.next(), csv.lines().count()), (None, rows.len() + 1));
}

#[test]
fn targets_are_sorted_and_cut_as_asked() {
    let space = Space::new();
    assert!(
        space
            .run("-q -o a.soglia", "sqlitedemo.dll", "200")
            .status()
            .unwrap()
            .success()
    );
    let recording = space.recording("a.soglia");
    for (sort, field) in [
        ("total", "total_ns"),
        ("self", "self_ns"),
        ("calls", "calls"),
        ("mean", "mean_ns"),
        ("max", "max_ns"),
    ] {
        let rows = recording.json(&format!("--sort {sort}"))["targets"]
            .as_array()
            .unwrap()
            .clone();
        assert!(
            rows.len() > 10 && rows.is_sorted_by_key(|row| std::cmp::Reverse(row[field].as_u64())),
            "{sort}"
        );
        let cut = recording.json(&format!("--sort {sort} --top 2"));
        assert_eq!(cut["targets"].as_array().unwrap()[..], rows[..2]);
    }
}
