//! Hosts in Rust, as others write them: with `soglia::host` alone, in processes of their own.
//!
//! A process has one runtime, so every case is a process. This file is its own `main`: with a case
//! as first argument it plays that host. Cases run on every runtime, 8 or later, of the .NET root
//! that `SOGLIA_TEST_DOTNET_ROOT` names or that hosts find. Examples run on its newest.

#![allow(unsafe_code, reason = "functions of another language")]

mod attaches;
mod calls;
mod crossings;
mod domains;
mod examples;
mod setup;
mod stage;
mod starts;
mod stores;

use std::env;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

use setup::Setup;
use stage::Stage;

/// Before a case, the version and the folder of the fixtures, as arguments of this very program.
const ROLE: &str = "__host";

/// One process.
pub struct Case {
    name: &'static str,
    run: fn(&Stage),
    environment: &'static [(&'static str, &'static str)],
    /// What is in its output.
    tells: &'static [&'static str],
}

macro_rules! cases {
    ($($module:ident: $($case:ident)*;)*) => {
        &[$($(Case::new(stringify!($case), $module::$case),)*)*]
    };
}

impl Case {
    const fn new(name: &'static str, run: fn(&Stage)) -> Self {
        Self {
            name,
            run,
            environment: &[],
            tells: &[],
        }
    }
}

const CASES: &[Case] = cases! {
    calls: methods_are_called what_is_missing_is_told functions_are_called programs_run what_the_clr_can_be_asked;
    domains: domains_have_their_own domains_are_unloaded what_a_domain_lacks_is_told;
    stores: assemblies_come_from_memory a_store_refuses;
    starts: versions_are_chosen roots_are_chosen configurations_are_chosen a_framework_is_missing
        properties_reach_the_runtime another_host_joins a_failed_start_can_be_tried_again the_engine_is_named a_host_survives;
    attaches: a_manager_comes_later a_manager_that_comes_later_refuses a_manager_is_dropped crossings_are_watched_later what_cannot_come_later;
    crossings: the_six_steps_are_told tasks_are_paired a_thread_without_a_task_is_not_told
        results_are_refused callbacks_are_refused a_panic_takes_the_clr_out_of_use a_broken_pairing_refuses
        callbacks_may_wait what_threads_do_is_told suspensions_are_told slots_bound_managed_code crossings_are_watched what_is_not_read_is_counted;
};

const SPECIAL: &[Case] = &[
    Case {
        environment: &[
            ("CORECLR_ENABLE_PROFILING", "1"),
            ("CORECLR_PROFILER", "{846F5F1C-F9AE-4B07-969E-05C26BC060D8}"),
        ],
        ..Case::new(
            "another_profiler_is_in_the_way",
            starts::another_profiler_is_in_the_way,
        )
    },
    Case {
        environment: &[("DOTNET_EnableDiagnostics", "0")],
        ..Case::new(
            "profilers_are_switched_off",
            starts::profilers_are_switched_off,
        )
    },
    Case {
        // What .NET makes of them.
        tells: &[
            "UnauthorizedAccessException: 0x80070005",
            "OutOfMemoryException: 0x8007000E",
            "OperationCanceledException: 0x8013153B",
            "NotSupportedException: 0x80131515",
            "ArgumentException: 0x80070057",
            "NotImplementedException: 0x80004001",
            "COMException: 0x80131024",
            "COMException: 0x8000FFFF",
            "COMException: 0xA0000001",
        ],
        ..Case::new("calls_are_refused", crossings::calls_are_refused)
    },
    Case {
        tells: &[
            "ProcessExit: ExitProcess",
            "the program exits",
            "no more managed code",
        ],
        ..Case::new("the_end_is_told", starts::the_end_is_told)
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let [_, role, name, version, fixtures] = &arguments[..]
        && role == ROLE
    {
        let mut all = CASES.iter().chain(SPECIAL);
        let case = all.find(|case| case.name == name).unwrap();
        (case.run)(&Stage {
            version: version.clone(),
            fixtures: fixtures.into(),
        });
        return ExitCode::SUCCESS;
    }
    let setup: &Setup = Box::leak(Box::new(setup::prepare()));
    let versions = soglia_testing::dotnet::versions(&setup.root);
    let cases = CASES.iter().chain(SPECIAL).flat_map(|case| {
        versions.clone().into_iter().map(move |version| {
            let name = format!("{}::{version}", case.name);
            Trial::test(name, move || run(case, &version, setup))
        })
    });
    let examples = examples::ALL.iter().map(|example| {
        Trial::test(format!("example::{}", example.name), move || {
            example.run(setup).map_err(Failed::from)
        })
    });
    let of_docs = Trial::test("examples_are_in_the_docs", || {
        examples::are_in_the_docs().map_err(Failed::from)
    });
    let procedures = Trial::test("example::procedures", || {
        examples::procedures_do_no_harm(setup).map_err(Failed::from)
    });
    let all = cases.chain(examples).chain([procedures, of_docs]).collect();
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}

fn run(case: &Case, version: &str, setup: &Setup) -> Result<(), Failed> {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([ROLE, case.name, version]);
    command.arg(&setup.fixtures);
    let (success, told) = setup.output(&mut command, case.environment);
    if !success {
        return Err(told.into());
    }
    for text in case.tells {
        if !told.contains(text) {
            return Err(format!("it does not say {text:?}:\n{told}").into());
        }
    }
    Ok(())
}
