//! The names of functions, from the metadata. Cold.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use soglia_abi::ids::{AssemblyId, FunctionId, MdToken, ModuleId};
use soglia_core::{
    crossing::Side,
    trace::{
        facts::Signature,
        log::{Record, TargetNames},
    },
};

use crate::{
    engine::Engine,
    known::targets::Found,
    metadata::{Scope, string},
    objects,
};

/// Libraries that belong to the runtime, whatever calls them.
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
    /// The module of a function that the CLR has named. `None`: the function was made at run time.
    pub fn module_of(&self, function: FunctionId) -> Option<ModuleId> {
        self.method_of(function).map(|(module, _)| module)
    }

    /// The module of a function that the CLR has named, and its token. `None`: the function was
    /// made at run time.
    pub fn method_of(&self, function: FunctionId) -> Option<(ModuleId, MdToken)> {
        let mut module = ModuleId::NULL;
        let mut token = MdToken::default();
        let nothing = std::ptr::null_mut();
        // SAFETY: the CLR has named this function, and the pointers are to locals.
        let answer = unsafe {
            self.info
                .GetFunctionInfo(function, nothing, &raw mut module, &raw mut token)
        };
        // For a method without metadata, the CLR may return the module that it belongs to.
        (answer.is_ok() && token.row() != 0).then_some((module, token))
    }

    /// The names of a function that the CLR has named.
    pub fn describe(&self, function: FunctionId, side: Side) -> TargetNames {
        let assembly = self.module_of(function).and_then(|m| self.assembly(m));
        match Scope::of_function(&self.info, function) {
            Some((scope, token)) => describe_method(&scope, token, side, assembly),
            None => nameless(function, side),
        }
    }

    /// The signature of a P/Invoke that the CLR has named.
    pub fn signature_of(&self, function: FunctionId, found: &Found) -> Option<Signature> {
        if function.is_null() || found.unknown {
            return None;
        }
        let (scope, token) = Scope::of_function(&self.info, function)?;
        scope
            .is_import(token)
            .then(|| scope.signature(token, token))?
    }

    /// Records the signature of a target.
    pub fn signature(&self, target: u32, signature: Signature) {
        self.recording.log(&Record::Signature(Signature {
            target,
            ..signature
        }));
    }

    /// The simple name of a module's assembly, and the path of the module.
    pub fn assembly(&self, module: ModuleId) -> Option<(String, PathBuf)> {
        let info = &self.info;
        let mut assembly = AssemblyId::NULL;
        let nothing = std::ptr::null_mut();
        let path = string(|buffer, size, needed| {
            // SAFETY: the buffer is as large as said. The pointers are to locals, or null, which
            // asks for nothing.
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
            // SAFETY: the CLR has named this assembly, and the buffer is as large as said. Null
            // pointers ask for nothing.
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

/// The names that the metadata give a method. `assembly` is the name of its assembly and the path
/// of its module.
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

/// The names of everything that a module calls by function pointer. `path` is the module's.
pub fn function_pointer(assembly: &str, path: &Path) -> TargetNames {
    TargetNames {
        side: Side::Unmanaged as u32,
        assembly: Some(assembly.to_owned()),
        runtime_internal: is_of_framework(assembly, path),
        ..TargetNames::default()
    }
}

/// The library and the entry point that calls reach, as far as they have names.
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

/// The names of a function pointer, or of a function that the CLR does not know.
pub fn nameless(function: FunctionId, side: Side) -> TargetNames {
    let method = (!function.is_null()).then(|| "[unknown function]".to_owned());
    TargetNames {
        side: side as u32,
        method,
        ..TargetNames::default()
    }
}

/// Whether a target belongs to the runtime. `module` is the path of the module that declares it.
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
    // ROOT/shared/FRAMEWORK/VERSION: every shared framework of the same root belongs to the
    // runtime.
    let shared = |folder: &Path| {
        let shared = folder.parent()?.parent()?;
        (shared.file_name() == Some(OsStr::new("shared"))).then(|| shared.to_owned())
    };
    let runtime = objects::runtime_folder();
    let of_runtime = runtime.and_then(|folder| Some((shared(&folder)?, folder)));
    match of_runtime {
        // The root may have links in it, and only the path of the runtime is without them.
        Some((root, runtime)) => module.parent().and_then(shared).is_some_and(|shared| {
            let same = runtime.strip_prefix(&root).map(|rest| shared.join(rest));
            same.is_ok_and(|same| objects::is_runtime_folder(&same))
        }),
        // A self-contained program has framework and program in one folder or file, so only the
        // name says which module belongs to the framework.
        None => {
            let family = ["System.", "Microsoft.Win32.", "Microsoft.AspNetCore."];
            family.iter().any(|family| assembly.starts_with(family))
                || assembly == "Microsoft.VisualBasic.Core"
        }
    }
}
