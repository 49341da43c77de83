//! How long the CLR's objects live, for hosts that count rightly, not at all, and too little.

use std::{ffi::c_void, ptr::null_mut, sync::atomic::Ordering::Relaxed};

use soglia_abi::{
    GUID, HRESULT,
    hosting::{
        clr_task::{ICLRTask2, ICLRTaskManager},
        com::IEnumUnknown,
        control::{ICLRControl, ICLRDomainManager},
        debug::{ICLRDebugManager, ICLRErrorReportingManager, ICLRHostProtectionManager},
        gc::{ICLRAppDomainResourceMonitor, ICLRGCManager},
        host_task::IHostTaskManager,
        metahost::{
            CLSID_CLRMetaHost, CLSID_CLRMetaHostPolicy, ICLRMetaHost, ICLRMetaHostPolicy,
            ICLRRuntimeInfo,
        },
        own::ISogliaSlots,
        policy::{ICLROnEventManager, ICLRPolicyManager},
        runtime_host::{CLSID_CLRRuntimeHost, ICLRRuntimeHost, ICLRRuntimeHost4},
    },
    hresult::*,
    param::{Buffer, In, Lent, Out},
};
use windows_core::{IUnknown, Interface};

use crate::{
    api::{Library, call, control, start},
    script::{Acting, wait_for},
    slots,
};

/// More than a host could forget to count.
const TOO_OFTEN: usize = 9;

/// Asks for an object, releases it too often and uses it again. Its interfaces still hold it, and
/// the caller gets one of them.
fn released_too_often<T: Interface>(
    ask: impl Fn(In<'_, GUID>, Out<'_, *mut c_void>) -> HRESULT,
    what: &str,
) -> T {
    let mut object = null_mut();
    let answer = ask(In::new(&T::IID), Out::new(&mut object));
    assert_eq!(answer, S_OK, "{what}");
    for _ in 0..TOO_OFTEN {
        // SAFETY: an object of the library under test, which is released too often, as hosts do.
        unsafe {
            let unknown = IUnknown::from_raw_borrowed(&object).unwrap();
            (Interface::vtable(unknown).Release)(object);
        }
    }
    // SAFETY: as above: alive all the same.
    let unknown = unsafe { IUnknown::from_raw_borrowed(&object) }.unwrap();
    let again: T = unknown.cast().unwrap_or_else(|why| panic!("{what}: {why}"));
    assert!(unknown.cast::<IUnknown>().is_ok(), "{what}");
    again
}

pub fn objects_survive_releases(library: &Library, version: &str) {
    // SAFETY: the library under test stays loaded until the process ends.
    let create = |class, id: In<'_, GUID>, object: Out<'_, *mut c_void>| unsafe {
        library.create()(In::new(class), id, object)
    };
    let meta: ICLRMetaHost = released_too_often(
        |id, object| create(&CLSID_CLRMetaHost, id, object),
        "meta host",
    );
    let _: ICLRMetaHostPolicy = released_too_often(
        |id, object| create(&CLSID_CLRMetaHostPolicy, id, object),
        "policy",
    );
    let name = crate::api::wide(version);
    let info: ICLRRuntimeInfo = released_too_often(
        // SAFETY: the object is alive while it is used here.
        |id, object| unsafe { meta.GetRuntime(name.lent(), id, object) },
        "runtime info",
    );
    assert_eq!(crate::api::version_of(&info), format!("v{version}"));
    let installed: IEnumUnknown = released_too_often(
        // SAFETY: the object is alive while it is used here.
        |_, object| unsafe { meta.EnumerateInstalledRuntimes(object) },
        "enumerator",
    );
    let first: ICLRRuntimeInfo = released_too_often(
        // SAFETY: the object is alive, and the place is room for one.
        |_, object| unsafe { installed.Next(1, Buffer::from_raw(object.as_ptr()), Out::null()) },
        "an element",
    );
    assert!(crate::api::version_of(&first).starts_with('v'));
    let _: IEnumUnknown = released_too_often(
        // SAFETY: the object is alive while it is used here.
        |_, object| unsafe { IEnumUnknown::Clone(&installed, object) },
        "a copy of it",
    );
    let host: ICLRRuntimeHost = released_too_often(
        // SAFETY: the object is alive while it is used here.
        |id, object| unsafe { info.GetInterface(In::new(&CLSID_CLRRuntimeHost), id, object) },
        "runtime host",
    );
    let host: ICLRRuntimeHost4 = host.cast().unwrap();
    let clr: ICLRControl = released_too_often(
        // SAFETY: the object is alive while it is used here.
        |_, object| unsafe { host.GetCLRControl(object) },
        "control",
    );
    let bound: IHostTaskManager = released_too_often(
        // SAFETY: the library under test stays loaded until the process ends.
        |_, object| unsafe { slots::create(library)(2, 0, Lent::null(), object) },
        "slots",
    );
    let _: ISogliaSlots = released_too_often(
        // SAFETY: the object is alive, and so are the pointers.
        |id, object| unsafe { bound.query(id.as_ptr(), object.as_ptr()) },
        "figures",
    );
    assert_eq!(slots::figures(&bound).Slots, 2);
    slots::give(&host, &bound);
    // The host has counted too little; the runtime goes on calling it.
    for _ in 0..TOO_OFTEN {
        // SAFETY: an object of the library survives releases that it has not counted.
        unsafe { (Interface::vtable(&bound).base__.Release)(bound.as_raw()) };
    }
    std::mem::forget(bound);
    for _ in 0..2 {
        managers(&clr);
        start(&host);
        assert_eq!(call(&host, "Length", "abc"), Ok(3));
        // SAFETY: the object is alive while it is used here.
        assert_eq!(unsafe { host.Stop() }, S_OK);
    }
    start(&host);
    managers(&clr);
    let limited = control(&host);
    let _: ICLRErrorReportingManager = manager(&limited);
    // Others come and go meanwhile.
    for _ in 0..1000 {
        drop(library.runtime(version));
    }
    assert_eq!(call(&host, "Length", "abcd"), Ok(4));
}

