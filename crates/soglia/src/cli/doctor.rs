//! The options of `soglia doctor`.

use std::{ffi::OsString, path::Path};

use clap::{Args, ValueEnum};
use soglia::doctor::What;

use super::recording::pid;

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is started and nothing is changed. Each line names one thing that a recording depends \
    on: `ok`, `warn` (it works, with less comfort or precision) or `FAIL`. With PROGRAM, the native libraries \
    that its assemblies import are looked for as the runtime would, with all that they need. With PID, it says \
    whether `soglia attach PID` can begin, and how the engine would come into that process.\n\n\
    Examples:\n  \
        soglia doctor\n  \
        soglia doctor ./app                    check this program too\n  \
        soglia doctor 4711                     can soglia attach to process 4711?\n  \
        soglia doctor 4711 --format json | jq '.findings[] | select(.level != \"ok\")'\n\n\
    Exit codes:\n  \
        0  soglia works here, or can attach to the process\n  \
        2  it does not: a line says FAIL"
)]
pub struct Doctor {
    /// A program to check as well, or a process to attach to.
    #[arg(value_name = "PROGRAM|PID")]
    program: Option<OsString>,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    format: DoctorFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DoctorFormat {
    /// For people.
    Text,
    /// One object; docs/doctor.schema.json describes it.
    Json,
}

impl Doctor {
    /// What to examine.
    pub fn what(&self) -> What<'_> {
        match &self.program {
            None => What::Machine,
            Some(given) => match pid(Path::new(given)) {
                Some(pid) => What::Process(pid),
                None => What::Program(given),
            },
        }
    }

    pub const fn is_json(&self) -> bool {
        matches!(self.format, DoctorFormat::Json)
    }
}
