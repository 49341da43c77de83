//! What a newcomer sees who gets something wrong: each message names the thing and the way out.

use std::fs;

use crate::support::{SOGLIA, Space, fixture, refusal, setup, text};

#[test]
fn a_misspelt_option_is_named_and_corrected() {
    let space = Space::new();
    for (args, said) in [
        (
            "run --slw 5ms app.dll",
            "`soglia run` has no option --slw: did you mean --slow?",
        ),
        (
            "run --folow app.dll",
            "`soglia run` has no option --folow: did you mean --follow?",
        ),
        (
            "report --frmat json a.soglia",
            "`soglia report` has no option --frmat: did you mean --format?",
        ),
        (
            "events --thred 1 a.soglia",
            "`soglia events` has no option --thred: did you mean --thread?",
        ),
        (
            "verify --quit app.dll",
            "`soglia verify` has no option --quit: did you mean --quiet?",
        ),
        ("doctor --xyz", "`soglia doctor` has no option --xyz"),
        ("run -z app.dll", "`soglia run` has no option -z"),
        (
            "--vesion",
            "`soglia` has no option --vesion: did you mean --version?",
        ),
        (
            "run --format jso app.dll",
            "invalid value 'jso' for '--format <FORMAT>' [possible values: text, json, csv, html]: did you \
             mean json?",
        ),
    ] {
        let message = refusal(&mut space.soglia(args));
        let soglia = match args.split_once(' ') {
            Some((command, _)) => format!("soglia {command}"),
            None => "soglia".into(),
        };
        assert_eq!(
            message,
            format!("{said} (`{soglia} --help` tells more)"),
            "{args}"
        );
    }
}

#[test]
fn a_misspelt_command_is_named_and_corrected() {
    let space = Space::new();
    let help = "(`soglia --help` tells more)";
    for (args, said) in [
        ("rum app.dll", "there is no command rum: did you mean run?"),
        (
            "reprot a.soglia",
            "there is no command reprot: did you mean report?",
        ),
        ("xyzzy", "there is no command xyzzy"),
    ] {
        let message = refusal(&mut space.soglia(args));
        assert_eq!(message, format!("{said} {help}"), "{args}");
    }
}

#[test]
fn a_program_without_a_command_suggests_run() {
    let space = Space::new();
    fs::write(space.path("server"), "").unwrap();
    for (args, line) in [
        ("app.dll", "app.dll"),
        ("./app --port 80", "./app --port 80"),
        ("dotnet app.dll", "dotnet app.dll"),
        ("server", "server"),
        ("app.exe * $HOME", "app.exe '*' '$HOME'"),
    ] {
        let program = args.split(' ').next().unwrap();
        let said =
            format!("{program} is a program, not a command of soglia: `soglia run {line}` runs it");
        assert_eq!(refusal(&mut space.soglia(args)), said);
    }
}

#[test]
fn what_is_missing_is_named() {
    let space = Space::new();
    for (command, missing) in [
        (
            "run",
            "PROGRAM, which is what to run: an app.dll or an executable",
        ),
        (
            "verify",
            "PROGRAM, which is what to run: an app.dll or an executable",
        ),
        (
            "report",
            "FILE or PID: a recording that `soglia run -o FILE` has made, or a process under soglia",
        ),
        (
            "events",
            "FILE or PID: a recording that `soglia run -o FILE` has made, or a process under soglia",
        ),
    ] {
        let message = refusal(&mut space.soglia(command));
        let help = format!("(`soglia {command} --help` tells more)");
        assert_eq!(
            message,
            format!("`soglia {command}` needs {missing} {help}")
        );
    }
    // Without anything, the help is the answer.
    let output = space.soglia("").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("soglia run app.dll"));
}

#[test]
fn what_is_not_a_program_leads_to_the_program() {
    let space = Space::new();
    for folder in ["project", "built", "empty"] {
        fs::create_dir(space.path(folder)).unwrap();
    }
    for file in ["app.csproj", "project/app.fsproj"] {
        fs::write(space.path(file), "<Project/>").unwrap();
    }
    for file in ["hello.dll", "hello.runtimeconfig.json"] {
        fs::copy(fixture(file), space.path("built").join(file)).unwrap();
        fs::copy(fixture(file), space.path(file)).unwrap();
    }
    let build = "and run the .dll, which is then in bin/";
    for (program, said) in [
        (
            "app.csproj",
            format!(
                "./app.csproj is source code or a project, not a program; build it (`dotnet build`) {build}"
            ),
        ),
        (
            "project",
            format!("project is a directory; build it (`dotnet build`) {build}"),
        ),
        (
            "built",
            "built is a directory; name the program in it: built/hello.dll".into(),
        ),
        (
            ".",
            ". is a directory; name the program in it: ./hello.dll".into(),
        ),
        (
            "empty",
            "empty is a directory; name the .dll or the executable in it".into(),
        ),
        (
            "hello",
            "hello is not on PATH; for the assembly in this directory say ./hello.dll".into(),
        ),
    ] {
        assert_eq!(
            refusal(&mut space.soglia(&format!("run {program}"))),
            said,
            "{program}"
        );
    }
}

/// Every format of `report` is one of `run`, and holds the same.
#[test]
fn run_has_the_formats_of_report() {
    let space = Space::new();
    for format in ["json", "csv"] {
        let mut command = space.run(
            &format!("--format {format} --sort calls --top 2 -o a.soglia"),
            "semantics.dll",
            "nested",
        );
        let run = command.output().unwrap();
        let mut command = space.soglia(&format!(
            "report --format {format} --sort calls --top 2 a.soglia"
        ));
        let report = command.output().unwrap();
        assert_eq!(text(&run.stderr), text(&report.stdout), "{format}");
    }
    let output = space.run("--format csv", "hello.dll", "").output().unwrap();
    let table = text(&output.stderr);
    assert!(
        table.starts_with("direction,method,") && table.lines().count() == 1,
        "a table without rows has its header: {table}"
    );
}

/// `make demo` puts a link to the runtime that it has downloaded beside the tool.
#[test]
fn the_runtime_beside_the_tool_is_found() {
    let space = Space::new();
    let tool = space.copied_tool();
    let link = tool.with_file_name("dotnet-root");
    std::os::unix::fs::symlink(&setup().root.path, link).unwrap();
    let elsewhere = |verb: &str| {
        let mut command = space.command(&tool);
        command
            .env_remove("DOTNET_ROOT")
            .env("HOME", space.path(""));
        command.env("PATH", "/bin").arg(verb);
        command
    };
    let output = elsewhere("run").arg(fixture("hello.dll")).output().unwrap();
    assert_eq!(text(&output.stdout), "Hello\n", "{output:?}");
    let output = elsewhere("doctor").output().unwrap();
    let (said, root) = (
        text(&output.stdout),
        setup().root.path.display().to_string(),
    );
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains(&format!(".NET             {root} (")),
        "{said}"
    );
}

#[test]
fn help_of_a_command_is_help_of_that_command() {
    let space = Space::new();
    for command in ["run", "report", "top", "events", "verify", "doctor"] {
        let one = space.soglia(&format!("{command} --help")).output().unwrap();
        let other = space.soglia(&format!("help {command}")).output().unwrap();
        assert_eq!(text(&one.stdout), text(&other.stdout), "{SOGLIA} {command}");
        let help = text(&one.stdout);
        assert!(
            help.contains("Examples:") && help.contains("Exit codes:"),
            "{help}"
        );
    }
}
