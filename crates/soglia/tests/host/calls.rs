//! Running managed code.

use std::fs;
use std::thread;

use soglia::assembly::AssemblyError;
use soglia::host::{Error, HResult, Host, TaskType};

use crate::stage::Stage;

const ENTRY: &str = "Soglia.Hosted.Entry";
const PLUGIN: &str = "Guest.Plugin";

fn started(stage: &Stage) -> Host {
    stage.builder().start().unwrap()
}

pub fn methods_are_called(stage: &Stage) {
    let host = started(stage);
    assert_eq!(host.version(), stage.version);
    let file = stage.fixture("hosted.dll");
    let call = |method: &str, argument: &str| host.call(&file, ENTRY, method, argument).unwrap();
    let (major, _) = stage.version.split_once('.').unwrap();
    assert_eq!(call("Major", ""), major.parse::<i32>().unwrap());
    assert_eq!(call("Length", "città \u{1f600}"), 8);
    assert_eq!(call("Hidden", "private"), 7);
    assert_eq!(call("Dependency", "abc"), 6);
    // The host asks for no notifications, so the runtime has no engine, and the environment no
    // variables of it.
    assert_eq!(call("Variable", "CORECLR_ENABLE_PROFILING"), -1);
    thread::scope(|scope| {
        for length in 0..8 {
            let call = &call;
            scope.spawn(move || assert_eq!(call("Length", &"x".repeat(length)), length as i32));
        }
    });
    std::env::set_current_dir(&stage.fixtures).unwrap();
    assert_eq!(host.call("hosted.dll", ENTRY, "Length", "abc").unwrap(), 3);
}

pub fn what_is_missing_is_told(stage: &Stage) {
    let host = started(stage);
    let folder = tempfile::tempdir().unwrap();
    // Without what lies beside it.
    let file = folder.path().join("hosted.dll");
    fs::copy(stage.fixture("hosted.dll"), &file).unwrap();
    let text = folder.path().join("text.dll");
    fs::write(&text, "no assembly").unwrap();
    let why = |file: &std::path::Path, class: &str, method: &str| {
        host.call(file, class, method, "x").unwrap_err()
    };
    let absent = "/absent/plugin.dll".as_ref();
    assert!(
        matches!(why(absent, ENTRY, "Length"), Error::AssemblyNotFound(path) if path == absent)
    );
    assert!(matches!(why(&text, ENTRY, "Length"), Error::NotAnAssembly(path) if path == text));
    let missing = why(&file, "Soglia.Hosted.Absent", "Length");
    assert!(matches!(missing, Error::TypeMissing { .. }), "{missing}");
    assert!(missing.to_string().contains("Soglia.Hosted.Absent"));
    for method in [
        "Absent",
        "Instance",
        "WrongResult",
        "WrongArgument",
        "length",
        "",
    ] {
        let missing = why(&file, ENTRY, method);
        assert!(
            matches!(&missing, Error::MethodMissing { method: m, .. } if m == method),
            "{missing}"
        );
    }
    let thrown = why(&file, ENTRY, "Throw");
    assert_eq!(thrown.code(), Some(HResult::new(0x8013_1509)), "{thrown}");
    // What the method did not find is none that we have not found.
    let thrown = why(&file, ENTRY, "Dependency");
    assert_eq!(thrown.code(), Some(HResult::new(0x8007_0002)), "{thrown}");
    assert!(matches!(thrown, Error::Exception { .. }), "{thrown}");
    let guest = stage.fixture("guest.dll");
    // The same of functions.
    type Function = extern "C" fn(i32, i32) -> i32;
    let why = |file: &std::path::Path, class: &str, method: &str| {
        // SAFETY: none of them is found.
        unsafe { host.function::<Function>(file, class, method) }.unwrap_err()
    };
    assert!(matches!(
        why(absent, PLUGIN, "Add"),
        Error::AssemblyNotFound(_)
    ));
    assert!(matches!(why(&text, PLUGIN, "Add"), Error::NotAnAssembly(_)));
    assert!(matches!(
        why(&guest, "Plugin", "Add"),
        Error::TypeMissing { .. }
    ));
    assert!(matches!(
        why(&guest, PLUGIN, "add"),
        Error::MethodMissing { .. }
    ));
    assert!(matches!(
        why(&guest, PLUGIN, "Managed"),
        Error::NotForNativeCallers { .. }
    ));
    assert!(matches!(
        host.call(&guest, PLUGIN, "Words", "a\0b"),
        Err(Error::ZeroByte)
    ));
}

