//! Starting a program with the engine, and disturbing it as little as a parent process can.
//!
//! The child inherits standard input and output, directory, process group, terminal and every file
//! descriptor. Its signal mask and ignored signals are those that the tool was started with. While
//! it runs, the tool passes signals on. Afterwards the tool ends as the child did.
//!
//! ```text
//! Launch::new ── env, engine ──> spawn ──> Running ── wait(tick) ──> Ended ── propagate ──> the end of the tool
//! ```

#![allow(
    unsafe_code,
    reason = "signals, waitid and prctl: std has no means to pass on a signal or to die of one"
)]

mod child;
pub mod crash;
mod ended;
mod engine;
mod followed;
mod guard;
mod kernel;
mod others;
mod pidfd;
mod signals;
mod switches;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use soglia_core::trace::life::SIGN_EVERY;

use crate::dotnet::Root;
use crate::fxr;
use crate::program::{Kind, Program};
use crate::startup;
use child::{State, inherits_children, reap_others, state_of};
pub use ended::Ended;
pub(crate) use engine::clr_number;
pub use engine::{
    Conflict, EngineError, PROFILER_GUID, check_engine, conflicts, engine_for, find_engine,
};
pub use followed::{Followed, Take, Watching};
pub use guard::{Guard, Loose, end, runs_as_another};
pub use kernel::KernelLog;
pub use others::Others;
use signals::{Blocked, Received};
pub use switches::{Switch, find_switch};

