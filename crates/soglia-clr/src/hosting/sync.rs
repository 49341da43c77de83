//! `ICLRSyncManager`: says who owns a lock, for a host that looks for deadlocks; and the beginning
//! of waits on events of the host.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::c_void,
    ptr::null_mut,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::AcqRel},
    },
};

use soglia_abi::{
    HRESULT,
    hosting::sync::{ICLRSyncManager, ICLRSyncManager_Impl, ICLRSyncManager_Vtbl},
    hresult::{E_INVALIDARG, S_OK},
    param::Out,
};

use super::{managed, method::method};
use crate::{
    com::{Object, class},
    notify::waits,
};

/// The manager, with a reference for the caller.
pub fn manager() -> *mut c_void {
    static MANAGER: OnceLock<&Object<SyncManager>> = OnceLock::new();
    MANAGER
        .get_or_init(|| Object::forever(SyncManager::default()))
        .give()
}

/// Has threads wait on events of the host, if it gave what is needed. To be called when the runtime
/// has started.
pub fn started() {
    static CARRIED: AtomicBool = AtomicBool::new(false);
    if waits::on() && !CARRIED.swap(true, AcqRel) {
        waits::look_by(|| managed::check().ok());
        // If managed code cannot be called, .NET waits itself.
        let _ = managed::carry(&waits::TABLE);
    }
}

#[derive(Default)]
struct SyncManager {
    /// Lists of owners that hosts have begun, and the number of the last one.
    lists: Mutex<(usize, BTreeMap<usize, VecDeque<usize>>)>,
}

class!(
    SyncManager,
    SyncManager_Impl,
    ICLRSyncManager,
    ICLRSyncManager_Vtbl
);

impl SyncManager {
    fn lists(&self) -> MutexGuard<'_, (usize, BTreeMap<usize, VecDeque<usize>>)> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ICLRSyncManager_Impl for SyncManager_Impl {
    unsafe fn GetMonitorOwner(&self, cookie: usize, task: Out<'_, *mut c_void>) -> HRESULT {
        method(|| task.fill(|| Ok(waits::owner(cookie))))
    }

    unsafe fn CreateRWLockOwnerIterator(&self, cookie: usize, list: Out<'_, usize>) -> HRESULT {
        method(|| {
            list.fill(|| {
                let mut lists = self.lists();
                lists.0 += 1;
                let number = lists.0;
                lists.1.insert(number, VecDeque::from([cookie]));
                Ok(number)
            })
        })
    }

    unsafe fn GetRWLockOwnerNext(&self, list: usize, task: Out<'_, *mut c_void>) -> HRESULT {
        method(|| {
            task.fill(|| {
                let cookie = {
                    let mut lists = self.lists();
                    lists.1.get_mut(&list).ok_or(E_INVALIDARG)?.pop_front()
                };
                Ok(cookie.map_or(null_mut(), waits::owner))
            })
        })
    }

    unsafe fn DeleteRWLockOwnerIterator(&self, list: usize) -> HRESULT {
        method(|| match self.lists().1.remove(&list) {
            Some(_) => S_OK,
            None => E_INVALIDARG,
        })
    }
}
