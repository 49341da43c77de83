//! `ICLRMetaHost`: which runtimes there are.

use std::{
    ffi::c_void,
    ptr::null_mut,
    sync::{
        OnceLock,
        atomic::{
            AtomicUsize,
            Ordering::{Acquire, Release},
        },
    },
};

use soglia_abi::{
    GUID, HRESULT,
    hosting::{
        com::{IEnumUnknown, IEnumUnknown_Impl, IEnumUnknown_Vtbl},
        metahost::{
            ICLRMetaHost, ICLRMetaHost_Impl, ICLRMetaHost_Vtbl, ICLRRuntimeInfo,
            RuntimeLoadedCallbackFnPtr,
        },
        types::HANDLE,
    },
    hresult,
};
use windows_core::{IUnknownImpl, Interface};

use super::{
    exit, image,
    method::door,
    runtime_info,
    runtimes::{self, Runtime, loaded_in},
    wide,
};
use crate::{
    boundary::fence,
    com::{Object, class},
};

/// Gives out the meta host.
///
/// # Safety
/// `id` and `object` are valid, as COM asks for.
pub unsafe fn create(id: *const GUID, object: *mut *mut c_void) -> HRESULT {
    static HOST: OnceLock<&Object<MetaHost>> = OnceLock::new();
    let host = HOST.get_or_init(|| Object::forever(MetaHost));
    // SAFETY: by the contract.
    unsafe { host.QueryInterface(id, object) }
}

struct MetaHost;

class!(MetaHost, MetaHost_Impl, ICLRMetaHost, ICLRMetaHost_Vtbl);

impl ICLRMetaHost_Impl for MetaHost_Impl {
    unsafe fn GetRuntime(
        &self,
        version: *const u16,
        id: *const GUID,
        object: *mut *mut c_void,
    ) -> HRESULT {
        door(|| {
            if id.is_null() || object.is_null() {
                return hresult::E_POINTER;
            }
            // SAFETY: not null, and valid by COM's rules.
            unsafe { *object = null_mut() };
            // SAFETY: zero-terminated or null, by COM's rules.
            let Some(version) = (unsafe { wide::read(version) }) else {
                return hresult::E_POINTER;
            };
            match runtimes::named(&version) {
                // SAFETY: checked above.
                Some(runtime) => unsafe { runtime_info::create(runtime, id, object) },
                None => hresult::CLR_E_SHIM_RUNTIMELOAD,
            }
        })
    }

    unsafe fn GetVersionFromFile(
        &self,
        path: *const u16,
        buffer: *mut u16,
        length: *mut u32,
    ) -> HRESULT {
        // SAFETY: the caller's pointers, valid by COM's rules.
        door(|| unsafe {
            if length.is_null() {
                return hresult::E_POINTER;
            }
            match image::version_of(path) {
                Ok(version) => wide::answer(&version, buffer, length),
                Err(why) => why,
            }
        })
    }

    unsafe fn EnumerateInstalledRuntimes(&self, enumeration: *mut *mut c_void) -> HRESULT {
        // SAFETY: the caller's pointer, valid by COM's rules.
        door(|| unsafe { enumerate(runtimes::installed(), enumeration) })
    }

    unsafe fn EnumerateLoadedRuntimes(
        &self,
        process: HANDLE,
        enumeration: *mut *mut c_void,
    ) -> HRESULT {
        // SAFETY: the caller's pointer, valid by COM's rules.
        door(|| unsafe {
            match loaded_in(process) {
                Ok(loaded) => enumerate(loaded, enumeration),
                Err(why) => why,
            }
        })
    }

    unsafe fn RequestRuntimeLoadedNotification(
        &self,
        _callback: Option<RuntimeLoadedCallbackFnPtr>,
    ) -> HRESULT {
        hresult::E_NOTIMPL
    }

    unsafe fn QueryLegacyV2RuntimeBinding(
        &self,
        _id: *const GUID,
        _object: *mut *mut c_void,
    ) -> HRESULT {
        hresult::E_NOTIMPL
    }

    unsafe fn ExitProcess(&self, code: i32) -> HRESULT {
        fence(hresult::E_FAIL, || exit::exit(code))
    }
}

/// # Safety
/// `enumeration` is null or valid.
unsafe fn enumerate(runtimes: Vec<Runtime>, enumeration: *mut *mut c_void) -> HRESULT {
    if enumeration.is_null() {
        return hresult::E_POINTER;
    }
    let runtimes = runtimes.into_iter().map(runtime_info::new).collect();
    // SAFETY: not null, and valid by the contract.
    unsafe { *enumeration = Enumeration::give(runtimes, 0) };
    hresult::S_OK
}

class!(
    Enumeration,
    Enumeration_Impl,
    IEnumUnknown,
    IEnumUnknown_Vtbl
);

struct Enumeration {
    runtimes: Vec<ICLRRuntimeInfo>,
    next: AtomicUsize,
}

impl Enumeration {
    fn give(runtimes: Vec<ICLRRuntimeInfo>, next: usize) -> *mut c_void {
        let enumeration = Self {
            runtimes,
            next: AtomicUsize::new(next),
        };
        Object::counted(enumeration).into_raw()
    }

    /// Moves on, and gives where it was and where it is.
    fn advance(&self, by: u32) -> (usize, usize) {
        let from = self.next.load(Acquire);
        let to = from.saturating_add(by as usize).min(self.runtimes.len());
        self.next.store(to, Release);
        (from, to)
    }
}

impl IEnumUnknown_Impl for Enumeration_Impl {
    unsafe fn Next(&self, number: u32, into: *mut *mut c_void, fetched: *mut u32) -> HRESULT {
        if into.is_null() || (fetched.is_null() && number != 1) {
            return hresult::E_POINTER;
        }
        let (from, to) = self.advance(number);
        for (at, runtime) in self.runtimes[from..to].iter().enumerate() {
            // SAFETY: there is room for so many, by the method's contract.
            unsafe { *into.add(at) = runtime.clone().into_raw() };
        }
        if !fetched.is_null() {
            // SAFETY: not null, and valid by COM's rules.
            unsafe { *fetched = (to - from) as u32 };
        }
        if to - from == number as usize {
            hresult::S_OK
        } else {
            hresult::S_FALSE
        }
    }

    unsafe fn Skip(&self, number: u32) -> HRESULT {
        let (from, to) = self.advance(number);
        if to - from == number as usize {
            hresult::S_OK
        } else {
            hresult::S_FALSE
        }
    }

    unsafe fn Reset(&self) -> HRESULT {
        self.next.store(0, Release);
        hresult::S_OK
    }

    unsafe fn Clone(&self, into: *mut *mut c_void) -> HRESULT {
        if into.is_null() {
            return hresult::E_POINTER;
        }
        // SAFETY: not null, and valid by COM's rules.
        unsafe { *into = Enumeration::give(self.runtimes.clone(), self.next.load(Acquire)) };
        hresult::S_OK
    }
}
