//! The runtime that a host has started.

#![allow(
    unsafe_code,
    reason = "methods of the engine's objects are called through vtables"
)]

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
use soglia_abi::param::{Array, Out, WideString};
use soglia_core::regular;

use super::clr::{ClrGc, ClrTaskManager};
use super::error::Error;
use super::function::FunctionPointer;
use super::hresult::{Answer, HResult};
use super::object::{Shared, call, manager_of};
use super::text::{unicode, wide};
use super::watch::{Events, Watch};
use crate::assembly;

/// .NET has one domain, with this number.
const DOMAIN: u32 = 1;

/// .NET, running in this process.
///
/// A `Host` may be used on any thread. Dropping it stops this host and returns at once. The runtime
/// stays in the process, and so do threads of managed code and the function pointers that
/// [`function`](Self::function) returned.
pub struct Host {
    pub(super) host: Shared<ICLRRuntimeHost4>,
    pub(super) meta: Shared<ICLRMetaHost>,
    pub(super) control: Shared<ICLRControl>,
    pub(super) version: String,
    pub(super) watch: Option<Arc<Watch>>,
}

impl Host {
    /// The version of the runtime: `10.0.12`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Runs a program: calls its `Main` on this thread with these arguments, and returns its exit
    /// code.
    ///
    /// The process goes on when `Main` returns, and so do other threads of the program. An
    /// exception that leaves `Main` ends the process, as does `Environment.Exit`: this function
    /// does not return then. The program runs on the runtime that this host has started. To start
    /// the runtime that the program asks for, pass the program to
    /// [`Builder::program`](super::Builder::program).
    ///
    /// # Errors
    /// [`Error::AssemblyNotFound`] and [`Error::NotAProgram`]. [`Error::Other`] with the runtime's
    /// result code.
    pub fn run<A: AsRef<str>>(
        &self,
        program: impl AsRef<Path>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<i32, Error> {
        let path = assembly_file(program.as_ref())?;
        let text = wide(unicode(&path)?)?;
        // The runtime ends the process if the file is not a program, so check it first.
        let file = regular::open(&path).map_err(|_| Error::AssemblyNotFound(path.clone()))?;
        assembly::check(&path, &ReadCache::new(file))?;
        let arguments: Vec<_> = arguments
            .into_iter()
            .map(|argument| wide(argument.as_ref()))
            .collect::<Result<_, _>>()?;
        let argv: Vec<_> = arguments.iter().map(WideString::lent).collect();
        let mut code = 0;
        // SAFETY: the object is alive while this host is, and `argv` has as many texts as it is
        // said to have.
        let answer = unsafe {
            self.host.0.ExecuteAssembly(
                DOMAIN,
                text.lent(),
                argv.len() as i32,
                Array::new(&argv),
                Out::new(&mut code),
            )
        };
        match HResult::check(answer) {
            Ok(()) => Ok(code as i32),
            Err(code) => Err(Error::other("ExecuteAssembly", code)),
        }
    }

    /// Calls `static int METHOD(string)` of a type on this thread, and returns the method's result.
    ///
    /// The method may be private. The type's name includes its namespace: `Guest.Plugin`. The
    /// runtime loads the assembly at its first use, and keeps it. It looks for the assembly's
    /// dependencies and native libraries in the assembly's folder.
    ///
    /// # Errors
    /// [`Error::AssemblyNotFound`], [`Error::NotAnAssembly`], [`Error::TypeMissing`] and
    /// [`Error::MethodMissing`]. [`Error::Exception`] with the exception's HRESULT, if one left the
    /// method.
    pub fn call(
        &self,
        assembly: impl AsRef<Path>,
        type_name: &str,
        method: &str,
        argument: &str,
    ) -> Result<i32, Error> {
        let path = assembly_file(assembly.as_ref())?;
        match self.execute(&path, type_name, method, argument)? {
            Ok(value) => Ok(value),
            Err(code) => Err(self.explain(code, path, type_name, method)),
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
        let answer = call!(
            self.host.0,
            ExecuteInDefaultAppDomain(
                assembly.lent(),
                class.lent(),
                method.lent(),
                argument.lent(),
                Out::new(&mut value),
            )
        );
        Ok(HResult::check(answer).map(|()| value as i32))
    }

    /// The error behind a code of [`execute`](Self::execute).
    ///
    /// A failure to load and an exception of the method can have the same code.
    fn explain(&self, code: HResult, assembly: PathBuf, type_name: &str, method: &str) -> Error {
        let (type_name, method) = (type_name.to_owned(), method.to_owned());
        let about_loading = [
            COR_E_BADIMAGEFORMAT,
            COR_E_TYPELOAD,
            COR_E_FILENOTFOUND,
            COR_E_FILELOAD,
        ];
        if about_loading.contains(&code.0) {
            // Ask for a method without a name, which no type has. If the runtime reports only that
            // the method is missing, the type has loaded, so the code came from the method.
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

    /// Returns a static method with `[UnmanagedCallersOnly]` as a C function.
    ///
    /// The function may be called on any thread until the process ends. An exception that leaves
    /// such a method ends the process. The runtime finds and loads the assembly as in
    /// [`call`](Self::call); the file must be named after the assembly.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), soglia::host::Error> {
    /// # let host = soglia::host::Host::builder().start()?;
    /// // SAFETY: [UnmanagedCallersOnly] public static int Add(int a, int b)
    /// let add: extern "C" fn(i32, i32) -> i32 =
    ///     unsafe { host.function("guest.dll", "Guest.Plugin", "Add")? };
    /// assert_eq!(add(40, 2), 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::AssemblyNotFound`], [`Error::NotAnAssembly`], [`Error::TypeMissing`],
    /// [`Error::MethodMissing`] and [`Error::NotForNativeCallers`].
    ///
    /// # Safety
    /// `F` must have the method's parameters and result; the runtime does not check them. `int` is
    /// `i32`, `long` is `i64`, `nint` is `isize`, and `T*` is a pointer. If the method follows
    /// pointers that it is given, or may be called in some states only, `F` must be an
    /// `unsafe extern "C" fn`, so that its callers vouch for that.
    pub unsafe fn function<F: FunctionPointer>(
        &self,
        assembly: impl AsRef<Path>,
        type_name: &str,
        method: &str,
    ) -> Result<F, Error> {
        let path = assembly_file(assembly.as_ref())?;
        let file = wide(unicode(&path)?)?;
        let (class, name) = (wide(type_name)?, wide(method)?);
        let mut address = 0;
        let answer = call!(
            self.host.0,
            CreateDelegate(
                DOMAIN,
                file.lent(),
                class.lent(),
                name.lent(),
                Out::new(&mut address),
            )
        );
        let (type_name, method) = (type_name.to_owned(), method.to_owned());
        match HResult::check(answer) {
            // SAFETY: the runtime has stored the address of the method's native entry, and the
            // caller vouches for the parameters and result.
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

    /// The crossings, if the host was started to [watch](super::Builder::watch) them.
    ///
    /// Otherwise a stream that has ended.
    pub fn events(&self) -> Events {
        Events::of(self.watch.clone())
    }

    /// The CLR's tasks.
    ///
    /// # Errors
    /// [`HResult::INVALID_OPERATION`] if other code than soglia's started the runtime.
    pub fn tasks(&self) -> Answer<ClrTaskManager> {
        manager_of(&self.control.0).map(ClrTaskManager::new)
    }

    /// The garbage collector.
    ///
    /// # Errors
    /// [`HResult::INVALID_OPERATION`] if other code than soglia's started the runtime.
    pub fn gc(&self) -> Answer<ClrGc> {
        manager_of(&self.control.0).map(ClrGc::new)
    }

    /// Ends the process as `Environment.Exit` does: the runtime runs the handlers of its end first.
    pub fn exit(self, code: i32) -> ! {
        let _ = call!(self.meta.0, ExitProcess(code));
        std::process::exit(code)
    }
}

/// The full path of an assembly's file.
fn assembly_file(path: &Path) -> Result<PathBuf, Error> {
    if !path.is_file() {
        return Err(Error::AssemblyNotFound(path.to_owned()));
    }
    Ok(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

impl Drop for Host {
    fn drop(&mut self) {
        // There is no way to report a failure from here.
        let _ = call!(self.host.0, Stop());
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
