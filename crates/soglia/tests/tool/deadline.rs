//! Deadlines: calls that take too long are reported while they last and afterwards, with what is
//! known about them. Other calls are not.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use crate::support::{Live, Overdue, Report, Space, fixture, refusal, setup, text, until};

const SOURCES: [&str; 2] = ["woven", "transitions"];

/// `semantics.dll wait ARGS`, which is in native code until its standard input ends.
fn waiting(space: &Space, options: &str, args: &str) -> Live {
    started(space, &format!("-q {options}"), args)
}

fn started(space: &Space, options: &str, args: &str) -> Live {
    let run = format!("-o a.soglia {options}");
    let mut command = space.run(&run, "semantics.dll", &format!("wait {args}"));
    let mut live = Live::start(command.stdin(Stdio::piped()));
    live.expect("waiting");
    live
}

/// The report of a program that runs, once this can be said of it.
fn seen(space: &Space, what: &str, holds: impl Fn(&Report) -> bool) -> Report {
    let recording = space.recording("a.soglia");
    until(what, || {
        let json = recording.try_json("").ok()?;
        let report: Report = serde_json::from_value(json).unwrap();
        holds(&report).then_some(report)
    })
}

/// Lets the program end, and answers with what soglia said meanwhile and what it reports now.
fn end(space: &Space, mut live: Live) -> (String, Report) {
    drop(live.input());
    let (status, said) = live.wait();
    assert!(status.success(), "{said}");
    (said, space.recording("a.soglia").report())
}

fn of<'a>(report: &'a Report, target: &str) -> Vec<&'a Overdue> {
    let of_target = report.overdue.iter().filter(|row| row.target == target);
    of_target.collect()
}

#[test]
fn a_call_that_is_stuck_is_reported_until_it_returns() {
    for source in SOURCES {
        let space = Space::new();
        let options = format!("--source {source} --deadline semantics!wait_for_input=100ms");
        let live = waiting(&space, &options, "plain");
        let report = seen(&space, "two reports", |report| {
            report.overdue.iter().any(|row| row.reports.len() >= 2)
        });
        let [row] = &report.overdue[..] else {
            panic!("{:?}", report.overdue)
        };
        assert_eq!(
            (&*row.target, &*row.outcome, row.killed),
            ("semantics!wait_for_input", "open", false),
            "{source}"
        );
        let (first, second) = (&row.reports[0], &row.reports[1]);
        assert_eq!(first.deadline, "semantics!wait_for_input=100ms");
        assert!(first.duration_ns >= 100_000_000 && second.duration_ns >= 200_000_000);
        // Where it is stuck, in managed code and in native code.
        assert_eq!(first.no_stack, None, "{source}");
        assert_eq!(first.stack[0], "Soglia.Semantics.Load.WaitInNative");
        let doing = first.thread.as_deref().unwrap();
        assert!(doing.starts_with("sleeping"), "{doing}");
        let native = first.native_stack.join(" ");
        assert!(
            native.contains("read+") && native.contains("libsemantics.so!wait_for_input+"),
            "{native}: {:?}",
            first.native_end
        );
        assert_eq!(first.native_end, None, "{source}: {native}");
        assert_eq!(first.nested, 0);

        let (said, report) = end(&space, live);
        let [row] = &report.overdue[..] else {
            panic!("{:?}", report.overdue)
        };
        assert_eq!(row.outcome, "returned", "{source}");
        // As exact as any other call.
        let target = report
            .targets
            .iter()
            .find(|t| t.entry.as_deref() == Some("wait_for_input"));
        assert_eq!(Some(row.duration_ns), target.unwrap().max_ns, "{source}");
        let deadline = "(deadline 'semantics!wait_for_input=100ms')";
        let told = format!("{deadline}: thread {} \"waits 1\", tid ", row.task);
        let lines: Vec<&str> = said.lines().collect();
        let (last, reports) = lines.split_last().unwrap();
        assert_eq!(reports.len(), row.reports.len(), "{said}");
        for line in reports {
            assert!(
                line.starts_with("soglia: semantics!wait_for_input has not returned for ")
                    && line.contains(&told),
                "{line}"
            );
        }
        assert!(
            last.starts_with("soglia: semantics!wait_for_input returned after "),
            "{last}"
        );
    }
}

