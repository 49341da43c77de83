//! The cases. Each is a host of its own.

use std::{
    env,
    ffi::c_void,
    ptr::{null, null_mut},
};

use soglia_abi::{
    BOOL, GUID, HRESULT,
    hosting::{
        assembly::IHostAssemblyManager,
        clr_task::{ICLRTask, ICLRTask2, ICLRTaskManager},
        com::IEnumUnknown,
        control::ICLRDomainManager,
        debug::{ICLRDebugManager, ICLRErrorReportingManager, ICLRHostProtectionManager},
        gc::{
            COR_GC_COUNTS, COR_GC_MEMORYUSAGE, COR_GC_STATS, ICLRAppDomainResourceMonitor,
            ICLRGCManager, ICLRGCManager2, IHostGCManager,
        },
        host_task::IHostTaskManager,
        memory::IHostMemoryManager,
        metahost::{
            CLSID_CLRDebugging, CLSID_CLRMetaHost, CLSID_CLRMetaHostPolicy, ICLRMetaHost,
            ICLRMetaHostPolicy, ICLRRuntimeInfo, IID_ICLRDebugging,
        },
        policy::{
            EPolicyAction, Event_ClrDisabled, Event_MDAFired, Event_StackOverflow,
            ICLROnEventManager, ICLRPolicyManager, IHostPolicyManager, MaxClrEvent,
            OPR_ThreadAbort, eAbortThread,
        },
        runtime_host::{CLSID_CLRRuntimeHost, ICLRRuntimeHost, ICLRRuntimeHost2, ICLRRuntimeHost4},
        security::IHostSecurityManager,
        sync::IHostSyncManager,
        thread_pool::{IHostIoCompletionManager, IHostThreadpoolManager},
        types::{
            COR_GC_THREAD_STATS, ETaskType, STARTUP_CONCURRENT_GC, STARTUP_SERVER_GC, TT_UNKNOWN,
            TT_USER,
        },
    },
    hresult::*,
};
use windows_core::{IUnknown, Interface};

use crate::{
    api::{self, Library, call, call_in, control, get, manager, text, wide},
    host::{self, Gives},
};

/// One process.
pub struct Case {
    pub name: &'static str,
    pub run: fn(&Library, &str),
    pub environment: &'static [(&'static str, &'static str)],
    pub exit_code: i32,
    /// Lines of its output.
    pub tells: &'static [&'static str],
}

const fn case(name: &'static str, run: fn(&Library, &str)) -> Case {
    Case {
        name,
        run,
        environment: &[],
        exit_code: 0,
        tells: &[],
    }
}

pub const ALL: &[Case] = &[
    case(
        "unknown_ids_and_null_pointers",
        unknown_ids_and_null_pointers,
    ),
    case("runtimes_by_version", runtimes_by_version),
    case("a_file_has_a_version", a_file_has_a_version),
    case("a_method_is_called", a_method_is_called),
    case(
        "what_is_missing_is_told_apart",
        what_is_missing_is_told_apart,
    ),
    case("before_start_nothing_runs", before_start_nothing_runs),
    case("starts_and_stops_are_counted", starts_and_stops_are_counted),
    case("code_runs_in_the_domain", code_runs_in_the_domain),
    case("the_later_interfaces_work", the_later_interfaces_work),
    case(
        "managers_are_asked_for_in_order",
        managers_are_asked_for_in_order,
    ),
    case("only_a_plain_success_counts", only_a_plain_success_counts),
    case(
        "a_control_comes_before_the_start",
        a_control_comes_before_the_start,
    ),
    case(
        "nobody_sees_how_the_engine_came",
        nobody_sees_how_the_engine_came,
    ),
    case("managers_are_given_out", managers_are_given_out),
    case(
        "the_collector_collects_and_counts",
        the_collector_collects_and_counts,
    ),
    case("a_task_is_a_thread", a_task_is_a_thread),
    case(
        "flags_and_properties_reach_the_runtime",
        flags_and_properties_reach_the_runtime,
    ),
    case("a_configuration_is_used", a_configuration_is_used),
    case("the_old_door_opens_too", the_old_door_opens_too),
    Case {
        environment: &[
            ("CORECLR_ENABLE_PROFILING", "1"),
            ("CORECLR_PROFILER", "{846F5F1C-F9AE-4B07-969E-05C26BC060D8}"),
            ("CORECLR_PROFILER_PATH", "/absent.so"),
        ],
        ..case(
            "another_profiler_is_in_the_way",
            another_profiler_is_in_the_way,
        )
    },
    Case {
        exit_code: 42,
        tells: &["event 1 true"],
        ..case("the_end_is_told", the_end_is_told)
    },
    Case {
        exit_code: 3,
        ..case(
            "a_process_ends_without_a_runtime",
            a_process_ends_without_a_runtime,
        )
    },
];

const UNKNOWN: GUID = GUID::from_u128(0x01234567_89ab_cdef_0123_456789abcdef);
const FILE_NOT_FOUND: HRESULT = HRESULT(0x8007_0002_u32 as i32);
const BAD_IMAGE: HRESULT = HRESULT(0x8007_000b_u32 as i32);
const INSUFFICIENT_BUFFER: HRESULT = HRESULT(0x8007_007a_u32 as i32);
const TYPE_LOAD: HRESULT = HRESULT(0x8013_1522_u32 as i32);

