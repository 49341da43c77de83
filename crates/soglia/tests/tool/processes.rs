//! Many processes, one report: `run --follow`, and `report` of several recordings.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, process::Command};

use serde_json::{Value, json};

use crate::support::{COUNTS, Space, bare_command, fixture, refusal, text};

/// `soglia run OPTIONS semantics.dll child ...`, whose child is another run of it.
fn with_child(space: &Space, options: &str, args: &str) -> Command {
    let (file, before) = bare_command();
    let mut command = space.run(options, "semantics.dll", "child");
    command.arg(file).args(before);
    command
        .arg(fixture("semantics.dll"))
        .args(args.split_whitespace());
    command
}

/// `soglia run OPTIONS script`, where `$DOTNET` in the script starts semantics.dll.
fn script(space: &Space, options: &str, lines: &str) -> Command {
    let (file, before) = bare_command();
    let words = before.into_iter().chain([fixture("semantics.dll")]);
    let words = std::iter::once(file).chain(words);
    let words: Vec<String> = words.map(|word| format!("'{}'", word.display())).collect();
    let path = space.path("script");
    let text = format!(
        "#!/bin/sh\nrun() {{ {} \"$@\"; }}\n{lines}\n",
        words.join(" ")
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    space.soglia(&format!("run {options} ./script"))
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", text(bytes)))
}

/// The report as JSON.
fn report(space: &Space, args: &str) -> Value {
    let output = space
        .soglia(&format!("report --format json {args}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = parsed(&output.stdout);
    crate::schema::check_report(&report);
    report
}

fn processes(report: &Value) -> &Vec<Value> {
    report["processes"].as_array().unwrap()
}

fn rows(report: &Value) -> &Vec<Value> {
    report["targets"].as_array().unwrap()
}

/// Files of the space that soglia has left there.
fn left(space: &Space) -> Vec<String> {
    let names = fs::read_dir(space.path("")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("soglia")).collect();
    names.sort();
    names
}

#[test]
fn follow_makes_one_report_and_leaves_nothing() {
    let space = Space::new();
    let output = with_child(&space, "--follow", "plain").output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("soglia: ").count(), 1, "{said}");
    assert!(
        said.contains("soglia: 2 processes: semantics.dll (2)"),
        "{said}"
    );
    assert!(said.contains("all exit code 0"), "{said}");
    let listed = said.lines().filter(|line| line.contains("  exit code 0  "));
    assert_eq!(listed.count(), 2, "{said}");
    assert!(said.contains("-> semantics!plain"), "{said}");
    let output = with_child(&space, "--follow --format json", "exitcode 3")
        .output()
        .unwrap();
    let report = parsed(&output.stderr);
    crate::schema::check_report(&report);
    let codes = processes(&report)
        .iter()
        .map(|row| row["exit_code"].as_i64());
    assert_eq!(codes.collect::<Vec<_>>(), [Some(0), Some(3)]);
    assert!(report["pid"].is_null() && report["exit_code"].is_null());
    let output = with_child(&space, "--follow --format csv", "plain")
        .output()
        .unwrap();
    let table = text(&output.stderr);
    let mut lines = table.lines();
    assert!(lines.next().unwrap().ends_with(",processes"), "{table}");
    assert!(lines.next().unwrap().ends_with(",1"), "{table}");
    assert_eq!(lines.next(), None, "{table}");
    let quiet = with_child(&space, "--follow -q", "plain").output().unwrap();
    assert_eq!(text(&quiet.stderr), "");
    // TMPDIR is the folder of this test.
    assert_eq!(left(&space), Vec::<String>::new());
}

#[test]
fn a_program_without_children_has_its_usual_report() {
    let space = Space::new();
    let output = space
        .run("--follow", "semantics.dll", "plain")
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert!(
        said.contains(", process ") && said.contains(" thread "),
        "{said}"
    );
    assert!(
        said.ends_with("no other .NET process has recorded (--follow)\n"),
        "{said}"
    );
    let output = space
        .run("--follow --format json", "semantics.dll", "plain")
        .output()
        .unwrap();
    assert_eq!(processes(&parsed(&output.stderr)).len(), 1);
}

/// The sums of the merged report are those of its parts.
#[test]
fn a_merged_report_is_the_sum_of_its_parts() {
    for options in [
        "--times exact",
        "--times sampled",
        "--counts",
        "--record events",
    ] {
        let space = Space::new();
        let run = format!("-q --follow --slow 2ms {options} -o a.soglia");
        let lines = "run threads 2 3000\nrun slow 30\nrun threads 3 2000\nrun nested\n";
        let output = script(&space, &run, lines).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let names = left(&space);
        assert_eq!(names.len(), 4, "{names:?}");
        let parts: Vec<Value> = names.iter().map(|name| report(&space, name)).collect();
        let merged = report(&space, "--follow a.soglia");
        sums(&parts, &merged);
        // The same by their names, in any order, and of a directory.
        let names: Vec<&str> = names.iter().rev().map(String::as_str).collect();
        let named = report(&space, &names.join(" "));
        if let Some(place) = crate::support::difference(&named, &merged) {
            panic!("{options}, {names:?}: {place}");
        }
        fs::create_dir(space.path("all")).unwrap();
        for name in &names {
            fs::rename(space.path(name), space.path("all").join(name)).unwrap();
        }
        fs::write(space.path("all").join("notes.txt"), "no recording").unwrap();
        let of_folder = report(&space, "all");
        assert_eq!(of_folder["targets"], merged["targets"]);
        // A recording that is named twice is read once.
        assert_eq!(report(&space, "all all/a.soglia"), of_folder);
        if options == "--record events" {
            let replayed = report(&space, "--replay all");
            assert_eq!(replayed["crossings"], merged["crossings"]);
        }
    }
}

fn sums(parts: &[Value], merged: &Value) {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    for field in ["leave", "reverse_enter"] {
        let sum: u64 = parts
            .iter()
            .map(|part| number(&part["crossings"][field]))
            .sum();
        assert_eq!(number(&merged["crossings"][field]), sum, "{field}");
    }
    assert_eq!(processes(merged).len(), parts.len());
    let name = |row: &Value| {
        let of = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        [of("direction"), of("method"), of("library"), of("entry")]
    };
    let mut expected: BTreeMap<[String; 4], Vec<&Value>> = BTreeMap::new();
    for row in parts.iter().flat_map(rows) {
        expected.entry(name(row)).or_default().push(row);
    }
    assert_eq!(rows(merged).len(), expected.len());
    let mut several = 0;
    for row in rows(merged) {
        let of = &expected[&name(row)];
        let others = ["total_ns", "self_ns", "timed_calls", "tasks"];
        for field in COUNTS.into_iter().chain(others) {
            let sum: u64 = of.iter().map(|part| number(&part[field])).sum();
            assert_eq!(number(&row[field]), sum, "{field} of {:?}", name(row));
        }
        let all = |field: &str| -> Vec<u64> {
            of.iter().filter_map(|part| part[field].as_u64()).collect()
        };
        assert_eq!(row["min_ns"].as_u64(), all("min_ns").into_iter().min());
        assert_eq!(row["max_ns"].as_u64(), all("max_ns").into_iter().max());
        let squares: f64 = all("total_ns_se")
            .iter()
            .map(|se| (*se as f64).powi(2))
            .sum();
        let error = row["total_ns_se"].as_u64().unwrap_or(0) as f64;
        assert!((error - squares.sqrt()).abs() <= 1.0, "{error} {squares}");
        let counted = |row: &Value| -> u64 {
            let buckets = row["histogram"].as_array().unwrap();
            buckets.iter().map(|bucket| number(&bucket[2])).sum()
        };
        assert_eq!(
            counted(row),
            of.iter().map(|part| counted(part)).sum::<u64>()
        );
        // One clock: no bucket is there twice.
        let buckets = row["histogram"].as_array().unwrap();
        let most: usize = of
            .iter()
            .map(|part| part["histogram"].as_array().unwrap().len())
            .sum();
        assert!(of.len() == 1 || buckets.len() <= most);
        let ends = buckets
            .windows(2)
            .map(|two| (number(&two[0][1]), number(&two[1][0])));
        for (to, from) in ends {
            assert!(from + 1 + from / 500 >= to, "buckets overlap: {buckets:?}");
        }
        let shares = row["processes"].as_array().unwrap();
        let calls: u64 = shares.iter().map(|share| number(&share["calls"])).sum();
        assert_eq!((shares.len(), calls), (of.len(), number(&row["calls"])));
        several += usize::from(of.len() > 1);
    }
    assert!(several > 0, "some target is called in several processes");
    for list in ["slow", "tasks", "findings", "open", "failures"] {
        let of = |report: &Value| report[list].as_array().unwrap().len();
        assert_eq!(of(merged), parts.iter().map(of).sum::<usize>(), "{list}");
    }
}

/// Whether the kernel tells how any process ended that it was asked about before: since 6.15.
fn kernel_tells() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|n| n.parse::<u32>().ok());
    let version = (numbers.next().unwrap(), numbers.next().unwrap());
    version >= (6, 15)
}

