//! Findings at the edges of their thresholds.

use soglia_core::{
    time::Scale,
    trace::{
        facts::{Signature, Starvation, Suspension},
        log::TargetNames,
        names::Names,
    },
};

use super::{Context, Facts, Part, findings, thresholds::*};
use crate::model::{FailureRow, Model, OpenRow, SlowRow, TargetRow, TaskRow};

const MS: u64 = 1_000_000;

/// The ids of all findings, most important first.
fn ids(model: &Model, names: &Names, facts: &Facts) -> Vec<&'static str> {
    let context = Context {
        model,
        names,
        scale: Scale::IDENTITY,
        facts,
    };
    findings(&context)
        .into_iter()
        .map(|found| found.id)
        .collect()
}

/// The ids of the findings about targets.
fn about(targets: Vec<TargetRow>) -> Vec<&'static str> {
    let model = Model { targets, ..ended() };
    ids(&model, &Names::default(), &Facts::default())
}

/// A run of one second that has ended well.
fn ended() -> Model {
    Model {
        ended: "exit",
        exit_code: Some(0),
        duration_ns: 1000 * MS,
        ..Model::default()
    }
}

/// A native function with so many calls of so many nanoseconds each.
fn row(calls: u64, ns: u64) -> TargetRow {
    TargetRow {
        number: 1,
        direction: "forward",
        library: Some("lib".into()),
        entry: Some("work".into()),
        calls,
        returned: calls,
        total_ns: calls * ns,
        self_ns: calls * ns,
        mean_ns: Some(ns),
        p50_ns: Some(ns),
        p90_ns: Some(ns),
        p99_ns: Some(ns),
        max_ns: Some(ns),
        ..TargetRow::default()
    }
}

fn task(task: u32, kind: &'static str) -> TaskRow {
    TaskRow {
        task,
        kind,
        ..TaskRow::default()
    }
}

fn slow(target: &str, task: u32, began: u64, took: u64) -> SlowRow {
    SlowRow {
        target: target.into(),
        task,
        began: began * MS,
        returned: (began + took) * MS,
        duration_ns: took * MS,
        ..SlowRow::default()
    }
}

fn open(target: &str, task: u32, ms: u64) -> OpenRow {
    OpenRow {
        target: target.into(),
        direction: "forward",
        task,
        duration_ns: ms * MS,
        ..OpenRow::default()
    }
}

fn signature(text: &str) -> Signature {
    Signature {
        target: 1,
        sets_last_error: false,
        is_blittable: true,
        strings_in: false,
        strings_out: false,
        is_generated: false,
        text: text.into(),
    }
}

fn with_signature(signature: Signature) -> Names {
    let mut names = Names::default();
    names.signatures.insert(1, signature);
    names
}

#[test]
fn chatty_targets_are_many_short_and_most_of_all() {
    let chatty = |row: TargetRow| about(vec![row]).contains(&"chatty-target");
    assert!(chatty(row(CHATTY_CALLS, CHATTY_MEDIAN)));
    assert!(!chatty(row(CHATTY_CALLS - 1, CHATTY_MEDIAN)));
    assert!(!chatty(row(CHATTY_CALLS, CHATTY_MEDIAN + 1)));
    // A thousandth of the run is no matter, except for very many calls.
    assert!(!chatty(row(CHATTY_CALLS, 10)));
    assert!(chatty(row(CHATTY_MANY, 5)));
    // Another target has most calls.
    let others = TargetRow {
        number: 2,
        entry: Some("other".into()),
        ..row(10 * CHATTY_CALLS, 2_000)
    };
    assert_eq!(
        about(vec![row(CHATTY_CALLS, CHATTY_MEDIAN), others]),
        [""; 0]
    );
}

#[test]
fn what_computes_is_made_cheaper_and_what_looks_up_is_called_less() {
    let model = Model {
        targets: vec![row(2_000_000, 10)],
        ..ended()
    };
    let found = |names: Names| ids(&model, &names, &Facts::default());
    assert_eq!(
        found(with_signature(signature("int (int, int)"))),
        ["suppress-candidate"]
    );
    assert_eq!(
        found(with_signature(signature("int (IntPtr)"))),
        ["chatty-target", "suppress-candidate"]
    );
    let last_error = Signature {
        sets_last_error: true,
        ..signature("int (int, int)")
    };
    assert_eq!(
        found(with_signature(last_error)),
        ["needless-last-error", "suppress-candidate"]
    );
    let strings = Signature {
        strings_in: true,
        is_blittable: false,
        ..signature("int (string)")
    };
    assert_eq!(found(with_signature(strings)), ["string-marshalling"]);
}

