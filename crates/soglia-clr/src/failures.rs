//! Why native calls fail: the types and messages of the exceptions that they end by.
//!
//! The CLR reports every exception when it is thrown, before any handler or filter runs. If the
//! innermost layer of the thread is a native call, the exception was thrown inside it: by the
//! runtime, which could not load, find, marshal or return, or by native code that lets it through.
//! So the reason is in the recording even if no handler is found and the process ends.
//!
//! The call has failed if it ends by an exception afterwards. Code inside the call, such as a
//! resolver of libraries, may catch its own exceptions. So the hook for failed calls counts.
//!
//! The CLR makes the callback in cooperative mode. An exception that is new for its target is
//! recorded there, which takes microseconds. Any other one takes no stack and no record.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError, atomic::Ordering::Relaxed},
};

use soglia_abi::{
    ids::{ClassId, MdToken, ModuleId, ObjectId},
    profiler::{info::ICorProfilerInfo3, types::COR_FIELD_OFFSET},
};
use soglia_core::{
    crossing::Side,
    trace::{
        failure::{FailedCalls, Failure},
        log::MOST_KEPT,
    },
};
use windows_core::Interface;

use crate::{engine::Engine, metadata::Scope, stacks, threads};

/// The most exceptions of one target that are distinguished by their messages. Further ones are
/// distinguished by their types.
const MOST_MESSAGES: usize = 64;
/// The most UTF-16 units of a message that are read.
const MOST_UNITS: usize = 4096;
/// The most types between an exception's and `System.Object`.
const MOST_BASES: u32 = 64;

/// Where the failures of one kind are counted, and the number of their record.
#[derive(Clone, Copy, Debug)]
struct Counted {
    calls: FailedCalls,
    number: u32,
}

/// An open call: its depth, and when it began.
type Open = (u32, u64);

thread_local! {
    /// The calls in which this thread has thrown, and where their failures are counted. Exception
    /// filters run before a call has failed, and may make calls that fail too.
    static THROWN: RefCell<Vec<(Open, Counted)>> = const { RefCell::new(Vec::new()) };
}

fn with_thrown<T>(otherwise: T, body: impl FnOnce(&mut Vec<(Open, Counted)>) -> T) -> T {
    let thrown = THROWN.try_with(|thrown| thrown.try_borrow_mut().ok().map(|mut t| body(&mut t)));
    thrown.ok().flatten().unwrap_or(otherwise)
}

/// A target, and the type and message of an exception.
type Key = (u32, String, Option<String>);

/// What was recorded.
#[derive(Default)]
struct Known {
    /// `None`: there was no room.
    by_text: HashMap<Key, Option<Counted>>,
    /// The number of records.
    recorded: u32,
    /// The number of records of each target.
    messages: HashMap<u32, usize>,
}

static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

