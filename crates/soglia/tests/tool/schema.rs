//! JSON outputs are as the schemas in docs/ have them, and the schemas leave nothing open.

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::{Live, Space, fixture, signal, text, until};

const REPORT: &str = include_str!("../../../../docs/report.schema.json");
const VERIFY: &str = include_str!("../../../../docs/verify.schema.json");
pub const DIFF: &str = include_str!("../../../../docs/diff.schema.json");
const EVENTS: &str = include_str!("../../../../docs/events.schema.json");

pub fn schema(text: &str) -> Validator {
    let schema: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
    jsonschema::draft202012::new(&schema).unwrap()
}

pub fn check(validator: &Validator, value: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// Whether it is a report as the schema has it.
pub fn check_report(value: &Value) {
    check(&schema(REPORT), value);
}

/// Whether they are lines of events as the schema has them.
pub fn check_events(lines: &str) {
    let schema = schema(EVENTS);
    for line in lines.lines() {
        check(&schema, &serde_json::from_str(line).unwrap());
    }
}

#[test]
fn real_outputs_fit() {
    let (report, event) = (schema(REPORT), schema(EVENTS));
    for (program, args, exit) in [
        ("semantics.dll", "badstub", true),
        ("semantics.dll", "names", true),
        ("semantics.dll", "com", true),
        ("semantics.dll", "slow 30", true),
        ("semantics.dll", "atexit", true),
        ("semantics.dll", "background", true),
        ("semantics.dll", "alc", true),
        ("semantics.dll", "failfast", false),
        ("semantics.dll", "sigkill", false),
        ("sixsteps.dll", "", true),
        ("sqlitedemo.dll", "20", true),
        ("hello.dll", "", true),
    ] {
        for source in ["transitions", "woven"] {
            let space = Space::new();
            let run = format!("-q --source {source} --record events --slow 10ms -o a.soglia");
            let output = space.run(&run, program, args).output().unwrap();
            assert_eq!(
                output.status.success(),
                exit,
                "{program} {args}: {}",
                text(&output.stderr)
            );
            let recording = space.recording("a.soglia");
            for options in ["", "--replay", "--sort name --top 3"] {
                check(&report, &recording.json(options));
            }
            let lines = recording.event_lines();
            // What hello does is all done by the framework.
            assert_eq!(
                lines.is_empty(),
                program == "hello.dll" && source == "woven"
            );
            for line in lines.lines() {
                check(&event, &serde_json::from_str(line).unwrap());
            }
        }
    }
}

#[test]
fn the_account_after_a_run_fits_too() {
    let output = Space::new()
        .run(
            "--format json --max-size 1MiB --record events",
            "semantics.dll",
            "inlined",
        )
        .output();
    check(
        &schema(REPORT),
        &serde_json::from_slice(&output.unwrap().stderr).unwrap(),
    );
}

#[test]
fn a_report_of_a_running_program_fits() {
    let space = Space::new();
    let mut live = Live::start(&mut space.run("-q -o a.soglia", "semantics.dll", "hang"));
    live.expect("hanging");
    until("the call", || {
        (space.oracle_calls("hang") == 1).then_some(())
    });
    let running = space.recording("a.soglia").json("");
    check(&schema(REPORT), &running);
    assert_eq!(
        (
            &running["ended"],
            running["open"].as_array().unwrap().is_empty()
        ),
        (&json!("running"), false)
    );
    signal(live.program().unwrap(), "KILL");
    live.wait();
}

#[test]
fn verdicts_fit() {
    let schema = schema(VERIFY);
    for args in ["delegate", "names", "sigkill", "nosuch", "com"] {
        let space = Space::new();
        let mut command = space.soglia("verify -q --format json");
        let output = command.arg(fixture("semantics.dll")).arg(args).output();
        let value = serde_json::from_slice(&output.unwrap().stderr).unwrap();
        check(&schema, &value);
        assert!(!value["targets"].as_array().unwrap().is_empty());
    }
}

#[test]
fn an_account_under_a_bound_fits() {
    for options in ["--slots 1", "--slots 2 --slot-timeout 5s"] {
        let space = Space::new();
        let run = format!("-q -o a.soglia {options}");
        space.run(&run, "slots.dll", "wait").output().unwrap();
        let report = space.recording("a.soglia").json("");
        check(&schema(REPORT), &report);
        assert!(report["slots"].is_object());
    }
}

/// Every object is closed, and every field is required and described. So an output with a field
/// more, or less, fails.
#[test]
fn an_account_under_a_policy_fits() {
    let (report, event) = (schema(REPORT), schema(EVENTS));
    let space = Space::new();
    let run = "-q --source woven --record events -o a.soglia --deny plain --redirect length=libsemantics.so";
    for args in ["try plain", "try length", "nested"] {
        space.run(run, "semantics.dll", args).output().unwrap();
        let recording = space.recording("a.soglia");
        check(&report, &recording.json(""));
        for line in recording.event_lines().lines() {
            check(&event, &serde_json::from_str(line).unwrap());
        }
    }
}

#[test]
fn schemas_leave_nothing_open() {
    fn walk(schema: &Value, at: &str) {
        if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
            assert_eq!(schema["additionalProperties"], json!(false), "{at}");
            let required = schema["required"].as_array().unwrap();
            assert_eq!(required.len(), fields.len(), "{at}");
            for (name, field) in fields {
                assert!(required.contains(&json!(name)), "{at}: {name}");
                let described = field["description"]
                    .as_str()
                    .is_some_and(|text| text.ends_with('.'));
                assert!(described, "{at}: {name} has no description");
            }
        }
        match schema {
            Value::Object(object) => object
                .iter()
                .for_each(|(name, value)| walk(value, &format!("{at}/{name}"))),
            Value::Array(array) => array.iter().for_each(|value| walk(value, at)),
            _ => {}
        }
    }
    for text in [REPORT, EVENTS, VERIFY, DIFF] {
        walk(&serde_json::from_str(text).unwrap(), "");
    }
}

#[test]
fn outputs_that_are_different_do_not_fit() {
    let space = Space::new();
    assert!(
        space
            .run("-q --record events -o a.soglia", "sixsteps.dll", "")
            .status()
            .unwrap()
            .success()
    );
    let recording = space.recording("a.soglia");
    let (report, event) = (schema(REPORT), schema(EVENTS));
    let whole = recording.json("");
    let line: Value =
        serde_json::from_str(recording.event_lines().lines().next().unwrap()).unwrap();
    let paths = ["", "/runtime", "/crossings", "/targets/0", "/tasks/0"];
    let places = paths
        .map(|path| (&report, &whole, path))
        .into_iter()
        .chain([(&event, &line, "")]);
    for (validator, value, path) in places {
        let names: Vec<String> = value
            .pointer(path)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        for name in names {
            let changed = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
                let mut other = value.clone();
                change(other.pointer_mut(path).unwrap().as_object_mut().unwrap());
                validator.is_valid(&other)
            };
            assert!(
                !changed(&|fields| drop(fields.remove(&name))),
                "without {path}/{name}"
            );
            assert!(
                !changed(&|fields| drop(fields.insert(name.clone(), json!(-1.5)))),
                "{path}/{name} is -1.5"
            );
            assert!(
                !changed(&|fields| drop(fields.insert(format!("{name}_"), json!(0)))),
                "with one more in {path}"
            );
        }
    }
}
