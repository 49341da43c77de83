//! Lets hostfxr start the runtime, with the engine in it if the host wants notifications.

use std::{
    env,
    ffi::{CString, OsString},
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    ptr::{null, null_mut},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use soglia_abi::{
    HRESULT,
    hosting::types::{STARTUP_CONCURRENT_GC, STARTUP_HOARD_GC_VM, STARTUP_SERVER_GC},
    hresult,
};
use soglia_dotnet::{CORE_FRAMEWORK, fxr, library};

use super::{
    attach::{self, Variable, Variables, own_file},
    runtimes::Runtime,
    settings::Settings,
};
use crate::engine;

/// hostfxr's `FrameworkMissingFailure`.
const FRAMEWORK_MISSING: HRESULT = HRESULT(0x8000_8096_u32 as i32);

/// Bounds generation 0; hexadecimal.
const GEN0_LIMIT: &str = "DOTNET_GCGen0MaxBudget";
/// Whether the engine started the runtime with it. The runtime keeps a copy of the environment.
static LIMITED: AtomicBool = AtomicBool::new(false);

/// The variable that was in the environment only while the runtime started, if there was one.
/// Returns it once.
pub fn only_for_its_start() -> Option<&'static str> {
    LIMITED.swap(false, Relaxed).then_some(GEN0_LIMIT)
}

/// Whether two paths are the same file. hostfxr resolves links.
fn same(a: &Path, b: &Path) -> bool {
    let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    a == b || resolved(a) == resolved(b)
}

/// Lets hostfxr start the runtime. `notifies`: the host wants notifications, which need the engine.
pub fn start(wanted: &Runtime, settings: &Settings, notifies: bool) -> Result<(), HRESULT> {
    let (Some(hostfxr), Some(root)) = (&wanted.hostfxr, &wanted.root) else {
        return Err(hresult::CLR_E_SHIM_RUNTIMELOAD);
    };
    let variables = Variables::set(notifies)?;
    // Before .NET 10 there is no property for this.
    let property = wanted.version.as_ref().is_some_and(|v| v.major >= 10);
    let limit = settings
        .gen0
        .filter(|_| !property)
        .and_then(|bytes| Variable::set(GEN0_LIMIT, format!("{bytes:x}")));
    LIMITED.store(limit.is_some(), Relaxed);
    // From here on this library stays loaded, whatever the host closes.
    let _ = own_file().map(|file| library::Library::loaded(&file));
    library::load_what_dotnet_links();
    let fxr = Fxr::load(hostfxr).ok_or(hresult::CLR_E_SHIM_INSTALLROOT)?;
    let config = Config::choose(wanted, settings)?;
    let c_string = |bytes: &[u8]| CString::new(bytes).map_err(|_| hresult::E_INVALIDARG);
    let path = c_string(config.path.as_os_str().as_bytes())?;
    let this = c_string(
        env::current_exe()
            .unwrap_or_default()
            .as_os_str()
            .as_bytes(),
    )?;
    let root = c_string(root.as_os_str().as_bytes())?;
    let parameters = fxr::InitializeParameters {
        size: size_of::<fxr::InitializeParameters>(),
        host_path: this.as_ptr(),
        dotnet_root: root.as_ptr(),
    };
    let mut context = Context {
        handle: null_mut(),
        close: fxr.close,
    };
    // SAFETY: C strings that outlive the call; hostfxr copies what it keeps.
    check(unsafe {
        (fxr.initialize)(
            path.as_ptr(),
            &raw const parameters,
            &raw mut context.handle,
        )
    })?;
    if framework_of(&fxr, context.handle).is_some_and(|d| !same(&d, &wanted.directory)) {
        return Err(hresult::CLR_E_SHIM_RUNTIMELOAD);
    }
    // Default flags do not override a configuration.
    let of_flags = settings
        .flags
        .filter(|flags| settings.config.is_none() || *flags != STARTUP_CONCURRENT_GC)
        .map(gc_of)
        .into_iter()
        .flatten();
    let gen0 = settings.gen0.filter(|_| property);
    let gen0 = gen0.map(|bytes| ("System.GC.Gen0MaxBudget".to_owned(), bytes.to_string()));
    let own = gen0.into_iter().chain(settings.properties.iter().cloned());
    for (name, value) in base_directory().into_iter().chain(of_flags).chain(own) {
        let (name, value) = (c_string(name.as_bytes())?, c_string(value.as_bytes())?);
        // SAFETY: C strings; hostfxr copies them.
        check(unsafe { (fxr.set_property)(context.handle, name.as_ptr(), value.as_ptr()) })?;
    }
    let mut delegate = null_mut();
    // SAFETY: the context is initialized, and the place for the answer a local.
    check(unsafe { (fxr.get_delegate)(context.handle, fxr::LOAD_ASSEMBLY, &raw mut delegate) })?;
    let engine_is_there = engine::get().is_some();
    let why = attach::why_not();
    drop((variables, limit));
    // The runtime runs, but without the notifications that the host wants.
    if notifies && !engine_is_there {
        let why = why.unwrap_or_else(|| {
            "the runtime did not load the profiler (does DOTNET_EnableDiagnostics=0 forbid it?)"
                .into()
        });
        // On standard error, where hostfxr writes its messages: an HRESULT has no words.
        let why = soglia_core::plain::plain(&why);
        eprintln!("soglia: .NET cannot notify this host: {why}");
        return Err(hresult::E_FAIL);
    }
    Ok(())
}

