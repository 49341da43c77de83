//! The task manager that gives out slots.
//!
//! It is an `IHostTaskManager` like a host's. A host can make one and pass it to the runtime, with
//! its own behind it. `soglia run --slots` puts one in front of the host's, if there is one. It
//! passes on every call that has nothing to do with slots.

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
        clr_task::ICLRTaskManager,
        host_task::{IHostTask, IHostTaskManager, IHostTaskManager_Impl, IHostTaskManager_Vtbl},
        own::{ISogliaSlots, ISogliaSlots_Impl, ISogliaSlots_Vtbl, SogliaSlotFigures},
        types::{INFINITE, LPTHREAD_START_ROUTINE},
    },
    hresult::{
        E_INVALIDARG, E_NOTIMPL, E_POINTER, E_UNEXPECTED, HOST_E_ABANDONED, HOST_E_INTERRUPTED,
        HOST_E_NOT_OWNER, HOST_E_TIMEOUT, S_OK,
    },
    param::{Lent, Out},
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

/// Puts a bound in front of the host's task manager, or in its place, for the whole process. To be
/// called before the runtime starts.
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

/// Makes a task manager for a host.
///
/// At most `slots` tasks run managed code at a time. A task waits for a slot for at most so many
/// milliseconds, or without limit for `INFINITE`. The manager passes on calls that have nothing to
/// do with slots to the one behind it, if `inner` is not null.
///
/// Answers `E_INVALIDARG` for no slots or more than 65,535, and `E_POINTER` for null.
///
/// `inner` may be called from any thread.
#[unsafe(no_mangle)]
pub extern "system" fn SogliaCreateTaskManager(
    slots: u32,
    milliseconds: u32,
    inner: Lent<'_, IHostTaskManager>,
    mut manager: Out<'_, *mut c_void>,
) -> HRESULT {
    fence(soglia_abi::hresult::E_FAIL, || {
        if manager.is_null() {
            return E_POINTER;
        }
        manager.write_if_wanted(null_mut());
        let Some(slots) = u16::try_from(slots).ok().and_then(NonZeroU16::new) else {
            return E_INVALIDARG;
        };
        let limit = (milliseconds != INFINITE).then(|| Duration::from_millis(milliseconds.into()));
        let inner = (!inner.is_null()).then(|| {
            // SAFETY: the host lends a live manager. It is not released before it is counted, in
            // the next line.
            let lent = unsafe { stand_in::<IHostTaskManager>(inner.as_ptr()) };
            std::mem::forget(lent.clone());
            lent
        });
        let made = Object::counted(Manager {
            slots: new_slots(Bound { slots, limit }),
            inner,
            is_kept: false,
        });
        manager.write(made.into_raw())
    })
}

/// The HRESULT for a refusal.
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
            // SAFETY: `give` returns this live object, with a reference for this value.
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
    /// Called outside the fence, since a host may end the thread.
    inner: Option<IHostTaskManager>,
    /// Whether the runtime uses it for good.
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

    /// Gives the calling thread's slot to the first task that waits for one. Returns whether a task
    /// waited.
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

/// The first of the two that is not `S_OK`.
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
        // The manager behind one in front is the host's own, which stays for ever.
        if let Some(inner) = self.inner.take().filter(|_| !self.is_kept) {
            // SAFETY: `stand_in` made it for this manager, which releases it once.
            unsafe { release(inner) };
        }
    }
}

/// Keeps a host's manager that the runtime goes on calling, if it is one of these, whatever the
/// host releases.
///
/// # Safety
/// `manager` is a live object.
pub unsafe fn keep(manager: *mut c_void) {
    // SAFETY: the caller promises a live object.
    if let Some(manager) = unsafe { Manager_Impl::of(manager) } {
        manager.keep();
    }
}

impl ISogliaSlots_Impl for View_Impl {
    unsafe fn GetFigures(&self, figures: Out<'_, SogliaSlotFigures>) -> HRESULT {
        fence(soglia_abi::hresult::E_FAIL, || {
            figures.fill(|| Ok(figures::of(&self.slots)))
        })
    }
}

// The manager behind lives as long as this one, and gets the arguments that this one got.
impl IHostTaskManager_Impl for Manager_Impl {
    unsafe fn GetCurrentTask(&self, task: Out<'_, *mut c_void>) -> HRESULT {
        if let Some(inner) = &self.inner {
            // SAFETY: the manager behind is alive, and gets the caller's own pointer.
            return unsafe { inner.GetCurrentTask(task) };
        }
        fence(soglia_abi::hresult::E_FAIL, || {
            task.fill(|| {
                let own: IHostTask = ComObject::new(PlainTask).into_interface();
                Ok(own.into_raw())
            })
        })
    }

    unsafe fn CreateTask(
        &self,
        stack: u32,
        start: Option<LPTHREAD_START_ROUTINE>,
        parameter: *mut c_void,
        task: Out<'_, *mut c_void>,
    ) -> HRESULT {
        // SAFETY: the manager behind is alive, and gets the caller's own arguments.
        self.inner(E_NOTIMPL, |inner| unsafe {
            inner.CreateTask(stack, start, parameter, task)
        })
    }

