//! How hosts start it, and run code in it.

use std::{
    env,
    ffi::{CString, c_char, c_void},
    ptr::{null, null_mut},
};

use soglia_abi::{
    BOOL, HRESULT,
    hosting::{
        com::IEnumUnknown,
        control::{ICLRControl, ICLRDomainManager},
        gc::ICLRGCManager,
        runtime_host::{CLSID_CLRRuntimeHost, ICLRRuntimeHost, ICLRRuntimeHost2, ICLRRuntimeHost4},
        types::{STARTUP_CONCURRENT_GC, STARTUP_SERVER_GC},
    },
    hresult::*,
    param::{Array, Buffer, In, InOut, Lent, Out, Wide},
};
use windows_core::{IUnknown, Interface};

use crate::{
    api::{
        self, Library, answer_of, call, call_in, control, get, manager, start, version_of, wide,
    },
    host::{self},
};

const FILE_NOT_FOUND: HRESULT = HRESULT(0x8007_0002_u32 as i32);
const BAD_IMAGE: HRESULT = HRESULT(0x8007_000b_u32 as i32);
const TYPE_LOAD: HRESULT = HRESULT(0x8013_1522_u32 as i32);

pub fn a_method_is_called(library: &Library, version: &str) {
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
    // Another thread, which the host has started and the runtime has never seen.
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
        let (path, class, name) = (path.lent(), class.lent(), name.lent());
        let answer =
            host.ExecuteInDefaultAppDomain(path, class, name, Wide::null(), Out::new(&mut result));
        assert_eq!((answer, result as i32), (S_OK, -1));
        let answer = host.ExecuteInDefaultAppDomain(path, class, name, Wide::null(), Out::null());
        assert_eq!(answer, S_OK);
    }
}

pub fn what_is_missing_is_told_apart(library: &Library, version: &str) {
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
    let text = text.lent();
    // SAFETY: the object is alive, and its methods check parameters for null.
    unsafe {
        let answers = [
            host.ExecuteInDefaultAppDomain(Wide::null(), text, text, text, Out::null()),
            host.ExecuteInDefaultAppDomain(text, Wide::null(), text, text, Out::null()),
            host.ExecuteInDefaultAppDomain(text, text, Wide::null(), text, Out::null()),
        ];
        assert_eq!(answers, [E_POINTER; 3]);
    }
}

pub fn before_start_nothing_runs(library: &Library, version: &str) {
    let host = library.host(version);
    let mut number = 0;
    assert_eq!(call(&host, "Length", ""), Err(HOST_E_CLRNOTAVAILABLE));
    // SAFETY: the object is alive, and safe code has made the parameters.
    unsafe {
        assert_eq!(host.Stop(), E_UNEXPECTED);
        assert_eq!(
            host.ExecuteInAppDomain(1, Some(answer_of), null_mut()),
            HOST_E_CLRNOTAVAILABLE
        );
        assert_eq!(
            host.GetCurrentAppDomainId(Out::new(&mut number)),
            HOST_E_CLRNOTAVAILABLE
        );
        assert_eq!(
            host.UnloadAppDomain(1, true.into()),
            HOST_E_INVALIDOPERATION
        );
        let name = wide("app");
        let name = name.lent();
        assert_eq!(
            host.ExecuteApplication(name, 0, Array::null(), 0, Array::null(), Out::null()),
            E_NOTIMPL
        );
        let answer = host.ExecuteAssembly(1, name, 0, Array::null(), Out::new(&mut number));
        assert_eq!(answer, HOST_E_CLRNOTAVAILABLE);
        assert_eq!(host.GetCLRControl(Out::null()), E_POINTER);
        assert_eq!(host.SetHostControl(Lent::null()), E_INVALIDARG);
    }
    for id in [
        ICLRRuntimeHost::IID,
        ICLRRuntimeHost2::IID,
        ICLRRuntimeHost4::IID,
    ] {
        let mut object = null_mut();
        // SAFETY: the object is alive, and safe code has made the parameters.
        unsafe {
            assert_eq!(host.query(&id, &raw mut object), S_OK);
            drop(IUnknown::from_raw(object));
        }
    }
}

