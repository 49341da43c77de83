//! `ICLRTaskManager` and `ICLRTask`: the CLR's half of a host's tasks.
//!
//! A task is a thread that the runtime knows. The engine makes its object when a host asks for it.
//! The object lives as long as its thread, or longer if the host has a reference. Methods that .NET
//! cannot support answer `E_NOTIMPL`.

use std::{
    cell::{Cell, RefCell},
    ffi::c_void,
    ptr::null_mut,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use soglia_abi::{
    BOOL, HRESULT,
    hosting::{
        clr_task::{
            ICLRTask_Impl, ICLRTask2, ICLRTask2_Impl, ICLRTask2_Vtbl, ICLRTaskManager,
            ICLRTaskManager_Impl, ICLRTaskManager_Vtbl,
        },
        types::{
            COR_GC_THREAD_STATS, ETaskType, HANDLE, TASKID, TT_FINALIZER, TT_THREADPOOL_GATE,
            TT_THREADPOOL_TIMER, TT_THREADPOOL_WAIT, TT_THREADPOOL_WORKER, TT_UNKNOWN, TT_USER,
        },
    },
    hresult::{E_INVALIDARG, E_NOTIMPL, E_POINTER, HOST_E_INVALIDOPERATION, S_FALSE, S_OK},
    param::{InOut, Out},
};

use super::{
    clr::{Clr, DOMAIN},
    managed,
    method::{answer, giving, method},
    starts::started,
};
use crate::{
    com::{Held, Object, class},
    host::{
        managers,
        task::{self, State, here},
    },
    notify::occasions::{by_host, critical_regions},
    signals,
};

/// The task manager, with a reference for the caller.
pub fn manager() -> *mut c_void {
    static MANAGER: OnceLock<&Object<TaskManager>> = OnceLock::new();
    MANAGER.get_or_init(|| Object::forever(TaskManager)).give()
}

/// The calling thread's number among those that asked for theirs. The standard library's own number
/// would need memory.
fn own_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    thread_local!(static OWN: Cell<u64> = const { Cell::new(0) });
    if OWN.get() == 0 {
        OWN.set(LAST.fetch_add(1, Relaxed) + 1);
    }
    OWN.get()
}

/// The object of a thread, and its state while the thread lives.
struct Own(Held<Task>);

impl Drop for Own {
    fn drop(&mut self) {
        task::keep(null_mut());
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Own>> = const { RefCell::new(None) };
}

/// The calling thread's state. Makes the `ICLRTask` if the runtime knows the thread.
pub fn make() -> Option<&'static State> {
    current();
    here()
}

/// The calling thread's `ICLRTask2`, lent. Null if the runtime does not know the thread, or if the
/// thread is ending.
pub fn current() -> *mut c_void {
    let known = started().is_ok_and(|clr| clr.knows_this_thread());
    if !known {
        return null_mut();
    }
    let task = CURRENT.try_with(|current| {
        let mut current = current.borrow_mut();
        current
            .get_or_insert_with(|| {
                let task = Object::held(Task::of_this_thread());
                task::keep(std::ptr::from_ref(&task.0).cast_mut());
                Own(task)
            })
            .0
            .as_raw()
    });
    task.unwrap_or(null_mut())
}

/// The calling thread's `ICLRTask2`, lent to its host. Null if the runtime does not run. Makes the
/// thread known to the runtime.
pub fn of_this_thread() -> *mut c_void {
    match started() {
        Ok(clr) if clr.knows_this_thread() || introduce(clr).is_ok() => current(),
        _ => null_mut(),
    }
}

/// Makes the calling thread known to the runtime.
fn introduce(clr: &Clr) -> Result<(), HRESULT> {
    unsafe extern "system" fn nothing(_: *mut c_void) -> HRESULT {
        S_OK
    }
    signals::make_room();
    // SAFETY: a function that takes anything. The runtime gets to know the thread that calls it.
    let answer = unsafe {
        clr.host()
            .ExecuteInAppDomain(DOMAIN, Some(nothing), null_mut())
    };
    answer.ok().map_err(|e| e.code())
}

struct TaskManager;

class!(
    TaskManager,
    TaskManager_Impl,
    ICLRTaskManager,
    ICLRTaskManager_Vtbl
);

impl ICLRTaskManager_Impl for TaskManager_Impl {
    unsafe fn CreateTask(&self, task: Out<'_, *mut c_void>) -> HRESULT {
        giving(|| {
            task.fill(|| {
                let clr = started()?;
                if clr.knows_this_thread() {
                    return Err(HOST_E_INVALIDOPERATION);
                }
                introduce(clr)?;
                Ok(current())
            })
        })
    }

    unsafe fn GetCurrentTask(&self, task: Out<'_, *mut c_void>) -> HRESULT {
        method(|| task.fill(|| Ok(current())))
    }

    unsafe fn SetUILocale(&self, lcid: u32) -> HRESULT {
        method(|| set_culture(lcid, true))
    }

    unsafe fn SetLocale(&self, lcid: u32) -> HRESULT {
        method(|| set_culture(lcid, false))
    }

