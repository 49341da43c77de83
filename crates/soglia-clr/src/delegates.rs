//! Delegates that become native function pointers, and native function pointers that become
//! delegates.
//!
//! CoreLib asks at each such moment ([`crate::weave`]) which pointer to use. The answer is one of
//! [`soglia_trampolines`], which calls hooks around the calls through it. CoreLib passes the CLR's
//! handle of the delegate's type. From that the engine gets the target's names and the size of its
//! arguments, once for each type.
//!
//! Pointers and delegates keep their identity, since every pointer passes here. The pointer of a
//! delegate becomes that delegate again, and a delegate on a native function becomes the pointer of
//! that function again.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use soglia_abi::{
    ids::{ClassId, FunctionId, MdToken, ModuleId},
    profiler::info::ICorProfilerInfo2,
};
use soglia_core::{
    crossing::Side,
    trace::log::{TargetNames, Unwatched},
};
use soglia_il::sig::MethodSig;
use soglia_trampolines::{CallHooks, Callee, Common, Passed, Trampolines};

use crate::{
    arguments::{self, Delegate, Delegated, Subject},
    boundary, calls, clerk,
    engine::{self, Engine, GENERATION, Scope},
    judge,
    metadata::{
        self,
        before::{Before, wide},
    },
    names::{describe_method, is_of_framework},
    notify::{RECORDED, hooks},
    objects,
    source::woven,
    types,
};

static TRAMPOLINES: Trampolines =
    Trampolines::new(Common::of::<Callbacks>(), Common::of::<Outward>());

/// What native code calls in place of a delegate's thunk.
struct Callbacks;

impl CallHooks for Callbacks {
    extern "C" fn open(id: i64, _thunk: usize) -> i32 {
        if hooks::on() {
            return hooks::reverse_enter(id);
        }
        woven::callback_enter(id);
        woven::came_by_trampoline();
        RECORDED
    }

    extern "C" fn close(id: i64, _thunk: usize, opened: i32, passed: Option<&Passed>) {
        if opened != RECORDED {
            hooks::reverse_leave(id, opened);
        } else {
            woven::left_trampoline();
            woven::callback_leave(id, passed);
        }
    }
}

/// What a delegate calls in place of a native function.
struct Outward;

impl CallHooks for Outward {
    extern "C" fn open(id: i64, function: usize) -> i32 {
        if hooks::on() {
            return hooks::outward_leave(id, function);
        }
        woven::outward_leave(id);
        RECORDED
    }

    extern "C" fn close(id: i64, _function: usize, opened: i32, passed: Option<&Passed>) {
        if opened != RECORDED {
            hooks::outward_enter(id, opened);
        } else {
            woven::outward_enter(id, passed);
        }
    }
}

/// Whether the CLR looks at the code of thunks itself, so that trampolines must look as it expects.
static FACES: AtomicBool = AtomicBool::new(false);

/// Sets whether the CLR makes delegates of pointers without asking CoreLib.
pub fn show_faces(shown: bool) {
    FACES.store(shown, Relaxed);
}

/// Targets by the CLR's handle of the delegate type. Emptied when a module is unloaded, since the
/// CLR may reuse handles.
static TYPES: RwLock<Option<Types>> = RwLock::new(None);
type Types = HashMap<(usize, Side), Result<Callee, Why>>;

/// Calls that were added here. A type that is loaded again is the same call again.
static CALLS: Mutex<Option<HashMap<TargetNames, i64>>> = Mutex::new(None);

/// Thunks that native code got as they are, because there could be no trampoline for them.
static HANDED_ON: Mutex<Option<HashSet<usize>>> = Mutex::new(None);

/// Why there is no trampoline.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Why {
    /// The CLR says nothing about the type, or the type cannot be called.
    NoDelegate,
    /// The size of its arguments cannot be determined.
    Arguments(Arc<TargetNames>),
    /// The runtime's host makes the delegates of this type, and only the method says what is
    /// called.
    Method,
}

/// The words that CoreLib passes, and in which it finds the answer.
#[repr(C)]
pub struct Words {
    /// In: the pointer that CoreLib would use. Out: the one to use.
    pointer: usize,
    /// In: the CLR's handle of the delegate's type.
    class: usize,
    /// Out, if not 0: the delegate's method is wanted. Then in: the CLR's number of that method.
    method: usize,
}

/// The type of the delegates that `load_assembly_and_get_function_pointer` makes where it gets no
/// type.
const ENTRY: &str = "Internal.Runtime.InteropServices.ComponentActivator+ComponentEntryPoint";

/// Chooses the pointer of a delegate for native code. CoreLib calls this in preemptive mode and
/// ignores the result.
pub extern "C" fn pointer_of(words: *mut Words) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &mut *words };
    words.method = 0;
    let (pointer, class) = (words.pointer, words.class);
    words.pointer = boundary::fence(pointer, || {
        trampoline_for(pointer, class, || match target(class, Side::Managed) {
            Err(Why::Method) => {
                words.method = 1;
                Err(Why::NoDelegate)
            }
            found => found,
        })
    });
    0
}

