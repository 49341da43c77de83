//! The names of functions, frames and stacks: the cold path.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use soglia_abi::ids::{AssemblyId, FunctionId, MdToken, ModuleId};
use soglia_core::{crossing::Side, trace::log::TargetNames};

use crate::{
    engine::Engine,
    metadata::{Scope, string},
    objects,
};

/// Libraries that are the runtime's own, wherever they are called from.
const RUNTIME_LIBRARIES: [&str; 8] = [
    "QCall",
    "libSystem.Native",
    "libSystem.Globalization.Native",
    "libSystem.IO.Compression.Native",
    "libSystem.Net.Security.Native",
    "libSystem.Security.Cryptography.Native.OpenSsl",
    "libhostpolicy",
    "libclrgc",
];

impl Engine {
    /// The module of a function that the CLR told; `None` for those that were made at run time.
    pub fn module_of(&self, function: FunctionId) -> Option<ModuleId> {
        self.method_of(function).map(|(module, _)| module)
    }

    /// The module of a function that the CLR told, and its token there; `None` for those that were made at run time.
    pub fn method_of(&self, function: FunctionId) -> Option<(ModuleId, MdToken)> {
        let mut module = ModuleId::NULL;
        let mut token = MdToken::default();
        let nothing = std::ptr::null_mut();
        // SAFETY: pointers to locals; the function is one that the CLR told.
        let answer = unsafe {
            self.info
                .GetFunctionInfo(function, nothing, &raw mut module, &raw mut token)
        };
        // Of methods without metadata, the CLR may tell the module that they belong to.
        (answer.is_ok() && token.row() != 0).then_some((module, token))
    }

    /// The names of a function that the CLR told.
    pub fn describe(&self, function: FunctionId, side: Side) -> TargetNames {
        let assembly = self.module_of(function).and_then(|m| self.assembly(m));
        match Scope::of_function(&self.info, function) {
            Some((scope, token)) => describe_method(&scope, token, side, assembly),
            None => nameless(function, side),
        }
    }

    /// The simple name of a module's assembly, and the path of the module.
    pub fn assembly(&self, module: ModuleId) -> Option<(String, PathBuf)> {
        let info = &self.info;
        let mut assembly = AssemblyId::NULL;
        let nothing = std::ptr::null_mut();
        let path = string(|buffer, size, needed| {
            // SAFETY: a buffer of that size, pointers to locals, null where nothing is asked.
            let answer = unsafe {
                info.GetModuleInfo(module, nothing, size, needed, buffer, &raw mut assembly)
            };
            answer.is_ok()
        })?;
        Some((self.assembly_name(assembly)?, path.into()))
    }

    /// The simple name of an assembly.
    pub fn assembly_name(&self, assembly: AssemblyId) -> Option<String> {
        string(|buffer, size, needed| {
            // SAFETY: an assembly that the CLR has told, a buffer of that size, null where nothing is asked.
            let answer = unsafe {
                self.info.GetAssemblyInfo(
                    assembly,
                    size,
                    needed,
                    buffer,
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                )
            };
            answer.is_ok()
        })
    }
}

/// What the metadata say of a method. `assembly`: the name of its assembly and the path of its module.
pub fn describe_method(
    scope: &Scope,
    token: MdToken,
    side: Side,
    assembly: Option<(String, PathBuf)>,
) -> TargetNames {
    let import = scope.import(token).filter(|_| side == Side::Unmanaged);
    let (library, entry) = import.map(|i| (i.library, i.entry)).unzip();
    let (assembly, path) = assembly.unzip();
    let mut names = TargetNames {
        side: side as u32,
        method: scope.method(token),
        assembly,
        library,
        entry,
        suppressed: side == Side::Unmanaged && scope.is_suppressed(token),
        ..TargetNames::default()
    };
    names.runtime_internal = is_runtime_internal(&names, &path.unwrap_or_default());
    names
}

/// Whatever a module calls by function pointer. `path`: where the module lies.
pub fn function_pointer(assembly: &str, path: &Path) -> TargetNames {
    TargetNames {
        side: Side::Unmanaged as u32,
        assembly: Some(assembly.to_owned()),
        runtime_internal: is_of_framework(assembly, path),
        ..TargetNames::default()
    }
}

/// The library and the entry point that calls end up in, as far as they are named.
pub fn called(names: &TargetNames) -> Option<(String, String)> {
    let (library, entry) = (names.library.clone()?, names.entry.clone()?);
    Some(match names.redirected_to.as_deref() {
        None => (library, entry),
        Some(to) => match to.split_once('!') {
            Some((library, entry)) => (library.into(), entry.into()),
            None => (to.into(), entry),
        },
    })
}

/// A function pointer, or a number that nobody knows.
pub fn nameless(function: FunctionId, side: Side) -> TargetNames {
    let method = (!function.is_null()).then(|| "[unknown function]".to_owned());
    TargetNames {
        side: side as u32,
        method,
        ..TargetNames::default()
    }
}

/// Whether a target is the runtime's own. `module`: where the module lies that declares it.
pub fn is_runtime_internal(names: &TargetNames, module: &Path) -> bool {
    let runtimes_own =
        |library: &str| RUNTIME_LIBRARIES.contains(&library.strip_suffix(".so").unwrap_or(library));
    if names.library.as_deref().is_some_and(runtimes_own) {
        return true;
    }
    let Some(assembly) = names.assembly.as_deref() else {
        return false;
    };
    is_of_framework(assembly, module)
}

/// Whether a module comes with the runtime.
pub fn is_of_framework(assembly: &str, module: &Path) -> bool {
    if assembly == "System.Private.CoreLib" {
        return true;
    }
    // ROOT/shared/FRAMEWORK/VERSION: every shared framework of the same root is the runtime's own.
    let shared = |folder: &Path| {
        let shared = folder.parent()?.parent()?;
        (shared.file_name() == Some(OsStr::new("shared"))).then(|| shared.to_owned())
    };
    match objects::runtime_folder().and_then(|folder| shared(&folder)) {
        Some(of_runtime) => module.parent().and_then(shared) == Some(of_runtime),
        // Self-contained programs keep framework and program in one folder, or in one file: the name must tell.
        None => {
            let family = ["System.", "Microsoft.Win32.", "Microsoft.AspNetCore."];
            family.iter().any(|family| assembly.starts_with(family))
                || assembly == "Microsoft.VisualBasic.Core"
        }
    }
}
