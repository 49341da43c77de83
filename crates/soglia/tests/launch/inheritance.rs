//! What the program inherits is what the tool was started with.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use soglia::launch::PROFILER_GUID;
use soglia_testing::process;

use crate::processes::{block, ignore, self_command, sh, text};

/// `SigBlk` and `SigIgn` of the program, without the two signals that libc
/// keeps for itself: no program can change these.
fn signal_state(command: &mut Command) -> Vec<u64> {
    let output = command.output().unwrap();
    let hex = |line: &str| {
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap() & !(0b11 << 31)
    };
    text(&output).lines().map(hex).collect()
}

pub fn ignored_and_blocked_signals_are_those_of_the_start() {
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
            process::reset();
            for signal in &ignored {
                ignore(*signal);
            }
            blocked.into_iter().for_each(block);
            Ok(())
        };
        let mut command = sh(script);
        // SAFETY: the closure makes system calls only, which are allowed between fork and exec.
        unsafe { command.pre_exec(prepare) };
        assert_eq!(signal_state(&mut command), expected);
    }
}

pub fn a_closed_standard_input_stays_closed() {
    let script = "[ -e /proc/$$/fd/0 ] && echo open || echo closed";
    let mut command = sh(script);
    // SAFETY: the closure makes one system call. After fork nothing of this process uses the
    // descriptor, and the program to come is meant to find it closed.
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

pub fn no_file_descriptors_are_added() {
    let script = "cd /proc/$$/fd && echo *";
    let plain = Command::new("/bin/sh")
        .args(["-c", script])
        .output()
        .unwrap();
    assert_eq!(text(&sh(script).output().unwrap()), text(&plain));
}

pub fn the_name_as_given_is_argv_0() {
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

pub fn the_engine_variables_are_set_and_stale_ones_removed() {
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

pub fn what_cannot_be_executed_is_named() {
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
