//! The task manager that gives out slots.
//!
//! It is an `IHostTaskManager` like a host's. A host may make one and give it out, with its own behind it; `soglia run --slots` puts one in front of
//! whatever there is. What one is asked that has nothing to do with slots, it passes on.

use std::{
    ffi::c_void,
    num::NonZeroU16,
    ptr::null_mut,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use soglia_abi::{
    BOOL, GUID, HRESULT,
    hosting::{
        host_task::{IHostTask, IHostTaskManager, IHostTaskManager_Impl, IHostTaskManager_Vtbl},
        own::{ISogliaSlots, ISogliaSlots_Impl, ISogliaSlots_Vtbl, SogliaSlotFigures},
        types::{INFINITE, LPTHREAD_START_ROUTINE},
    },
    hresult::{
        E_INVALIDARG, E_NOTIMPL, E_POINTER, E_UNEXPECTED, HOST_E_ABANDONED, HOST_E_INTERRUPTED,
        HOST_E_NOT_OWNER, HOST_E_TIMEOUT, S_OK,
    },
};
use soglia_core::admission::{Bound, Holder, Refusal};
use windows_core::{ComObject, IUnknown, Interface};

use super::{
    figures,
    plain_task::PlainTask,
    table::{ALONE, Slots, new_slots},
    tasks,
};
use crate::{
    boundary::fence,
    com::{Object, class},
    host::{
        fenced::{release, stand_in},
        managers,
    },
};

/// Puts a bound in front of the host's task manager, or where it would be, for the whole process. Before the runtime starts.
pub fn put_in_front(bound: Bound) {
    let inner = managers::task_manager().cloned();
    ALONE.store(inner.is_none(), Relaxed);
    let slots = new_slots(bound);
    figures::keep(bound, &slots);
    let manager = Manager {
        slots,
        inner,
        is_kept: true,
    };
    managers::put_in_front(Object::counted(manager));
}

/// Makes a task manager for a host: at most `slots` tasks run managed code at a time, and one that needs a slot waits for at most so many
/// milliseconds, or `INFINITE`. What has nothing to do with slots is passed on to the manager behind it, if one is given.
///
/// `E_INVALIDARG` for no slots or more than 65,535, `E_POINTER` for null.
///
/// # Safety
/// `inner` is null, or a live `IHostTaskManager` that may be called from any thread; `manager` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn SogliaCreateTaskManager(
    slots: u32,
    milliseconds: u32,
    inner: *mut c_void,
    manager: *mut *mut c_void,
) -> HRESULT {
    fence(soglia_abi::hresult::E_FAIL, || {
        if manager.is_null() {
            return E_POINTER;
        }
        // SAFETY: not null, and valid by the contract.
        unsafe { *manager = null_mut() };
        let Some(slots) = u16::try_from(slots).ok().and_then(NonZeroU16::new) else {
            return E_INVALIDARG;
        };
        let limit = (milliseconds != INFINITE).then(|| Duration::from_millis(milliseconds.into()));
        let inner = (!inner.is_null()).then(|| {
            // SAFETY: alive, by the contract, and not released: the reference that it is copied with is ours.
            unsafe {
                let lent = stand_in::<IHostTaskManager>(inner);
                std::mem::forget(lent.clone());
                lent
            }
        });
        let made = Object::counted(Manager {
            slots: new_slots(Bound { slots, limit }),
            inner,
            is_kept: false,
        });
        // SAFETY: as above.
        unsafe { *manager = made.into_raw() };
        S_OK
    })
}

/// What a host answers for a refusal.
fn answer(result: Result<(), Refusal>) -> HRESULT {
    match result {
        Ok(()) => S_OK,
        Err(Refusal::TimedOut) => HOST_E_TIMEOUT,
        Err(Refusal::NotOwner) => HOST_E_NOT_OWNER,
        Err(Refusal::Abandoned) => HOST_E_ABANDONED,
        Err(Refusal::Unexpected) => E_UNEXPECTED,
    }
}

class!(
    Manager,
    Manager_Impl,
    IHostTaskManager,
    IHostTaskManager_Vtbl,
    fn part(this: &Manager_Impl, id: &GUID) -> Option<*mut c_void> {
        let part = (*id == ISogliaSlots::IID).then(|| {
            // SAFETY: alive, and with a reference for the part.
            let whole = unsafe { IHostTaskManager::from_raw(this.give()) };
            Object::counted(View {
                whole,
                slots: this.slots.clone(),
            })
        });
        part.map(Interface::into_raw)
    }
);

struct Manager {
    slots: Arc<Slots>,
    /// Called outside of the fence: a host may end the thread.
    inner: Option<IHostTaskManager>,
    /// Its figures go into the recording.
    is_kept: bool,
}

