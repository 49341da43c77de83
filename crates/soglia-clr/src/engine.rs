//! What is the same for the whole process: the recording, the CLR's interfaces, the options.

use std::{
    collections::HashSet,
    env,
    path::{Path, PathBuf},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use soglia_abi::{
    hresult,
    profiler::{
        info::{ICorProfilerInfo, ICorProfilerInfo2},
        info_later::ICorProfilerInfo5,
    },
};
use soglia_core::{
    admission::Bound,
    deadline::{Action, Deadline, DecodeError, decode},
    trace::{
        identity::Identity,
        log::{Record, Unwatched},
        writer::{self, ClaimError, Recording},
    },
};
use windows_core::{HRESULT, Interface};

use crate::{
    deadline, hosting, life,
    modules::Modules,
    names::Names,
    objects::{self, Epoch},
    policy::Rules,
    profiler::events_of,
    tail_calls,
    targets::Targets,
    tell, version,
};

pub mod variables;

pub use soglia_core::trace::log::{Scope, Source};

/// Of the whole process, for ever.
pub struct Engine {
    /// Where it all goes.
    pub recording: &'static Recording,
    /// The path by which it was opened.
    pub path: PathBuf,
    /// The CLR.
    pub info: ICorProfilerInfo,
    /// The CLR's stack walker.
    pub info2: ICorProfilerInfo2,
    /// Frames and stacks by number.
    pub names: Names,
    /// Who is called.
    pub targets: Targets,
    /// Modules that are loaded.
    pub modules: Modules,
    /// Where crossings come from.
    pub source: Source,
    /// Whose crossings.
    pub scope: Scope,
    /// See [`variables::CALLERS`].
    pub callers: bool,
    /// What was told to be unwatched.
    unwatched: Mutex<HashSet<Unwatched>>,
    /// Which calls shall not be made as they are.
    pub rules: Rules,
    /// Somebody is told of crossings, and may act: wrappers are made for that.
    pub tells: bool,
    /// Crossings are recorded or told: else nothing is woven.
    pub watches: bool,
    /// The recording was asked for: stacks are kept.
    pub records: bool,
    /// Major version of the runtime.
    pub major: u16,
}

// SAFETY: the CLR's information interfaces are documented as callable from any thread, and are never released.
unsafe impl Send for Engine {}
// SAFETY: as above; everything else synchronises itself.
unsafe impl Sync for Engine {}

static ENGINE: OnceLock<Engine> = OnceLock::new();

/// Forward calls of at least this many ticks are slow.
pub static SLOW_TICKS: AtomicU64 = AtomicU64::new(u64::MAX);

/// Goes up when a module is unloaded: its functions' numbers may be given again.
///
/// The top bit is set once the runtime has announced its shutdown. Tasks never take it over, so from then on no
/// function is found in a task's table, and every opening crossing takes the path where it is counted as late.
pub static GENERATION: AtomicU32 = AtomicU32::new(0);
/// See [`GENERATION`].
pub const SHUT_DOWN: u32 = 1 << 31;

/// What a task's table of functions holds for: an address may come to mean another function when an object was loaded.
#[inline(always)]
pub fn era() -> u64 {
    u64::from(GENERATION.load(Relaxed)) | objects::loads() << 32
}

/// The same for a table that is filled now, when this many objects were loaded.
pub fn era_at(epoch: Epoch) -> u64 {
    u64::from(GENERATION.load(Relaxed) & !SHUT_DOWN) | epoch.loads << 32
}

/// Callbacks answer at once.
pub static FLOOR: AtomicBool = AtomicBool::new(false);

/// So many are told; a program that loads assemblies for ever must not fill the log.
const MOST_UNWATCHED: usize = 1000;

/// Transitions of older runtimes were never tried.
const OLDEST: u16 = 8;

/// The engine, once the CLR has started it.
#[inline]
pub fn get() -> Option<&'static Engine> {
    ENGINE.get()
}

/// The engine takes no part in this process.
pub struct Declined {
    /// For the CLR.
    pub answer: HRESULT,
    /// For people.
    pub why: String,
}

