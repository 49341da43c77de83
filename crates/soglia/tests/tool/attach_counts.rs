//! `soglia attach` on a program under load: what is recorded from then on equals what native code
//! counts itself, by function and by thread, and nothing in the program goes wrong.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::support::{Attached, Counted, Served, Space, of_all, random, recorded};

/// Functions that are called in a frame which was there before the attach, or through what was made
/// before: the recording has all of their calls or none.
const BEFORE: &[&str] = &[
    "endless",
    "pump",
    "old_managed_pointer",
    "old_bound",
    "grouped",
    "emitted",
    "from_pointer",
];

/// Native functions that call back, and the methods that they call.
const CALLBACKS: &[(&str, &[&str])] = &[
    ("call_kept_marked", &["KeptMarked"]),
    ("call_kept_delegate", &["Kept.Invoke", "KeptTarget"]),
    ("call_marked", &["PassedMarked", "Look"]),
    ("call_delegate", &["Passed.Invoke"]),
    ("pump", &["OnPump"]),
    ("call_on_thread", &["OnForeignThread"]),
];

/// Waits for a while that is different each time, and says for how long.
fn for_a_while(at_most: u64) {
    let time = Duration::from_millis(random(at_most));
    println!("waits for {time:?}");
    sleep(time);
}

/// What differs between the library's counts and those of the recording.
fn differences(native: &Counted, recorded: &Counted) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: String, native: u64, recorded: u64, may_be_none: bool| {
        if recorded != native && !(may_be_none && recorded == 0) {
            differences.push(format!("{what}: {native} calls, {recorded} recorded"));
        }
    };
    for ((name, thread), count) in &native.calls {
        let of_it = match thread {
            0 => of_all(&recorded.calls, name),
            _ => *recorded.calls.get(&(name.clone(), *thread)).unwrap_or(&0),
        };
        let before = BEFORE.contains(&&**name);
        compare(format!("{name} on {thread}"), *count, of_it, before);
    }
    let tried = of_all(&native.calls, "tried");
    for absent in ["absent_entry", "absent_library"] {
        let of_it = of_all(&recorded.calls, absent);
        compare(absent.to_owned(), tried, of_it, false);
    }
    for (function, methods) in CALLBACKS {
        let is_one = |method: &str| {
            let ends_with = |name: &&str| method.ends_with(&format!(".{name}"));
            methods.iter().any(ends_with)
        };
        for ((_, thread), count) in (native.callbacks.iter()).filter(|((f, _), _)| f == function) {
            let rows = recorded.callbacks.iter().filter(|((method, on), _)| {
                is_one(method) && (on == thread || *function == "call_on_thread")
            });
            let of_it = rows.map(|(_, count)| count).sum();
            compare(
                format!("callbacks of {function} on {thread}"),
                *count,
                of_it,
                false,
            );
        }
    }
    let known: BTreeSet<&str> = (native.calls.keys())
        .map(|(name, _)| &**name)
        .chain(["absent_entry", "absent_library"])
        .collect();
    for ((name, thread), count) in &recorded.calls {
        // The program reads commands and writes answers.
        if !known.contains(&**name) && !name.starts_with("SystemNative_") {
            differences.push(format!("{name} on {thread}: {count} recorded, no calls"));
        }
    }
    differences
}

