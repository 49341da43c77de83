//! Attaching to a process that nothing records yet, for commands that show what a process does.

use std::{
    env,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Args;
use soglia::{
    attach::{AttachError, Let, Session, Target, Wanted},
    dotnet::process_env,
    launch,
    running::{self, FindError},
    text::plain,
};
use soglia_core::{
    deadline::Stuck,
    trace::{
        life,
        writer::{Level, Options},
    },
};

use super::{
    complain::complain,
    interrupts::Interrupts,
    place::{Place, trim},
    recording::pid,
    shared::{Watched, limit},
};

/// How long a process is recorded that is attached to for a report.
const USUAL: Duration = Duration::from_secs(10);
/// How often the process and its recording are looked at.
const TICK: Duration = life::SIGN_EVERY;

/// Whether to attach, and whose calls to watch.
#[derive(Debug, Args)]
#[command(next_help_heading = "If nothing records process PID")]
pub struct Attaching {
    /// Attach to the process without asking, and let go of it at the end (docs/attach.md).
    #[arg(long)]
    attach: bool,
    #[command(flatten)]
    watched: Watched,
}

/// The same for commands that look once.
#[derive(Debug, Args)]
#[command(next_help_heading = "If nothing records process PID")]
pub struct Briefly {
    #[command(flatten)]
    attaching: Attaching,
    /// Record the process for so long [default: 10s].
    #[arg(long = "for", value_name = "DURATION", value_parser = limit)]
    time: Option<Duration>,
}

/// A recording to read: the one that the command line names, or one that was made for it.
pub struct Source {
    path: PathBuf,
    /// Keeps a recording in memory.
    place: Option<Place>,
}

impl Source {
    /// By which path to open it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was made for this command.
    pub const fn is_new(&self) -> bool {
        self.place.is_some()
    }
}

impl Briefly {
    /// Whether an option is given that is about one process.
    pub const fn is_asked(&self) -> bool {
        self.attaching.attach || self.time.is_some()
    }

    /// The recording that is meant. If it is of a process that nothing records, and the user wants
    /// it, records the process for a while first.
    ///
    /// # Errors
    /// If the process should be attached to and is not.
    pub fn source(
        &self,
        what: &Path,
        level: Level,
        since: Option<Duration>,
    ) -> anyhow::Result<Source> {
        let time = self.time.or(since).unwrap_or(USUAL);
        let for_time = format!(" for {}", humantime::format_duration(time));
        let Some(target) = self.attaching.wanted(what, &for_time)? else {
            return Ok(Source {
                path: what.to_owned(),
                place: None,
            });
        };
        let (pid, name) = (target.pid, target.name());
        let interrupts = Interrupts::catch().context("cannot catch Ctrl-C")?;
        let live = self
            .attaching
            .begin(target, level, &mut || !interrupts.came())?;
        complain(&format!(
            "attached to {pid} ({}){for_time}; Ctrl-C ends it early",
            plain(&name)
        ));
        let until = Instant::now().checked_add(time);
        while !interrupts.came() && !live.is_over() {
            let left = until.map_or(TICK, |until| {
                until.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                break;
            }
            thread::sleep(left.min(TICK));
        }
        let place = live.end()?;
        Ok(Source {
            path: place.own(),
            place: Some(place),
        })
    }
}

impl Attaching {
    /// Whether the user need not be asked.
    pub const fn is_agreed(&self) -> bool {
        self.attach
    }

    /// The process of this number, if nothing records it and the user wants it attached to.
    ///
    /// # Errors
    /// If the user does not want it, or it cannot be attached to.
    pub fn wanted(&self, what: &Path, for_time: &str) -> anyhow::Result<Option<Target>> {
        let Some(pid) = pid(what) else {
            anyhow::ensure!(
                !self.attach,
                "--attach needs the number of a process, and {} is a file",
                what.display()
            );
            return Ok(None);
        };
        // All other mistakes are those of a process that cannot be read.
        if !matches!(running::find(pid), Err(FindError::NotRecorded(_))) {
            return Ok(None);
        }
        if self.attach {
            return Ok(Some(Target::of(pid)?));
        }
        let Ok(target) = Target::of(pid) else {
            return Ok(None);
        };
        if target.connect_diagnostics().is_err() {
            return Ok(None);
        }
        let name = target.name();
        let nothing = format!("nothing records process {pid} ({})", plain(&name));
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            anyhow::bail!(
                "{nothing}: with --attach, soglia attaches to it{for_time}; `soglia attach {pid}` \
                 records it until Ctrl-C"
            );
        }
        let question = format!("{nothing}. Attach soglia to it{for_time}? [y/N] ");
        anyhow::ensure!(
            agrees(&question)?,
            "process {pid} was not attached to, and nothing else records it"
        );
        Ok(Some(target))
    }

    /// Has the process record into memory.
    ///
    /// # Errors
    /// If it cannot be attached to.
    pub fn begin(
        &self,
        target: Target,
        level: Level,
        tick: &mut dyn FnMut() -> bool,
    ) -> anyhow::Result<Live> {
        let tool = env::current_exe().context("cannot find the file of this tool")?;
        let engine = launch::engine_for(&tool, &process_env, target.c_library())?;
        let options = Options {
            level,
            ..Options::default()
        };
        let place = Place::make(None, false, &options)?;
        life::begin_signing(&place.file).context("cannot write the recording")?;
        let settings = [
            ("SOGLIA_SCOPE", self.watched.scope().to_owned()),
            ("SOGLIA_STUCK", stuck().to_string()),
        ];
        let wanted = Wanted {
            engine: &engine,
            file: &place.file,
            recording: &place.path,
            settings: &settings,
        };
        let pid = target.pid;
        let session = Session::begin(target, &wanted, tick)?;
        let file = place
            .file
            .try_clone()
            .context("cannot write the recording")?;
        let stop = Arc::new(AtomicBool::new(false));
        let keeper = {
            let stop = Arc::clone(&stop);
            move || keep(session, &stop, || drop(life::sign(&file, pid)))
        };
        Ok(Live {
            place,
            stop,
            keeper: thread::spawn(keeper),
            pid,
        })
    }
}

/// What holds without `--stuck`.
fn stuck() -> Stuck {
    let after = Duration::from_secs(10);
    Stuck {
        after,
        text: humantime::format_duration(after).to_string(),
    }
}

/// Asks on the terminal.
fn agrees(question: &str) -> io::Result<bool> {
    let mut out = io::stderr().lock();
    write!(out, "soglia: {question}")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let answer = answer.trim().to_ascii_lowercase();
    Ok(answer == "y" || answer == "yes")
}

/// Keeps a session until it ends or is to end.
fn keep(
    mut session: Session,
    stop: &AtomicBool,
    mut sign: impl FnMut(),
) -> Result<Let, AttachError> {
    while !stop.load(Relaxed) {
        if let Some(ended) = session.wait(TICK) {
            return Ok(ended);
        }
        sign();
    }
    session.end(false, &mut || ())
}

/// A process that is attached to, while another thread keeps the connection to its engine.
pub struct Live {
    place: Place,
    stop: Arc<AtomicBool>,
    keeper: JoinHandle<Result<Let, AttachError>>,
    pid: u32,
}

impl Live {
    /// By which path to open the recording.
    pub fn path(&self) -> PathBuf {
        self.place.own()
    }

    /// Whether the process or its engine has ended the session.
    pub fn is_over(&self) -> bool {
        self.keeper.is_finished()
    }

    /// Has the engine let go of the process.
    ///
    /// # Errors
    /// If the engine does not say that it has.
    pub fn end(self) -> anyhow::Result<Place> {
        self.stop.store(true, Relaxed);
        let pid = self.pid;
        match self.keeper.join() {
            Ok(Ok(Let::Go)) => {}
            Ok(Ok(Let::Ended)) => complain(&format!("process {pid} has ended")),
            Ok(Ok(Let::Lost)) => complain(&format!(
                "the engine in process {pid} ended the recording by itself; the process runs"
            )),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => anyhow::bail!("the connection to the engine in process {pid} is lost"),
        }
        trim(&self.place.file, &self.place.own())?;
        Ok(self.place)
    }
}
