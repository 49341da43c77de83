//! Starting real programs: exit codes, signals, job control, environment, and .NET with and without its `dotnet`.
//!
//! The launcher must be a process with one thread that Rust's test threads have never touched, so this file is its own
//! `main`: with a role as first argument it plays that role, and otherwise it runs the tests.

#![allow(
    unsafe_code,
    reason = "signals, sessions and pseudo-terminals, which std does not know"
)]

mod support;

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Output, Stdio};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use soglia::dotnet::{Root, Search, process_env};
use soglia::launch::PROFILER_GUID;
use support::{Running, Terminal, roles, self_command, sh};

fn main() -> ExitCode {
    if let Some(code) = roles::play() {
        return code;
    }
    let tests: Vec<(&str, fn())> = vec![
        ("an_exit_code_is_passed_on", an_exit_code_is_passed_on),
        (
            "a_death_by_signal_is_passed_on",
            a_death_by_signal_is_passed_on,
        ),
        (
            "ignored_and_blocked_signals_are_those_of_the_start",
            ignored_and_blocked_signals_are_those_of_the_start,
        ),
        (
            "an_ignored_sigchld_does_not_lose_the_exit_code",
            an_ignored_sigchld_does_not_lose_the_exit_code,
        ),
        (
            "a_closed_standard_input_stays_closed",
            a_closed_standard_input_stays_closed,
        ),
        (
            "no_file_descriptors_are_added",
            no_file_descriptors_are_added,
        ),
        ("the_name_as_given_is_argv_0", the_name_as_given_is_argv_0),
        (
            "signals_sent_to_the_tool_reach_the_program",
            signals_sent_to_the_tool_reach_the_program,
        ),
        (
            "the_value_of_a_queued_signal_is_kept",
            the_value_of_a_queued_signal_is_kept,
        ),
        (
            "a_program_that_signals_its_parent_is_not_answered",
            a_program_that_signals_its_parent_is_not_answered,
        ),
        (
            "a_terminal_interrupt_arrives_once",
            a_terminal_interrupt_arrives_once,
        ),
        (
            "ctrl_z_stops_both_and_continuing_resumes_both",
            ctrl_z_stops_both_and_continuing_resumes_both,
        ),
        (
            "a_stop_sent_to_the_tool_stops_both",
            a_stop_sent_to_the_tool_stops_both,
        ),
        (
            "a_stop_sent_to_the_program_leaves_the_tool_waiting",
            a_stop_sent_to_the_program_leaves_the_tool_waiting,
        ),
        (
            "the_caller_gets_turns_while_it_waits",
            the_caller_gets_turns_while_it_waits,
        ),
        (
            "the_engine_variables_are_set_and_stale_ones_removed",
            the_engine_variables_are_set_and_stale_ones_removed,
        ),
        (
            "what_cannot_be_executed_is_named",
            what_cannot_be_executed_is_named,
        ),
        (
            "an_assembly_runs_with_the_dotnet_of_its_root",
            an_assembly_runs_with_the_dotnet_of_its_root,
        ),
        (
            "an_assembly_runs_on_a_root_without_dotnet",
            an_assembly_runs_on_a_root_without_dotnet,
        ),
        (
            "native_libraries_find_what_dotnet_is_linked_with",
            native_libraries_find_what_dotnet_is_linked_with,
        ),
        (
            "hostfxr_reports_what_it_does_not_like",
            hostfxr_reports_what_it_does_not_like,
        ),
    ];
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok::<(), Failed>(())
        })
    };
    libtest_mimic::run(
        &Arguments::from_args(),
        tests.into_iter().map(trial).collect(),
    )
    .exit_code()
}

