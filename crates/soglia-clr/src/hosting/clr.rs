//! The one runtime of this process: starting it, and asking it for managed functions.
//!
//! hostfxr finds the framework and starts CoreCLR. If the host wants notifications, the engine
//! first sets the variables that make CoreCLR load a profiler, to this library. It removes them
//! before `Start` returns. Then CoreCLR's own `ICLRRuntimeHost4` runs the host's code. It is a
//! second one beside hostfxr's, so its count of starts differs from the engine's.

use std::{
    collections::HashSet,
    ffi::{CString, c_void},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    ptr::null_mut,
    sync::{Mutex, OnceLock, PoisonError},
};

use soglia_abi::{
    GUID, HRESULT,
    hosting::{runtime_host::ICLRRuntimeHost4, types::STARTUP_CONCURRENT_GC},
    hresult,
    param::{In, Out, WideString},
};
use soglia_dotnet::{fxr, library};
use windows_core::Interface;

use super::{
    hostfxr,
    runtimes::{self, LIBRARY, Runtime},
    settings::settings,
};
use crate::{host::shared::Shared, signals};

/// The domain that every .NET process has.
pub const DOMAIN: u32 = 1;

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

/// Whether a runtime runs in this process, started by this library or not.
pub fn is_running() -> bool {
    CLR.get().is_some() || running().is_some()
}

/// Starts a runtime, or joins the one that runs. `notifies`: the host wants notifications, which
/// need the engine.
///
/// # Errors
/// `CLR_E_SHIM_RUNTIMELOAD` if another one runs, or if there is none such;
/// `CORPROF_E_PROFILER_ALREADY_ACTIVE` if the host wants notifications and the environment names
/// another profiler; hostfxr's code if it does not start the runtime.
pub fn start(wanted: &Runtime, notifies: bool) -> Result<&'static Clr, HRESULT> {
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
            hostfxr::start(wanted, &settings, notifies)?;
            running().ok_or(hresult::E_FAIL)?
        }
    };
    // SAFETY: the object is alive, since this variable holds a reference.
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
    type GetHost = unsafe extern "system" fn(In<'_, GUID>, Out<'_, *mut c_void>) -> HRESULT;
    // SAFETY: the exported function has this type, it fills in an object of the interface that was
    // asked for.
    unsafe {
        let get = library.function::<GetHost>(c"GetCLRRuntimeHost").ok()?;
        let mut object = null_mut();
        get(In::new(&ICLRRuntimeHost4::IID), Out::new(&mut object))
            .is_ok()
            .then_some(())?;
        let host = ICLRRuntimeHost4::from_raw(object);
        let mut domain = 0;
        // A loaded runtime may not run yet. A thread that the runtime does not know gets another
        // code.
        (host.GetCurrentAppDomainId(Out::new(&mut domain)) != hresult::HOST_E_CLRNOTAVAILABLE)
            .then_some((host, runtime))
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
        // SAFETY: the runtime stays until the process ends.
        unsafe { self.host().GetCurrentAppDomainId(Out::new(&mut domain)) }.is_ok()
    }

    /// A static method that has no other of its name beside it, as a function. It makes the calling
    /// thread known to the runtime.
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
        let [assembly, class, method] = [assembly, class, method].map(WideString::new);
        let mut address = 0;
        let place = Out::new(&mut address);
        // SAFETY: the runtime stays until the process ends.
        let answer = unsafe {
            self.host()
                .CreateDelegate(DOMAIN, assembly.lent(), class.lent(), method.lent(), place)
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
        // SAFETY: the caller vouches that `F` is the type of the method.
        unsafe { self.function("System.Private.CoreLib", class, method) }
    }

    /// The address of an `UnmanagedCallersOnly` method of the assembly in that file, which is named
    /// as the assembly.
    ///
    /// # Errors
    /// The runtime's: what is missing, by its HRESULT; `COR_E_INVALIDOPERATION` for a method
    /// without the attribute.
    pub fn method_of_file(&self, path: &Path, class: &str, method: &str) -> Result<isize, HRESULT> {
        // .NET would answer with another code.
        if !path.is_file() {
            return Err(hresult::COR_E_FILENOTFOUND);
        }
        self.load_checked(path)?;
        // Commas and other marks in an assembly's name would have to be escaped. Real names have
        // none.
        let assembly = path.file_stem().unwrap_or_default().to_string_lossy();
        let c_string = |text: &str| CString::new(text).map_err(|_| hresult::E_INVALIDARG);
        let (class, method) = (
            c_string(&format!("{class}, {assembly}"))?,
            c_string(method)?,
        );
        let mut address = null_mut();
        // SAFETY: the method has this signature since .NET 5; C strings, and a place for the
        // answer.
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
        hostfxr::check(answer).map(|()| address as isize)
    }

    /// Loads an assembly, so that .NET looks for its dependencies beside it, as .NET Framework did.
    /// A failure shows again when the assembly is used, and is reported there.
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
        hostfxr::check(unsafe {
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
