//! Recordings that nobody has recorded: made to take for ever, to fill the memory, or to speak to a terminal.
//!
//! Each is made of the blocks that `docs/format.md` describes, with numbers that no program would write. Every command that reads
//! recordings gets an account of it, or says in one line why there is none, in bounded memory and time.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use soglia::model::Model;
use soglia_core::{
    crossing::{Crossing, Side},
    task::Who,
    time,
    trace::{
        format::BLOCK,
        log::{Record, TargetNames},
        overdue::Overdue,
        reader::Reader,
        task_writer::TaskWriter,
        writer::{Level, Options, Recording, create},
    },
};

const SOGLIA: &str = env!("CARGO_BIN_EXE_soglia");

/// Private memory of the tool, in KiB: what it allocates.
const MOST_MEMORY: u32 = 256 << 10;
/// Seconds of processor time, of a tool that is not optimised. What is quadratic takes minutes.
const MOST_TIME: u32 = 20;

const READERS: [&str; 8] = [
    "report",
    "report --all --top 0",
    "report --format json",
    "report --format csv",
    "report --replay",
    "report --partial --format json",
    "events --all",
    "events --format jsonl",
];

/// What a command said: exit code, lines of errors, bytes of output, and the first of these.
struct Said {
    code: Option<i32>,
    errors: String,
    bytes: u64,
    output: Vec<u8>,
}

/// Most of the output that is kept to be looked at.
const KEPT: usize = 1 << 20;

