//! Which task the running thread is.
//!
//! A session in a process that ran before ends while threads go on. Then all threads forget their
//! tasks: the engine sets their pointers to null, wherever these lie. A thread that is just using
//! its task goes on for that moment, and what it writes has no effect
//! ([`Recording::retire`](soglia_core::trace::writer::Recording::retire)). So a task is renewed by
//! its own thread only, or when that has ended.
//!
//! A thread becomes a task at its first crossing, and stays one to its very end. The destructors of
//! a thread's locals may still make callbacks after all managed code on it has ended. So nothing of
//! a task is freed with its thread.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::c_void,
    fs,
    sync::{
        Mutex, Once, PoisonError,
        atomic::{AtomicBool, AtomicPtr, Ordering::Relaxed},
    },
};

use soglia_core::{
    crossing::Crossing,
    time,
    trace::{
        format::{TaskKind, TaskRecord},
        task_writer::TaskWriter,
    },
};

use crate::{
    arch::thread_pointer,
    boundary,
    engine::{self, Engine},
    pool,
    tls::{self, AtEnd},
};

thread_pointer!(local, "soglia_task", TaskWriter);

/// No further thread becomes a task.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// This is the child of a fork. A lock may be held there for ever.
static FORKED: AtomicBool = AtomicBool::new(false);

/// Runs at the end of a thread that has become a task.
static AT_END: AtEnd = AtEnd::new();

/// Tasks whose threads have ended or are ending, and names of threads that are no tasks yet.
static THREADS: Mutex<Option<Threads>> = Mutex::new(None);

#[derive(Default)]
struct Threads {
    ended: Vec<Owned>,
    records: HashMap<u32, &'static TaskRecord>,
    named: HashMap<u32, String>,
    /// The tasks that threads have, or had in an earlier session, by the places of their pointers.
    /// Threads that end take theirs out. Empty in a process that was started with the engine.
    seats: HashMap<usize, Owned>,
}

/// A task without a running thread.
struct Owned(*mut TaskWriter);

// SAFETY: the thread that wrote the task has ended, and the thread that takes the task out of the
// list owns it.
unsafe impl Send for Owned {}

/// How many tasks are made before those of ended threads are used again. So a program that makes
/// threads without end is recorded in bounded room.
const MANY: u32 = 2048;

fn with<T>(body: impl FnOnce(&mut Threads) -> T) -> T {
    let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    body(threads.get_or_insert_default())
}

/// Prepares what happens at the end of threads, and in the child of a fork.
pub fn start() {
    static PREPARE: Once = Once::new();
    PREPARE.call_once(|| {
        AT_END.prepare(at_end);
        // SAFETY: the handler takes no arguments, and only stores to variables of this library.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

/// A session begins: threads become tasks.
pub fn begin() {
    start();
    STOPPED.store(false, Relaxed);
}

/// The child of a fork shares the mapping, and must not write its parent's counters.
unsafe extern "C" fn in_child() {
    STOPPED.store(true, Relaxed);
    FORKED.store(true, Relaxed);
    local::set(std::ptr::null_mut());
    if let Some(engine) = engine::get() {
        engine.recording.leave();
    }
}

/// A session ends: no thread is a task any more.
pub fn end() {
    STOPPED.store(true, Relaxed);
    with(|threads| {
        for place in threads.seats.keys() {
            // SAFETY: the place is that of a thread that has not ended: it would have taken the
            // place out, and waits for this lock before it ends. It uses the place by whole words.
            unsafe { AtomicPtr::<TaskWriter>::from_ptr(*place as *mut _) }
                .store(std::ptr::null_mut(), Relaxed);
        }
        threads.records.clear();
        threads.named.clear();
    });
}

/// Whether the recording has ended, or this is the child of a fork, which has no engine threads.
#[inline]
pub fn have_stopped() -> bool {
    STOPPED.load(Relaxed)
}

/// Ends the recording: for the running thread at once, and no thread becomes a task.
pub fn stop() {
    STOPPED.store(true, Relaxed);
    local::set(std::ptr::null_mut());
}

/// The running thread's task, made at its first crossing. `None`: the thread cannot be recorded.
#[inline(always)]
pub fn current(crossing: Crossing) -> Option<&'static mut TaskWriter> {
    let task = local::get();
    if task.is_null() {
        return attach(crossing);
    }
    // SAFETY: `attach` set it for this thread alone, and it is never freed. Callbacks do not nest
    // on a thread, so there is no other reference.
    Some(unsafe { &mut *task })
}

/// The running thread's task, if it has crossed before.
#[inline(always)]
pub fn existing() -> Option<&'static mut TaskWriter> {
    let task = local::get();
    // SAFETY: `attach` set it for this thread alone, and it is never freed. Callbacks do not nest
    // on a thread, so there is no other reference.
    (!task.is_null()).then(|| unsafe { &mut *task })
}

/// The running thread's task, for a return. If the call found no room for a task, its return must
/// find none either.
#[inline(always)]
pub fn returning() -> Option<&'static mut TaskWriter> {
    let task = local::get();
    if task.is_null() {
        return without_task();
    }
    // SAFETY: `attach` set it for this thread alone, and it is never freed. Callbacks do not nest
    // on a thread, so there is no other reference.
    Some(unsafe { &mut *task })
}

