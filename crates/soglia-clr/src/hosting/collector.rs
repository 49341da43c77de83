//! `ICLRGCManager`, `ICLRAppDomainResourceMonitor` and the callback for scarce memory: the garbage
//! collector, as far as .NET shows it.

use std::{
    ffi::c_void,
    sync::{
        OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use soglia_abi::{
    GUID, HRESULT,
    hosting::{
        gc::{
            COR_GC_COUNTS, COR_GC_MEMORYUSAGE, COR_GC_STATS, ICLRAppDomainResourceMonitor,
            ICLRAppDomainResourceMonitor_Impl, ICLRAppDomainResourceMonitor_Vtbl,
            ICLRGCManager_Impl, ICLRGCManager2, ICLRGCManager2_Impl, ICLRGCManager2_Vtbl,
        },
        memory::{
            EMemoryAvailable, ICLRMemoryNotificationCallback, ICLRMemoryNotificationCallback_Impl,
            ICLRMemoryNotificationCallback_Vtbl, eMemoryAvailableLow,
        },
    },
    hresult::{COR_E_APPDOMAINUNLOADED, E_INVALIDARG, E_NOTIMPL, E_POINTER, S_OK},
    param::{In, InOut, Out},
};
use soglia_core::time::Anchor;

use super::{
    clr::{self, DOMAIN},
    domains, managed,
    method::{answer, giving, method},
    settings,
    starts::started,
};
use crate::{
    clerk,
    com::{Object, class},
};

/// Generations are 0 to this.
const HIGHEST: i32 = 2;

fn kilobytes(bytes: i64) -> usize {
    bytes.max(0) as usize >> 10
}

/// Collections that hosts asked for.
static EXPLICIT: AtomicUsize = AtomicUsize::new(0);

/// The interface with this IID, with a reference for the caller; null for any other IID.
pub fn manager(id: &GUID) -> *mut c_void {
    static MANAGER: OnceLock<&Object<GcManager>> = OnceLock::new();
    let manager = MANAGER.get_or_init(|| Object::forever(GcManager));
    let mut object = std::ptr::null_mut();
    // It stays null if there is no such interface.
    let _ = manager.interface(In::new(id), Out::new(&mut object));
    object
}

struct GcManager;

class!(
    GcManager,
    GcManager_Impl,
    ICLRGCManager2,
    ICLRGCManager2_Vtbl
);

impl ICLRGCManager_Impl for GcManager_Impl {
    unsafe fn Collect(&self, generation: i32) -> HRESULT {
        giving(|| {
            if !(-1..=HIGHEST).contains(&generation) {
                return E_INVALIDARG;
            }
            answer(
                started()
                    .and_then(|_| managed::collect(generation))
                    .map(|()| {
                        EXPLICIT.fetch_add(1, Relaxed);
                    }),
            )
        })
    }

    unsafe fn GetStats(&self, mut stats: InOut<'_, COR_GC_STATS>) -> HRESULT {
        giving(|| {
            let Some(stats) = stats.get() else {
                return E_POINTER;
            };
            if stats.Flags & !(COR_GC_COUNTS | COR_GC_MEMORYUSAGE) != 0 {
                return E_INVALIDARG;
            }
            answer(started().and_then(|_| managed::statistics()).map(|now| {
                if stats.Flags & COR_GC_COUNTS != 0 {
                    stats.ExplicitGCCount = EXPLICIT.load(Relaxed);
                    stats.GenCollectionsTaken = now.collections.map(|n| n as usize);
                }
                if stats.Flags & COR_GC_MEMORYUSAGE != 0 {
                    stats.CommittedKBytes = kilobytes(now.committed);
                    let [gen0, gen1, gen2, large] = now.sizes.map(kilobytes);
                    stats.Gen0HeapSizeKBytes = gen0;
                    stats.Gen1HeapSizeKBytes = gen1;
                    stats.Gen2HeapSizeKBytes = gen2;
                    stats.LargeObjectHeapSizeKBytes = large;
                    // .NET does not say what is reserved, and what was promoted from where, so
                    // those fields keep their values.
                }
            }))
        })
    }

    unsafe fn SetGCStartupLimits(&self, segment: u32, gen0: u32) -> HRESULT {
        let wide = |size: u32| {
            if size == u32::MAX {
                usize::MAX
            } else {
                size as usize
            }
        };
        method(|| limit(wide(segment), wide(gen0)))
    }
}

impl ICLRGCManager2_Impl for GcManager_Impl {
    unsafe fn SetGCStartupLimitsEx(&self, segment: usize, gen0: usize) -> HRESULT {
        method(|| limit(segment, gen0))
    }
}

/// The smallest value of each.
const LEAST: (usize, usize) = (4 << 20, 64 << 10);

/// Bounds generation 0. The values 0 and all ones leave a bound as it is. .NET's heap has no
/// segments, so their size cannot be set.
fn limit(segment: usize, gen0: usize) -> HRESULT {
    let wish = |size: usize| (size != 0 && size != usize::MAX).then_some(size);
    let (segment, gen0) = (wish(segment), wish(gen0));
    if segment.is_some_and(|size| size < LEAST.0 || size % (1 << 20) != 0)
        || gen0.is_some_and(|size| size < LEAST.1)
    {
        return E_INVALIDARG;
    }
    if segment.is_some() {
        return E_NOTIMPL;
    }
    // When the runtime has started, calls are documented to be ignored.
    if gen0.is_some() && !clr::is_running() {
        settings::settings().gen0 = gen0;
    }
    S_OK
}

/// The monitor, with a reference for the caller.
pub fn monitor() -> *mut c_void {
    static MONITOR: OnceLock<&Object<Monitor>> = OnceLock::new();
    MONITOR.get_or_init(|| Object::forever(Monitor)).give()
}

/// The first domain uses what the process uses.
struct Monitor;

class!(
    Monitor,
    Monitor_Impl,
    ICLRAppDomainResourceMonitor,
    ICLRAppDomainResourceMonitor_Vtbl
);

fn monitored(domain: u32, ask: impl FnOnce() -> Result<(), HRESULT>) -> HRESULT {
    method(|| match started() {
        // .NET counts for the process only.
        Ok(_) if domain != DOMAIN => {
            domains::find(domain).map_or(COR_E_APPDOMAINUNLOADED, |_| E_NOTIMPL)
        }
        Ok(_) => answer(ask()),
        Err(why) => why,
    })
}

/// A number of bytes or milliseconds, which .NET counts with a sign.
fn amount(number: i64) -> u64 {
    number.max(0) as u64
}

impl ICLRAppDomainResourceMonitor_Impl for Monitor_Impl {
    unsafe fn GetCurrentAllocated(&self, domain: u32, mut allocated: Out<'_, u64>) -> HRESULT {
        monitored(domain, || {
            allocated.write_if_wanted(amount(managed::used()?.allocated));
            Ok(())
        })
    }

    unsafe fn GetCurrentSurvived(
        &self,
        domain: u32,
        mut survived: Out<'_, u64>,
        mut total: Out<'_, u64>,
    ) -> HRESULT {
        monitored(domain, || {
            let used = managed::used()?;
            survived.write_if_wanted(amount(used.survived));
            total.write_if_wanted(amount(used.survived));
            Ok(())
        })
    }

    unsafe fn GetCurrentCpuTime(&self, domain: u32, mut milliseconds: Out<'_, u64>) -> HRESULT {
        monitored(domain, || {
            // SAFETY: zeroed is a valid timespec, which the call fills in.
            let now = unsafe {
                let mut now: libc::timespec = std::mem::zeroed();
                libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut now);
                now
            };
            milliseconds.write_if_wanted(amount(now.tv_sec * 1000 + now.tv_nsec / 1_000_000));
            Ok(())
        })
    }
}

/// What `RegisterMemoryNotificationCallback` gives the host, with a reference for it.
pub fn memory_callback() -> *mut c_void {
    static CALLBACK: OnceLock<&Object<Memory>> = OnceLock::new();
    CALLBACK.get_or_init(|| Object::forever(Memory)).give()
}

struct Memory;

class!(
    Memory,
    Memory_Impl,
    ICLRMemoryNotificationCallback,
    ICLRMemoryNotificationCallback_Vtbl
);

/// The time between collections, as in .NET Framework.
const BETWEEN_COLLECTIONS_NS: u64 = 8_192_000_000;

impl ICLRMemoryNotificationCallback_Impl for Memory_Impl {
    unsafe fn OnMemoryNotification(&self, available: EMemoryAvailable) -> HRESULT {
        static LAST: AtomicU64 = AtomicU64::new(0);
        method(|| {
            if available != eMemoryAvailableLow || started().is_err() {
                return S_OK;
            }
            let (last, now) = (LAST.load(Relaxed), Anchor::take().monotonic_ns);
            let due = last == 0 || now.saturating_sub(last) >= BETWEEN_COLLECTIONS_NS;
            if due && LAST.compare_exchange(last, now, Relaxed, Relaxed).is_ok() {
                // Not on the host's thread, which may hold locks of the host. If no thread can be
                // made, nothing is collected.
                clerk::thread_for_others(|| {
                    let _ = method(|| answer(managed::collect(-1)));
                });
            }
            S_OK
        })
    }
}
