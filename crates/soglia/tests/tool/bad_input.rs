//! What cannot work ends before anything is started, with one line that names the problem and a way
//! out.

use std::fs;

use crate::support::{Space, fixture, refusal, setup, text};

/// A copy of hello.dll and its configuration in which bytes are changed.
fn changed_hello(space: &Space, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(fixture("hello.dll")).unwrap();
    change(&mut bytes);
    fs::write(space.path("app.dll"), bytes).unwrap();
    fs::copy(
        fixture("hello.runtimeconfig.json"),
        space.path("app.runtimeconfig.json"),
    )
    .unwrap();
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// Where the COFF header of a PE file begins.
fn coff(bytes: &[u8]) -> usize {
    number(bytes, 0x3c) + 4
}

/// Where the flags of its CLR header are.
fn clr_flags(bytes: &[u8]) -> usize {
    let coff = coff(bytes);
    let optional = coff + 20;
    let wide = bytes[optional..optional + 2] == [0x0b, 0x02];
    let clr = number(bytes, optional + if wide { 112 } else { 96 } + 14 * 8);
    let sections = optional + usize::from(u16::from_le_bytes([bytes[coff + 16], bytes[coff + 17]]));
    let count = usize::from(u16::from_le_bytes([bytes[coff + 2], bytes[coff + 3]]));
    let mut section = (0..count).map(|n| sections + n * 40);
    let inside = |at: &usize| {
        (number(bytes, at + 12)..number(bytes, at + 12) + number(bytes, at + 8)).contains(&clr)
    };
    let section = section.find(inside).unwrap();
    clr - number(bytes, section + 12) + number(bytes, section + 20) + 16
}

#[test]
fn programs_that_are_none() {
    let space = Space::new();
    fs::create_dir(space.path("folder")).unwrap();
    fs::write(space.path("empty.dll"), "").unwrap();
    fs::write(space.path("text.dll"), "text\n").unwrap();
    fs::write(
        space.path("cut.dll"),
        &fs::read(fixture("hello.dll")).unwrap()[..1000],
    )
    .unwrap();
    fs::copy(fixture("hello.dll"), space.path("alone.dll")).unwrap();
    let unknown = "is neither a .NET assembly nor executable; if it should be, `chmod +x` it";
    let cases = [
        ("none.dll", "./none.dll does not exist".to_owned()),
        ("./none", "./none does not exist".to_owned()),
        ("no-such-command", "no-such-command is not on PATH".to_owned()),
        ("./folder", "./folder is a directory; name the .dll or the executable in it".to_owned()),
        ("empty.dll", format!("./empty.dll {unknown}")),
        ("text.dll", format!("./text.dll {unknown}")),
        ("cut.dll", "./cut.dll is damaged: its CLR header is outside the file; build or copy it again".to_owned()),
        (
            "alone.dll",
            "./alone.dll has no alone.runtimeconfig.json beside it, by which .NET picks a runtime; run the .dll in the \
             output directory of `dotnet build` or `dotnet publish`, with the files around it"
                .to_owned(),
        ),
    ];
    for (program, message) in cases {
        assert_eq!(
            refusal(&mut space.soglia(&format!("run -o a.soglia {program}"))),
            message
        );
        assert!(!space.path("a.soglia").exists(), "{program}");
    }
}

#[test]
fn assemblies_for_other_machines() {
    let space = Space::new();
    let refused = || refusal(&mut space.soglia("run app.dll"));
    let instead = "soglia runs programs for AnyCPU or x64: build it for linux-x64";
    let machine = |machine: u16| {
        changed_hello(&space, |bytes| {
            let at = coff(bytes);
            bytes[at..at + 2].copy_from_slice(&machine.to_le_bytes());
        });
    };
    machine(0xaa64);
    assert_eq!(refused(), format!("./app.dll is for ARM64; {instead}"));
    machine(0x01c4);
    assert_eq!(refused(), format!("./app.dll is for 32-bit ARM; {instead}"));
    machine(0xaa64 ^ 0x7b79);
    assert_eq!(
        refused(),
        format!("./app.dll is for ARM64; {instead}"),
        "as compiled ahead of time for Linux"
    );
    changed_hello(&space, |bytes| {
        let (at, flags) = (coff(bytes), clr_flags(bytes));
        bytes[at..at + 2].copy_from_slice(&0x014c_u16.to_le_bytes());
        bytes[flags] |= 2; // 32BITREQUIRED
    });
    assert_eq!(refused(), format!("./app.dll is for 32-bit x86; {instead}"));
    // Unchanged, the copy is a program: the refusals above are about the change.
    changed_hello(&space, |_| ());
    let output = space.soglia("run -q app.dll").output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "Hello\n".into())
    );
}

#[test]
fn a_library_is_no_program() {
    let plugin = fixture("plugin.dll");
    let message = refusal(Space::new().soglia("run").arg(&plugin));
    assert_eq!(
        message,
        format!(
            "{} has no entry point: it is a library; name the program that uses it",
            plugin.display()
        )
    );
}

#[test]
fn a_framework_that_is_not_there() {
    let space = Space::new();
    changed_hello(&space, |_| ());
    let config =
        r#"{"runtimeOptions": {"framework": {"name": "Absent.Framework", "version": "1.2.3"}}}"#;
    fs::write(space.path("app.runtimeconfig.json"), config).unwrap();
    let message = refusal(&mut space.soglia("run app.dll"));
    let root = setup().root.path.display();
    let begin = format!(
        "./app.dll needs Absent.Framework 1.2.3, and the .NET in {root} has no version of it; "
    );
    assert!(message.starts_with(&begin), "{message}");
    fs::write(space.path("app.runtimeconfig.json"), "{").unwrap();
    let message = refusal(&mut space.soglia("run app.dll"));
    let (begin, end) = (
        "./app.runtimeconfig.json cannot be read: ",
        "; build the program again",
    );
    assert!(
        message.starts_with(begin) && message.ends_with(end),
        "{message}"
    );
}