pub fn starts_and_stops_are_counted(library: &Library, version: &str) {
    let (first, second) = (library.host(version), library.host("v4.0.30319"));
    start(&first);
    // SAFETY: the object is alive, and its method takes no pointers.
    unsafe {
        // As .NET Framework had it.
        assert_eq!(first.Start(), S_FALSE);
        assert_eq!(first.Stop(), S_FALSE);
        assert_eq!(second.Stop(), HOST_E_CLRNOTAVAILABLE);
    }
    let newest = version_of(&library.runtime("v4.0.30319"));
    if newest == format!("v{version}") {
        start(&second);
        // SAFETY: the object is alive, and its method takes no pointers.
        assert_eq!(unsafe { second.Stop() }, S_FALSE);
    } else {
        // A process has one runtime.
        // SAFETY: the object is alive, and safe code has made the parameters.
        unsafe {
            assert_eq!(second.Start(), CLR_E_SHIM_RUNTIMELOAD);
            let other = library.runtime(&newest);
            let mut yes = BOOL(7);
            assert_eq!(other.IsLoadable(Out::new(&mut yes)), S_OK);
            assert_eq!(yes.0, 0);
            let asked: Result<ICLRRuntimeHost, HRESULT> =
                get(|id, object| other.GetInterface(In::new(&CLSID_CLRRuntimeHost), id, object));
            assert_eq!(asked.err(), Some(CLR_E_SHIM_RUNTIMELOAD));
        }
    }
    let info = library.runtime(version);
    let (mut yes, mut flags) = (BOOL(7), 0);
    // SAFETY: the object is alive, and safe code has made the parameters.
    unsafe {
        assert_eq!(
            info.IsStarted(Out::new(&mut yes), Out::new(&mut flags)),
            S_OK
        );
        assert_eq!((yes.0, flags), (1, STARTUP_CONCURRENT_GC));
        for process in [0_isize, -1, std::process::id() as isize] {
            assert_eq!(
                info.IsLoaded(process as *mut c_void, Out::new(&mut yes)),
                S_OK
            );
            assert_eq!(yes.0, 1);
        }
        assert_eq!(
            info.IsLoaded(isize::MAX as *mut c_void, Out::new(&mut yes)),
            E_HANDLE
        );
        assert_eq!(
            info.SetDefaultStartupFlags(0, Wide::null()),
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
    // SAFETY: the object is alive, and its method takes no pointers.
    unsafe {
        assert_eq!(first.Stop(), S_OK);
        assert_eq!(first.Stop(), HOST_E_CLRNOTAVAILABLE);
    }
    assert_eq!(call(&first, "Length", "abc"), Err(HOST_E_CLRNOTAVAILABLE));
    start(&first);
    assert_eq!(call(&first, "Length", "abc"), Ok(3));
}

pub fn code_runs_in_the_domain(library: &Library, version: &str) {
    let host = library.host(version);
    start(&host);
    let shared = host::Shared(host.clone());
    // SAFETY: the object is alive, and safe code has made the parameters.
    std::thread::spawn(move || unsafe {
        let host = { &shared }.0.clone();
        let mut domain = 0;
        assert_eq!(
            host.GetCurrentAppDomainId(Out::new(&mut domain)),
            E_UNEXPECTED
        );
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
        assert_eq!(host.GetCurrentAppDomainId(Out::new(&mut domain)), S_OK);
        assert_eq!(domain, 1);
        assert_eq!(host.GetCurrentAppDomainId(Out::null()), E_POINTER);
        assert_eq!(
            host.UnloadAppDomain(1, true.into()),
            HOST_E_INVALIDOPERATION
        );
    })
    .join()
    .unwrap();
}

pub fn the_later_interfaces_work(library: &Library, version: &str) {
    let host = library.host(version);
    start(&host);
    let path = wide(api::assembly().to_str().unwrap());
    let arguments = [wide("a"), wide("b")];
    let argv = [arguments[0].lent(), arguments[1].lent()];
    let mut result = 0;
    // SAFETY: the object is alive, and safe code has made the parameters.
    unsafe {
        assert_eq!(host.Authenticate(7), S_OK);
        assert_eq!(host.SetStartupFlags(0), HOST_E_INVALIDOPERATION);
        let answer =
            host.ExecuteAssembly(1, path.lent(), 2, Array::new(&argv), Out::new(&mut result));
        assert_eq!((answer, result), (S_OK, 102));
        let answer = host.ExecuteAssembly(1, Wide::null(), 0, Array::null(), Out::new(&mut result));
        assert_eq!(answer, E_POINTER);
        let [assembly, class, method] =
            ["hosted", "Soglia.Hosted.Entry", "WrongArgument"].map(wide);
        let mut address = 0;
        let answer = host.CreateDelegate(
            1,
            assembly.lent(),
            class.lent(),
            method.lent(),
            Out::new(&mut address),
        );
        assert_eq!(answer, S_OK);
        let method: unsafe extern "system" fn(i32) -> i32 = std::mem::transmute(address);
        assert_eq!(method(77), 77);
    }
}

pub fn a_method_of_a_file_is_a_function(library: &Library, version: &str) {
    let host = library.host(version);
    start(&host);
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/managed/guest/guest.dll"
    );
    let find = |file: &str, class: &str, method: &str| {
        let [file, class, method] = [file, class, method].map(wide);
        let (file, class, method) = (file.lent(), class.lent(), method.lent());
        let mut address = 0;
        // SAFETY: the object is alive, and safe code has made the parameters.
        match unsafe { host.CreateDelegate(1, file, class, method, Out::new(&mut address)) } {
            S_OK => Ok(address),
            why => Err(why),
        }
    };
    let class = "Guest.Plugin";
    let add = find(file, class, "Add").unwrap();
    // SAFETY: Plugin.cs declares the method with this signature.
    let add: extern "system" fn(i32, i32) -> i32 = unsafe { std::mem::transmute(add) };
    assert_eq!(add(40, 2), 42);
    assert_eq!(find(file, class, "Absent"), Err(COR_E_MISSINGMETHOD));
    assert_eq!(find(file, class, "Managed"), Err(COR_E_INVALIDOPERATION));
    assert_eq!(find(file, "Guest.Absent", "Add"), Err(TYPE_LOAD));
    assert_eq!(find("/absent.dll", class, "Add"), Err(FILE_NOT_FOUND));
    assert_eq!(find("/proc/self/exe", class, "Add"), Err(BAD_IMAGE));
}

pub fn a_root_can_be_named(library: &Library, version: &str) {
    type SetRoot = unsafe extern "system" fn(*const c_char) -> HRESULT;
    // SAFETY: the headers declare the function with this type.
    let set: SetRoot = unsafe { library.function("SogliaSetDotnetRoot") };
    let root = env::var_os("DOTNET_ROOT").unwrap().into_encoded_bytes();
    let root = CString::new(root).unwrap();
    // SAFETY: a process with one thread; C strings or null.
    unsafe {
        env::remove_var("DOTNET_ROOT");
        env::set_var("PATH", "");
        assert_eq!(set(c"/proc".as_ptr()), CLR_E_SHIM_INSTALLROOT);
        assert_eq!(set(root.as_ptr()), S_OK);
    }
    let host = library.host(version);
    start(&host);
    assert_eq!(call(&host, "Length", "abc"), Ok(3));
    // SAFETY: soglia.h allows null for the path.
    assert_eq!(unsafe { set(null()) }, HOST_E_INVALIDOPERATION);
}

pub fn flags_and_properties_reach_the_runtime(library: &Library, version: &str) {
    let info = library.runtime(version);
    let host = library.host(version);
    let domain = manager::<ICLRDomainManager>(&control(&host)).unwrap();
    let (names, values) = ([wide("Soglia.Test")], [wide("twelve chars")]);
    let (names, values) = ([names[0].lent()], [values[0].lent()]);
    // SAFETY: the object is alive, and safe code has made the parameters.
    unsafe {
        assert_eq!(
            info.SetDefaultStartupFlags(STARTUP_SERVER_GC, Wide::null()),
            S_OK
        );
        let (mut flags, mut length) = (0, 0);
        assert_eq!(
            info.GetDefaultStartupFlags(
                Out::new(&mut flags),
                Buffer::null(),
                InOut::new(&mut length)
            ),
            S_OK
        );
        assert_eq!((flags, length), (STARTUP_SERVER_GC, 1));
        let set = |number| {
            domain.SetPropertiesForDefaultAppDomain(number, Array::new(&names), Array::new(&values))
        };
        assert_eq!(set(1), S_OK);
        start(&host);
        assert_eq!(set(1), HOST_E_INVALIDOPERATION);
    }
    assert_eq!(call(&host, "Property", "Soglia.Test"), Ok(12));
    assert_eq!(call(&host, "Property", "Soglia.Absent"), Ok(-1));
    let folder = env::current_exe().unwrap().parent().unwrap().to_owned();
    let length = folder.to_str().unwrap().len() as i32 + 1;
    let base = "APP_CONTEXT_BASE_DIRECTORY";
    assert_eq!(call(&host, "Property", base), Ok(length));
    // On one processor there is no server GC.
    let several = std::thread::available_parallelism().is_ok_and(|n| n.get() > 1);
    assert_eq!(call(&host, "IsServerGC", ""), Ok(several.into()));
}

pub fn a_configuration_is_used(library: &Library, version: &str) {
    let name = format!("config-{}.runtimeconfig.json", std::process::id());
    let path = env::temp_dir().join(name);
    let write = |version: &str| {
        let text = format!(
            r#"{{"runtimeOptions":{{"rollForward":"Disable","framework":{{"name":"Microsoft.NETCore.App","version":"{version}"}},
            "configProperties":{{"Soglia.Test":"configured","System.GC.Server":true}}}}}}"#
        );
        std::fs::write(&path, text).unwrap();
    };
    let info = library.runtime(version);
    let wide_path = wide(path.to_str().unwrap());
    let host = library.host(version);
    write("8.0.999");
    // SAFETY: the object is alive, and safe code has made the parameters.
    unsafe {
        assert_eq!(
            info.SetDefaultStartupFlags(STARTUP_CONCURRENT_GC, wide_path.lent()),
            S_OK
        );
        // A framework that is not there; hostfxr says which on standard error.
        assert_eq!(host.Start(), CLR_E_SHIM_RUNTIMELOAD);
        write(version);
        assert_eq!(host.Start(), S_OK);
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(call(&host, "Property", "Soglia.Test"), Ok(10));
    let several = std::thread::available_parallelism().is_ok_and(|n| n.get() > 1);
    assert_eq!(call(&host, "IsServerGC", ""), Ok(several.into()));
}