impl Declined {
    fn because(why: impl Into<String>) -> Self {
        Self {
            answer: hresult::CORPROF_E_PROFILER_CANCEL_ACTIVATION,
            why: why.into(),
        }
    }
}

impl From<HRESULT> for Declined {
    fn from(answer: HRESULT) -> Self {
        let why = format!("the runtime answered {:#010x} to the engine", answer.0);
        Self { answer, why }
    }
}

/// Claims the recording, chooses the source, and keeps the CLR's interfaces. To be called inside `Initialize`, where the
/// CLR may be told which events it shall send.
///
/// # Errors
/// What the CLR shall be told, and why; it goes on without us then.
pub fn start(info: &ICorProfilerInfo) -> Result<&'static Engine, Declined> {
    objects::prepare();
    let asked_for = env::var_os(variables::RECORDING).map(PathBuf::from);
    let follow = env::var_os(variables::FOLLOW).is_some();
    let path = asked_for
        .clone()
        .or_else(hosting::recording)
        .ok_or_else(|| Declined::because("there is no recording to write into"))?;
    let identity = identity().map_err(|error| Declined::because(error.to_string()))?;
    let identity = identity.filter(|_| asked_for.is_some());
    let declined = |why: String| {
        writer::note(&path, identity.as_ref(), &why);
        Declined::because(why)
    };
    let told @ [major, ..] = version::told(info).unwrap_or([OLDEST, 0, 0]);
    if major < OLDEST {
        return Err(declined(format!(
            "its runtime is {}; soglia needs .NET {OLDEST} or later",
            version::name(told, version::of_folder().as_deref())
        )));
    }
    let mut rules = Rules::of_environment(variables::POLICY)
        .map_err(|error| declined(format!("its policy cannot be read: {error}")))?;
    let deadlines =
        deadlines().map_err(|error| declined(format!("its deadlines cannot be read: {error}")))?;
    let bound = bound()
        .map_err(|error| declined(format!("its number of slots cannot be read: {error}")))?;
    rules.keep(deadlines.iter().map(|deadline| deadline.target.clone()));
    if !rules.is_empty() && env::var_os(variables::SOURCE).is_none_or(|source| source != "woven") {
        return Err(declined("a policy needs crossings to be woven".to_owned()));
    }
    let (recording, path) = claim(&path, identity.as_ref(), follow).map_err(|error| {
        Declined::because(match error {
            ClaimError::Taken => {
                "its recording is that of another process; with --follow each has its own"
                    .to_owned()
            }
            error => format!("its recording {} cannot be used: {error}", path.display()),
        })
    })?;
    let recording: &'static Recording = Box::leak(Box::new(recording));
    if let Some(bound) = bound {
        hosting::slots::put_in_front(bound);
    }
    let info2 = info.cast::<ICorProfilerInfo2>().map_err(|e| e.code())?;
    let hosted = || {
        if hosting::recording().is_some() {
            "auto"
        } else {
            ""
        }
    };
    let wanted = env::var_os(variables::SOURCE).unwrap_or_else(|| hosted().into());
    let chosen = choose(&wanted.to_string_lossy(), cannot_weave(), |source| {
        tell(info, source)
    });
    let (source, because) = chosen.inspect_err(|answer| {
        recording.note(&format!("the runtime refused the event mask: {answer:?}"));
    })?;
    let tells = tell::on();
    if let (true, Source::Transitions) = (tells, source) {
        // They can be watched, but not acted on.
        let because = because.as_deref().unwrap_or("another source was asked for");
        let why = format!("crossings cannot be told: {because}");
        recording.note(&why);
        return Err(Declined::because(why));
    }
    if asked_for.is_none() {
        tell::hooks::only_tell();
    }
    let scope = match (source, env::var_os(variables::SCOPE)) {
        (Source::Transitions, _) => Scope::All,
        (_, Some(scope)) if scope == "corelib" => Scope::CoreLib,
        (_, Some(scope)) if scope == "framework" => Scope::Framework,
        _ => Scope::User,
    };
    let engine = ENGINE.get_or_init(|| Engine {
        recording,
        path,
        info: info.clone(),
        info2,
        names: Names::default(),
        targets: Targets::default(),
        modules: Modules::default(),
        source,
        scope,
        callers: env::var_os(variables::CALLERS).is_some(),
        unwatched: Mutex::default(),
        rules,
        tells,
        watches: tells || asked_for.is_some(),
        records: asked_for.is_some(),
        major,
    });
    SLOW_TICKS.store(recording.slow_ticks(), Relaxed);
    if asked_for.is_some() {
        life::begin(recording);
    }
    recording.log(&Record::Program {
        args: command_line(),
    });
    recording.log(&Record::Source {
        source,
        scope: engine.scope,
        because,
    });
    if let Some(policy) = engine.rules.in_force() {
        recording.log(&Record::Policy(policy));
    }
    if !follow {
        for name in variables::OF_THE_CLR.into_iter().chain(variables::OURS) {
            // SAFETY: the runtime calls this while it starts, before any managed code and its threads. glibc's own lock
            // covers other writers; what is left is a native host that reads its environment on another thread right now.
            unsafe { env::remove_var(name) };
            // The CLR has copied the environment by now: managed code, and the programs that it starts, get the copy.
            tail_calls::forget(info, name);
        }
        tail_calls::start();
    }
    hosting::slots::write_down();
    let deadlines_kill = deadlines.iter().any(|d| d.action == Action::Kill);
    if !deadlines.is_empty() {
        let tell = |record| {
            recording.log(&record);
        };
        if engine.counts() || !deadline::watch(engine, deadlines, Box::new(tell)) {
            let why = if engine.counts() {
                "calls are only counted"
            } else {
                "there is no thread for it"
            };
            let text = format!("no deadline was watched: {why}");
            if deadlines_kill {
                return Err(Declined::because(text));
            }
            recording.log(&Record::Remark { text });
        }
    }
    Ok(engine)
}