#[test]
fn a_native_program_runs_and_is_not_recorded() {
    let space = Space::new();
    for (script, code) in [("exit 0", 0), ("exit 5", 5)] {
        for options in ["run -o a.soglia", "run -q"] {
            let mut command = space.soglia(options);
            let output = command
                .args(["/bin/sh", "-c", &format!("echo here; {script}")])
                .output()
                .unwrap();
            assert_eq!(
                (output.status.code(), text(&output.stdout)),
                (Some(code), "here\n".into())
            );
            let said = text(&output.stderr);
            let begin = "soglia: nothing was recorded: /bin/sh started no .NET runtime";
            assert!(
                said.starts_with(begin)
                    && said.contains("`soglia doctor")
                    && said.lines().count() == 1,
                "{said}"
            );
            assert!(!space.path("a.soglia").exists());
        }
    }
}

#[test]
fn recordings_that_cannot_be_written() {
    let space = Space::new();
    std::os::unix::fs::symlink("/dev/null", space.path("link")).unwrap();
    let (absent, device) = (
        "No such file or directory (os error 2)",
        "it is a device, not a regular file",
    );
    for (file, why) in [
        ("absent/a.soglia", absent),
        ("link", "it is a symbolic link"),
        ("/dev/full", device),
        ("/dev/null", device),
        ("/proc/a.soglia", absent),
    ] {
        let message = refusal(&mut space.run(&format!("-o {file}"), "hello.dll", ""));
        assert_eq!(
            message,
            format!("cannot write the recording {file}: give another -o FILE: {why}")
        );
    }
}

#[test]
fn another_profiler() {
    let guid = "{846F5F1C-F9AE-4B07-969E-05C26BC060D8}";
    let space = Space::new();
    let mut command = space.run("", "hello.dll", "");
    command
        .env("CORECLR_ENABLE_PROFILING", "1")
        .env("CORECLR_PROFILER", guid);
    let message = format!(
        "another profiler is configured (CORECLR_PROFILER={guid}, switched on by CORECLR_ENABLE_PROFILING), and a CLR \
         takes only one: `unset CORECLR_ENABLE_PROFILING` to record this program"
    );
    assert_eq!(refusal(&mut command), message);
    // Named but not enabled, it does no harm, and the program still sees it.
    command.env("CORECLR_ENABLE_PROFILING", "0");
    assert_eq!(text(&command.output().unwrap().stdout), "Hello\n");
    let mut command = space.run("", "hello.dll", "");
    command.env("DOTNET_EnableDiagnostics", "0");
    let message = "DOTNET_EnableDiagnostics=0 keeps a CLR from loading any profiler: `unset DOTNET_EnableDiagnostics` to \
                   record this program";
    assert_eq!(refusal(&mut command), message);
}

#[test]
fn a_missing_engine() {
    let space = Space::new();
    let mut command = space.run("", "hello.dll", "");
    command.env("SOGLIA_ENGINE", "/nonexistent");
    assert_eq!(
        refusal(&mut command),
        "SOGLIA_ENGINE is /nonexistent, which is no file; correct it, or unset it"
    );
    let text = fixture("hello.runtimeconfig.json");
    let message = refusal(command.env("SOGLIA_ENGINE", &text));
    assert!(
        message.starts_with(&format!("{} is not soglia's engine for ", text.display())),
        "{message}"
    );
    assert!(
        message.ends_with("; install soglia again, or correct SOGLIA_ENGINE"),
        "{message}"
    );
}

/// Errors of the command line look as those of other tools do: with the option, and where help is.
#[test]
fn options_that_are_none() {
    let space = Space::new();
    for (args, named) in [
        (
            "run --slow soon a.dll",
            ["'soon'", "--slow <DURATION>", "such as 5ms"],
        ),
        (
            "run --slow 0 a.dll",
            ["'0'", "--slow <DURATION>", "off turns it off"],
        ),
        (
            "run --max-size much a.dll",
            ["'much'", "--max-size <SIZE>", "such as 64MiB"],
        ),
        (
            "run --max-size 5 a.dll",
            ["'5'", "--max-size <SIZE>", "at least 1.0 MiB"],
        ),
        (
            "run --record all a.dll",
            ["'all'", "--record <RECORD>", "summary, events"],
        ),
        ("run", ["needs PROGRAM", "app.dll", "--help"]),
        (
            "report --sort age a.soglia",
            ["'age'", "--sort <SORT>", "total, self, calls"],
        ),
        (
            "report --top few a.soglia",
            ["'few'", "--top <N>", "--help"],
        ),
        (
            "events --task x a.soglia",
            ["'x'", "--thread <N>", "--help"],
        ),
        (
            "events --format xml a.soglia",
            ["'xml'", "--format <FORMAT>", "text, jsonl"],
        ),
        ("record a.dll", ["no command", "record", "--help"]),
    ] {
        let output = space.soglia(args).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(2), String::new()),
            "{args}"
        );
        assert!(
            named.iter().all(|part| said.contains(part)),
            "{args}: {said}"
        );
    }
}