pub fn functions_are_called(stage: &Stage) {
    let host = started(stage);
    let guest = stage.fixture("guest.dll");
    // SAFETY: Plugin.cs declares the methods with these signatures.
    let (add, mean) = unsafe {
        let add: extern "C" fn(i32, i32) -> i32 = host.function(&guest, PLUGIN, "Add").unwrap();
        let mean: unsafe extern "C" fn(*const f64, i32) -> f64 =
            host.function(&guest, PLUGIN, "Mean").unwrap();
        (add, mean)
    };
    assert_eq!(add(i32::MAX, 1), i32::MIN);
    // SAFETY: the array has the two values that the call announces.
    assert_eq!(unsafe { mean([1.0, 2.0].as_ptr(), 2) }, 1.5);
    // Another thread, and after the host is gone.
    drop(host);
    assert_eq!(thread::spawn(move || add(40, 2)).join().unwrap(), 42);
}

pub fn programs_run(stage: &Stage) {
    // As if it lay there alone.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("hosted.dll");
    fs::copy(stage.fixture("hosted.dll"), &program).unwrap();
    let config = format!(
        r#"{{"runtimeOptions":{{"rollForward":"Disable","framework":{{"name":"Microsoft.NETCore.App","version":"{}"}},
        "configProperties":{{"Soglia.Test":"configured"}}}}}}"#,
        stage.version
    );
    fs::write(folder.path().join("hosted.runtimeconfig.json"), config).unwrap();
    // Managed code sees its folder without the way there.
    fs::create_dir(folder.path().join("beside")).unwrap();
    let dotted = folder.path().join("./beside/../hosted.dll");
    let host = Host::builder().program(dotted).start().unwrap();
    assert_eq!(host.version(), stage.version);
    let property = |name: &str| host.call(&program, ENTRY, "Property", name).unwrap();
    assert_eq!(property("Soglia.Test"), 10);
    let length = folder.path().to_str().unwrap().len() as i32;
    assert_eq!(property("APP_CONTEXT_BASE_DIRECTORY"), length + 1);
    assert_eq!(host.run(&program, [] as [&str; 0]).unwrap(), 100);
    assert_eq!(host.run(&program, ["a", "b c", "città"]).unwrap(), 103);
    let text = folder.path().join("text.dll");
    fs::write(&text, "no assembly").unwrap();
    assert!(matches!(
        host.run(&text, ["a"]),
        Err(Error::NotAProgram(AssemblyError::Broken { .. }))
    ));
    assert!(matches!(
        host.run("/absent.dll", ["a"]),
        Err(Error::AssemblyNotFound(_))
    ));
    assert!(matches!(host.run(&program, ["a\0"]), Err(Error::ZeroByte)));
    // A library has no Main.
    let why = host.run(stage.fixture("guest.dll"), ["a"]).unwrap_err();
    assert!(
        matches!(why, Error::NotAProgram(AssemblyError::NoEntryPoint { .. })),
        "{why:?}"
    );
}

pub fn what_the_clr_can_be_asked(stage: &Stage) {
    let host = started(stage);
    let tasks = host.tasks().unwrap();
    assert_eq!(
        tasks.current_task_type(),
        Ok(TaskType::User),
        "the thread that has started it"
    );
    thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(tasks.current_task_type(), Ok(TaskType::Unknown));
            assert!(tasks.current_task().is_none());
            assert_eq!(tasks.set_locale(0x409), Err(HResult::INVALID_OPERATION));
            let task = tasks.create_task().unwrap();
            assert_eq!(tasks.create_task().err(), Some(HResult::INVALID_OPERATION));
            assert!(task.allocated().is_ok());
            assert_eq!(task.set_identifier(u64::MAX), Ok(()));
            assert_eq!(task.end_prevent_async_abort(), Err(HResult::UNEXPECTED));
            assert_eq!(task.begin_prevent_async_abort(), Ok(()));
            assert_eq!(task.end_prevent_async_abort(), Ok(()));
            assert_eq!(task.yield_task(), Err(HResult::INVALID_OPERATION));
            assert_eq!(tasks.current_task_type(), Ok(TaskType::User));
        });
    });
    let gc = host.gc().unwrap();
    let before = gc.stats().unwrap();
    gc.collect(None).unwrap();
    gc.collect(Some(0)).unwrap();
    assert_eq!(gc.collect(Some(3)), Err(HResult::INVALID_ARGUMENT));
    let after = gc.stats().unwrap();
    assert_eq!(after.explicit, before.explicit + 2);
    assert!(after.collections[0] >= before.collections[0] + 2);
    assert!(after.collections[2] > before.collections[2]);
    // A stream without events ends at once.
    assert_eq!(host.events().next(), None);
}