#[test]
fn rare_slow_calls_are_found_where_the_function_itself_is_slow() {
    let rare = |change: fn(&mut TargetRow)| {
        let mut row = TargetRow {
            max_ns: Some(SLOW_MAX),
            ..row(1000, 1000)
        };
        row.total_ns += SLOW_MAX;
        row.self_ns += SLOW_MAX;
        change(&mut row);
        about(vec![row])
    };
    assert_eq!(rare(|_| ()), ["slow-call"]);
    assert_eq!(rare(|row| row.max_ns = Some(SLOW_MAX - 1)), [""; 0]);
    assert_eq!(
        rare(|row| row.p50_ns = Some(SLOW_MAX / SLOW_TIMES + 1)),
        [""; 0]
    );
    assert_eq!(rare(|row| row.returned = SLOW_CALLS - 1), [""; 0]);
    // The time was spent in callbacks, in loading the library, or in waiting for events.
    assert_eq!(rare(|row| row.self_ns -= SLOW_MAX), [""; 0]);
    assert_eq!(rare(|row| row.entry = Some("poll".into())), [""; 0]);
    assert_eq!(rare(|row| row.first_call_ns = row.max_ns), [""; 0]);
    let first = rare(|row| (row.first_call_ns, row.max_ns) = (Some(FIRST_CALL), Some(FIRST_CALL)));
    assert_eq!(first, ["library-search"]);
}

#[test]
fn marked_calls_are_to_be_short() {
    let mut names = Names::default();
    let target = TargetNames {
        target: 1,
        suppressed: true,
        ..TargetNames::default()
    };
    names.targets.insert(1, target);
    names.suspensions.push(Suspension {
        at: 5 * MS,
        waited: 40 * MS,
        task: 2,
        target: 1,
    });
    let found = |row: TargetRow| {
        let model = Model {
            targets: vec![row],
            ..ended()
        };
        let context = Context {
            model: &model,
            names: &names,
            scale: Scale::IDENTITY,
            facts: &Facts::default(),
        };
        findings(&context)
    };
    let offender = found(row(10, OFFENDER_MEDIAN));
    assert_eq!(offender[0].id, "suppress-offender");
    assert!(
        offender[0]
            .evidence
            .contains("1 collection waited for it, 40.0 ms in all"),
        "{}",
        offender[0].evidence
    );
    assert_eq!(found(row(10, OFFENDER_MEDIAN - 1)), []);
    let longest = TargetRow {
        max_ns: Some(OFFENDER_LONGEST),
        ..row(10, 100)
    };
    assert_eq!(found(longest)[0].id, "suppress-offender");
}

#[test]
fn callbacks_are_a_storm_if_a_call_makes_very_many() {
    let storm = |callbacks: u64, calls: u64, ns: u64| {
        let reverse = TargetRow {
            number: 2,
            direction: "reverse",
            library: None,
            method: Some("A.Compare".into()),
            ..row(callbacks, ns)
        };
        let mut forward = row(calls, 1000);
        forward.total_ns += reverse.total_ns;
        about(vec![forward, reverse])
    };
    assert_eq!(storm(STORM_CALLS, 1, STORM_SELF), ["callback-storm"]);
    assert_eq!(storm(STORM_CALLS - 1, 1, STORM_SELF), [""; 0]);
    assert_eq!(storm(STORM_CALLS, 1, STORM_SELF + 1), [""; 0]);
    assert_eq!(
        storm(STORM_CALLS, STORM_CALLS / STORM_PER_CALL + 1, STORM_SELF),
        [""; 0]
    );
}

#[test]
fn the_finalizer_frees_what_was_dropped() {
    let found = |on_finalizer: u64, calls: u64| {
        let model = Model {
            targets: vec![row(calls, 1000)],
            ..ended()
        };
        let mut facts = Facts::default();
        let part = Part {
            calls: on_finalizer,
            own_ns: 0,
        };
        facts.on_finalizer.insert(1, part);
        ids(&model, &Names::default(), &facts)
    };
    assert_eq!(found(FINALIZER_CALLS, FINALIZER_CALLS), ["finalizer-frees"]);
    assert_eq!(found(FINALIZER_CALLS - 1, FINALIZER_CALLS), [""; 0]);
    assert_eq!(found(FINALIZER_CALLS, FINALIZER_CALLS * 3), [""; 0]);
}

#[test]
fn open_calls_are_stuck_or_open_at_a_crash() {
    let found = |ended: &'static str, signal: Option<i32>, row: OpenRow| {
        let model = Model {
            ended,
            signal,
            open: vec![row],
            tasks: vec![task(1, "main")],
            ..Model::default()
        };
        ids(&model, &Names::default(), &Facts::default())
    };
    let (crash, stop) = (Some(libc::SIGSEGV), Some(libc::SIGTERM));
    assert_eq!(
        found("signal", crash, open("lib!work", 1, 1)),
        ["open-at-crash"]
    );
    let callback = OpenRow {
        direction: "reverse",
        depth: 1,
        ..open("A.OnEvent", 1, 1)
    };
    let model = Model {
        ended: "signal",
        signal: Some(libc::SIGABRT),
        open: vec![open("lib!work", 1, 2), callback],
        ..Model::default()
    };
    assert_eq!(
        ids(&model, &Names::default(), &Facts::default()),
        ["open-at-crash"]
    );
    let kill = Some(libc::SIGKILL);
    assert_eq!(
        found("killed", kill, open("lib!work", 1, 2999)),
        ["open-at-crash"]
    );
    assert_eq!(
        found("killed", kill, open("lib!work", 1, 3000)),
        ["stuck-call"]
    );
    assert_eq!(found("killed", kill, open("libc!accept", 1, 2999)), [""; 0]);
    assert_eq!(
        found("signal", stop, open("libc!read", 1, 3000)),
        ["stuck-call"]
    );
    assert_eq!(found("signal", stop, open("libc!read", 1, 2999)), [""; 0]);
    assert_eq!(
        found("running", None, open("libc!read", 1, 10_000)),
        ["stuck-call"]
    );
    assert_eq!(found("running", None, open("libc!read", 1, 9999)), [""; 0]);
    // An idle server, and a thread that the program does not wait for.
    assert_eq!(
        found("signal", stop, open("libc!accept", 1, 60_000)),
        [""; 0]
    );
    assert_eq!(found("exit", None, open("libc!read", 1, 60_000)), [""; 0]);
}

