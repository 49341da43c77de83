//! What a host asks for before .NET starts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use soglia_abi::hosting::policy::{EClrEvent, Event_ClrDisabled, Event_DomainUnload};
use soglia_dotnet::full_path;

use super::bridge::Managers;
use super::managers::{HostGcManager, HostPolicyManager};
use super::running::Host;
use super::store::HostAssemblyStore;
use super::task::HostTaskManager;
use super::watch::{self, Watch};

/// What to start, and how: made by [`Host::builder`].
#[derive(Default)]
#[must_use = "nothing starts before `start`"]
pub struct Builder {
    pub(super) dotnet_root: Option<PathBuf>,
    pub(super) version: Option<String>,
    pub(super) config: Option<PathBuf>,
    pub(super) properties: Vec<(String, String)>,
    pub(super) engine: Option<PathBuf>,
    pub(super) managers: Managers,
    pub(super) actions: Vec<(EClrEvent, Box<dyn Fn() + Send + Sync>)>,
    pub(super) survives: bool,
    pub(super) rude_after: Option<Duration>,
    pub(super) throws_on_overflow: bool,
}

impl Host {
    /// Describes a runtime to start. Every setting has a default.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// Sets the .NET to take the runtime from: a directory with `host/fxr` and `shared` in it.
    ///
    /// The default is the one that `dotnet` would use: `DOTNET_ROOT_X64`, `DOTNET_ROOT`, the
    /// `dotnet` on `PATH`, `/etc/dotnet`, and the usual places.
    pub fn dotnet_root(mut self, path: impl Into<PathBuf>) -> Self {
        self.dotnet_root = Some(path.into());
        self
    }

    /// Sets the version of the runtime: `10.0.12` is exactly that one, `10.0` and `10` are the
    /// newest of theirs.
    ///
    /// The default is the version that the configuration asks for, or the newest that is installed.
    /// A release comes before a preview.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets the `NAME.runtimeconfig.json` to start with: the frameworks and the settings.
    ///
    /// The default is `HOST.runtimeconfig.json` beside the host's own file, if it exists.
    pub fn runtime_config(mut self, path: impl Into<PathBuf>) -> Self {
        self.config = Some(path.into());
        self
    }

    /// Names the program that the host will [run](Host::run).
    ///
    /// The program's own `NAME.runtimeconfig.json` becomes the configuration, if it lies beside the
    /// program. `AppContext.BaseDirectory` becomes the program's folder, where many programs look
    /// for their files.
    pub fn program(mut self, path: impl AsRef<Path>) -> Self {
        let path = full_path(path.as_ref());
        let config = path.with_extension("runtimeconfig.json");
        if self.config.is_none() && config.is_file() {
            self.config = Some(config);
        }
        match path.parent().and_then(Path::to_str) {
            Some(folder) => self.property("APP_CONTEXT_BASE_DIRECTORY", format!("{folder}/")),
            // `Host::run` rejects the path too, and says why.
            None => self,
        }
    }

    /// Sets a property of the runtime, as `configProperties` of a configuration does.
    ///
    /// Managed code reads it with `AppContext.GetData`.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Chooses the server garbage collector, which has a heap for each processor.
    ///
    /// `STARTUP_SERVER_GC` in the hosting API.
    pub fn server_gc(self, yes: bool) -> Self {
        self.property("System.GC.Server", yes.to_string())
    }

    /// Chooses whether the oldest generation is collected while the program runs, which is .NET's
    /// default.
    ///
    /// `STARTUP_CONCURRENT_GC` in the hosting API.
    pub fn concurrent_gc(self, yes: bool) -> Self {
        self.property("System.GC.Concurrent", yes.to_string())
    }

    /// Chooses whether the collector keeps memory that it does not need now.
    ///
    /// `STARTUP_HOARD_GC_VM` in the hosting API.
    pub fn retain_memory(self, yes: bool) -> Self {
        self.property("System.GC.RetainVM", yes.to_string())
    }

