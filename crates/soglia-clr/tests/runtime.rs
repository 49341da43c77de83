//! The engine in a runtime that this test plays: it loads the engine as the CLR does, answers
//! nothing but its version, and makes crossings on several threads.
//!
//! So the engine can be tried where there is no .NET: on another architecture, with another C
//! library. A process has one engine, so all tests read the one recording.
#![allow(unsafe_code, reason = "plays the CLR's part of its ABI")]

use std::{
    env,
    ffi::{CString, c_void},
    hint::black_box,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::ExitCode,
    ptr,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use libtest_mimic::{Arguments, Trial};
use soglia_abi::{
    GUID, HRESULT,
    hresult::{E_FAIL, E_NOINTERFACE, S_OK},
    ids::FunctionId,
    profiler::{
        callback::ICorProfilerCallback2,
        factory::IClassFactory,
        info::{ICorProfilerInfo, ICorProfilerInfo2, ICorProfilerInfo3},
        types::{
            COR_PRF_MONITOR_CODE_TRANSITIONS, COR_PRF_TRANSITION_CALL, COR_PRF_TRANSITION_RETURN,
        },
    },
};
use soglia_core::{
    account::Total,
    crossing::Side,
    trace::{log::Source, reader::Reader, replay::totals, snapshot::TaskSnapshot},
};
use soglia_testing::built;
use windows_core::{IUnknown, Interface};

const CLSID: GUID = GUID::from_u128(0xc0abd621_c39c_49f8_a54a_cc5e2bb795c7);

const THREADS: usize = 4;
/// Calls of each thread.
const CALLS: usize = 20_000;
/// How often the main thread takes the six steps.
const NESTS: usize = 1_000;

/// Functions as the CLR numbers them: multiples of four.
const OUTER: FunctionId = FunctionId(0x1000);
const INNER: FunctionId = FunctionId(0x2000);
const CALLBACK: FunctionId = FunctionId(0x3000);
const PLAIN: FunctionId = FunctionId(0x4000);
const JUMPED: FunctionId = FunctionId(0x5000);

/// Slots of `ICorProfilerInfo3`.
const SET_EVENT_MASK: usize = 16;
const GET_RUNTIME_INFORMATION: usize = 67;

/// The events that the engine has asked for.
static EVENTS: AtomicU32 = AtomicU32::new(0);

/// The object that answers for the CLR.
#[repr(C)]
struct Info {
    methods: *const *const c_void,
}

unsafe extern "system" fn query(
    this: *mut c_void,
    id: *const GUID,
    to: *mut *mut c_void,
) -> HRESULT {
    // SAFETY: the engine passes a valid id, and a place for the answer.
    unsafe {
        let known = [
            IUnknown::IID,
            ICorProfilerInfo::IID,
            ICorProfilerInfo2::IID,
            ICorProfilerInfo3::IID,
        ];
        let is_known = known.contains(&*id);
        *to = if is_known { this } else { ptr::null_mut() };
        if is_known { S_OK } else { E_NOINTERFACE }
    }
}

extern "system" fn count(_: *mut c_void) -> u32 {
    1
}

/// All other questions. A callee of C may ignore its arguments.
extern "system" fn no() -> HRESULT {
    E_FAIL
}

extern "system" fn set_event_mask(_: *mut c_void, events: u32) -> HRESULT {
    EVENTS.store(events, Relaxed);
    S_OK
}

unsafe extern "system" fn runtime_information(
    _: *mut c_void,
    _: *mut u16,
    _: *mut u32,
    major: *mut u16,
    minor: *mut u16,
) -> HRESULT {
    // SAFETY: the engine passes places for these two numbers.
    unsafe { (*major, *minor) = (9, 0) };
    S_OK
}

fn info() -> *mut c_void {
    let mut methods = [no as *const c_void; 128];
    methods[0] = query as *const c_void;
    methods[1] = count as *const c_void;
    methods[2] = count as *const c_void;
    methods[SET_EVENT_MASK] = set_event_mask as *const c_void;
    methods[GET_RUNTIME_INFORMATION] = runtime_information as *const c_void;
    let methods = Box::leak(Box::new(methods)).as_ptr();
    ptr::from_mut(Box::leak(Box::new(Info { methods }))).cast()
}

/// Loads the engine, and has it make its profiler, as the CLR does.
fn profiler(engine: &Path) -> ICorProfilerCallback2 {
    type Entry = unsafe extern "system" fn(*const GUID, *const GUID, *mut *mut c_void) -> HRESULT;
    let path = CString::new(engine.as_os_str().as_bytes()).unwrap();
    // SAFETY: the engine may be loaded anywhere. Its entry has that type, and makes an object of
    // the class that is asked for.
    unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_LAZY);
        if library.is_null() {
            let why = std::ffi::CStr::from_ptr(libc::dlerror());
            panic!("{}: {}", engine.display(), why.to_string_lossy());
        }
        let entry = libc::dlsym(library, c"DllGetClassObject".as_ptr());
        assert!(!entry.is_null());
        let entry: Entry = std::mem::transmute(entry);
        let mut factory = ptr::null_mut();
        assert_eq!(entry(&CLSID, &IClassFactory::IID, &raw mut factory), S_OK);
        let factory = IClassFactory::from_raw(factory);
        let mut profiler = ptr::null_mut();
        let id = ICorProfilerCallback2::IID;
        let made = factory.CreateInstance(ptr::null_mut(), &id, &raw mut profiler);
        assert_eq!(made, S_OK);
        ICorProfilerCallback2::from_raw(profiler)
    }
}

