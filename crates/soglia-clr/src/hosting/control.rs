//! `ICLRControl`: hands out the CLR's managers.

use std::{
    ffi::c_void,
    sync::{Mutex, PoisonError},
};

use soglia_abi::{
    GUID, HRESULT,
    hosting::{
        clr_task::ICLRTaskManager,
        control::{ICLRControl, ICLRControl_Impl, ICLRControl_Vtbl, ICLRDomainManager},
        debug::{
            ICLRDebugManager, ICLRErrorReportingManager, ICLRErrorReportingManager2,
            ICLRHostProtectionManager,
        },
        gc::{ICLRAppDomainResourceMonitor, ICLRGCManager, ICLRGCManager2},
        policy::{ICLROnEventManager, ICLRPolicyManager},
    },
    hresult::{
        E_INVALIDARG, E_NOINTERFACE, E_NOTIMPL, HOST_E_CLRNOTAVAILABLE, HOST_E_INVALIDOPERATION,
    },
    param::{In, Out, Wide},
};
use windows_core::Interface;

use super::{
    clr, collector, events,
    method::{giving, method},
    others, policy, tasks,
};
use crate::com::{Object, class};

/// A control, with a reference for the caller. A control that is made before the runtime runs gives
/// out everything for good. `major` is the version of the runtime that the host is for.
pub fn create(limited: bool, major: u64) -> *mut c_void {
    // One full and one limited for each version: few.
    static ALL: Mutex<Vec<&Object<Control>>> = Mutex::new(Vec::new());
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |control: &&&Object<Control>| (control.limited, control.major) == (limited, major);
    let known = all.iter().find(same).copied();
    let control = known.unwrap_or_else(|| {
        let control = Object::forever(Control { limited, major });
        all.push(control);
        control
    });
    control.give()
}

class!(Control, Control_Impl, ICLRControl, ICLRControl_Vtbl);

struct Control {
    /// Made when the runtime ran, so that it no longer gives out what configures the start.
    limited: bool,
    major: u64,
}

impl ICLRControl_Impl for Control_Impl {
    unsafe fn GetCLRManager(&self, id: In<'_, GUID>, mut manager: Out<'_, *mut c_void>) -> HRESULT {
        giving(|| {
            let Some(id) = id.get().filter(|_| !manager.is_null()) else {
                return E_INVALIDARG;
            };
            manager.write_if_wanted(std::ptr::null_mut());
            let reporting = [
                ICLRErrorReportingManager::IID,
                ICLRErrorReportingManager2::IID,
            ]
            .contains(id);
            if self.limited && clr::is_running() && !reporting {
                return HOST_E_INVALIDOPERATION;
            }
            let found = match *id {
                _ if reporting => others::error_reporting(id),
                ICLRTaskManager::IID => tasks::manager(),
                ICLRGCManager::IID | ICLRGCManager2::IID => collector::manager(id),
                ICLRAppDomainResourceMonitor::IID => collector::monitor(),
                ICLROnEventManager::IID => events::manager(),
                ICLRPolicyManager::IID => policy::manager(self.major),
                ICLRDebugManager::IID => others::debug(),
                ICLRHostProtectionManager::IID => others::host_protection(),
                ICLRDomainManager::IID => others::domain(),
                _ => return E_NOINTERFACE,
            };
            if found.is_null() {
                return HOST_E_CLRNOTAVAILABLE;
            }
            manager.write(found)
        })
    }

    unsafe fn SetAppDomainManagerType(&self, _assembly: Wide<'_>, _type: Wide<'_>) -> HRESULT {
        // .NET has no AppDomainManager.
        method(|| E_NOTIMPL)
    }
}
