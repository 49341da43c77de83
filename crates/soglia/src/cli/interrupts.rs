//! Signals that ask a command to end, for commands that have something to end first.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

/// How a command ends that is interrupted again: as shells report Ctrl-C.
const AT_ONCE: i32 = 130;

/// Whether the user has asked for the end.
pub struct Interrupts(Arc<AtomicBool>);

impl Interrupts {
    /// From now on, the first signal is only noted. The second ends this process at once.
    ///
    /// # Errors
    /// Those of the system.
    pub fn catch() -> io::Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // In this order: the first one does not end it.
            flag::register_conditional_shutdown(signal, AT_ONCE, Arc::clone(&came))?;
            flag::register(signal, Arc::clone(&came))?;
        }
        Ok(Self(came))
    }

    /// Whether a signal came.
    pub fn came(&self) -> bool {
        self.0.load(Relaxed)
    }
}