/// The crossings of one thread.
struct Crossings<'a>(&'a ICorProfilerCallback2);

// SAFETY: the CLR calls the engine's object on all threads.
unsafe impl Sync for Crossings<'_> {}

impl Crossings<'_> {
    fn leave(&self, function: FunctionId) {
        // SAFETY: the engine has started.
        let _ = unsafe {
            self.0
                .ManagedToUnmanagedTransition(function, COR_PRF_TRANSITION_CALL)
        };
    }

    fn enter(&self, function: FunctionId) {
        // SAFETY: the engine has started.
        let _ = unsafe {
            self.0
                .UnmanagedToManagedTransition(function, COR_PRF_TRANSITION_RETURN)
        };
    }

    fn reverse_enter(&self, function: FunctionId) {
        // SAFETY: the engine has started.
        let _ = unsafe {
            self.0
                .UnmanagedToManagedTransition(function, COR_PRF_TRANSITION_CALL)
        };
    }

    fn reverse_leave(&self, function: FunctionId) {
        // SAFETY: the engine has started.
        let _ = unsafe {
            self.0
                .ManagedToUnmanagedTransition(function, COR_PRF_TRANSITION_RETURN)
        };
    }

    /// Each call has a frame of its own, further down the stack.
    fn six_steps(&self) {
        self.leave(OUTER);
        self.call_back();
        self.enter(OUTER);
    }

    #[inline(never)]
    fn call_back(&self) {
        let room = black_box([0_u64; 8]);
        self.reverse_enter(CALLBACK);
        self.call_inside();
        self.reverse_leave(CALLBACK);
        black_box(room);
    }

    #[inline(never)]
    fn call_inside(&self) {
        let room = black_box([0_u64; 8]);
        self.leave(INNER);
        self.enter(INNER);
        black_box(room);
    }

    /// Leaves a call open whose frames are gone when this returns, as `longjmp` does.
    #[inline(never)]
    fn jump(&self, deep: u32) {
        let room = black_box([deep; 64]);
        match room[deep as usize] {
            0 => self.leave(JUMPED),
            _ => self.jump(deep - 1),
        }
        black_box(room);
    }
}

