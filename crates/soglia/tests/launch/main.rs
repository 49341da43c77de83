//! Starting real programs: exit codes, signals, job control, environment, and .NET with and
//! without its `dotnet`.
//!
//! The launcher must be a process with one thread, which has never been a test thread of Rust's.
//! So this file is its own `main`: with a role as first argument it plays that role, and otherwise
//! it runs the tests.

#![allow(
    unsafe_code,
    reason = "signals, sessions and pseudo-terminals, which std does not know"
)]

mod endings;
mod inheritance;
mod processes;
mod roles;
mod roots;
mod signals;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use soglia_testing::needs::{Outcome, trial};

macro_rules! tests {
    ($($module:ident: $($test:ident)*;)*) => {
        vec![$($(trial(
            concat!(stringify!($module), "::", stringify!($test)),
            || outcome($module::$test),
        ),)*)*]
    };
}

/// Of a test that needs nothing, and of one that does.
trait IntoOutcome {
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Ok(())
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

fn outcome<T: IntoOutcome>(test: fn() -> T) -> Outcome {
    test().into_outcome()
}

fn main() -> ExitCode {
    if let Some(code) = roles::play() {
        return code;
    }
    let tests: Vec<Trial> = tests! {
        endings: an_exit_code_is_passed_on
            a_death_by_signal_is_passed_on
            an_ignored_sigchld_does_not_lose_the_exit_code
            a_program_that_signals_its_parent_is_not_answered
            the_caller_gets_turns_while_it_waits;
        inheritance: ignored_and_blocked_signals_are_those_of_the_start
            a_closed_standard_input_stays_closed
            no_file_descriptors_are_added
            the_name_as_given_is_argv_0
            the_engine_variables_are_set_and_stale_ones_removed
            what_cannot_be_executed_is_named;
        signals: signals_sent_to_the_tool_reach_the_program
            the_value_of_a_queued_signal_is_kept
            a_terminal_interrupt_arrives_once
            ctrl_z_stops_both_and_continuing_resumes_both
            a_stop_sent_to_the_tool_stops_both
            a_stop_sent_to_the_program_leaves_the_tool_waiting;
        roots: an_assembly_runs_with_the_dotnet_of_its_root
            an_assembly_runs_on_a_root_without_dotnet
            native_libraries_find_what_dotnet_is_linked_with
            hostfxr_reports_what_it_does_not_like;
    };
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