fn unknown_ids_and_null_pointers(library: &Library, version: &str) {
    let create = library.create();
    let mut object = std::ptr::dangling_mut::<c_void>();
    let mut ask = |class: &GUID, id: &GUID| {
        object = std::ptr::dangling_mut();
        // SAFETY: valid pointers.
        let answer = unsafe { create(class, id, &raw mut object) };
        assert_eq!(object.is_null(), answer.is_err());
        if !object.is_null() {
            // SAFETY: with a reference for us.
            drop(unsafe { IUnknown::from_raw(object) });
        }
        answer
    };
    assert_eq!(ask(&CLSID_CLRMetaHost, &ICLRMetaHost::IID), S_OK);
    assert_eq!(ask(&CLSID_CLRMetaHost, &IUnknown::IID), S_OK);
    assert_eq!(
        ask(&CLSID_CLRMetaHost, &ICLRRuntimeInfo::IID),
        E_NOINTERFACE
    );
    assert_eq!(ask(&UNKNOWN, &ICLRMetaHost::IID), E_NOINTERFACE);
    assert_eq!(
        ask(&CLSID_CLRMetaHostPolicy, &ICLRMetaHostPolicy::IID),
        E_NOTIMPL
    );
    assert_eq!(ask(&CLSID_CLRDebugging, &IID_ICLRDebugging), E_NOTIMPL);
    // SAFETY: null is looked for.
    unsafe {
        let (class, id) = (&CLSID_CLRMetaHost, &ICLRMetaHost::IID);
        assert_eq!(create(class, id, null_mut()), E_POINTER);
        assert_eq!(create(class, null(), &raw mut object), E_POINTER);
        assert_eq!(create(null(), id, &raw mut object), E_POINTER);

        let meta = library.meta_host();
        let wanted = wide(version);
        let id = &ICLRRuntimeInfo::IID;
        assert_eq!(meta.GetRuntime(null(), id, &raw mut object), E_POINTER);
        assert_eq!(meta.GetRuntime(wanted.as_ptr(), id, null_mut()), E_POINTER);
        assert_eq!(
            meta.GetRuntime(wanted.as_ptr(), null(), &raw mut object),
            E_POINTER
        );
        assert_eq!(
            meta.GetRuntime(wanted.as_ptr(), &UNKNOWN, &raw mut object),
            E_NOINTERFACE
        );
        assert_eq!(meta.EnumerateInstalledRuntimes(null_mut()), E_POINTER);
        assert_eq!(
            meta.EnumerateLoadedRuntimes(null_mut(), null_mut()),
            E_POINTER
        );
        assert_eq!(meta.RequestRuntimeLoadedNotification(None), E_NOTIMPL);
        assert_eq!(
            meta.QueryLegacyV2RuntimeBinding(&UNKNOWN, &raw mut object),
            E_NOTIMPL
        );

        let info = library.runtime(version);
        let (class, id) = (&CLSID_CLRRuntimeHost, &ICLRRuntimeHost::IID);
        assert_eq!(info.GetInterface(class, id, null_mut()), E_POINTER);
        assert_eq!(info.GetInterface(null(), id, &raw mut object), E_POINTER);
        assert_eq!(info.GetInterface(class, null(), &raw mut object), E_POINTER);
        assert_eq!(
            info.GetInterface(&UNKNOWN, id, &raw mut object),
            CLASS_E_CLASSNOTAVAILABLE
        );
        assert_eq!(
            info.GetInterface(class, &UNKNOWN, &raw mut object),
            E_NOINTERFACE
        );
        assert!(object.is_null());
        assert_eq!(info.IsLoadable(null_mut()), E_POINTER);
        assert_eq!(info.IsLoaded(null_mut(), null_mut()), E_POINTER);
        assert_eq!(info.IsStarted(null_mut(), null_mut()), E_POINTER);
        assert_eq!(info.BindAsLegacyV2Runtime(), E_NOTIMPL);
        assert_eq!(
            info.LoadErrorString(1, null_mut(), null_mut(), 0),
            E_NOTIMPL
        );

        let host = library.function::<api::GetHost>("GetCLRRuntimeHost");
        assert_eq!(host(&ICLRRuntimeHost::IID, null_mut()), E_POINTER);
        assert_eq!(host(null(), &raw mut object), E_POINTER);
        assert_eq!(host(&UNKNOWN, &raw mut object), E_NOINTERFACE);
    }
}

