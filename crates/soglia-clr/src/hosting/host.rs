//! `SetHostControl`: asks the host for its managers, and keeps them.
//!
//! The managers belong to the process, not to one `ICLRRuntimeHost`, since there is one runtime. As
//! documented, the engine keeps them for ever. The host must not free them, not even after `Stop`.

use std::{ffi::c_void, mem::ManuallyDrop, ptr::null_mut, sync::OnceLock};

use soglia_abi::{
    GUID, HRESULT,
    hosting::{
        assembly::IHostAssemblyManager, control::IHostControl, security::IHostSecurityManager,
        thread_pool::IHostIoCompletionManager,
    },
    hresult::{E_ACCESSDENIED, E_INVALIDARG, HOST_E_CLRNOTAVAILABLE, S_OK},
    param::{In, Lent, Out},
};
use windows_core::Interface;

use super::{assemblies, clr, collector, events, exit, host_memory, sync, tasks};
use crate::{
    host::{
        escalation,
        failure::{has_failed, heed},
        fenced,
        managers::{
            GC_MANAGER, POLICY_MANAGER, POOL_MANAGER, SYNC_MANAGER, TASK_MANAGER, gc_manager,
            policy_manager, task_manager,
        },
        shared::Shared,
        task,
    },
    slots,
};

static CONTROL: OnceLock<Shared<IHostControl>> = OnceLock::new();

/// Managers that .NET has no occasion to call. The engine asks for them, since hosts rely on the
/// order, and keeps them.
static OTHERS: [OnceLock<Shared<*mut c_void>>; 2] = [const { OnceLock::new() }; 2];

static ASSEMBLY_MANAGER: OnceLock<Shared<IHostAssemblyManager>> = OnceLock::new();

/// Whether the host wants notifications of what only the engine knows.
pub fn wants_engine() -> bool {
    task_manager().is_some()
        || gc_manager().is_some()
        || policy_manager().is_some()
        || events::any()
}

/// `ICLRRuntimeHost::SetHostControl`: asks for the managers, in the documented order. The first
/// control stays, and a later one may add managers that are missing.
pub fn set_control(control: &Lent<'_, IHostControl>) -> HRESULT {
    if control.is_null() {
        return E_INVALIDARG;
    }
    if clr::is_running() {
        return E_ACCESSDENIED;
    }
    // SAFETY: the host lends a live control. It is never released unless it was counted.
    let control = ManuallyDrop::new(unsafe { fenced::stand_in::<IHostControl>(control.as_ptr()) });
    let first = CONTROL.get_or_init(|| Shared(IHostControl::clone(&control)));
    let is_first = first.0.as_raw() == control.as_raw();
    let [io, security] = &OTHERS;
    let mut answer = S_OK;
    // SAFETY: a live control, and each cell's type is the interface of its IID.
    unsafe {
        if let Some(manager) = ask(&control, &host_memory::MANAGER) {
            // Only an `E_FAIL` matters. The host may ignore the callback.
            let callback = Lent::from_raw(collector::memory_callback());
            let _ = heed(manager.RegisterMemoryNotificationCallback(callback));
        }
        if let Some(manager) = ask(&control, &TASK_MANAGER) {
            slots::keep(fenced::object(manager));
            task::made_by(tasks::of_this_thread);
            escalation::exits_by(exit::exit);
            let _ = heed(manager.SetCLRTaskManager(Lent::from_raw(tasks::manager())));
        }
        ask(&control, &POOL_MANAGER);
        keep(&control, &IHostIoCompletionManager::IID, io);
        if let Some(manager) = ask(&control, &SYNC_MANAGER) {
            let _ = heed(manager.SetCLRSyncManager(Lent::from_raw(sync::manager())));
        }
        if let Some(manager) = ask(&control, &ASSEMBLY_MANAGER)
            && let Err(why) = assemblies::ask(manager)
        {
            answer = why;
        }
        ask(&control, &GC_MANAGER);
        keep(&control, &IHostSecurityManager::IID, security);
        ask(&control, &POLICY_MANAGER);
        if !is_first {
            fenced::give_up(control);
        }
    }
    if has_failed() {
        HOST_E_CLRNOTAVAILABLE
    } else {
        answer
    }
}

/// Asks for a manager, unless there is one. Returns it if it is new.
///
/// # Safety
/// `control` is alive.
unsafe fn ask<T: Interface>(
    control: &IHostControl,
    cell: &'static OnceLock<Shared<T>>,
) -> Option<&'static T> {
    if cell.get().is_some() {
        return None;
    }
    // SAFETY: what the host answers to this IID with S_OK is an interface of that type, with a
    // reference for us.
    let manager = unsafe { fenced::stand_in::<T>(get(control, &T::IID)?) };
    // If another thread was faster, this one is released.
    cell.set(Shared(manager)).ok()?;
    cell.get().map(|manager| &manager.0)
}

/// Asks for a manager that is only kept.
///
/// # Safety
/// `control` is alive.
unsafe fn keep(control: &IHostControl, id: &GUID, cell: &'static OnceLock<Shared<*mut c_void>>) {
    if cell.get().is_none() {
        // SAFETY: the caller of this function vouches that the control is alive.
        if let Some(manager) = unsafe { get(control, id) } {
            let _ = cell.set(Shared(manager));
        }
    }
}

/// Asks for a manager. The host has one only if it answers exactly `S_OK`, with a pointer.
///
/// # Safety
/// `control` is alive.
unsafe fn get(control: &IHostControl, id: &GUID) -> Option<*mut c_void> {
    let mut manager = null_mut();
    // SAFETY: the caller of this function vouches that the control is alive.
    let answer = unsafe { control.GetHostManager(In::new(id), Out::new(&mut manager)) };
    (answer == S_OK && !manager.is_null()).then_some(manager)
}