/// Tells the CLR what to tell for this source. To be called inside `Initialize`.
fn tell(info: &ICorProfilerInfo, source: Source) -> HRESULT {
    // SAFETY: by the contract; both take numbers.
    unsafe {
        match hosting::suspension::events() {
            (0, 0) => info.SetEventMask(events_of(source)),
            (low, high) => match info.cast::<ICorProfilerInfo5>() {
                Ok(info) => info.SetEventMask2(events_of(source) | low, high),
                Err(error) => error.code(),
            },
        }
    }
}

/// The deadlines in the environment.
fn deadlines() -> Result<Vec<Deadline>, DecodeError> {
    match env::var(variables::DEADLINES) {
        Ok(text) => decode(&text),
        Err(env::VarError::NotPresent) => Ok(Vec::new()),
        Err(env::VarError::NotUnicode(_)) => Err(DecodeError::Version),
    }
}

/// Which file the recording is, if that is in the environment.
fn identity() -> Result<Option<Identity>, ClaimError> {
    match env::var(variables::IDENTITY) {
        Ok(text) => text.parse().map(Some),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(ClaimError::Replaced),
    }
}

/// The bound on tasks in managed code that is in the environment.
fn bound() -> Result<Option<Bound>, String> {
    match env::var(variables::SLOTS) {
        Ok(text) => text.parse().map(Some).map_err(|e| format!("{text}: {e}")),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Why nothing can be woven in here, if that is known.
fn cannot_weave() -> Option<String> {
    if !cfg!(target_arch = "x86_64") {
        return Some(format!(
            "wrappers are made for x86_64 only, and this is {}",
            env::consts::ARCH
        ));
    }
    // Hot reload adds to the metadata of modules as they were compiled, and so do we.
    let modifiable = env::var_os("DOTNET_MODIFIABLE_ASSEMBLIES")?;
    modifiable.eq_ignore_ascii_case("debug").then(|| {
        "DOTNET_MODIFIABLE_ASSEMBLIES=debug lets hot reload change modules, which wrappers would disturb"
            .into()
    })
}

/// The source to record from, accepted by the CLR, and why it is not the wanted one.
///
/// # Errors
/// What the CLR answered to the only source that was left.
fn choose(
    wanted: &str,
    cannot_weave: Option<String>,
    mut tell: impl FnMut(Source) -> HRESULT,
) -> Result<(Source, Option<String>), HRESULT> {
    let because = match (wanted, cannot_weave) {
        ("auto", Some(because)) => Some(because),
        ("auto", None) => match tell(Source::Woven) {
            answer if answer.is_ok() => return Ok((Source::Woven, None)),
            answer => Some(format!("the runtime refused the event mask: {answer:?}")),
        },
        ("woven", _) => {
            return tell(Source::Woven)
                .ok()
                .map(|()| (Source::Woven, None))
                .map_err(|e| e.code());
        }
        _ => None,
    };
    let told = tell(Source::Transitions).ok().map_err(|e| e.code());
    told.map(|()| (Source::Transitions, because))
}

/// Claims the recording at this path, or one of this process alone; answers with its path, too.
fn claim(
    path: &Path,
    identity: Option<&Identity>,
    follow: bool,
) -> Result<(Recording, PathBuf), ClaimError> {
    match Recording::claim_that(path, identity) {
        Err(ClaimError::Taken) if follow => {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{}", std::process::id()));
            let own = PathBuf::from(name);
            let made = writer::create(&own, &writer::options_of(path)?)?;
            let identity = Identity::of(&made)?;
            Ok((Recording::claim_that(&own, Some(&identity))?, own))
        }
        Err(ClaimError::Taken) => Err(ClaimError::Taken),
        Err(error) => {
            writer::note(path, identity, &error.to_string());
            Err(error)
        }
        Ok(recording) => Ok((recording, path.to_owned())),
    }
}

fn command_line() -> Vec<String> {
    let bytes = std::fs::read("/proc/self/cmdline").unwrap_or_default();
    let args = bytes
        .strip_suffix(b"\0")
        .unwrap_or(&bytes)
        .split(|b| *b == 0);
    args.map(|arg| String::from_utf8_lossy(arg).into_owned())
        .collect()
}

impl Engine {
    /// Whether calls are only counted.
    pub fn counts(&self) -> bool {
        self.recording.level() == writer::Level::Counts
    }

    /// Writes down, once, that something crosses which the source does not see. Not for the hot path.
    ///
    /// Its fields but the text say which targets, as narrowly as they can be named: `soglia verify` expects nothing of those.
    pub fn unwatched(&self, what: Unwatched) {
        let mut told = self
            .unwatched
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST_UNWATCHED && told.insert(what.clone()) {
            self.recording.log(&Record::Unwatched(what));
        }
    }

    /// Writes down which runtime this is.
    pub fn tell_runtime(&self) {
        let version = version::of_folder().unwrap_or_else(|| {
            let told = version::told(&self.info).unwrap_or_default();
            told.map(|n| n.to_string()).join(".")
        });
        let name = ".NET".into();
        self.recording.log(&Record::Runtime { name, version });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use soglia_abi::hresult::{E_FAIL, S_OK};

    #[test]
    fn what_cannot_be_woven_falls_back_if_it_may() {
        let why = || Some("no".to_owned());
        let choose = |wanted, cannot, refused: &[Source]| {
            let mut told = Vec::new();
            let chosen = super::choose(wanted, cannot, |source| {
                told.push(source);
                if refused.contains(&source) {
                    E_FAIL
                } else {
                    S_OK
                }
            });
            (chosen, told)
        };
        use Source::{Transitions, Woven};
        assert_eq!(choose("auto", None, &[]), (Ok((Woven, None)), vec![Woven]));
        assert_eq!(
            choose("auto", why(), &[]),
            (Ok((Transitions, why())), vec![Transitions])
        );
        let (chosen, told) = choose("auto", None, &[Woven]);
        let (source, because) = chosen.unwrap();
        assert_eq!((source, told), (Transitions, vec![Woven, Transitions]));
        assert!(because.unwrap().contains("event mask"));
        // Who asks for one gets that one or nothing.
        assert_eq!(
            choose("woven", why(), &[]),
            (Ok((Woven, None)), vec![Woven])
        );
        assert_eq!(choose("woven", None, &[Woven]), (Err(E_FAIL), vec![Woven]));
        for wanted in ["transitions", ""] {
            assert_eq!(
                choose(wanted, None, &[]),
                (Ok((Transitions, None)), vec![Transitions])
            );
        }
        assert_eq!(choose("auto", None, &[Woven, Transitions]).0, Err(E_FAIL));
    }
}
