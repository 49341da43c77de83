//! Starting .NET, and what keeps it from starting.

use std::env;
use std::fs;
use std::path::PathBuf;

use soglia::host::{
    Action, Error, Failure, HResult, Host, HostPolicyManager, HostTaskManager, Operation,
};

use crate::stage::Stage;

const ENTRY: &str = "Soglia.Hosted.Entry";

struct Nothing;

impl HostTaskManager for Nothing {}

fn property(stage: &Stage, host: &Host, name: &str) -> i32 {
    host.call(stage.fixture("hosted.dll"), ENTRY, "Property", name)
        .unwrap()
}

/// A configuration for exactly that version of a framework.
fn configuration(framework: &str, version: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("soglia-{}.runtimeconfig.json", std::process::id()));
    let text = format!(
        r#"{{"runtimeOptions":{{"rollForward":"Disable","framework":{{"name":"{framework}","version":"{version}"}},
        "configProperties":{{"Soglia.Test":"configured"}}}}}}"#
    );
    fs::write(&path, text).unwrap();
    path
}

pub fn versions_are_chosen(stage: &Stage) {
    for wanted in ["7.7", "99.0.0", "newest"] {
        match Host::builder().version(wanted).start().unwrap_err() {
            Error::VersionMissing {
                wanted: w,
                installed,
                ..
            } => {
                assert_eq!(w, wanted);
                assert!(installed.contains(&stage.version));
            }
            why => panic!("{why}"),
        }
    }
    let (major, _) = stage.version.split_once('.').unwrap();
    let host = Host::builder().version(major).start().unwrap();
    assert!(host.version().starts_with(&format!("{major}.")));
}

pub fn roots_are_chosen(stage: &Stage) {
    let root = PathBuf::from(env::var_os("DOTNET_ROOT").unwrap());
    let why = stage.builder().dotnet_root("/proc").start().unwrap_err();
    assert!(
        matches!(&why, Error::NotARoot(path) if path.as_os_str() == "/proc"),
        "{why}"
    );
    // SAFETY: this process has one thread.
    unsafe {
        env::remove_var("DOTNET_ROOT");
        env::set_var("PATH", "");
        env::set_var("HOME", "/absent");
    }
    // A machine may have one in a usual place all the same.
    if let Err(why) = Host::builder().start() {
        assert!(matches!(why, Error::NoDotnet(..)), "{why}");
        assert!(why.to_string().contains("DOTNET_ROOT: not set"), "{why}");
        let host = stage.builder().dotnet_root(&root).start().unwrap();
        assert_eq!(host.version(), stage.version);
        let again = stage.builder().dotnet_root(&root).start();
        assert!(matches!(again, Err(Error::AlreadyStarted(_))), "{again:?}");
    }
}

pub fn configurations_are_chosen(stage: &Stage) {
    let why = stage
        .builder()
        .runtime_config("/absent.json")
        .start()
        .unwrap_err();
    assert!(matches!(why, Error::NoConfiguration(_)), "{why}");
    // It leads to the version, whatever is newest, and to no other.
    let config = configuration("Microsoft.NETCore.App", &stage.version);
    let Err(Error::VersionMissing { installed, .. }) = Host::builder().version("99.0").start()
    else {
        panic!("there is no such version");
    };
    for other in installed.iter().filter(|other| **other != stage.version) {
        let builder = Host::builder().version(other).runtime_config(&config);
        match builder.start().unwrap_err() {
            Error::OtherVersion { version, .. } => assert_eq!(version, *other),
            Error::VersionTooOld(version) => assert_eq!(version, *other),
            why => panic!("{why}"),
        }
    }
    let host = Host::builder().runtime_config(&config).start().unwrap();
    fs::remove_file(&config).unwrap();
    assert_eq!(host.version(), stage.version);
    assert_eq!(property(stage, &host, "Soglia.Test"), 10);
}

pub fn a_framework_is_missing(stage: &Stage) {
    let config = configuration("Soglia.Absent", "1.2.3");
    let why = Host::builder().runtime_config(&config).start().unwrap_err();
    fs::remove_file(&config).unwrap();
    // What .NET has to say about it is in the error.
    assert!(matches!(why, Error::NotStarted { .. }), "{why}");
    assert!(why.to_string().contains("Soglia.Absent"), "{why}");
    assert!(stage.builder().start().is_ok());
}

