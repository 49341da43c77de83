//! Calling managed code of a domain.

#![allow(
    unsafe_code,
    reason = "methods of the engine's objects are called through vtables"
)]

use std::path::{Path, PathBuf};

use object::read::ReadCache;
use soglia_abi::hosting::runtime_host::ICLRRuntimeHost4;
use soglia_abi::hresult::{
    COR_E_APPDOMAINUNLOADED, COR_E_BADIMAGEFORMAT, COR_E_FILELOAD, COR_E_FILENOTFOUND,
    COR_E_INVALIDOPERATION, COR_E_MISSINGMETHOD, COR_E_TYPELOAD,
};
use soglia_abi::param::{Array, Out, WideString};
use soglia_core::regular;

use super::engine::Execute;
use super::error::Error;
use super::function::FunctionPointer;
use super::hresult::{Answer, HResult};
use super::object::{Shared, call};
use super::text::{unicode, wide};
use crate::assembly;

/// The first domain, which every process has.
pub(super) const DOMAIN: u32 = 1;

/// What runs code in a domain.
pub(super) struct Code {
    pub host: Shared<ICLRRuntimeHost4>,
    pub execute: Execute,
    pub domain: u32,
}

impl Code {
    /// [`Host::run`](super::Host::run).
    pub fn run<A: AsRef<str>>(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<i32, Error> {
        let path = assembly_file(program)?;
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
        // SAFETY: the object is alive while this value is, and `argv` has as many texts as it is
        // said to have.
        let answer = unsafe {
            self.host.0.ExecuteAssembly(
                self.domain,
                text.lent(),
                argv.len() as i32,
                Array::new(&argv),
                Out::new(&mut code),
            )
        };
        match HResult::check(answer) {
            Ok(()) => Ok(code as i32),
            Err(code) if self.domain == DOMAIN => Err(Error::other("ExecuteAssembly", code)),
            Err(code) => Err(match self.refused("ExecuteAssembly", code) {
                Error::Other { code, .. } => Error::Exception {
                    type_name: path.display().to_string(),
                    method: "Main".into(),
                    code,
                },
                refused => refused,
            }),
        }
    }

    /// [`Host::call`](super::Host::call).
    pub fn call(
        &self,
        assembly: &Path,
        type_name: &str,
        method: &str,
        argument: &str,
    ) -> Result<i32, Error> {
        match self.execute(assembly, type_name, method, argument)? {
            Ok(value) => Ok(value),
            Err(code) => Err(self.explain(code, assembly.to_owned(), type_name, method)),
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
        // SAFETY: the texts end with a zero and live until the function returns, as does the place
        // for the result.
        let answer = unsafe {
            (self.execute)(
                self.domain,
                assembly.lent(),
                class.lent(),
                method.lent(),
                argument.lent(),
                Out::new(&mut value),
            )
        };
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
                _ if code.0 == COR_E_FILENOTFOUND && !assembly.is_file() => {
                    return Error::AssemblyNotFound(assembly);
                }
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
            HResult(COR_E_APPDOMAINUNLOADED) if self.domain != DOMAIN => {
                Error::DomainUnloaded(self.domain)
            }
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

    /// [`Host::function`](super::Host::function).
    ///
    /// # Safety
    /// `F` must have the method's parameters and result.
    pub unsafe fn function<F: FunctionPointer>(
        &self,
        assembly: &Path,
        type_name: &str,
        method: &str,
    ) -> Result<F, Error> {
        let path = assembly.to_owned();
        let file = wide(unicode(&path)?)?;
        let (class, name) = (wide(type_name)?, wide(method)?);
        let mut address = 0;
        let answer = call!(
            self.host.0,
            CreateDelegate(
                self.domain,
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
            Err(code) => Err(self.refused("CreateDelegate", code)),
        }
    }

    /// The error of a hosting method, which may be that of a domain that is gone.
    pub fn refused(&self, what: &'static str, code: HResult) -> Error {
        match code {
            HResult(COR_E_APPDOMAINUNLOADED) => Error::DomainUnloaded(self.domain),
            code => Error::other(what, code),
        }
    }
}

/// The full path of an assembly's file.
pub(super) fn assembly_file(path: &Path) -> Result<PathBuf, Error> {
    if !path.is_file() {
        return Err(Error::AssemblyNotFound(path.to_owned()));
    }
    Ok(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// The full path of an assembly's file, or the name of an assembly as it is.
pub(super) fn named(assembly: &Path) -> PathBuf {
    assembly_file(assembly).unwrap_or_else(|_| assembly.to_owned())
}