fn soglia(args: &str, file: &Path) -> Said {
    let limits =
        format!("ulimit -c 0; ulimit -d {MOST_MEMORY}; ulimit -t {MOST_TIME}; exec \"$@\"");
    let mut child = Command::new("/bin/sh")
        .args(["-c", &limits, "sh", SOGLIA])
        .args(args.split_whitespace())
        .arg(file)
        .stdin(Stdio::null())
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
fn bounded(what: &str, file: &Path, most: u64) {
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

/// Blocks of a recording.
struct Craft {
    blocks: Vec<u8>,
}

fn put(bytes: &mut [u8], at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
}

impl Craft {
    fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    /// A chunk of so many blocks; `fill` gets what is after its header.
    fn chunk(
        &mut self,
        kind: u32,
        blocks: usize,
        task: u32,
        sequence: u32,
        used: u32,
        fill: impl FnOnce(&mut [u8]),
    ) -> &mut Self {
        let mut chunk = vec![0; blocks * BLOCK];
        let head = [0x4b43_4753, kind, blocks as u32, task, sequence, used];
        for (n, word) in head.into_iter().enumerate() {
            put(&mut chunk, n * 4, word);
        }
        fill(&mut chunk[64..]);
        self.blocks.extend_from_slice(&chunk);
        self
    }

    /// A task of one block and this depth.
    fn task(&mut self, number: u32, depth: u32) -> &mut Self {
        self.chunk(2, 1, number, 0, 0, |record| {
            for (n, word) in [depth, depth, number, 4711].into_iter().enumerate() {
                put(record, n * 4, word);
            }
        })
    }

    fn slots(
        &mut self,
        blocks: usize,
        task: u32,
        sequence: u32,
        first: u32,
        used: u32,
    ) -> &mut Self {
        self.chunk(3, blocks, task, sequence, used, |slots| {
            for (n, slot) in slots.chunks_exact_mut(1472).enumerate() {
                put(slot, 0, first + n as u32);
                put(slot, 4, 1);
            }
        })
    }

    /// Events of these words.
    fn events(&mut self, task: u32, words: impl IntoIterator<Item = u32>) -> &mut Self {
        let words: Vec<u32> = words.into_iter().collect();
        let blocks = (64 + words.len() * 4 + 4).div_ceil(BLOCK);
        self.chunk(5, blocks, task, 0, 0, |bytes| {
            for (n, word) in words.into_iter().enumerate() {
                put(bytes, n * 4, word);
            }
        })
    }

    fn log(&mut self, records: impl IntoIterator<Item = Record>) -> &mut Self {
        let words: Vec<u32> = records.into_iter().flat_map(|r| r.encode()).collect();
        let blocks = (64 + words.len() * 4 + 4).div_ceil(BLOCK);
        self.chunk(1, blocks, 0, 0, 0, |bytes| {
            for (n, word) in words.into_iter().enumerate() {
                put(bytes, n * 4, word);
            }
        })
    }

    /// The file, of a process that is gone, with events or without. It may be longer than its blocks, and claim more.
    fn write(&self, path: &Path, level: Level, blocks: Option<u64>) -> PathBuf {
        let options = Options {
            level,
            ..Options::default()
        };
        let _ = fs::remove_file(path);
        let file = create(path, &options).unwrap();
        let mut header = vec![0; BLOCK];
        file.read_exact_at(&mut header, 0).unwrap();
        let all = blocks.unwrap_or(1 + (self.blocks.len() / BLOCK) as u64);
        let claimed = u32::try_from(all).unwrap_or(u32::MAX);
        put(&mut header, 20, u32::MAX);
        put(&mut header, 28, claimed);
        put(&mut header, 176, claimed);
        // A process records; which one is nobody's business.
        put(&mut header, 152, 1);
        put(&mut header, 156, u32::MAX);
        file.set_len(0).unwrap();
        file.write_all_at(&header, 0).unwrap();
        file.write_all_at(&self.blocks, BLOCK as u64).unwrap();
        file.set_len(all * BLOCK as u64).unwrap();
        path.to_owned()
    }
}

fn target(number: u32, name: &str) -> Record {
    let name = || Some(name.to_owned());
    Record::Target(TargetNames {
        target: number,
        side: number & 1,
        method: name(),
        assembly: name(),
        library: name(),
        entry: name(),
        ..TargetNames::default()
    })
}

/// A stack of `frames` frames of one long text.
fn laughs(frames: usize) -> [Record; 2] {
    let text = "A".repeat(16 << 10);
    let frames = vec![1; frames];
    [
        Record::Text { number: 1, text },
        Record::Stack { number: 1, frames },
    ]
}

/// The word of a call of target 1, and of its return.
const CALL: u32 = 1 << 4;
const RETURN: u32 = 2;

#[test]
fn counts_that_multiply() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crafted");
    type Make<'a> = &'a dyn Fn(&mut Craft);
    let cases: [(&str, Level, Make); 10] = [
        (
            "tasks of one number share layers",
            Level::Events,
            &|craft| {
                for _ in 0..300 {
                    craft.task(1, 131_072);
                }
                for n in 0..80 {
                    craft.chunk(4, 1, 1, n, 0, |_| {});
                }
            },
        ),
        ("tasks without end", Level::Events, &|craft| {
            for n in 0..20_000 {
                craft.task(n + 1, 32);
            }
        }),
        (
            "tasks of one number share slots",
            Level::Summary,
            &|craft| {
                for _ in 0..1000 {
                    craft.task(1, 0);
                }
                craft.slots(360, 1, 0, 1, 1000);
            },
        ),
        (
            "tasks of one number share events",
            Level::Events,
            &|craft| {
                for _ in 0..2000 {
                    craft.task(1, 0);
                }
                craft.events(1, (0..20_000).map(|n| [CALL, RETURN][n % 2]));
            },
        ),
        ("a target for every event", Level::Events, &|craft| {
            craft.task(1, 0);
            let call = |n: u32| [1 | 1 << 3, n, RETURN];
            craft.events(1, (1..100_000).flat_map(call));
        }),
        ("a target for every slot", Level::Summary, &|craft| {
            craft.task(1, 0);
            for n in 0..4000 {
                craft.slots(4, 1, n, n * 11 + 1, 11);
            }
        }),
        ("layers that are searched", Level::Events, &|craft| {
            craft.task(1, 0);
            // Callbacks, and returns of calls.
            let opened = std::iter::repeat_n(CALL | 1 << 3, 131_072);
            craft.events(1, opened.chain(std::iter::repeat_n(RETURN, 131_072)));
        }),
        ("unwound without end", Level::Events, &|craft| {
            craft.task(1, 0);
            let opened = std::iter::repeat_n(CALL, 140_000);
            craft.events(
                1,
                opened.chain(std::iter::repeat_n(5 | 0x1fff_ffff << 3, 50_000)),
            );
        }),
        ("one stack for many calls", Level::Summary, &|craft| {
            let slow = |n| Record::Slow {
                target: 1,
                task: 1,
                at: n,
                took: n,
                stack: 1,
            };
            let first = Record::FirstCall {
                target: 1,
                stack: 1,
            };
            craft.log(
                laughs(256)
                    .into_iter()
                    .chain([first])
                    .chain((0..5000).map(slow)),
            );
        }),
        ("long names of many calls", Level::Events, &|craft| {
            craft.task(1, 0);
            craft.log([target(1, &"\u{1b}".repeat(16 << 10))]);
            craft.events(1, (0..10_000).map(|n| [CALL, RETURN][n % 2]));
        }),
    ];
    for (what, level, make) in cases {
        let mut craft = Craft::new();
        make(&mut craft);
        bounded(what, &craft.write(&path, level, None), 128 << 20);
    }
}

#[test]
fn logs_that_are_searched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crafted");
    let mut craft = Craft::new();
    craft.log((0..40_000).map(|n| {
        Record::Unwatched(soglia_core::trace::log::Unwatched {
            side: None,
            assembly: None,
            method: None,
            text: format!("{n:08}"),
        })
    }));
    bounded(
        "unwatched",
        &craft.write(&path, Level::Summary, None),
        128 << 20,
    );

    let mut craft = Craft::new();
    craft.task(1, 32);
    craft.log((0..40_000).map(|n| {
        Record::Overdue(Overdue {
            target: 1,
            task: 1,
            since: n,
            at: n,
            ..Overdue::default()
        })
    }));
    bounded(
        "overdue",
        &craft.write(&path, Level::Summary, None),
        128 << 20,
    );

    let mut craft = Craft::new();
    let deadlines = (0..8000).map(|n| format!("*a*b*c{n}=5s")).collect();
    let targets = (1..8000).map(|n| target(n, "aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbb"));
    craft.log([Record::Deadlines(deadlines)].into_iter().chain(targets));
    bounded(
        "deadlines",
        &craft.write(&path, Level::Summary, None),
        128 << 20,
    );

    let mut craft = Craft::new();
    for n in 1..40 {
        // Each byte is no UTF-8, and becomes three.
        craft.chunk(1, 1024, 0, n, 0, |bytes| {
            let payload = 4 << 20 >> 1;
            for at in 0..1 {
                put(bytes, at, 9 | payload << 8);
                put(bytes, at + 4, payload - 4);
                bytes[at + 8..at + 4 + payload as usize].fill(0xff);
            }
        });
    }
    bounded(
        "remarks",
        &craft.write(&path, Level::Summary, None),
        256 << 20,
    );
}

