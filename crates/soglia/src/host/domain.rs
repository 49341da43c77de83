//! Domains: assemblies of their own, which can go again.

#![allow(
    unsafe_code,
    reason = "methods of the engine's objects are called through vtables"
)]

use std::ffi::c_void;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use soglia_abi::HRESULT;
use soglia_abi::hresult::{
    COR_E_CANNOTUNLOADAPPDOMAIN, COR_E_FILENOTFOUND, COR_E_MISSINGMETHOD, COR_E_TYPELOAD,
    HOST_E_TIMEOUT, S_OK,
};
use soglia_abi::param::{Array, Out, Wide};

use super::code::{Code, named};
use super::error::Error;
use super::function::FunctionPointer;
use super::hresult::HResult;
use super::object::call;
use super::running::Host;
use super::text::{unicode, wide};

/// The property with the folders in which a domain looks for assemblies.
const FOLDERS: &str = "APP_PATHS";

impl Host {
    /// Makes a domain with this name, for code that can be unloaded.
    ///
    /// A domain has its own copies of all assemblies that are not of the framework, with statics of
    /// their own. Domains are numbered from 2; the code that [`call`](Self::call) runs is in
    /// domain 1.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), soglia::host::Error> {
    /// # let host = soglia::host::Host::builder().start()?;
    /// let domain = host.domain("plug-in").create()?;
    /// let words = domain.call("guest.dll", "Guest.Plugin", "Words", "to be unloaded")?;
    /// assert_eq!(words, 3);
    /// domain.unload()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn domain(&self, name: &str) -> DomainBuilder<'_> {
        DomainBuilder {
            host: self,
            name: name.into(),
            folders: Vec::new(),
            properties: Vec::new(),
            manager: None,
        }
    }

    /// The number of the domain that the calling thread is in; `None` if the runtime does not know
    /// the thread.
    pub fn current_domain(&self) -> Option<u32> {
        let mut id = 0;
        let answer = call!(self.host.0, GetCurrentAppDomainId(Out::new(&mut id)));
        answer.is_ok().then_some(id)
    }
}

/// What a new domain is to have.
#[must_use = "`create` makes the domain"]
#[derive(Debug)]
pub struct DomainBuilder<'a> {
    host: &'a Host,
    name: String,
    folders: Vec<PathBuf>,
    properties: Vec<(String, String)>,
    manager: Option<(PathBuf, String)>,
}

impl DomainBuilder<'_> {
    /// Has the domain look for assemblies in this folder, after those that were named before.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folders.push(folder.into());
        self
    }

    /// Sets a property: `TRUSTED_PLATFORM_ASSEMBLIES`, `APP_PATHS`, `APPBASE` or
    /// `NATIVE_DLL_SEARCH_DIRECTORIES`. Others have no effect.
    pub fn property(mut self, name: &str, value: &str) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Has the domain make an object of this type when it is created, and keep it. The type has a
    /// constructor without parameters, which may be private.
    pub fn manager(mut self, assembly: impl Into<PathBuf>, type_name: &str) -> Self {
        self.manager = Some((assembly.into(), type_name.into()));
        self
    }

    /// Makes the domain.
    ///
    /// # Errors
    /// [`Error::TypeMissing`], [`Error::MethodMissing`] and [`Error::Exception`] for the manager.
    pub fn create(mut self) -> Result<Domain, Error> {
        if !self.folders.is_empty() {
            let folders = std::env::join_paths(&self.folders).map_err(|_| Error::ZeroByte)?;
            let folders = unicode(Path::new(&folders))?.to_owned();
            self.properties.push((FOLDERS.into(), folders));
        }
        let texts: Vec<_> = self
            .properties
            .iter()
            .map(|(name, value)| Ok((wide(name)?, wide(value)?)))
            .collect::<Result<_, Error>>()?;
        let names: Vec<_> = texts.iter().map(|(name, _)| name.lent()).collect();
        let values: Vec<_> = texts.iter().map(|(_, value)| value.lent()).collect();
        let manager = match &self.manager {
            Some((assembly, type_name)) => {
                Some((wide(unicode(&named(assembly))?)?, wide(type_name)?))
            }
            None => None,
        };
        let (assembly, class) = match &manager {
            Some((assembly, class)) => (assembly.lent(), class.lent()),
            None => (Wide::null(), Wide::null()),
        };
        let mut id = 0;
        // SAFETY: the object is alive while the host is, and there are as many names and values as
        // is said.
        let answer = unsafe {
            self.host.host.0.CreateAppDomainWithManager(
                wide(&self.name)?.lent(),
                0,
                assembly,
                class,
                names.len() as i32,
                Array::new(&names),
                Array::new(&values),
                Out::new(&mut id),
            )
        };
        match (HResult::check(answer), self.manager) {
            (Ok(()), _) => Ok(Domain {
                code: Code {
                    host: self.host.host.clone(),
                    execute: self.host.execute,
                    domain: id,
                },
            }),
            (Err(code), Some((assembly, type_name))) => Err(match code.0 {
                COR_E_TYPELOAD | COR_E_FILENOTFOUND => Error::TypeMissing {
                    assembly,
                    type_name,
                },
                COR_E_MISSINGMETHOD => Error::MethodMissing {
                    type_name,
                    method: String::new(),
                    kind: "constructor without parameters",
                },
                _ => Error::Exception {
                    type_name,
                    method: "ctor".into(),
                    code,
                },
            }),
            (Err(code), None) => Err(Error::other("CreateAppDomainWithManager", code)),
        }
    }
}