/// Why a program could not be started, or could not be waited for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// An assembly, and no root to start it with.
    #[error("{} needs a .NET to start it, and none was given", .0.display())]
    NoRoot(PathBuf),
    /// The tool does not know its own file, which it would start anew.
    #[error("cannot find the file of this tool: {0}")]
    NoSelf(io::Error),
    /// The system did not start it.
    #[error("cannot start {}: {error}", path.display())]
    Spawn {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

/// A program about to be started.
#[derive(Debug)]
pub struct Launch {
    command: Command,
}

impl Launch {
    /// Prepares `program` with `args`; an assembly is started with the runtime of `root`.
    ///
    /// With the `dotnet` of the root, the program sees the process that it would see without
    /// soglia. A root without one is served by this tool itself ([`fxr`]).
    ///
    /// # Errors
    /// If an assembly comes without a root.
    pub fn new(
        program: &Program,
        root: Option<&Root>,
        args: &[OsString],
    ) -> Result<Self, LaunchError> {
        let mut command = match (&program.kind, root) {
            (Kind::Assembly(_), None) => return Err(LaunchError::NoRoot(program.path.clone())),
            (
                Kind::Assembly(_),
                Some(Root {
                    muxer: Some(muxer), ..
                }),
            ) => {
                let mut command = Command::new(muxer);
                command.arg(&program.path);
                command
            }
            (Kind::Assembly(_), Some(root)) => {
                let tool = std::env::current_exe().map_err(LaunchError::NoSelf)?;
                let mut command = Command::new(tool);
                command
                    .arg(fxr::SUBCOMMAND)
                    .arg(&root.path)
                    .arg(&root.hostfxr)
                    .arg(&program.path);
                command
            }
            _ => {
                let mut command = Command::new(&program.path);
                command.arg0(&program.given);
                command
            }
        };
        command.args(args);
        Ok(Self { command })
    }

    /// Sets an environment variable of the program.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable that the program would inherit.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Makes every CLR that the program starts load the engine, and no other profiler in its place.
    /// The engine reads only variables that are set after this.
    #[must_use]
    pub fn engine(mut self, engine: &Path) -> Self {
        for name in engine::REMOVED {
            self.command.env_remove(name);
        }
        for name in engine::inherited() {
            self.command.env_remove(name);
        }
        self.command.envs(engine::variables(engine));
        if !engine::says_tail_calls(&|name| std::env::var_os(name)) {
            let (name, value) = engine::TAIL_CALLS;
            self.command.env(name, value);
        }
        self
    }

    /// Where the program's standard input comes from: by default, that of the tool.
    #[must_use]
    pub fn stdin(mut self, from: Stdio) -> Self {
        self.command.stdin(from);
        self
    }

    /// Where the program's standard output goes: by default, that of the tool.
    #[must_use]
    pub fn stdout(mut self, to: Stdio) -> Self {
        self.command.stdout(to);
        self
    }

    /// Where the program's standard error goes: by default, that of the tool.
    #[must_use]
    pub fn stderr(mut self, to: Stdio) -> Self {
        self.command.stderr(to);
        self
    }

    /// What will be executed: the file, then its arguments.
    pub fn command_line(&self) -> Vec<OsString> {
        std::iter::once(self.command.get_program())
            .chain(self.command.get_args())
            .map(OsStr::to_owned)
            .collect()
    }

    /// Starts the program. From here on the tool keeps its signals for the program, so
    /// [`Running::wait`] should follow soon.
    ///
    /// The calling thread should be the only one: another thread would take signals and act on
    /// them.
    ///
    /// # Errors
    /// [`LaunchError::Spawn`].
    pub fn spawn(mut self) -> Result<Running, LaunchError> {
        // A parent that ignores SIGCHLD passes that on, and the kernel then tells no one how a
        // child ended.
        signals::set_default(libc::SIGCHLD);
        let blocked = Blocked::new();
        // SAFETY: between fork and exec, both functions make async-signal-safe system calls only.
        // They neither allocate nor lock.
        unsafe {
            self.command.pre_exec(|| {
                startup::become_as_started();
                startup::close_what_was_closed();
                Ok(())
            });
        }
        match self.command.spawn() {
            Ok(mut child) => Ok(Running {
                pid: child.id().cast_signed(),
                stdin: child.stdin.take(),
                stdout: child.stdout.take(),
                blocked,
            }),
            Err(error) => Err(LaunchError::Spawn {
                path: self.command.get_program().into(),
                error,
            }),
        }
    }
}

/// A program that was started and not yet waited for.
#[derive(Debug)]
pub struct Running {
    pid: libc::pid_t,
    /// The tool's end of its standard input, if that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// The tool's end of its standard output, if that is a pipe. Make a thread that reads it before
    /// [`Running::wait`]: then the signals for the program are blocked in it.
    pub stdout: Option<ChildStdout>,
    blocked: Blocked,
}

/// How often [`Running::wait`] calls its `tick`.
pub const TICK: Duration = SIGN_EVERY;

/// The signals by which users and supervisors ask a program to end.
const ASK_TO_END: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

impl Running {
    /// The process id of the program.
    pub fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    /// Waits for the end of the program, passing signals on to it, and calls `tick` every [`TICK`].
    ///
    /// A signal that a process sent to the tool goes on to the program. The terminal sends its
    /// signals to the program itself. When job control stops the program (ctrl-Z), the tool stops
    /// too, so that its shell takes over. When they are continued, both go on.
    ///
    /// # Errors
    /// If the system does not report the state of the child.
    pub fn wait(self, tick: impl FnMut()) -> io::Result<Ended> {
        self.wait_asked(tick).map(|(ended, _)| ended)
    }

    /// Like [`Running::wait`]. Also returns the last signal to the tool that asked it to end.
    ///
    /// # Errors
    /// If the system does not report the state of the child.
    pub fn wait_asked(self, mut tick: impl FnMut()) -> io::Result<(Ended, Option<i32>)> {
        let mut asked = None;
        let mut next_tick = Instant::now() + TICK;
        // Whether a stop signal reached the tool. A child that then stops itself by SIGSTOP does so
        // because of it.
        let mut stop_asked = false;
        let inherits = inherits_children();
        loop {
            match state_of(self.pid)? {
                State::Running => {}
                State::Stopped(signal) if stop_asked || signal != libc::SIGSTOP => {
                    stop_asked = false;
                    self.blocked.stop_by(signal);
                    continue;
                }
                // A process stopped only the child, and will continue only the child.
                State::Stopped(_) => {}
                State::Ended(ended) => {
                    self.blocked.discard_pending();
                    return Ok((ended, asked));
                }
            }
            let now = Instant::now();
            if now >= next_tick {
                tick();
                if inherits {
                    reap_others(self.pid);
                }
                next_tick = now + TICK;
            }
            let Some(received) = self
                .blocked
                .next(next_tick.saturating_duration_since(Instant::now()))
            else {
                continue;
            };
            stop_asked |= received.is_job_control_stop();
            if ASK_TO_END.contains(&received.signal) && received.sender != Some(self.pid) {
                asked = Some(received.signal);
            }
            if self.concerns_child(&received) {
                received.send_to(self.pid);
            }
        }
    }

    /// Whether the program gets this signal only if the tool passes it on.
    fn concerns_child(&self, received: &Received) -> bool {
        received.signal != libc::SIGCHLD
            && !received.is_from_terminal()
            // A program that signals its process group or its parent must not get the signal twice.
            && received.sender != Some(self.pid)
    }
}
