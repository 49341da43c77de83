//! The one runtime of this process: starting it, and asking it for managed functions.
//!
//! hostfxr finds the framework and starts CoreCLR. Before that, the variables that make CoreCLR load a profiler are set to
//! this very library, if anybody wants to be told of what happens; they are gone again when `Start` returns. Then CoreCLR's
//! own `ICLRRuntimeHost4` runs the host's code: a second one beside hostfxr's, which is why its count of starts is not ours.

use std::{
    collections::HashSet,
    env,
    ffi::{CString, OsString, c_void},
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    ptr::{null, null_mut},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use soglia_abi::{
    GUID, HRESULT,
    hosting::{
        runtime_host::ICLRRuntimeHost4,
        types::{STARTUP_CONCURRENT_GC, STARTUP_HOARD_GC_VM, STARTUP_SERVER_GC},
    },
    hresult,
};
use soglia_dotnet::{CORE_FRAMEWORK, fxr, library};
use windows_core::Interface;

use super::{
    Shared,
    attach::{self, Variable, Variables, own_file},
    host, managed,
    runtimes::{self, LIBRARY, Runtime},
    signals, wide,
};
use crate::engine;

/// hostfxr's `FrameworkMissingFailure`.
const FRAMEWORK_MISSING: HRESULT = HRESULT(0x8000_8096_u32 as i32);

/// Bounds generation 0; hexadecimal.
const GEN0_LIMIT: &str = "DOTNET_GCGen0MaxBudget";
/// The runtime was started with it, by us, and has copied the environment.
static LIMITED: AtomicBool = AtomicBool::new(false);

/// To be called when the runtime has started: takes out of its environment what was there for its start alone.
pub fn started() {
    if LIMITED.swap(false, Relaxed) {
        // Where managed code cannot be called, it is seen there, and by the programs that are started from there.
        let _ = managed::forget(GEN0_LIMIT);
    }
}

/// The domain that every .NET process has, and the only one.
pub const DOMAIN: u32 = 1;

/// What the host wants the runtime to be started with. Of the process, since the runtime is.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `STARTUP_FLAGS`, if the host has set them.
    pub flags: Option<u32>,
    /// A `runtimeconfig.json` of the host's.
    pub config: Option<PathBuf>,
    /// More runtime properties.
    pub properties: Vec<(String, String)>,
    /// The most bytes that generation 0 may grow to between two collections.
    pub gen0: Option<usize>,
}

/// The settings, for reading and for changing. Not to be held while the host or the runtime is called.
pub fn settings() -> MutexGuard<'static, Settings> {
    static SETTINGS: Mutex<Settings> = Mutex::new(Settings {
        flags: None,
        config: None,
        properties: Vec::new(),
        gen0: None,
    });
    SETTINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The runtime, running.
pub struct Clr {
    host: Shared<ICLRRuntimeHost4>,
    /// Which one it is.
    pub runtime: Runtime,
    /// The flags it was started with.
    pub flags: u32,
    /// Assemblies whose dependencies are looked for beside them.
    known: Mutex<HashSet<PathBuf>>,
}

static CLR: OnceLock<Clr> = OnceLock::new();

/// The runtime, if this library has started it or has joined it.
pub fn get() -> Option<&'static Clr> {
    CLR.get()
}

/// Whether a runtime runs in this process, whoever has started it.
pub fn is_running() -> bool {
    CLR.get().is_some() || running().is_some()
}

/// Starts a runtime, or joins the one that runs.
///
/// # Errors
/// `CLR_E_SHIM_RUNTIMELOAD` if another one runs, or if there is none such; `CORPROF_E_PROFILER_ALREADY_ACTIVE` if the host is to
/// be told of things and the environment names another profiler; hostfxr's code if it does not start it.
pub fn start(wanted: &Runtime) -> Result<&'static Clr, HRESULT> {
    static STARTING: Mutex<()> = Mutex::new(());
    let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(clr) = CLR.get() {
        return if clr.runtime.directory == wanted.directory {
            Ok(clr)
        } else {
            Err(hresult::CLR_E_SHIM_RUNTIMELOAD)
        };
    }
    signals::make_room();
    let settings = settings().clone();
    let (host, runtime) = match running() {
        Some((_, runtime)) if runtime.directory != wanted.directory => {
            return Err(hresult::CLR_E_SHIM_RUNTIMELOAD);
        }
        Some(joined) => joined,
        None => {
            start_fresh(wanted, &settings)?;
            running().ok_or(hresult::E_FAIL)?
        }
    };
    // SAFETY: a live object; the runtime runs.
    unsafe { host.Start() }.ok().map_err(|e| e.code())?;
    Ok(CLR.get_or_init(|| Clr {
        host: Shared(host),
        runtime,
        flags: settings.flags.unwrap_or(STARTUP_CONCURRENT_GC),
        known: Mutex::default(),
    }))
}

