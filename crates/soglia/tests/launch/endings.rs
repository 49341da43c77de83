//! How the program ended is how the tool ends.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};

use crate::processes::{ignore, self_command, sh, text};
use soglia_testing::process;

/// Runs a shell script under the tool, and directly.
fn both(script: &str) -> (ExitStatus, ExitStatus) {
    let under = sh(script).stderr(Stdio::null()).status().unwrap();
    let mut plain = Command::new("/bin/sh");
    plain.args(["-c", script]).stderr(Stdio::null());
    let plain = process::isolate(&mut plain).status().unwrap();
    (under, plain)
}

pub fn an_exit_code_is_passed_on() {
    for code in [0, 1, 37, 255] {
        assert_eq!(both(&format!("exit {code}")).0.code(), Some(code));
    }
}

pub fn a_death_by_signal_is_passed_on() {
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

pub fn an_ignored_sigchld_does_not_lose_the_exit_code() {
    let mut command = sh("exit 23");
    // SAFETY: the closure makes system calls only, which are allowed between fork and exec.
    unsafe {
        command.pre_exec(|| {
            ignore(libc::SIGCHLD);
            Ok(())
        })
    };
    assert_eq!(command.status().unwrap().code(), Some(23));
}

pub fn a_program_that_signals_its_parent_is_not_answered() {
    let status = sh("kill -USR1 $PPID; kill -TERM $PPID; sleep 0.3; exit 3")
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(3));
}

pub fn the_caller_gets_turns_while_it_waits() {
    let output = self_command("launch")
        .env("TEST_TICKS", "1")
        .args(["/bin/sleep", "2.5"])
        .output()
        .unwrap();
    let turns = text(&output);
    assert!(turns.lines().all(|line| line == "tick"), "{turns}");
    assert!(turns.lines().count() > 1, "{turns}");
}