/// Runs a shell script under the tool, and directly.
fn both(script: &str) -> (ExitStatus, ExitStatus) {
    let under = sh(script).stderr(Stdio::null()).status().unwrap();
    let mut plain = Command::new("/bin/sh");
    plain.args(["-c", script]).stderr(Stdio::null());
    // SAFETY: system calls only, as for the other one.
    unsafe {
        plain.pre_exec(|| {
            support::clean_signals();
            Ok(())
        })
    };
    (under, plain.status().unwrap())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn an_exit_code_is_passed_on() {
    for code in [0, 1, 37, 255] {
        assert_eq!(both(&format!("exit {code}")).0.code(), Some(code));
    }
}

fn a_death_by_signal_is_passed_on() {
    for signal in [
        libc::SIGTERM,
        libc::SIGKILL,
        libc::SIGSEGV,
        libc::SIGABRT,
        libc::SIGPIPE,
        libc::SIGHUP,
        34,
    ] {
        let (under, plain) = both(&format!("ulimit -c 0; kill -{signal} $$; sleep 5"));
        assert_eq!(under.signal(), Some(signal));
        assert_eq!(
            (under.signal(), under.core_dumped()),
            (plain.signal(), false)
        );
    }
}

/// `SigBlk` and `SigIgn` of the program, without the two signals that belong to libc: nobody can change these.
fn signal_state(command: &mut Command) -> Vec<u64> {
    let output = command.output().unwrap();
    let hex = |line: &str| {
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap() & !(0b11 << 31)
    };
    text(&output).lines().map(hex).collect()
}

fn ignored_and_blocked_signals_are_those_of_the_start() {
    let script = "exec grep -E '^Sig(Blk|Ign)' /proc/self/status";
    for (ignored, blocked) in [
        (vec![], None),
        (vec![libc::SIGHUP, libc::SIGPIPE], Some(libc::SIGUSR1)),
        (vec![libc::SIGINT, 40], Some(41)),
    ] {
        let bit = |signal: i32| 1u64 << (signal - 1);
        let expected = [
            blocked.map_or(0, bit),
            ignored.iter().map(|signal| bit(*signal)).sum(),
        ];
        let prepare = move || {
            support::clean_signals();
            for signal in &ignored {
                support::ignore(*signal);
            }
            blocked.into_iter().for_each(support::block);
            Ok(())
        };
        let mut command = sh(script);
        // SAFETY: system calls only.
        unsafe { command.pre_exec(prepare) };
        assert_eq!(signal_state(&mut command), expected);
    }
}

fn an_ignored_sigchld_does_not_lose_the_exit_code() {
    let mut command = sh("exit 23");
    // SAFETY: system calls only.
    unsafe {
        command.pre_exec(|| {
            support::ignore(libc::SIGCHLD);
            Ok(())
        })
    };
    assert_eq!(command.status().unwrap().code(), Some(23));
}

fn a_closed_standard_input_stays_closed() {
    let script = "[ -e /proc/$$/fd/0 ] && echo open || echo closed";
    let mut command = sh(script);
    // SAFETY: closes a descriptor that only the program to come would use.
    unsafe {
        command.pre_exec(|| {
            libc::close(0);
            Ok(())
        })
    };
    assert_eq!(text(&command.output().unwrap()), "closed\n");
    assert_eq!(
        text(&sh(script).stdin(Stdio::null()).output().unwrap()),
        "open\n"
    );
}

fn no_file_descriptors_are_added() {
    let script = "cd /proc/$$/fd && echo *";
    let plain = Command::new("/bin/sh")
        .args(["-c", script])
        .output()
        .unwrap();
    assert_eq!(text(&sh(script).output().unwrap()), text(&plain));
}

fn the_name_as_given_is_argv_0() {
    let temp = tempfile::tempdir().unwrap();
    let tool = temp.path().join("named");
    fs::copy("/bin/cat", &tool).unwrap();
    let output = self_command("launch")
        .args(["named", "/proc/self/cmdline"])
        .env("PATH", temp.path())
        .output()
        .unwrap();
    assert_eq!(text(&output), "named\0/proc/self/cmdline\0");
}

fn signals_sent_to_the_tool_reach_the_program() {
    let signals = [
        libc::SIGINT,
        libc::SIGTERM,
        libc::SIGHUP,
        libc::SIGQUIT,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGWINCH,
        libc::SIGCONT,
        libc::SIGALRM,
        35,
    ];
    for signal in signals {
        let mut running = Running::start(
            self_command("launch")
                .arg(support::this())
                .args(["receive", &signal.to_string()]),
        );
        running.expect("ready");
        running.kill(signal);
        running.expect(&format!("got {signal}"));
        assert_eq!(running.wait().code(), Some(signal));
    }
}

fn the_value_of_a_queued_signal_is_kept() {
    let mut running = Running::start(
        self_command("launch")
            .arg(support::this())
            .args(["receive", "36"]),
    );
    running.expect("ready");
    running.queue(36, 4711);
    running.expect("got 36 with 4711");
    running.wait();
}

fn a_program_that_signals_its_parent_is_not_answered() {
    let status = sh("kill -USR1 $PPID; kill -TERM $PPID; sleep 0.3; exit 3")
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(3));
}

