//! The managers of the host, and soglia's own in front of them.

use std::sync::OnceLock;

use soglia_abi::hosting::{
    gc::IHostGCManager,
    host_task::IHostTaskManager,
    policy::{EClrOperation, EPolicyAction, IHostPolicyManager},
    sync::IHostSyncManager,
    thread_pool::IHostThreadpoolManager,
};

use super::{attached, failure::heed, shared::Shared};

/// soglia's own manager, in front of the host's.
static IN_FRONT: OnceLock<Shared<IHostTaskManager>> = OnceLock::new();
pub static TASK_MANAGER: OnceLock<Shared<IHostTaskManager>> = OnceLock::new();
pub static GC_MANAGER: OnceLock<Shared<IHostGCManager>> = OnceLock::new();
pub static POLICY_MANAGER: OnceLock<Shared<IHostPolicyManager>> = OnceLock::new();
pub static SYNC_MANAGER: OnceLock<Shared<IHostSyncManager>> = OnceLock::new();
pub static POOL_MANAGER: OnceLock<Shared<IHostThreadpoolManager>> = OnceLock::new();

/// The `IHostTaskManager` to notify of crossings that came before the runtime ran: the host's, or
/// soglia's own in front of it. It takes a load or two, and the result does not change once the
/// runtime runs.
#[inline]
pub fn task_manager() -> Option<&'static IHostTaskManager> {
    let manager = IN_FRONT.get().or_else(|| TASK_MANAGER.get());
    manager.map(|manager| &manager.0)
}

/// Whether a host is notified of crossings now, whenever its manager came.
pub fn has_task_manager() -> bool {
    task_manager().is_some() || attached::is_there()
}

/// Puts a manager in front, which passes notifications on. Once, before the runtime runs.
pub fn put_in_front(manager: IHostTaskManager) {
    let _ = IN_FRONT.set(Shared(manager));
}

/// The host's `IHostGCManager`, to notify of suspensions.
#[inline]
pub fn gc_manager() -> Option<&'static IHostGCManager> {
    GC_MANAGER.get().map(|manager| &manager.0)
}

/// The host's `IHostPolicyManager`, to notify of what ends the process.
pub fn policy_manager() -> Option<&'static IHostPolicyManager> {
    POLICY_MANAGER.get().map(|manager| &manager.0)
}

/// The host's `IHostSyncManager`, whose events threads wait on.
pub fn sync_manager() -> Option<&'static IHostSyncManager> {
    SYNC_MANAGER.get().map(|manager| &manager.0)
}

/// The host's `IHostThreadpoolManager`, whose threads run work items.
pub fn pool_manager() -> Option<&'static IHostThreadpoolManager> {
    POOL_MANAGER.get().map(|manager| &manager.0)
}

/// Notifies the host that the runtime takes its default action.
pub fn takes_action(operation: EClrOperation, action: EPolicyAction) {
    if let Some(manager) = policy_manager() {
        // SAFETY: the host's managers live until the process ends.
        let _ = heed(unsafe { manager.OnDefaultAction(operation, action) });
    }
}

/// Notifies the host that an operation takes too long, and what follows.
pub fn times_out(operation: EClrOperation, action: EPolicyAction) {
    if let Some(manager) = policy_manager() {
        // SAFETY: the host's managers live until the process ends.
        let _ = heed(unsafe { manager.OnTimeout(operation, action) });
    }
}
