//! The runtime that a host has started.

#![allow(
    unsafe_code,
    reason = "methods of the engine's objects are called through vtables"
)]

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use soglia_abi::hosting::control::ICLRControl;
use soglia_abi::hosting::metahost::ICLRMetaHost;
use soglia_abi::hosting::runtime_host::ICLRRuntimeHost4;

use super::clr::{ClrGc, ClrTaskManager};
use super::code::{Code, DOMAIN, assembly_file};
use super::engine::Execute;
use super::error::Error;
use super::function::FunctionPointer;
use super::hresult::Answer;
use super::object::{Shared, call, manager_of};
use super::watch::{Events, Watch};

/// .NET, running in this process.
///
/// A `Host` may be used on any thread. Dropping it stops this host and returns at once. The runtime
/// stays in the process, and so do threads of managed code and the function pointers that
/// [`function`](Self::function) returned.
pub struct Host {
    pub(super) host: Shared<ICLRRuntimeHost4>,
    pub(super) meta: Shared<ICLRMetaHost>,
    pub(super) control: Shared<ICLRControl>,
    pub(super) execute: Execute,
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
        self.code().run(program.as_ref(), arguments)
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
        self.code().call(&path, type_name, method, argument)
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
        // SAFETY: the caller vouches for the parameters and the result.
        unsafe { self.code().function(&path, type_name, method) }
    }

    fn code(&self) -> Code {
        Code {
            host: self.host.clone(),
            execute: self.execute,
            domain: DOMAIN,
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
    /// [`INVALID_OPERATION`](super::HResult::INVALID_OPERATION) if other code than soglia's started
    /// the runtime.
    pub fn tasks(&self) -> Answer<ClrTaskManager> {
        manager_of(&self.control.0).map(ClrTaskManager::new)
    }

    /// The garbage collector.
    ///
    /// # Errors
    /// [`INVALID_OPERATION`](super::HResult::INVALID_OPERATION) if other code than soglia's started
    /// the runtime.
    pub fn gc(&self) -> Answer<ClrGc> {
        manager_of(&self.control.0).map(ClrGc::new)
    }

    /// Ends the process as `Environment.Exit` does: the runtime runs the handlers of its end first.
    pub fn exit(self, code: i32) -> ! {
        let _ = call!(self.meta.0, ExitProcess(code));
        std::process::exit(code)
    }
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
