//! Processes that cannot be attached to: each message names the reason, and what to do.

use std::{
    env, fs,
    io::{Read, Write},
    os::unix::net::UnixListener,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

use crate::support::{Live, Space, refusal, signal, text, until};

/// The number of a process that no machine has.
const NO_PROCESS: u32 = 2_000_000_000;

/// A profiler that does nothing: all its functions return success.
const PROFILER: &str = r"
static int ok(void *self) { return 0; }
static int itself(void *self, const void *id, void **out) { *out = self; return 0; }
static int no(void *self, int *only_notified) { *only_notified = 0; return 0; }
static void *functions[128], *profiler[1] = { functions }, *made[5], *maker[1] = { made };
static int make(void *self, void *outer, const void *id, void **out) { *out = profiler; return 0; }
int DllGetClassObject(const void *class, const void *id, void **out)
{
    for (int n = 0; n < 128; n++)
        functions[n] = ok;
    functions[0] = itself;
    functions[97] = no;
    made[0] = itself;
    made[1] = made[2] = made[4] = ok;
    made[3] = make;
    *out = maker;
    return 0;
}
";

/// Builds that profiler.
fn profiler(space: &Space) -> PathBuf {
    let (source, library) = (space.path("other.c"), space.path("libother.so"));
    fs::write(&source, PROFILER).unwrap();
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let built = Command::new(compiler)
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    assert!(built.unwrap().success());
    library
}

/// The service of the fixtures with these variables, and the first line that it prints.
fn served(space: &Space, variables: &[(&str, &str)]) -> (Live, String) {
    let mut command = space.bare("served.dll", "regular");
    command
        .env("SERVED_FILE", space.path("served"))
        .envs(variables.iter().copied())
        .stdin(Stdio::piped());
    let mut served = Live::start(&mut command);
    let line = served.line();
    (served, line)
}

#[test]
fn the_profiler_of_somebody_else_is_named() {
    let space = Space::new();
    let library = profiler(&space);
    let library = library.to_str().unwrap();
    let (mut served, line) = served(
        &space,
        &[
            ("CORECLR_ENABLE_PROFILING", "1"),
            ("CORECLR_PROFILER", "{cf0d821e-299b-5307-a3d8-b283c03916dd}"),
            ("CORECLR_PROFILER_PATH", library),
        ],
    );
    assert_eq!(line.trim_end(), "ready");
    for command in ["attach", "stacks"] {
        let said = refusal(&mut space.soglia(&format!("{command} {}", served.pid())));
        let wanted = format!("has another profiler, and a runtime takes only one ({library})");
        assert!(said.contains(&wanted), "{said}");
    }
    drop(served.input());
    assert!(served.wait().0.success());
}

#[test]
fn a_runtime_that_is_held_at_its_start_is_explained() {
    let space = Space::new();
    let held = [("DOTNET_DefaultDiagnosticPortSuspend", "1")];
    // The runtime says that it waits.
    let (mut served, _) = served(&space, &held);
    let pid = served.pid();
    let said = until("the diagnostics port", || {
        let said = refusal(&mut space.soglia(&format!("attach {pid}")));
        (!said.contains("has no diagnostics socket")).then_some(said)
    });
    assert!(said.contains("has not started its program yet"), "{said}");
    assert!(said.contains(held[0].0), "{said}");
    signal(pid, "KILL");
    served.wait_quietly();
}

#[test]
fn a_stopped_program_is_named_with_and_without_the_engine_in_it() {
    let space = Space::new();
    let (mut served, _) = served(&space, &[]);
    let pid = served.pid();
    for _ in 0..2 {
        signal(pid, "STOP");
        for command in ["attach", "stacks"] {
            let said = refusal(&mut space.soglia(&format!("{command} {pid}")));
            let wanted = format!("cannot answer: it is stopped, and `kill -CONT {pid}`");
            assert!(said.contains(&wanted), "{said}");
        }
        signal(pid, "CONT");
        let attach = format!("attach {pid} --for 1ms --quiet");
        let output = space.soglia(&attach).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    drop(served.input());
    assert!(served.wait().0.success());
}

#[test]
fn the_number_of_a_thread_leads_to_its_process() {
    let space = Space::new();
    let (mut served, _) = served(&space, &[]);
    let pid = served.pid();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut threads = threads.map(|entry| text(entry.unwrap().file_name().as_encoded_bytes()));
    let thread = threads.find(|tid| *tid != pid.to_string()).unwrap();
    let wanted = format!("{thread} is a thread of process {pid}: give the number of the process");
    for command in ["attach", "stacks", "report", "top"] {
        let said = refusal(&mut space.soglia(&format!("{command} {thread}")));
        assert_eq!(said, wanted, "{command}");
    }
    drop(served.input());
    assert!(served.wait().0.success());
}

#[test]
fn processes_that_cannot_be_attached_to_are_named() {
    let space = Space::new();
    let message = |args: &str| refusal(&mut space.soglia(&format!("attach {args}")));
    let absent = message(&NO_PROCESS.to_string());
    assert!(
        absent.contains(&format!("there is no process {NO_PROCESS}")),
        "{absent}"
    );
    let mut sleeps = Command::new("sleep").arg("100").spawn().unwrap();
    let other = message(&sleeps.id().to_string());
    assert!(other.contains("(sleep) runs no .NET"), "{other}");
    sleeps.kill().unwrap();
    // A zombie, until it is waited for.
    let ended = until("its end", || {
        let said = message(&sleeps.id().to_string());
        said.contains("has ended").then_some(said)
    });
    assert!(ended.contains(&sleeps.id().to_string()));
    sleeps.wait().unwrap();
    let mut off = space.bare("served.dll", "regular");
    off.env("DOTNET_EnableDiagnostics", "0")
        .stdin(Stdio::piped());
    let mut live = Live::start(&mut off);
    live.expect("ready");
    let off = message(&live.pid().to_string());
    assert!(off.contains("DOTNET_EnableDiagnostics=0"), "{off}");
    let _ = live.input();
    live.wait_quietly();
    assert!(message("0").contains("invalid value '0'"));
    assert!(message("4711 --keep").contains("--output"));
    let counts = format!("{} --counts --deadline x=1s", std::process::id());
    assert!(message(&counts).contains("--counts"));
}

/// What a runtime answers: the number of the message, and what it holds.
type Answer = (u8, Vec<u8>);

fn info(version: &str, os: &str, architecture: &str) -> Answer {
    let mut bytes = vec![0; 24];
    for text in ["dotnet a.dll", os, architecture, "a", version] {
        let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        bytes.extend((units.len() as u32).to_le_bytes());
        bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    }
    (0, bytes)
}

fn refused(code: u32) -> Answer {
    (0xff, code.to_le_bytes().to_vec())
}

#[test]
fn runtimes_that_cannot_load_the_engine_are_explained() {
    // Other tests in this process record, so this one runs in a process of its own.
    const ALONE: &str = "SOGLIA_TEST_ALONE";
    if env::var_os(ALONE).is_none() {
        let name = "unattachable::runtimes_that_cannot_load_the_engine_are_explained";
        let mut again = Command::new(env::current_exe().unwrap());
        let out = again.args(["--exact", name]).env(ALONE, "1").output();
        let out = out.unwrap();
        assert!(out.status.success(), "{}", text(&out.stdout));
        assert!(
            text(&out.stdout).contains("1 passed"),
            "{}",
            text(&out.stdout)
        );
    } else {
        play_runtimes();
    }
}

fn play_runtimes() {
    const CURRENT: &str = "9.0.1";
    let space = Space::new();
    let pid = std::process::id();
    // This process plays the runtime.
    let socket = env::temp_dir().join(format!("dotnet-diagnostic-{pid}-1-socket"));
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    for (answers, wanted) in [
        (
            vec![info("7.0.20", "Linux", "x64")],
            "runs .NET 7.0.20: soglia attaches to .NET 8",
        ),
        (
            vec![refused(0x8013_1385)],
            "runs .NET 5 or an earlier version",
        ),
        (
            vec![info(CURRENT, "Linux", "arm64")],
            "runs .NET for Linux on arm64",
        ),
        (
            vec![info(CURRENT, "Linux", "x64"), refused(0x8013_136a)],
            "has another profiler",
        ),
        (
            vec![info(CURRENT, "Linux", "x64"), refused(0x8013_1371)],
            "has not started its program yet",
        ),
        (
            vec![info(CURRENT, "Linux", "x64"), refused(0x8013_135b)],
            "has not started its program yet",
        ),
        (
            vec![info(CURRENT, "Linux", "x64"), refused(0x8013_1385)],
            "was compiled ahead of time (NativeAOT)",
        ),
        (
            vec![info(CURRENT, "Linux", "x64"), refused(0x8000_4005)],
            "did not load the engine: it answered E_FAIL (0x80004005)",
        ),
        (
            vec![(0, vec![1; 9])],
            "does not answer on its diagnostics socket: its answer is none: it is too short",
        ),
        (
            vec![info(CURRENT, "Linux", "x64"), (0, vec![0; 4])],
            "its control socket was not there",
        ),
    ] {
        let listener = listener.try_clone().unwrap();
        let runtime = thread::spawn(move || {
            for (number, payload) in answers {
                let mut port = listener.accept().unwrap().0;
                let mut head = [0; 20];
                port.read_exact(&mut head).unwrap();
                let mut rest = vec![0; usize::from(u16::from_le_bytes([head[14], head[15]])) - 20];
                port.read_exact(&mut rest).unwrap();
                let mut answer = b"DOTNET_IPC_V1\0".to_vec();
                answer.extend((20 + payload.len() as u16).to_le_bytes());
                answer.extend([0xff, number, 0, 0]);
                answer.extend(payload);
                port.write_all(&answer).unwrap();
            }
        });
        let said = refusal(&mut space.soglia(&format!("attach {pid}")));
        assert!(said.contains(wanted), "{said}: not {wanted}");
        runtime.join().unwrap();
    }
    fs::remove_file(&socket).unwrap();
}
