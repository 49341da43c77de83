//! The CLR's managers that have little or nothing left to manage.

use std::{ffi::c_void, sync::OnceLock};

use soglia_abi::{
    BOOL, GUID, HRESULT,
    hosting::{
        control::{
            EInitializeNewDomainFlags, ICLRDomainManager, ICLRDomainManager_Impl,
            ICLRDomainManager_Vtbl,
        },
        debug::{
            BucketParameters, CustomDumpItem, EApiCategories, ECustomDumpFlavor,
            ESymbolReadingPolicy, ICLRDebugManager, ICLRDebugManager_Impl, ICLRDebugManager_Vtbl,
            ICLRErrorReportingManager_Impl, ICLRErrorReportingManager2,
            ICLRErrorReportingManager2_Impl, ICLRErrorReportingManager2_Vtbl,
            ICLRHostProtectionManager, ICLRHostProtectionManager_Impl,
            ICLRHostProtectionManager_Vtbl,
        },
        types::CONNID,
    },
    hresult::{E_INVALIDARG, E_NOTIMPL, E_POINTER, HOST_E_INVALIDOPERATION, S_OK},
};
use windows_core::IUnknownImpl;

use super::{
    clr, managed,
    method::{giving, method},
    settings, wide,
};
use crate::com::{Object, class};

/// With a reference for the caller.
pub fn debug() -> *mut c_void {
    static MANAGER: OnceLock<&Object<Debug>> = OnceLock::new();
    MANAGER.get_or_init(|| Object::forever(Debug)).give()
}

struct Debug;

class!(Debug, Debug_Impl, ICLRDebugManager, ICLRDebugManager_Vtbl);

impl ICLRDebugManager_Impl for Debug_Impl {
    unsafe fn BeginConnection(&self, _id: CONNID, _name: *const u16) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn SetConnectionTasks(
        &self,
        _id: CONNID,
        _count: u32,
        _tasks: *mut *mut c_void,
    ) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn EndConnection(&self, _id: CONNID) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn SetDacl(&self, _acl: *mut c_void) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn GetDacl(&self, _acl: *mut *mut c_void) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn IsDebuggerAttached(&self, attached: *mut BOOL) -> HRESULT {
        method(|| {
            if attached.is_null() {
                return E_POINTER;
            }
            match managed::debugger_attached() {
                Ok(answer) => {
                    // SAFETY: not null, and valid by COM's rules.
                    unsafe { *attached = answer.into() };
                    S_OK
                }
                Err(why) => why,
            }
        })
    }

    unsafe fn SetSymbolReadingPolicy(&self, _policy: ESymbolReadingPolicy) -> HRESULT {
        method(|| E_NOTIMPL)
    }
}

/// The interface of that IID, with a reference for the caller; null if it is another.
pub fn error_reporting(id: &GUID) -> *mut c_void {
    static MANAGER: OnceLock<&Object<ErrorReporting>> = OnceLock::new();
    let manager = MANAGER.get_or_init(|| Object::forever(ErrorReporting));
    let mut object = std::ptr::null_mut();
    // SAFETY: an IID and a place for the answer, which stays null if there is none.
    let _ = unsafe { manager.QueryInterface(id, &raw mut object) };
    object
}

/// Windows Error Reporting.
struct ErrorReporting;

class!(
    ErrorReporting,
    ErrorReporting_Impl,
    ICLRErrorReportingManager2,
    ICLRErrorReportingManager2_Vtbl
);

impl ICLRErrorReportingManager_Impl for ErrorReporting_Impl {
    unsafe fn GetBucketParametersForCurrentException(&self, _: *mut BucketParameters) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn BeginCustomDump(
        &self,
        _flavor: ECustomDumpFlavor,
        _number: u32,
        _items: *const CustomDumpItem,
        _reserved: u32,
    ) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn EndCustomDump(&self) -> HRESULT {
        method(|| E_NOTIMPL)
    }
}

impl ICLRErrorReportingManager2_Impl for ErrorReporting_Impl {
    unsafe fn SetApplicationData(&self, _key: u32, _value: *const u16) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn SetBucketParametersForUnhandledException(
        &self,
        _parameters: *const BucketParameters,
        _number: *mut u32,
    ) -> HRESULT {
        method(|| E_NOTIMPL)
    }
}

/// With a reference for the caller.
pub fn host_protection() -> *mut c_void {
    static MANAGER: OnceLock<&Object<HostProtection>> = OnceLock::new();
    MANAGER
        .get_or_init(|| Object::forever(HostProtection))
        .give()
}

/// .NET has no partial trust.
struct HostProtection;

class!(
    HostProtection,
    HostProtection_Impl,
    ICLRHostProtectionManager,
    ICLRHostProtectionManager_Vtbl
);

impl ICLRHostProtectionManager_Impl for HostProtection_Impl {
    unsafe fn SetProtectedCategories(&self, _categories: EApiCategories) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn SetEagerSerializeGrantSets(&self) -> HRESULT {
        method(|| E_NOTIMPL)
    }
}

/// With a reference for the caller.
pub fn domain() -> *mut c_void {
    static MANAGER: OnceLock<&Object<Domain>> = OnceLock::new();
    MANAGER.get_or_init(|| Object::forever(Domain)).give()
}

struct Domain;

class!(
    Domain,
    Domain_Impl,
    ICLRDomainManager,
    ICLRDomainManager_Vtbl
);

impl ICLRDomainManager_Impl for Domain_Impl {
    unsafe fn SetAppDomainManagerType(
        &self,
        _assembly: *const u16,
        _type: *const u16,
        _flags: EInitializeNewDomainFlags,
    ) -> HRESULT {
        // .NET has no AppDomainManager.
        method(|| E_NOTIMPL)
    }

    /// What `AppContext.GetData` gives, as `AppDomain.GetData` did.
    unsafe fn SetPropertiesForDefaultAppDomain(
        &self,
        number: u32,
        names: *const *const u16,
        values: *const *const u16,
    ) -> HRESULT {
        giving(|| {
            if clr::is_running() {
                return HOST_E_INVALIDOPERATION;
            }
            if number > 0 && (names.is_null() || values.is_null()) {
                return E_POINTER;
            }
            // SAFETY: so many texts, each zero-terminated or null, by COM's rules.
            let properties: Option<Vec<_>> = (0..number as usize)
                .map(|i| unsafe { Some((wide::read(*names.add(i))?, wide::read(*values.add(i))?)) })
                .collect();
            match properties {
                Some(properties) => {
                    settings::settings().properties.extend(properties);
                    S_OK
                }
                None => E_INVALIDARG,
            }
        })
    }
}
