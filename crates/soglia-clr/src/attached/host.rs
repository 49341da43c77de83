//! A host in the process itself, which comes while the runtime runs: `SogliaAttachTaskManager`.
//!
//! The engine comes into the runtime as a tool brings it there, by the diagnostics port of the
//! process itself. Then a session begins that notifies the host, and records nothing. It ends when
//! the host leaves.

use std::{
    cell::RefCell,
    ffi::{CString, c_char},
    mem::ManuallyDrop,
    sync::{Mutex, MutexGuard, TryLockError},
    time::Duration,
};

use soglia_abi::{
    HRESULT,
    hosting::host_task::IHostTaskManager,
    hresult::{
        E_FAIL, E_POINTER, HOST_E_CLRNOTAVAILABLE, HOST_E_INVALIDOPERATION, HOST_E_TIMEOUT,
        S_FALSE, S_OK,
    },
    param::Lent,
};

use super::{HELLO, failure::Failure, port, session, worker};
use crate::{
    boundary::fence,
    engine,
    host::{
        attached,
        failure::{has_failed, heed},
        fenced, managers,
    },
    hosting,
};

/// How long the engine may take to change the code of the process, or to change it back.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a host that leaves waits for threads that are in its methods.
const WAY_OUT: Duration = Duration::from_secs(1);

thread_local! {
    /// The text of the last failure.
    static LAST: RefCell<CString> = RefCell::default();
}

/// One comes or leaves at a time.
static COMING: Mutex<()> = Mutex::new(());

fn alone() -> Result<MutexGuard<'static, ()>, Failure> {
    match COMING.try_lock() {
        Ok(alone) => Ok(alone),
        Err(TryLockError::Poisoned(alone)) => Ok(alone.into_inner()),
        Err(TryLockError::WouldBlock) => Err(Failure::new(
            HOST_E_INVALIDOPERATION,
            "another thread attaches or detaches a task manager at this moment: wait for it",
        )),
    }
}

/// Runs the body of an exported function, and keeps the text of its failure for the thread.
fn told(body: impl FnOnce() -> Result<HRESULT, Failure>) -> HRESULT {
    fence(E_FAIL, || {
        let (code, text) = match body() {
            Ok(code) => (code, String::new()),
            Err(failure) => (failure.code, failure.text),
        };
        let text = CString::new(text).unwrap_or_default();
        // A thread that is ending has none.
        let _ = LAST.try_with(|last| last.replace(text));
        code
    })
}

/// Notifies a task manager of the crossings of this process, in which .NET runs already.
///
/// # Safety
/// `manager` is null or a live object, which any thread may call.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn SogliaAttachTaskManager(
    manager: Lent<'_, IHostTaskManager>,
) -> HRESULT {
    told(|| attach(&manager))
}

/// Ends that.
#[unsafe(no_mangle)]
pub extern "system" fn SogliaDetachTaskManager() -> HRESULT {
    told(detach)
}

/// The text of the last failure of these functions on the calling thread. It is there until the
/// thread calls one of them again.
#[unsafe(no_mangle)]
pub extern "system" fn SogliaGetLastErrorText() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr())
        .unwrap_or(c"".as_ptr())
}

fn attach(manager: &Lent<'_, IHostTaskManager>) -> Result<HRESULT, Failure> {
    if manager.is_null() {
        return Err(Failure::new(E_POINTER, "the task manager is null"));
    }
    let _alone = alone()?;
    check()?;
    if session::clr().is_none() {
        port::load_engine(&format!("{HELLO}host"))?;
    }
    if session::clr().is_none() {
        return Err(Failure::new(
            E_FAIL,
            "the runtime has loaded the engine from another file than this process",
        ));
    }
    hosting::join().map_err(|code| {
        Failure::new(
            code,
            format!("the runtime cannot be used: it answers {code:?}"),
        )
    })?;
    let came = come(manager);
    if came.is_err() {
        hosting::part();
    }
    came.map(|()| S_OK)
}

