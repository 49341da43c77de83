//! `soglia advise`: a planted fault is the first finding, and a program without one has none.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::{
    schema::check_report,
    support::{Live, Space, fixture, signal, text, until},
};

/// The findings of a recording.
fn findings(space: &Space) -> Vec<Value> {
    let output = space.soglia("advise --format json a.soglia").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let report = space.recording("a.soglia").json("");
    check_report(&report);
    assert_eq!(found["findings"], report["findings"]);
    found["findings"].as_array().unwrap().clone()
}

/// The findings about a case of `faults.dll`.
fn of(case: &str) -> Vec<Value> {
    let space = Space::new();
    let run = space.run("-q -o a.soglia", "faults.dll", case).output();
    let run = run.unwrap();
    assert_eq!(text(&run.stderr), "", "{case}");
    findings(&space)
}

/// The first finding has this id, and its sentence has these words.
fn is_first(found: &[Value], id: &str, words: &str) {
    let first = found.first().unwrap_or(&Value::Null);
    let sentence = first["sentence"].as_str().unwrap_or_default();
    assert!(
        first["id"] == id && sentence.contains(words),
        "{id} {words}: {found:#?}"
    );
    assert_eq!(first["link"], format!("docs/advice.md#{id}"));
    // No finding without a number.
    let has_number = |text: &Value| {
        text.as_str()
            .unwrap()
            .contains(|c: char| c.is_ascii_digit())
    };
    assert!(
        has_number(&first["sentence"]) && has_number(&first["evidence"]),
        "{first:#?}"
    );
}

/// The fault is found, and is not found in the program that is mended.
fn fault(case: &str, id: &str, words: &str) {
    is_first(&of(case), id, words);
    let mended = of(&format!("{case} mended"));
    assert_eq!(mended, [Value::Null; 0], "{case} mended");
}

#[test]
fn calls_that_do_next_to_nothing() {
    fault(
        "getter",
        "chatty-target",
        "faults!list_count was called 1,500,001 times",
    );
    fault("items", "chatty-target", "faults!list_");
    fault(
        "blend",
        "suppress-candidate",
        "faults!blend would save about 18.0 ms",
    );
    fault(
        "error",
        "needless-last-error",
        "faults!probe keeps the last error",
    );
}

#[test]
fn callbacks_again_and_again() {
    fault("sort", "callback-storm", "libc!qsort called back");
    fault("visit", "callback-storm", "800,000 times");
}

#[test]
fn strings_that_are_converted_at_each_call() {
    fault("names", "string-marshalling", "at each of 300,000 calls");
    fault("names8", "string-marshalling", "at each of 300,000 calls");
}

#[test]
fn calls_that_wait() {
    fault("marked", "suppress-offender", "libc!usleep is marked");
    fault(
        "rare",
        "slow-call",
        "1 of 10,000 calls of faults!record_put took ",
    );
    fault(
        "gate",
        "native-lock",
        "10 threads waited for each other in faults!gate_enter",
    );
}

#[test]
fn work_that_waits_for_threads() {
    fault(
        "pool",
        "pool-starvation",
        "Threads of the thread pool were blocked in faults!device_wait",
    );
}

#[test]
fn objects_that_are_dropped() {
    fault(
        "dropped",
        "finalizer-frees",
        "2,000 calls of faults!list_free",
    );
}

#[test]
fn libraries_that_are_missing_or_slow() {
    fault(
        "missing",
        "swallowed-failure",
        "20 calls of accelerate!accelerate threw System.DllNotFoundException",
    );
    fault(
        "entry",
        "swallowed-failure",
        "threw System.EntryPointNotFoundException",
    );
    fault(
        "late",
        "library-search",
        "The first call of latecodec!codec_version",
    );
}