/// The same for a delegate whose method says what is called. CoreLib calls this in preemptive mode
/// and ignores the result.
pub extern "C" fn pointer_of_method(words: *mut Words) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &mut *words };
    let (pointer, class, method) = (words.pointer, words.class, words.method);
    words.pointer = boundary::fence(pointer, || {
        trampoline_for(pointer, class, || {
            let engine = engine::get().ok_or(Why::NoDelegate)?;
            let found = clerk::ask(move || {
                let names = engine.describe(FunctionId(method), Side::Managed);
                describe(engine, ClassId(class), Side::Managed, Some(names))
            });
            found.unwrap_or(Err(Why::NoDelegate))
        })
    });
    0
}

fn trampoline_for(
    pointer: usize,
    class: usize,
    target: impl FnOnce() -> Result<Callee, Why>,
) -> usize {
    // A delegate on a native function that is watched: its pointer is that of the function.
    if let Some(native) = TRAMPOLINES.outward(pointer) {
        return native;
    }
    let mut why = None;
    let made = TRAMPOLINES.reverse(pointer, owner(class), FACES.load(Relaxed), || {
        // A delegate on a native function that is not watched. Thunks are in no loaded object.
        if objects::has(pointer as u64) {
            why = Some(Why::NoDelegate);
            return None;
        }
        target().map_err(|w| why = Some(w)).ok()
    });
    made.unwrap_or_else(|| {
        let mut handed_on = HANDED_ON.lock().unwrap_or_else(PoisonError::into_inner);
        handed_on.get_or_insert_default().insert(pointer);
        unseen(pointer, Side::Managed, why)
    })
}

/// Chooses the pointer to make a delegate of, or puts in place of the type what to throw instead
/// (below 0). CoreLib calls this in preemptive mode and ignores the result.
pub extern "C" fn pointer_for(words: *mut Words) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &mut *words };
    let (pointer, class) = (words.pointer, words.class);
    let refused = boundary::fence(judge::MARK, || refusal_for(pointer, class));
    words.class = refused as usize;
    if refused == 0 {
        words.pointer = boundary::fence(pointer, || native_for(pointer, class));
    }
    0
}

/// What to throw instead of making a delegate of a pointer; 0: it may be made.
fn refusal_for(pointer: usize, class: usize) -> i32 {
    if judge::audits() {
        return 0;
    }
    let internal = match engine::get() {
        Some(engine) if engine.rules.judges() => clerk::ask(move || {
            let (module, _) = type_def(&engine.info2, ClassId(class))?;
            let (assembly, path) = engine.assembly(module)?;
            Some(is_of_framework(&assembly, &path))
        }),
        _ => return 0,
    };
    let internal = internal.flatten().unwrap_or(false);
    judge::pointer(pointer, "a delegate on", internal)
}

fn native_for(pointer: usize, class: usize) -> usize {
    if TRAMPOLINES.outward(pointer).is_some() {
        return pointer;
    }
    // Thunks are in no loaded object. Where a thunk was, there may be an object by now.
    if !objects::has(pointer as u64) && stands_for_delegate(pointer) {
        return TRAMPOLINES.original(pointer);
    }
    match target(class, Side::Unmanaged) {
        Ok(target) => TRAMPOLINES
            .forward(pointer, target)
            .unwrap_or_else(|| unseen(pointer, Side::Unmanaged, None)),
        Err(why) => unseen(pointer, Side::Unmanaged, Some(why)),
    }
}

/// The native function behind a pointer, if the pointer is a trampoline for one.
pub fn native(pointer: usize) -> usize {
    TRAMPOLINES.outward(pointer).unwrap_or(pointer)
}

/// Whether the CLR knows the delegate of a pointer: a thunk of the CLR, or a trampoline for one.
fn stands_for_delegate(pointer: usize) -> bool {
    // Managed code may have got a thunk by another way, such as the runtime's own.
    if TRAMPOLINES.original(pointer) != pointer || TRAMPOLINES.has_thunk(pointer) {
        return true;
    }
    let handed_on = HANDED_ON.lock().unwrap_or_else(PoisonError::into_inner);
    handed_on
        .as_ref()
        .is_some_and(|them| them.contains(&pointer))
}

/// Forgets what a module that is being unloaded may have defined.
pub fn module_unloaded() {
    woven::forget_callers();
    forget_types();
}