/// A supervisor that starts its child anew three times: the tool is the parent of none of them.
#[test]
fn how_processes_end_is_known_of_those_that_others_start() {
    let space = Space::new();
    let lines =
        "for how in sigkill segv 'exitcode 3' plain; do run $how; done 2>/dev/null\nexit 5\n";
    let output = script(&space, "--follow --format json -o a.soglia", lines)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5));
    let said = parsed(&output.stderr);
    let kept = report(&space, "--follow a.soglia");
    for report in [&said, &kept] {
        crate::schema::check_report(report);
        let ends = processes(report).iter().map(|row| {
            let ended = row["ended"].as_str().unwrap();
            (ended, row["exit_code"].as_i64(), row["signal"].as_i64())
        });
        let ends: Vec<_> = ends.collect();
        assert_eq!(
            ends[2..],
            [("exit", Some(3), None), ("exit", Some(0), None)]
        );
        let by_signal = [("killed", None, Some(9)), ("signal", None, Some(11))];
        for (ended, expected) in ends.iter().zip(by_signal) {
            // An older kernel may not say it. Then the report does not either.
            let not_known = !kernel_tells() && *ended == ("killed", None, None);
            assert!(not_known || *ended == expected, "{ends:?}");
        }
    }
    // The rows that cannot be added up name their process.
    let open = kept["open"].as_array().unwrap();
    let of: Vec<u64> = open
        .iter()
        .map(|row| row["process"].as_u64().unwrap())
        .collect();
    assert_eq!(of, [1, 2]);
    let output = space.soglia("report --follow a.soglia").output().unwrap();
    let told = text(&output.stdout);
    let pid = &processes(&kept)[0]["pid"];
    assert!(
        told.contains(&format!("thread 1 of process {pid}, tid ")),
        "{told}"
    );
    assert!(
        told.contains("exit code 0: 1") && told.contains("exit code 3: 1"),
        "{told}"
    );
    let advice = space.soglia("advise --follow a.soglia").output().unwrap();
    assert!(text(&advice.stdout).contains(&format!("in process {pid}")));
}