impl Manager {
    /// Does something with the slots and the calling thread's task.
    fn own(&self, body: impl FnOnce(&Slots, &mut Holder) -> Result<(), Refusal>) -> HRESULT {
        fence(S_OK, || {
            let answer = tasks::with(&self.slots, |task| answer(body(&self.slots, task)));
            if self.is_kept {
                figures::look();
            }
            answer
        })
    }

    /// Hands the calling thread's slot to the first task that waits for one.
    /// Returns whether a task waited.
    fn gives_way(&self) -> bool {
        let mut gave = false;
        let _ = self.own(|slots, task| {
            gave = slots.give_way(task);
            Ok(())
        });
        gave
    }

    /// Asks the manager behind, if there is one.
    fn inner(&self, otherwise: HRESULT, ask: impl FnOnce(&IHostTaskManager) -> HRESULT) -> HRESULT {
        self.inner.as_ref().map_or(otherwise, ask)
    }
}

/// The first that is not `S_OK`.
fn first(one: HRESULT, other: HRESULT) -> HRESULT {
    if one == S_OK { other } else { one }
}

/// A manager's figures: another interface of the same object.
struct View {
    whole: IHostTaskManager,
    slots: Arc<Slots>,
}

class!(
    View,
    View_Impl,
    ISogliaSlots,
    ISogliaSlots_Vtbl,
    fn part(this: &View_Impl, id: &GUID) -> Option<*mut c_void> {
        [IUnknown::IID, IHostTaskManager::IID]
            .contains(id)
            .then(|| this.whole.clone().into_raw())
    }
);

impl Drop for Manager {
    fn drop(&mut self) {
        // Of a manager in front it is the host's own, which is there for good.
        if let Some(inner) = self.inner.take().filter(|_| !self.is_kept) {
            // SAFETY: made by `stand_in` for this manager.
            unsafe { release(inner) };
        }
    }
}

/// The runtime goes on calling this manager of a host's, if it is one of these: it stays, whatever the host releases.
///
/// # Safety
/// A live object.
pub unsafe fn keep(manager: *mut c_void) {
    // SAFETY: by the contract.
    if let Some(manager) = unsafe { Manager_Impl::of(manager) } {
        manager.keep();
    }
}

impl ISogliaSlots_Impl for View_Impl {
    unsafe fn GetFigures(&self, figures: *mut SogliaSlotFigures) -> HRESULT {
        fence(soglia_abi::hresult::E_FAIL, || {
            if figures.is_null() {
                return E_POINTER;
            }
            // SAFETY: not null, and valid by COM's rules.
            unsafe { *figures = figures::of(&self.slots) };
            S_OK
        })
    }
}

// The manager behind lives as long as this one, and gets what this one was given.
impl IHostTaskManager_Impl for Manager_Impl {
    unsafe fn GetCurrentTask(&self, task: *mut *mut c_void) -> HRESULT {
        if let Some(inner) = &self.inner {
            // SAFETY: as above.
            return unsafe { inner.GetCurrentTask(task) };
        }
        fence(soglia_abi::hresult::E_FAIL, || {
            if task.is_null() {
                return E_POINTER;
            }
            let own: IHostTask = ComObject::new(PlainTask).into_interface();
            // SAFETY: not null, and valid by COM's rules.
            unsafe { *task = own.into_raw() };
            S_OK
        })
    }

    unsafe fn CreateTask(
        &self,
        stack: u32,
        start: Option<LPTHREAD_START_ROUTINE>,
        parameter: *mut c_void,
        task: *mut *mut c_void,
    ) -> HRESULT {
        // SAFETY: as above.
        self.inner(E_NOTIMPL, |inner| unsafe {
            inner.CreateTask(stack, start, parameter, task)
        })
    }

    unsafe fn Sleep(&self, milliseconds: u32, option: u32) -> HRESULT {
        if milliseconds == 0 {
            self.gives_way();
        } else {
            let _ = self.own(|slots, task| {
                slots.rest(task);
                Ok(())
            });
        }
        // SAFETY: as above.
        let slept = self.inner(E_NOTIMPL, |inner| unsafe {
            inner.Sleep(milliseconds, option)
        });
        // Otherwise .NET sleeps now, and tells when it has (`slept`).
        if [S_OK, HOST_E_INTERRUPTED].contains(&slept) {
            let _ = self.own(|slots, task| {
                slots.wake(task);
                Ok(())
            });
        }
        slept
    }

    unsafe fn SwitchToTask(&self, option: u32) -> HRESULT {
        let gave = self.gives_way();
        // SAFETY: as above.
        let inner = self.inner(E_NOTIMPL, |inner| unsafe { inner.SwitchToTask(option) });
        if gave { S_OK } else { inner }
    }

