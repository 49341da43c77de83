//! Where a host cannot come while the runtime runs, and where the runtime is of others.

use std::{
    env,
    ffi::CString,
    fs,
    os::unix::net::UnixStream,
    path::Path,
    ptr::{null, null_mut},
    sync::Arc,
    thread,
};

use soglia_abi::{hresult::*, param::Lent};
use soglia_core::{
    control::{self, Answer, Request, facts},
    process,
    trace::{
        identity::Identity,
        writer::{self, Level},
    },
};
use soglia_dotnet::{Root, fxr, library};

use crate::{
    acting::kinds_work,
    api::{Library, start},
    attaching::{Doors, agreeing, kinds_are_told, running},
    cases::{Case, case},
    script::{self, Acting, wait_for},
};

pub const CASES: &[Case] = &[
    case("why_no_host_can_come_is_told", why_no_host_can_come_is_told),
    case(
        "a_host_comes_to_a_runtime_of_others",
        a_host_comes_to_a_runtime_of_others,
    ),
    case("tools_and_hosts_take_turns", tools_and_hosts_take_turns),
    case("one_host_stays_the_only_one", one_host_stays_the_only_one),
    Case {
        environment: &[("DOTNET_EnableDiagnostics", "0")],
        ..case(
            "without_diagnostics_no_host_can_come",
            without_diagnostics_no_host_can_come,
        )
    },
    case("a_runtime_without_a_port", a_runtime_without_a_port),
];

fn why_no_host_can_come_is_told(library: &Library, version: &str) {
    let doors = Doors::of(library);
    let script = agreeing();
    let manager = script::manager(&script);
    // SAFETY: null is what is tested.
    let answer = unsafe { (doors.attach)(Lent::null()) };
    assert_eq!(
        (answer, doors.text()),
        (E_POINTER, "the task manager is null".into())
    );
    let (answer, text) = doors.try_attach(&manager);
    assert_eq!(answer, HOST_E_CLRNOTAVAILABLE, "{text}");
    assert!(text.contains("no .NET runs in this process"), "{text}");
    assert_eq!((doors.detach)(), HOST_E_INVALIDOPERATION);
    assert_eq!(doors.text(), "no task manager is attached");
    let acting = running(library, version, script.clone());
    doors.attach(&script);
    assert_eq!(doors.text(), "", "a success");
    let (answer, text) = doors.try_attach(&manager);
    assert_eq!(answer, HOST_E_INVALIDOPERATION, "{text}");
    assert!(text.contains("detach that one first"), "{text}");
    assert_eq!(acting.get("Call", "plain"), 2);
    assert_eq!(
        script.line(),
        "N(plain) T S L(plain) E",
        "the first goes on"
    );
    doors.detach();
    // A text belongs to a thread.
    let of_other = thread::spawn(move || ((doors.detach)(), doors.text()));
    let other = of_other.join().unwrap();
    assert_eq!(
        other,
        (
            HOST_E_INVALIDOPERATION,
            "no task manager is attached".into()
        )
    );
    assert_eq!(doors.text(), "");
    drop(manager);
    wait_for(|| Arc::strong_count(&script) == 2);
}