    unsafe fn GetCurrentTaskType(&self, kind: Out<'_, ETaskType>) -> HRESULT {
        method(|| {
            kind.fill(|| {
                let known = started().is_ok_and(|clr| clr.knows_this_thread());
                Ok(if known { kind_of(&name()) } else { TT_UNKNOWN })
            })
        })
    }
}

fn set_culture(lcid: u32, of_ui: bool) -> HRESULT {
    match started() {
        Ok(clr) if !clr.knows_this_thread() => HOST_E_INVALIDOPERATION,
        Ok(_) => match by_host(|| managed::set_culture(lcid, of_ui)) {
            Ok(true) => S_OK,
            Ok(false) => E_INVALIDARG,
            Err(why) => why,
        },
        Err(why) => why,
    }
}

/// The thread's name in the operating system: at most fifteen bytes.
fn name() -> Vec<u8> {
    let mut name = [0_u8; 16];
    // SAFETY: PR_GET_NAME writes sixteen bytes at most, with a zero among them.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name.into_iter().take_while(|byte| *byte != 0).collect()
}

/// The kind of a thread. .NET names its own threads, and only those are distinguished.
fn kind_of(name: &[u8]) -> ETaskType {
    match name {
        b".NET Finalizer" => TT_FINALIZER,
        b".NET TP Worker" => TT_THREADPOOL_WORKER,
        b".NET TP Gate" => TT_THREADPOOL_GATE,
        b".NET TP Wait" => TT_THREADPOOL_WAIT,
        b".NET Timer" => TT_THREADPOOL_TIMER,
        _ => TT_USER,
    }
}

struct Task(State);

class!(Task, Task_Impl, ICLRTask2, ICLRTask2_Vtbl);

impl Task {
    fn of_this_thread() -> Self {
        Self(State {
            thread: own_number(),
            kind: kind_of(&name()),
            identifier: AtomicU64::new(0),
            in_managed: AtomicBool::new(false),
            shall_yield: AtomicBool::new(false),
            regions: critical_regions(),
            abort: Arc::default(),
        })
    }

    fn is_own(&self) -> bool {
        own_number() == self.0.thread
    }
}

impl ICLRTask_Impl for Task_Impl {
    unsafe fn SwitchIn(&self, _thread: HANDLE) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn SwitchOut(&self) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn GetMemStats(&self, mut into: InOut<'_, COR_GC_THREAD_STATS>) -> HRESULT {
        method(|| {
            let Some(stats) = into.get() else {
                return E_POINTER;
            };
            if !self.is_own() {
                // .NET has the number for the calling thread only.
                return E_NOTIMPL;
            }
            answer(managed::allocated_by_this_thread().map(|bytes| {
                // The flag stays as the caller has set it: .NET does not report what it means.
                stats.PerThreadAllocation = bytes;
            }))
        })
    }

    unsafe fn Reset(&self, _full: BOOL) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn ExitTask(&self) -> HRESULT {
        method(|| {
            if self.is_own() {
                E_NOTIMPL
            } else {
                HOST_E_INVALIDOPERATION
            }
        })
    }

    unsafe fn Abort(&self) -> HRESULT {
        method(|| answer(self.0.abort.ask(false)))
    }

    unsafe fn RudeAbort(&self) -> HRESULT {
        method(|| answer(self.0.abort.ask(true)))
    }

    unsafe fn NeedsPriorityScheduling(&self, needs: Out<'_, BOOL>) -> HRESULT {
        method(|| {
            needs.fill(|| {
                if !managers::has_task_manager() {
                    return Err(E_NOTIMPL);
                }
                let task = &self.0;
                let needed = task.kind == TT_FINALIZER || task.in_managed.load(Relaxed);
                Ok(needed.into())
            })
        })
    }

    unsafe fn YieldTask(&self) -> HRESULT {
        method(|| {
            if self.is_own() {
                return HOST_E_INVALIDOPERATION;
            }
            if !managers::has_task_manager() {
                return E_NOTIMPL;
            }
            if self.0.shall_yield.swap(true, Relaxed) {
                S_FALSE
            } else {
                S_OK
            }
        })
    }

    unsafe fn LocksHeld(&self, number: Out<'_, usize>) -> HRESULT {
        method(|| {
            number.fill(|| {
                let regions = self.0.regions.as_ref().ok_or(E_NOTIMPL)?;
                Ok(regions.load(Relaxed) as usize)
            })
        })
    }

    unsafe fn SetTaskIdentifier(&self, asked: TASKID) -> HRESULT {
        method(|| {
            self.0.identifier.store(asked, Relaxed);
            S_OK
        })
    }
}

impl ICLRTask2_Impl for Task_Impl {
    unsafe fn BeginPreventAsyncAbort(&self) -> HRESULT {
        method(|| {
            if !self.is_own() {
                return HOST_E_INVALIDOPERATION;
            }
            self.0.abort.prevent();
            S_OK
        })
    }

    unsafe fn EndPreventAsyncAbort(&self) -> HRESULT {
        method(|| {
            if !self.is_own() {
                return HOST_E_INVALIDOPERATION;
            }
            answer(self.0.abort.allow())
        })
    }
}
