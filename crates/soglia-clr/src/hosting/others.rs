//! The CLR's managers with little or nothing left to manage in .NET.

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
    param::{Array, In, InOut, Out, Wide},
};

use super::{
    clr, managed,
    method::{giving, method},
    settings,
};
use crate::com::{Object, class};

/// The debug manager, with a reference for the caller.
pub fn debug() -> *mut c_void {
    static MANAGER: OnceLock<&Object<Debug>> = OnceLock::new();
    MANAGER.get_or_init(|| Object::forever(Debug)).give()
}

struct Debug;

class!(Debug, Debug_Impl, ICLRDebugManager, ICLRDebugManager_Vtbl);

impl ICLRDebugManager_Impl for Debug_Impl {
    unsafe fn BeginConnection(&self, _id: CONNID, _name: Wide<'_>) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn SetConnectionTasks(
        &self,
        _id: CONNID,
        _count: u32,
        _tasks: Array<'_, *mut c_void>,
    ) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn EndConnection(&self, _id: CONNID) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn SetDacl(&self, _acl: *mut c_void) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn GetDacl(&self, _acl: Out<'_, *mut c_void>) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn IsDebuggerAttached(&self, attached: Out<'_, BOOL>) -> HRESULT {
        method(|| attached.fill(|| Ok(managed::debugger_attached()?.into())))
    }

    unsafe fn SetSymbolReadingPolicy(&self, _policy: ESymbolReadingPolicy) -> HRESULT {
        method(|| E_NOTIMPL)
    }
}

/// The interface with this IID, with a reference for the caller; null for any other IID.
pub fn error_reporting(id: &GUID) -> *mut c_void {
    static MANAGER: OnceLock<&Object<ErrorReporting>> = OnceLock::new();
    let manager = MANAGER.get_or_init(|| Object::forever(ErrorReporting));
    let mut object = std::ptr::null_mut();
    // It stays null if there is no such interface.
    let _ = manager.interface(In::new(id), Out::new(&mut object));
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
    unsafe fn GetBucketParametersForCurrentException(
        &self,
        _: Out<'_, BucketParameters>,
    ) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn BeginCustomDump(
        &self,
        _flavor: ECustomDumpFlavor,
        _number: u32,
        _items: Array<'_, CustomDumpItem>,
        _reserved: u32,
    ) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn EndCustomDump(&self) -> HRESULT {
        method(|| E_NOTIMPL)
    }
}

impl ICLRErrorReportingManager2_Impl for ErrorReporting_Impl {
    unsafe fn SetApplicationData(&self, _key: u32, _value: Wide<'_>) -> HRESULT {
        method(|| E_NOTIMPL)
    }

    unsafe fn SetBucketParametersForUnhandledException(
        &self,
        _parameters: In<'_, BucketParameters>,
        _number: InOut<'_, u32>,
    ) -> HRESULT {
        method(|| E_NOTIMPL)
    }
}

/// The host protection manager, with a reference for the caller.
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

/// The domain manager, with a reference for the caller.
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
        _assembly: Wide<'_>,
        _type: Wide<'_>,
        _flags: EInitializeNewDomainFlags,
    ) -> HRESULT {
        // .NET has no AppDomainManager.
        method(|| E_NOTIMPL)
    }

    /// Sets what `AppContext.GetData` returns, as `AppDomain.GetData` did.
    unsafe fn SetPropertiesForDefaultAppDomain(
        &self,
        number: u32,
        names: Array<'_, Wide<'_>>,
        values: Array<'_, Wide<'_>>,
    ) -> HRESULT {
        giving(|| {
            if clr::is_running() {
                return HOST_E_INVALIDOPERATION;
            }
            // SAFETY: the caller of this method says by `number` how many names and values there
            // are.
            let all = unsafe { (names.get(number as usize), values.get(number as usize)) };
            let (Some(names), Some(values)) = all else {
                return E_POINTER;
            };
            let pairs = names.iter().zip(values);
            let properties: Option<Vec<_>> = pairs
                .map(|(name, value)| Some((name.to_text()?, value.to_text()?)))
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