fn runtimes_by_version(library: &Library, version: &str) {
    let meta = library.meta_host();
    let installed: IEnumUnknown =
        // SAFETY: a place for the answer.
        get(|_, object| unsafe { meta.EnumerateInstalledRuntimes(object) }).unwrap();
    let mut versions = Vec::new();
    loop {
        let (mut object, mut number) = (null_mut(), 7);
        // SAFETY: room for one.
        let answer = unsafe { installed.Next(1, &raw mut object, &raw mut number) };
        if answer == S_FALSE {
            assert_eq!(number, 0);
            break;
        }
        assert_eq!((answer, number), (S_OK, 1));
        // SAFETY: with a reference for us.
        let info: ICLRRuntimeInfo = unsafe { IUnknown::from_raw(object) }.cast().unwrap();
        versions.push(version_of(&info));
    }
    let own = format!("v{version}");
    assert!(versions.contains(&own), "{versions:?}");
    // SAFETY: no pointers.
    unsafe {
        assert_eq!(installed.Skip(1), S_FALSE);
        assert_eq!(installed.Reset(), S_OK);
        assert_eq!(installed.Skip(versions.len() as u32), S_OK);
    }
    let newest = versions.last().unwrap();

    let (major, _) = version.split_once('.').unwrap();
    for (asked, given) in [
        (version.to_owned(), &own),
        (own.clone(), &own),
        (format!("v{major}.0"), &own),
        ("v4.0.30319".into(), newest),
        ("v2.0.50727".into(), newest),
    ] {
        assert_eq!(&version_of(&library.runtime(&asked)), given, "{asked}");
    }
    for absent in ["", "v1.1.4322", "v99.0", "10", "newest", "v8.0.0.0"] {
        let text = wide(absent);
        let answer: Result<ICLRRuntimeInfo, HRESULT> =
            // SAFETY: valid pointers.
            get(|id, object| unsafe { meta.GetRuntime(text.as_ptr(), id, object) });
        if absent != "10" || !version.starts_with("10.") {
            let answer = answer.map(|info| version_of(&info));
            assert!(
                answer == Err(CLR_E_SHIM_RUNTIMELOAD) || absent == "10",
                "{absent}: {answer:?}"
            );
        }
    }

    let info = library.runtime(version);
    // SAFETY: valid pointers.
    unsafe {
        let directory = text(|buffer, length| info.GetRuntimeDirectory(buffer, length));
        assert!(directory.ends_with(&format!("/{version}/")), "{directory}");
        let (mut buffer, mut length) = ([0; 3], 3);
        assert_eq!(
            info.GetVersionString(buffer.as_mut_ptr(), &raw mut length),
            INSUFFICIENT_BUFFER
        );
        assert_eq!(length as usize, own.len() + 1);
        assert_eq!(
            info.GetVersionString(buffer.as_mut_ptr(), null_mut()),
            E_POINTER
        );
        let mut yes = BOOL(7);
        assert_eq!(info.IsLoadable(&raw mut yes), S_OK);
        assert_eq!(yes.0, 1);
        assert_eq!(info.IsLoaded(null_mut(), &raw mut yes), S_OK);
        assert_eq!(yes.0, 0);
        let mut module = null_mut();
        let name = wide("libSystem.Native.so");
        assert_eq!(info.LoadLibrary(name.as_ptr(), &raw mut module), S_OK);
        assert!(!module.is_null());
        assert!(
            info.LoadLibrary(wide("libabsent.so").as_ptr(), &raw mut module)
                .is_err()
        );
        assert!(module.is_null());
        let mut address = null_mut();
        assert_eq!(
            info.GetProcAddress(c"coreclr_initialize".as_ptr(), &raw mut address),
            S_OK
        );
        assert!(!address.is_null());
        assert_eq!(
            info.GetProcAddress(c"absent".as_ptr(), &raw mut address),
            CLR_E_SHIM_RUNTIMEEXPORT
        );
        // The runtime's own would not know of host controls.
        assert_eq!(
            info.GetProcAddress(c"GetCLRRuntimeHost".as_ptr(), &raw mut address),
            S_OK
        );
        assert_eq!(address, library.function("GetCLRRuntimeHost"));

        let tell = library.function::<api::Tell>("GetCORVersion");
        let mut buffer = [0; 64];
        assert_eq!(tell(buffer.as_mut_ptr(), 64, &raw mut length), S_OK);
        assert_eq!(
            String::from_utf16_lossy(&buffer[..length as usize - 1]),
            own
        );
    }
    // A loaded runtime that nobody has started can still be started.
    let host = library.host(version);
    start(&host);
}

fn version_of(info: &ICLRRuntimeInfo) -> String {
    // SAFETY: valid pointers.
    text(|buffer, length| unsafe { info.GetVersionString(buffer, length) })
}

fn a_file_has_a_version(library: &Library, _: &str) {
    let meta = library.meta_host();
    let version = |path: &str| {
        let path = wide(path);
        let (mut buffer, mut length) = ([0; 32], 32);
        // SAFETY: valid pointers.
        let answer =
            unsafe { meta.GetVersionFromFile(path.as_ptr(), buffer.as_mut_ptr(), &raw mut length) };
        let text = String::from_utf16_lossy(&buffer);
        answer
            .ok()
            .map(|()| text.trim_end_matches('\0').to_owned())
            .map_err(|e| e.code())
    };
    let assembly = api::assembly();
    assert_eq!(
        version(assembly.to_str().unwrap()).as_deref(),
        Ok("v4.0.30319")
    );
    assert_eq!(version("/absent.dll"), Err(FILE_NOT_FOUND));
    assert_eq!(version("/proc/self/exe"), Err(BAD_IMAGE));
    // SAFETY: null is looked for.
    unsafe {
        let mut length = 0;
        let none = null_mut();
        assert_eq!(
            meta.GetVersionFromFile(null(), none, &raw mut length),
            E_POINTER
        );
        let path = wide("x");
        assert_eq!(
            meta.GetVersionFromFile(path.as_ptr(), none, none.cast()),
            E_POINTER
        );
    }
}

fn start(host: &ICLRRuntimeHost4) {
    // SAFETY: no pointers.
    assert_eq!(unsafe { host.Start() }, S_OK);
}

