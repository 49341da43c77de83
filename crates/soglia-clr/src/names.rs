//! The names of functions, frames and stacks: the cold path.

use std::{
    collections::HashMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
};

use soglia_abi::ids::{AssemblyId, FunctionId, MdToken, ModuleId};
use soglia_core::{
    crossing::Side,
    trace::{
        log::{Record, TargetNames},
        task_writer::TaskWriter,
    },
};

use crate::{
    engine::{Engine, SLOW_TICKS},
    metadata::{Scope, string},
    objects, stacks,
    weave::{self, frames},
};

/// What is known of stacks and their frames.
#[derive(Default)]
pub struct Names(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    /// Of stack frames. Emptied when a module is unloaded: numbers may be given again.
    frames: HashMap<FunctionId, Frame>,
    texts: HashMap<String, u32>,
    stacks: HashMap<Vec<u32>, u32>,
    slow: u32,
}

/// What stacks show of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A run of native frames.
    Native,
    /// A method.
    Method {
        /// The number of its name.
        text: u32,
        /// Right above native code, it is that call's own marshalling.
        marshals: bool,
    },
    /// It is no method of the program: a wrapper, a stub, the P/Invoke that is called.
    Nothing,
}

/// Slow calls that are written down one by one; more are only counted.
const MOST_SLOW: u32 = 10_000;

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
    /// Looks into a return that is the first of its target on this task, or slow: finds the target in memory, keeps the stack.
    pub fn look_into(&'static self, task: &TaskWriter, slot: u32, at: u64, took: u64) {
        let target = task.target(slot);
        self.place(target);
        if took >= SLOW_TICKS.load(Relaxed) && self.take_slow() {
            let stack = stacks::current(self);
            let task = task.record().number.load(Relaxed);
            self.recording.log(&Record::Slow {
                target,
                task,
                at,
                took,
                stack,
            });
        }
    }

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

    /// What stacks show of a function that is on one.
    pub fn frame(&self, function: FunctionId) -> Frame {
        if function.is_null() {
            return Frame::Native;
        }
        if let Some(frame) = self.names.lock().frames.get(&function) {
            return *frame;
        }
        let Some((module, token)) = self.method_of(function) else {
            // Not kept: the number of one that is collected is given to the next.
            return self.made_at_run_time(function);
        };
        let scope = Scope::of_module(&self.info, module);
        let named = scope.filter(|s| !frames::is_ours(module, token) && !s.is_import(token));
        let frame = match named.and_then(|scope| scope.method(token)) {
            None => Frame::Nothing,
            Some(name) => Frame::Method {
                text: self.text(name),
                marshals: frames::marshals(self, module, token),
            },
        };
        self.names.lock().frames.insert(function, frame);
        frame
    }

    /// A method without metadata: one that the program has made, or a stub of the CLR's.
    fn made_at_run_time(&self, function: FunctionId) -> Frame {
        match weave::dynamic::name_of(self, function) {
            Some(name) if !weave::dynamic::is_stub(&name) => Frame::Method {
                text: self.text(format!("[made at run time: {name}]")),
                marshals: false,
            },
            _ => Frame::Nothing,
        }
    }

    /// The number of a text for stacks.
    pub fn text(&self, text: String) -> u32 {
        let mut tables = self.names.lock();
        let next = tables.texts.len() as u32 + 1;
        let number = *tables.texts.entry(text.clone()).or_insert(next);
        if number == next {
            self.recording.log(&Record::Text { number, text });
        }
        number
    }

    /// The number of a stack with these frames.
    pub fn stack(&self, frames: Vec<u32>) -> u32 {
        let mut tables = self.names.lock();
        let next = tables.stacks.len() as u32 + 1;
        let number = *tables.stacks.entry(frames.clone()).or_insert(next);
        if number == next {
            self.recording.log(&Record::Stack { number, frames });
        }
        number
    }

    /// Whether one more slow call shall be written down; counts it as dropped if not.
    pub fn take_slow(&self) -> bool {
        let mut tables = self.names.lock();
        tables.slow += 1;
        if tables.slow > MOST_SLOW {
            self.recording
                .header()
                .dropped_records
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        tables.slow <= MOST_SLOW
    }
}

impl Names {
    /// A module is going: the numbers of its functions mean nothing from now on.
    pub fn forget_frames(&self) {
        self.lock().frames.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
