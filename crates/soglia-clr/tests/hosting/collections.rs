//! The notifications of a GC manager.

use soglia_abi::{
    hosting::gc::{ICLRGCManager, ICLRGCManager2},
    hresult::{E_FAIL, E_INVALIDARG, E_NOTIMPL, HOST_E_CLRNOTAVAILABLE, S_FALSE, S_OK},
};

use crate::{
    api::{Library, call, control, manager, start},
    watch::{Told, watch},
};

/// What a suspension says that collected nothing.
const NONE: u32 = u32::MAX;

/// The generations that were collected, after a check of their notifications.
fn generations(told: &[Told]) -> Vec<u32> {
    let pairs = told.chunks(2).map(|pair| match pair {
        [Told::Starting, Told::Ending(generation)] => *generation,
        other => panic!("{other:?} in {told:?}"),
    });
    pairs.filter(|generation| *generation != NONE).collect()
}

pub fn suspensions_are_told(library: &Library, version: &str) {
    let host = library.host(version);
    let gc = manager::<ICLRGCManager>(&control(&host)).unwrap();
    // Other answers than E_FAIL mean nothing.
    let watch = watch(&host, S_FALSE);
    start(&host);
    assert_eq!(call(&host, "Length", "abc"), Ok(3));
    watch.take();
    for (asked, collected) in [(0, 0), (1, 1), (2, 2), (-1, 2)] {
        // SAFETY: the object is alive, and its method takes no pointers.
        unsafe { assert_eq!(gc.Collect(asked), S_OK) };
        assert_eq!(watch.threads(), 1, "a suspension is one thread's");
        assert_eq!(generations(&watch.take()), [collected]);
    }
    let before = call(&host, "Collections", "0").unwrap();
    watch.take();
    let after = call(&host, "Churn", "500").unwrap();
    let told = generations(&watch.take());
    assert!(after > before);
    assert_eq!(told.len() as i32, after - before);
}

pub fn the_youngest_generation_is_bounded(library: &Library, version: &str) {
    let host = library.host(version);
    let gc = manager::<ICLRGCManager2>(&control(&host)).unwrap();
    // SAFETY: the object is alive, and its method takes no pointers.
    unsafe {
        assert_eq!(gc.SetGCStartupLimits(0, 1000), E_INVALIDARG);
        assert_eq!(gc.SetGCStartupLimits(1 << 20, 0), E_INVALIDARG);
        assert_eq!(gc.SetGCStartupLimits(16 << 20, 0), E_NOTIMPL);
        assert_eq!(gc.SetGCStartupLimits(u32::MAX, 2 << 20), S_OK);
        assert_eq!(gc.SetGCStartupLimitsEx(0, usize::MAX), S_OK);
    }
    start(&host);
    let before = call(&host, "Collections", "0").unwrap();
    let after = call(&host, "Churn", "200").unwrap();
    assert!(after - before >= 90, "{after} - {before}");
    // Only the runtime has seen how.
    assert_eq!(call(&host, "Variable", "DOTNET_GCGen0MaxBudget"), Ok(-1));
    assert_eq!(std::env::var_os("DOTNET_GCGen0MaxBudget"), None);
}

pub fn the_collector_goes_on_in_the_background(library: &Library, version: &str) {
    let host = library.host(version);
    let watch = watch(&host, S_OK);
    start(&host);
    assert_eq!(call(&host, "CollectInBackground", ""), Ok(2));
    // Its first suspension is for a collection. The second one, for what has changed meanwhile, is
    // not.
    let told = watch.take();
    assert_eq!(generations(&told).last(), Some(&2));
    assert!(told.contains(&Told::Ending(NONE)), "{told:?}");
}

pub fn a_gc_manager_that_fails_takes_the_clr_out_of_use(library: &Library, version: &str) {
    let host = library.host(version);
    let gc = manager::<ICLRGCManager>(&control(&host)).unwrap();
    watch(&host, E_FAIL);
    start(&host);
    // SAFETY: the object is alive, and its method takes no pointers.
    unsafe {
        assert_eq!(gc.Collect(0), S_OK, "that was still under way");
        assert_eq!(gc.Collect(0), HOST_E_CLRNOTAVAILABLE);
    }
    assert_eq!(call(&host, "Length", "abc"), Err(HOST_E_CLRNOTAVAILABLE));
}
