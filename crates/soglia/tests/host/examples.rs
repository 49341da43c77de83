//! The examples say what they should, and the docs show them as they are.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::setup::Setup;

pub struct Example {
    pub name: &'static str,
    program: &'static str,
    /// Its output, without the lines that differ from run to run.
    says: &'static str,
}

pub const ALL: &[Example] = &[
    Example {
        name: "embed",
        program: "guest.dll",
        says: r#""a plug-in in C#" has 4 words
40 + 2 is 42
the mean of [1.0, 2.0, 6.0] is 3
an exception left Guest.Plugin.Fail: COR_E_INVALIDOPERATION (0x80131509)
Guest.Plugin has no static int M(string) of the name Absent
"#,
    },
    Example {
        name: "bound",
        program: "guest.dll",
        says: "at most 2 of 8 threads were in native code\n",
    },
    Example {
        name: "slots",
        program: "guest.dll",
        says: "waits that took too long: 0\n",
    },
    Example {
        name: "refuse",
        program: "guest.dll",
        says: "refused: libguest.so!guest_secret
UnauthorizedAccessException: 0x80070005
the native function has run 0 times
",
    },
    Example {
        name: "later",
        program: "guest.dll",
        says: "the secret is 42
before: call 1
managed code calls libguest.so!guest_secret
the secret is 42
attached: call 2
the secret is 42
detached: call 3
",
    },
    Example {
        name: "watch",
        program: "sixsteps.dll",
        says: "LeaveRuntime libsixsteps.so!first
  ReverseEnterRuntime 
    LeaveRuntime libsixsteps.so!second
    EnterRuntime libsixsteps.so!second
  ReverseLeaveRuntime 
EnterRuntime libsixsteps.so!first
exit code 0
",
    },
];

impl Example {
    pub fn run(&self, setup: &Setup) -> Result<(), String> {
        let mut command = Command::new(setup.example(self.name));
        command.arg(setup.fixtures.join(self.program));
        let (success, told) = setup.output(&mut command, &[]);
        // The watched program has a say of its own, which comes whenever it comes.
        let said: String = told
            .lines()
            .filter(|line| !line.starts_with("this is .NET") && !line.starts_with("waits in line"))
            .filter(|line| !is_of_sixsteps(line))
            .map(|line| format!("{line}\n"))
            .collect();
        if success && said == self.says {
            Ok(())
        } else {
            Err(told)
        }
    }
}

/// The server of the example goes on, whatever its procedures do.
pub fn procedures_do_no_harm(setup: &Setup) -> Result<(), String> {
    let mut command = Command::new(setup.example("procedures"));
    let assembly = setup.fixtures.join("procedures.dll");
    command.arg(assembly).arg("120");
    let (success, told) = setup.output(&mut command, &[]);
    let says = [
        "no procedure may call: kill, pause",
        "calls: 120, slots that are free: 2",
    ];
    let said = |line: &&str| told.lines().any(|there| there == *line);
    if success && says.iter().all(said) {
        Ok(())
    } else {
        Err(told)
    }
}

fn is_of_sixsteps(line: &str) -> bool {
    let mut characters = line.chars();
    let numbered = characters.next().is_some_and(|c| c.is_ascii_digit());
    numbered && characters.next() == Some(' ') && !line.contains('+')
}

/// Every example is in `docs/rust-host.md`, word for word, and so is the plug-in.
pub fn are_in_the_docs() -> Result<(), String> {
    let krate = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(krate.join(file)).unwrap();
    let docs = read("../../docs/rust-host.md");
    let of_plugin = [
        ("csharp", "../../fixtures/guest/Plugin.cs".to_owned()),
        ("c", "../../fixtures/guest/guest.c".to_owned()),
    ];
    let examples = ALL
        .iter()
        .map(|example| ("rust,no_run", format!("examples/{}.rs", example.name)));
    for (language, file) in examples.chain(of_plugin) {
        let block = format!("```{language}\n{}```\n", read(&file));
        if !docs.contains(&block) {
            return Err(format!("docs/rust-host.md does not have {file} as it is"));
        }
    }
    Ok(())
}
