//! A host with the managers that only get notifications, which writes these down.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    thread::{self, ThreadId},
};

use soglia_abi::{
    HRESULT,
    hosting::{
        gc::{IHostGCManager, IHostGCManager_Impl},
        policy::{
            EClrFailure, EClrOperation, EPolicyAction, IHostPolicyManager, IHostPolicyManager_Impl,
        },
        runtime_host::ICLRRuntimeHost4,
    },
    hresult::S_OK,
    param::Lent,
};
use windows_core::{ComObject, Interface, implement};

use crate::host::offers;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told {
    Starting,
    Ending(u32),
    Blocking,
}

/// The notifications, with their thread, and what the host is to answer.
pub struct Watch {
    told: Mutex<Vec<(Told, ThreadId)>>,
    answer: HRESULT,
}

/// Gives a host control with a GC manager and a policy manager to this host.
pub fn watch(host: &ICLRRuntimeHost4, answer: HRESULT) -> Arc<Watch> {
    let watch = Arc::new(Watch {
        told: Mutex::default(),
        answer,
    });
    let gc: IHostGCManager = ComObject::new(GcManager(watch.clone())).into_interface();
    let policy: IHostPolicyManager = ComObject::new(PolicyManager).into_interface();
    let control = offers([
        (IHostGCManager::IID, gc.into()),
        (IHostPolicyManager::IID, policy.into()),
    ]);
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    watch
}

impl Watch {
    fn tell(&self, told: Told) -> HRESULT {
        // What a host may do here: allocate, lock, write.
        self.told
            .lock()
            .unwrap()
            .push((told, thread::current().id()));
        println!("{told:?}");
        // SAFETY: each thread has an errno of its own, which is always there.
        unsafe { *libc::__errno_location() = libc::EXDEV };
        self.answer
    }

    /// How many threads have told something since the last time.
    pub fn threads(&self) -> usize {
        let told = self.told.lock().unwrap();
        told.iter()
            .map(|(_, thread)| thread)
            .collect::<HashSet<_>>()
            .len()
    }

    /// The notifications since the last time.
    pub fn take(&self) -> Vec<Told> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        told.into_iter().map(|(told, _)| told).collect()
    }
}

#[implement(IHostGCManager)]
struct GcManager(Arc<Watch>);

impl IHostGCManager_Impl for GcManager_Impl {
    unsafe fn ThreadIsBlockingForSuspension(&self) -> HRESULT {
        self.0.tell(Told::Blocking)
    }
    unsafe fn SuspensionStarting(&self) -> HRESULT {
        self.0.tell(Told::Starting)
    }
    unsafe fn SuspensionEnding(&self, generation: u32) -> HRESULT {
        self.0.tell(Told::Ending(generation))
    }
}

/// Prints each notification at once: the process may be about to end.
#[implement(IHostPolicyManager)]
struct PolicyManager;

impl IHostPolicyManager_Impl for PolicyManager_Impl {
    unsafe fn OnDefaultAction(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT {
        println!("default action {} {}", operation.0, action.0);
        S_OK
    }
    unsafe fn OnTimeout(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT {
        println!("timeout {} {}", operation.0, action.0);
        S_OK
    }
    unsafe fn OnFailure(&self, failure: EClrFailure, action: EPolicyAction) -> HRESULT {
        println!("failure {} {}", failure.0, action.0);
        S_OK
    }
}
