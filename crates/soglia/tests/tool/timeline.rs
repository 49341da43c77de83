//! Events of all threads in one timeline.

use crate::support::{Line, Live, Space, signal, text, until};

/// The lines of `soglia events --format jsonl` with these options.
fn lines(space: &Space, options: &str) -> Vec<Line> {
    let mut command = space.soglia(&format!("events --format jsonl {options} a.soglia"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    let lines = lines.lines().map(serde_json::from_str::<Line>);
    lines.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_timeline_has_the_crossings_of_all_threads_in_order() {
    let space = Space::new();
    let run = "-q --record events -o a.soglia";
    let mut command = space.run(run, "bench.dll", "10 3");
    assert!(command.status().unwrap().success());
    let (by_thread, by_time) = (lines(&space, ""), lines(&space, "--by time"));
    let threads = space.recording("a.soglia").report().tasks.len();
    assert!(threads >= 3 && by_thread.len() > 100, "{threads} threads");
    assert!(by_time.is_sorted_by_key(|line| line.t));
    assert!(!by_thread.is_sorted_by_key(|line| line.t));
    // Moments are times of day too.
    assert!(by_time.is_sorted_by_key(|line| &line.time));
    let mut sorted = by_time.clone();
    sorted.sort_by_key(|line| line.task);
    assert!(sorted == by_thread);
    let one = lines(&space, "--by time --thread 1");
    assert!(!one.is_empty() && one.iter().all(|line| line.task == 1));

    let output = space.soglia("events --by time a.soglia").output().unwrap();
    let printed = text(&output.stdout);
    let mut printed = printed.lines();
    let heading: Vec<&str> = printed.next().unwrap().split_whitespace().collect();
    assert_eq!(
        heading.join(" "),
        "seconds time of day, UTC thread crossing"
    );
    for (line, crossing) in printed.zip(by_time.iter().filter(|line| !line.runtime_internal)) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(crossing.time.ends_with(words[1]), "{line}");
        let task = crossing.task.to_string();
        assert_eq!(words[2..4], [&task, &crossing.crossing], "{line}");
    }
}

#[test]
fn a_timeline_of_a_running_program_ends_now() {
    let space = Space::new();
    let run = "-q --record events -o a.soglia";
    let mut live = Live::start(&mut space.run(run, "semantics.dll", "spin 600"));
    live.expect("spinning");
    until("calls", || {
        (space.oracle_calls("plain") > 1000).then_some(())
    });
    // The program stands still while it is listed: it makes millions of crossings in a second.
    let program = live.program().unwrap();
    signal(program, "STOP");
    let before = lines(&space, "--by time");
    let calls = space.oracle_calls("plain");
    signal(program, "CONT");
    until("more calls", || {
        (space.oracle_calls("plain") > calls + 1000).then_some(())
    });
    signal(program, "STOP");
    let after = lines(&space, "--by time");
    signal(program, "KILL");
    live.wait();
    assert!(before.is_sorted_by_key(|line| line.t) && after.len() > before.len());
    // What was listed once is listed again. Its times may differ by the length of a tick, which is
    // known better from second to second.
    for (before, after) in before.iter().zip(&after) {
        let what = |line: &Line| (line.task, line.crossing.clone(), line.depth);
        assert_eq!(what(before), what(after));
        assert!(
            before.t.abs_diff(after.t) < 1_000_000,
            "{before:?} {after:?}"
        );
    }
}
