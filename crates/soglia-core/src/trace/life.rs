//! Signs of life: what a recording tells of a process whose end nobody sees, because whoever would see it is killed together with it.
//!
//! The starter of a process waits for its end anyway. It wakes up every [`SIGN_EVERY`] and stores the time into the header; that costs the
//! program nothing, neither a thread nor a system call of its own. A process without a starter that signs, such as one that another
//! recorded program has started, has a thread of the engine sign.

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

/// How often life is signed.
pub const SIGN_EVERY: Duration = Duration::from_millis(100);

/// Signs that the process lives which `file` is a recording of. For its starter, who knows that its own `child` lives.
///
/// # Errors
/// Those of reading and writing the file.
pub fn sign(file: &File, child: u32) -> io::Result<()> {
    let mut who = [0; 12];
    file.read_exact_at(&mut who, offset_of!(Header, pid) as u64)?;
    let [pid, low, high] =
        [0, 4, 8].map(|at| u32::from_le_bytes([who[at], who[at + 1], who[at + 2], who[at + 3]]));
    let started = u64::from(low) | u64::from(high) << 32;
    // A script may have started the runtime in a child of its own.
    if pid == child || pid == 0 || process::lives(pid, started) {
        sign_at(file, Anchor::take())?;
    }
    Ok(())
}

/// Says that whoever keeps `file` will [`sign`], before there is a process to sign for.
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
    /// Whether nobody but this process can sign that it lives. Asked when it begins to record.
    pub fn signs_itself(&self) -> bool {
        self.header().alive[0].load(Relaxed) == 0
    }

    /// Signs that this process lives.
    pub fn sign(&self) {
        store_anchor(&self.header().alive, Anchor::take());
    }

    /// Writes down with which code this process exits: for its last moments. Only stores.
    pub fn exits(&self, code: i32) {
        let header = self.header();
        // A child that was forked, and is no program of its own, exits too.
        if header.pid.load(Relaxed) == std::process::id() {
            header.exit_code.store(code, Release);
            store_anchor(&header.exited, Anchor::take());
        }
    }
}

const _: () = assert!(offset_of!(Header, pid_started) == offset_of!(Header, pid) + 4);
