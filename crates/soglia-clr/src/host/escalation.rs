//! What follows where an abort does not end a task in time: `ICLRPolicyManager`'s timeouts.
//!
//! ```text
//!   Abort -- timeout of OPR_ThreadAbort --> RudeAbort -- timeout of its own --> exit
//! ```
//!
//! A host chooses both steps. Without its wish nothing follows.

use std::{
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use soglia_abi::{
    HRESULT,
    hosting::policy::{
        EClrOperation, EPolicyAction, OPR_ThreadAbort, OPR_ThreadRudeAbortInCriticalRegion,
        OPR_ThreadRudeAbortInNonCriticalRegion, eAbortThread, eExitProcess, eFastExitProcess,
        eRudeAbortThread, eRudeExitProcess,
    },
    hresult::{HOST_E_EXITPROCESS_THREADABORT, HOST_E_EXITPROCESS_TIMEOUT},
};

use super::managers;

/// The operations that a host can bound in time, in this order in the table.
const OPERATIONS: [EClrOperation; 3] = [
    OPR_ThreadAbort,
    OPR_ThreadRudeAbortInNonCriticalRegion,
    OPR_ThreadRudeAbortInCriticalRegion,
];

/// What a host wishes of one operation.
#[derive(Clone, Copy)]
struct Wish {
    action: EPolicyAction,
    limit: Option<Duration>,
    on_timeout: Option<EPolicyAction>,
}

fn wishes() -> MutexGuard<'static, [Wish; 3]> {
    const fn by_default(action: EPolicyAction) -> Wish {
        Wish {
            action,
            limit: None,
            on_timeout: None,
        }
    }
    static WISHES: Mutex<[Wish; 3]> = Mutex::new([
        by_default(eAbortThread),
        by_default(eRudeAbortThread),
        by_default(eRudeAbortThread),
    ]);
    WISHES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn place(of: EClrOperation) -> Option<usize> {
    OPERATIONS.iter().position(|operation| *operation == of)
}

/// The actions that end the process.
pub(super) const EXITS: [EPolicyAction; 3] = [eExitProcess, eFastExitProcess, eRudeExitProcess];

/// Whether this can be done to a task: aborts, and exits of the process.
fn can_be_done(action: EPolicyAction) -> bool {
    [eAbortThread, eRudeAbortThread].contains(&action) || EXITS.contains(&action)
}

/// Sets what an abort does. `false`: nothing can do that, or it is another operation.
pub fn set_action(operation: EClrOperation, action: EPolicyAction) -> bool {
    set(operation, Some(action), |wish| wish.action = action)
}

/// Sets how long an abort may take; `None`: for ever.
pub fn set_limit(operation: EClrOperation, limit: Option<Duration>) -> bool {
    set(operation, None, |wish| wish.limit = limit)
}

/// Sets what follows if it takes longer.
pub fn set_on_timeout(operation: EClrOperation, action: EPolicyAction) -> bool {
    set(operation, Some(action), |wish| {
        wish.on_timeout = Some(action);
    })
}

fn set(
    operation: EClrOperation,
    action: Option<EPolicyAction>,
    set: impl FnOnce(&mut Wish),
) -> bool {
    match place(operation).filter(|_| action.is_none_or(can_be_done)) {
        Some(place) => {
            set(&mut wishes()[place]);
            true
        }
        None => false,
    }
}

/// What an abort does.
pub(super) fn action(rude: bool) -> EPolicyAction {
    wishes()[usize::from(rude)].action
}

/// Whether anything follows aborts that take long.
pub(super) fn follows() -> bool {
    let wishes = wishes();
    let follows = |wish: &Wish| wish.limit.is_some() && wish.on_timeout.is_some();
    wishes.iter().any(follows)
}

/// How long an abort may take, and what follows.
pub(super) fn limit(
    rude: bool,
    critical: bool,
) -> Option<(EClrOperation, Duration, EPolicyAction)> {
    let place = match (rude, critical) {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => 2,
    };
    let wish = wishes()[place];
    Some((OPERATIONS[place], wish.limit?, wish.on_timeout?))
}

/// Ends the process through the runtime.
static EXIT: OnceLock<fn(i32) -> HRESULT> = OnceLock::new();

/// Has `exit` end the process. To be called before the runtime runs.
pub fn exits_by(exit: fn(i32) -> HRESULT) {
    let _ = EXIT.set(exit);
}

/// Ends the process if that is the action. On a thread of the engine.
pub(super) fn exit(action: EPolicyAction, timeout: bool) {
    let code = match timeout {
        true => HOST_E_EXITPROCESS_TIMEOUT.0,
        false => HOST_E_EXITPROCESS_THREADABORT.0,
    };
    if action == eExitProcess
        && let Some(exit) = EXIT.get()
    {
        let _ = exit(code);
    }
    if EXITS.contains(&action) {
        // Exit handlers of native code may wait for the task.
        // SAFETY: the call takes a number, and does not return.
        unsafe { libc::_exit(code) }
    }
}

/// Notifies the host, and does what it wished. On a thread of the engine.
pub(super) fn time_out(operation: EClrOperation, action: EPolicyAction) {
    managers::times_out(operation, action);
    exit(action, true);
}
