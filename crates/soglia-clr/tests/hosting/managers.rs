//! What hosts and the CLR ask each other for.

use std::{env, ffi::c_void, ptr::null_mut};

use soglia_abi::{
    BOOL, GUID,
    hosting::{
        assembly::IHostAssemblyManager,
        clr_task::{ICLRTask, ICLRTask2, ICLRTaskManager},
        control::ICLRDomainManager,
        debug::{ICLRDebugManager, ICLRErrorReportingManager, ICLRHostProtectionManager},
        gc::{
            COR_GC_COUNTS, COR_GC_MEMORYUSAGE, COR_GC_STATS, ICLRAppDomainResourceMonitor,
            ICLRGCManager, ICLRGCManager2, IHostGCManager,
        },
        host_task::IHostTaskManager,
        memory::IHostMemoryManager,
        policy::{
            EPolicyAction, Event_ClrDisabled, Event_MDAFired, Event_StackOverflow,
            ICLROnEventManager, ICLRPolicyManager, IHostPolicyManager, MaxClrEvent,
            OPR_ThreadAbort, eAbortThread,
        },
        security::IHostSecurityManager,
        sync::IHostSyncManager,
        thread_pool::{IHostIoCompletionManager, IHostThreadpoolManager},
        types::{COR_GC_THREAD_STATS, ETaskType, TT_UNKNOWN, TT_USER},
    },
    hresult::*,
    param::{In, InOut, Lent, Out, Wide},
};
use soglia_core::trace::writer;
use windows_core::Interface;

use crate::{
    api::{Library, answer_of, call, control, manager, start, version_of},
    host::{self, Gives},
    role::UNMET,
};

const UNKNOWN: GUID = GUID::from_u128(0x01234567_89ab_cdef_0123_456789abcdef);

pub fn managers_are_asked_for_in_order(library: &Library, version: &str) {
    let host = library.host(version);
    let (first, told) = host::control(Gives::TaskManager);
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&first)), S_OK) };
    let asked = [
        IHostMemoryManager::IID,
        IHostTaskManager::IID,
        IHostThreadpoolManager::IID,
        IHostIoCompletionManager::IID,
        IHostSyncManager::IID,
        IHostAssemblyManager::IID,
        IHostGCManager::IID,
        IHostSecurityManager::IID,
        IHostPolicyManager::IID,
    ];
    assert_eq!(told.lock().unwrap().asked, asked);
    let manager = told.lock().unwrap().clr_task_manager as *mut c_void;
    // SAFETY: what was handed over, alive.
    let manager = unsafe { ICLRTaskManager::from_raw_borrowed(&manager) }.unwrap();

    // A second control adds what is missing and is not asked for the rest.
    let (second, told) = host::control(Gives::GcManager);
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&second)), S_OK) };
    assert!(!told.lock().unwrap().asked.contains(&IHostTaskManager::IID));
    assert!(told.lock().unwrap().asked.contains(&IHostGCManager::IID));

    start(&host);
    // SAFETY: a place for the answer.
    unsafe {
        let mut kind = ETaskType(0);
        assert_eq!(manager.GetCurrentTaskType(Out::new(&mut kind)), S_OK);
        assert_eq!(kind, TT_USER);
    }
    assert_eq!(call(&host, "Call", "10"), Ok(10));
}

pub fn only_a_plain_success_counts(library: &Library, version: &str) {
    let host = library.host(version);
    for gives in [Gives::TaskManagerWithFalse, Gives::Null, Gives::Nothing] {
        let (control, told) = host::control(gives);
        // SAFETY: the host and the control are alive during the call.
        unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
        let told = told.lock().unwrap();
        assert_eq!((told.asked.len(), told.clr_task_manager), (9, 0));
    }
    start(&host);
    assert_eq!(call(&host, "Length", "abc"), Ok(3));
}

