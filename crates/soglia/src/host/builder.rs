//! Starting .NET in this process.

#![allow(unsafe_code, reason = "calls through vtables of the engine's objects")]

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use soglia_abi::hosting::com::IEnumUnknown;
use soglia_abi::hosting::control::{ICLRControl, ICLRDomainManager};
use soglia_abi::hosting::metahost::{ICLRMetaHost, ICLRRuntimeInfo};
use soglia_abi::hosting::policy::{
    EClrEvent, Event_ClrDisabled, Event_DomainUnload, ICLROnEventManager, ICLRPolicyManager,
    eHostDeterminedPolicy,
};
use soglia_abi::hosting::runtime_host::{CLSID_CLRRuntimeHost, ICLRRuntimeHost4};
use soglia_abi::hosting::types::STARTUP_CONCURRENT_GC;
use soglia_abi::{BOOL, hresult};
use soglia_dotnet::{CORE_FRAMEWORK, OLDEST_MAJOR, Root, Search, full_path, process_env};
use windows_core::Interface;

use super::bridge::{self, Managers};
use super::clr::{Shared, given};
use super::engine::{self, Engine};
use super::said::Said;
use super::text::{read, unicode, wide};
use super::watch::{self, Watch};
use super::{Error, HResult, Host, HostGcManager, HostPolicyManager, HostTaskManager};

/// The first control, a full one: later ones give less.
static CONTROL: OnceLock<Shared<ICLRControl>> = OnceLock::new();

/// Managers have been handed over, for as long as the process.
static GIVEN: AtomicBool = AtomicBool::new(false);

/// What a host wants, before .NET starts: [`Host::builder`].
#[derive(Default)]
#[must_use = "nothing starts before `start`"]
pub struct Builder {
    dotnet_root: Option<PathBuf>,
    version: Option<String>,
    config: Option<PathBuf>,
    properties: Vec<(String, String)>,
    engine: Option<PathBuf>,
    managers: Managers,
    actions: Vec<(EClrEvent, Box<dyn Fn() + Send + Sync>)>,
    survives: bool,
}

impl Builder {
    /// The .NET to take the runtime from: a directory with `host/fxr` and `shared` in it. Otherwise the one that `dotnet` would use:
    /// `DOTNET_ROOT_X64`, `DOTNET_ROOT`, the `dotnet` on `PATH`, `/etc/dotnet`, the usual places.
    pub fn dotnet_root(mut self, path: impl Into<PathBuf>) -> Self {
        self.dotnet_root = Some(path.into());
        self
    }

    /// The runtime: `10.0.12` that one, `10.0` or `10` the newest of those. Otherwise the one that a configuration leads to, or the
    /// newest that is installed; a release counts before a preview.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// A `NAME.runtimeconfig.json` to start with: which frameworks, which settings. Otherwise `HOST.runtimeconfig.json` beside this program's file, if it is
    /// there.
    pub fn runtime_config(mut self, path: impl Into<PathBuf>) -> Self {
        self.config = Some(path.into());
        self
    }

    /// The program that is to [run](Host::run): what it needs is told by its own `NAME.runtimeconfig.json`, if that lies beside it, and
    /// `AppContext.BaseDirectory` is its folder, where many programs look for their files.
    pub fn program(mut self, path: impl AsRef<Path>) -> Self {
        let path = full_path(path.as_ref());
        let config = path.with_extension("runtimeconfig.json");
        if self.config.is_none() && config.is_file() {
            self.config = Some(config);
        }
        match path.parent().and_then(Path::to_str) {
            Some(folder) => self.property("APP_CONTEXT_BASE_DIRECTORY", format!("{folder}/")),
            // `Host::run` will not take it either, and says so.
            None => self,
        }
    }

    /// A property of the runtime, as `configProperties` in a configuration has them; `AppContext.GetData` gives it to managed code.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Server GC: a heap for each processor. `STARTUP_SERVER_GC`.
    pub fn server_gc(self, yes: bool) -> Self {
        self.property("System.GC.Server", yes.to_string())
    }