/// Whether a task manager can come now.
fn check() -> Result<(), Failure> {
    let no = |text: &str| Err(Failure::new(HOST_E_INVALIDOPERATION, text));
    if has_failed() {
        return Err(Failure::new(
            HOST_E_CLRNOTAVAILABLE,
            "a method of a host has answered E_FAIL, which takes the runtime out of use",
        ));
    }
    if managers::task_manager().is_some() {
        return no("the process has a task manager from its start (SetHostControl), which stays");
    }
    if attached::is_there() {
        return no("a task manager is attached already: detach that one first");
    }
    if !hosting::is_running() {
        return Err(Failure::new(
            HOST_E_CLRNOTAVAILABLE,
            "no .NET runs in this process, or the runtime is inside the program's own file: \
             start .NET first, or give the task manager to SetHostControl before the start",
        ));
    }
    let running = session::running();
    if running.as_ref().is_some_and(|running| running.by_host) {
        return no("the runtime still takes back the code of the last task manager: try again");
    }
    if let Some(running) = running {
        let text = format!(
            "`soglia attach` records this process into {}: end that first",
            running.recording.display()
        );
        return no(&text);
    }
    if engine::get().is_some() {
        return no(
            "the engine came with the start of the runtime, for `soglia run` or for managers of \
             SetHostControl: start the program without `soglia run`, or give the task manager to \
             SetHostControl too",
        );
    }
    Ok(())
}

/// Begins a session for this manager.
fn come(manager: &Lent<'_, IHostTaskManager>) -> Result<(), Failure> {
    // SAFETY: the host lends a live manager for the call.
    let lent = unsafe { fenced::stand_in::<IHostTaskManager>(manager.as_ptr()) };
    let lent = ManuallyDrop::new(lent);
    let begun = begin(&lent);
    if begun.is_ok() {
        // The session's reference.
        std::mem::forget(IHostTaskManager::clone(&lent));
        // SAFETY: the host's object is alive, and was just counted.
        unsafe { attached::come(manager.as_ptr()) };
    }
    // SAFETY: `stand_in` made it above, and nothing has it any more.
    unsafe { fenced::give_up(lent) };
    begun
}

fn begin(manager: &IHostTaskManager) -> Result<(), Failure> {
    // Only an `E_FAIL` matters.
    // SAFETY: the host's manager is alive. The CLR's manager lives as long as the process.
    let _ = heed(unsafe { manager.SetCLRTaskManager(hosting::task_manager()) });
    if has_failed() {
        return Err(Failure::new(
            HOST_E_CLRNOTAVAILABLE,
            "SetCLRTaskManager of the task manager has answered E_FAIL",
        ));
    }
    let no_thread = || Failure::new(E_FAIL, "the engine has no thread for it");
    let worker = worker::hire().ok_or_else(no_thread)?;
    match worker.ask_within(PATIENCE, session::begin_for_host, |begun| {
        if begun.is_ok() {
            session::end_for_host();
        }
    }) {
        Some(Ok(())) => Ok(()),
        Some(Err(why)) => Err(Failure::new(HOST_E_INVALIDOPERATION, why)),
        None => Err(Failure::new(
            HOST_E_TIMEOUT,
            "the runtime did not change the code of the process in time: a thread may be in a \
             call without a GC transition, for which the runtime waits; try again",
        )),
    }
}

fn detach() -> Result<HRESULT, Failure> {
    let _alone = alone()?;
    if !attached::is_there() {
        return Err(Failure::new(
            HOST_E_INVALIDOPERATION,
            "no task manager is attached",
        ));
    }
    attached::go();
    if let Some(worker) = worker::hire() {
        let ended = worker.ask_within(PATIENCE, session::end_for_host, |()| {});
        if ended.is_none() {
            return Err(Failure::new(
                HOST_E_TIMEOUT,
                "the runtime did not take its code back in time, and will do so later: the task \
                 manager gets no further calls",
            ));
        }
    }
    hosting::part();
    match attached::all_out(WAY_OUT) {
        true => Ok(S_OK),
        // The last of them releases the host's objects.
        false => Ok(S_FALSE),
    }
}
