//! Starting .NET in this process.

#![allow(
    unsafe_code,
    reason = "methods of the engine's objects are called through vtables"
)]

use std::env;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use soglia_abi::hosting::control::{ICLRControl, ICLRDomainManager};
use soglia_abi::hosting::metahost::{ICLRMetaHost, ICLRRuntimeInfo};
use soglia_abi::hosting::policy::{
    FAIL_StackOverflow, ICLROnEventManager, ICLRPolicyManager, OPR_ThreadAbort,
    eHostDeterminedPolicy, eRudeAbortThread, eThrowException,
};
use soglia_abi::hosting::runtime_host::ICLRRuntimeHost4;
use soglia_abi::hresult;
use soglia_abi::param::{Array, Lent, WideString};
use soglia_dotnet::library::Library;
use soglia_dotnet::{CORE_FRAMEWORK, OLDEST_MAJOR, Root, Search, full_path, process_env};

use super::bridge;
use super::builder::Builder;
use super::engine::{Engine, Execute};
use super::engine_file;
use super::error::Error;
use super::hresult::HResult;
use super::object::{Place, Shared, call, given, manager_of};
use super::running::Host;
use super::runtimes::{self, version_of};
use super::said::Said;
use super::text::wide;

/// The control of the first host. A control that is made before the runtime starts hands out all
/// managers; later ones hand out fewer.
static CONTROL: OnceLock<Shared<ICLRControl>> = OnceLock::new();

/// Whether a host has handed over managers, which stay until the process ends.
static GIVEN: AtomicBool = AtomicBool::new(false);

impl Builder {
    /// Starts .NET in this process, or joins the runtime that already runs here.
    ///
    /// A process has one runtime, which cannot be unloaded. Dropping the [`Host`] only ends its use
    /// through this host, and another host may start after that. Settings of the runtime's start
    /// (managers, a configuration, properties) must come with the first host.
    ///
    /// With managers or [`watch`](Self::watch), this function sets environment variables of the
    /// process and removes them again before it returns. Start .NET before other threads, so that
    /// none of them reads the environment meanwhile.
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
        let loads = |name: &Path| Library::open(name).is_ok();
        let engine = engine_file::find(self.engine.as_deref(), &process_env, &this, loads)?;
        let engine = Engine::load(engine)?;
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
        let execute = engine.execute()?;
        let started = self.start_one_of(&candidates, &root, config.as_deref(), meta, execute);
        if started.is_err()
            && config.is_some()
            && let Some(info) = candidates.first()
        {
            // The engine would keep the configuration for the next start.
            let _ = runtimes::set_config(info, None);
        }
        started
    }

    fn start_one_of(
        mut self,
        candidates: &[ICLRRuntimeInfo],
        root: &Root,
        config: Option<&Path>,
        meta: ICLRMetaHost,
        execute: Execute,
    ) -> Result<Host, Error> {
        for (at, info) in candidates.iter().enumerate() {
            if config.is_some() {
                runtimes::set_config(info, config)?;
            }
            let host = runtimes::host_of(info)?;
            if at == 0 {
                self.prepare(&host)?;
            }
            let said = Said::listen(&root.hostfxr);
            let answer = HResult::check(call!(host, Start()));
            let said = said.finish();
            match answer {
                Ok(()) => {
                    return Ok(Host {
                        control: control_of(&host)?,
                        host: Shared(host),
                        meta: Shared(meta),
                        execute,
                        version: version_of(info),
                        watch: self.managers.watch,
                    });
                }
                // The configuration leads to another of the installed versions.
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

    /// The runtimes that fit, best first.
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
            let info = runtimes::find(meta, wanted)?.ok_or_else(|| missing(wanted))?;
            return match (runtimes::is_loadable(&info), runtimes::loaded(meta)) {
                (true, _) => Ok(vec![info]),
                (false, Some(_)) => Err(Error::AlreadyStarted("Builder::version")),
                (false, None) => Err(Error::VersionTooOld(version_of(&info))),
            };
        }
        if let Some(info) = runtimes::loaded(meta) {
            return Ok(vec![info]);
        }
        let mut versions: Vec<_> = installed(root)
            .filter(|version| version.major >= OLDEST_MAJOR)
            .collect();
        versions.sort_by_key(|version| (version.pre.is_empty(), *version));
        let number = if configured { versions.len() } else { 1 };
        let best = versions.iter().rev().take(number);
        let found: Vec<_> = best
            .filter_map(|version| runtimes::find(meta, &version.to_string()).transpose())
            .collect::<Result<_, _>>()?;
        if found.is_empty() {
            return Err(missing("8 or later"));
        }
        Ok(found)
    }

    /// Applies the settings that must precede the start. They hold for the process, so once is
    /// enough for all candidates.
    fn prepare(&mut self, host: &ICLRRuntimeHost4) -> Result<(), Error> {
        let control = control_of(host)?;
        let manager = |code| match code {
            HResult::INVALID_OPERATION => Error::AlreadyStarted("a setting of the start"),
            code => Error::other("GetCLRManager", code),
        };
        if !self.properties.is_empty() {
            let domain: ICLRDomainManager = manager_of(&control.0).map_err(manager)?;
            set_properties(&domain, &self.properties)?;
        }
        if self.survives {
            let policy: ICLRPolicyManager = manager_of(&control.0).map_err(manager)?;
            let answer = call!(policy, SetUnhandledExceptionPolicy(eHostDeterminedPolicy));
            HResult::check(answer)
                .map_err(|code| Error::other("SetUnhandledExceptionPolicy", code))?;
        }
        if self.rude_after.is_some() || self.throws_on_overflow {
            let policy: ICLRPolicyManager = manager_of(&control.0).map_err(manager)?;
            self.set_policy(&policy)?;
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
            let answer = call!(events, RegisterActionOnEvent(event, Lent::new(&action)));
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
            let answer = call!(host, SetHostControl(Lent::new(&control)));
            HResult::check(answer).map_err(|code| match code {
                HResult::ACCESS_DENIED => Error::AlreadyStarted("managers and Builder::watch"),
                code => Error::other("SetHostControl", code),
            })?;
            GIVEN.store(true, SeqCst);
        }
        Ok(())
    }

    /// Says what happens where an abort takes long, and where the stack overflows.
    fn set_policy(&self, policy: &ICLRPolicyManager) -> Result<(), Error> {
        if let Some(time) = self.rude_after {
            // The greatest number means for ever.
            let time = u32::try_from(time.as_millis()).unwrap_or(u32::MAX - 1);
            let time = time.min(u32::MAX - 1);
            let answer = call!(
                policy,
                SetTimeoutAndAction(OPR_ThreadAbort, time, eRudeAbortThread)
            );
            HResult::check(answer).map_err(|code| Error::other("SetTimeoutAndAction", code))?;
        }
        if self.throws_on_overflow {
            let answer = call!(
                policy,
                SetActionOnFailure(FAIL_StackOverflow, eThrowException)
            );
            HResult::check(answer).map_err(|code| Error::other("SetActionOnFailure", code))?;
        }
        Ok(())
    }
}

