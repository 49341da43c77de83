//! The arguments of slow, failed and denied calls.

use serde_json::Value;

use crate::{
    schema,
    support::{Live, Recording, Space, signal, text, until},
};

const SLOW: &str = "--slow 20ms";

fn run<'a>(space: &'a Space, options: &str, case: &str) -> Recording<'a> {
    let options = format!("-q -o a.soglia --source woven {SLOW} {options}");
    let output = space.run(&options, "passed.dll", case).output().unwrap();
    assert!(output.status.success(), "{case}: {output:?}");
    space.recording("a.soglia")
}

/// `name: value` of a list of arguments.
fn shown(args: &Value) -> Vec<String> {
    let args = args.as_array().into_iter().flatten();
    let one = |arg: &Value| {
        format!(
            "{}: {}",
            arg["name"].as_str().unwrap(),
            arg["value"].as_str().unwrap()
        )
    };
    args.map(one).collect()
}

/// The slow calls of a function, in their order.
fn slow(report: &Value, entry: &str) -> Vec<Value> {
    let rows = report["slow"].as_array().unwrap().iter();
    rows.filter(|row| row["target"] == format!("passed!{entry}"))
        .cloned()
        .collect()
}

fn only(report: &Value, entry: &str) -> Value {
    let rows = slow(report, entry);
    assert_eq!(
        rows.len(),
        1,
        "one slow call of {entry}: {}",
        report["slow"]
    );
    rows[0].clone()
}

#[test]
fn numbers_are_shown_as_their_types() {
    let space = Space::new();
    let row = only(&run(&space, "", "numbers").json(""), "passed_numbers");
    assert_eq!(
        shown(&row["args"]),
        [
            "ms: 30",
            "small: 200",
            "flag: true",
            "letter: 'z'",
            "large: -5000000000",
            "most: 18446744073709551615",
            "single: 0.5",
            "exact: -2.25",
            "mode: Read | Write (3)",
            "place: 0x1234",
        ]
    );
    assert_eq!(
        (row["result"].as_str(), &row["error"]),
        (Some("-7"), &Value::Null)
    );
}

#[test]
fn texts_are_short_and_harmless() {
    let space = Space::new();
    let report = run(&space, "", "texts").json("");
    let rows = slow(&report, "passed_texts");
    assert_eq!(rows.len(), 3, "{}", report["slow"]);
    assert_eq!(
        shown(&rows[0]["args"]),
        [
            "ms: 30",
            r#"text: "näh\n\u{1b}[31m""#,
            r#"builder: "built""#,
            "nothing: null"
        ]
    );
    let long = format!("text: \"{}…\" (100 characters)", "x".repeat(64));
    assert_eq!(shown(&rows[1]["args"])[1], long);
    assert_eq!(shown(&rows[1]["args"])[3], "nothing: \"\"");
    // `LibraryImport` generated this call, and passes pointers.
    let generated = shown(&rows[2]["args"]);
    assert_eq!(
        generated[1].trim_start_matches('_'),
        "text: \"weit\"",
        "{generated:?}"
    );
}

#[test]
fn objects_are_shown_as_far_as_they_mean_something() {
    let space = Space::new();
    let row = only(&run(&space, "", "things").json(""), "passed_things");
    assert_eq!(
        shown(&row["args"]),
        [
            "ms: 30",
            "handle: SafeFileHandle 0x4d",
            "numbers: int[3]",
            "pair: Pair of 16 bytes",
            "count: 42",
            "result: -9",
            "callback: null",
        ]
    );
    assert_eq!(row["result"], "1099511627776");
}

#[test]
fn the_last_error_has_a_name() {
    let space = Space::new();
    let report = run(&space, "", "errors").json("");
    let rows = slow(&report, "passed_fails");
    assert_eq!(rows.len(), 2, "{}", report["slow"]);
    for (row, path) in rows.iter().zip(["/no/such/file", "/nor/this"]) {
        assert_eq!(row["error"], "ENOENT (2)", "{path}");
        assert_eq!(row["result"], "-1", "{path}");
        let args = shown(&row["args"]);
        assert!(args[1].ends_with(&format!("path: \"{path}\"")), "{args:?}");
    }
}

#[test]
fn secrets_stay_in_the_program() {
    let space = Space::new();
    let recording = run(&space, "--redact passed!passed_plain!note", "secrets");
    let report = recording.json("");
    let login = shown(&only(&report, "passed_login")["args"]);
    assert_eq!(
        login,
        ["ms: 30", "user: \"somebody\"", "password: [redacted]"]
    );
    let token = only(&report, "passed_set_token");
    assert_eq!(
        shown(&token["args"]),
        ["ms: [redacted]", "value: [redacted]"]
    );
    assert_eq!(token["result"], "[redacted]");
    let plain = shown(&only(&report, "passed_plain")["args"]);
    assert_eq!(plain, ["ms: 30", "note: [redacted]"]);
    assert!(
        has(&recording, "somebody"),
        "what is no secret is in the file"
    );
    for secret in ["hunter2", "tok-en-4711", "a private note"] {
        assert!(!has(&recording, secret), "{secret} is in the file");
    }
}