#[test]
fn files_with_holes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crafted");
    let most = (1_u64 << 43) - 1;
    for blocks in [64 << 18, 256 << 18, 1 << 32, most >> 12] {
        // File systems differ in how large files may be.
        let sizes = File::create(&path).unwrap();
        if sizes.set_len(blocks << 12).is_err() {
            continue;
        }
        let mut craft = Craft::new();
        bounded(
            "a hole",
            &craft.write(&path, Level::Events, Some(blocks)),
            1 << 20,
        );
        craft.task(1, 131_072);
        let claims = (blocks - 2).min(u64::from(u32::MAX)) as u32;
        for kind in 1..=5 {
            let mut all = Craft::new();
            all.blocks.clone_from(&craft.blocks);
            all.chunk(kind, 1, 1, 0, u32::MAX, |_| {});
            put(&mut all.blocks, BLOCK + 8, claims);
            let file = all.write(&path, Level::Events, Some(blocks));
            bounded("a chunk over a hole", &file, 1 << 20);
        }
    }
}

/// Any byte of a recording may be wrong: the same bytes each time, so that what fails fails again.
#[test]
fn any_byte_may_be_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.soglia");
    record(&path);
    let whole = fs::read(&path).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    let bad = folder.path().join("bad");
    let mut seed = 0x5091_1a5e_u64;
    let mut random = |limit: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % limit
    };
    for round in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..=random(8) {
            let at = random(used / 4) as usize * 4;
            let word = match random(6) {
                0 => 0,
                1 => u32::MAX,
                2 => 1 << random(32),
                3 => random(300) as u32,
                4 => i32::MAX as u32,
                _ => random(1 << 32) as u32,
            };
            // Its first words say whether it is a recording at all.
            if at >= 12 {
                put(&mut bytes, at, word);
            }
        }
        if round % 5 == 0 {
            bytes.truncate(random(bytes.len() as u64) as usize);
        }
        fs::write(&bad, &bytes).unwrap();
        let Ok(reader) = Reader::open_partial(&bad) else {
            continue;
        };
        for replayed in [false, true] {
            let model = Model::of(&reader, replayed);
            assert!(
                model.targets.len() <= 10_000 && model.open.len() <= 140_000,
                "round {round}"
            );
        }
        assert!(reader.check_whole().is_ok());
    }
}

