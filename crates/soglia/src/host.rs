//! Hosting .NET in a Rust program: starting it in this process, running managed code, and being told of every crossing between managed
//! and native code while it happens.
//!
//! ```no_run
//! use soglia::host::Host;
//!
//! # fn main() -> Result<(), soglia::host::Error> {
//! let host = Host::builder().start()?;
//! let words = host.call("guest.dll", "Guest.Plugin", "Words", "how many words are these")?;
//! assert_eq!(words, 5);
//! # Ok(())
//! # }
//! ```
//!
//! | what | where |
//! | --- | --- |
//! | start .NET | [`Host::builder`] |
//! | run a program, call methods | [`Host::run`], [`Host::call`], [`Host::function`] |
//! | be told of crossings, refuse them, make them wait | [`HostTaskManager`] |
//! | bound how many tasks run managed code | [`Slots`] |
//! | only watch them | [`Builder::watch`], [`Host::events`] |
//! | be told of suspensions and of failures | [`HostGcManager`], [`HostPolicyManager`] |
//! | ask the CLR | [`ClrTaskManager`], [`ClrTask`], [`ClrGc`] |
//!
//! This is a layer on the hosting API of .NET Framework, which soglia's engine, `libsoglia.so`, gives to stock .NET 8, 9 and 10: the
//! traits are its interfaces, [`HResult`] its answers. The engine is loaded when a host starts; `docs/rust-host.md` tells how to build and to
//! find it, and is a way into all of this.

#![allow(unsafe_code, reason = "calls through vtables of the engine's objects")]

mod bridge;
mod builder;
mod clr;
mod engine;
mod error;
mod function;
mod hresult;
mod managers;
mod said;
mod slots;
mod target;
mod task;
mod text;
mod watch;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object::read::ReadCache;
use soglia_abi::hosting::control::ICLRControl;
use soglia_abi::hosting::metahost::ICLRMetaHost;
use soglia_abi::hosting::runtime_host::ICLRRuntimeHost4;
use soglia_abi::hresult::{
    COR_E_BADIMAGEFORMAT, COR_E_FILELOAD, COR_E_FILENOTFOUND, COR_E_INVALIDOPERATION,
    COR_E_MISSINGMETHOD, COR_E_TYPELOAD,
};

use crate::assembly;
use clr::Shared;
use soglia_core::regular;
use text::{unicode, wide};
use watch::Watch;

pub use builder::Builder;
pub use clr::{ClrGc, ClrTask, ClrTaskManager, GcStats, TaskType};
pub use error::Error;
pub use function::FunctionPointer;
pub use hresult::{Answer, HResult};
pub use managers::{Action, Failure, HostGcManager, HostPolicyManager, Operation};
pub use slots::{Figures, Slots};
pub use soglia_core::crossing::{Crossing, Side};
pub use target::Target;
pub use task::{HostTask, HostTaskManager, PlainTask, Priority, TaskBody, WaitOptions};
pub use watch::{Event, Events};

/// The one domain of .NET.
const DOMAIN: u32 = 1;

/// .NET, running in this process.
///
/// May be used on any thread. Dropping it stops this host: it waits for nothing, the runtime itself stays, and so do threads of managed
/// code and function pointers that were given out.
pub struct Host {
    host: Shared<ICLRRuntimeHost4>,
    meta: Shared<ICLRMetaHost>,
    control: Shared<ICLRControl>,
    version: String,
    watch: Option<Arc<Watch>>,
}