/// Starts the runtime as programs do that know nothing of soglia.
fn start_by_hostfxr(version: &str) {
    let root = Root::at(Path::new(&env::var_os("DOTNET_ROOT").unwrap())).unwrap();
    let hostfxr = library::Library::open(&root.hostfxr).unwrap();
    let config = env::temp_dir().join(format!("soglia-{}.runtimeconfig.json", std::process::id()));
    let framework = format!(r#"{{"name":"Microsoft.NETCore.App","version":"{version}"}}"#);
    let text =
        format!(r#"{{"runtimeOptions":{{"rollForward":"Disable","framework":{framework}}}}}"#);
    fs::write(&config, text).unwrap();
    let path = CString::new(config.to_str().unwrap()).unwrap();
    let (mut handle, mut delegate) = (null_mut(), null_mut());
    // SAFETY: hostfxr.h declares the functions with these types; C strings, and places for answers.
    unsafe {
        let initialize: fxr::InitializeForRuntimeConfig = hostfxr
            .function(c"hostfxr_initialize_for_runtime_config")
            .unwrap();
        let get: fxr::GetRuntimeDelegate =
            hostfxr.function(c"hostfxr_get_runtime_delegate").unwrap();
        assert_eq!(initialize(path.as_ptr(), null(), &raw mut handle), 0);
        assert_eq!(get(handle, fxr::LOAD_ASSEMBLY, &raw mut delegate), 0);
    }
    fs::remove_file(config).unwrap();
}

fn a_host_comes_to_a_runtime_of_others(library: &Library, version: &str) {
    start_by_hostfxr(version);
    let doors = Doors::of(library);
    let script = agreeing();
    doors.attach(&script);
    let host = library.host(version);
    start(&host);
    let acting = Acting::joined(library, host, script.clone());
    assert_eq!(acting.get("Call", "plain"), 2);
    assert_eq!(script.line(), "N(plain) T S L(plain) E");
    kinds_are_told(&acting, &script);
    doors.detach();
    assert_eq!(acting.get("Call", "plain"), 2);
    assert_eq!(script.lines(), [""; 0]);
}

fn one_host_stays_the_only_one(library: &Library, version: &str) {
    let acting = Acting::agreeing(library, version);
    let other = agreeing();
    let (answer, text) = Doors::of(library).try_attach(&script::manager(&other));
    assert_eq!(answer, HOST_E_INVALIDOPERATION, "{text}");
    assert!(text.contains("SetHostControl"), "{text}");
    assert_eq!(acting.get("Call", "plain"), 2);
    assert_eq!(acting.script.line(), "N(plain) T S L(plain) E");
    assert_eq!(other.lines(), [""; 0]);
}

fn without_diagnostics_no_host_can_come(library: &Library, version: &str) {
    let acting = running(library, version, agreeing());
    let (answer, text) = Doors::of(library).try_attach(&script::manager(&acting.script));
    assert_eq!(answer, HOST_E_INVALIDOPERATION, "{text}");
    let why = "DOTNET_EnableDiagnostics=0 switches it off: start the process without that";
    assert!(text.contains(why), "{text}");
    assert_eq!(acting.get("Call", "plain"), 2);
}

fn a_runtime_without_a_port(library: &Library, version: &str) {
    let acting = running(library, version, agreeing());
    let own = format!("dotnet-diagnostic-{}-", std::process::id());
    let is_own = |file: &fs::DirEntry| file.file_name().to_string_lossy().starts_with(&own);
    let folder = env::temp_dir();
    let files = fs::read_dir(&folder).unwrap().map(Result::unwrap);
    let sockets: Vec<_> = files.filter(is_own).collect();
    assert_eq!(sockets.len(), 1, "{sockets:?}");
    fs::remove_file(sockets[0].path()).unwrap();
    let (answer, text) = Doors::of(library).try_attach(&script::manager(&acting.script));
    assert_eq!(answer, HOST_E_INVALIDOPERATION, "{text}");
    let why = format!(
        "is not in {}: the runtime may still be starting",
        folder.display()
    );
    assert!(text.contains(&why), "{text}");
}

/// A tool and a host take turns. Who comes second learns who is there.
fn tools_and_hosts_take_turns(library: &Library, version: &str) {
    let script = agreeing();
    let acting = running(library, version, script.clone());
    let doors = Doors::of(library);
    doors.attach(&script);
    let own = std::process::id();
    let name = control::name(own, process::started(own).unwrap());
    let address = control::address(&name).unwrap();
    wait_for(|| UnixStream::connect_addr(&address).is_ok());
    let connect = || UnixStream::connect_addr(&address).unwrap();
    let ask = |request| control::ask(&mut connect(), &request).unwrap();
    let options = writer::Options {
        level: Level::Summary,
        max_bytes: 64 << 20,
        slow_ns: 0,
        ..writer::Options::default()
    };
    let (file, path) = writer::create_unnamed(&options).unwrap();
    let settings = [
        ("SOGLIA_RECORDING", path.to_str().unwrap().to_owned()),
        (
            "SOGLIA_RECORDING_ID",
            Identity::of(&file).unwrap().to_string(),
        ),
    ];
    let begin = Request::Begin(
        settings
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    );
    for request in [begin.clone(), Request::End { keep: false }] {
        let answer = ask(request);
        let is_told = matches!(&answer, Answer::No(why) if why.contains("SogliaAttachTaskManager"));
        assert!(is_told, "{answer:?}");
    }
    let state = ask(Request::State);
    assert!(matches!(state, Answer::Ok(_)), "{state:?}");
    assert_eq!(state.fact(facts::RECORDING), None, "a host records nothing");
    assert_eq!(acting.get("Call", "plain"), 2);
    assert_eq!(script.line(), "N(plain) T S L(plain) E");
    doors.detach();
    let mut tool = connect();
    let began = control::ask(&mut tool, &begin).unwrap();
    assert!(began.fact(facts::RECORDING).is_some(), "{began:?}");
    let (answer, text) = doors.try_attach(&script::manager(&script));
    assert_eq!(answer, HOST_E_INVALIDOPERATION, "{text}");
    assert!(
        text.contains("`soglia attach` records this process"),
        "{text}"
    );
    kinds_work(&acting);
    let ended = control::ask(&mut tool, &Request::End { keep: false }).unwrap();
    assert!(matches!(ended, Answer::Ok(_)), "{ended:?}");
    assert_eq!(script.lines(), [""; 0], "while the tool recorded");
    doors.attach(&script);
    assert_eq!(acting.get("Call", "plain"), 2);
    assert_eq!(script.line(), "N(plain) T S L(plain) E");
    kinds_are_told(&acting, &script);
    doors.detach();
}
