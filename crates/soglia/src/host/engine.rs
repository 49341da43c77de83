//! The engine, loaded into this process, and the functions that it exports.

#![allow(unsafe_code, reason = "functions of a loaded library")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::null;

use soglia_abi::hosting::host_task::IHostTaskManager;
use soglia_abi::hosting::metahost::{CLSID_CLRMetaHost, ICLRMetaHost};
use soglia_abi::param::{In, Lent, Out, Wide};
use soglia_abi::{GUID, HRESULT};
use soglia_dotnet::library::Library;
use windows_core::Interface;

use super::error::Error;
use super::hresult::{Answer, HResult};
use super::object::given;

/// Calls a method in a domain.
pub(super) type Execute =
    unsafe extern "system" fn(u32, Wide<'_>, Wide<'_>, Wide<'_>, Wide<'_>, Out<'_, u32>) -> HRESULT;

/// The engine. It stays loaded until the process ends.
pub(super) struct Engine {
    path: PathBuf,
    library: Library,
}

impl Engine {
    /// Loads the engine.
    ///
    /// # Errors
    /// [`Error::EngineUnusable`] with the loader's reason.
    pub fn load(path: PathBuf) -> Result<Self, Error> {
        let library = Library::open(&path).map_err(|why| Error::EngineUnusable {
            path: path.clone(),
            reason: why.to_string(),
        })?;
        Ok(Self { path, library })
    }

    /// # Safety
    /// `F` is the type of a pointer to the exported function `name`.
    unsafe fn function<F: Copy>(&self, name: &CStr) -> Result<F, Error> {
        // SAFETY: the caller vouches for the function's type; the library stays loaded.
        unsafe { self.library.function(name) }.map_err(|_| Error::EngineUnusable {
            path: self.path.clone(),
            reason: format!("it has no {}", name.to_string_lossy()),
        })
    }

    /// The object that leads to all others.
    pub fn meta_host(&self) -> Result<ICLRMetaHost, Error> {
        type Create =
            unsafe extern "system" fn(In<'_, GUID>, In<'_, GUID>, Out<'_, *mut c_void>) -> HRESULT;
        let (class, id) = (In::new(&CLSID_CLRMetaHost), In::new(&ICLRMetaHost::IID));
        // SAFETY: mscoree.h declares the function with this signature. It stores an object with the
        // interface whose ID it is given, and a reference for its caller.
        unsafe {
            let create: Create = self.function(c"CLRCreateInstance")?;
            given(|object| create(class, id, object))
                .map_err(|code| Error::other("CLRCreateInstance", code))
        }
    }

    /// Its function that calls methods in domains.
    ///
    /// # Errors
    /// [`Error::EngineUnusable`] if it has none.
    pub fn execute(&self) -> Result<Execute, Error> {
        // SAFETY: soglia.h declares the function with this signature.
        unsafe { self.function(c"SogliaExecuteInAppDomain") }
    }

    /// Has the engine notify a task manager in a process in which .NET runs.
    ///
    /// # Errors
    /// [`Error::NotAttached`] with the engine's reason.
    pub fn attach(&self, manager: &IHostTaskManager) -> Result<(), Error> {
        type Attach = unsafe extern "system" fn(Lent<'_, IHostTaskManager>) -> HRESULT;
        // SAFETY: soglia.h declares the function with this signature. The manager is alive, and
        // may be called on any thread.
        let answer = unsafe {
            let attach: Attach = self.function(c"SogliaAttachTaskManager")?;
            attach(Lent::new(manager))
        };
        self.done("attaching", answer)
    }

    /// Has the engine let that task manager go.
    ///
    /// # Errors
    /// [`Error::NotAttached`] with the engine's reason.
    pub fn detach(&self) -> Result<(), Error> {
        type Detach = unsafe extern "system" fn() -> HRESULT;
        // SAFETY: soglia.h declares the function with this signature.
        let answer = unsafe {
            let detach: Detach = self.function(c"SogliaDetachTaskManager")?;
            detach()
        };
        self.done("detaching", answer)
    }

    /// The engine's answer, with its reason.
    fn done(&self, doing: &'static str, answer: HRESULT) -> Result<(), Error> {
        type Text = unsafe extern "system" fn() -> *const c_char;
        let Err(code) = HResult::check(answer) else {
            return Ok(());
        };
        // SAFETY: soglia.h declares the function with this signature. It returns a C string that
        // is there until this thread calls one of these functions again.
        let why = unsafe {
            let text: Text = self.function(c"SogliaGetLastErrorText")?;
            CStr::from_ptr(text()).to_string_lossy().into_owned()
        };
        Err(Error::NotAttached { doing, code, why })
    }

    /// Makes the engine take runtimes from that .NET root, or from the one that it finds itself.
    ///
    /// # Errors
    /// The inner result is the engine's: [`HResult::INVALID_OPERATION`] if a runtime runs already.
    pub fn set_root(&self, root: Option<&Path>) -> Result<Answer, Error> {
        type SetRoot = unsafe extern "system" fn(*const c_char) -> HRESULT;
        let root = root.map(|root| CString::new(root.as_os_str().as_bytes()));
        let root = root.transpose().map_err(|_| Error::ZeroByte)?;
        let root = root.as_ref().map_or(null(), |root| root.as_ptr());
        // SAFETY: soglia.h declares the function with this signature. The pointer is null or a C
        // string that lives until the function returns.
        unsafe {
            let set: SetRoot = self.function(c"SogliaSetDotnetRoot")?;
            Ok(HResult::check(set(root)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_library_is_told_from_the_engine() {
        let engine = Engine::load("libc.so.6".into()).unwrap();
        let message = engine.meta_host().unwrap_err().to_string();
        assert!(message.contains("CLRCreateInstance"), "{message}");
        let message = Engine::load("/proc/self/exe".into())
            .err()
            .unwrap()
            .to_string();
        assert!(message.contains("/proc/self/exe"), "{message}");
    }
}