/// `HOST.runtimeconfig.json`, if it exists.
fn config_beside(host: &Path) -> Option<PathBuf> {
    let mut path = host.to_owned().into_os_string();
    path.push(".runtimeconfig.json");
    Some(PathBuf::from(path)).filter(|path| path.is_file())
}

fn not_started(code: HResult, said: String) -> Error {
    match code {
        HResult(hresult::CORPROF_E_PROFILER_ALREADY_ACTIVE) => Error::OtherProfiler,
        HResult::FAIL if said.is_empty() => Error::WithoutEngine,
        HResult::CLR_NOT_AVAILABLE => Error::ClrNotAvailable,
        code => Error::NotStarted { code, said },
    }
}

fn installed(root: &Root) -> impl Iterator<Item = &semver::Version> {
    root.versions_of(CORE_FRAMEWORK).iter()
}

/// The control of the process: the one that the first host got.
pub(super) fn control_of(host: &ICLRRuntimeHost4) -> Result<Shared<ICLRControl>, Error> {
    if let Some(control) = CONTROL.get() {
        return Ok(control.clone());
    }
    let ask = |object: Place<'_>| call!(host, GetCLRControl(object));
    // SAFETY: `GetCLRControl` stores an `ICLRControl`, and a reference for its caller.
    let control = unsafe { given(ask) };
    let control = control.map_err(|code| Error::other("GetCLRControl", code))?;
    Ok(CONTROL.get_or_init(|| Shared(control)).clone())
}

fn set_properties(domain: &ICLRDomainManager, all: &[(String, String)]) -> Result<(), Error> {
    let wide = |text: &String| wide(text);
    let names: Vec<_> = all.iter().map(|(n, _)| wide(n)).collect::<Result<_, _>>()?;
    let values: Vec<_> = all.iter().map(|(_, v)| wide(v)).collect::<Result<_, _>>()?;
    let names: Vec<_> = names.iter().map(WideString::lent).collect();
    let values: Vec<_> = values.iter().map(WideString::lent).collect();
    let (number, names, values) = (all.len() as u32, Array::new(&names), Array::new(&values));
    // SAFETY: the object is alive, and there are as many names and values as is said.
    let answer = unsafe { domain.SetPropertiesForDefaultAppDomain(number, names, values) };
    HResult::check(answer).map_err(|code| match code {
        HResult::INVALID_OPERATION => Error::AlreadyStarted("Builder::property"),
        code => Error::other("SetPropertiesForDefaultAppDomain", code),
    })
}