#[test]
fn a_library_from_another_folder() {
    let space = Space::new();
    let folder = |name: &str, library: &str| -> PathBuf {
        let folder = space.path(name);
        fs::create_dir(&folder).unwrap();
        fs::copy(fixture(library), folder.join("libcodec.so")).unwrap();
        folder
    };
    let (old, new) = (
        folder("old", "other/libcodec.so"),
        folder("new", "libcodec.so"),
    );
    for file in ["faults.dll", "faults.runtimeconfig.json", "libfaults.so"] {
        fs::copy(fixture(file), space.path(file)).unwrap();
    }
    let path = format!("{}:{}", old.display(), new.display());
    let with_path = |args: &str| {
        let mut command = space.soglia(args);
        command.env("LD_LIBRARY_PATH", &path).output().unwrap()
    };
    let run = with_path("run -q -o a.soglia faults.dll codec");
    assert_eq!(text(&run.stdout), "2\ndone\n", "{}", text(&run.stderr));
    let found: Value =
        serde_json::from_slice(&with_path("advise --format json a.soglia").stdout).unwrap();
    is_first(
        found["findings"].as_array().unwrap(),
        "unexpected-library",
        "libcodec.so came from",
    );
    // The same content in both places is no surprise.
    fs::copy(old.join("libcodec.so"), new.join("libcodec.so")).unwrap();
    let found: Value =
        serde_json::from_slice(&with_path("advise --format json a.soglia").stdout).unwrap();
    assert_eq!(found, json!({ "findings": [] }));
}

#[test]
fn a_crash_inside_a_call() {
    let space = Space::new();
    let run = space.run("-q -o a.soglia", "faults.dll", "crash").output();
    assert!(!run.unwrap().status.success());
    let found = findings(&space);
    is_first(&found, "open-at-crash", "was inside faults!image_decode");
    assert!(
        found[0]["sentence"]
            .as_str()
            .unwrap()
            .contains("\"decoder\""),
        "{found:#?}"
    );
    assert_eq!(of("crash mended"), [Value::Null; 0]);
}

#[test]
fn a_call_that_never_returns() {
    let space = Space::new();
    let mut live = Live::start(&mut space.run("-q -o a.soglia", "faults.dll", "read"));
    live.expect("reading");
    let recording = space.recording("a.soglia");
    until("the call to be open for long", || {
        let report = recording.try_json("").ok()?;
        let open = report["open"][0]["duration_ns"].as_u64()?;
        (open > 3_100_000_000).then_some(())
    });
    signal(live.program().unwrap(), "TERM");
    live.wait();
    is_first(
        &findings(&space),
        "stuck-call",
        "libc!read had not returned for",
    );
    assert_eq!(of("read mended"), [Value::Null; 0]);
}

#[test]
fn healthy_programs_have_no_findings() {
    assert_eq!(of("healthy"), [Value::Null; 0]);
    for (program, args) in [
        ("sixsteps.dll", ""),
        ("hello.dll", ""),
        ("sqlitedemo.dll", "2000"),
        ("modules.dll", ""),
        ("callers.dll", "async"),
    ] {
        let space = Space::new();
        let run = space.run("-q -o a.soglia", program, args).status();
        assert!(run.unwrap().success(), "{program}");
        assert_eq!(findings(&space), [Value::Null; 0], "{program}");
    }
}

#[test]
fn scripts_can_fail_on_findings() {
    let space = Space::new();
    let run = space
        .run("-q -o a.soglia", "faults.dll", "missing")
        .status();
    assert!(run.unwrap().success());
    for (options, code) in [
        ("", 0),
        ("--fail-on problem", 1),
        ("--fail-on hint --format json", 1),
    ] {
        let output = space.soglia(&format!("advise a.soglia {options}")).output();
        assert_eq!(output.unwrap().status.code(), Some(code), "{options}");
    }
    let run = space
        .run("-q -o a.soglia", "faults.dll", "missing mended")
        .status();
    assert!(run.unwrap().success());
    let output = space
        .soglia("advise a.soglia --fail-on hint")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("no findings for "));
}
