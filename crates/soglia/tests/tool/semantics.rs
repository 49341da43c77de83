//! Every case of `semantics`, as fixtures/README.md has them.

use std::collections::BTreeSet;

use crate::case::{Case, Exit, Signal, case, verify_all};
use crate::support::{Space, text};

const CALLS: &[Case] = &[
    case("plain", "main: L(plain) E"),
    case("string", "main: L(length) E"),
    case("seterror", "main: L(set_errno) E"),
    case("libraryimport", "main: L(length) E L(plain) E"),
    case("suppressgc", "main: 10 x [L(suppressed) E]"),
    case("preservesig", "main: 2 x [L(half) E]"),
    case("inlined", "main: 20000 x [L(plain) E]"),
    Case {
        nameless: &[("plain", 2)],
        ..case("calli", "main: 2 x [L(?) E]")
    },
    Case {
        nameless: &[("suppressed", 1)],
        ..case("calli-suppressed", "main: L(?) E")
    },
    Case {
        nameless: &[("plain", 2)],
        ..case("getdelegate", "main: 2 x [L(Invoke) E]")
    },
    case("roundtrip", ""),
    case("bound", "main: 2 x [L(plain) E]"),
    case("reflection", "main: 2 x [L(plain) E]"),
    Case {
        nameless: &[("plain", 1)],
        ..case("dynamicmethod", "main: L(?) E")
    },
    case("emit", "main: L(emitted) E"),
    case("nosuch", ""),
    case("nolib", ""),
    case("badcall", ""),
    case("resolver", "main: 2 x [L(plain) E]"),
    case("slow", "main: L(sleep_ms) E"),
    case("fork", "main: L(fork_and_wait) E"),
];

const CALLBACKS: &[Case] = &[
    case("delegate", "main: L(call_back) R(Invoke) V E"),
    case("delegate-twice", "main: 2 x [L(call_back) R(Invoke) V E]"),
    case("multicast", "main: L(call_back) R(Invoke) V E"),
    case("uco", "main: L(call_back) R(AddTen) V E"),
    case("traces", "main: L(call_back) R(Invoke) V E"),
    Case {
        callbacks: 1,
        ..case("uco-calli", "main: L(?) R(AddTen) V E")
    },
    case(
        "nested",
        "main: 3 x [L(call_back) R(Invoke)] L(plain) E 3 x [V E]",
    ),
    case(
        "nested 40",
        "main: 40 x [L(call_back) R(Invoke)] L(plain) E 40 x [V E]",
    ),
    case(
        "recursion",
        "main: 1000 x [L(call_back) R(Recurse)] L(plain) E 1000 x [V E]",
    ),
    case(
        "exceptions",
        "main: 3 x [L(call_back) R(Invoke) L(plain) E V E]",
    ),
    case(
        "sighandler",
        "main: L(call_back_by_signal) R(OnSignal) L(plain) E V E",
    ),
    Case {
        on: (8, 9),
        ..case(
            "com",
            "main: L(com_adder) E 5 x [L(?) E] L(com_add) R(ABI_Add) V E L(?) E",
        )
    },
    Case {
        on: (10, 99),
        ..case(
            "com",
            "main: L(com_adder) E 7 x [L(?) E] L(com_add) R(ABI_Add) V E L(?) E",
        )
    },
    Case {
        late: true,
        ..case(
            "atexit",
            "main: L(call_back_at_exit) E R(OnExit) L(plain) E V",
        )
    },
];

const UNBALANCED: &[Case] = &[
    Case {
        abandoned: 5,
        callbacks: -5,
        ..case("badstub", "thread: 5 x [L(call_back)] L(plain) E")
    },
    Case {
        abandoned: 5,
        callbacks: -5,
        ..case("badstub-uco", "thread: 5 x [L(call_back)] L(plain) E")
    },
    Case {
        abandoned: 2,
        ..case(
            "longjmp",
            "thread: L(call_back_with_landing) R(Jump) L(jump) E L(plain) E",
        )
    },
    Case {
        open: "L(end_thread)",
        ..case("pthread-exit", "thread: L(end_thread) ; main: L(plain) E")
    },
    Case {
        on: (8, 8),
        ends: Signal(6),
        open: "L(?) R(Throw)",
        callbacks: 1,
        ..case("escape", "thread: L(?) R(Throw)")
    },
    Case {
        on: (9, 99),
        abandoned: 2,
        callbacks: 1,
        ..case("escape", "thread: L(?) R(Throw) L(plain) E")
    },
];

