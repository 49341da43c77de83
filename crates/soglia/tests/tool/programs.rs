//! Whole programs: the six steps, SQLite, slow calls, and as many calls as a second has room for.

use crate::check::{agree, word};
use crate::support::{Line, Space, Target, fixture, setup, text};

fn forward<'a>(rows: &'a [Target], library: &str) -> Vec<&'a Target> {
    rows.iter()
        .filter(|row| {
            row.library
                .as_deref()
                .is_some_and(|name| name.contains(library))
        })
        .collect()
}

#[test]
fn the_six_steps_are_six() {
    let space = Space::new();
    let bare = Space::new().bare("sixsteps.dll", "").output().unwrap();
    let output = space
        .run("-q --record events -o a.soglia", "sixsteps.dll", "")
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), text(&bare.stdout))
    );
    let recording = space.recording("a.soglia");
    let (report, lines) = (recording.report(), recording.events());
    agree(&report, &lines);
    let own = |line: &&Line| {
        line.assembly
            .as_deref()
            .is_some_and(|name| name.starts_with("sixsteps"))
    };
    let six: Vec<&Line> = lines.iter().filter(own).collect();
    let words: Vec<String> = six.iter().map(|line| word(line)).collect();
    assert_eq!(
        words,
        ["L(first)", "R(OnFirst)", "L(second)", "E", "V", "E"]
    );
    let depths: Vec<usize> = six.iter().map(|line| line.depth).collect();
    assert_eq!(depths, [0, 1, 2, 3, 2, 1]);
    assert!(
        six.iter()
            .all(|line| (line.task, line.os_thread) == (six[0].task, report.pid)),
        "{six:?}"
    );

    // Method, assembly, library, entry of each.
    let first = (
        Some("Program.first"),
        Some("sixsteps"),
        Some("sixsteps"),
        Some("first"),
    );
    let on_first = (
        Some("Soglia.SixSteps.Callbacks.OnFirst"),
        Some("sixsteps.library"),
        None,
        None,
    );
    let second = (
        Some("Soglia.SixSteps.Callbacks.second"),
        Some("sixsteps.library"),
        Some("sixsteps"),
        Some("second"),
    );
    let told = six.iter().map(|line| {
        (
            line.method.as_deref(),
            line.assembly.as_deref(),
            line.library.as_deref(),
            line.entry.as_deref(),
        )
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [first, on_first, second, second, on_first, first]
    );
    for line in &six {
        assert_eq!(line.address.is_some(), line.entry.is_some(), "{line:?}");
        assert!(!line.runtime_internal, "{line:?}");
    }

    let rows = forward(&report.targets, "sixsteps");
    assert_eq!(rows.len(), 2);
    for row in rows {
        let address = row
            .address
            .as_deref()
            .and_then(|hex| u64::from_str_radix(hex.strip_prefix("0x")?, 16).ok());
        assert!(address.is_some_and(|address| address != 0), "{row:?}");
        assert_eq!(row.file.as_deref(), Some(&*fixture("libsixsteps.so")));
        assert_eq!(row.calls, 1);
    }
    let second = report
        .targets
        .iter()
        .find(|row| row.entry.as_deref() == Some("second"))
        .unwrap();
    assert_eq!(second.first_caller[0], "Soglia.SixSteps.Callbacks.OnFirst");
    let oracle = space.oracle();
    assert_eq!((oracle["first"], oracle["second"]), ((1, 1), (1, 0)));
}

#[test]
fn sqlite_is_counted_to_the_last_call() {
    const ROWS: u64 = 500;
    let space = Space::new();
    let bare = Space::new()
        .bare("sqlitedemo.dll", &ROWS.to_string())
        .output()
        .unwrap();
    let missing = "this test needs libsqlite3.so.0 (Debian: apt-get install libsqlite3-0)";
    assert!(bare.status.success(), "{missing}: {}", text(&bare.stderr));
    let under = space
        .run(
            "-q --record events -o a.soglia",
            "sqlitedemo.dll",
            &ROWS.to_string(),
        )
        .output()
        .unwrap();
    assert_eq!(
        (under.status.code(), text(&under.stdout)),
        (Some(0), text(&bare.stdout))
    );
    let recording = space.recording("a.soglia");
    let (report, lines) = (recording.report(), recording.events());
    agree(&report, &lines);
    let own = |line: &&Line| line.assembly.as_deref() == Some("sqlitedemo");
    assert_eq!(lines.iter().filter(own).count() as u64, 40 + 16 * ROWS);
    assert_eq!(report.callbacks("WithTax"), ROWS);
    let rows = forward(&report.targets, "sqlite3");
    assert_eq!(rows.iter().map(|row| row.calls).sum::<u64>(), 20 + 7 * ROWS);
    for (entry, calls) in [
        ("sqlite3_reset", ROWS),
        ("sqlite3_value_int64", ROWS),
        ("sqlite3_open", 1),
    ] {
        assert_eq!(report.calls(entry), calls, "{entry}");
    }
    for row in rows {
        assert!(row.address.is_some(), "{row:?}");
        let file = row
            .file
            .as_deref()
            .and_then(|file| file.file_name()?.to_str())
            .unwrap();
        assert!(file.starts_with("libsqlite3.so"), "{row:?}");
    }
    for row in report.targets.iter().filter(|row| row.min_ns.is_some()) {
        times_make_sense(row);
    }
}

