//! A process that records is killed, or stopped, between any two instructions: what it leaves is
//! whole, except for the one crossing in progress.
#![allow(
    unsafe_code,
    reason = "counters in memory shared with another process, fork and ptrace"
)]

mod killed;
mod stepped;
mod steps;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use soglia_testing::needs::trial;

fn main() -> ExitCode {
    killed::play();
    let tests = vec![
        trial(
            "a_killed_process_leaves_all_but_the_crossing_in_progress",
            || {
                killed::a_killed_process_leaves_all_but_the_crossing_in_progress();
                Ok(())
            },
        ),
        trial(
            "every_instruction_may_be_the_last",
            stepped::every_instruction_may_be_the_last,
        ),
        trial(
            "every_instruction_at_once_may_be_the_last",
            stepped::every_instruction_at_once_may_be_the_last,
        ),
    ];
    // miri starts no processes.
    let tests = tests.into_iter();
    let tests = tests.map(|test| test.with_ignored_flag(cfg!(miri)));
    libtest_mimic::run(&Arguments::from_args(), tests.collect()).exit_code()
}