#[test]
fn each_task_is_reported_by_itself() {
    for source in SOURCES {
        let space = Space::new();
        let options = format!("--source {source} --deadline *!wait_for_input=50ms");
        let live = waiting(&space, &options, "plain 3");
        let report = seen(&space, "three calls", |report| report.overdue.len() == 3);
        let mut tasks: Vec<u32> = report.overdue.iter().map(|row| row.task).collect();
        tasks.sort_unstable();
        tasks.dedup();
        let threads = report.overdue.iter().map(|row| row.reports[0].os_thread);
        let threads: std::collections::BTreeSet<u32> = threads.collect();
        assert_eq!((tasks.len(), threads.len()), (3, 3), "{source}");
        let (_, report) = end(&space, live);
        assert!(report.overdue.iter().all(|row| row.outcome == "returned"));
    }
}

#[test]
fn calls_below_their_deadlines_are_not_reported() {
    for source in SOURCES {
        let space = Space::new();
        let options = format!(
            "-o a.soglia --source {source} --deadline semantics!sleep_ms=1h --deadline semantics!nothing=1ms:kill"
        );
        let output = space.run(&options, "semantics.dll", "slow 50").output();
        let output = output.unwrap();
        assert!(output.status.success());
        let said = text(&output.stderr);
        assert!(!said.contains("has not returned"), "{said}");
        assert!(
            said.contains("note: no watched call matched deadline 'semantics!nothing=1ms:kill'\n"),
            "{said}"
        );
        assert!(space.recording("a.soglia").report().overdue.is_empty());
    }
}

#[test]
fn the_first_glob_decides() {
    let space = Space::new();
    let options = "--deadline *!wait_for_input=1h --deadline *=50ms";
    let live = waiting(&space, options, "callback");
    let report = seen(&space, "the call around it", |report| {
        !of(report, "semantics!call_back").is_empty()
    });
    assert_eq!(of(&report, "semantics!wait_for_input").len(), 0);
    let (_, report) = end(&space, live);
    assert_eq!(of(&report, "semantics!wait_for_input").len(), 0);
}

/// What is nested in an overdue call is what the task is at, so the stacks are from there.
#[test]
fn a_call_that_called_back_is_reported_too() {
    for source in SOURCES {
        let space = Space::new();
        let options = format!("--source {source} --deadline *!call_back=50ms");
        let live = waiting(&space, &options, "callback");
        let report = seen(&space, "a report from within", |report| {
            let mut reports = report.overdue.iter().flat_map(|row| &row.reports);
            reports.any(|report| report.nested == 2 && report.no_stack.is_none())
        });
        let [row] = &report.overdue[..] else {
            panic!("{:?}", report.overdue)
        };
        assert_eq!(row.target, "semantics!call_back");
        let inside = row
            .reports
            .iter()
            .find(|report| report.nested == 2)
            .unwrap();
        let stack = inside.stack.join(" ");
        let (callback, unmanaged) = (stack.find("Load+"), stack.find("[unmanaged]"));
        assert!(callback.is_some() && callback < unmanaged, "{stack}");
        let (said, report) = end(&space, live);
        // Who made the overdue call is further out than that.
        let caller = "2 layers nested in it, called by Soglia.Semantics.Load";
        assert!(said.contains(caller), "{said}");
        assert_eq!(report.overdue[0].outcome, "returned");
    }
}

/// To suspend the runtime for a stack would stop all managed code until such a call returns.
#[test]
fn a_call_without_transition_is_reported_without_a_stack() {
    let space = Space::new();
    let live = waiting(&space, "--deadline *!wait_for_*=50ms", "suppressed");
    let report = seen(&space, "a report", |report| !report.overdue.is_empty());
    let first = &report.overdue[0].reports[0];
    assert_eq!(first.stack, [""; 0]);
    let why = first.no_stack.as_deref().unwrap();
    assert_eq!(
        why,
        "semantics!wait_for_input_suppressed is called without a GC transition, and the runtime cannot be suspended meanwhile"
    );
    assert!(!first.native_stack.is_empty());
    end(&space, live);
}