    unsafe fn SetUILocale(&self, lcid: u32) -> HRESULT {
        // SAFETY: as above.
        self.inner(E_NOTIMPL, |inner| unsafe { inner.SetUILocale(lcid) })
    }

    unsafe fn SetLocale(&self, lcid: u32) -> HRESULT {
        // SAFETY: as above.
        self.inner(E_NOTIMPL, |inner| unsafe { inner.SetLocale(lcid) })
    }

    unsafe fn CallNeedsHostHook(&self, target: usize, needs: *mut BOOL) -> HRESULT {
        if let Some(inner) = &self.inner {
            // SAFETY: as above.
            return unsafe { inner.CallNeedsHostHook(target, needs) };
        }
        if needs.is_null() {
            return E_POINTER;
        }
        // SAFETY: not null, and valid by COM's rules.
        unsafe { *needs = true.into() };
        S_OK
    }

    unsafe fn LeaveRuntime(&self, target: usize) -> HRESULT {
        let Some(inner) = &self.inner else {
            return self.own(Slots::leave);
        };
        // A call that the manager behind refuses keeps its slot, and one that this refuses is not told there.
        let may = self.own(|_, task| match task.is_out() && !task.is_exempt() {
            true => Err(Refusal::NotOwner),
            false => Ok(()),
        });
        if may.is_err() {
            return may;
        }
        // SAFETY: as above.
        let answer = unsafe { inner.LeaveRuntime(target) };
        if answer.is_err() {
            return answer;
        }
        first(self.own(Slots::leave), answer)
    }

    unsafe fn EnterRuntime(&self) -> HRESULT {
        let own = self.own(Slots::enter);
        // SAFETY: as above.
        first(
            own,
            self.inner(S_OK, |inner| unsafe { inner.EnterRuntime() }),
        )
    }

    unsafe fn ReverseLeaveRuntime(&self) -> HRESULT {
        // SAFETY: as above.
        let inner = self.inner(S_OK, |inner| unsafe { inner.ReverseLeaveRuntime() });
        first(self.own(Slots::reverse_leave), inner)
    }

    unsafe fn ReverseEnterRuntime(&self) -> HRESULT {
        let own = self.own(Slots::reverse_enter);
        if own != S_OK {
            return own;
        }
        // SAFETY: as above.
        let inner = self.inner(S_OK, |inner| unsafe { inner.ReverseEnterRuntime() });
        if inner != S_OK {
            let _ = self.own(Slots::reverse_leave);
        }
        inner
    }

    unsafe fn BeginDelayAbort(&self) -> HRESULT {
        // SAFETY: as above.
        self.region(
            |task| task.begin_delay_abort(),
            |inner| unsafe { inner.BeginDelayAbort() },
        )
    }

    unsafe fn EndDelayAbort(&self) -> HRESULT {
        // SAFETY: as above.
        self.region(
            |task| task.end_delay_abort(),
            |inner| unsafe { inner.EndDelayAbort() },
        )
    }

    unsafe fn BeginThreadAffinity(&self) -> HRESULT {
        let begin = |task: &mut Holder| {
            task.begin_thread_affinity();
            Ok(())
        };
        // SAFETY: as above.
        self.region(begin, |inner| unsafe { inner.BeginThreadAffinity() })
    }

    unsafe fn EndThreadAffinity(&self) -> HRESULT {
        // SAFETY: as above.
        self.region(
            |task| task.end_thread_affinity(),
            |inner| unsafe { inner.EndThreadAffinity() },
        )
    }

    unsafe fn SetStackGuarantee(&self, guarantee: u32) -> HRESULT {
        // SAFETY: as above.
        self.inner(E_NOTIMPL, |inner| unsafe {
            inner.SetStackGuarantee(guarantee)
        })
    }

    unsafe fn GetStackGuarantee(&self, guarantee: *mut u32) -> HRESULT {
        // SAFETY: as above.
        self.inner(E_NOTIMPL, |inner| unsafe {
            inner.GetStackGuarantee(guarantee)
        })
    }

    unsafe fn SetCLRTaskManager(&self, manager: *mut c_void) -> HRESULT {
        // SAFETY: as above.
        self.inner(S_OK, |inner| unsafe { inner.SetCLRTaskManager(manager) })
    }
}

impl Manager {
    /// A region that begins or ends here, and behind, unless that is unexpected.
    fn region(
        &self,
        own: impl FnOnce(&mut Holder) -> Result<(), Refusal>,
        behind: impl FnOnce(&IHostTaskManager) -> HRESULT,
    ) -> HRESULT {
        let own = self.own(|_, task| own(task));
        if own.is_err() {
            return own;
        }
        self.inner(S_OK, behind)
    }
}
