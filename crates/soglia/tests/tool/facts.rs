//! What the engine records for conclusions: signatures, further callers, and when the runtime had
//! to wait.

use std::collections::BTreeMap;

use soglia_core::trace::{facts::Signature, names::Names, reader::Reader};

use crate::support::{Space, text};

/// The log of a program under soglia.
fn log(options: &str, program: &str, args: &str) -> Names {
    let space = Space::new();
    let options = format!("-q -o a.soglia {options}");
    let output = space.run(&options, program, args).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    Reader::open(&space.path("a.soglia")).unwrap().names()
}

/// The signatures by the method that is called, without its class.
fn signatures(names: &Names) -> BTreeMap<String, Signature> {
    let named = names.signatures.values().map(|signature| {
        let method = names.targets[&signature.target].method.clone().unwrap();
        let (_, short) = method.split_once("Calls.").unwrap_or(("", &method));
        let told = Signature {
            target: 0,
            ..signature.clone()
        };
        (short.to_owned(), told)
    });
    named.collect()
}

#[test]
fn both_sources_record_signatures() {
    let plain = |text: &str| Signature {
        is_blittable: true,
        text: text.into(),
        ..Signature::default()
    };
    let text = |text: &str| Signature {
        strings_in: true,
        text: text.into(),
        ..Signature::default()
    };
    let sets = Signature {
        sets_last_error: true,
        ..plain("int (int)")
    };
    for (case, method, expected) in [
        ("string", "length", text("int (string)")),
        ("seterror", "set_errno", sets),
        ("suppressgc", "suppressed", plain("int (int)")),
        ("libraryimport", "ImportedPlain", plain("int (int)")),
        (
            "libraryimport",
            "<ImportedLength>g____PInvoke|",
            Signature {
                is_generated: true,
                ..text("int (string)")
            },
        ),
    ] {
        for source in ["woven", "transitions"] {
            let names = log(&format!("--source {source}"), "semantics.dll", case);
            let found = signatures(&names);
            let of = found.iter().find(|(name, _)| name.starts_with(method));
            let of = of.unwrap_or_else(|| panic!("{case}, {source}: {found:?}"));
            assert_eq!(*of.1, expected, "{case}, {source}");
        }
    }
}

/// By target, the innermost frames of the stacks of further calls, and how many there are.
fn callers(names: &Names, entry: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for caller in &names.callers {
        if names.targets[&caller.target].entry.as_deref() == Some(entry) {
            let frame = names.stack(caller.stack).first().copied();
            let frame = frame.unwrap_or_default().to_owned();
            *found.entry(frame).or_default() += 1;
        }
    }
    found
}

#[test]
fn callers_on_one_thread_are_kept_by_how_often_they_call() {
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    let often = |all: &BTreeMap<String, usize>| {
        let of = |method: &str| all.get(&format!("Soglia.Waits.Program.{method}")).copied();
        of("Sometimes").is_some_and(|sometimes| of("Often") > Some(sometimes))
    };
    // Which calls are looked into is chance, and a busy machine looks into few.
    for _ in 0..16 {
        let names = log("", "waits.dll", "two-callers 20000000");
        let callers = callers(&names, "tick");
        assert!(callers.values().sum::<usize>() <= 64, "{callers:?}");
        for (caller, times) in callers {
            *all.entry(caller).or_default() += times;
        }
        if often(&all) {
            break;
        }
    }
    assert!(often(&all), "{all:?}");
    assert_eq!(all.len(), 2, "{all:?}");
}

#[test]
fn first_callers_on_further_threads_are_kept_and_bounded() {
    for source in ["woven", "transitions"] {
        let names = log(&format!("--source {source}"), "waits.dll", "threads 30");
        let tasks: Vec<u32> = names.callers.iter().map(|caller| caller.task).collect();
        let mut each = tasks.clone();
        each.sort_unstable();
        each.dedup();
        assert_eq!((tasks.len(), each.len()), (8, 8), "{source}: {tasks:?}");
        let callers = callers(&names, "tick");
        let often = callers.get("Soglia.Waits.Program.Often");
        assert_eq!(often, Some(&8), "{source}: {callers:?}");
    }
}

#[test]
fn collections_that_wait_name_the_call_they_wait_for() {
    for source in ["woven", "transitions"] {
        let names = log(&format!("--source {source}"), "waits.dll", "collect 10");
        let all = names.all_suspensions.expect("figures of all stops");
        // The runtime may collect by itself too.
        assert!(all.count >= 10 && all.longest <= all.waited, "{all:?}");
        let long = names.suspensions.iter().filter(|one| one.target != 0);
        let entry = |target| names.targets[&target].entry.as_deref();
        let waits: Vec<u64> = long
            .map(|one| {
                assert_eq!(entry(one.target), Some("rest_marked"), "{source}");
                assert!(one.task > 0 && one.waited <= all.longest && one.at > 0);
                one.waited
            })
            .collect();
        // A few may begin in the moment between two calls.
        assert!(
            waits.len() >= 5,
            "{source}: {all:?} {:?}",
            names.suspensions
        );
    }
}

#[test]
fn collections_wait_for_no_call_that_is_as_it_should_be() {
    let names = log("", "waits.dll", "collect-well 10");
    let all = names.all_suspensions.expect("figures of all stops");
    assert!(all.count >= 10, "{all:?}");
    assert!(names.suspensions.iter().all(|one| one.target == 0));
}

#[test]
fn a_pool_that_starves_says_so() {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    // The pool adds a thread each half second, and fewer where the machine is busy.
    let args = format!("starve {}", processors * 4);
    let names = log("", "waits.dll", &args);
    let threads: Vec<u32> = names.starvations.iter().map(|one| one.threads).collect();
    assert!(!threads.is_empty());
    assert!(
        threads.iter().all(|n| *n as usize > processors),
        "{threads:?}"
    );
    assert!(threads.is_sorted(), "{threads:?}");

    let names = log("", "waits.dll", "starve 1");
    assert!(names.starvations.is_empty());
}