/// The result of a function of hostfxr. Codes above 0 are successes.
pub fn check(code: i32) -> Result<(), HRESULT> {
    match HRESULT(code) {
        FRAMEWORK_MISSING => Err(hresult::CLR_E_SHIM_RUNTIMELOAD),
        failed if failed.is_err() => Err(failed),
        _ => Ok(()),
    }
}

/// `AppContext.BaseDirectory`: the folder of the executable, as in .NET Framework. hostfxr has no
/// program here from which it could derive the folder.
fn base_directory() -> Option<(String, String)> {
    let executable = env::current_exe().ok()?;
    let folder = executable.parent()?.to_str()?;
    Some(("APP_CONTEXT_BASE_DIRECTORY".into(), format!("{folder}/")))
}

/// The properties that stand for `STARTUP_FLAGS`.
fn gc_of(flags: u32) -> [(String, String); 3] {
    [
        ("System.GC.Server", STARTUP_SERVER_GC),
        ("System.GC.Concurrent", STARTUP_CONCURRENT_GC),
        ("System.GC.RetainVM", STARTUP_HOARD_GC_VM),
    ]
    .map(|(name, flag)| (name.into(), (flags & flag != 0).to_string()))
}

/// The folder of the runtime that hostfxr has chosen.
fn framework_of(fxr: &Fxr, context: fxr::Handle) -> Option<PathBuf> {
    let mut value = null();
    // SAFETY: an initialized context, a C string, and a place for the answer, which is a C string
    // of hostfxr's.
    let file = unsafe {
        let code = (fxr.get_property)(context, c"FX_DEPS_FILE".as_ptr(), &raw mut value);
        if code != 0 || value.is_null() {
            return None;
        }
        std::ffi::CStr::from_ptr(value).to_bytes().to_vec()
    };
    let file = PathBuf::from(OsString::from_vec(file));
    file.parent().map(Path::to_owned)
}

/// The functions of hostfxr that are needed here.
struct Fxr {
    initialize: fxr::InitializeForRuntimeConfig,
    get_property: fxr::GetRuntimeProperty,
    set_property: fxr::SetRuntimeProperty,
    get_delegate: fxr::GetRuntimeDelegate,
    close: fxr::Close,
}

impl Fxr {
    fn load(path: &Path) -> Option<Self> {
        let library = library::Library::open(path).ok()?;
        // SAFETY: hostfxr.h declares the functions with these signatures.
        unsafe {
            Some(Self {
                initialize: library
                    .function(c"hostfxr_initialize_for_runtime_config")
                    .ok()?,
                get_property: library
                    .function(c"hostfxr_get_runtime_property_value")
                    .ok()?,
                set_property: library
                    .function(c"hostfxr_set_runtime_property_value")
                    .ok()?,
                get_delegate: library.function(c"hostfxr_get_runtime_delegate").ok()?,
                close: library.function(c"hostfxr_close").ok()?,
            })
        }
    }
}

/// A context of hostfxr, which is closed in the end. Closing does not stop the runtime.
struct Context {
    handle: fxr::Handle,
    close: fxr::Close,
}

impl Drop for Context {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: open, and not used after this.
            unsafe { (self.close)(self.handle) };
        }
    }
}

/// The `runtimeconfig.json` to start with: the one that the host names, the one beside the host's
/// executable, or a temporary one.
struct Config {
    path: PathBuf,
    made: Option<PathBuf>,
}

impl Config {
    fn choose(wanted: &Runtime, settings: &Settings) -> Result<Self, HRESULT> {
        let named = settings.config.clone().or_else(|| {
            let mut beside = env::current_exe().ok()?.into_os_string();
            beside.push(".runtimeconfig.json");
            Some(PathBuf::from(beside)).filter(|path| path.is_file())
        });
        match named {
            Some(path) => Ok(Self { path, made: None }),
            None => Self::make(wanted).ok_or(hresult::CLR_E_SHIM_RUNTIMELOAD),
        }
    }

    fn make(wanted: &Runtime) -> Option<Self> {
        let version = wanted.version.as_ref()?;
        let template = env::temp_dir().join("soglia-XXXXXX").into_os_string();
        let template = CString::new(template.into_vec()).ok()?.into_raw();
        // SAFETY: a C string of our own that ends in six X, taken back right after.
        let (made, template) = unsafe {
            (
                !libc::mkdtemp(template).is_null(),
                CString::from_raw(template),
            )
        };
        let folder = made.then(|| PathBuf::from(OsString::from_vec(template.into_bytes())))?;
        let config = Self {
            path: folder.join("host.runtimeconfig.json"),
            made: Some(folder),
        };
        let text = format!(
            r#"{{"runtimeOptions":{{"rollForward":"Disable","framework":{{"name":"{CORE_FRAMEWORK}","version":"{version}"}}}}}}"#
        );
        fs::write(&config.path, text).ok()?;
        Some(config)
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        if let Some(folder) = &self.made {
            // The file has no further use.
            let _ = fs::remove_dir_all(folder);
        }
    }
}
