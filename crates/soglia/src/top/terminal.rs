//! The terminal, which is left as it was: at the end, when soglia is stopped or killed by a signal
//! that it sees, and after a panic.

use std::{
    io::{self, Stdout},
    panic,
    sync::{
        Arc, Once,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor, execute,
        terminal::{
            Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
            enable_raw_mode,
        },
    },
};
use signal_hook::{
    consts::{SIGCONT, SIGINT, SIGTERM, SIGTSTP},
    flag, low_level,
};

/// The terminal while the screen is shown.
pub(super) struct Shown {
    pub(super) terminal: Terminal<CrosstermBackend<Stdout>>,
}

/// Whether the terminal is in the state in which the screen is shown.
static ENTERED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

impl Shown {
    /// Takes the terminal over.
    pub(super) fn new() -> io::Result<Self> {
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                restore();
                before(panic);
            }));
        });
        enter()?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()));
        let terminal = terminal.inspect_err(|_| restore())?;
        Ok(Self { terminal })
    }

    /// Gives the terminal back, stops this process as job control does, and takes the terminal over
    /// again when the process goes on.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        restore();
        low_level::emulate_default_handler(SIGTSTP)?;
        self.resume()
    }

    /// Takes the terminal over again: another program may have used it meanwhile.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        enter()?;
        self.redraw()
    }

    /// Has all of the screen drawn again, not only what has changed.
    ///
    /// [`Terminal::clear`] asks the terminal where its cursor is, and not every one answers.
    pub(super) fn redraw(&mut self) -> io::Result<()> {
        execute!(io::stdout(), Clear(ClearType::All))?;
        self.terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok(())
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        restore();
    }
}

fn enter() -> io::Result<()> {
    ENTERED.store(true, Relaxed);
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, cursor::Hide).inspect_err(|_| restore())
}

fn restore() {
    if ENTERED.swap(false, Relaxed) {
        // A terminal that is gone needs nothing.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
    }
}

/// The signals that came since they were last asked for.
pub(super) struct Signals {
    ending: Vec<(i32, Arc<AtomicBool>)>,
    stopped: Arc<AtomicBool>,
    continued: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn watch() -> io::Result<Self> {
        let flag_of = |signal| {
            let flag = Arc::new(AtomicBool::new(false));
            flag::register(signal, Arc::clone(&flag)).map(|_| flag)
        };
        // SIGHUP ends the process at once: the terminal is gone, and waiting for its keys would
        // never end.
        let ending = [SIGTERM, SIGINT].map(|signal| flag_of(signal).map(|f| (signal, f)));
        Ok(Self {
            ending: ending.into_iter().collect::<io::Result<_>>()?,
            stopped: flag_of(SIGTSTP)?,
            continued: flag_of(SIGCONT)?,
        })
    }

    /// The signal that asks this process to end, if one came.
    pub(super) fn ends(&self) -> Option<i32> {
        let came = self.ending.iter().find(|(_, flag)| flag.load(Relaxed));
        came.map(|(signal, _)| *signal)
    }

    /// Whether this process was asked to stop.
    pub(super) fn stops(&self) -> bool {
        self.stopped.swap(false, Relaxed)
    }

    /// Whether this process was stopped and goes on.
    pub(super) fn continues(&self) -> bool {
        self.continued.swap(false, Relaxed)
    }
}

/// Ends this process as the signal would have without a handler.
pub(super) fn die_of(signal: i32) -> io::Result<()> {
    low_level::emulate_default_handler(signal)
}