fn a_method_is_called(library: &Library, version: &str) {
    let host = library.host(version);
    start(&host);
    let (major, _) = version.split_once('.').unwrap();
    assert_eq!(call(&host, "Major", ""), Ok(major.parse().unwrap()));
    assert_eq!(call(&host, "Length", "four"), Ok(4));
    assert_eq!(call(&host, "Length", "città \u{1f600}"), Ok(8));
    assert_eq!(call(&host, "Hidden", "private"), Ok(7));
    // What lies beside the assembly is found.
    assert_eq!(call(&host, "Dependency", "abc"), Ok(6));
    // The runtime's signal handlers work on the host's thread.
    assert_eq!(call(&host, "Fault", ""), Ok(7));
    assert_eq!(call(&host, "Call", "100"), Ok(100));
    // A relative path is one from here.
    env::set_current_dir(api::assembly().parent().unwrap()).unwrap();
    assert_eq!(
        call_in(&host, "hosted.dll", "Soglia.Hosted.Entry", "Length", "abc"),
        Ok(3)
    );
    assert_eq!(
        call_in(&host, "./hosted.dll", "Soglia.Hosted.Entry", "Length", "ab"),
        Ok(2)
    );
    // Another thread of the host's, which the runtime has never seen.
    let shared = host::Shared(host.clone());
    let thread = std::thread::spawn(move || {
        let shared = shared;
        call(&shared.0, "Length", "thread")
    });
    assert_eq!(thread.join().unwrap(), Ok(6));
    // Neither the argument nor the result is needed.
    let [path, class, name] = [
        api::assembly().to_str().unwrap(),
        "Soglia.Hosted.Entry",
        "Length",
    ]
    .map(wide);
    let mut result = 0;
    // SAFETY: valid pointers, or null where it is allowed.
    unsafe {
        let (path, class, name) = (path.as_ptr(), class.as_ptr(), name.as_ptr());
        let answer = host.ExecuteInDefaultAppDomain(path, class, name, null(), &raw mut result);
        assert_eq!((answer, result as i32), (S_OK, -1));
        let answer = host.ExecuteInDefaultAppDomain(path, class, name, null(), null_mut());
        assert_eq!(answer, S_OK);
    }
}

fn what_is_missing_is_told_apart(library: &Library, version: &str) {
    let host = library.host(version);
    start(&host);
    let path = api::assembly();
    let path = path.to_str().unwrap();
    let class = "Soglia.Hosted.Entry";
    assert_eq!(
        call_in(&host, "/absent.dll", class, "Length", ""),
        Err(FILE_NOT_FOUND)
    );
    assert_eq!(
        call_in(&host, "/proc/self/exe", class, "Length", ""),
        Err(BAD_IMAGE)
    );
    assert_eq!(
        call_in(&host, path, "Soglia.Hosted.Absent", "Length", ""),
        Err(TYPE_LOAD)
    );
    for name in [
        "Absent",
        "Instance",
        "WrongResult",
        "WrongArgument",
        "length",
        "",
    ] {
        assert_eq!(call(&host, name, ""), Err(COR_E_MISSINGMETHOD), "{name}");
    }
    assert_eq!(call(&host, "Throw", "what"), Err(COR_E_INVALIDOPERATION));
    // The program's E_FAIL is not the runtime's end.
    assert_eq!(call(&host, "ThrowFailure", "what"), Err(E_FAIL));
    assert_eq!(call(&host, "Length", "abc"), Ok(3));
    let text = wide("x");
    let text = text.as_ptr();
    // SAFETY: null is looked for.
    unsafe {
        let none = null_mut();
        assert_eq!(
            host.ExecuteInDefaultAppDomain(null(), text, text, text, none),
            E_POINTER
        );
        assert_eq!(
            host.ExecuteInDefaultAppDomain(text, null(), text, text, none),
            E_POINTER
        );
        assert_eq!(
            host.ExecuteInDefaultAppDomain(text, text, null(), text, none),
            E_POINTER
        );
    }
}

unsafe extern "system" fn answer_of(cookie: *mut c_void) -> HRESULT {
    HRESULT(cookie as isize as i32)
}

fn before_start_nothing_runs(library: &Library, version: &str) {
    let host = library.host(version);
    let mut number = 0;
    assert_eq!(call(&host, "Length", ""), Err(HOST_E_CLRNOTAVAILABLE));
    // SAFETY: valid pointers.
    unsafe {
        assert_eq!(host.Stop(), E_UNEXPECTED);
        assert_eq!(
            host.ExecuteInAppDomain(1, Some(answer_of), null_mut()),
            HOST_E_CLRNOTAVAILABLE
        );
        assert_eq!(
            host.GetCurrentAppDomainId(&raw mut number),
            HOST_E_CLRNOTAVAILABLE
        );
        assert_eq!(
            host.UnloadAppDomain(1, true.into()),
            HOST_E_INVALIDOPERATION
        );
        let name = wide("app");
        let (name, none) = (name.as_ptr(), null());
        assert_eq!(
            host.ExecuteApplication(name, 0, none, 0, none, null_mut()),
            E_NOTIMPL
        );
        let answer = host.ExecuteAssembly(1, name, 0, null(), &raw mut number);
        assert_eq!(answer, HOST_E_CLRNOTAVAILABLE);
        assert_eq!(host.GetCLRControl(null_mut()), E_POINTER);
        assert_eq!(host.SetHostControl(null_mut()), E_INVALIDARG);
    }
    for id in [
        ICLRRuntimeHost::IID,
        ICLRRuntimeHost2::IID,
        ICLRRuntimeHost4::IID,
    ] {
        let mut object = null_mut();
        // SAFETY: valid pointers.
        unsafe {
            assert_eq!(host.query(&id, &raw mut object), S_OK);
            drop(IUnknown::from_raw(object));
        }
    }
}