/// A host object of the runtime that runs in this process, and which one that is.
fn running() -> Option<(ICLRRuntimeHost4, Runtime)> {
    let runtime = runtimes::loaded()?;
    let library = library::Library::loaded(&runtime.directory.join(LIBRARY)).ok()?;
    type GetHost = unsafe extern "system" fn(*const GUID, *mut *mut c_void) -> HRESULT;
    // SAFETY: the exported function has this type, it fills in an object of the interface that was asked for.
    unsafe {
        let get = library.function::<GetHost>(c"GetCLRRuntimeHost").ok()?;
        let mut object = null_mut();
        get(&ICLRRuntimeHost4::IID, &raw mut object)
            .is_ok()
            .then_some(())?;
        let host = ICLRRuntimeHost4::from_raw(object);
        let mut domain = 0;
        // Loaded is not running yet. A thread that the runtime does not know gets another code.
        (host.GetCurrentAppDomainId(&raw mut domain) != hresult::HOST_E_CLRNOTAVAILABLE)
            .then_some((host, runtime))
    }
}

/// hostfxr resolves links.
fn same(a: &Path, b: &Path) -> bool {
    let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    a == b || resolved(a) == resolved(b)
}

/// Has hostfxr start the runtime.
fn start_fresh(wanted: &Runtime, settings: &Settings) -> Result<(), HRESULT> {
    let (Some(hostfxr), Some(root)) = (&wanted.hostfxr, &wanted.root) else {
        return Err(hresult::CLR_E_SHIM_RUNTIMELOAD);
    };
    let told = host::wants_engine();
    let variables = Variables::set(told)?;
    // Before .NET 10 there is no property of that meaning.
    let property = wanted.version.as_ref().is_some_and(|v| v.major >= 10);
    let limit = settings
        .gen0
        .filter(|_| !property)
        .and_then(|bytes| Variable::set(GEN0_LIMIT, format!("{bytes:x}")));
    LIMITED.store(limit.is_some(), Relaxed);
    // From here on this library stays, whatever the host closes.
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
    // The flags that everybody has leave a configuration its say.
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
    // The runtime runs, but the host will not be told what it was promised.
    if told && !engine_is_there {
        let why = why.unwrap_or_else(|| {
            "the runtime did not load the profiler (does DOTNET_EnableDiagnostics=0 forbid it?)"
                .into()
        });
        // As hostfxr says there what it does not like: an HRESULT has no words.
        let why = soglia_core::plain::plain(&why);
        eprintln!("soglia: this host cannot be told what .NET does: {why}");
        return Err(hresult::E_FAIL);
    }
    Ok(())
}

/// What hostfxr answers. Codes above 0 are kinds of success.
fn check(code: i32) -> Result<(), HRESULT> {
    match HRESULT(code) {
        FRAMEWORK_MISSING => Err(hresult::CLR_E_SHIM_RUNTIMELOAD),
        failed if failed.is_err() => Err(failed),
        _ => Ok(()),
    }
}

/// `AppContext.BaseDirectory`: the folder of the host's executable, as .NET Framework had it. hostfxr knows of no program that it could be of.
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
    // SAFETY: an initialized context, a C string, and a place for the answer, which is a C string of hostfxr's.
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

/// hostfxr's, to be closed. That does not stop the runtime.
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

/// The `runtimeconfig.json` to start with: the one that the host names, the one beside the host's executable, or one made up.
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
            // Of no use to anybody if it stays.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

