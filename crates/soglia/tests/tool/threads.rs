//! Tasks: their names, their kinds, and very many of them.

use std::collections::BTreeMap;

use crate::case::{case, verify};
use crate::check::{is_own, word};
use crate::support::{Report, Space, text};

/// Crossings of the fixture's own on each task that has some, by name and kind.
fn own_tasks(
    report: &Report,
    lines: &[crate::support::Line],
) -> Vec<(Option<String>, String, usize)> {
    let mut own: BTreeMap<u32, usize> = BTreeMap::new();
    for line in lines.iter().filter(|line| is_own(line)) {
        *own.entry(line.task).or_default() += 1;
    }
    let task = |number: u32| {
        report
            .tasks
            .iter()
            .find(|task| task.task == number)
            .unwrap()
    };
    let row = |(number, count)| (task(number).name.clone(), task(number).kind.clone(), count);
    own.into_iter().map(row).collect()
}

#[test]
fn names_appear_as_the_program_gives_them() {
    let pattern =
        "3 thread: L(plain) E ; thread: 3 x [L(plain) E] ; pool together: 2 x [L(plain) E]";
    let (report, lines) = verify(&case("names", pattern));
    let mut named: Vec<_> = own_tasks(&report, &lines)
        .into_iter()
        .filter(|(_, kind, _)| kind == "thread")
        .collect();
    named.sort();
    let expected = [
        ("città", 2),
        ("first worker", 2),
        ("later", 6),
        ("second worker", 2),
    ];
    assert_eq!(
        named,
        expected.map(|(name, count)| (Some(name.to_owned()), "thread".to_owned(), count))
    );
    let kinds: Vec<&str> = report.tasks.iter().map(|task| task.kind.as_str()).collect();
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "main").count(),
        1,
        "{kinds:?}"
    );
    assert!(
        kinds.contains(&"timer") && kinds.contains(&"pool"),
        "{kinds:?}"
    );
    let main = report
        .tasks
        .iter()
        .find(|task| task.kind == "main")
        .unwrap();
    assert_eq!((main.os_thread, &main.name), (report.pid, &None));
}

#[test]
fn the_finalizer_closes_what_another_thread_has_opened() {
    let pattern = "thread: 10 x [L(handle_open) E] ; finalizer: 10 x [L(handle_close) E]";
    let (report, lines) = verify(&case("finalizer", pattern));
    let thread = |entry: &str| {
        let line = lines
            .iter()
            .find(|line| line.entry.as_deref() == Some(entry))
            .unwrap();
        line.os_thread
    };
    assert_ne!(thread("handle_open"), thread("handle_close"));
    let finalizer = report
        .tasks
        .iter()
        .find(|task| task.kind == "finalizer")
        .unwrap();
    assert_eq!(finalizer.os_thread, thread("handle_close"));
}

/// Far more threads than tasks: some tasks stand for several threads, one after the other. Nothing
/// is lost.
#[test]
fn three_thousand_threads_fit_into_fewer_tasks() {
    const THREADS: u64 = 3000;
    let space = Space::new();
    let output = space
        .run(
            "-q --record events -o a.soglia",
            "semantics.dll",
            "churn 3000",
        )
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let recording = space.recording("a.soglia");
    let (report, lines) = (recording.report(), recording.events());
    assert_eq!(
        (report.calls("plain"), space.oracle_calls("plain")),
        (THREADS, THREADS)
    );
    let sums = crate::check::add_up(&lines);
    assert_eq!(
        sums.crossings.iter().sum::<u64>(),
        report.crossings.values().sum::<u64>()
    );
    assert_eq!(
        (
            sums.abandoned,
            report
                .faults
                .iter()
                .filter(|row| row.kind != "after-shutdown")
                .count()
        ),
        (0, 0)
    );
    let tasks = report.tasks.len() as u64;
    assert!(tasks < 2200, "{tasks} tasks");
    let threads: u64 = report.tasks.iter().map(|task| task.threads).sum();
    assert!(
        threads >= THREADS && threads > tasks,
        "{threads} threads in {tasks} tasks"
    );
    // Each pair is of one thread, and each thread has crossed once.
    let own: Vec<_> = lines.iter().filter(|line| is_own(line)).collect();
    assert_eq!(own.len() as u64, 2 * THREADS);
    for pair in own.chunks_exact(2) {
        assert_eq!([word(pair[0]), word(pair[1])], ["L(plain)", "E"]);
        assert_eq!(pair[0].os_thread, pair[1].os_thread);
    }
    assert_eq!(recording.replayed().calls("plain"), THREADS);
}

#[test]
fn sixty_four_threads_at_once_are_kept_apart() {
    let space = Space::new();
    let output = space
        .run("-q -o a.soglia", "semantics.dll", "threads 64 5000")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = space.recording("a.soglia").report();
    let calls = [
        report.calls("plain"),
        report.calls("call_back"),
        report.callbacks("CrossOnce"),
    ];
    assert_eq!(calls, [64 * 5000; 3]);
    let oracle = space.oracle();
    assert_eq!(
        (oracle["plain"], oracle["call_back"]),
        ((64 * 5000, 0), (64 * 5000, 64 * 5000))
    );
    let busy: Vec<u64> = report
        .tasks
        .iter()
        .map(|task| task.crossings)
        .filter(|count| *count >= 30_000)
        .collect();
    assert_eq!(busy.len(), 64);
}