fn starts_and_stops_are_counted(library: &Library, version: &str) {
    let (first, second) = (library.host(version), library.host("v4.0.30319"));
    start(&first);
    // SAFETY: no pointers.
    unsafe {
        assert_eq!(first.Start(), HOST_E_INVALIDOPERATION);
        assert_eq!(second.Stop(), HOST_E_CLRNOTAVAILABLE);
    }
    let newest = version_of(&library.runtime("v4.0.30319"));
    if newest == format!("v{version}") {
        start(&second);
        // SAFETY: no pointers.
        assert_eq!(unsafe { second.Stop() }, S_FALSE);
    } else {
        // A process has one runtime.
        // SAFETY: valid pointers.
        unsafe {
            assert_eq!(second.Start(), CLR_E_SHIM_RUNTIMELOAD);
            let other = library.runtime(&newest);
            let mut yes = BOOL(7);
            assert_eq!(other.IsLoadable(&raw mut yes), S_OK);
            assert_eq!(yes.0, 0);
            let asked: Result<ICLRRuntimeHost, HRESULT> =
                get(|id, object| other.GetInterface(&CLSID_CLRRuntimeHost, id, object));
            assert_eq!(asked.err(), Some(CLR_E_SHIM_RUNTIMELOAD));
        }
    }
    let info = library.runtime(version);
    let (mut yes, mut flags) = (BOOL(7), 0);
    // SAFETY: valid pointers.
    unsafe {
        assert_eq!(info.IsStarted(&raw mut yes, &raw mut flags), S_OK);
        assert_eq!((yes.0, flags), (1, STARTUP_CONCURRENT_GC));
        for process in [0_isize, -1, std::process::id() as isize] {
            assert_eq!(info.IsLoaded(process as *mut c_void, &raw mut yes), S_OK);
            assert_eq!(yes.0, 1);
        }
        assert_eq!(
            info.IsLoaded(isize::MAX as *mut c_void, &raw mut yes),
            E_HANDLE
        );
        assert_eq!(
            info.SetDefaultStartupFlags(0, null()),
            HOST_E_INVALIDOPERATION
        );
        let loaded: IEnumUnknown = get(|_, object| {
            library
                .meta_host()
                .EnumerateLoadedRuntimes(null_mut(), object)
        })
        .unwrap();
        assert_eq!((loaded.Skip(1), loaded.Skip(1)), (S_OK, S_FALSE));
    }
    assert_eq!(
        call(&second, "Length", "abc"),
        Ok(3),
        "a host may use what another has started"
    );
    // SAFETY: no pointers.
    unsafe {
        assert_eq!(first.Stop(), S_OK);
        assert_eq!(first.Stop(), HOST_E_CLRNOTAVAILABLE);
    }
    assert_eq!(call(&first, "Length", "abc"), Err(HOST_E_CLRNOTAVAILABLE));
    start(&first);
    assert_eq!(call(&first, "Length", "abc"), Ok(3));
}

fn code_runs_in_the_domain(library: &Library, version: &str) {
    let host = library.host(version);
    start(&host);
    let shared = host::Shared(host.clone());
    // SAFETY: valid pointers.
    std::thread::spawn(move || unsafe {
        let host = { &shared }.0.clone();
        let mut domain = 0;
        assert_eq!(host.GetCurrentAppDomainId(&raw mut domain), E_UNEXPECTED);
        // What the callback answers is passed on, whatever it is.
        for answer in [S_OK, S_FALSE, E_FAIL, HOST_E_TIMEOUT] {
            let cookie = answer.0 as isize as *mut c_void;
            assert_eq!(host.ExecuteInAppDomain(1, Some(answer_of), cookie), answer);
        }
        assert_eq!(
            host.ExecuteInAppDomain(2, Some(answer_of), null_mut()),
            HOST_E_INVALIDOPERATION
        );
        assert_eq!(host.ExecuteInAppDomain(1, None, null_mut()), E_POINTER);
        assert_eq!(host.GetCurrentAppDomainId(&raw mut domain), S_OK);
        assert_eq!(domain, 1);
        assert_eq!(host.GetCurrentAppDomainId(null_mut()), E_POINTER);
        assert_eq!(
            host.UnloadAppDomain(1, true.into()),
            HOST_E_INVALIDOPERATION
        );
    })
    .join()
    .unwrap();
}

