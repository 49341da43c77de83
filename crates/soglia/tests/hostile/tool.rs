//! The tool, with bounds on its memory and time.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use soglia_testing::process::isolate;

const SOGLIA: &str = env!("CARGO_BIN_EXE_soglia");

/// Private memory of the tool, in KiB: what it allocates.
pub const MOST_MEMORY: u32 = 256 << 10;

/// Seconds of processor time, of a tool that is not optimised. What is quadratic takes minutes.
pub const MOST_TIME: u32 = 20;

pub const READERS: [&str; 20] = [
    "report",
    "report --all --top 0",
    "report --format json",
    "report --format csv",
    "report --replay",
    "report --partial --format json",
    "report --format html",
    "events --all",
    "events --format jsonl",
    "export -o - --to csv",
    "export -o - --to jsonl",
    "export -o - --to chrome",
    "export -o - --to perfetto",
    "export -o - --to speedscope",
    "export -o - --to firefox",
    "export -o - --to folded",
    "export -o - --to flamegraph",
    "export -o - --to pprof",
    "export -o - --to parquet",
    "export -o - --to parquet --table targets",
];

/// What a command said: exit code, lines of errors, bytes of output, and the first of these.
pub struct Said {
    pub code: Option<i32>,
    pub errors: String,
    pub bytes: u64,
    pub output: Vec<u8>,
}

/// Most of the output that is kept to be looked at.
pub const KEPT: usize = 1 << 20;

/// The tool without bounds.
pub fn command() -> Command {
    let mut command = Command::new(SOGLIA);
    isolate(&mut command);
    command
}

pub fn soglia(args: &str, file: &Path) -> Said {
    let limits =
        format!("ulimit -c 0; ulimit -d {MOST_MEMORY}; ulimit -t {MOST_TIME}; exec \"$@\"");
    let mut shell = Command::new("/bin/sh");
    let mut child = isolate(&mut shell)
        .args(["-c", &limits, "sh", SOGLIA])
        .args(args.split_whitespace())
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = child.stderr.take().unwrap();
    let errors = thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).unwrap();
        text
    });
    let mut stdout = child.stdout.take().unwrap();
    let (mut output, mut bytes, mut some) = (Vec::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = stdout.read(&mut some).unwrap();
        if read == 0 {
            break;
        }
        bytes += read as u64;
        output.extend_from_slice(&some[..read.min(KEPT.saturating_sub(output.len()))]);
    }
    Said {
        code: child.wait().unwrap().code(),
        errors: errors.join().unwrap(),
        bytes,
        output,
    }
}

/// Reads it with all commands. `most`: bytes that any of them may put out.
pub fn bounded(what: &str, file: &Path, most: u64) {
    for args in READERS {
        let said = soglia(args, file);
        let errors = &said.errors;
        assert!(
            matches!(said.code, Some(0 | 2)),
            "{what}: {args}: {:?} {errors}",
            said.code
        );
        assert!(errors.lines().count() <= 1, "{what}: {args}: {errors}");
        assert!(said.bytes <= most, "{what}: {args}: {} bytes", said.bytes);
    }
}