    /// Sets the engine's file, `libsoglia.so`.
    ///
    /// Without it, the host takes the first of these that exists:
    ///
    /// 1. the file that the variable `SOGLIA_ENGINE` names,
    /// 2. `libsoglia.so` beside the host's own file, or one folder above it,
    /// 3. an engine that the loader finds by `LD_LIBRARY_PATH`, a run path or its cache,
    /// 4. one installed under the prefix of a folder in `PKG_CONFIG_PATH`,
    /// 5. one in `../lib` or `../lib/soglia`, seen from the host's folder,
    /// 6. `/usr/local/lib/soglia` and `/usr/lib/soglia`.
    pub fn engine(mut self, path: impl Into<PathBuf>) -> Self {
        self.engine = Some(path.into());
        self
    }

    /// Sets the manager that the engine notifies of crossings, and that may deny them.
    pub fn task_manager(mut self, manager: impl HostTaskManager + 'static) -> Self {
        self.managers.task = Some(Arc::new(manager));
        self
    }

    /// Sets the manager that the engine notifies of suspensions.
    pub fn gc_manager(mut self, manager: impl HostGcManager + 'static) -> Self {
        self.managers.gc = Some(Arc::new(manager));
        self
    }

    /// Sets the manager that the engine notifies of failures that end the process.
    pub fn policy_manager(mut self, manager: impl HostPolicyManager + 'static) -> Self {
        self.managers.policy = Some(Arc::new(manager));
        self
    }

    /// Sets the store that the engine asks for assemblies.
    pub fn assembly_store(mut self, store: impl HostAssemblyStore + 'static) -> Self {
        self.managers.store = Some(Arc::new(store));
        self
    }

    /// Runs an action when the program exits, before the program's own exit handlers.
    ///
    /// The action runs once, on the thread that exits. This is `Event_DomainUnload`: .NET's one
    /// domain ends with the process.
    pub fn on_exit(mut self, action: impl Fn() + Send + Sync + 'static) -> Self {
        self.actions.push((Event_DomainUnload, Box::new(action)));
        self
    }

    /// Runs an action when no more managed code will run: `Event_ClrDisabled`.
    ///
    /// The action runs once, on the thread that ends the runtime.
    pub fn on_clr_disabled(mut self, action: impl Fn() + Send + Sync + 'static) -> Self {
        self.actions.push((Event_ClrDisabled, Box::new(action)));
        self
    }

    /// Makes an unhandled exception end its thread only, and not the process:
    /// `eHostDeterminedPolicy`.
    ///
    /// It works from .NET 10 on. On older runtimes [`start`](Self::start) fails with
    /// [`HResult::NOT_IMPLEMENTED`](super::HResult::NOT_IMPLEMENTED).
    pub fn survive_unhandled_exceptions(mut self) -> Self {
        self.survives = true;
        self
    }

    /// Makes an [abort](super::ClrTask::abort) a rude one if the task still runs after this time.
    ///
    /// Loops of the program look for aborts then, so that a task which neither crosses nor waits
    /// can be aborted too. `docs/hosting.md` says what that costs.
    /// `SetTimeoutAndAction(OPR_ThreadAbort, ..., eRudeAbortThread)` in the hosting API.
    pub fn rude_abort_after(mut self, time: Duration) -> Self {
        self.rude_after = Some(time);
        self
    }

    /// Makes an endless recursion of the program throw an `InsufficientExecutionStackException`,
    /// and not end the process.
    ///
    /// Loops of the program look for aborts then, too.
    /// `SetActionOnFailure(FAIL_StackOverflow, eThrowException)` in the hosting API.
    pub fn throw_on_stack_overflow(mut self) -> Self {
        self.throws_on_overflow = true;
        self
    }

    /// Records crossings for [`Host::events`], up to 65,536 that wait to be read.
    ///
    /// When the queue is full, further crossings are dropped and counted. With a
    /// [`task_manager`](Self::task_manager), the stream leaves out the calls that the manager does
    /// not want to be notified of.
    pub fn watch(self) -> Self {
        self.watch_at_most(watch::CAPACITY)
    }

    /// As [`watch`](Self::watch), with room for that many events; an event takes 40 bytes.
    pub fn watch_at_most(mut self, events: usize) -> Self {
        self.managers.watch = Some(Arc::new(Watch::new(events)));
        self
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("dotnet_root", &self.dotnet_root)
            .field("version", &self.version)
            .field("runtime_config", &self.config)
            .field("properties", &self.properties)
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}