/// Many short processes: their list is shortened in text, and nothing stays open in the tool.
#[test]
fn many_processes_are_cheap_to_follow() {
    const MANY: usize = 30;
    let space = Space::new();
    let open = "ls /proc/$PPID/fd | wc -l";
    let lines = format!("{open}\nfor n in $(seq {MANY}); do run plain >/dev/null; done\n{open}\n");
    let output = script(&space, "--follow -o a.soglia", &lines)
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert!(
        said.contains(&format!("soglia: {MANY} processes: semantics.dll ({MANY})")),
        "{said}"
    );
    assert!(said.contains("more: all exit code 0"), "{said}");
    assert!(
        said.lines()
            .filter(|line| line.contains("a.soglia."))
            .count()
            <= 21,
        "{said}"
    );
    let counts = text(&output.stdout);
    let counts: Vec<usize> = counts
        .lines()
        .map(|line| line.trim().parse().unwrap())
        .collect();
    // That of the last process may not be closed yet.
    assert!(counts[1] <= counts[0] + 2, "{counts:?}");
    let report = report(&space, "--follow a.soglia");
    assert_eq!(processes(&report).len(), MANY);
    assert_eq!(report["targets"][0]["calls"], json!(MANY));
    assert_eq!(
        report["targets"][0]["processes"].as_array().unwrap().len(),
        MANY
    );
    // Each recording is cut behind what was written.
    for name in left(&space) {
        let size = fs::metadata(space.path(&name)).unwrap().len();
        assert!(size <= 1 << 20, "{name}: {size}");
    }
}

