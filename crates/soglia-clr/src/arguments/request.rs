//! What a thread is working on: the methods of the program that say so.
//!
//! These are methods of `System.Diagnostics.Activity`, which wrappers call by function pointer
//! (`weave/request`). So no module refers to the assembly that has them, and nothing loads it: a
//! program that has not loaded it has no activities.

use std::sync::{
    Mutex, PoisonError,
    atomic::{
        AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use soglia_abi::{
    ids::{FunctionId, ModuleId},
    profiler::types::COR_PRF_MODULE_COLLECTIBLE,
};
use soglia_core::trace::arguments::Request;
use soglia_il::sig;

use super::given::Given;
use crate::{
    clerk,
    engine::Engine,
    metadata::{Scope, find},
};

/// The index of the number of the current activity among what a wrapper gives.
pub const ACTIVITY_ID: u16 = 0xFFFD;
/// The index of its name.
pub const ACTIVITY: u16 = 0xFFFC;
/// The index of the route.
pub const ROUTE: u16 = 0xFFFB;
/// The index of the name of the thread.
pub const THREAD_NAME: u16 = 0xFFFA;

/// Characters of such a text that are kept.
const MOST_UNITS: usize = 256;

const ASSEMBLY: &str = "System.Diagnostics.DiagnosticSource";
const CLASS: &str = "System.Diagnostics.Activity";

/// A method that wrappers call.
#[derive(Clone, Copy, Debug)]
pub enum Method {
    /// `static Activity Activity.Current`
    Current,
    /// `string Id`
    Id,
    /// `string OperationName`
    Name,
    /// `Activity Parent`
    Parent,
    /// `object GetTagItem(string)`
    Tag,
}

const METHODS: [(&str, [u8; 2]); 5] = [
    ("get_Current", [0, 0]),
    ("get_Id", [sig::THIS, 0]),
    ("get_OperationName", [sig::THIS, 0]),
    ("get_Parent", [sig::THIS, 0]),
    ("GetTagItem", [sig::THIS, 1]),
];

/// What wrappers read of a method.
#[repr(C)]
struct Entry {
    /// The runtime's number of the method.
    function: AtomicUsize,
    /// Its code. The first wrapper that needs it asks the runtime, and stores it here.
    code: AtomicUsize,
}

static ENTRIES: [Entry; 5] = [const {
    Entry {
        function: AtomicUsize::new(0),
        code: AtomicUsize::new(0),
    }
}; 5];

/// The distance of the code from the begin of what [`place`] returns.
pub const CODE: i32 = 8;

/// Where wrappers find a method: its number, and behind it the place for its code.
pub fn place(of: Method) -> i64 {
    let entry = &raw const ENTRIES[of as usize];
    (entry.expose_provenance() as u64).cast_signed()
}

/// The assembly that has the methods is not loaded, or has loaded no activity yet.
const NOT_YET: usize = 0;
/// All methods are known, except perhaps [`Method::Tag`].
const KNOWN: usize = 1;
/// It has no such methods.
const NONE: usize = 2;

static STATE: AtomicUsize = AtomicUsize::new(NOT_YET);
static MODULE: Mutex<Option<ModuleId>> = Mutex::new(None);

/// Notes a module if it has the methods. One that may be unloaded is not taken.
pub fn module_loaded(module: ModuleId, assembly: &str, flags: u32) {
    if assembly == ASSEMBLY && flags & COR_PRF_MODULE_COLLECTIBLE == 0 {
        let mut known = MODULE.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert(module);
    }
}

/// Whether wrappers can call this method. In preemptive mode.
pub fn knows(engine: &'static Engine, of: Method) -> bool {
    if STATE.load(Acquire) == NOT_YET {
        let module = *MODULE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = module {
            let found = clerk::ask(move || look(engine, module));
            STATE.store(found.unwrap_or(NOT_YET), Release);
        }
    }
    STATE.load(Acquire) == KNOWN && ENTRIES[of as usize].function.load(Relaxed) != 0
}

/// Finds the methods. On an engine thread.
fn look(engine: &Engine, module: ModuleId) -> usize {
    let Some(scope) = Scope::of_module(&engine.info, module) else {
        return NOT_YET;
    };
    let import = scope.itself();
    let Some(class) = find::class(import, CLASS) else {
        return NONE;
    };
    for ((name, begin), entry) in METHODS.iter().zip(&ENTRIES) {
        let all = find::methods(import, class, name);
        let fitting = all.iter().find(|(_, signature)| signature[..2] == *begin);
        let Some((token, _)) = fitting else {
            // A trimmed program has only what it uses.
            match *name == METHODS[Method::Tag as usize].0 {
                true => continue,
                false => return NONE,
            }
        };
        let mut function = FunctionId::NULL;
        // SAFETY: the module is loaded and is never unloaded. The token is its own, and the pointer
        // is to a local.
        let answer = unsafe {
            let function = &raw mut function;
            engine.info.GetFunctionFromToken(module, *token, function)
        };
        // The runtime has not loaded the class, so there is no activity.
        if answer.is_err() || function == FunctionId::NULL {
            return NOT_YET;
        }
        entry.function.store(function.0, Relaxed);
    }
    KNOWN
}

/// Whether an index is that of a text which says what a thread is working on.
pub(super) const fn is_of_request(index: u16) -> bool {
    index >= THREAD_NAME && index <= ACTIVITY_ID
}

/// How much of a text is kept.
pub(super) const fn most_units(index: u16) -> Option<usize> {
    if is_of_request(index) {
        Some(MOST_UNITS)
    } else {
        None
    }
}

/// What a wrapper has given.
pub(super) fn request<'a>(of: impl Fn(u16) -> Option<&'a Given>) -> Request {
    let text = |index| of(index).and_then(Given::as_text);
    let id = text(ACTIVITY_ID);
    let (trace_id, span_id) = id.as_deref().map(apart).unzip();
    Request {
        trace_id,
        span_id,
        activity: text(ACTIVITY),
        route: text(ROUTE),
        thread_name: text(THREAD_NAME),
    }
}

/// The number of the trace, and that of the activity in it.
///
/// A number by W3C is `00-TRACE-ACTIVITY-00`. One of the older kind is `|TRACE.1.2.`, and is the
/// number of the activity as a whole.
fn apart(id: &str) -> (String, String) {
    let parts: Vec<&str> = id.split('-').collect();
    if let [_, trace, span, _] = parts[..]
        && (trace.len(), span.len()) == (32, 16)
    {
        return (trace.to_owned(), span.to_owned());
    }
    let root = id.trim_start_matches('|').split('.').next();
    (root.unwrap_or(id).to_owned(), id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_both_kinds_have_a_trace() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let both = |trace: &str, span: &str| (trace.to_owned(), span.to_owned());
        let id = format!("00-{trace}-{span}-01");
        assert_eq!(apart(&id), both(trace, span));
        assert_eq!(
            apart("|80000012-4f3e.1.2."),
            both("80000012-4f3e", "|80000012-4f3e.1.2.")
        );
        assert_eq!(apart("own"), both("own", "own"));
        assert_eq!(apart(""), both("", ""));
    }
}