pub fn properties_reach_the_runtime(stage: &Stage) {
    let builder = stage.builder().property("Soglia.Test", "twelve chars");
    let host = builder
        .server_gc(true)
        .concurrent_gc(false)
        .start()
        .unwrap();
    assert_eq!(property(stage, &host, "Soglia.Test"), 12);
    assert_eq!(property(stage, &host, "System.GC.Concurrent"), 5);
    let server = host.call(stage.fixture("hosted.dll"), ENTRY, "IsServerGC", "");
    let several = std::thread::available_parallelism().is_ok_and(|n| n.get() > 1);
    assert_eq!(server.unwrap(), i32::from(several));
    let late = stage.builder().property("a", "b").start();
    assert!(matches!(late, Err(Error::AlreadyStarted(_))), "{late:?}");
}

pub fn another_host_joins(stage: &Stage) {
    let first = stage.builder().start().unwrap();
    let second = Host::builder().start().unwrap();
    assert_eq!(second.version(), stage.version);
    drop(first);
    assert_eq!(property(stage, &second, "Soglia.Absent"), -1);
    assert!(second.gc().unwrap().collect(None).is_ok());
    for late in [
        Host::builder().task_manager(Nothing).start(),
        Host::builder().watch().start(),
        Host::builder().on_clr_disabled(|| ()).start(),
        Host::builder().version("99.0").start(),
    ] {
        let why = late.unwrap_err();
        let expected = matches!(why, Error::AlreadyStarted(_) | Error::VersionMissing { .. });
        assert!(expected, "{why}");
    }
    drop(second);
    let why = Host::builder()
        .start()
        .map(|host| property(stage, &host, "Soglia.Absent"));
    assert_eq!(why.unwrap(), -1, "it can be started again");
}

pub fn a_failed_start_can_be_tried_again(stage: &Stage) {
    let config = configuration("Soglia.Absent", "1.2.3");
    let start = |watch: bool| {
        let builder = Host::builder().runtime_config(&config);
        if watch { builder.watch() } else { builder }.start()
    };
    assert!(matches!(start(true), Err(Error::NotStarted { .. })));
    // The first queue is with the engine, and there is only one.
    let again = stage.builder().watch().start();
    assert!(matches!(again, Err(Error::ManagersStay)), "{again:?}");
    fs::remove_file(&config).unwrap();
}

pub fn the_engine_is_named(stage: &Stage) {
    let why = stage.builder().engine("/absent.so").start().unwrap_err();
    assert!(matches!(why, Error::EngineNotThere(_)), "{why}");
    let why = stage
        .builder()
        .engine(stage.fixture("libguest.so"))
        .start()
        .unwrap_err();
    assert!(matches!(why, Error::EngineUnusable { .. }), "{why}");
    // It is in the folder above, where cargo has built it; here, by another name.
    let this = env::current_exe().unwrap();
    let engine = this
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("libsoglia.so");
    let link = env::temp_dir().join(format!("soglia-{}.so", std::process::id()));
    std::os::unix::fs::symlink(engine, &link).unwrap();
    let host = stage.builder().engine(&link).watch().start();
    fs::remove_file(&link).unwrap();
    assert_eq!(host.unwrap().version(), stage.version);
}

pub fn another_profiler_is_in_the_way(stage: &Stage) {
    let why = stage.builder().watch().start().unwrap_err();
    assert!(matches!(why, Error::OtherProfiler), "{why}");
}

pub fn profilers_are_switched_off(stage: &Stage) {
    let why = stage.builder().watch().start().unwrap_err();
    assert!(matches!(why, Error::WithoutEngine), "{why}");
}

struct Policy;

impl HostPolicyManager for Policy {
    fn on_default_action(&self, operation: Operation, action: Action) {
        println!("{operation:?}: {action:?}");
    }
    fn on_failure(&self, failure: Failure, action: Action) {
        println!("{failure:?}: {action:?}");
    }
}

fn told_of_the_end(stage: &Stage) -> Host {
    let builder = stage.builder().policy_manager(Policy);
    let builder = builder.on_exit(|| println!("the program exits"));
    let builder = builder.on_clr_disabled(|| println!("no more managed code"));
    builder.start().unwrap()
}

pub fn the_end_is_told(stage: &Stage) {
    told_of_the_end(stage).exit(0);
}

/// An unhandled exception ends the process, or only its thread, from .NET 10 on.
pub fn a_host_survives(stage: &Stage) {
    let (major, _) = stage.version.split_once('.').unwrap();
    let host = stage.builder().survive_unhandled_exceptions().start();
    if major.parse::<u32>().unwrap() < 10 {
        let code = host.unwrap_err().code();
        assert_eq!(code, Some(HResult::NOT_IMPLEMENTED));
        return;
    }
    let file = stage.fixture("hosted.dll");
    let host = host.unwrap();
    let thrown = host.call(&file, ENTRY, "Unhandled", "x");
    assert!(thrown.is_ok(), "{thrown:?}");
}