#[cold]
#[inline(never)]
fn without_task() -> Option<&'static mut TaskWriter> {
    // In a session, the call may have begun before it.
    if let Some(engine) = engine::get().filter(|engine| !engine.attached)
        && !STOPPED.load(Relaxed)
    {
        drop_crossing(engine);
    }
    None
}

fn drop_crossing(engine: &Engine) {
    let dropped = &engine.recording.header().dropped_crossings;
    dropped.fetch_add(1, Relaxed);
}

#[cold]
#[inline(never)]
fn attach(crossing: Crossing) -> Option<&'static mut TaskWriter> {
    if STOPPED.load(Relaxed) {
        return None;
    }
    boundary::fence(None, || {
        let engine = engine::get()?;
        let os_thread = tls::os_thread();
        let before = former(engine);
        let made = || match before {
            Some(task) => {
                // SAFETY: this thread owns it, as `former` says.
                let renewed = unsafe { &mut *task }.renew(engine.recording, os_thread, time::now());
                renewed.then_some(task)
            }
            None => TaskWriter::new(engine.recording, os_thread, time::now()).map(Box::into_raw),
        };
        let many = engine.recording.header().tasks.load(Relaxed) >= MANY;
        let task = if many {
            adopt(engine, os_thread).or_else(made)
        } else {
            made().or_else(|| adopt(engine, os_thread))
        };
        let Some(task) = task else {
            // A thread without a task gets here at each crossing, which is counted once.
            drop_crossing(engine);
            return None;
        };
        // SAFETY: the task was just made, or taken out of the list of ended ones, so this thread
        // owns it.
        let writer = unsafe { &mut *task };
        introduce(writer.record(), os_thread, crossing);
        if engine.attached {
            take_seat(task).then_some(())?;
        } else {
            local::set(task);
            AT_END.ask(task);
        }
        engine.recording.keep_time();
        Some(writer)
    })
}

/// A task of an earlier session that this thread may renew: its own, or that of a thread that has
/// ended.
fn former(engine: &Engine) -> Option<*mut TaskWriter> {
    if !engine.attached {
        return None;
    }
    let own = with(|threads| threads.seats.get(&local::place()).map(|seat| seat.0));
    own.or_else(|| take_ended(|writer| !std::ptr::eq(writer.recording(), engine.recording)))
}

/// Gives the running thread its task. Returns `false` if the session has ended meanwhile, or if the
/// end of the thread would not be noticed.
fn take_seat(task: *mut TaskWriter) -> bool {
    with(|threads| {
        let is_noticed = AT_END.ask(task);
        if is_noticed {
            threads.seats.insert(local::place(), Owned(task));
        }
        let has_task = is_noticed && !STOPPED.load(Relaxed);
        if has_task {
            local::set(task);
        }
        has_task
    })
}

/// Takes a task out of the list of ended ones whose thread is gone.
fn take_ended(fits: impl Fn(&TaskWriter) -> bool) -> Option<*mut TaskWriter> {
    let gone = |task: &Owned| {
        // SAFETY: the pointer is to a task, and the engine never frees tasks.
        let writer = unsafe { &*task.0 };
        // A thread that is ending may still cross.
        let is_gone = || {
            let folder = format!("/proc/self/task/{}", writer.os_thread());
            !fs::exists(folder).unwrap_or(true)
        };
        fits(writer) && is_gone()
    };
    with(|threads| {
        let at = threads.ended.iter().position(gone)?;
        Some(threads.ended.swap_remove(at).0)
    })
}