/// A recording with a bit of everything.
fn record(path: &Path) {
    // It is read and written as a whole, again and again.
    let options = Options {
        level: Level::Events,
        max_bytes: 2 << 20,
        ..Options::default()
    };
    let _file = create(path, &options).unwrap();
    let recording: &'static Recording = Box::leak(Box::new(Recording::claim(path).unwrap()));
    for n in 1..20 {
        recording.log(&target(n, &format!("name{n}")));
    }
    recording.log(&Record::Text {
        number: 1,
        text: "frame".into(),
    });
    recording.log(&Record::Stack {
        number: 1,
        frames: vec![1; 9],
    });
    recording.log(&Record::Slow {
        target: 1,
        task: 1,
        at: time::now(),
        took: 99,
        stack: 1,
    });
    for number in 0..3 {
        let mut task = TaskWriter::new(recording, 70 + number, time::now()).unwrap();
        for n in 0..2000_u64 {
            let (function, target) = (64 * (1 + n % 19), 1 + (n % 19) as u32);
            let slot = task.learn(function, Side::Unmanaged, target, 0);
            task.cross(
                Crossing::LeaveRuntime,
                Who { function, slot },
                time::now(),
                0,
            );
            if n % 100 != 7 {
                task.cross(
                    Crossing::EnterRuntime,
                    Who { function, slot: 0 },
                    time::now(),
                    0,
                );
            }
        }
    }
}

/// Names that would speak to a terminal, or to a spreadsheet.
#[test]
fn names_are_escaped_wherever_text_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "=x\u{1b}]0;T\u{7}\u{9b}2J\r\nsoglia: forged\u{202e}gnp\u{2066}\u{2028}\u{feff}\u{7f}\u{85}\\x1b";
    let path = folder.path().join(format!("a{evil}"));
    let mut craft = Craft::new();
    craft.log([
        target(1, evil),
        target(2, evil),
        Record::Runtime {
            name: evil.into(),
            version: evil.into(),
        },
        Record::Program {
            args: vec!["dotnet".into(), evil.into()],
        },
        Record::Remark { text: evil.into() },
        Record::Text {
            number: 1,
            text: evil.into(),
        },
        Record::Stack {
            number: 1,
            frames: vec![1],
        },
        Record::FirstCall {
            target: 1,
            stack: 1,
        },
        Record::Slow {
            target: 1,
            task: 1,
            at: 1,
            took: 1,
            stack: 1,
        },
        Record::Deadlines(vec![evil.into()]),
        Record::Overdue(Overdue {
            target: 1,
            task: 1,
            stack: 1,
            native: 1,
            thread: Some(evil.into()),
            no_stack: Some(evil.into()),
            native_ends: Some(evil.into()),
            ..Overdue::default()
        }),
        Record::Unwatched(soglia_core::trace::log::Unwatched {
            side: None,
            assembly: Some(evil.into()),
            method: Some(evil.into()),
            text: evil.into(),
        }),
    ]);
    craft.chunk(2, 1, 1, 0, 0, |record| {
        put(record, 0, 1);
        let name = evil.as_bytes();
        put(record, 44, name.len() as u32);
        record[104..104 + name.len().min(64)].copy_from_slice(&name[..name.len().min(64)]);
    });
    craft.task(2, 0);
    craft.slots(4, 1, 0, 1, 2);
    craft.events(1, [CALL, RETURN, CALL | 1 << 3]);
    let file = craft.write(&path, Level::Events, None);
    for args in [
        "report --all",
        "report --replay --all",
        "report --format csv",
        "events --all",
    ] {
        let said = soglia(args, &file);
        assert_eq!((said.code, &*said.errors), (Some(0), ""), "{args}");
        let text = String::from_utf8(said.output).unwrap();
        let raw = |c: char| {
            (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{2028}\u{feff}".contains(c)
        };
        assert_eq!(text.find(raw), None, "{args}: {text:?}");
        assert!(
            !text.lines().any(|line| line.starts_with("soglia: forged")),
            "{text}"
        );
        assert!(
            text.contains("\\x1b]0;T\\x07\\u{9b}2J\\r\\nsoglia: forged\\u{202e}gnp"),
            "{args}: {text}"
        );
        if args.ends_with("csv") {
            assert!(
                text.contains(",'=x\\x1b") && !text.contains(",=x"),
                "{text}"
            );
        }
    }
    // JSON stays JSON.
    let said = soglia("report --format json", &file);
    let report: serde_json::Value = serde_json::from_slice(&said.output).unwrap();
    assert_eq!(report["targets"][0]["entry"], evil);
    assert!(
        said.output
            .iter()
            .all(|byte| *byte >= b' ' || *byte == b'\n')
    );
    // An error is one line, whatever it names.
    for args in [
        "report",
        "events",
        "run",
        "run --policy",
        "doctor",
        "verify",
    ] {
        let said = soglia(args, &folder.path().join(format!("none{evil}")));
        let all = format!("{}{}", String::from_utf8_lossy(&said.output), said.errors);
        assert!(
            !all.contains(|c: char| c.is_control() && c != '\n'),
            "{args}: {all:?}"
        );
        assert!(
            !all.lines().any(|line| line.starts_with("soglia: forged")),
            "{args}: {all}"
        );
    }
}