    unsafe fn Sleep(&self, milliseconds: u32, option: u32) -> HRESULT {
        if milliseconds == 0 {
            self.gives_way();
        } else {
            let _ = self.own(|slots, task| {
                slots.park(task);
                Ok(())
            });
        }
        // SAFETY: the manager behind is alive, and the call takes numbers.
        let slept = self.inner(E_NOTIMPL, |inner| unsafe {
            inner.Sleep(milliseconds, option)
        });
        // Otherwise .NET sleeps now, and calls `slept` afterwards.
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
        // SAFETY: the manager behind is alive, and the call takes a number.
        let inner = self.inner(E_NOTIMPL, |inner| unsafe { inner.SwitchToTask(option) });
        if gave { S_OK } else { inner }
    }

    unsafe fn SetUILocale(&self, lcid: u32) -> HRESULT {
        // SAFETY: the manager behind is alive, and the call takes a number.
        self.inner(E_NOTIMPL, |inner| unsafe { inner.SetUILocale(lcid) })
    }

    unsafe fn SetLocale(&self, lcid: u32) -> HRESULT {
        // SAFETY: the manager behind is alive, and the call takes a number.
        self.inner(E_NOTIMPL, |inner| unsafe { inner.SetLocale(lcid) })
    }

    unsafe fn CallNeedsHostHook(&self, target: usize, needs: Out<'_, BOOL>) -> HRESULT {
        if let Some(inner) = &self.inner {
            // SAFETY: the manager behind is alive, and gets the caller's own pointer.
            return unsafe { inner.CallNeedsHostHook(target, needs) };
        }
        needs.fill(|| Ok(true.into()))
    }

    unsafe fn LeaveRuntime(&self, target: usize) -> HRESULT {
        let Some(inner) = &self.inner else {
            return self.own(Slots::leave);
        };
        // A call that the manager behind denies keeps its slot. The one behind is not notified of a
        // call that this one denies.
        let may = self.own(|_, task| match task.is_out() && !task.is_exempt() {
            true => Err(Refusal::NotOwner),
            false => Ok(()),
        });
        if may.is_err() {
            return may;
        }
        // SAFETY: the manager behind is alive, and the call takes a number.
        let answer = unsafe { inner.LeaveRuntime(target) };
        if answer.is_err() {
            return answer;
        }
        first(self.own(Slots::leave), answer)
    }

    unsafe fn EnterRuntime(&self) -> HRESULT {
        let own = self.own(Slots::enter);
        // SAFETY: the manager behind is alive, and the call takes nothing.
        first(
            own,
            self.inner(S_OK, |inner| unsafe { inner.EnterRuntime() }),
        )
    }

    unsafe fn ReverseLeaveRuntime(&self) -> HRESULT {
        // SAFETY: the manager behind is alive, and the call takes nothing.
        let inner = self.inner(S_OK, |inner| unsafe { inner.ReverseLeaveRuntime() });
        first(self.own(Slots::reverse_leave), inner)
    }

    unsafe fn ReverseEnterRuntime(&self) -> HRESULT {
        let own = self.own(Slots::reverse_enter);
        if own != S_OK {
            return own;
        }
        // SAFETY: the manager behind is alive, and the call takes nothing.
        let inner = self.inner(S_OK, |inner| unsafe { inner.ReverseEnterRuntime() });
        if inner != S_OK {
            let _ = self.own(Slots::reverse_leave);
        }
        inner
    }

    unsafe fn BeginDelayAbort(&self) -> HRESULT {
        // SAFETY: the manager behind is alive, and the call takes nothing.
        self.region(
            |task| task.begin_delay_abort(),
            |inner| unsafe { inner.BeginDelayAbort() },
        )
    }

    unsafe fn EndDelayAbort(&self) -> HRESULT {
        // SAFETY: the manager behind is alive, and the call takes nothing.
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
        // SAFETY: the manager behind is alive, and the call takes nothing.
        self.region(begin, |inner| unsafe { inner.BeginThreadAffinity() })
    }

    unsafe fn EndThreadAffinity(&self) -> HRESULT {
        // SAFETY: the manager behind is alive, and the call takes nothing.
        self.region(
            |task| task.end_thread_affinity(),
            |inner| unsafe { inner.EndThreadAffinity() },
        )
    }

    unsafe fn SetStackGuarantee(&self, guarantee: u32) -> HRESULT {
        // SAFETY: the manager behind is alive, and gets the caller's own arguments.
        self.inner(E_NOTIMPL, |inner| unsafe {
            inner.SetStackGuarantee(guarantee)
        })
    }

    unsafe fn GetStackGuarantee(&self, guarantee: Out<'_, u32>) -> HRESULT {
        // SAFETY: the manager behind is alive, and gets the caller's own arguments.
        self.inner(E_NOTIMPL, |inner| unsafe {
            inner.GetStackGuarantee(guarantee)
        })
    }

    unsafe fn SetCLRTaskManager(&self, manager: Lent<'_, ICLRTaskManager>) -> HRESULT {
        // SAFETY: the manager behind is alive, and gets the caller's own arguments.
        self.inner(S_OK, |inner| unsafe { inner.SetCLRTaskManager(manager) })
    }
}

impl Manager {
    /// Notes that a region begins or ends, here and in the manager behind, unless that is
    /// unexpected.
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