/// The loader's lock is held then, which much that a report could use would wait for.
#[test]
fn a_library_that_never_loads_is_reported_too() {
    let space = Space::new();
    let live = waiting(
        &space,
        "--source woven --deadline *!loaded_at_last=50ms",
        "loads",
    );
    let report = seen(&space, "three reports", |report| {
        report.overdue.iter().any(|row| row.reports.len() >= 3)
    });
    for report in &report.overdue[0].reports {
        assert_eq!(report.stack[0], "Soglia.Semantics.Load.WaitInLoader");
        let native = report.native_stack.join(" ");
        assert!(
            native.contains("libslowload.so!wait_for_input+"),
            "{native}"
        );
    }
    let (_, report) = end(&space, live);
    assert_eq!(report.overdue[0].outcome, "returned");
}

#[test]
fn a_call_whose_thread_ends_is_gone() {
    let space = Space::new();
    let mut live = waiting(&space, "--deadline *!wait_for_input_and_end=50ms", "ends");
    seen(&space, "a report", |report| !report.overdue.is_empty());
    drop(live.input());
    let report = seen(&space, "its end", |report| {
        report.overdue[0].outcome != "open"
    });
    assert_eq!(report.overdue[0].outcome, "gone");
}

#[test]
fn a_call_that_ends_by_an_exception_is_told_so() {
    // The runtime's own callbacks tell such a call as returned.
    for (source, outcome) in SOURCES.into_iter().zip(["failed", "returned"]) {
        let space = Space::new();
        let options = format!("--source {source} --deadline *!wait_for_input_and_answer=50ms");
        let live = waiting(&space, &options, "throws");
        seen(&space, "a report", |report| !report.overdue.is_empty());
        let (said, report) = end(&space, live);
        assert_eq!(report.overdue[0].outcome, outcome, "{said}");
    }
}

#[test]
fn a_missed_deadline_can_end_the_program() {
    for source in SOURCES {
        let space = Space::new();
        // Reported early, ended late.
        let options = format!(
            "--source {source} --deadline semantics!wait_for_input=50ms --deadline semantics!wait_for_input=200ms:kill"
        );
        let mut live = waiting(&space, &options, "plain");
        let (status, said) = live.wait();
        assert_eq!(status.signal(), Some(9), "{source}: {said}");
        let last = said.lines().last().unwrap();
        assert!(
            last.contains(": killing process ") && last.ends_with(": semantics!wait_for_input missed its deadline 'semantics!wait_for_input=200ms:kill'"),
            "{said}"
        );
        let report = space.recording("a.soglia").report();
        assert_eq!((&*report.ended, report.signal), ("killed", Some(9)));
        let [row] = &report.overdue[..] else {
            panic!("{:?}", report.overdue)
        };
        assert_eq!((row.killed, &*row.outcome), (true, "open"));
        let last = row.reports.last().unwrap();
        assert_eq!(last.deadline, "semantics!wait_for_input=200ms:kill");
        assert!(!last.stack.is_empty());
        let account = space.soglia("report a.soglia").output().unwrap();
        let account = text(&account.stdout);
        assert!(
            account.contains("1 call past a deadline (arguments are not recorded)\n")
                && account.contains(
                    "semantics!wait_for_input, open at the end, so the process was killed"
                ),
            "{account}"
        );
    }
}

