//! `--slots`, with tasks that poll for what others do: the others get on, and the bound holds.

use crate::slots::program_under;

/// Every way to pass the time until one looks again.
const WAYS: &str = "yield sleep0 sleep1 sleepspan spinwait tryenter tryenter0 tryenterspan tryenterref waitone join";

fn seen(printed: &str, ways: &str, what: &str) {
    let lines: Vec<&str> = printed.lines().collect();
    let expected: Vec<String> = ways
        .split(' ')
        .map(|way| format!("{way}{what}: seen"))
        .collect();
    assert_eq!(lines, expected);
}

/// The task that looks has the only slot.
#[test]
fn whoever_looks_lets_others_go_on() {
    let ways = format!("{WAYS} spinuntil spinlock taskyield");
    for options in ["--slots 1", "--slots 1 --corelib"] {
        let (printed, report) = program_under(options, "turns.dll", &format!("look {ways}"));
        seen(&printed, &ways, "");
        assert_eq!(report["timed_out"], 0, "{options}");
    }
}

#[test]
fn tasks_take_turns() {
    for slots in [1, 2] {
        let options = format!("--slots {slots}");
        let (printed, report) = program_under(&options, "turns.dll", &format!("turns 6 {WAYS}"));
        seen(&printed, WAYS, " one after the other");
        assert_eq!(report["timed_out"], 0);
    }
}

#[test]
fn work_items_of_the_pool_take_turns() {
    let (printed, _) = program_under("--slots 1", "turns.dll", "pool 8");
    assert_eq!(printed, "pool: seen\n");
}

/// However often tasks give way, sleep and call, no more of them run managed code than may.
#[test]
fn so_many_run_managed_code_at_a_time() {
    for (slots, case) in [(1, "storm 32 40"), (2, "storm 32 40"), (1, "sleepers 8 20")] {
        let (printed, report) = program_under(&format!("--slots {slots}"), "turns.dll", case);
        let most = printed.strip_suffix(" at a time\n").unwrap();
        let most: u64 = most.parse().unwrap();
        let lent = report["lent"].as_u64().unwrap();
        assert!(0 < most && most <= slots + lent, "{case}: {most}, {report}");
        assert_eq!(
            (&report["count"], &report["timed_out"]),
            (&slots.into(), &0.into())
        );
    }
}
