//! Exports of many machines: where they lie. And exports whose times are estimates say so.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Space, refusal, text};

fn recorded(options: &str, program: &str, args: &str) -> Space {
    let space = Space::new();
    let run = space.run(&format!("-q -o a.soglia {options}"), program, args);
    let output = { run }.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    space
}

/// All files below a folder, without its name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => left.push(entry.path()),
                false => found.push(entry.path().strip_prefix(folder).unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_recording_has_one_file_by_service_host_and_day() {
    let space = recorded("", "sixsteps.dll", "");
    let report = space.recording("a.soglia").json("");
    let export = |options: &str| {
        let command = "export a.soglia --to parquet --table targets --partition -o lake";
        let mut export = space.soglia(&format!("{command} {options}"));
        export.env("OTEL_SERVICE_NAME", "");
        export
    };
    let done = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    done(&mut export("--service six --host m1"));
    done(&mut export("--service six --host m1"));
    let [file] = &files(&space.path("lake"))[..] else {
        panic!()
    };
    let parts: Vec<&str> = file.to_str().unwrap().split('/').collect();
    let [table, service, host, day, name] = parts[..] else {
        panic!("{parts:?}")
    };
    assert_eq!(
        [table, service, host],
        ["targets", "service=six", "host=m1"]
    );
    let started = report["time"].as_str().unwrap();
    assert_eq!(day, format!("day={}", &started[..10]));
    let pid = name.split_once('-').unwrap().0;
    assert_eq!(pid, report["pid"].to_string());
    assert_eq!(
        &fs::read(space.path("lake").join(file)).unwrap()[..4],
        b"PAR1"
    );

    // By default, the name of the program and of this machine.
    done(&mut export(""));
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let expected = format!("targets/service=sixsteps/host={}/", host.trim());
    let all = files(&space.path("lake"));
    assert!(
        all.iter()
            .any(|file| file.to_str().unwrap().starts_with(&expected)),
        "{all:?}"
    );
    let mut named = export("--host m2");
    done(named.env("OTEL_SERVICE_NAME", "a/b c"));
    assert!(
        space
            .path("lake/targets/service=a%2Fb%20c/host=m2")
            .is_dir()
    );
}

#[test]
fn what_cannot_be_laid_into_folders_is_said() {
    let space = recorded("", "hello.dll", "");
    for (options, why) in [
        ("--to parquet --table targets --partition", "--output"),
        (
            "--to csv --table targets --partition -o lake",
            "--partition is for --to parquet",
        ),
        ("--to parquet --table targets -o b --host m", "--partition"),
        ("--to parquet --partition -o lake", "holds no events"),
        (
            "--to parquet --table targets --partition -o a.soglia",
            "cannot make",
        ),
    ] {
        let line = refusal(&mut space.soglia(&format!("export a.soglia {options}")));
        assert!(line.contains(why), "{options}: {line}");
        assert!(!space.path("lake").exists(), "{options}");
    }
}

#[test]
fn exports_of_estimates_say_so() {
    let export = |space: &Space, to: &str| {
        let output = space
            .soglia(&format!("export a.soglia -o - --to {to}"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let said = [
        ("flamegraph", "estimated from a sample of the calls"),
        ("pprof", "Times are estimated from a sample of the calls."),
    ];
    for (times, is_estimated) in [("sampled", true), ("exact", false)] {
        let space = recorded(&format!("--times {times}"), "sqlitedemo.dll", "500");
        for (format, line) in said {
            let found = export(&space, format).contains(line);
            assert_eq!(found, is_estimated, "{format}, {times}");
        }
        let columns = export(&space, "parquet --table targets");
        for column in [
            "timed_calls",
            "total_ns_se",
            "self_ns_se",
            "started",
            "run_ns",
        ] {
            assert!(columns.contains(column), "{column}");
        }
    }
}