/// Forgets what is known of types. A session that notifies a host watches fewer of them.
pub fn forget_types() {
    *TYPES.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// A type handle is an address below 2^48, and valid until the next unload.
fn owner(class: usize) -> u64 {
    class as u64 ^ u64::from(GENERATION.load(Relaxed)) << 48
}

/// Records once what is not watched. Returns the pointer.
#[cold]
fn unseen(pointer: usize, side: Side, why: Option<Why>) -> usize {
    let (names, because) = match why {
        // The CLR reports the failure itself. A call that is native on both sides does not cross.
        Some(Why::NoDelegate | Why::Method) => return pointer,
        Some(Why::Arguments(names)) => (names, "the size of its arguments is not known"),
        None => (Arc::default(), "there is no room for more trampolines"),
    };
    boundary::fence((), || {
        let Some(engine) = engine::get() else { return };
        let method = names.method.as_deref().unwrap_or("delegates");
        let text = match side {
            Side::Managed => format!("callbacks through {method} are not seen: {because}"),
            Side::Unmanaged => {
                format!("calls of native functions through {method} are not seen: {because}")
            }
        };
        engine.unwatched(Unwatched {
            side: Some(side),
            assembly: names.assembly.clone(),
            method: names.method.clone(),
            text,
        });
    });
    pointer
}

/// What calls through delegates of this type lead to, on this side.
fn target(class: usize, side: Side) -> Result<Callee, Why> {
    let key = (class, side);
    let known = TYPES.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.as_ref().and_then(|types| types.get(&key)) {
        return known.clone();
    }
    drop(known);
    let engine = engine::get().ok_or(Why::NoDelegate)?;
    // The CLR does not answer a thread that runs CoreLib's method, so the clerk asks.
    let found = clerk::ask(move || describe(engine, ClassId(class), side, None));
    let found = found.unwrap_or(Err(Why::NoDelegate));
    let mut types = TYPES.write().unwrap_or_else(PoisonError::into_inner);
    types.get_or_insert_default().insert(key, found.clone());
    found
}

/// `method`: what is called, if the type does not say.
fn describe(
    engine: &Engine,
    class: ClassId,
    side: Side,
    method: Option<TargetNames>,
) -> Result<Callee, Why> {
    let (module, token) = type_def(&engine.info2, class).ok_or(Why::NoDelegate)?;
    let import = types::metadata_of(engine, module).ok_or(Why::NoDelegate)?;
    let (name, mut invoke) = (wide("Invoke"), MdToken::default());
    // SAFETY: the name ends with a zero, any signature fits, and the pointer is to a local.
    let answer =
        unsafe { import.FindMethod(token, name.as_ptr(), std::ptr::null(), 0, &raw mut invoke) };
    let (true, Some(scope)) = (
        answer.is_ok(),
        metadata::Scope::of_module(&engine.info, module),
    ) else {
        return Err(Why::NoDelegate);
    };
    let names = describe_method(&scope, invoke, side, engine.assembly(module));
    // The framework makes some callbacks for itself. A host would be notified of one half of them
    // only.
    if engine.notifies && engine.scope == Scope::User && names.runtime_internal {
        return Err(Why::NoDelegate);
    }
    let is_entry = || scope.class(token).is_some_and(|name| name == ENTRY);
    let names = match method {
        Some(method) => method,
        None if side == Side::Managed && names.runtime_internal && is_entry() => {
            return Err(Why::Method);
        }
        None => names,
    };
    let signature = Before::of(&import, invoke).map_err(|_| Why::NoDelegate)?;
    let signature = MethodSig::parse(&signature.signature);
    let stack = signature
        .as_ref()
        .and_then(|signature| types::stack_of(engine, &import, signature));
    let (Some(signature), Some(stack)) = (signature, stack) else {
        return Err(Why::Arguments(Arc::new(names)));
    };
    let in_memory = types::returns_in_memory(engine, &import, &signature);
    let subject = Subject::of_delegate(&names);
    let id = call_of(names);
    let keeps = arguments::keeps(engine, &subject);
    if keeps {
        let of = Delegate {
            class: token,
            invoke,
            in_memory,
        };
        arguments::add_delegate(
            id,
            Delegated::read(engine, &scope, &of, &signature, subject),
        );
    }
    Ok(Callee {
        id: id.into(),
        stack,
        in_memory,
        keeps,
    })
}

/// The number of calls through delegates with these names.
pub fn call_of(names: TargetNames) -> u32 {
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let id = *calls
        .get_or_insert_default()
        .entry(names)
        .or_insert_with_key(|names| calls::add(names.clone()).into());
    id as u32
}

fn type_def(info: &ICorProfilerInfo2, class: ClassId) -> Option<(ModuleId, MdToken)> {
    let (mut module, mut token) = (ModuleId::NULL, MdToken::default());
    let (mut parent, mut count) = (ClassId::NULL, 0);
    // SAFETY: the type is in use, so its handle is valid. The pointers are to locals, and there is
    // no room for type arguments.
    let answer = unsafe {
        info.GetClassIDInfo2(
            class,
            &raw mut module,
            &raw mut token,
            &raw mut parent,
            0,
            &raw mut count,
            std::ptr::null_mut(),
        )
    };
    // The CLR rejects generic ones.
    (answer.is_ok() && !token.is_nil() && count == 0).then_some((module, token))
}