pub fn a_host_that_fails_takes_the_clr_out_of_use(library: &Library, version: &str) {
    let host = library.host(version);
    let clr_control = control(&host);
    let gc = manager::<ICLRGCManager>(&clr_control).unwrap();
    let tasks = manager::<ICLRTaskManager>(&clr_control).unwrap();
    let (broken, _) = host::control(Gives::BrokenTaskManager);
    let (mut object, mut number) = (null_mut(), 0);
    // SAFETY: a live control and valid pointers.
    unsafe {
        let gone = HOST_E_CLRNOTAVAILABLE;
        assert_eq!(host.SetHostControl(Lent::new(&broken)), gone);
        assert_eq!(host.SetHostControl(Lent::new(&broken)), gone);
        assert_eq!(host.Start(), gone);
        assert_eq!(host.Stop(), gone);
        assert_eq!(host.GetCLRControl(Out::new(&mut object)), gone);
        assert_eq!(
            host.ExecuteInAppDomain(1, Some(answer_of), null_mut()),
            gone
        );
        assert_eq!(host.GetCurrentAppDomainId(Out::new(&mut number)), gone);
        assert_eq!(host.SetStartupFlags(0), gone);
        assert_eq!(call(&host, "Length", ""), Err(gone));
        assert_eq!(gc.Collect(-1), gone);
        assert_eq!(tasks.GetCurrentTask(Out::new(&mut object)), gone);
        let id = In::new(&ICLRGCManager::IID);
        assert_eq!(clr_control.GetCLRManager(id, Out::new(&mut object)), gone);
    }
    assert_eq!(version_of(&library.runtime(version)), format!("v{version}"));
}

pub fn a_control_comes_before_the_start(library: &Library, version: &str) {
    let (host, other) = (library.host(version), library.host(version));
    start(&host);
    for host in [host, other] {
        let (control, told) = host::control(Gives::TaskManager);
        // SAFETY: a live control, or null.
        unsafe {
            assert_eq!(host.SetHostControl(Lent::new(&control)), E_ACCESSDENIED);
            assert_eq!(host.SetHostControl(Lent::null()), E_INVALIDARG);
        }
        assert!(told.lock().unwrap().asked.is_empty());
    }
}

pub fn nobody_sees_how_the_engine_came(library: &Library, version: &str) {
    let host = library.host(version);
    let (control, _) = host::control(Gives::TaskManager);
    let before: Vec<_> = env::vars_os().collect();
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    start(&host);
    for name in [
        "CORECLR_ENABLE_PROFILING",
        "CORECLR_PROFILER",
        "CORECLR_PROFILER_PATH",
    ] {
        assert_eq!(call(&host, "Variable", name), Ok(-1), "{name}");
        assert_eq!(env::var_os(name), None);
    }
    assert_eq!(env::vars_os().collect::<Vec<_>>(), before);
    // One copy of the library, by one name or the other.
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let starts = maps.lines().filter(|line| {
        line.contains("libsoglia.so") && line.split_whitespace().nth(2) == Some("00000000")
    });
    assert_eq!(starts.count(), 1, "{maps}");
    // The recording of the engine is the engine's.
    let now = files();
    assert_eq!(call(&host, "Call", "10"), Ok(10));
    assert_eq!(files(), now);
}

