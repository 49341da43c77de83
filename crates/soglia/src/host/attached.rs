//! Task managers that come while the runtime runs.

#![allow(
    unsafe_code,
    reason = "methods of the engine's objects are called through vtables"
)]

use std::env;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use soglia_dotnet::library::Library;
use soglia_dotnet::process_env;

use super::builder::Builder;
use super::engine::Engine;
use super::engine_file;
use super::error::Error;
use super::hresult::HResult;
use super::object::{Shared, call};
use super::running::Host;
use super::runtimes::{self, version_of};
use super::start::control_of;
use super::task::HostTaskManager;
use super::watch::{Events, Watch};

/// A task manager in a process in which .NET ran before.
///
/// Dropping it [detaches](Self::detach) the manager. The runtime goes on.
#[must_use = "dropping it detaches the task manager"]
pub struct Attached {
    engine: Engine,
    host: Host,
    watch: Option<Arc<Watch>>,
    is_attached: bool,
}

impl Host {
    /// Notifies a task manager of the crossings of this process, in which .NET runs already.
    ///
    /// Any code may have started .NET: the `dotnet` command, another library, or a `Host` without a
    /// task manager. See [`Builder::attach`].
    ///
    /// ```no_run
    /// use soglia::host::{Answer, Error, Host, HostTaskManager, Target};
    ///
    /// struct Prints;
    ///
    /// impl HostTaskManager for Prints {
    ///     fn leave_runtime(&self, target: Target) -> Answer {
    ///         println!("{target}");
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Error> {
    /// let attached = Host::attach(Prints)?;
    /// // Native calls are printed here.
    /// attached.detach()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Builder::attach`].
    pub fn attach(manager: impl HostTaskManager + 'static) -> Result<Attached, Error> {
        Self::builder().task_manager(manager).attach()
    }
}

impl Builder {
    /// Notifies the [task manager](Self::task_manager) of the crossings of this process, in which
    /// .NET runs already, or [watches](Self::watch) them.
    ///
    /// The engine changes code of the program while it runs. The manager is notified as if it had
    /// been there at the start, with these differences:
    ///
    /// - Methods that are on a thread's stack go on as they are until they return.
    /// - Calls and callbacks that are open are not notified at their end.
    /// - Delegates and function pointers that were made before lead past the manager.
    /// - What threads do besides crossing is not notified: `sleep`, `switch_to_task`, `join` and
    ///   the like are not called.
    ///
    /// A process has one task manager at a time. The engine comes into the runtime by the
    /// diagnostics port of the process, and stays there, idle, when the manager has been detached.
    ///
    /// # Errors
    /// [`Error::NoRuntime`] if no .NET runs in this process. [`Error::OnlyAtStart`] for settings
    /// that have to come before the start. [`Error::NotAttached`] with the engine's reason.
    pub fn attach(mut self) -> Result<Attached, Error> {
        self.fits_later()?;
        let this = env::current_exe().unwrap_or_default();
        let loads = |name: &Path| Library::open(name).is_ok();
        let engine = engine_file::find(self.engine.as_deref(), &process_env, &this, loads)?;
        let engine = Engine::load(engine)?;
        let meta = engine.meta_host()?;
        let info = runtimes::loaded(&meta).ok_or(Error::NoRuntime)?;
        let joined = runtimes::host_of(&info)?;
        HResult::check(call!(joined, Start())).map_err(|code| Error::other("Start", code))?;
        let host = Host {
            control: control_of(&joined)?,
            host: Shared(joined),
            meta: Shared(meta),
            execute: engine.execute()?,
            version: version_of(&info),
            watch: None,
        };
        let watch = self.managers.watch.clone();
        let manager = self.managers.task_manager().ok_or(Error::NoTaskManager)?;
        self.managers = Default::default();
        engine.attach(&manager)?;
        Ok(Attached {
            engine,
            host,
            watch,
            is_attached: true,
        })
    }

    /// Whether all that it has can come while the runtime runs.
    fn fits_later(&self) -> Result<(), Error> {
        let at_start = [
            (self.dotnet_root.is_some(), "Builder::dotnet_root"),
            (self.version.is_some(), "Builder::version"),
            (self.config.is_some(), "Builder::runtime_config"),
            (!self.properties.is_empty(), "Builder::property"),
            (self.managers.gc.is_some(), "Builder::gc_manager"),
            (self.managers.policy.is_some(), "Builder::policy_manager"),
            (self.managers.store.is_some(), "Builder::assembly_store"),
            (
                !self.actions.is_empty(),
                "Builder::on_exit and on_clr_disabled",
            ),
            (self.survives, "Builder::survive_unhandled_exceptions"),
            (self.rude_after.is_some(), "Builder::rude_abort_after"),
            (self.throws_on_overflow, "Builder::throw_on_stack_overflow"),
        ];
        match at_start.iter().find(|(is_set, _)| *is_set) {
            Some((_, what)) => Err(Error::OnlyAtStart(what)),
            None => Ok(()),
        }
    }
}

impl Attached {
    /// The runtime, for calls of managed code.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The crossings, if the [`Builder`] was to [watch](Builder::watch) them. Otherwise a stream
    /// that has ended.
    pub fn events(&self) -> Events {
        Events::of(self.watch.clone())
    }

    /// Detaches the manager: the program gets its own code back, and the manager is called no more.
    ///
    /// It waits up to a second for threads that are in methods of the manager. If one is still
    /// there then, the engine drops the manager when that thread is out.
    ///
    /// # Errors
    /// [`Error::NotAttached`] if the runtime did not take its code back in time. The manager is
    /// called no more even so.
    pub fn detach(mut self) -> Result<(), Error> {
        self.leave()
    }

    fn leave(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_attached) {
            return Ok(());
        }
        let left = self.engine.detach();
        if let Some(watch) = &self.watch {
            watch.close();
        }
        left
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // There is no way to report a failure from here.
        let _ = self.leave();
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached")
            .field("host", &self.host)
            .field("watch", &self.watch.is_some())
            .finish_non_exhaustive()
    }
}
