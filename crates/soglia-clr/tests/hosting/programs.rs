//! Whole programs under a host that gets all notifications and agrees: they behave as without it.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::Ordering::Relaxed,
};

use soglia_abi::{
    hosting::control::ICLRDomainManager,
    hresult::S_OK,
    param::{Array, Out, WideString},
};

use crate::{
    api::{Library, control, manager, start, wide},
    role::ROLE,
    script,
};

/// Plays a host that runs a program, told or not: `PROGRAM` is its file, `ARGUMENTS` what it gets.
pub fn run_a_program(library: &Library, version: &str) {
    let host = library.host(version);
    let told = script::script(|_, _| S_OK);
    told.deaf.store(true, Relaxed);
    if env::var_os("TOLD").is_some() {
        script::set_control(&host, &told);
    }
    // Programs look for files of theirs beside themselves.
    let domain = manager::<ICLRDomainManager>(&control(&host)).unwrap();
    let base = format!(
        "{}/",
        Path::new(&env::var("PROGRAM").unwrap())
            .parent()
            .unwrap()
            .display()
    );
    let (names, values) = ([wide("APP_CONTEXT_BASE_DIRECTORY")], [wide(&base)]);
    let (names, values) = ([names[0].lent()], [values[0].lent()]);
    // SAFETY: the object is alive, and there are one name and one value.
    let set = unsafe {
        domain.SetPropertiesForDefaultAppDomain(1, Array::new(&names), Array::new(&values))
    };
    assert_eq!(set, S_OK);
    start(&host);
    let path = wide(&env::var("PROGRAM").unwrap());
    let arguments = env::var("ARGUMENTS").unwrap();
    let arguments: Vec<_> = arguments.split_whitespace().map(wide).collect();
    let argv: Vec<_> = arguments.iter().map(WideString::lent).collect();
    let mut result = 0;
    // SAFETY: the object is alive, and there are as many arguments as is said.
    let answer = unsafe {
        host.ExecuteAssembly(
            1,
            path.lent(),
            argv.len() as i32,
            Array::new(&argv),
            Out::new(&mut result),
        )
    };
    assert_eq!(answer, S_OK);
    let [leave, enter, reverse_enter, reverse_leave] = told.counted();
    if env::var_os("TOLD").is_some() {
        eprintln!("told {leave} {enter} {reverse_enter} {reverse_leave}");
    }
    std::process::exit(result as i32);
}

/// The fixture's files and the native libraries, in one folder.
fn folder(library: &Library, program: &str) -> PathBuf {
    let own = format!("{program}-{}", std::process::id());
    let folder = library.folder().join("programs").join(own);
    std::fs::create_dir_all(&folder).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/managed");
    let files = std::fs::read_dir(fixtures.join(program)).unwrap();
    let natives = std::fs::read_dir(library.folder()).unwrap();
    for file in files.chain(natives).map(|file| file.unwrap().path()) {
        let name = file.file_name().unwrap();
        if file.is_file()
            && file.extension().is_some_and(|e| e == "dll" || e == "so")
            && name != OsStr::new("libmscoree.so")
        {
            std::os::unix::fs::symlink(&file, folder.join(name)).unwrap();
        }
    }
    folder
}

fn run(library: &Library, version: &str, program: &Path, arguments: &str, told: bool) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([ROLE, "run_a_program", version])
        .arg(library.path())
        .env("PROGRAM", program)
        .env("ARGUMENTS", arguments);
    if told {
        command.env("TOLD", "1");
    }
    command.output().unwrap()
}

/// Runs it twice, once with a host that gets notifications. Exit code and output are the same.
fn same(library: &Library, version: &str, program: &str, arguments: &[&str]) {
    let folder = folder(library, program);
    let file = folder.join(format!("{program}.dll"));
    for arguments in arguments {
        let [bare, told] = [false, true].map(|told| run(library, version, &file, arguments, told));
        // What cannot be linked throws in our own question already, as docs/hosting.md says.
        let ours = "at System.Runtime.CompilerServices.RuntimeHelpers.PrepareMethod(RuntimeMethodHandle method, RuntimeTypeHandle[] instantiation)";
        let text = |output: &Output| {
            let text = String::from_utf8_lossy(&output.stdout);
            text.replace(ours, "at Soglia.Semantics.Failures.no_such_entry()")
        };
        assert_eq!(
            (told.status, text(&told)),
            (bare.status, text(&bare)),
            "{program} {arguments}\n{}",
            String::from_utf8_lossy(&told.stderr)
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}

pub fn programs_do_what_they_do(library: &Library, version: &str) {
    for program in ["sixsteps", "pointers", "delegates", "modules"] {
        same(library, version, program, &[""]);
    }
    // All together, and by themselves those that end the process in a way of their own.
    let runs = [
        "",
        "escape",
        "atexit",
        "processexit",
        "background",
        "exitcode 7",
        "exit",
        "failfast",
        "unhandled",
        "unhandled-callback",
        "abort",
        "segv",
        "nativeexit",
        "_exit",
        "collected",
        "suppressgc-callback",
        "stackoverflow",
    ];
    same(library, version, "semantics", &runs);
}