pub fn managers_are_given_out(library: &Library, version: &str) {
    let host = library.host(version);
    let early = control(&host);
    start(&host);
    let late = control(&host);
    let mut object = null_mut();
    // SAFETY: the object is alive, and safe code has made the parameters.
    unsafe {
        assert_eq!(
            early.GetCLRManager(In::new(&UNKNOWN), Out::new(&mut object)),
            E_NOINTERFACE
        );
        assert_eq!(
            early.GetCLRManager(In::new(&ICLRTaskManager::IID), Out::null()),
            E_INVALIDARG
        );
        assert_eq!(
            early.GetCLRManager(In::null(), Out::new(&mut object)),
            E_INVALIDARG
        );
        assert_eq!(
            early.SetAppDomainManagerType(Wide::null(), Wide::null()),
            E_NOTIMPL
        );
    }
    // What was made before the start stays a full one.
    macro_rules! both {
        ($($interface:ident),*) => {$(
            manager::<$interface>(&early).unwrap();
            assert_eq!(manager::<$interface>(&late).err(), Some(HOST_E_INVALIDOPERATION));
        )*};
    }
    both!(
        ICLRTaskManager,
        ICLRGCManager,
        ICLRGCManager2,
        ICLRDebugManager,
        ICLROnEventManager,
        ICLRPolicyManager,
        ICLRHostProtectionManager,
        ICLRDomainManager,
        ICLRAppDomainResourceMonitor
    );
    manager::<ICLRErrorReportingManager>(&early).unwrap();
    manager::<ICLRErrorReportingManager>(&late).unwrap();

    let debug = manager::<ICLRDebugManager>(&early).unwrap();
    let policy = manager::<ICLRPolicyManager>(&early).unwrap();
    let events = manager::<ICLROnEventManager>(&early).unwrap();
    let monitor = manager::<ICLRAppDomainResourceMonitor>(&early).unwrap();
    // SAFETY: the object is alive, and safe code has made the parameters.
    unsafe {
        let mut yes = BOOL(7);
        assert_eq!(debug.IsDebuggerAttached(Out::new(&mut yes)), S_OK);
        assert_eq!(yes.0, 0);
        assert_eq!(debug.IsDebuggerAttached(Out::null()), E_POINTER);
        assert_eq!(debug.EndConnection(1), E_NOTIMPL);
        assert_eq!(policy.SetDefaultAction(OPR_ThreadAbort, eAbortThread), S_OK);
        assert_eq!(
            policy.SetDefaultAction(OPR_ThreadAbort, EPolicyAction(10)),
            E_INVALIDARG
        );
        let action = host::action();
        let action = Lent::new(&action);
        assert_eq!(
            events.RegisterActionOnEvent(MaxClrEvent, action),
            E_INVALIDARG
        );
        assert_eq!(
            events.RegisterActionOnEvent(Event_ClrDisabled, Lent::null()),
            E_INVALIDARG
        );
        assert_eq!(
            events.RegisterActionOnEvent(Event_MDAFired, action),
            E_NOTIMPL
        );
        // Without an engine in this process, there would be no notification.
        assert_eq!(
            events.RegisterActionOnEvent(Event_ClrDisabled, action),
            HOST_E_INVALIDOPERATION
        );
        assert_eq!(
            events.UnregisterActionOnEvent(Event_ClrDisabled, action),
            HOST_E_INVALIDOPERATION
        );
        assert_eq!(
            events.UnregisterActionOnEvent(Event_StackOverflow, action),
            HOST_E_INVALIDOPERATION
        );
        let (mut one, mut other) = (0, 0);
        assert_eq!(monitor.GetCurrentAllocated(1, Out::new(&mut one)), S_OK);
        assert!(one > 0);
        assert_eq!(
            monitor.GetCurrentAllocated(2, Out::new(&mut one)),
            COR_E_APPDOMAINUNLOADED
        );
        assert_eq!(
            monitor.GetCurrentSurvived(1, Out::new(&mut one), Out::new(&mut other)),
            S_OK
        );
        assert_eq!(monitor.GetCurrentCpuTime(1, Out::new(&mut one)), S_OK);
    }
}