fn record(recording: &Path) {
    // SAFETY: no other thread runs yet.
    unsafe {
        env::set_var("SOGLIA_RECORDING", recording);
        env::set_var("SOGLIA_RECORD", "events");
        env::set_var("SOGLIA_SOURCE", "transitions");
    }
    let profiler = profiler(&built::engine(env!("CARGO_TARGET_TMPDIR")));
    // SAFETY: the object answers to the interfaces that the engine asks it for.
    assert_eq!(unsafe { profiler.Initialize(info()) }, S_OK);
    let crossings = &Crossings(&profiler);
    let calls = move || {
        for _ in 0..CALLS {
            crossings.leave(PLAIN);
            // SAFETY: a system call without arguments.
            black_box(unsafe { libc::getppid() });
            crossings.enter(PLAIN);
        }
    };
    thread::scope(|scope| {
        let threads = [(); THREADS].map(|()| scope.spawn(calls));
        // Unlike the scope, this waits until a thread is gone, with the destructors of its locals.
        for thread in threads {
            thread.join().unwrap();
        }
    });
    for _ in 0..NESTS {
        crossings.six_steps();
    }
    crossings.jump(8);
    crossings.six_steps();
    // SAFETY: the engine has started.
    assert_eq!(unsafe { profiler.Shutdown() }, S_OK);
}

/// The total of the target that a task has called most.
fn most(task: &TaskSnapshot, side: Side) -> &Total {
    let of_side = task.targets.iter().filter(|((_, of), _)| *of == side);
    of_side
        .map(|(_, total)| total)
        .max_by_key(|t| t.ended)
        .unwrap()
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = tempfile(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join("made-up.soglia");
    let _ = std::fs::remove_file(&path);
    if !arguments.list {
        record(&path);
    }
    let read = move || Reader::open(&path).unwrap();
    let trial = |name: &str, test: fn(&Reader)| {
        let read = read.clone();
        Trial::test(name, move || {
            test(&read());
            Ok(())
        })
    };
    let trials = vec![
        trial("it_starts", |reader| {
            assert!(EVENTS.load(Relaxed) & COR_PRF_MONITOR_CODE_TRANSITIONS != 0);
            assert_eq!(reader.note(), None);
            let names = reader.names();
            assert_eq!(names.source.unwrap().0, Source::Transitions);
            assert_eq!(names.runtime.unwrap().1, "9.0.0");
            assert_eq!(reader.pid(), std::process::id());
            assert!(reader.has_shut_down());
        }),
        trial("threads_are_tasks_with_their_calls", |reader| {
            let tasks = reader.tasks();
            let threads = tasks.iter().filter(|task| task.crossings[2..] == [0, 0]);
            let threads: Vec<&TaskSnapshot> = threads.collect();
            assert_eq!(threads.len(), THREADS, "{tasks:?}");
            for task in threads {
                let total = most(task, Side::Unmanaged);
                assert_eq!((total.ended, total.timed), (CALLS as u64, CALLS as u64));
                assert!(total.min > 0 && total.total >= total.min * CALLS as u64);
                assert!(task.ended.is_some(), "its thread has ended: {task:?}");
            }
        }),
        trial("layers_nest", |reader| {
            let tasks = reader.tasks();
            let task = tasks.iter().find(|task| task.crossings[2] > 0).unwrap();
            assert_eq!(task.os_thread, std::process::id());
            let times = NESTS as u64 + 1;
            assert_eq!(task.crossings[1..], [2 * times, times, times]);
            assert_eq!(most(task, Side::Managed).ended, times);
            // The first call of the jump and the last nest, which is three deep.
            assert_eq!((task.max_depth, task.open.len()), (3, 0));
        }),
        trial("gone_layers_are_found_by_the_stack", |reader| {
            let tasks = reader.tasks();
            let gone = tasks.iter().flat_map(|task| task.targets.values());
            let gone: Vec<u64> = gone
                .map(|total| total.abandoned)
                .filter(|n| *n > 0)
                .collect();
            assert_eq!(gone, [1]);
        }),
        trial("events_give_the_same_totals", |reader| {
            for task in reader.tasks() {
                let replayed = totals(reader, task.number);
                assert_eq!(replayed.crossings, task.crossings);
                // The number 0 is what has no place of its own.
                for ((target, _), total) in task.targets.iter().filter(|((n, _), _)| *n != 0) {
                    assert_eq!(replayed.get(*target), Some(total));
                }
            }
        }),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A folder of this test's own.
fn tempfile(tmp: &str) -> PathBuf {
    let folder = Path::new(tmp).join("runtime");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