pub fn hosts_start_at_the_same_time(library: &Library, version: &str) {
    let hosts: Vec<_> = (0..8)
        .map(|_| host::Shared(library.host(version)))
        .collect();
    let barrier = std::sync::Barrier::new(hosts.len());
    std::thread::scope(|scope| {
        for shared in &hosts {
            scope.spawn(|| {
                barrier.wait();
                start(&shared.0);
                assert_eq!(call(&shared.0, "Dependency", "abc"), Ok(6));
            });
        }
    });
    // SAFETY: the object is alive, and its method takes no pointers.
    let stops: Vec<_> = hosts
        .iter()
        .map(|shared| unsafe { shared.0.Stop() })
        .collect();
    assert_eq!(stops[..7], [S_FALSE; 7]);
    assert_eq!(stops[7], S_OK);
}

/// Has the program let no managed code be called from native code, as trimmed ones are.
pub fn close(control: &ICLRControl) {
    let domain = manager::<ICLRDomainManager>(control).unwrap();
    let name = "System.Runtime.InteropServices.EnableConsumingManagedCodeFromNativeHosting";
    let [name, value] = [name, "false"].map(wide);
    let (names, values) = ([name.lent()], [value.lent()]);
    // SAFETY: the object is alive, and safe code has made the parameters.
    unsafe {
        let set =
            domain.SetPropertiesForDefaultAppDomain(1, Array::new(&names), Array::new(&values));
        assert_eq!(set, S_OK);
    }
}

pub fn a_closed_runtime_runs_methods(library: &Library, version: &str) {
    let host = library.host(version);
    close(&control(&host));
    start(&host);
    assert_eq!(call(&host, "Length", "abc"), Ok(3));
    assert_eq!(call(&host, "Absent", ""), Err(COR_E_MISSINGMETHOD));
    let gc = manager::<ICLRGCManager>(&control(&host));
    assert_eq!(
        gc.err(),
        Some(HOST_E_INVALIDOPERATION),
        "that control came late"
    );
}
