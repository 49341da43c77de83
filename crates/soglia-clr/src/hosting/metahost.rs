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
    param::{Buffer, In, InOut, Out, Wide},
};
use windows_core::Interface;

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
pub fn create(id: In<'_, GUID>, object: Out<'_, *mut c_void>) -> HRESULT {
    static HOST: OnceLock<&Object<MetaHost>> = OnceLock::new();
    let host = HOST.get_or_init(|| Object::forever(MetaHost));
    host.interface(id, object)
}

struct MetaHost;

class!(MetaHost, MetaHost_Impl, ICLRMetaHost, ICLRMetaHost_Vtbl);

impl ICLRMetaHost_Impl for MetaHost_Impl {
    unsafe fn GetRuntime(
        &self,
        version: Wide<'_>,
        id: In<'_, GUID>,
        mut object: Out<'_, *mut c_void>,
    ) -> HRESULT {
        door(|| {
            if id.is_null() || object.is_null() {
                return hresult::E_POINTER;
            }
            object.write_if_wanted(null_mut());
            let Some(version) = version.to_text() else {
                return hresult::E_POINTER;
            };
            match runtimes::named(&version) {
                Some(runtime) => runtime_info::create(runtime, id, object),
                None => hresult::CLR_E_SHIM_RUNTIMELOAD,
            }
        })
    }

    unsafe fn GetVersionFromFile(
        &self,
        path: Wide<'_>,
        buffer: Buffer<'_, u16>,
        length: InOut<'_, u32>,
    ) -> HRESULT {
        door(|| {
            if length.is_null() {
                return hresult::E_POINTER;
            }
            match image::version_of(path) {
                // SAFETY: the caller of this method says by `length` how much room the buffer has.
                Ok(version) => unsafe { wide::answer(&version, buffer, length) },
                Err(why) => why,
            }
        })
    }

    unsafe fn EnumerateInstalledRuntimes(&self, enumeration: Out<'_, *mut c_void>) -> HRESULT {
        door(|| enumerate(runtimes::installed(), enumeration))
    }

    unsafe fn EnumerateLoadedRuntimes(
        &self,
        process: HANDLE,
        enumeration: Out<'_, *mut c_void>,
    ) -> HRESULT {
        door(|| match loaded_in(process) {
            Ok(loaded) => enumerate(loaded, enumeration),
            Err(why) => why,
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
        _id: In<'_, GUID>,
        _object: Out<'_, *mut c_void>,
    ) -> HRESULT {
        hresult::E_NOTIMPL
    }

    unsafe fn ExitProcess(&self, code: i32) -> HRESULT {
        fence(hresult::E_FAIL, || exit::exit(code))
    }
}

fn enumerate(runtimes: Vec<Runtime>, enumeration: Out<'_, *mut c_void>) -> HRESULT {
    enumeration.fill(|| {
        let runtimes = runtimes.into_iter().map(runtime_info::new).collect();
        Ok(Enumeration::give(runtimes, 0))
    })
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

    /// Moves on. Returns the position before and after.
    fn advance(&self, by: u32) -> (usize, usize) {
        let from = self.next.load(Acquire);
        let to = from.saturating_add(by as usize).min(self.runtimes.len());
        self.next.store(to, Release);
        (from, to)
    }
}

impl IEnumUnknown_Impl for Enumeration_Impl {
    unsafe fn Next(
        &self,
        number: u32,
        into: Buffer<'_, *mut c_void>,
        mut fetched: Out<'_, u32>,
    ) -> HRESULT {
        if into.is_null() || (fetched.is_null() && number != 1) {
            return hresult::E_POINTER;
        }
        let (from, to) = self.advance(number);
        // SAFETY: the caller of this method says by `number` how much room the buffer has, and `to`
        // is at most that much ahead.
        let places = unsafe { into.places(to - from) }.unwrap_or_default();
        for (place, runtime) in places.iter_mut().zip(&self.runtimes[from..to]) {
            place.write(runtime.clone().into_raw());
        }
        fetched.write_if_wanted((to - from) as u32);
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

    unsafe fn Clone(&self, into: Out<'_, *mut c_void>) -> HRESULT {
        into.fill(|| {
            let next = self.next.load(Acquire);
            Ok(Enumeration::give(self.runtimes.clone(), next))
        })
    }
}