fn times_make_sense(row: &Target) {
    let times = [row.min_ns, row.p50_ns, row.p90_ns, row.p99_ns, row.max_ns].map(Option::unwrap);
    assert!(times.is_sorted(), "{row:?}");
    let mean = row.mean_ns.unwrap();
    assert!(times[0] <= mean && mean <= times[4], "{row:?}");
    assert!(
        row.self_ns <= row.total_ns && times[4] <= row.total_ns,
        "{row:?}"
    );
    assert!(row.total_ns <= times[4] * row.calls, "{row:?}");
}

#[test]
fn slow_calls_have_their_callers() {
    let space = Space::new();
    let output = space
        .run("-q --slow 20ms -o a.soglia", "semantics.dll", "slow 50")
        .output()
        .unwrap();
    assert!(output.status.success());
    let report = space.recording("a.soglia").report();
    // A machine under load may make the runtime's own calls slow as well.
    let own: Vec<_> = report
        .slow
        .iter()
        .filter(|row| !row.runtime_internal)
        .collect();
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!(own[0].target, "semantics!sleep_ms");
    assert_eq!(own[0].stack[0], "Soglia.Semantics.Load.Slow");
    assert!(
        own[0].stack.iter().any(|frame| frame == "Program.<Main>$"),
        "{own:?}"
    );
    assert!(
        own[0].duration_ns >= 20_000_000 && report.slow_threshold_ns == 20_000_000,
        "{own:?}"
    );

    let output = space
        .run("-q --slow off -o b.soglia", "semantics.dll", "slow 50")
        .output()
        .unwrap();
    assert!(output.status.success());
    let report = space.recording("b.soglia").report();
    assert_eq!(
        (
            report.slow.len(),
            report.slow_threshold_ns,
            report.calls("sleep_ms")
        ),
        (0, 0, 1)
    );
}

#[test]
fn a_second_of_nothing_but_calls_is_counted_exactly() {
    let space = Space::new();
    let output = space
        .run("-q -o a.soglia", "semantics.dll", "spin 1")
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "spinning\ndone\n".into())
    );
    let report = space.recording("a.soglia").report();
    assert_eq!((report.level.as_str(), report.dropped), ("summary", 0));
    assert_eq!(report.calls("plain"), space.oracle_calls("plain"));
}

/// When events are full the account goes on.
#[test]
fn a_full_recording_loses_events_but_no_calls() {
    let space = Space::new();
    let run = "-q --record events --max-size 1MiB -o a.soglia";
    let output = space.run(run, "semantics.dll", "spin 1").output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "spinning\ndone\n".into())
    );
    let recording = space.recording("a.soglia");
    let report = recording.report();
    assert_eq!(report.calls("plain"), space.oracle_calls("plain"));
    let kept = recording.events().len() as u64;
    assert!(
        kept > 0 && report.dropped > 0,
        "{kept} kept, {} dropped",
        report.dropped
    );
    assert_eq!(
        kept + report.dropped,
        report.crossings.values().sum::<u64>()
    );
    assert!(std::fs::metadata(&recording.path).unwrap().len() <= 1 << 20);
    let output = space
        .soglia("events a.soglia --format jsonl")
        .output()
        .unwrap();
    let note = text(&output.stderr);
    assert!(
        note.starts_with("soglia: ") && note.contains("--max-size") && note.lines().count() == 1,
        "{note}"
    );
}

#[test]
fn the_recording_names_program_and_runtime() {
    let space = Space::new();
    assert!(
        space
            .run("-q -o a.soglia", "semantics.dll", "plain 1")
            .status()
            .unwrap()
            .success()
    );
    let json = space.recording("a.soglia").json("");
    let dll = fixture("semantics.dll");
    assert_eq!(json["program"].as_str(), dll.to_str());
    let line = json["command_line"].as_array().unwrap();
    assert!(
        line.ends_with(&[dll.to_str().unwrap().into(), "plain".into(), "1".into()]),
        "{line:?}"
    );
    let version = json["runtime"]["version"].as_str().unwrap();
    let versions = setup().root.versions_of(soglia::dotnet::CORE_FRAMEWORK);
    assert!(
        versions.iter().any(|known| known.to_string() == version),
        "{version} is not among {versions:?}"
    );
}