pub fn the_collector_collects_and_counts(library: &Library, version: &str) {
    let host = library.host(version);
    let gc = manager::<ICLRGCManager2>(&control(&host)).unwrap();
    let mut stats = COR_GC_STATS::default();
    // SAFETY: the object is alive, and safe code has made the parameters.
    unsafe {
        assert_eq!(gc.Collect(-1), HOST_E_CLRNOTAVAILABLE);
        assert_eq!(gc.GetStats(InOut::new(&mut stats)), HOST_E_CLRNOTAVAILABLE);
        start(&host);
        let full = call(&host, "Collections", "2").unwrap();
        let young = call(&host, "Collections", "0").unwrap();
        assert_eq!(gc.Collect(0), S_OK);
        assert_eq!(call(&host, "Collections", "2"), Ok(full));
        assert!(call(&host, "Collections", "0").unwrap() > young);
        assert_eq!(gc.Collect(-1), S_OK);
        assert_eq!(gc.Collect(2), S_OK);
        assert_eq!(call(&host, "Collections", "2"), Ok(full + 2));
        assert_eq!(gc.Collect(3), E_INVALIDARG);
        assert_eq!(gc.Collect(-2), E_INVALIDARG);

        assert_eq!(gc.GetStats(InOut::null()), E_POINTER);
        stats.Flags = 8;
        assert_eq!(gc.GetStats(InOut::new(&mut stats)), E_INVALIDARG);
        stats.Flags = COR_GC_COUNTS;
        stats.ReservedKBytes = 77;
        assert_eq!(gc.GetStats(InOut::new(&mut stats)), S_OK);
        assert_eq!(stats.ExplicitGCCount, 3);
        assert_eq!(stats.GenCollectionsTaken[2] as i32, full + 2);
        assert_eq!(stats.CommittedKBytes, 0);
        stats.Flags = COR_GC_MEMORYUSAGE;
        assert_eq!(gc.GetStats(InOut::new(&mut stats)), S_OK);
        assert!(stats.CommittedKBytes > 0);
        assert_eq!(stats.ReservedKBytes, 77, "what is not known is left alone");
        let late = gc.SetGCStartupLimitsEx(0, 1 << 20);
        assert_eq!(late, S_OK, "and nothing happens");
    }
}

pub fn a_task_is_a_thread(library: &Library, version: &str) {
    let host = library.host(version);
    let tasks = manager::<ICLRTaskManager>(&control(&host)).unwrap();
    let mut task = std::ptr::dangling_mut();
    // SAFETY: valid pointers, or null; what is lent is alive while its thread is.
    unsafe {
        assert_eq!(tasks.GetCurrentTask(Out::null()), E_POINTER);
        assert_eq!(tasks.GetCurrentTask(Out::new(&mut task)), S_OK);
        assert!(task.is_null());
        assert_eq!(
            tasks.CreateTask(Out::new(&mut task)),
            HOST_E_CLRNOTAVAILABLE
        );
        start(&host);

        assert_eq!(tasks.GetCurrentTask(Out::new(&mut task)), S_OK);
        let own = ICLRTask::from_raw_borrowed(&task).unwrap().clone();
        let own2 = own.cast::<ICLRTask2>().unwrap();
        let mut again = null_mut();
        assert_eq!(tasks.GetCurrentTask(Out::new(&mut again)), S_OK);
        assert_eq!(task, again);
        assert_eq!(
            tasks.CreateTask(Out::new(&mut again)),
            HOST_E_INVALIDOPERATION
        );

        let mut memory = COR_GC_THREAD_STATS::default();
        assert_eq!(call(&host, "Length", "abc"), Ok(3));
        assert_eq!(own.GetMemStats(InOut::new(&mut memory)), S_OK);
        assert!(memory.PerThreadAllocation > 0);
        assert_eq!(own.SetTaskIdentifier(u64::MAX), S_OK);
        assert_eq!(own.YieldTask(), HOST_E_INVALIDOPERATION);
        assert_eq!(own.SwitchOut(), E_NOTIMPL);
        assert_eq!(own.Abort(), E_NOTIMPL);
        assert_eq!(own.LocksHeld(Out::null()), E_POINTER);
        assert_eq!(own2.EndPreventAsyncAbort(), E_UNEXPECTED);
        assert_eq!(own2.BeginPreventAsyncAbort(), S_OK);
        assert_eq!(own2.BeginPreventAsyncAbort(), S_OK);
        assert_eq!(own2.EndPreventAsyncAbort(), S_OK);
        assert_eq!(own2.EndPreventAsyncAbort(), S_OK);
        assert_eq!(own2.EndPreventAsyncAbort(), E_UNEXPECTED);

        // The fixtures are invariant only by their own configuration, so the culture may exist or
        // not.
        let english = tasks.SetLocale(0x409);
        if english == S_OK {
            assert_eq!(call(&host, "CultureId", ""), Ok(0x409));
        } else {
            assert_eq!(english, E_INVALIDARG);
        }
        assert_eq!(tasks.SetLocale(0x7f), S_OK);
        assert_eq!(call(&host, "CultureId", ""), Ok(0x7f));
        assert_eq!(tasks.SetUILocale(0x7f), S_OK);
        assert_eq!(tasks.SetUILocale(0xffff_ffff), E_INVALIDARG);

        let shared = host::Shared((tasks.clone(), own2.clone()));
        std::thread::spawn(move || {
            let (tasks, other) = { &shared }.0.clone();
            let (mut task, mut kind) = (std::ptr::dangling_mut(), ETaskType(0));
            assert_eq!(tasks.GetCurrentTask(Out::new(&mut task)), S_OK);
            assert!(task.is_null(), "the runtime does not know this thread");
            assert_eq!(tasks.GetCurrentTaskType(Out::new(&mut kind)), S_OK);
            assert_eq!(kind, TT_UNKNOWN);
            assert_eq!(tasks.SetLocale(0x7f), HOST_E_INVALIDOPERATION);
            assert_eq!(tasks.CreateTask(Out::new(&mut task)), S_OK);
            assert!(!task.is_null());
            assert_eq!(tasks.GetCurrentTaskType(Out::new(&mut kind)), S_OK);
            assert_eq!(kind, TT_USER);
            // The other thread's.
            assert_ne!(task, other.as_raw());
            assert_eq!(other.BeginPreventAsyncAbort(), HOST_E_INVALIDOPERATION);
            assert_eq!(other.ExitTask(), HOST_E_INVALIDOPERATION);
            assert_eq!(other.YieldTask(), E_NOTIMPL);
        })
        .join()
        .unwrap();
    }
}