#[test]
fn a_lock_is_seen_by_how_calls_return() {
    let found = |calls: Vec<SlowRow>| {
        let model = Model {
            slow: calls,
            ..ended()
        };
        ids(&model, &Names::default(), &Facts::default())
    };
    let waiting = |ends: [u64; 4]| -> Vec<SlowRow> {
        let tasks = ends.iter().zip(2..);
        tasks
            .map(|(end, task)| slow("lib!work", task, 10, *end))
            .collect()
    };
    // One after the other, as behind a lock; all at once; at any time.
    assert_eq!(found(waiting([200, 400, 600, 800])), ["native-lock"]);
    assert_eq!(found(waiting([500, 500, 500, 500])), [""; 0]);
    assert_eq!(found(waiting([500, 510, 1900, 2000])), [""; 0]);
    // All at once, right after the call that held the lock.
    let mut held = waiting([500, 500, 501, 501]);
    held.push(slow("lib!hold", 1, 0, 510));
    assert_eq!(found(held), ["native-lock"]);
    // Functions that wait by design.
    let sleeping = waiting([200, 400, 600, 800]).into_iter().map(|mut row| {
        row.target = "libc!usleep".into();
        row
    });
    assert_eq!(found(sleeping.collect()), [""; 0]);
}

#[test]
fn a_pool_starves_if_work_waits_and_its_threads_are_in_native_code() {
    let found = |starved: bool, together: u32| {
        let model = Model {
            slow: (1..=together)
                .map(|n| slow("lib!work", n, 10, 400))
                .collect(),
            tasks: (1..=together).map(|n| task(n, "pool")).collect(),
            ..ended()
        };
        let mut names = Names::default();
        if starved {
            names.starvations.push(Starvation { at: 1, threads: 5 });
        }
        let facts = Facts {
            processors: 4,
            ..Facts::default()
        };
        ids(&model, &names, &facts)
    };
    assert_eq!(found(true, 2), ["pool-starvation"]);
    assert_eq!(found(true, 1), [""; 0]);
    assert_eq!(found(false, 6), ["pool-starvation"]);
    assert_eq!(found(false, 5), [""; 0]);
}

#[test]
fn problems_come_first_and_explain_slow_calls() {
    let mut row = TargetRow {
        max_ns: Some(SLOW_MAX),
        failed: 1,
        ..row(1000, 1000)
    };
    row.self_ns += SLOW_MAX;
    let failure = FailureRow {
        target: "lib!gone".into(),
        reason: "library-not-found",
        calls: 1,
        ..FailureRow::default()
    };
    let model = Model {
        targets: vec![row],
        failures: vec![failure],
        ..ended()
    };
    let found = ids(&model, &Names::default(), &Facts::default());
    assert_eq!(found, ["swallowed-failure", "slow-call"]);
}

#[test]
fn figures_that_cannot_be_do_not_matter() {
    let all = u64::MAX;
    let row = TargetRow {
        calls: all,
        returned: all,
        failed: all,
        total_ns: all,
        self_ns: all,
        p50_ns: Some(all),
        p99_ns: Some(all),
        max_ns: Some(all),
        first_call_ns: Some(all - 1),
        open_max_ns: Some(all),
        ..row(1, 1)
    };
    let mut reverse = row.clone();
    reverse.direction = "reverse";
    let call = SlowRow {
        duration_ns: all,
        began: all,
        returned: all,
        ..slow("lib!work", 1, 0, 0)
    };
    let mut wait = open("lib!work", 1, 1);
    (wait.duration_ns, wait.began) = (all, all);
    let mut pool = task(1, "pool");
    (pool.until, pool.unmanaged_ns) = (all, Some(all));
    let model = Model {
        targets: vec![row.clone(), row, reverse],
        slow: vec![call; 5],
        open: vec![wait; 3],
        tasks: vec![pool.clone(), pool],
        ended: "running",
        ..Model::default()
    };
    let mut names = with_signature(signature("int (,)"));
    let stop = Suspension {
        at: all,
        waited: all,
        task: 0,
        target: 0,
    };
    names.suspensions = vec![stop; 3];
    names.starvations = vec![
        Starvation {
            at: 0,
            threads: u32::MAX
        };
        2
    ];
    let facts = Facts {
        processors: all,
        ..Facts::default()
    };
    assert!(!ids(&model, &names, &facts).is_empty());
}