    /// Collections of the oldest generation while the program runs; .NET's default. `STARTUP_CONCURRENT_GC`.
    pub fn concurrent_gc(self, yes: bool) -> Self {
        self.property("System.GC.Concurrent", yes.to_string())
    }

    /// Memory that is not needed now is kept. `STARTUP_HOARD_GC_VM`.
    pub fn retain_memory(self, yes: bool) -> Self {
        self.property("System.GC.RetainVM", yes.to_string())
    }

    /// The engine, `libsoglia.so`. Otherwise the file that `SOGLIA_ENGINE` names, or one beside this program's file, in the folder
    /// above, in its `lib` or `lib/soglia`, or an installed one.
    pub fn engine(mut self, path: impl Into<PathBuf>) -> Self {
        self.engine = Some(path.into());
        self
    }

    /// Who is told of crossings, and may act on them.
    pub fn task_manager(mut self, manager: impl HostTaskManager + 'static) -> Self {
        self.managers.task = Some(Arc::new(manager));
        self
    }

    /// Who is told of suspensions.
    pub fn gc_manager(mut self, manager: impl HostGcManager + 'static) -> Self {
        self.managers.gc = Some(Arc::new(manager));
        self
    }

    /// Who is told of what ends the process.
    pub fn policy_manager(mut self, manager: impl HostPolicyManager + 'static) -> Self {
        self.managers.policy = Some(Arc::new(manager));
        self
    }

    /// What to do when the program exits, before its own handlers of that: `Event_DomainUnload`, since the one domain goes with the process. Once,
    /// on the thread that exits.
    pub fn on_exit(mut self, action: impl Fn() + Send + Sync + 'static) -> Self {
        self.actions.push((Event_DomainUnload, Box::new(action)));
        self
    }

    /// What to do when no more managed code will run: `Event_ClrDisabled`. Once, on the thread that ends the runtime.
    pub fn on_clr_disabled(mut self, action: impl Fn() + Send + Sync + 'static) -> Self {
        self.actions.push((Event_ClrDisabled, Box::new(action)));
        self
    }

    /// Has exceptions that nobody catches end their thread only, and not the process: `eHostDeterminedPolicy`. From .NET 10 on; before it, the start
    /// fails with [`HResult::NOT_IMPLEMENTED`].
    pub fn survive_unhandled_exceptions(mut self) -> Self {
        self.survives = true;
        self
    }

    /// Has crossings told as a stream, [`Host::events`]: 65,536 of them wait to be read, and what comes on top is dropped and counted.
    /// With a [`task_manager`](Self::task_manager), what that one does not want to be told of is not in the stream.
    pub fn watch(self) -> Self {
        self.watch_at_most(watch::CAPACITY)
    }

    /// The same with so many that wait; an event takes 40 bytes.
    pub fn watch_at_most(mut self, events: usize) -> Self {
        self.managers.watch = Some(Arc::new(Watch::new(events)));
        self
    }

    /// Starts .NET in this process, or joins the runtime that runs here.
    ///
    /// A process has one runtime, which cannot be unloaded: dropping the [`Host`] stops it from running more code through this host, and
    /// another may be started then. What shapes the start (managers, a configuration, properties) must come with the first one.
    ///
    /// If anybody wants to be told of things, environment variables of this process are set and removed again in here, so no other thread
    /// should read the environment meanwhile: start .NET before other threads.
    ///
    /// # Errors
    /// [`Error`] says what is missing and what to do.
    pub fn start(mut self) -> Result<Host, Error> {
        let root = self.root()?;
        let this = env::current_exe().unwrap_or_default();
        let config = match self.config.take() {
            Some(path) if !path.is_file() => return Err(Error::NoConfiguration(path)),
            Some(path) => Some(full_path(&path)),
            None => config_beside(&this),
        };
        let engine = Engine::load(engine::find(self.engine.as_deref(), &process_env, &this)?)?;
        let named = self.dotnet_root.as_ref().map(|_| root.path.as_path());
        match (engine.set_root(named)?, named) {
            (Ok(()), _) | (Err(HResult::INVALID_OPERATION), None) => {}
            (Err(HResult::INVALID_OPERATION), _) => {
                return Err(Error::AlreadyStarted("Builder::dotnet_root"));
            }
            (Err(_), _) => return Err(Error::NotARoot(root.path)),
        }
        let meta = engine.meta_host()?;
        let candidates = self.candidates(&meta, &root, config.is_some())?;
        let started = self.start_one_of(&candidates, &root, config.as_deref(), meta);
        if started.is_err()
            && config.is_some()
            && let Some(info) = candidates.first()
        {
            // The engine would keep it for the next start.
            let _ = set_config(info, None);
        }
        started
    }

