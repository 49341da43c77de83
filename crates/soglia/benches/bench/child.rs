//! One process: how long it took, and how large it was.
#![allow(unsafe_code, reason = "wait4: std does not tell what a child has used")]

use std::{
    io::Read,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, bail};

/// What is known of a process that has ended without an error.
#[derive(Debug)]
pub struct Ran {
    /// From its start to its end.
    pub wall_ms: f64,
    /// The most memory that it had at any time.
    pub peak_kib: u64,
    /// Its standard output.
    pub output: String,
}

/// Runs a process to its end. It writes to our standard error, so that users see what is wrong.
pub fn run(mut command: Command) -> anyhow::Result<Ran> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    // Until it executes its program, a child is a part of this process, and its peak begins with
    // ours. What this process was once, when it read a long recording, must not count. This makes
    // the peak what the process is now. Where it does not work, `wait` finds out.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let began = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let mut output = String::new();
    let read = child
        .stdout
        .take()
        .map(|mut out| out.read_to_string(&mut output));
    let (status, peak_kib) = wait(child.id())?;
    let wall_ms = began.elapsed().as_secs_f64() * 1e3;
    read.transpose().context("cannot read its output")?;
    if status != 0 {
        bail!("{command:?} ended with wait status {status:#06x}");
    }
    Ok(Ran {
        wall_ms,
        peak_kib,
        output,
    })
}

fn wait(pid: u32) -> anyhow::Result<(i32, u64)> {
    let mut status = 0;
    // SAFETY: an rusage is made of integers, so zeros are a valid one.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `status` and `used` are locals that live during the call, and it writes whole values.
    // The child is ours, and no other code waits for it.
    let answer = unsafe { libc::wait4(pid.cast_signed(), &raw mut status, 0, &raw mut used) };
    if answer < 0 {
        return Err(std::io::Error::last_os_error()).context("cannot wait for a child");
    }
    let own = own_peak_kib()?;
    let peak = used.ru_maxrss.cast_unsigned();
    if own >= peak {
        bail!("this process is larger ({own} KiB) than the one that it measures ({peak} KiB)");
    }
    Ok((status, peak))
}

/// Not from getrusage, which includes the process that started this one.
fn own_peak_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.context("no VmHWM in /proc/self/status")
}