/// Without -o, recordings of processes that have ended do not pile up.
#[test]
fn very_many_processes_need_little_room() {
    const MANY: usize = 80;
    let space = Space::new();
    let lines = format!(
        "for n in $(seq {MANY}); do run plain >/dev/null; done\nls \"$TMPDIR\"/soglia-*/ | wc -l\n"
    );
    let output = script(&space, "--follow --format json", &lines)
        .output()
        .unwrap();
    let report = parsed(&output.stderr);
    assert_eq!(processes(&report).len(), MANY);
    assert_eq!(report["targets"][0]["calls"], json!(MANY));
    let numbers = processes(&report)
        .iter()
        .map(|row| row["process"].as_u64().unwrap());
    assert!(numbers.eq(1..=MANY as u64));
    let files: usize = text(&output.stdout).trim().parse().unwrap();
    assert!(files < MANY - 5, "{files} recordings at once");
    assert_eq!(left(&space), Vec::<String>::new());
}

/// Recordings of an earlier run lie beside those of this one, and are not of it.
#[test]
fn earlier_runs_are_not_merged() {
    let space = Space::new();
    for _ in 0..2 {
        let run = with_child(&space, "-q --follow -o a.soglia", "plain");
        assert!({ run }.status().unwrap().success());
    }
    assert!(left(&space).len() >= 2);
    assert_eq!(processes(&report(&space, "--follow a.soglia")).len(), 2);
    // A user names a recording as a process would.
    let mut other = space.run("-q -o a.soglia.1", "semantics.dll", "plain");
    assert!(other.status().unwrap().success());
    assert_eq!(processes(&report(&space, "--follow a.soglia")).len(), 2);
}

/// Without --follow, the report says that more was run than recorded.
#[test]
fn processes_that_were_not_recorded_are_told_of() {
    let space = Space::new();
    let output = with_child(&space, "", "slow 5000").output().unwrap();
    let said = text(&output.stderr);
    assert!(
        said.contains(
            "at least 1 more .NET process ran and was not recorded (--follow records it)"
        ),
        "{said}"
    );
    // A script that starts two is known to have done so.
    let output = script(&space, "", "run plain\nrun plain\n")
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert!(
        said.contains("1 more .NET process ran and was not recorded"),
        "{said}"
    );
}

#[test]
fn what_takes_one_recording_says_so() {
    let space = Space::new();
    let run = with_child(&space, "-q --follow --record events -o a.soglia", "plain");
    assert!({ run }.status().unwrap().success());
    fs::create_dir(space.path("empty")).unwrap();
    for (args, said) in [
        (
            "report --since 1s a.soglia a.soglia",
            "--since takes one recording: name one FILE or PID",
        ),
        (
            "report --last 1s .",
            "--last takes one recording: name one FILE or PID",
        ),
        (
            "report empty",
            "there is no recording in empty: `soglia run -o FILE` makes one",
        ),
        (
            "events a.soglia b.soglia",
            "`soglia events` takes one recording, and b.soglia is one more: `soglia report` and `soglia advise` take \
             several (`soglia events --help` tells more)",
        ),
        (
            "events .",
            ". is a directory: name a recording in it (`soglia report` and `soglia advise` take all of a directory)",
        ),
        (
            "report a.soglia absent.soglia",
            "cannot read absent.soglia: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(refusal(&mut space.soglia(args)), said, "{args}");
    }
    // In a directory, what cannot be read is left out and named.
    fs::write(
        space.path("empty/cut.soglia"),
        &fs::read(space.path("a.soglia")).unwrap()[..5000],
    )
    .unwrap();
    fs::copy(space.path("a.soglia"), space.path("empty/whole.soglia")).unwrap();
    let output = space.soglia("report empty").output().unwrap();
    assert!(output.status.success());
    assert!(
        text(&output.stderr).starts_with("soglia: left out: empty/cut.soglia is cut short"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn merged_reports_have_every_format() {
    let space = Space::new();
    let run = with_child(&space, "-q --follow -o a.soglia --page run.html", "plain");
    assert!({ run }.status().unwrap().success());
    let page = fs::read_to_string(space.path("run.html")).unwrap();
    assert!(
        page.contains("\"processes\":[{\"callbacks\":"),
        "the data of the page"
    );
    let output = space
        .soglia("report --follow a.soglia --format html -o report.html")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        fs::read_to_string(space.path("report.html")).unwrap().len(),
        page.len()
    );
    // `soglia diff` reads a merged report as any other.
    let json = space.soglia("report --follow a.soglia --format json -o all.json");
    assert!({ json }.status().unwrap().success());
    let output = space.soglia("diff all.json all.json").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("1 target: no change"),
        "{}",
        text(&output.stdout)
    );
}