/// A file that becomes shorter while a command reads it.
#[test]
fn a_file_that_is_cut_while_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crafted");
    let mut craft = Craft::new();
    craft.task(1, 0);
    craft.events(1, (0..400_000).map(|n| [CALL, RETURN][n % 2]));
    for args in [["events", "--all"], ["events", "--format=jsonl"]] {
        let file = craft.write(&path, Level::Events, None);
        let mut child = Command::new(SOGLIA)
            .args(args)
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        // It has begun, and cannot get on while nobody reads.
        stdout.read_exact(&mut [0; 1]).unwrap();
        thread::sleep(Duration::from_millis(50));
        File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_len(8192)
            .unwrap();
        let mut rest = Vec::new();
        stdout.read_to_end(&mut rest).unwrap();
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
        let expected = format!(
            "soglia: {} was cut while it was read: copy it again, or read what is left with --partial\n",
            file.display()
        );
        assert_eq!(errors, expected, "{args:?}");
        // What is told is whole lines, of what was there.
        assert_eq!(rest.last(), Some(&b'\n'));
    }
}

/// What is no regular file is named, and nothing waits for it.
#[test]
fn what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for fifo in ["fifo", "fifo.dll", "app.runtimeconfig.json"] {
        let made = Command::new("mkfifo").arg(path(fifo)).status().unwrap();
        assert!(made.success());
    }
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    for (file, what) in [
        (path("fifo"), "it is a FIFO, not a regular file"),
        (path("socket"), "it is a socket, not a regular file"),
        (folder.path().to_owned(), "it is a directory"),
        ("/dev/zero".into(), "it is a device, not a regular file"),
    ] {
        for args in READERS {
            let said = soglia(args, &file);
            let expected = format!("soglia: cannot read {}: {what}\n", file.display());
            assert_eq!((said.code, said.errors), (Some(2), expected), "{args}");
        }
        let said = soglia("run --policy", &file);
        assert_eq!(said.code, Some(2), "{}", said.errors);
        let mut run = Command::new(SOGLIA);
        let output = run
            .args(["run", "--policy"])
            .arg(&file)
            .arg("/bin/true")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let expected = format!(
            "soglia: cannot read the policy {}: {what}\n",
            file.display()
        );
        assert_eq!((output.status.code(), errors), (Some(2), expected));
        let output = Command::new(SOGLIA)
            .args(["run", "-o"])
            .arg(&file)
            .arg("/bin/true")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(
            errors.contains("give another -o FILE") && errors.contains(what),
            "{errors}"
        );
    }
    let said = soglia("run", &path("fifo.dll"));
    assert_eq!(said.code, Some(2));
    assert!(
        said.errors.contains("fifo.dll: it is a FIFO"),
        "{}",
        said.errors
    );
    let said = soglia("doctor", &path("fifo.dll"));
    assert_eq!(said.code, Some(2));
}

/// What `-o` names is only replaced if it is a recording.
#[test]
fn what_is_no_recording_is_not_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("notes"), "years of work\n").unwrap();
    std::os::unix::fs::symlink("notes", path("link")).unwrap();
    record(&path("recording"));
    std::os::unix::fs::symlink("recording", path("to-recording")).unwrap();
    fs::write(path("empty"), "").unwrap();
    let run = |name: &str| {
        let output = Command::new(SOGLIA)
            .args(["run", "-o"])
            .arg(path(name))
            .arg("/bin/true")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), errors)
    };
    for (name, why) in [
        (
            "notes",
            "there is a file that is no recording, which would be lost",
        ),
        ("link", "it is a symbolic link"),
        ("to-recording", "it is a symbolic link"),
    ] {
        let expected = format!(
            "soglia: cannot write the recording {}: give another -o FILE: {why}\n",
            path(name).display()
        );
        assert_eq!(run(name), (Some(2), expected));
    }
    assert_eq!(
        fs::read_to_string(path("notes")).unwrap(),
        "years of work\n"
    );
    assert!(
        fs::symlink_metadata(path("to-recording"))
            .unwrap()
            .is_symlink()
    );
    // These may go; and what is made is for its owner alone.
    for name in ["recording", "empty", "new"] {
        drop(create(&path(name), &Options::default()).unwrap());
        let mode = fs::metadata(path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let mut file = File::options().append(true).open(path("notes")).unwrap();
    file.write_all(b"more\n").unwrap();
}
