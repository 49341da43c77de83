//! Signs of life: the latest time at which a process certainly lived, for an end that no process
//! sees because its starter is killed together with it.
//!
//! The starter of a process waits for its end anyway. Every [`SIGN_EVERY`] it wakes up and stores
//! the time into the header. That costs the program neither a thread nor a system call. A process
//! without such a starter, for instance one that another recorded program has started, has a thread
//! of the engine do it.

use std::{
    fs::File,
    io,
    mem::offset_of,
    os::unix::fs::FileExt,
    sync::atomic::Ordering::{Relaxed, Release},
    time::Duration,
};

use super::{
    format::{Header, store_anchor},
    writer::Recording,
};
use crate::{process, time::Anchor};

/// How often the time is stored.
pub const SIGN_EVERY: Duration = Duration::from_millis(100);

/// Stores a sign that the process lives whose recording `file` is. For its starter, which knows
/// that its own `child` lives.
///
/// # Errors
/// Those of reading and writing the file.
pub fn sign(file: &File, child: u32) -> io::Result<()> {
    let (pid, started) = claimed_by(file)?;
    // A script may have started the runtime in a child of its own.
    if pid == child || pid == 0 || process::lives(pid, started) {
        sign_at(file, Anchor::take())?;
    }
    Ok(())
}

/// The process that records into `file`, and when it started in clock ticks since boot. The number
/// is 0 if no process does so yet.
///
/// # Errors
/// Those of reading the file.
pub fn claimed_by(file: &File) -> io::Result<(u32, u64)> {
    let mut who = [0; 12];
    file.read_exact_at(&mut who, offset_of!(Header, pid) as u64)?;
    let [pid, low, high] =
        [0, 4, 8].map(|at| u32::from_le_bytes([who[at], who[at + 1], who[at + 2], who[at + 3]]));
    Ok((pid, u64::from(low) | u64::from(high) << 32))
}

/// Says that the process which has `file` open will [`sign`], before there is a process to sign
/// for.
///
/// # Errors
/// Those of writing the file.
pub fn begin_signing(file: &File) -> io::Result<()> {
    sign_at(file, Anchor::take())
}

fn sign_at(file: &File, anchor: Anchor) -> io::Result<()> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&anchor.ticks.to_le_bytes());
    bytes[8..].copy_from_slice(&anchor.monotonic_ns.to_le_bytes());
    file.write_all_at(&bytes, offset_of!(Header, alive) as u64)
}

impl Recording {
    /// Whether this process has to sign that it lives, because no starter does. Asked when it
    /// begins to record.
    pub fn signs_itself(&self) -> bool {
        self.header().alive[0].load(Relaxed) == 0
    }

    /// Stores a sign that this process lives.
    pub fn sign(&self) {
        store_anchor(&self.header().alive, Anchor::take());
    }

    /// Records the code with which this process exits: for its last moments. It only stores.
    pub fn exits(&self, code: i32) {
        let header = self.header();
        // A forked child that does not run a program of its own exits too.
        if header.pid.load(Relaxed) == std::process::id() {
            header.exit_code.store(code, Release);
            store_anchor(&header.exited, Anchor::take());
        }
    }
}

const _: () = assert!(offset_of!(Header, pid_started) == offset_of!(Header, pid) + 4);