/// Takes over the task of a thread that has ended, where there are very many tasks or no room for
/// another one.
fn adopt(engine: &Engine, os_thread: u32) -> Option<*mut TaskWriter> {
    let task = take_ended(|writer| std::ptr::eq(writer.recording(), engine.recording))?;
    // SAFETY: its thread has ended and it is no longer in the list, so this thread owns it.
    unsafe { &mut *task }.go_on(os_thread);
    Some(task)
}

/// Runs at the end of each thread that is a task.
unsafe extern "C" fn at_end(task: *mut c_void) {
    // Another destructor may still cross, so the task stays where it is.
    if FORKED.load(Relaxed) {
        return;
    }
    boundary::fence((), || {
        let task = task.cast::<TaskWriter>();
        // SAFETY: `attach` set it for this thread, and it is never freed.
        let writer = unsafe { &mut *task };
        // Read before its memory is given back, since reading it later would bring the memory back.
        let os_thread = writer.os_thread();
        let of = writer.recording();
        let is_current = engine::get().is_some_and(|e| std::ptr::eq(e.recording, of));
        if is_current && !STOPPED.load(Relaxed) {
            writer.end(time::now());
            pool::ended(os_thread);
        }
        with(|threads| {
            threads.seats.remove(&local::place());
            threads.records.remove(&os_thread);
            threads.ended.push(Owned(task));
        });
    });
}

/// The kind of a thread of the runtime, by its name. `None`: it runs the program's work.
fn kind_of(comm: &str) -> Option<TaskKind> {
    match comm {
        ".NET Finalizer" => Some(TaskKind::Finalizer),
        ".NET TP Worker" | ".NET ThreadPool" | ".NET Long Runni" => Some(TaskKind::Pool),
        ".NET Timer" => Some(TaskKind::Timer),
        _ if comm.starts_with(".NET ") => Some(TaskKind::Runtime),
        _ => None,
    }
}

/// Whether the calling thread is one of the runtime's own, for finalizers, timers and the like.
pub fn is_of_the_runtime() -> bool {
    let comm = fs::read_to_string("/proc/thread-self/comm").unwrap_or_default();
    kind_of(comm.trim_end()).is_some_and(|kind| kind != TaskKind::Pool)
}

/// Records the name and the kind of a new task.
fn introduce(record: &'static TaskRecord, os_thread: u32, crossing: Crossing) {
    let comm = fs::read_to_string(format!("/proc/self/task/{os_thread}/comm")).unwrap_or_default();
    let comm = comm.trim_end();
    let kind = if os_thread == std::process::id() {
        TaskKind::Main
    } else {
        let otherwise = match crossing {
            Crossing::ReverseEnterRuntime => TaskKind::Native,
            _ => TaskKind::Thread,
        };
        kind_of(comm).unwrap_or(otherwise)
    };
    record.set_kind(kind);
    pool::named(os_thread, comm);
    let named = with(|threads| {
        threads.records.insert(os_thread, record);
        threads.named.remove(&os_thread)
    });
    // A thread without a name of its own has the name of the process.
    let of_process = fs::read_to_string("/proc/self/comm").unwrap_or_default();
    let own = (comm != of_process.trim_end()).then(|| comm.to_owned());
    if let Some(name) = named.or(own) {
        record.rename(&name);
    }
}

/// The tasks whose threads have not ended.
pub fn live() -> Vec<&'static TaskRecord> {
    with(|threads| threads.records.values().copied().collect())
}

/// Notes the name that managed code gave to a thread.
pub fn rename(os_thread: u32, name: &str) {
    pool::named(os_thread, name);
    with(|threads| match threads.records.get(&os_thread) {
        Some(record) => record.rename(name),
        None => {
            threads.named.insert(os_thread, name.to_owned());
        }
    });
}

/// Forgets the name of a managed thread that has ended, since its number may come to mean another
/// thread.
pub fn forget_name(os_thread: u32) {
    pool::ended(os_thread);
    with(|threads| threads.named.remove(&os_thread));
}

/// Threads that must not be aborted, by the operating system's number.
static DELAYING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Whether this thread, by the operating system's number, is in a region that delays its abort, to
/// which the host has agreed.
pub fn delays_abort(os_thread: u32) -> bool {
    let delaying = DELAYING.lock().unwrap_or_else(PoisonError::into_inner);
    delaying.contains(&os_thread)
}

/// Notes that a thread enters or leaves such a region.
pub fn delay_abort(os_thread: u32, delays: bool) {
    let mut delaying = DELAYING.lock().unwrap_or_else(PoisonError::into_inner);
    if delays {
        delaying.insert(os_thread);
    } else {
        delaying.remove(&os_thread);
    }
}
