//! What ends the program. The engine notifies the host's `IHostPolicyManager` of it, and the
//! actions that the host has registered with `ICLROnEventManager`.
//!
//! | occasion | `IHostPolicyManager` | then `IActionOnCLREvent` |
//! | --- | --- | --- |
//! | managed code or the host exits | `OnDefaultAction(OPR_ProcessExit, eExitProcess)` | `Event_DomainUnload`, and when the runtime shuts down, `Event_ClrDisabled` |
//! | an exception is unhandled | `OnFailure(FAIL_FatalRuntime, eRudeExitProcess)` | `Event_ClrDisabled` |
//! | a host's domain is unloaded | `OPR_AppDomainUnload`, as above | `Event_DomainUnload` |
//! | `ICLRTask::Abort` | `OnDefaultAction(OPR_ThreadAbort, eAbortThread)` | |
//!
//! Managed code notices the first two ([`managed::watch`]), before other handlers of the same
//! events run. In a program that admits no managed code of the engine, the runtime's shutdown takes
//! its place. Each notification comes once.

use std::{
    ffi::c_void,
    mem::ManuallyDrop,
    ptr::{null_mut, without_provenance_mut},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::AcqRel},
    },
};

use soglia_abi::{
    HRESULT,
    hosting::policy::{
        EClrEvent, Event_ClrDisabled, Event_DomainUnload, Event_StackOverflow, FAIL_FatalRuntime,
        IActionOnCLREvent, ICLROnEventManager, ICLROnEventManager_Impl, ICLROnEventManager_Vtbl,
        MaxClrEvent, OPR_ProcessExit, eExitProcess, eRudeExitProcess,
    },
    hresult::{E_FAIL, E_INVALIDARG, E_NOTIMPL, HOST_E_INVALIDOPERATION, S_OK},
    param::Lent,
};

use super::{
    clr::{self, DOMAIN},
    managed,
    method::{giving, method},
};
use crate::{
    boundary::fence,
    com::{Object, class},
    engine,
    host::{
        failure::heed,
        fenced::{self, release, stand_in},
        managers::{self, takes_action},
        shared::Shared,
    },
};

/// The registered actions, for [`OCCASIONS`] only.
static ACTIONS: Mutex<Vec<(EClrEvent, Arc<Action>)>> = Mutex::new(Vec::new());

/// An action of the host, with a reference that the engine owns.
struct Action(ManuallyDrop<Shared<IActionOnCLREvent>>);

impl Drop for Action {
    /// The last reference may go with it, which runs the host's code.
    fn drop(&mut self) {
        // SAFETY: this runs once, as the last use of the field.
        let Shared(action) = unsafe { ManuallyDrop::take(&mut self.0) };
        // SAFETY: made by `stand_in`, and lent only.
        unsafe { release(action) };
    }
}

/// The events that .NET has occasions for.
const OCCASIONS: [EClrEvent; 2] = [Event_DomainUnload, Event_ClrDisabled];

fn actions() -> MutexGuard<'static, Vec<(EClrEvent, Arc<Action>)>> {
    ACTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the host has registered an action.
pub fn any() -> bool {
    !actions().is_empty()
}

/// Has managed code watch for what only it notices, if the host wants notifications. To be called
/// when the runtime has started.
pub fn started() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if (any() || managers::policy_manager().is_some()) && !WATCHED.swap(true, AcqRel) {
        // If managed code cannot watch, the shutdown still notifies.
        let _ = managed::watch(ends);
    }
}

/// Called by managed code.
extern "C" fn ends(how: i32) {
    match how {
        0 => fence((), exits),
        _ => fence((), fails),
    }
}

/// The program exits.
fn exits() {
    static ONCE: AtomicBool = AtomicBool::new(false);
    if !ONCE.swap(true, AcqRel) {
        takes_action(OPR_ProcessExit, eExitProcess);
        // The first domain ends with the process.
        happened(Event_DomainUnload, without_provenance_mut(DOMAIN as usize));
    }
}

/// An exception is unhandled.
fn fails() {
    if let Some(manager) = managers::policy_manager() {
        // SAFETY: the host's managers live until the process ends.
        let _ = heed(unsafe { manager.OnFailure(FAIL_FatalRuntime, eRudeExitProcess) });
    }
    disabled();
    // The documents say that this failure takes the CLR out of use.
    let _ = heed(E_FAIL);
}

/// `Event_ClrDisabled`.
fn disabled() {
    static ONCE: AtomicBool = AtomicBool::new(false);
    if !ONCE.swap(true, AcqRel) {
        happened(Event_ClrDisabled, null_mut());
    }
}

/// To be called when the runtime shuts down, and no more managed code will run.
pub fn shut_down() {
    exits();
    disabled();
}

/// A domain that a host has made is gone.
pub fn unloaded(domain: u32) {
    happened(Event_DomainUnload, without_provenance_mut(domain as usize));
}

fn happened(event: EClrEvent, data: *mut c_void) {
    // An action may unregister others, so none is called under the lock.
    let to_notify: Vec<Arc<Action>> = actions()
        .iter()
        .filter(|(of, _)| *of == event)
        .map(|(_, action)| action.clone())
        .collect();
    for action in to_notify {
        // SAFETY: the action holds a reference to the host's object, and the data is what this
        // event comes with.
        let _ = heed(unsafe { action.0.0.OnEvent(event, data) });
    }
}

/// The manager, with a reference for the caller.
pub fn manager() -> *mut c_void {
    static MANAGER: OnceLock<&Object<OnEvents>> = OnceLock::new();
    MANAGER.get_or_init(|| Object::forever(OnEvents)).give()
}

struct OnEvents;

class!(
    OnEvents,
    OnEvents_Impl,
    ICLROnEventManager,
    ICLROnEventManager_Vtbl
);

impl ICLROnEventManager_Impl for OnEvents_Impl {
    unsafe fn RegisterActionOnEvent(
        &self,
        event: EClrEvent,
        action: Lent<'_, IActionOnCLREvent>,
    ) -> HRESULT {
        giving(|| {
            if action.is_null() || event.0 >= MaxClrEvent.0 {
                return E_INVALIDARG;
            }
            if !OCCASIONS.contains(&event) {
                return E_NOTIMPL;
            }
            if clr::is_running() && engine::get().is_none() {
                // The runtime started without the engine, so there would be no notification.
                return HOST_E_INVALIDOPERATION;
            }
            // SAFETY: the caller of this method lends a live action. It is not released before it
            // is counted, in the next line.
            let lent = unsafe { stand_in::<IActionOnCLREvent>(action.as_ptr()) };
            std::mem::forget(lent.clone());
            let counted = Action(ManuallyDrop::new(Shared(lent)));
            actions().push((event, Arc::new(counted)));
            S_OK
        })
    }

    unsafe fn UnregisterActionOnEvent(
        &self,
        event: EClrEvent,
        action: Lent<'_, IActionOnCLREvent>,
    ) -> HRESULT {
        method(|| {
            if event.0 >= MaxClrEvent.0 || action.is_null() {
                return E_INVALIDARG;
            }
            if event == Event_StackOverflow {
                return HOST_E_INVALIDOPERATION;
            }
            let mut actions = actions();
            let same = |(of, known): &(EClrEvent, Arc<Action>)| {
                *of == event && fenced::object(&known.0.0) == action.as_ptr()
            };
            let removed = actions.iter().position(same).map(|at| actions.remove(at));
            // Its drop may release objects of the host, so nothing is locked any more.
            drop(actions);
            if removed.is_some() {
                S_OK
            } else {
                HOST_E_INVALIDOPERATION
            }
        })
    }
}
