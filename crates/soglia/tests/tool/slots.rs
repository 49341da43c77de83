//! `--slots`: how many threads run managed code at a time, that no thread waits for ever, and which
//! threads are reported when it takes too long.

use serde_json::Value;

use crate::support::{Live, Space, refusal, signal, text};

/// What `slots.dll ARGS` prints under these options, and what the report says of slots.
fn under(options: &str, args: &str) -> (String, Value) {
    program_under(options, "slots.dll", args)
}

/// The same of any program.
pub fn program_under(options: &str, program: &str, args: &str) -> (String, Value) {
    let space = Space::new();
    let options = format!("--quiet -o a.soglia {options}");
    let output = space.run(&options, program, args).output().unwrap();
    let (printed, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{options} {args}: {errors}");
    let report = space.recording("a.soglia").json("");
    (printed, report["slots"].clone())
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value}"))
}

/// Sixty-four threads, each with calls that call back up to four deep and that give way in the
/// middle of managed code.
#[test]
fn many_threads_share_few_slots() {
    for slots in [1, 2, 4] {
        let (printed, report) = under(&format!("--slots {slots}"), "storm 64 20");
        let (times, _) = printed.split_once('\n').unwrap();
        assert_eq!(times, "7680 times");
        assert_eq!(number(&report["count"]), slots);
        assert!(number(&report["waits"]) > 0, "{report}");
        assert_eq!(
            (number(&report["timed_out"]), number(&report["abandoned"])),
            (0, 0)
        );
        let (longest, all) = (&report["longest_wait_ns"], &report["waited_ns"]);
        assert!(0 < number(longest) && number(longest) <= number(all));
    }
}

/// Managed code waits in locks whose owners need slots. A thread that waits has none, so none
/// has to be lent.
#[test]
fn locks_and_slots_do_not_make_a_circle() {
    for options in ["--slots 1", "--slots 2", "--slots 1 --corelib --counts"] {
        let (printed, report) = under(options, "locks 64 4");
        assert_eq!(printed, "no deadlock\n", "{options}");
        assert_eq!(number(&report["timed_out"]), 0);
        assert_eq!(number(&report["lent"]), 0, "{options}");
    }
    let (printed, _) = under("--slots 1", "wait");
    assert_eq!(printed, "back\n");
    let (printed, report) = program_under("--slots 1", "turns.dll", "lend");
    assert_eq!(printed, "back\n");
    assert_eq!(number(&report["lent"]), 0);
}

#[test]
fn whoever_waits_too_long_is_told() {
    let (printed, report) = under("--slots 1 --slot-timeout 20ms", "timeout");
    let expected = [
        "before",
        "call: COMException 80131024",
        "callback: COMException 80131024",
        "called back 0 times",
        "call: 2",
        "callback: 3",
        "called back 1 times",
        "",
    ];
    assert_eq!(printed, expected.join("\n"));
    assert_eq!(number(&report["timeout_ns"]), 20_000_000);
    // The call; the callback, and the call around it.
    assert_eq!(number(&report["timed_out"]), 3);
}

#[test]
fn whoever_must_not_be_aborted_waits_on() {
    let (printed, report) = under("--slots 1 --slot-timeout 20ms", "region");
    assert_eq!(printed, "region: 2\n");
    assert_eq!(number(&report["timed_out"]), 0);
}

/// A deadline ends the process, but not while the task must not be aborted.
#[test]
fn a_deadline_respects_critical_regions() {
    let how = "--slots 1 --deadline semantics!sleep_ms=100ms:kill";
    let (printed, report) = under(how, "stuck 2000");
    assert_eq!(printed, "went on\n");
    assert_eq!(number(&report["timed_out"]), 0);
}

/// The only slot is with a task that runs until the finalizer thread has called native code.
#[test]
fn the_finalizer_thread_needs_no_slot() {
    let (printed, report) = under("--slots 1", "finalizer 10");
    assert_eq!(printed, "10 finalized\n");
    assert_eq!(number(&report["timed_out"]), 0);
}

/// What programs do under a bound is what they do without.
#[test]
fn programs_notice_nothing() {
    for (program, args) in [
        ("semantics.dll", ""),
        ("semantics.dll", "escape"),
        ("semantics.dll", "tlsdestructor"),
        ("semantics.dll", "atexit"),
        ("semantics.dll", "background"),
        ("semantics.dll", "processexit"),
        ("delegates.dll", ""),
        ("pointers.dll", ""),
        ("sqlitedemo.dll", "500"),
        ("sixsteps.dll", ""),
    ] {
        // Their stack traces have one more frame of the runtime, where a function is looked up
        // before it is called.
        let plain = |line: &&str| !line.starts_with("at ");
        let lines = |output: &[u8]| {
            text(output)
                .lines()
                .filter(plain)
                .map(String::from)
                .collect::<Vec<_>>()
        };
        let bare = Space::new().bare(program, args).output().unwrap();
        let space = Space::new();
        let run = space
            .run("--quiet --slots 1", program, args)
            .output()
            .unwrap();
        assert_eq!(
            run.status,
            bare.status,
            "{program} {args}: {}",
            text(&run.stderr)
        );
        assert_eq!(lines(&run.stdout), lines(&bare.stdout), "{program} {args}");
    }
}

#[test]
fn a_killed_program_leaves_what_is_known() {
    let space = Space::new();
    let mut command = space.run(
        "-q -o a.soglia --slots 3 --slot-timeout 2s",
        "semantics.dll",
        "hang",
    );
    let mut live = Live::start(&mut command);
    live.expect("hanging");
    signal(live.program().unwrap(), "KILL");
    live.wait();
    let report = space.recording("a.soglia").json("");
    assert_eq!(report["ended"], "killed");
    assert_eq!(report["slots"]["count"], 3);
    assert_eq!(report["slots"]["at_least"], true);
    let said = text(&space.soglia("report a.soglia").output().unwrap().stdout);
    let note = "waits for 3 slots, at least: the process ended before it wrote the last figures";
    assert!(said.contains(note), "{said}");
    assert_eq!(report["slots"]["timeout_ns"], 2_000_000_000_u64);
}

#[test]
fn the_report_has_a_line_for_it() {
    let space = Space::new();
    let output = space
        .run("--slots 1 --slot-timeout 20ms", "slots.dll", "timeout")
        .output()
        .unwrap();
    let report = text(&output.stderr);
    assert!(report.contains("  waits for 1 slot\n"), "{report}");
    assert!(report.contains("  3 timed out\n"), "{report}");
    let without = space.run("", "slots.dll", "wait").output().unwrap();
    assert!(!text(&without.stderr).contains("waits for"));
}

#[test]
fn what_cannot_be_bounded_is_refused() {
    let space = Space::new();
    for (options, why) in [
        (
            "--slots 1 --source transitions",
            "--slots needs --source woven: in the runtime's own callbacks no task may wait",
        ),
        (
            "--slots 0",
            "invalid value '0' for '--slots <N>': expected a number from 1 to 65535 (`soglia run --help` tells more)",
        ),
        (
            "--slots 1 --slot-timeout soon",
            "invalid value 'soon' for '--slot-timeout <DURATION>': expected a duration such as 500ms or 2s (`soglia run --help` tells more)",
        ),
        (
            "--slot-timeout 5s",
            "the following required arguments were not provided: --slots <N> (`soglia run --help` tells more)",
        ),
    ] {
        assert_eq!(refusal(&mut space.run(options, "hello.dll", "")), why);
    }
}