fn a_terminal_interrupt_arrives_once() {
    let mut terminal = Terminal::shell(&["receive", "2"]);
    terminal.expect("ready");
    terminal.type_in(b"\x03");
    terminal.expect("got 2\r\n");
    terminal.expect("shell: exited 2");
    let mut terminal = Terminal::shell(&["count", "2"]);
    terminal.expect("ready");
    terminal.type_in(b"\x03");
    terminal.expect("count 1");
    terminal.expect("shell: exited 1");
}

fn ctrl_z_stops_both_and_continuing_resumes_both() {
    let mut terminal = Terminal::shell(&["receive", "2"]);
    let program = terminal.expect_number("pid ");
    terminal.expect("ready");
    terminal.type_in(b"\x1a");
    terminal.expect(&format!("shell: stopped {}", libc::SIGTSTP));
    support::await_state(program, 'T');
    terminal.type_in(b"fg\n");
    terminal.expect("shell: continued");
    support::await_not_state(program, 'T');
    terminal.type_in(b"\x03");
    terminal.expect("shell: exited 2");
}

fn a_stop_sent_to_the_tool_stops_both() {
    // A group of its own, because in a group whose leaders are all outside the session nobody stops.
    let mut running = Running::start(
        self_command("launch")
            .arg(support::this())
            .args(["receive", "15"])
            .process_group(0),
    );
    let program = running.expect_number("pid ");
    running.expect("ready");
    running.kill(libc::SIGTSTP);
    support::await_state(running.pid(), 'T');
    support::await_state(program, 'T');
    running.kill(libc::SIGCONT);
    support::await_not_state(running.pid(), 'T');
    support::await_not_state(program, 'T');
    running.kill(libc::SIGTERM);
    running.expect("got 15");
    assert_eq!(running.wait().code(), Some(15));
}

fn a_stop_sent_to_the_program_leaves_the_tool_waiting() {
    let mut running = Running::start(
        self_command("launch")
            .arg(support::this())
            .args(["receive", "15"]),
    );
    let program = running.expect_number("pid ");
    running.expect("ready");
    support::kill(program, libc::SIGSTOP);
    support::await_state(program, 'T');
    std::thread::sleep(Duration::from_millis(200));
    support::await_not_state(running.pid(), 'T');
    support::kill(program, libc::SIGCONT);
    running.kill(libc::SIGTERM);
    assert_eq!(running.wait().code(), Some(15));
}

fn the_caller_gets_turns_while_it_waits() {
    let output = self_command("launch")
        .env("TEST_TICKS", "1")
        .args(["/bin/sleep", "2.5"])
        .output()
        .unwrap();
    let turns = text(&output);
    assert!(turns.lines().all(|line| line == "tick"), "{turns}");
    assert!(turns.lines().count() > 1, "{turns}");
}