fn the_later_interfaces_work(library: &Library, version: &str) {
    let host = library.host(version);
    start(&host);
    let path = wide(api::assembly().to_str().unwrap());
    let arguments = [wide("a"), wide("b")];
    let argv = [arguments[0].as_ptr(), arguments[1].as_ptr()];
    let mut result = 0;
    // SAFETY: valid pointers.
    unsafe {
        assert_eq!(host.Authenticate(7), S_OK);
        assert_eq!(host.SetStartupFlags(0), HOST_E_INVALIDOPERATION);
        let answer = host.ExecuteAssembly(1, path.as_ptr(), 2, argv.as_ptr(), &raw mut result);
        assert_eq!((answer, result), (S_OK, 102));
        let answer = host.ExecuteAssembly(1, null(), 0, null(), &raw mut result);
        assert_eq!(answer, E_POINTER);
        let mut id = 0;
        let none = null();
        let name = wide("domain");
        let answer = host.CreateAppDomainWithManager(
            name.as_ptr(),
            0,
            none,
            none,
            0,
            none.cast(),
            none.cast(),
            &raw mut id,
        );
        assert_eq!(answer, HOST_E_INVALIDOPERATION);
        let [assembly, class, method] =
            ["hosted", "Soglia.Hosted.Entry", "WrongArgument"].map(wide);
        let mut address = 0;
        let answer = host.CreateDelegate(
            1,
            assembly.as_ptr(),
            class.as_ptr(),
            method.as_ptr(),
            &raw mut address,
        );
        assert_eq!(answer, S_OK);
        let method: unsafe extern "system" fn(i32) -> i32 = std::mem::transmute(address);
        assert_eq!(method(77), 77);
    }
}

fn managers_are_asked_for_in_order(library: &Library, version: &str) {
    let host = library.host(version);
    let (first, told) = host::control(Gives::TaskManager);
    // SAFETY: a live control.
    unsafe { assert_eq!(host.SetHostControl(first.as_raw()), S_OK) };
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
    // SAFETY: a live control.
    unsafe { assert_eq!(host.SetHostControl(second.as_raw()), S_OK) };
    assert!(!told.lock().unwrap().asked.contains(&IHostTaskManager::IID));
    assert!(told.lock().unwrap().asked.contains(&IHostGCManager::IID));

    start(&host);
    // SAFETY: a place for the answer.
    unsafe {
        let mut kind = ETaskType(0);
        assert_eq!(manager.GetCurrentTaskType(&raw mut kind), S_OK);
        assert_eq!(kind, TT_USER);
    }
    assert_eq!(call(&host, "Call", "10"), Ok(10));
}

fn only_a_plain_success_counts(library: &Library, version: &str) {
    let host = library.host(version);
    for gives in [Gives::TaskManagerWithFalse, Gives::Null, Gives::Nothing] {
        let (control, told) = host::control(gives);
        // SAFETY: a live control.
        unsafe { assert_eq!(host.SetHostControl(control.as_raw()), S_OK) };
        let told = told.lock().unwrap();
        assert_eq!((told.asked.len(), told.clr_task_manager), (9, 0));
    }
    start(&host);
    assert_eq!(call(&host, "Length", "abc"), Ok(3));
}

fn a_control_comes_before_the_start(library: &Library, version: &str) {
    let (host, other) = (library.host(version), library.host(version));
    start(&host);
    for host in [host, other] {
        let (control, told) = host::control(Gives::TaskManager);
        // SAFETY: a live control, or null.
        unsafe {
            assert_eq!(host.SetHostControl(control.as_raw()), E_ACCESSDENIED);
            assert_eq!(host.SetHostControl(null_mut()), E_INVALIDARG);
        }
        assert!(told.lock().unwrap().asked.is_empty());
    }
}