const THREADS: &[Case] = &[
    case("task", "pool: L(plain) E"),
    case(
        "async",
        "main: 9 x [L(plain) E] ; 7 thread: L(plain) E ; pool together: 56 x [L(plain) E]",
    ),
    case(
        "threads",
        "64 thread: 200 x [L(call_back) R(CrossOnce) L(plain) E V E]",
    ),
    case(
        "names",
        "3 thread: L(plain) E ; thread: 3 x [L(plain) E] ; pool together: 2 x [L(plain) E]",
    ),
    case("churn", "100 thread: L(plain) E"),
    case(
        "finalizer",
        "thread: 10 x [L(handle_open) E] ; finalizer: 10 x [L(handle_close) E]",
    ),
    case("alc", "main: 3 x [L(plugin_work) E]"),
    case(
        "thread",
        "main: L(call_back_on_thread) E ; native: 3 x [R(AddTen) V]",
    ),
    case(
        "tlsdestructor",
        "main: L(wait_for_thread_end) E L(call_back_on_thread) E L(wait_for_thread_end) E ;
         thread: L(call_back_at_thread_end) E R(OnThreadEnd) V ;
         native: R(HookThreadEnd) L(call_back_at_thread_end) E V R(OnThreadEnd) V",
    ),
];

const ENDS: &[Case] = &[
    case("processexit", "any: L(plain) E"),
    Case {
        open: "L(hang)",
        ..case("background", "main: L(wait_for_hang) E ; thread: L(hang)")
    },
    Case {
        ends: Exit(37),
        ..case("exitcode 37", "")
    },
    Case {
        ends: Exit(64),
        ..case("nonsense", "")
    },
    Case {
        ends: Exit(7),
        open: "L(call_back) R(ExitInside)",
        ..case("exit", "main: L(call_back) R(ExitInside)")
    },
    Case {
        ends: Signal(6),
        open: "L(call_back) R(FailFastInside)",
        ..case("failfast", "main: L(call_back) R(FailFastInside)")
    },
    Case {
        ends: Signal(6),
        ..case("unhandled", "main: L(plain) E")
    },
    Case {
        ends: Signal(6),
        open: "L(call_back) R(ThrowInside)",
        ..case("unhandled-callback", "main: L(call_back) R(ThrowInside)")
    },
    Case {
        ends: Signal(6),
        open: "L(die_by_abort)",
        ..case("abort", "main: L(die_by_abort)")
    },
    Case {
        ends: Signal(11),
        open: "L(die_by_segv)",
        ..case("segv", "main: L(die_by_segv)")
    },
    Case {
        ends: Exit(3),
        open: "L(die_by_exit)",
        ..case("nativeexit", "main: L(die_by_exit)")
    },
    Case {
        ends: Exit(4),
        open: "L(die_by_quick_exit)",
        ..case("_exit", "main: L(die_by_quick_exit)")
    },
    Case {
        on: (8, 9),
        ends: Exit(143),
        open: "L(die_by_signal)",
        ..case("sigterm", "main: L(die_by_signal)")
    },
    Case {
        on: (10, 99),
        ends: Signal(15),
        open: "L(die_by_signal)",
        ..case("sigterm", "main: L(die_by_signal)")
    },
    Case {
        ends: Signal(9),
        open: "L(die_by_signal)",
        ..case("sigkill", "main: L(die_by_signal)")
    },
    Case {
        ends: Signal(6),
        open: "L(call_kept)",
        callbacks: -1,
        ..case("collected", "thread: L(keep) E ; main: L(call_kept)")
    },
    Case {
        ends: Signal(6),
        open: "L(call_back_suppressed)",
        callbacks: -1,
        ..case("suppressgc-callback", "main: L(call_back_suppressed)")
    },
    Case {
        ends: Signal(6),
        open: "* x [L(call_back) R(Fall)]",
        ..case("stackoverflow", "thread: * x [L(call_back) R(Fall)]")
    },
];

#[test]
fn calls() {
    verify_all(CALLS);
}

#[test]
fn callbacks() {
    verify_all(CALLBACKS);
}

#[test]
fn unbalanced() {
    verify_all(UNBALANCED);
}

#[test]
fn threads() {
    verify_all(THREADS);
}

#[test]
fn ends() {
    verify_all(ENDS);
}

#[test]
fn three_hundred_targets() {
    let words: Vec<String> = (0..300).map(|n| format!("L(f{n:03}) E")).collect();
    verify_all(&[case("large", format!("main: {}", words.join(" ")).leak())]);
}

/// A case that is added to the fixture is added here, or in one of the topics.
#[test]
fn no_case_is_forgotten() {
    let output = Space::new().bare("semantics.dll", "list").output().unwrap();
    let listed = text(&output.stdout);
    let tables = [CALLS, CALLBACKS, UNBALANCED, THREADS, ENDS];
    let here = tables
        .into_iter()
        .flatten()
        .map(|case| case.args.split(' ').next().unwrap());
    let elsewhere = [
        "large",
        "spin",
        "hang",
        "wait",
        "stdio",
        "signals",
        "environment",
        "child",
        "try",
        "try-callback",
        "try-threads",
        "pinvokes",
    ];
    let tested: BTreeSet<&str> = here
        .chain(elsewhere)
        .filter(|name| *name != "nonsense")
        .collect();
    assert_eq!(listed.lines().collect::<BTreeSet<_>>(), tested);
}