/// Whether a text is in the file of a recording.
fn has(recording: &Recording<'_>, text: &str) -> bool {
    let bytes = std::fs::read(&recording.path).unwrap();
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [text.as_bytes(), &wide]
        .into_iter()
        .any(|s| bytes.windows(s.len()).any(|w| w == s))
}

/// The one slow callback of a method or delegate whose name ends so.
fn callback(report: &Value, name: &str) -> Value {
    let rows = report["slow"].as_array().unwrap().iter();
    let mut rows = rows.filter(|row| row["target"].as_str().unwrap().ends_with(name));
    let row = rows.next().cloned();
    row.unwrap_or_else(|| panic!("no slow call of {name}: {}", report["slow"]))
}

#[test]
fn callbacks_have_their_arguments() {
    let space = Space::new();
    let row = callback(&run(&space, "", "back").json(""), "Rest");
    assert_eq!(shown(&row["args"]), ["ms: 30", "value: 41"]);
    assert_eq!(row["result"], "42");
    let recording = run(&space, "--redact passed_back!value", "unlock");
    let row = callback(&recording.json(""), "Unlock");
    assert_eq!(shown(&row["args"]), ["ms: 30", "pin: [redacted]"]);
    assert!(!has(&recording, "4711424242"), "the secret is in the file");
}

#[test]
fn delegates_have_their_arguments() {
    let space = Space::new();
    let row = callback(&run(&space, "", "through").json(""), "Told.Invoke");
    assert_eq!(
        shown(&row["args"]),
        [
            "ms: 30",
            "text: \"from native\"",
            "exact: 0.5",
            "small: 200",
            "place: 42",
            "flag: true",
            "mode: Read | Write (3)",
            "wide: \"wide\"",
            "pin: [redacted]",
        ]
    );
    assert_eq!(row["result"], "7");
    let report = run(&space, "", "outward").json("");
    for (name, note) in [("Plain.Invoke", "outward"), ("WideText.Invoke", "weit")] {
        let row = callback(&report, name);
        let note = format!("note: \"{note}\"");
        assert_eq!(shown(&row["args"]), ["ms: 30".to_owned(), note]);
        assert_eq!(row["result"], "0");
    }
    let report = run(&space, "--args other", "through").json("");
    assert!(callback(&report, "Told.Invoke")["args"].is_null());
    let report = run(&space, "--args passed!Told", "through").json("");
    assert_eq!(
        shown(&callback(&report, "Told.Invoke")["args"])[0],
        "ms: 30"
    );
}

#[test]
fn the_user_chooses_whose_arguments_are_recorded() {
    for (options, login, plain) in [
        ("", true, true),
        ("--no-args", false, false),
        ("--args passed!*plain", false, true),
        ("--args passed_l*", true, false),
        ("--args other!*", false, false),
    ] {
        let space = Space::new();
        let report = run(&space, options, "secrets").json("");
        let found = |entry| !only(&report, entry)["args"].is_null();
        assert_eq!(
            (found("passed_login"), found("passed_plain")),
            (login, plain),
            "{options}"
        );
    }
}

#[test]
fn the_first_failed_call_has_its_arguments() {
    let space = Space::new();
    let report = run(&space, "", "nowhere").json("");
    let rows = report["failures"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["calls"], 3);
    assert_eq!(shown(&rows[0]["args"]), ["ms: 0", "note: \"lost\""]);
}

#[test]
fn denied_calls_have_their_arguments() {
    for (rule, first) in [
        ("--deny passed!passed_plain", 0),
        ("--max-calls passed_plain=1", 1),
    ] {
        let space = Space::new();
        let recording = run(&space, rule, "denied");
        let report = recording.json("");
        let rows = report["denied"].as_array().unwrap();
        let found: Vec<_> = rows.iter().map(|row| shown(&row["args"])).collect();
        let wanted: Vec<_> = (first..3)
            .map(|n| vec![format!("ms: {n}"), "note: \"not allowed\"".to_owned()])
            .collect();
        assert_eq!(found, wanted, "{rule}");
        assert!(
            rows.iter()
                .all(|row| row["target"] == "passed!passed_plain"),
            "{rows:?}"
        );
        let output = space
            .soglia("report")
            .arg(&recording.path)
            .output()
            .unwrap();
        let said = text(&output.stdout);
        let line = format!("with ms: {first}, note: \"not allowed\"");
        assert!(said.contains(&line), "{line} is not in\n{said}");
    }
}