    fn start_one_of(
        mut self,
        candidates: &[ICLRRuntimeInfo],
        root: &Root,
        config: Option<&Path>,
        meta: ICLRMetaHost,
    ) -> Result<Host, Error> {
        for (at, info) in candidates.iter().enumerate() {
            if config.is_some() {
                set_config(info, config)?;
            }
            let host = runtime_host(info)?;
            if at == 0 {
                self.prepare(&host)?;
            }
            let said = Said::listen(&root.hostfxr);
            // SAFETY: a live object.
            let answer = HResult::check(unsafe { host.Start() });
            let said = said.finish();
            match answer {
                Ok(()) => {
                    return Ok(Host {
                        control: control_of(&host)?,
                        host: Shared(host),
                        meta: Shared(meta),
                        version: version_of(info),
                        watch: self.managers.watch,
                    });
                }
                // This configuration leads to another of the installed versions.
                Err(code) if code.0 == hresult::CLR_E_SHIM_RUNTIMELOAD && said.is_empty() => {}
                Err(code) => return Err(not_started(code, said)),
            }
        }
        match config {
            Some(path) => Err(Error::OtherVersion {
                path: path.to_owned(),
                version: self.version.unwrap_or_else(|| "8 or later".into()),
            }),
            None => Err(Error::AlreadyStarted("Builder::version")),
        }
    }

    fn root(&self) -> Result<Root, Error> {
        if let Some(path) = &self.dotnet_root {
            return Root::at(path).map_err(|_| Error::NotARoot(path.clone()));
        }
        let search = Search::run(&process_env);
        match search.root() {
            Ok(root) => Ok(root.clone()),
            Err(why) => {
                let looked: Vec<_> = search.looked.iter().map(ToString::to_string).collect();
                Err(Error::NoDotnet(why, looked.join(", ")))
            }
        }
    }

    /// The runtimes that will do, best first.
    fn candidates(
        &self,
        meta: &ICLRMetaHost,
        root: &Root,
        configured: bool,
    ) -> Result<Vec<ICLRRuntimeInfo>, Error> {
        let missing = |wanted: &str| Error::VersionMissing {
            wanted: wanted.into(),
            root: root.path.clone(),
            installed: installed(root).map(ToString::to_string).collect(),
        };
        if let Some(wanted) = &self.version {
            let info = runtime(meta, wanted)?.ok_or_else(|| missing(wanted))?;
            return match (is_loadable(&info), loaded(meta)) {
                (true, _) => Ok(vec![info]),
                (false, Some(_)) => Err(Error::AlreadyStarted("Builder::version")),
                (false, None) => Err(Error::VersionTooOld(version_of(&info))),
            };
        }
        if let Some(info) = loaded(meta) {
            return Ok(vec![info]);
        }
        let mut versions: Vec<_> = installed(root)
            .filter(|version| version.major >= OLDEST_MAJOR)
            .collect();
        versions.sort_by_key(|version| (version.pre.is_empty(), *version));
        let number = if configured { versions.len() } else { 1 };
        let best = versions.iter().rev().take(number);
        let found: Vec<_> = best
            .filter_map(|version| runtime(meta, &version.to_string()).transpose())
            .collect::<Result<_, _>>()?;
        if found.is_empty() {
            return Err(missing("8 or later"));
        }
        Ok(found)
    }