#[test]
fn a_missed_deadline_can_leave_a_dump() {
    let space = Space::new();
    let live = waiting(&space, "--deadline *!wait_for_input=50ms:dump", "plain 2");
    // One for both calls, as it has all threads in it.
    let done = |row: &Overdue| row.dump.is_some() || row.no_dump.is_some();
    seen(&space, "a dump", |report| {
        report.overdue.iter().any(done) && report.overdue.len() == 2
    });
    let (said, report) = end(&space, live);
    let with: Vec<&Overdue> = report.overdue.iter().filter(|row| done(row)).collect();
    let [row] = &with[..] else {
        panic!("{:?}", report.overdue)
    };
    let frameworks = setup().root.path.join("shared/Microsoft.NETCore.App");
    let createdump = frameworks
        .join(&report.runtime["version"])
        .join("createdump");
    let about = std::fs::metadata(&createdump);
    let mode = about.as_ref().map(|about| about.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o111 != 0) {
        let file = row
            .dump
            .as_ref()
            .unwrap_or_else(|| panic!("{:?}", row.no_dump));
        let name = format!("a.soglia.{}.1.core", report.pid);
        assert_eq!(file.file_name().unwrap(), &*name);
        let begin = std::fs::read(file).unwrap();
        assert!(begin.starts_with(b"\x7fELF"));
        assert!(said.contains(&format!("soglia: core dump of process {}: ", report.pid)));
    } else {
        let why = row.no_dump.as_ref().unwrap();
        // Some packages of .NET have it and do not let it be executed.
        let expected = if about.is_ok() {
            format!("{}: Permission denied", createdump.display())
        } else {
            format!("there is no {}", createdump.display())
        };
        assert!(why.starts_with(&expected), "{why}");
    }
}

#[test]
fn deadlines_come_from_a_file_too() {
    let space = Space::new();
    let file = "[[deadline]]\ntarget = \"semantics!wait_*\"\nafter = \"50ms\"\n\n[[deadline]]\ntarget = \"semantics!x\"\nafter = \"1ms\"\naction = \"kill\"\n";
    std::fs::write(space.path("policy.toml"), file).unwrap();
    // A deadline alone does not ask for wrappers. A call with a deadline is watched, whatever else
    // is skipped.
    for options in [
        "--source transitions --policy policy.toml",
        "--policy policy.toml --deadline semantics!x=1h",
        "--policy policy.toml --skip semantics!*",
    ] {
        let live = waiting(&space, options, "plain");
        let report = seen(&space, "a report", |report| {
            report.ended == "running" && !report.overdue.is_empty()
        });
        let first = &report.overdue[0].reports[0];
        assert_eq!(first.deadline, "semantics!wait_*=50ms", "{options}");
        let (said, report) = end(&space, live);
        assert_eq!(report.overdue.len(), 1, "{options}: {said}");
        std::fs::remove_file(space.path("a.soglia")).unwrap();
    }
}

#[test]
fn machines_read_nothing_but_json() {
    let space = Space::new();
    let options = "--format json --deadline semantics!wait_for_input=50ms";
    let live = started(&space, options, "plain");
    seen(&space, "a report", |report| !report.overdue.is_empty());
    let (said, _) = end(&space, live);
    let account: serde_json::Value = serde_json::from_str(&said).unwrap();
    crate::schema::check_report(&account);
    assert_eq!(account["overdue"][0]["outcome"], "returned");
    let rules = &account["deadlines"]["rules"];
    assert_eq!(rules[0], "semantics!wait_for_input=50ms");
}

#[test]
fn what_cannot_be_a_deadline_is_refused() {
    let space = Space::new();
    let said = |options: &str| {
        let mut command = space.soglia("run");
        command.args(options.split('|')).arg(fixture("hello.dll"));
        refusal(&mut command)
    };
    for (options, expected) in [
        (
            "--deadline|libc!read",
            "invalid value 'libc!read' for '--deadline <GLOB=DURATION[:report|dump|kill]>': expected GLOB=DURATION or GLOB=DURATION:ACTION, such as 'libc!read=5s' or 'libc!read=1m:kill' (`soglia run --help` tells more)",
        ),
        (
            "--deadline|libc!read=soon",
            "'soon' is no duration: write one such as 500ms, 5s or 1m",
        ),
        (
            "--deadline|libc!read=5s:stop",
            "'stop' is no action: there are report, dump, kill",
        ),
        ("--deadline|a!b!c=5s", "more than one '!'"),
        (
            "--deadline|a=5s|--deadline|a=6s",
            "--deadline 'a=6s' is one too many: 'a' has one with the action report already",
        ),
        (
            "--counts|--deadline|a=5s",
            "deadlines cannot go with --counts: the start of a call that is only counted is not known",
        ),
    ] {
        let said = said(options);
        assert!(said.contains(expected), "{options}: {said}");
    }
}