#[test]
fn the_report_names_the_slowest_call_first() {
    let space = Space::new();
    let recording = run(&space, "", "often 1000");
    assert_eq!(recording.report().calls("passed_plain"), 1001);
    let output = space
        .soglia("report")
        .arg(&recording.path)
        .output()
        .unwrap();
    let said = text(&output.stdout);
    let line = said
        .lines()
        .find(|line| line.starts_with("slowest: "))
        .unwrap_or_default();
    assert!(line.contains("note: \"slow\"; returned 0"), "{said}");
}

#[test]
fn options_that_do_nothing_are_refused() {
    let space = Space::new();
    for (options, wanted) in [
        ("--no-args --redact f!x", "does nothing with --no-args"),
        ("--redact f", "GLOB!PARAMETER"),
        ("--args =all", "invalid value"),
    ] {
        let output = space
            .run(options, "passed.dll", "numbers")
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{options}: {said}");
        assert!(said.contains(wanted), "{options}: {said}");
    }
}

#[test]
fn open_calls_have_their_arguments_where_the_user_asks_for_it() {
    let space = Space::new();
    let options = "-o a.soglia --source woven --stuck 300ms --args passed_login=all";
    let mut live = Live::start(&mut space.run(options, "passed.dll", "hangs"));
    let recording = space.recording("a.soglia");
    let all = ["ms: 600000", "user: \"somebody\"", "password: [redacted]"];
    let login = |report: &Value, list: &str| {
        let rows = report[list].as_array().unwrap().iter();
        let mut rows = rows.filter(|row| row["target"] == "passed!passed_login");
        rows.next().cloned()
    };
    let report = until("a report of the call", || {
        let report = recording.try_json("").ok()?;
        login(&report, "overdue").map(|_| report)
    });
    schema::check_report(&report);
    for list in ["overdue", "open"] {
        let row = login(&report, list).unwrap();
        assert_eq!(shown(&row["args"]), all, "{list}");
    }
    let said = live.error_line();
    assert!(said.contains(&format!("with {}", all.join(", "))), "{said}");
    signal(live.program().unwrap(), "KILL");
    live.wait();
    let report = recording.json("");
    for list in ["overdue", "open"] {
        let row = login(&report, list).unwrap();
        assert_eq!(shown(&row["args"]), all, "{list}");
    }
    let output = space.soglia("report a.soglia").output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(said.matches("user: \"somebody\"").count(), 2, "{said}");
    assert!(!said.contains("not recorded"), "{said}");
    assert!(!has(&recording, "hunter2"), "the secret is in the file");
}

#[test]
fn calls_that_are_over_are_slow_ones_as_before() {
    let space = Space::new();
    let report = run(&space, "--args passed_*=all", "things").json("");
    let row = only(&report, "passed_things");
    assert_eq!(
        shown(&row["args"])[4..],
        ["count: 42", "result: -9", "callback: null"]
    );
    let report = run(&space, "--args passed_fails=all", "errors").json("");
    for row in slow(&report, "passed_fails") {
        assert_eq!(row["error"], "ENOENT (2)");
    }
}

#[test]
fn events_have_the_arguments_of_calls_that_stand_out() {
    let space = Space::new();
    let with = |options: &str, case: &str, crossing: &str| {
        let recording = run(&space, &format!("--record events {options}"), case);
        schema::check_events(&recording.event_lines());
        let lines = recording.event_lines();
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines = lines.filter(|line| line["crossing"] == crossing && line["args"].is_array());
        let found: Vec<Vec<String>> = lines.map(|line| shown(&line["args"])).collect();
        let output = space.soglia("events a.soglia").output().unwrap();
        (found, text(&output.stdout))
    };
    let (found, said) = with("", "back", "ReverseLeaveRuntime");
    assert_eq!(found, [["ms: 30", "value: 41"]]);
    assert!(
        said.contains("ReverseLeaveRuntime  with ms: 30, value: 41; returned 42\n"),
        "{said}"
    );
    let (found, said) = with("", "nowhere", "EnterRuntime");
    assert_eq!(found, [["ms: 0", "note: \"lost\""]]);
    assert!(said.contains("by an exception  with ms: 0, "), "{said}");
    let (found, said) = with("--deny passed!passed_plain", "denied", "LeaveRuntime");
    let wanted = (0..3).map(|n| vec![format!("ms: {n}"), "note: \"not allowed\"".to_owned()]);
    assert_eq!(found, wanted.collect::<Vec<_>>());
    assert!(said.contains("denied: not called  with ms: 2, "), "{said}");
}
