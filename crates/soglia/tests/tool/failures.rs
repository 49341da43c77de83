//! Why native calls fail: the recording has the exceptions that they end by.

use std::collections::BTreeMap;

use soglia_core::trace::{failure::Failure, names::Names, reader::Reader};

use crate::support::{Space, text};

/// Runs `outcomes.dll`, and reads what the recording says about it.
fn outcomes(space: &Space, options: &str) -> Names {
    let options = format!("-q -o a.soglia {options}");
    let output = space.run(&options, "outcomes.dll", "").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    Reader::open(&space.path("a.soglia")).unwrap().names()
}

/// The failures of a method.
fn of<'a>(names: &'a Names, method: &str) -> Vec<&'a Failure> {
    let is = |failure: &&Failure| {
        let target = names.targets.get(&failure.target);
        target.and_then(|t| t.method.as_deref())
            == Some(&format!("Soglia.Outcomes.Native.{method}"))
    };
    names.failures.iter().filter(is).collect()
}

#[test]
fn each_exception_is_recorded_once_and_counted() {
    let space = Space::new();
    let names = outcomes(&space, "");
    for (method, exception, message) in [
        (
            "NoLibraryPlain",
            "System.DllNotFoundException",
            "no_such_library",
        ),
        (
            "NoEntryPlain",
            "System.EntryPointNotFoundException",
            "no_such_entry_point",
        ),
        (
            "NoLibrary",
            "System.DllNotFoundException",
            "no_such_library",
        ),
        (
            "BadArgumentPlain",
            "System.Runtime.InteropServices.MarshalDirectiveException",
            "marshal",
        ),
    ] {
        let failures = of(&names, method);
        let [failure] = &failures[..] else {
            panic!("{method}: {failures:?}")
        };
        assert_eq!(
            (&*failure.exception, failure.calls),
            (exception, 2),
            "{method}"
        );
        let said = failure.message.as_deref().unwrap();
        assert!(said.contains(message), "{method}: {said}");
        let stack = names.stack(failure.stack);
        assert!(
            stack[0].starts_with("Soglia.Outcomes.Program+"),
            "{method}: {stack:?}"
        );
        assert!(
            stack.contains(&"Soglia.Outcomes.Program.Main"),
            "{method}: {stack:?}"
        );
    }
}

/// As many as the report has as failed, whatever filters do meanwhile.
#[test]
fn every_failed_call_has_its_exception() {
    // With slots, the runtime links a function before its call is made, and the call is not made.
    for (options, most) in [("", 8), ("--slots 2", 3)] {
        let space = Space::new();
        let names = outcomes(&space, options);
        let report = space.recording("a.soglia").report();
        let mut failed: BTreeMap<String, u64> = BTreeMap::new();
        for target in report.targets.iter().filter(|target| target.failed > 0) {
            let method = target.method.clone().unwrap();
            *failed.entry(method).or_default() += target.failed;
        }
        let mut recorded: BTreeMap<String, u64> = BTreeMap::new();
        for failure in names.failures.iter().filter(|failure| failure.calls > 0) {
            let method = names.targets[&failure.target].method.clone().unwrap();
            *recorded.entry(method).or_default() += failure.calls;
        }
        assert!(failed.len() >= most, "{options}: {failed:?}");
        assert_eq!(recorded, failed, "{options}");
    }
}