impl Clr {
    /// CoreCLR's own host object.
    pub fn host(&self) -> &ICLRRuntimeHost4 {
        &self.host.0
    }

    /// Whether the runtime knows the calling thread.
    pub fn knows_this_thread(&self) -> bool {
        let mut domain = 0;
        // SAFETY: a live object and a pointer to a local.
        unsafe { self.host().GetCurrentAppDomainId(&raw mut domain) }.is_ok()
    }

    /// A static method that has no other of its name beside it, as a function. It makes the calling thread known to the runtime.
    ///
    /// # Errors
    /// The runtime's: what is missing, by its HRESULT.
    ///
    /// # Safety
    /// `F` is the type of a pointer to that function.
    pub unsafe fn function<F: Copy>(
        &self,
        assembly: &str,
        class: &str,
        method: &str,
    ) -> Result<F, HRESULT> {
        const { assert!(size_of::<F>() == size_of::<isize>()) };
        let [assembly, class, method] = [assembly, class, method].map(wide::zero_terminated);
        let mut address = 0;
        // SAFETY: zero-terminated names and a place for the answer.
        let answer = unsafe {
            self.host().CreateDelegate(
                DOMAIN,
                assembly.as_ptr(),
                class.as_ptr(),
                method.as_ptr(),
                &raw mut address,
            )
        };
        answer.ok().map_err(|e| e.code())?;
        // SAFETY: the caller vouches for F; the sizes are equal.
        Ok(unsafe { std::mem::transmute_copy(&address) })
    }

    /// A function of CoreLib's `ComponentActivator`, through which hosts load assemblies.
    ///
    /// # Errors
    /// As for [`function`](Self::function).
    ///
    /// # Safety
    /// `F` is the type of a pointer to that function.
    pub unsafe fn activator<F: Copy>(&self, method: &str) -> Result<F, HRESULT> {
        let class = "Internal.Runtime.InteropServices.ComponentActivator";
        // SAFETY: by the contract.
        unsafe { self.function("System.Private.CoreLib", class, method) }
    }

    /// The address of an `UnmanagedCallersOnly` method of the assembly in that file, which is named as the assembly.
    ///
    /// # Errors
    /// The runtime's: what is missing, by its HRESULT; `COR_E_INVALIDOPERATION` for a method without the attribute.
    pub fn method_of_file(&self, path: &Path, class: &str, method: &str) -> Result<isize, HRESULT> {
        // .NET's answer would be another one.
        if !path.is_file() {
            return Err(hresult::COR_E_FILENOTFOUND);
        }
        self.load_checked(path)?;
        // Commas and other marks in an assembly's name would have to be escaped, and nobody has them.
        let assembly = path.file_stem().unwrap_or_default().to_string_lossy();
        let c_string = |text: &str| CString::new(text).map_err(|_| hresult::E_INVALIDARG);
        let (class, method) = (
            c_string(&format!("{class}, {assembly}"))?,
            c_string(method)?,
        );
        let mut address = null_mut();
        // SAFETY: the method has this signature since .NET 5; C strings, and a place for the answer.
        let answer = unsafe {
            self.activator::<fxr::GetFunctionPointer>("GetFunctionPointer")?(
                class.as_ptr(),
                method.as_ptr(),
                fxr::UNMANAGED_CALLERS_ONLY,
                null_mut(),
                null_mut(),
                &raw mut address,
            )
        };
        check(answer).map(|()| address as isize)
    }

    /// Loads an assembly, for its dependencies to be looked for beside it, as .NET Framework did. What goes wrong here goes
    /// wrong again when the assembly is used, and is told there.
    pub fn load(&self, path: &Path) {
        let _ = self.load_checked(path);
    }

    fn load_checked(&self, path: &Path) -> Result<(), HRESULT> {
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.contains(path) {
                return Ok(());
            }
        }
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| hresult::E_INVALIDARG)?;
        // SAFETY: the method has this signature since .NET 8; the name is a C string.
        check(unsafe {
            self.activator::<fxr::LoadAssembly>("LoadAssembly")?(
                name.as_ptr(),
                null_mut(),
                null_mut(),
            )
        })?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(path.to_owned());
        Ok(())
    }
}