fn the_engine_variables_are_set_and_stale_ones_removed() {
    let output = self_command("launch")
        .arg("/usr/bin/env")
        .env_clear()
        .env("TEST_ENGINE", "/x/libsoglia.so")
        .env("CORECLR_PROFILER_PATH_64", "/stale.so")
        .env("CORECLR_PROFILER_PATH", "/stale.so")
        .env("DOTNET_PROFILER", "{00000000-0000-0000-0000-000000000000}")
        .output()
        .unwrap();
    let output = text(&output);
    let mut variables: Vec<_> = output
        .lines()
        .filter(|line| line.contains("PROFIL"))
        .collect();
    variables.sort_unstable();
    let guid = format!("CORECLR_PROFILER={PROFILER_GUID}");
    assert_eq!(
        variables,
        [
            "CORECLR_ENABLE_PROFILING=1",
            &guid,
            "CORECLR_PROFILER_PATH=/x/libsoglia.so"
        ]
    );
}

fn what_cannot_be_executed_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let script = temp.path().join("script");
    fs::write(&script, "#!/absent/interpreter\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = self_command("launch").arg(&script).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        message.contains(&format!("cannot start {}", script.display())),
        "{message}"
    );
}

/// The .NET root for tests: `SOGLIA_TEST_DOTNET_ROOT`, or the one that the tool itself would take.
fn dotnet_root() -> Root {
    match process_env("SOGLIA_TEST_DOTNET_ROOT") {
        Some(path) => Root::at(Path::new(&path))
            .unwrap_or_else(|outcome| panic!("SOGLIA_TEST_DOTNET_ROOT={path:?}: {outcome:?}")),
        None => {
            let search = Search::run(&process_env);
            search
                .root()
                .unwrap_or_else(|error| {
                    panic!("this test needs .NET 8 or later (SOGLIA_TEST_DOTNET_ROOT): {error}")
                })
                .clone()
        }
    }
}

fn hello() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/managed/hello/hello.dll")
}

/// A root like `root`, but without the `dotnet` command.
fn without_muxer(root: &Root) -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    for directory in ["host", "shared"] {
        std::os::unix::fs::symlink(root.path.join(directory), temp.path().join(directory)).unwrap();
    }
    temp
}

fn an_assembly_runs_with_the_dotnet_of_its_root() {
    let root = dotnet_root();
    if root.muxer.is_none() {
        // Such a root has only the other way, which has its own test.
        return an_assembly_runs_on_a_root_without_dotnet();
    }
    let output = self_command("launch")
        .env("TEST_ROOT", &root.path)
        .env("DOTNET_ROLL_FORWARD", "Major")
        .arg(hello())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output).to_lowercase().contains("hello"), "{output:?}");
}

fn an_assembly_runs_on_a_root_without_dotnet() {
    let temp = without_muxer(&dotnet_root());
    assert_eq!(Root::at(temp.path()).unwrap().muxer, None);
    let output = self_command("launch")
        .env("TEST_ROOT", temp.path())
        .env("DOTNET_ROLL_FORWARD", "Major")
        .arg(hello())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output).to_lowercase().contains("hello"), "{output:?}");
}

fn native_libraries_find_what_dotnet_is_linked_with() {
    let temp = without_muxer(&dotnet_root());
    let mut command = self_command("launch");
    command
        .env("TEST_ROOT", temp.path())
        .env("LD_DEBUG", "scopes")
        .arg(hello());
    let output = command.output().unwrap();
    let trace = String::from_utf8_lossy(&output.stderr).into_owned();
    // libe_sqlite3.so, for one, calls libm without naming it.
    let found = trace
        .lines()
        .any(|line| line.contains("libm.so.6") && line.contains("to global scope"));
    assert!(output.status.success() && found, "{trace}");
}

fn hostfxr_reports_what_it_does_not_like() {
    let temp = without_muxer(&dotnet_root());
    let app = temp.path().join("app.dll");
    fs::copy(hello(), &app).unwrap();
    // Without a version only hostfxr can judge.
    let config = r#"{"runtimeOptions": {"framework": {"name": "No.Such.App", "version": "1"}}}"#;
    fs::write(temp.path().join("app.runtimeconfig.json"), config).unwrap();
    let output = self_command("launch")
        .env("TEST_ROOT", temp.path())
        .arg(&app)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        message.contains("No.Such.App") && message.contains("hostfxr did not start"),
        "{message}"
    );
}