/// Compares what both count between two stops.
fn check(served: &mut Served, attached: &Attached) {
    let before = (served.stop(), attached.recorded());
    let traces = served.traces;
    served.go();
    for_a_while(1000);
    let after = (served.stop(), attached.recorded());
    // A trace that is made while code is replaced may lack lines; no other may.
    assert_eq!(served.traces, traces, "stack traces have changed");
    served.go();
    let native = after.0.since(&before.0);
    let recorded = after.1.since(&before.1);
    // The program is not idle.
    assert!(of_all(&native.calls, "hot") > 0, "{native:?}");
    let differences = differences(&native, &recorded);
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Attaches at some moment, compares counts, and lets go.
fn attach_once(options: &str, variables: &[(&str, &str)]) {
    let space = Space::new();
    let mut served = Served::start(&space, "", variables);
    for_a_while(1500);
    let attached = served.attach("a.soglia", &format!("-q {options}"));
    check(&mut served, &attached);
    attached.let_go();
    let recorded = recorded(&space.path("a.soglia"));
    served.stop();
    let traces = served.traces;
    served.go();
    sleep(Duration::from_millis(50));
    served.stop();
    assert_eq!(served.traces, traces, "stack traces have changed");
    // The engine has let go: nothing is added.
    let later = self::recorded(&space.path("a.soglia"));
    assert_eq!(later.since(&recorded).calls, Counted::default().calls);
    served.end();
}

#[test]
fn counts_are_exact_from_any_moment_on() {
    attach_once("", &[]);
}

#[test]
fn counts_are_exact_without_times() {
    attach_once("--counts", &[]);
}

#[test]
fn counts_are_exact_with_all_of_the_framework() {
    attach_once("--corelib", &[]);
}

#[test]
fn counts_are_exact_without_tiered_compilation() {
    attach_once("", &[("DOTNET_TieredCompilation", "0")]);
}

#[test]
fn counts_are_exact_without_instrumented_code() {
    attach_once("", &[("DOTNET_TieredPGO", "0")]);
}

#[test]
fn counts_are_exact_without_precompiled_code() {
    attach_once("--framework", &[("DOTNET_ReadyToRun", "0")]);
}

#[test]
fn counts_are_exact_with_the_collector_of_servers() {
    attach_once("", &[("DOTNET_gcServer", "1"), ("DOTNET_GCHeapCount", "2")]);
}

#[test]
fn counts_are_exact_while_the_program_never_rests() {
    let space = Space::new();
    let works = "--busy hot inlined texts errors blocks marked delegates async failing traces";
    let mut served = Served::start(&space, works, &[]);
    for_a_while(500);
    let attached = served.attach("a.soglia", "-q");
    let before = (served.stop(), attached.recorded());
    served.go();
    for_a_while(500);
    let after = (served.stop(), attached.recorded());
    served.go();
    let native = after.0.since(&before.0);
    let recorded = after.1.since(&before.1);
    let differences = differences(&native, &recorded);
    assert!(differences.is_empty(), "{differences:#?}");
    attached.let_go();
    served.end();
}

#[test]
fn methods_and_modules_that_are_new_are_seen_from_their_first_call() {
    let space = Space::new();
    let mut served = Served::start(&space, "slow", &[]);
    assert_eq!(served.ask("first"), "first 500502");
    let attached = served.attach("a.soglia", "-q");
    for (command, answer, name, calls) in [
        ("first", "first 500502", "first_call", 1000),
        ("first", "first 500502", "first_static", 1),
        ("load", "loaded 500500", "loaded", 1000),
        ("load", "loaded 500500", "loaded", 1000),
        ("collectible", "collectible 500500", "collectible", 1000),
        ("again", "again 500500", "collectible", 1000),
        ("unload", "unloaded True", "collectible", 0),
        ("collectible", "collectible 500500", "collectible", 1000),
    ] {
        let before = attached.recorded();
        assert_eq!(served.ask(command), answer);
        let recorded = attached.recorded().since(&before);
        assert_eq!(of_all(&recorded.calls, name), calls, "{command}");
    }
    attached.let_go();
    assert_eq!(served.ask("again"), "again 500500");
    assert_eq!(served.ask("unload"), "unloaded True");
    served.end();
}

/// How many times to attach and let go: `SOGLIA_TEST_ATTACHES`, to try more by hand.
fn rounds() -> u32 {
    let given = env::var("SOGLIA_TEST_ATTACHES").ok();
    given.map_or(30, |given| given.parse().expect("a number"))
}

/// Resident memory in KiB and the number of mappings.
fn size(pid: u32) -> (u64, usize) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = (status.lines()).find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    (number.unwrap(), maps.lines().count())
}

#[test]
fn attaching_and_letting_go_many_times_leaves_the_program_as_it_was() {
    let space = Space::new();
    let mut served = Served::start(&space, "", &[("DOTNET_GCgen0size", "400000")]);
    let rounds = rounds();
    for round in 0..rounds {
        let attached = served.attach("a.soglia", "-q");
        sleep(Duration::from_millis(random(100)));
        if round % 10 == 9 {
            check(&mut served, &attached);
            println!("round {round}: {:?} KiB and mappings", size(served.pid()));
        }
        attached.let_go();
        fs::remove_file(space.path("a.soglia")).unwrap();
        sleep(Duration::from_millis(random(50)));
    }
    let attached = served.attach("a.soglia", "-q");
    check(&mut served, &attached);
    attached.let_go();
    served.end();
}
