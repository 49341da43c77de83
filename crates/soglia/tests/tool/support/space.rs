//! A .NET root, the engine, a folder with the fixtures, and ways to run programs.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use soglia::dotnet::{CORE_FRAMEWORK, OLDEST_MAJOR, Root};
use soglia_core::trace::reader::Reader;
use soglia_testing::process::isolate;

pub const SOGLIA: &str = env!("CARGO_BIN_EXE_soglia");

/// What is made once per test process.
pub struct Setup {
    pub root: Root,
    /// All fixtures, with their native libraries.
    pub fixtures: PathBuf,
    /// The major version of the runtime that the fixtures run on.
    pub major: u64,
}

pub fn setup() -> &'static Setup {
    static SETUP: OnceLock<Result<Setup, String>> = OnceLock::new();
    let setup = SETUP.get_or_init(|| {
        std::panic::catch_unwind(prepare)
            .map_err(|why| why.downcast_ref::<String>().cloned().unwrap_or_default())
    });
    setup.as_ref().unwrap_or_else(|why| panic!("{why}"))
}

fn prepare() -> Setup {
    let root = soglia_testing::dotnet::root();
    soglia_testing::built::engine(env!("CARGO_TARGET_TMPDIR"));
    let newest = env::var("DOTNET_ROLL_FORWARD").is_ok_and(|policy| policy == "LatestMajor");
    let versions = root.versions_of(CORE_FRAMEWORK).iter();
    let majors = versions
        .map(|version| version.major)
        .filter(|major| *major >= OLDEST_MAJOR);
    // As runtimeconfig.json and the variable have it; each report is compared with it.
    let major = if newest { majors.max() } else { majors.min() };
    Setup {
        fixtures: soglia_testing::built::fixtures(env!("CARGO_TARGET_TMPDIR")),
        major: major.expect("a root with .NET 8 or later"),
        root,
    }
}

/// A program of the fixtures.
pub fn fixture(name: &str) -> PathBuf {
    setup().fixtures.join(name)
}

/// A directory of one test: for its recordings, and for what runtimes leave behind.
pub struct Space(tempfile::TempDir);

impl Space {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A command that inherits nothing from the machine around the tests.
    pub fn command(&self, file: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(file);
        isolate(&mut command)
            .env("DOTNET_ROOT", &setup().root.path)
            .env("TMPDIR", self.0.path())
            .env("ORACLE_FILE", self.path("oracle"));
        // It chooses the runtime for a whole run of the tests.
        if let Some(policy) = env::var_os("DOTNET_ROLL_FORWARD") {
            command.env("DOTNET_ROLL_FORWARD", policy);
        }
        command
    }

    /// The tool with these arguments, which are separated by spaces.
    pub fn soglia(&self, args: &str) -> Command {
        let mut command = self.command(SOGLIA);
        command
            .args(args.split_whitespace())
            .current_dir(self.0.path());
        command
    }