pub fn another_profiler_is_in_the_way(library: &Library, version: &str) {
    let host = library.host(version);
    let (control, _) = host::control(Gives::TaskManager);
    // SAFETY: the host and the control are alive during the call.
    unsafe {
        assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK);
        assert_eq!(host.Start(), CORPROF_E_PROFILER_ALREADY_ACTIVE);
    }
    assert_eq!(call(&host, "Length", ""), Err(HOST_E_CLRNOTAVAILABLE));
}

pub fn the_end_is_told(library: &Library, version: &str) {
    let host = library.host(version);
    let events = manager::<ICLROnEventManager>(&control(&host)).unwrap();
    let (action, other) = (host::action(), host::action());
    // SAFETY: the objects are alive during these calls.
    unsafe {
        for action in [&action, &other] {
            let answer = events.RegisterActionOnEvent(Event_ClrDisabled, Lent::new(action));
            assert_eq!(answer, S_OK);
        }
        let answer = events.UnregisterActionOnEvent(Event_ClrDisabled, Lent::new(&other));
        assert_eq!(answer, S_OK);
        start(&host);
        assert_eq!(call(&host, "Length", "abc"), Ok(3));
        let answer = library.meta_host().ExitProcess(42);
        panic!("still here: {answer:?}");
    }
}

pub fn without_its_engine_a_host_is_not_started(library: &Library, version: &str) {
    let host = library.host(version);
    let (control, _) = host::control(Gives::TaskManager);
    // SAFETY: the host and the control are alive during the call.
    unsafe {
        assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK);
        assert_eq!(host.Start(), E_FAIL);
        assert_eq!(host.Start(), HOST_E_CLRNOTAVAILABLE);
    }
}

pub fn a_recorded_host_is_recorded(library: &Library, version: &str) {
    // It enters the method of the engine's assembly, and crashes in its own code. 8.0.31 does not.
    if version == "8.0.4" {
        println!("{UNMET}a .NET 8 whose runtime callbacks do not crash in hosts (8.0.4 does)");
        return;
    }
    let (_recording, path) = writer::create_unnamed(&writer::Options::default()).unwrap();
    // SAFETY: this process has one thread.
    unsafe { env::set_var("SOGLIA_RECORDING", &path) };
    start(&library.host(version));
    let host = library.host(version);
    assert_eq!(call(&host, "Call", "10"), Ok(10));
    assert_eq!(call(&host, "Variable", "SOGLIA_RECORDING"), Ok(-1));
    assert_eq!(env::var_os("CORECLR_PROFILER"), None);
    let claimed = writer::Recording::claim(&path);
    assert!(
        matches!(claimed, Err(writer::ClaimError::Taken)),
        "{claimed:?}"
    );
}