fn manager<T: Interface>(control: &ICLRControl) -> T {
    released_too_often(
        // SAFETY: the object is alive while it is used here.
        |id, object| unsafe { control.GetCLRManager(id, object) },
        "a manager",
    )
}

fn managers(control: &ICLRControl) {
    let _: ICLRTaskManager = manager(control);
    let _: ICLRGCManager = manager(control);
    let _: ICLROnEventManager = manager(control);
    let _: ICLRPolicyManager = manager(control);
    let _: ICLRDebugManager = manager(control);
    let _: ICLRErrorReportingManager = manager(control);
    let _: ICLRHostProtectionManager = manager(control);
    let _: ICLRDomainManager = manager(control);
    let _: ICLRAppDomainResourceMonitor = manager(control);
}

/// Bytes that are allocated, of all threads: the case has glibc keep them in one place.
fn allocated() -> usize {
    // SAFETY: the C library allows the call at any time; it takes no pointers.
    unsafe { libc::mallinfo2() }.uordblks
}

/// So many threads that call native code, one after the other or a few at a time, and end.
fn threads(acting: &Acting, number: usize) {
    for _ in 0..number / 50 {
        assert_eq!(acting.get("Threads", "plain 50"), 100);
    }
    assert_eq!(acting.get("Collect", "3"), 3);
    wait_for(|| acting.script.made.load(Relaxed) <= acting.script.gone.load(Relaxed) + 1);
}

/// What is left of a thread when it has ended: nothing.
pub fn ended_threads_leave_nothing(library: &Library, version: &str) {
    const MORE: usize = 2000;
    let acting = Acting::agreeing(library, version);
    acting.script.deaf.store(true, Relaxed);
    let after = |number| {
        threads(&acting, number);
        let settled = (0..5).map(|_| {
            // .NET lets go of its own part on a thread that is in no hurry.
            std::thread::sleep(std::time::Duration::from_millis(20));
            acting.get("Collect", "2");
            allocated()
        });
        settled.min().unwrap()
    };
    for counts in [true, false] {
        acting.script.counts_clr_tasks.store(counts, Relaxed);
        // What the recording keeps of threads has its limit by then, and so have other tables.
        let mut before = after(4000);
        // .NET takes and returns larger pieces now and then. What each thread leaves is in every
        // round.
        let flat = (0..5).any(|_| {
            let now = after(MORE);
            now < std::mem::replace(&mut before, now) + MORE * 32
        });
        assert!(flat, "counted: {counts}");
    }
}

/// A task lives as long as its thread, whatever the host releases, and after that for as long as it
/// is counted.
pub fn tasks_live_while_counted(library: &Library, version: &str) {
    let acting = Acting::agreeing(library, version);
    acting.get("Call", "plain");
    let own = acting.script.clr_task() as *mut c_void;
    // SAFETY: this thread's task, released too often.
    unsafe {
        let task = ICLRTask2::from_raw_borrowed(&own).unwrap();
        for _ in 0..TOO_OFTEN {
            (Interface::vtable(task).base__.base__.Release)(own);
        }
        assert_eq!(task.SetTaskIdentifier(7), S_OK);
    }
    let (kept, lent) = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            acting.get("Call", "plain");
            let task = acting.script.clr_task() as *mut c_void;
            // SAFETY: the task of the calling thread, which lives as long as the thread.
            let kept = unsafe { ICLRTask2::from_raw_borrowed(&task) }
                .unwrap()
                .clone();
            (crate::host::Shared(kept), acting.script.clr_task())
        });
        other.join().unwrap()
    });
    // It works for a while without being counted, and for ever with that.
    for task in [kept.0.as_raw(), lent as *mut c_void] {
        // SAFETY: the library under test lets any thread use its objects.
        let task = unsafe { ICLRTask2::from_raw_borrowed(&task) }.unwrap();
        // SAFETY: the object is alive while it is used here.
        assert_eq!(unsafe { task.Abort() }, E_NOTIMPL);
    }
    for _ in 0..20 {
        acting.get("Threads", "plain 50");
    }
    // SAFETY: the object is alive, and its method takes no pointers.
    unsafe {
        assert_eq!(kept.0.Abort(), E_NOTIMPL);
        let own = ICLRTask2::from_raw_borrowed(&own).unwrap();
        assert_eq!(own.SetTaskIdentifier(8), S_OK);
    }
}