    /// A copy of the tool, with the engine beside it and nothing else.
    pub fn copied_tool(&self) -> PathBuf {
        let folder = self.path("bin");
        fs::create_dir_all(&folder).unwrap();
        let (tool, engine) = (folder.join("soglia"), folder.join("libsoglia.so"));
        fs::copy(SOGLIA, &tool).unwrap();
        fs::copy(
            PathBuf::from(SOGLIA).with_file_name("libsoglia.so"),
            &engine,
        )
        .unwrap();
        // Also for other users, whatever the build was made with.
        for file in [&folder, &tool, &engine] {
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        tool
    }

    /// `soglia run OPTIONS FIXTURE ARGS`
    pub fn run(&self, options: &str, program: &str, args: &str) -> Command {
        let mut command = self.soglia(&format!("run {options}"));
        command.arg(fixture(program)).args(args.split_whitespace());
        command
    }

    /// A fixture as it is started without soglia. A root without `dotnet` has no other starter than
    /// the tool's.
    pub fn bare(&self, program: &str, args: &str) -> Command {
        let (file, before) = bare_command();
        let mut command = self.command(file);
        command
            .args(before)
            .arg(fixture(program))
            .args(args.split_whitespace())
            .current_dir(self.0.path());
        command
    }

    /// Writes `script`, which starts `semantics.dll plain` with `before` ahead of the command and
    /// `after` in the lines behind it. There, `COMMAND` is the command.
    pub fn script(&self, before: &str, after: &str) {
        let (file, args) = bare_command();
        let args: Vec<String> = args
            .iter()
            .map(|arg| format!("'{}'", arg.display()))
            .collect();
        let command = format!(
            "{before} '{}' {} '{}' plain",
            file.display(),
            args.join(" "),
            fixture("semantics.dll").display()
        );
        let path = self.path("script");
        let text = format!("#!/bin/sh\n{command}\n{after}\n").replace("COMMAND", &command);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Calls and callbacks as native code counted them.
    pub fn oracle(&self) -> BTreeMap<String, (u64, u64)> {
        let bytes = fs::read(self.path("oracle")).unwrap_or_default();
        let number =
            |record: &[u8], at: usize| u64::from_le_bytes(record[at..at + 8].try_into().unwrap());
        let records = bytes.chunks_exact(64).take_while(|record| record[0] != 0);
        records
            .map(|record| {
                let end = record.iter().position(|byte| *byte == 0).unwrap().min(48);
                let name = String::from_utf8(record[..end].to_vec()).unwrap();
                (name, (number(record, 48), number(record, 56)))
            })
            .collect()
    }

    /// How often native code says that it was called by this name.
    pub fn oracle_calls(&self, name: &str) -> u64 {
        self.oracle().get(name).map_or(0, |(calls, _)| *calls)
    }
}

/// What starts an assembly without soglia, up to the assembly.
pub fn bare_command() -> (PathBuf, Vec<PathBuf>) {
    let root = &setup().root;
    match &root.muxer {
        Some(muxer) => (muxer.clone(), Vec::new()),
        None => (
            SOGLIA.into(),
            vec!["__assembly".into(), root.path.clone(), root.hostfxr.clone()],
        ),
    }
}

/// A started command whose output is read while it runs.
pub struct Live {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Live {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads one line.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Reads one line of standard error; an empty one at its end.
    pub fn error_line(&mut self) -> String {
        let errors = self.child.stderr.as_mut().unwrap();
        let (mut line, mut byte) = (Vec::new(), [0]);
        while errors.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            line.push(byte[0]);
        }
        text(&line)
    }

    /// Reads until `soglia attach -o RECORDING` says that it is attached, and finds that its hooks
    /// are there. A signal before that has it give up.
    pub fn attached(&mut self, recording: &Path) {
        until("the attach", || {
            assert!(!self.is_over(), "soglia attach: {:?}", self.wait());
            let attach = Reader::open(recording).ok()?.names().attach?;
            (attach.live > 0).then_some(())
        });
        let mut said = self.error_line();
        while !said.contains("attached to") {
            assert!(!said.is_empty(), "soglia has not said that it is attached");
            said = self.error_line();
        }
    }

    /// Reads one line, which must be this.
    pub fn expect(&mut self, wanted: &str) {
        assert_eq!(self.line(), wanted);
    }

    /// The rest of standard output; returns when everybody who had it open is gone.
    pub fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }

    /// The process that soglia has started.
    pub fn program(&self) -> Option<u32> {
        let children =
            fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid())).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// Its standard input, if that is a pipe: it ends when this is dropped.
    pub fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its standard error, to be read while it runs.
    pub fn errors(&mut self) -> ChildStderr {
        self.child.stderr.take().unwrap()
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// How it ended, and what it wrote to standard error.
    pub fn wait(&mut self) -> (ExitStatus, String) {
        let mut errors = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut errors).unwrap();
        }
        (self.child.wait().unwrap(), errors)
    }
}

impl Live {
    /// Waits without the rest of its output, which others may still have open.
    pub fn wait_quietly(&mut self) {
        self.child.wait().unwrap();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // After a failed test: nothing that hangs or spins may stay.
        if !self.is_over() {
            self.program()
                .into_iter()
                .for_each(|program| signal(program, "KILL"));
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Sends a signal, by its name without SIG. The caller finds out if the process has ended already.
pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("/bin/sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .stderr(Stdio::null())
        .status()
        .unwrap();
}

/// Waits until it holds, and fails if that takes too long to be slowness.
pub fn until<T>(what: &str, mut holds: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = holds() {
            return value;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "waited in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A number below `limit`, another one each time.
pub fn random(limit: u64) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) % limit
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs soglia; answers with the one line that it says before it gives up with exit code 2.
pub fn refusal(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(2), String::new()),
        "{command:?}: {said}"
    );
    let line = said
        .strip_prefix("soglia: ")
        .and_then(|line| line.strip_suffix('\n'));
    let line = line.unwrap_or_else(|| panic!("not one line of soglia: {said:?}"));
    assert!(!line.contains('\n'), "{said}");
    line.to_owned()
}