    /// Says what is to be said before the start, once for all candidates: it holds for the process.
    fn prepare(&mut self, host: &ICLRRuntimeHost4) -> Result<(), Error> {
        let control = control_of(host)?;
        let manager = |code| match code {
            HResult::INVALID_OPERATION => Error::AlreadyStarted("what shapes it"),
            code => Error::other("GetCLRManager", code),
        };
        if !self.properties.is_empty() {
            let domain: ICLRDomainManager = manager_of(&control.0).map_err(manager)?;
            set_properties(&domain, &self.properties)?;
        }
        if self.survives {
            let policy: ICLRPolicyManager = manager_of(&control.0).map_err(manager)?;
            // SAFETY: a live object.
            let answer = unsafe { policy.SetUnhandledExceptionPolicy(eHostDeterminedPolicy) };
            HResult::check(answer)
                .map_err(|code| Error::other("SetUnhandledExceptionPolicy", code))?;
        }
        if self.managers.is_empty() && self.actions.is_empty() {
            return Ok(());
        }
        if GIVEN.load(SeqCst) {
            return Err(Error::ManagersStay);
        }
        for (event, action) in self.actions.drain(..) {
            let events: ICLROnEventManager = manager_of(&control.0).map_err(manager)?;
            let action = bridge::on_event(action);
            // SAFETY: live objects.
            let answer = unsafe { events.RegisterActionOnEvent(event, action.as_raw()) };
            HResult::check(answer).map_err(|code| match code {
                HResult::INVALID_OPERATION => {
                    Error::AlreadyStarted("Builder::on_exit and on_clr_disabled")
                }
                code => Error::other("RegisterActionOnEvent", code),
            })?;
            GIVEN.store(true, SeqCst);
        }
        if !self.managers.is_empty() {
            let control = self.managers.clone().into_control();
            // SAFETY: live objects.
            let answer = unsafe { host.SetHostControl(control.as_raw()) };
            HResult::check(answer).map_err(|code| match code {
                HResult::ACCESS_DENIED => Error::AlreadyStarted("managers and Builder::watch"),
                code => Error::other("SetHostControl", code),
            })?;
            GIVEN.store(true, SeqCst);
        }
        Ok(())
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

/// `HOST.runtimeconfig.json`, if it is there.
fn config_beside(host: &Path) -> Option<PathBuf> {
    let mut path = host.to_owned().into_os_string();
    path.push(".runtimeconfig.json");
    Some(PathBuf::from(path)).filter(|path| path.is_file())
}

fn not_started(code: HResult, said: String) -> Error {
    match code {
        HResult(hresult::CORPROF_E_PROFILER_ALREADY_ACTIVE) => Error::OtherProfiler,
        HResult::FAIL if said.is_empty() => Error::NotTold,
        HResult::CLR_NOT_AVAILABLE => Error::ClrNotAvailable,
        code => Error::NotStarted { code, said },
    }
}

fn installed(root: &Root) -> impl Iterator<Item = &semver::Version> {
    root.versions_of(CORE_FRAMEWORK).iter()
}

/// The runtime that a version names, if it is installed.
fn runtime(meta: &ICLRMetaHost, version: &str) -> Result<Option<ICLRRuntimeInfo>, Error> {
    let version = wide(version)?;
    // SAFETY: a zero-terminated text, and a place for an object with that interface.
    let info =
        unsafe { given(|object| meta.GetRuntime(version.as_ptr(), &ICLRRuntimeInfo::IID, object)) };
    match info {
        Ok(info) => Ok(Some(info)),
        Err(HResult(hresult::CLR_E_SHIM_RUNTIMELOAD)) => Ok(None),
        Err(code) => Err(Error::other("GetRuntime", code)),
    }
}

/// The runtime that runs in this process.
fn loaded(meta: &ICLRMetaHost) -> Option<ICLRRuntimeInfo> {
    // SAFETY: null is this process; places for what is asked for, and each object has the interface that is asked for.
    unsafe {
        let all: IEnumUnknown =
            given(|object| meta.EnumerateLoadedRuntimes(null_mut(), object)).ok()?;
        let mut fetched = 0;
        let first: windows_core::IUnknown =
            given(|object| all.Next(1, object.cast(), &raw mut fetched)).ok()?;
        first.cast().ok()
    }
}

fn is_loadable(info: &ICLRRuntimeInfo) -> bool {
    let mut yes = BOOL(0);
    // SAFETY: a live object, and a place for the answer.
    unsafe { info.IsLoadable(&raw mut yes) }.is_ok() && yes.as_bool()
}

pub(super) fn version_of(info: &ICLRRuntimeInfo) -> String {
    // SAFETY: a live object, and a buffer of that length or none.
    let text = read(|buffer, length| unsafe { info.GetVersionString(buffer, length) });
    text.strip_prefix('v').map_or(text.clone(), Into::into)
}

fn set_config(info: &ICLRRuntimeInfo, config: Option<&Path>) -> Result<(), Error> {
    let config = config.map(|config| wide(unicode(config)?)).transpose()?;
    let config = config.as_ref().map_or(null(), |config| config.as_ptr());
    // SAFETY: a live object, and a zero-terminated text or null. The flags are the default, which leaves a configuration its say.
    let answer = unsafe { info.SetDefaultStartupFlags(STARTUP_CONCURRENT_GC, config) };
    HResult::check(answer).map_err(|code| match code {
        HResult::INVALID_OPERATION => Error::AlreadyStarted("Builder::runtime_config"),
        code => Error::other("SetDefaultStartupFlags", code),
    })
}

fn runtime_host(info: &ICLRRuntimeInfo) -> Result<ICLRRuntimeHost4, Error> {
    // SAFETY: IDs, and a place for an object with that interface.
    let host = unsafe {
        given(|object| info.GetInterface(&CLSID_CLRRuntimeHost, &ICLRRuntimeHost4::IID, object))
    };
    host.map_err(|code| Error::other("GetInterface", code))
}

/// The control of the process: the first one that was got.
fn control_of(host: &ICLRRuntimeHost4) -> Result<Shared<ICLRControl>, Error> {
    if let Some(control) = CONTROL.get() {
        return Ok(control.clone());
    }
    // SAFETY: a place for an object with that interface.
    let control = unsafe { given(|object| host.GetCLRControl(object)) };
    let control = control.map_err(|code| Error::other("GetCLRControl", code))?;
    Ok(CONTROL.get_or_init(|| Shared(control)).clone())
}

/// One of the CLR's managers.
pub(super) fn manager_of<T: Interface>(control: &ICLRControl) -> Result<T, HResult> {
    // SAFETY: an ID, and a place for an object with that interface.
    unsafe { given(|object| control.GetCLRManager(&T::IID, object)) }
}

fn set_properties(domain: &ICLRDomainManager, all: &[(String, String)]) -> Result<(), Error> {
    let wide = |text: &String| wide(text);
    let names: Vec<_> = all.iter().map(|(n, _)| wide(n)).collect::<Result<_, _>>()?;
    let values: Vec<_> = all.iter().map(|(_, v)| wide(v)).collect::<Result<_, _>>()?;
    let names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let values: Vec<_> = values.iter().map(|value| value.as_ptr()).collect();
    // SAFETY: as many zero-terminated texts as are told.
    let answer = unsafe {
        domain.SetPropertiesForDefaultAppDomain(names.len() as u32, names.as_ptr(), values.as_ptr())
    };
    HResult::check(answer).map_err(|code| match code {
        HResult::INVALID_OPERATION => Error::AlreadyStarted("Builder::property"),
        code => Error::other("SetPropertiesForDefaultAppDomain", code),
    })
}
