//! Assemblies and methods that the program makes at run time (`System.Reflection.Emit`). The engine
//! weaves nothing in them, and records what crosses there unseen.
//!
//! The CLR reports a type made at run time when its methods are final. Removing the import of a
//! P/Invoke then crashes the process, and types that are added to such an assembly are never found.
//! A `DynamicMethod` has no metadata at all.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use soglia_abi::{
    ids::{ClassId, FunctionId, MdToken, ModuleId},
    profiler::info_later::ICorProfilerInfo8,
};
use soglia_core::{crossing::Side, trace::log::Unwatched};
use soglia_il::body;
use windows_core::Interface;

use crate::{
    engine::Engine,
    metadata::{Scope, string},
    names::describe_method,
};

/// Whether there are such modules. Most programs have none, and load thousands of classes.
static ANY: AtomicBool = AtomicBool::new(false);

static MODULES: Mutex<Option<HashMap<ModuleId, Made>>> = Mutex::new(None);

/// A module that is being made.
struct Made {
    assembly: String,
    /// Methods up to this row were looked at.
    seen: u32,
}

const FUNCTION_POINTER: &str = "[function pointer]";

/// Notes an empty module that the program has made.
pub fn module_made(module: ModuleId, assembly: String) {
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    let made = Made { assembly, seen: 0 };
    modules.get_or_insert_default().insert(module, made);
    ANY.store(true, Relaxed);
}

/// Forgets a module that is about to be unloaded.
pub fn module_unloaded(module: ModuleId) {
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(modules) = modules.as_mut() {
        modules.remove(&module);
    }
}

/// Records what the module of a class that was loaded has by now that is not watched.
pub fn class_loaded(engine: &Engine, class: ClassId) {
    if !ANY.load(Relaxed) {
        return;
    }
    let (mut module, mut token) = (ModuleId::NULL, MdToken::default());
    // SAFETY: the CLR has just named this class, and the pointers are to locals.
    let answer = unsafe {
        engine
            .info
            .GetClassIDInfo(class, &raw mut module, &raw mut token)
    };
    if answer.is_err() {
        return;
    }
    // The CLR takes locks of its own, so it is asked while this lock is not held.
    let of = |modules: &mut Option<HashMap<ModuleId, Made>>| {
        let made = modules.as_mut()?.get(&module)?;
        Some((made.assembly.clone(), made.seen))
    };
    let known = of(&mut MODULES.lock().unwrap_or_else(PoisonError::into_inner));
    let Some((assembly, seen)) = known else {
        return;
    };
    let Some(scope) = Scope::of_module(&engine.info, module) else {
        return;
    };
    let mut last = seen;
    for method in scope.methods().skip(seen as usize) {
        last = method.row();
        if let Some(crossing) = scope.crossing(method) {
            let names = describe_method(&scope, method, crossing.side, None);
            let what = match (names.library, names.entry, &names.method) {
                (Some(library), Some(entry), _) => format!("{library}!{entry}"),
                (.., method) => method.clone().unwrap_or_default(),
            };
            engine.unwatched(Unwatched {
                side: Some(crossing.side),
                text: format!("{what} is not watched: {assembly} was made at run time"),
                assembly: Some(assembly.clone()),
                method: names.method,
            });
        }
    }
    if scope.calls_pointers() {
        engine.unwatched(Unwatched {
            side: Some(Side::Unmanaged),
            text: format!(
                "calls by function pointer in {assembly} are not watched: it was made at run time"
            ),
            assembly: Some(assembly),
            method: Some(FUNCTION_POINTER.into()),
        });
    }
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = modules.as_mut().and_then(|all| all.get_mut(&module)) {
        made.seen = made.seen.max(last);
    }
}

/// Records a method without metadata that the CLR is about to compile: a `DynamicMethod`, or a stub
/// of the CLR. Which of its calls by function pointer are native cannot be determined.
pub fn method_made(engine: &Engine, function: FunctionId, code: &[u8]) {
    if !body::code_calls_by_pointer(code) {
        return;
    }
    let name = name_of(engine, function).unwrap_or_default();
    // Stubs are the CLR's part of calls that are known by other means.
    if is_stub(&name) {
        return;
    }
    engine.unwatched(Unwatched {
        side: Some(Side::Unmanaged),
        assembly: None,
        method: Some(FUNCTION_POINTER.into()),
        text: format!(
            "calls of native code by function pointer in {name}, a DynamicMethod, are not watched"
        ),
    });
}

/// Whether the CLR gives this name to its stubs.
pub fn is_stub(name: &str) -> bool {
    name.starts_with("IL_STUB")
}

/// The name of a function without metadata, which is on a stack now or is about to be compiled.
pub fn name_of(engine: &Engine, function: FunctionId) -> Option<String> {
    let info = engine.info.cast::<ICorProfilerInfo8>().ok()?;
    let (mut module, mut signature, mut size) = (ModuleId::NULL, std::ptr::null(), 0);
    string(|buffer, room, needed| {
        // SAFETY: the CLR has just reported that the function has no metadata. The buffer is as
        // large as said, and the pointers are to locals.
        let answer = unsafe {
            info.GetDynamicFunctionInfo(
                function,
                &raw mut module,
                &raw mut signature,
                &raw mut size,
                room,
                needed,
                buffer,
            )
        };
        answer.is_ok()
    })
}