/// A domain that a host has made: [`Host::domain`].
///
/// It may be used on any thread. Dropping it begins to unload it, and does not wait.
pub struct Domain {
    code: Code,
}

impl Domain {
    /// Its number.
    pub fn id(&self) -> u32 {
        self.code.domain
    }

    /// As [`Host::call`], in this domain. The assembly is a file, or the name of an assembly that
    /// the domain finds.
    ///
    /// # Errors
    /// Those of [`Host::call`], and [`Error::DomainUnloaded`].
    pub fn call(
        &self,
        assembly: impl AsRef<Path>,
        type_name: &str,
        method: &str,
        argument: &str,
    ) -> Result<i32, Error> {
        self.code
            .call(&named(assembly.as_ref()), type_name, method, argument)
    }

    /// As [`Host::function`], in this domain. Calls of the function run in the domain, on whatever
    /// thread.
    ///
    /// # Errors
    /// Those of [`Host::function`], and [`Error::DomainUnloaded`].
    ///
    /// # Safety
    /// As for [`Host::function`]. When the domain is unloaded, the function does nothing and
    /// returns zeros, which must be a value of its result.
    pub unsafe fn function<F: FunctionPointer>(
        &self,
        assembly: impl AsRef<Path>,
        type_name: &str,
        method: &str,
    ) -> Result<F, Error> {
        // SAFETY: the caller vouches for the parameters and the result.
        unsafe {
            self.code
                .function(&named(assembly.as_ref()), type_name, method)
        }
    }

    /// Runs a program in this domain, as [`Host::run`]. An exception that leaves `Main` does not
    /// end the process.
    ///
    /// # Errors
    /// [`Error::AssemblyNotFound`], [`Error::NotAProgram`], [`Error::DomainUnloaded`].
    /// [`Error::Exception`] with the exception's HRESULT, if one left `Main`.
    pub fn run<A: AsRef<str>>(
        &self,
        program: impl AsRef<Path>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<i32, Error> {
        self.code.run(program.as_ref(), arguments)
    }

    /// Runs `body` with this domain as the calling thread's, as `ExecuteInAppDomain` does.
    ///
    /// # Errors
    /// [`Error::DomainUnloaded`].
    ///
    /// # Panics
    /// If `body` does.
    pub fn enter<T>(&self, body: impl FnOnce() -> T) -> Result<T, Error> {
        let mut body = Some(body);
        let mut result = None;
        let mut once = || {
            let run = body.take().map(AssertUnwindSafe);
            result = run.map(|run| catch_unwind(|| { run }.0()));
        };
        let mut once: &mut dyn FnMut() = &mut once;
        let host = &self.code.host.0;
        // SAFETY: the object is alive, and `run_body` gets what it expects until it returns.
        let answer =
            unsafe { host.ExecuteInAppDomain(self.id(), Some(run_body), (&raw mut once).cast()) };
        match result {
            Some(Ok(result)) => Ok(result),
            Some(Err(panic)) => resume_unwind(panic),
            None => Err(HResult::check(answer).err().map_or(
                Error::other("ExecuteInAppDomain", HResult::UNEXPECTED),
                |code| self.code.refused("ExecuteInAppDomain", code),
            )),
        }
    }

    /// Unloads the domain, and returns when it is gone.
    ///
    /// It takes no more threads from now on. This function waits until those inside have left it,
    /// and then until nothing refers to its assemblies and objects: objects of others, threads,
    /// timers and tasks that it has begun, and handles. After 10 s it gives up, and unloading goes
    /// on; it may be called again.
    ///
    /// # Errors
    /// [`Error::DomainHeld`] if the domain does not go in time, [`Error::InsideDomain`] if the
    /// calling thread is in the domain, [`Error::DomainUnloaded`] if it is gone already.
    pub fn unload(&self) -> Result<(), Error> {
        let answer = call!(self.code.host.0, UnloadAppDomain(self.id(), true.into()));
        HResult::check(answer).map_err(|code| match code.0 {
            HOST_E_TIMEOUT => Error::DomainHeld(self.id()),
            COR_E_CANNOTUNLOADAPPDOMAIN => Error::InsideDomain(self.id()),
            _ => self.code.refused("UnloadAppDomain", code),
        })
    }
}

/// Runs the function that the cookie points to.
unsafe extern "system" fn run_body(cookie: *mut c_void) -> HRESULT {
    // SAFETY: `enter` passes a pointer to this, and waits until the call has returned.
    let body = unsafe { &mut *cookie.cast::<&mut dyn FnMut()>() };
    body();
    S_OK
}

impl Drop for Domain {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = call!(self.code.host.0, UnloadAppDomain(self.id(), false.into()));
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").field("id", &self.id()).finish()
    }
}