impl Host {
    /// What to start, and how. Nothing needs to be said.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The version of the runtime: `10.0.12`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Runs a program: calls its `Main` on this thread, with these arguments, and gives its exit code.
    ///
    /// The process goes on when `Main` returns, and so do other threads of the program. An exception that leaves `Main` ends the process, as
    /// does `Environment.Exit`: then this does not return. The program gets the runtime that this host has started: name it to
    /// [`Builder::program`], and it is started as the program wants it.
    ///
    /// # Errors
    /// [`Error::AssemblyNotFound`], [`Error::NotAProgram`]; [`Error::Other`] with the runtime's answer.
    pub fn run<A: AsRef<str>>(
        &self,
        program: impl AsRef<Path>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<i32, Error> {
        let path = self.assembly(program.as_ref())?;
        let text = wide(unicode(&path)?)?;
        // The runtime ends the process for what is no program.
        let file = regular::open(&path).map_err(|_| Error::AssemblyNotFound(path.clone()))?;
        assembly::check(&path, &ReadCache::new(file))?;
        let arguments: Vec<_> = arguments
            .into_iter()
            .map(|argument| wide(argument.as_ref()))
            .collect::<Result<_, _>>()?;
        let argv: Vec<_> = arguments.iter().map(|argument| argument.as_ptr()).collect();
        let mut code = 0;
        // SAFETY: zero-terminated texts, as many as are told, and a place for the result.
        let answer = unsafe {
            self.host.0.ExecuteAssembly(
                DOMAIN,
                text.as_ptr(),
                argv.len() as i32,
                argv.as_ptr(),
                &raw mut code,
            )
        };
        match HResult::check(answer) {
            Ok(()) => Ok(code as i32),
            Err(code) => Err(Error::other("ExecuteAssembly", code)),
        }
    }

    /// Calls `static int METHOD(string)` of a type of an assembly, on this thread, and gives what it returns. The method may be private.
    /// Type names have their namespace before them: `Guest.Plugin`.
    ///
    /// The assembly is loaded when it is first used, and stays. What it needs, assemblies and native libraries, is found beside it.
    ///
    /// # Errors
    /// [`Error::AssemblyNotFound`], [`Error::NotAnAssembly`], [`Error::TypeMissing`], [`Error::MethodMissing`]; [`Error::Exception`] with
    /// the exception's HRESULT, if one came out of the method.
    pub fn call(
        &self,
        assembly: impl AsRef<Path>,
        type_name: &str,
        method: &str,
        argument: &str,
    ) -> Result<i32, Error> {
        let path = self.assembly(assembly.as_ref())?;
        match self.execute(&path, type_name, method, argument)? {
            Ok(value) => Ok(value),
            Err(code) => Err(self.why_not(code, path, type_name, method)),
        }
    }

    fn execute(
        &self,
        assembly: &Path,
        type_name: &str,
        method: &str,
        argument: &str,
    ) -> Result<Answer<i32>, Error> {
        let (assembly, argument) = (wide(unicode(assembly)?)?, wide(argument)?);
        let (class, method) = (wide(type_name)?, wide(method)?);
        let mut value = 0;
        // SAFETY: zero-terminated texts and a place for the result.
        let answer = unsafe {
            self.host.0.ExecuteInDefaultAppDomain(
                assembly.as_ptr(),
                class.as_ptr(),
                method.as_ptr(),
                argument.as_ptr(),
                &raw mut value,
            )
        };
        Ok(HResult::check(answer).map(|()| value as i32))
    }

    /// What a code of [`execute`](Self::execute) means. What is missing and what comes out of the method have the same codes.
    fn why_not(&self, code: HResult, assembly: PathBuf, type_name: &str, method: &str) -> Error {
        let (type_name, method) = (type_name.to_owned(), method.to_owned());
        let about_loading = [
            COR_E_BADIMAGEFORMAT,
            COR_E_TYPELOAD,
            COR_E_FILENOTFOUND,
            COR_E_FILELOAD,
        ];
        if about_loading.contains(&code.0) {
            // No method has no name: if that is all that is wrong, the code has come out of the method.
            match self.execute(&assembly, &type_name, "", "") {
                Ok(Err(HResult(COR_E_MISSINGMETHOD))) => {}
                _ if code.0 == COR_E_BADIMAGEFORMAT => return Error::NotAnAssembly(assembly),
                _ => {
                    return Error::TypeMissing {
                        assembly,
                        type_name,
                    };
                }
            }
        }
        match code {
            HResult::CLR_NOT_AVAILABLE => Error::ClrNotAvailable,
            HResult(COR_E_MISSINGMETHOD) => Error::MethodMissing {
                type_name,
                method,
                kind: "static int M(string) of the name",
            },
            code => Error::Exception {
                type_name,
                method,
                code,
            },
        }
    }

    /// A static method with `[UnmanagedCallersOnly]` as a function in C, which may be called on any thread, and until the process ends.
    ///
    /// An exception that leaves such a method ends the process. The assembly is found and loaded as by [`call`](Self::call); its file must
    /// have its name.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), soglia::host::Error> {
    /// # let host = soglia::host::Host::builder().start()?;
    /// // SAFETY: [UnmanagedCallersOnly] public static int Add(int a, int b)
    /// let add: extern "C" fn(i32, i32) -> i32 = unsafe { host.function("guest.dll", "Guest.Plugin", "Add")? };
    /// assert_eq!(add(40, 2), 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::AssemblyNotFound`], [`Error::NotAnAssembly`], [`Error::TypeMissing`], [`Error::MethodMissing`],
    /// [`Error::NotForNativeCallers`].
    ///
    /// # Safety
    /// `F` has the method's parameters and result, which nobody checks: `int` is `i32`, `long` is `i64`, `nint` is `isize`, `T*` a pointer. If
    /// the method follows pointers that it is given, or may only be called in some state, then `F` is an `unsafe extern "C" fn`, and its callers
    /// answer for that.
    pub unsafe fn function<F: FunctionPointer>(
        &self,
        assembly: impl AsRef<Path>,
        type_name: &str,
        method: &str,
    ) -> Result<F, Error> {
        let path = self.assembly(assembly.as_ref())?;
        let file = wide(unicode(&path)?)?;
        let (class, name) = (wide(type_name)?, wide(method)?);
        let mut address = 0;
        // SAFETY: zero-terminated texts and a place for the result.
        let answer = unsafe {
            self.host.0.CreateDelegate(
                DOMAIN,
                file.as_ptr(),
                class.as_ptr(),
                name.as_ptr(),
                &raw mut address,
            )
        };
        let (type_name, method) = (type_name.to_owned(), method.to_owned());
        match HResult::check(answer) {
            // SAFETY: what the runtime gives is the address of a function, and the caller vouches for its type.
            Ok(()) => Ok(unsafe { F::from_address(address as *const _) }),
            Err(HResult(COR_E_BADIMAGEFORMAT)) => Err(Error::NotAnAssembly(path)),
            Err(HResult(COR_E_TYPELOAD | COR_E_FILENOTFOUND | COR_E_FILELOAD)) => {
                Err(Error::TypeMissing {
                    assembly: path,
                    type_name,
                })
            }
            Err(HResult(COR_E_MISSINGMETHOD)) => Err(Error::MethodMissing {
                type_name,
                method,
                kind: "static method",
            }),
            Err(HResult(COR_E_INVALIDOPERATION)) => {
                Err(Error::NotForNativeCallers { type_name, method })
            }
            Err(code) => Err(Error::other("CreateDelegate", code)),
        }
    }

    /// The crossings, if the host was started to [watch](Builder::watch) them; otherwise a stream that has ended.
    pub fn events(&self) -> Events {
        Events::new(self.watch.clone().unwrap_or_else(|| {
            let nothing = Watch::new(1);
            nothing.close();
            Arc::new(nothing)
        }))
    }

    /// The CLR's tasks.
    ///
    /// # Errors
    /// [`HResult::INVALID_OPERATION`] if the runtime was started by somebody else.
    pub fn tasks(&self) -> Answer<ClrTaskManager> {
        builder::manager_of(&self.control.0).map(ClrTaskManager::new)
    }

    /// The garbage collector.
    ///
    /// # Errors
    /// As for [`tasks`](Self::tasks).
    pub fn gc(&self) -> Answer<ClrGc> {
        builder::manager_of(&self.control.0).map(ClrGc::new)
    }

    /// Ends the process as `Environment.Exit` does: what is to happen at exit happens.
    pub fn exit(self, code: i32) -> ! {
        // SAFETY: a live object.
        let _ = unsafe { self.meta.0.ExitProcess(code) };
        std::process::exit(code)
    }

    /// An assembly's file, with its full path.
    fn assembly(&self, path: &Path) -> Result<PathBuf, Error> {
        if !path.is_file() {
            return Err(Error::AssemblyNotFound(path.to_owned()));
        }
        Ok(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: a live object. Nobody is left to be told of a failure.
        let _ = unsafe { self.host.0.Stop() };
        if let Some(watch) = &self.watch {
            watch.close();
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("version", &self.version)
            .field("watch", &self.watch.is_some())
            .finish_non_exhaustive()
    }
}