fn nobody_sees_how_the_engine_came(library: &Library, version: &str) {
    let host = library.host(version);
    let (control, _) = host::control(Gives::TaskManager);
    let before: Vec<_> = env::vars_os().collect();
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    // SAFETY: a live control.
    unsafe { assert_eq!(host.SetHostControl(control.as_raw()), S_OK) };
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

fn managers_are_given_out(library: &Library, version: &str) {
    let host = library.host(version);
    let early = control(&host);
    start(&host);
    let late = control(&host);
    let mut object = null_mut();
    // SAFETY: valid pointers, or null.
    unsafe {
        assert_eq!(
            early.GetCLRManager(&UNKNOWN, &raw mut object),
            E_NOINTERFACE
        );
        assert_eq!(
            early.GetCLRManager(&ICLRTaskManager::IID, null_mut()),
            E_INVALIDARG
        );
        assert_eq!(early.GetCLRManager(null(), &raw mut object), E_INVALIDARG);
        assert_eq!(early.SetAppDomainManagerType(null(), null()), E_NOTIMPL);
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
    // SAFETY: valid pointers, or null.
    unsafe {
        let mut yes = BOOL(7);
        assert_eq!(debug.IsDebuggerAttached(&raw mut yes), S_OK);
        assert_eq!(yes.0, 0);
        assert_eq!(debug.IsDebuggerAttached(null_mut()), E_POINTER);
        assert_eq!(debug.EndConnection(1), E_NOTIMPL);
        assert_eq!(
            policy.SetDefaultAction(OPR_ThreadAbort, eAbortThread),
            E_NOTIMPL
        );
        assert_eq!(
            policy.SetDefaultAction(OPR_ThreadAbort, EPolicyAction(10)),
            E_INVALIDARG
        );
        let action = host::action();
        let action = action.as_raw();
        assert_eq!(
            events.RegisterActionOnEvent(MaxClrEvent, action),
            E_INVALIDARG
        );
        assert_eq!(
            events.RegisterActionOnEvent(Event_ClrDisabled, null_mut()),
            E_INVALIDARG
        );
        assert_eq!(
            events.RegisterActionOnEvent(Event_MDAFired, action),
            E_NOTIMPL
        );
        // Without an engine in this process, nobody would tell.
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
        assert_eq!(monitor.GetCurrentAllocated(1, &raw mut one), S_OK);
        assert!(one > 0);
        assert_eq!(
            monitor.GetCurrentAllocated(2, &raw mut one),
            COR_E_APPDOMAINUNLOADED
        );
        assert_eq!(
            monitor.GetCurrentSurvived(1, &raw mut one, &raw mut other),
            S_OK
        );
        assert_eq!(monitor.GetCurrentCpuTime(1, &raw mut one), S_OK);
    }
}

fn the_collector_collects_and_counts(library: &Library, version: &str) {
    let host = library.host(version);
    let gc = manager::<ICLRGCManager2>(&control(&host)).unwrap();
    let mut stats = COR_GC_STATS::default();
    // SAFETY: valid pointers, or null.
    unsafe {
        assert_eq!(gc.Collect(-1), HOST_E_CLRNOTAVAILABLE);
        assert_eq!(gc.GetStats(&raw mut stats), HOST_E_CLRNOTAVAILABLE);
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

        assert_eq!(gc.GetStats(null_mut()), E_POINTER);
        stats.Flags = 8;
        assert_eq!(gc.GetStats(&raw mut stats), E_INVALIDARG);
        stats.Flags = COR_GC_COUNTS;
        stats.ReservedKBytes = 77;
        assert_eq!(gc.GetStats(&raw mut stats), S_OK);
        assert_eq!(stats.ExplicitGCCount, 3);
        assert_eq!(stats.GenCollectionsTaken[2] as i32, full + 2);
        assert_eq!(stats.CommittedKBytes, 0);
        stats.Flags = COR_GC_MEMORYUSAGE;
        assert_eq!(gc.GetStats(&raw mut stats), S_OK);
        assert!(stats.CommittedKBytes > 0);
        assert_eq!(stats.ReservedKBytes, 77, "what is not known is left alone");
        assert_eq!(gc.SetGCStartupLimitsEx(0, 0), E_NOTIMPL);
    }
}

fn a_task_is_a_thread(library: &Library, version: &str) {
    let host = library.host(version);
    let tasks = manager::<ICLRTaskManager>(&control(&host)).unwrap();
    let mut task = std::ptr::dangling_mut();
    // SAFETY: valid pointers, or null; what is lent is alive while its thread is.
    unsafe {
        assert_eq!(tasks.GetCurrentTask(null_mut()), E_POINTER);
        assert_eq!(tasks.GetCurrentTask(&raw mut task), S_OK);
        assert!(task.is_null());
        assert_eq!(tasks.CreateTask(&raw mut task), HOST_E_CLRNOTAVAILABLE);
        start(&host);

        assert_eq!(tasks.GetCurrentTask(&raw mut task), S_OK);
        let own = ICLRTask::from_raw_borrowed(&task).unwrap().clone();
        let own2 = own.cast::<ICLRTask2>().unwrap();
        let mut again = null_mut();
        assert_eq!(tasks.GetCurrentTask(&raw mut again), S_OK);
        assert_eq!(task, again);
        assert_eq!(tasks.CreateTask(&raw mut again), HOST_E_INVALIDOPERATION);

        let mut memory = COR_GC_THREAD_STATS::default();
        assert_eq!(call(&host, "Length", "abc"), Ok(3));
        assert_eq!(own.GetMemStats(&raw mut memory), S_OK);
        assert!(memory.PerThreadAllocation > 0);
        assert_eq!(own.SetTaskIdentifier(u64::MAX), S_OK);
        assert_eq!(own.YieldTask(), HOST_E_INVALIDOPERATION);
        assert_eq!(own.SwitchOut(), E_NOTIMPL);
        assert_eq!(own.Abort(), E_NOTIMPL);
        assert_eq!(own.LocksHeld(null_mut()), E_POINTER);
        assert_eq!(own2.EndPreventAsyncAbort(), E_UNEXPECTED);
        assert_eq!(own2.BeginPreventAsyncAbort(), S_OK);
        assert_eq!(own2.BeginPreventAsyncAbort(), S_OK);
        assert_eq!(own2.EndPreventAsyncAbort(), S_OK);
        assert_eq!(own2.EndPreventAsyncAbort(), S_OK);
        assert_eq!(own2.EndPreventAsyncAbort(), E_UNEXPECTED);

        // The fixtures are invariant only by their own configuration, so the culture may be there or not.
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
            assert_eq!(tasks.GetCurrentTask(&raw mut task), S_OK);
            assert!(task.is_null(), "the runtime does not know this thread");
            assert_eq!(tasks.GetCurrentTaskType(&raw mut kind), S_OK);
            assert_eq!(kind, TT_UNKNOWN);
            assert_eq!(tasks.SetLocale(0x7f), HOST_E_INVALIDOPERATION);
            assert_eq!(tasks.CreateTask(&raw mut task), S_OK);
            assert!(!task.is_null());
            assert_eq!(tasks.GetCurrentTaskType(&raw mut kind), S_OK);
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

fn flags_and_properties_reach_the_runtime(library: &Library, version: &str) {
    let info = library.runtime(version);
    let host = library.host(version);
    let domain = manager::<ICLRDomainManager>(&control(&host)).unwrap();
    let (names, values) = ([wide("Soglia.Test")], [wide("twelve chars")]);
    let (names, values) = ([names[0].as_ptr()], [values[0].as_ptr()]);
    // SAFETY: valid pointers.
    unsafe {
        assert_eq!(info.SetDefaultStartupFlags(STARTUP_SERVER_GC, null()), S_OK);
        let (mut flags, mut length) = (0, 0);
        assert_eq!(
            info.GetDefaultStartupFlags(&raw mut flags, null_mut(), &raw mut length),
            S_OK
        );
        assert_eq!((flags, length), (STARTUP_SERVER_GC, 1));
        let set = |number| {
            domain.SetPropertiesForDefaultAppDomain(number, names.as_ptr(), values.as_ptr())
        };
        assert_eq!(set(1), S_OK);
        start(&host);
        assert_eq!(set(1), HOST_E_INVALIDOPERATION);
    }
    assert_eq!(call(&host, "Property", "Soglia.Test"), Ok(12));
    assert_eq!(call(&host, "Property", "Soglia.Absent"), Ok(-1));
    // On one processor there is no server GC.
    let several = std::thread::available_parallelism().is_ok_and(|n| n.get() > 1);
    assert_eq!(call(&host, "IsServerGC", ""), Ok(several.into()));
}

fn a_configuration_is_used(library: &Library, version: &str) {
    let name = format!("config-{}.runtimeconfig.json", std::process::id());
    let path = env::temp_dir().join(name);
    let write = |version: &str| {
        let text = format!(
            r#"{{"runtimeOptions":{{"rollForward":"Disable","framework":{{"name":"Microsoft.NETCore.App","version":"{version}"}},
            "configProperties":{{"Soglia.Test":"configured"}}}}}}"#
        );
        std::fs::write(&path, text).unwrap();
    };
    let info = library.runtime(version);
    let wide_path = wide(path.to_str().unwrap());
    let host = library.host(version);
    write("8.0.999");
    // SAFETY: valid pointers.
    unsafe {
        assert_eq!(
            info.SetDefaultStartupFlags(STARTUP_CONCURRENT_GC, wide_path.as_ptr()),
            S_OK
        );
        // A framework that is not there; hostfxr says which on standard error.
        assert_eq!(host.Start(), CLR_E_SHIM_RUNTIMELOAD);
        write(version);
        assert_eq!(host.Start(), S_OK);
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(call(&host, "Property", "Soglia.Test"), Ok(10));
}

fn the_old_door_opens_too(library: &Library, version: &str) {
    // SAFETY: its type.
    let bind = unsafe { library.function::<api::Bind>("CorBindToRuntimeEx") };
    let flavor = wide("wks");
    let bind = |version: &str, class: &GUID| -> Result<ICLRRuntimeHost4, HRESULT> {
        let version = wide(version);
        // SAFETY: valid pointers.
        get(|id, object| unsafe {
            bind(
                version.as_ptr(),
                flavor.as_ptr(),
                STARTUP_CONCURRENT_GC,
                class,
                id,
                object,
            )
        })
    };
    assert_eq!(
        bind("v1.0.3705", &CLSID_CLRRuntimeHost).err(),
        Some(CLR_E_SHIM_RUNTIMELOAD)
    );
    assert_eq!(
        bind("v2.0.50727", &UNKNOWN).err(),
        Some(CLASS_E_CLASSNOTAVAILABLE)
    );
    let host = bind(&format!("v{version}"), &CLSID_CLRRuntimeHost).unwrap();
    start(&host);
    assert_eq!(call(&host, "Length", "abc"), Ok(3));
    // Without a version: the one that is here.
    let same: ICLRRuntimeHost = get(|id, object| {
        // SAFETY: its type, and valid pointers.
        unsafe { library.function::<api::GetHost>("GetCLRRuntimeHost")(id, object) }
    })
    .unwrap();
    start(&same.cast().unwrap());
}

fn another_profiler_is_in_the_way(library: &Library, version: &str) {
    let host = library.host(version);
    let (control, _) = host::control(Gives::TaskManager);
    // SAFETY: a live control.
    unsafe {
        assert_eq!(host.SetHostControl(control.as_raw()), S_OK);
        assert_eq!(host.Start(), CORPROF_E_PROFILER_ALREADY_ACTIVE);
    }
    assert_eq!(call(&host, "Length", ""), Err(HOST_E_CLRNOTAVAILABLE));
}

fn the_end_is_told(library: &Library, version: &str) {
    let host = library.host(version);
    let events = manager::<ICLROnEventManager>(&control(&host)).unwrap();
    let (action, other) = (host::action(), host::action());
    // SAFETY: live objects.
    unsafe {
        for action in [&action, &other] {
            let answer = events.RegisterActionOnEvent(Event_ClrDisabled, action.as_raw());
            assert_eq!(answer, S_OK);
        }
        let answer = events.UnregisterActionOnEvent(Event_ClrDisabled, other.as_raw());
        assert_eq!(answer, S_OK);
        start(&host);
        assert_eq!(call(&host, "Length", "abc"), Ok(3));
        let answer = library.meta_host().ExitProcess(42);
        panic!("still here: {answer:?}");
    }
}

fn a_process_ends_without_a_runtime(library: &Library, _: &str) {
    // SAFETY: no pointers.
    let answer = unsafe { library.meta_host().ExitProcess(3) };
    panic!("still here: {answer:?}");
}