/// Forgets what was recorded, when the recording has ended.
pub fn end() {
    *KNOWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// The CLR has thrown an exception on this thread. To be called inside that callback.
pub fn thrown(engine: &'static Engine, exception: ObjectId) {
    let Some(task) = threads::existing() else {
        return;
    };
    let Some(call) = task.top().filter(|layer| layer.side() == Side::Unmanaged) else {
        return;
    };
    let (open, target) = ((task.depth(), call.since), task.target(call.slot));
    let counted = look(engine, exception)
        .and_then(|(exception, message)| record(engine, target, exception, message));
    with_thrown((), |thrown| {
        // Calls of the same depth, and deeper ones, are over, or have caught what they threw.
        thrown.retain(|((depth, _), _)| *depth < open.0);
        thrown.extend(counted.map(|calls| (open, calls)));
    });
}

/// The innermost call of this thread, of this depth and begin, has ended by an exception. Returns
/// the number of the record of that kind of failure, if this is the first one.
pub fn ended(depth: u32, since: u64) -> Option<u32> {
    let thrown = with_thrown(None, |thrown| {
        thrown.retain(|((at, _), _)| *at <= depth);
        thrown.pop_if(|(open, _)| *open == (depth, since))
    });
    let (_, counted) = thrown?;
    counted.calls.count().then_some(counted.number)
}

/// The place where such failures are counted. Records the first one.
fn record(
    engine: &'static Engine,
    target: u32,
    exception: String,
    message: Option<String>,
) -> Option<Counted> {
    let key = (target, exception, message);
    if let Some(counted) = with(|known| known.find(&key)) {
        return counted;
    }
    // Without the lock: here the CLR may have this thread wait for a collection, which waits for
    // every thread in cooperative mode, and so for those that wait for the lock.
    let stack = stacks::in_callback(engine);
    with(|known| known.add(engine, key, stack))
}

fn with<T>(body: impl FnOnce(&mut Known) -> T) -> T {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    body(known.get_or_insert_default())
}

impl Known {
    /// Where these are counted, if they were recorded. Leaves the message out of account if the
    /// target has too many.
    fn find(&self, key: &Key) -> Option<Option<Counted>> {
        let found = self.by_text.get(key).copied();
        let without = || self.by_text.get(&(key.0, key.1.clone(), None)).copied();
        found.or_else(|| self.is_full(key.0).then(without).flatten())
    }

    fn is_full(&self, target: u32) -> bool {
        let messages = self.messages.get(&target);
        messages.is_some_and(|messages| *messages >= MOST_MESSAGES)
    }

    fn add(&mut self, engine: &'static Engine, mut key: Key, stack: u32) -> Option<Counted> {
        // Another thread may have been quicker.
        if let Some(counted) = self.find(&key) {
            return counted;
        }
        if self.by_text.len() >= MOST_KEPT as usize {
            let dropped = &engine.recording.header().dropped_records;
            dropped.fetch_add(1, Relaxed);
            return None;
        }
        if self.is_full(key.0) {
            key.2 = None;
        }
        *self.messages.entry(key.0).or_default() += 1;
        let (target, exception, message) = key.clone();
        let counted = engine.recording.log_failure(Failure {
            target,
            stack,
            calls: 0,
            exception,
            message,
        });
        let number = self.recorded;
        self.recorded += u32::from(counted.is_some());
        let counted = counted.map(|calls| Counted { calls, number });
        self.by_text.insert(key, counted);
        counted
    }
}

/// The type of an exception, and its message.
fn look(engine: &Engine, exception: ObjectId) -> Option<(String, Option<String>)> {
    let mut class = ClassId::NULL;
    // SAFETY: the CLR has named this object, which stays during the callback. The pointer is to a
    // local.
    let answer = unsafe { engine.info.GetClassFromObject(exception, &raw mut class) };
    if answer.is_err() {
        return None;
    }
    let (module, token, _) = definition(engine, class)?;
    let name = Scope::of_module(&engine.info, module)?.class(token)?;
    Some((name, message(engine, exception, class)))
}

/// The definition of a type, and its base.
fn definition(engine: &Engine, class: ClassId) -> Option<(ModuleId, MdToken, ClassId)> {
    let (mut module, mut token) = (ModuleId::NULL, MdToken::default());
    let (mut base, mut count) = (ClassId::NULL, 0);
    // SAFETY: the type of an object that exists, or one of its bases, so its handle is valid. The
    // pointers are to locals, and there is no room for type arguments.
    let answer = unsafe {
        engine.info2.GetClassIDInfo2(
            class,
            &raw mut module,
            &raw mut token,
            &raw mut base,
            0,
            &raw mut count,
            std::ptr::null_mut(),
        )
    };
    (answer.is_ok() && !token.is_nil()).then_some((module, token, base))
}

/// Where things lie in exceptions and in strings, in bytes from the start of the object.
struct Layout {
    /// The message of an exception: a reference to a string, or null.
    message: usize,
    /// The number of a string's UTF-16 units, and the first of them.
    length: usize,
    units: usize,
}

/// The message that an exception was made with. The property `Message` may be code of the program,
/// so nothing asks it.
fn message(engine: &Engine, exception: ObjectId, class: ClassId) -> Option<String> {
    static LAYOUT: OnceLock<Option<Layout>> = OnceLock::new();
    let layout = LAYOUT.get_or_init(|| layout(engine, class)).as_ref()?;
    // SAFETY: the CLR says that the field lies there in every exception. Objects do not move during
    // the callback, as the thread is in cooperative mode.
    let string = unsafe { *((exception.0 + layout.message) as *const usize) };
    if string == 0 {
        return None;
    }
    // SAFETY: the field refers to a string, which begins as the CLR says and has so many units.
    let units = unsafe {
        let length = *((string + layout.length) as *const u32) as usize;
        std::slice::from_raw_parts(
            (string + layout.units) as *const u16,
            length.min(MOST_UNITS),
        )
    };
    Some(String::from_utf16_lossy(units))
}

fn layout(engine: &Engine, mut class: ClassId) -> Option<Layout> {
    // `System.Exception` is the base whose own base is `System.Object`, which has none.
    let mut exception = None;
    for _ in 0..MOST_BASES {
        let (module, _, base) = definition(engine, class)?;
        let (.., above) = definition(engine, base)?;
        if above.is_null() {
            exception = Some((class, module));
            break;
        }
        class = base;
    }
    let (class, module) = exception?;
    let mut fields = [COR_FIELD_OFFSET::default(); 64];
    let (mut count, mut size) = (0, 0);
    // SAFETY: the array is as long as said, and the pointers are to locals.
    let answer = unsafe {
        engine.info2.GetClassLayout(
            class,
            fields.as_mut_ptr(),
            fields.len() as u32,
            &raw mut count,
            &raw mut size,
        )
    };
    if answer.is_err() {
        return None;
    }
    let scope = Scope::of_module(&engine.info, module)?;
    let mut of_exception = fields.iter().take(count as usize);
    let named = |field: &&COR_FIELD_OFFSET| {
        scope
            .field_name(field.ridOfField)
            .is_some_and(|name| name == "_message")
    };
    let message = of_exception.find(named)?.ulOffset as usize;
    let info: ICorProfilerInfo3 = engine.info.cast().ok()?;
    let (mut length, mut units) = (0, 0);
    // SAFETY: the pointers are to locals.
    let answer = unsafe { info.GetStringLayout2(&raw mut length, &raw mut units) };
    answer.is_ok().then_some(Layout {
        message,
        length: length as usize,
        units: units as usize,
    })
}
