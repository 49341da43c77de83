//! Writes the first inputs of the fuzz targets into `fuzz/seeds/`.
//!
//! `cargo run --manifest-path fuzz/Cargo.toml --bin seeds`

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use soglia_abi::ids::MdToken;
use soglia_core::{
    crossing::{Crossing, Side, Who},
    trace::{
        attached::{Attach, Detach, Snapshot, Why},
        log::{PolicyInForce, Record, Scope, Source, TargetNames},
        task_writer::TaskWriter,
        writer::{Level, Options, Recording, create},
    },
};
use soglia_fuzz::packed::{pack, unpack};
use soglia_il::asm::Code;

/// Images as the tests of soglia-il make them.
#[path = "../../../crates/soglia-il/tests/r2r/made.rs"]
mod made;

fn main() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let folder = seeds.join(target);
        fs::create_dir_all(&folder).expect("the folder can be made");
        fs::write(folder.join(name), bytes).expect("the seed can be written");
    };
    for (name, level) in [("summary", Level::Summary), ("events", Level::Events)] {
        let packed = pack(&recording(level));
        println!("recording/{name}: {} bytes", packed.len());
        write("recording", name, &packed);
    }
    write("log", "records", &log());
    write("replay", "crossings", &events());
    for (name, blob) in signatures() {
        write("sig", name, &blob);
    }
    for (name, body) in bodies() {
        write("body", name, &body);
    }
    for (name, image) in images() {
        assert!(image.starts_with(&unpack(&pack(&image))));
        write("r2r", name, &pack(&image));
    }
    let documents = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"));
    let policy = fs::read_to_string(documents.join("policy.md")).expect("the document is there");
    for (number, block) in policy.split("```toml\n").skip(1).enumerate() {
        let text = block.split("```").next().unwrap_or_default();
        write("policy", &format!("document-{number}"), text.as_bytes());
        if let Ok(contents) = soglia::policy::file::parse(text) {
            let encoded = contents.policy.encode();
            write("policy", &format!("encoded-{number}"), encoded.as_bytes());
        }
    }
    write("runtimeconfig", "plain", CONFIG.as_bytes());
    write("runtimeconfig", "self-contained", INCLUDED.as_bytes());
    write("runtimeconfig", "deps", DEPS.as_bytes());
    for major in [1, 2, 6] {
        let (list, bundle) = bundle(major, 16);
        let file = [&list.to_le_bytes()[..], &[0; 16], &bundle].concat();
        write("bundle", &format!("version-{major}"), &file);
    }
    let (list, files) = bundle(6, 0x300);
    for (name, bundle) in [
        ("apphost", Some(0)),
        ("single-file", Some(list)),
        ("native", None),
    ] {
        let file = [executable(bundle), files.clone()].concat();
        write("elf", name, &pack(&file));
    }
    write("assembly", "any-cpu", &pack(&assembly(false, 0x14C)));
    write("assembly", "x64", &pack(&assembly(true, 0x8664 ^ 0x7B79)));
}

/// A small recording: two threads, nested calls and callbacks, one call open.
fn recording(level: Level) -> Vec<u8> {
    let path = std::env::temp_dir().join(format!("soglia-seeds-{}", std::process::id()));
    let options = Options {
        level,
        max_bytes: 1 << 20,
        slow_ns: 1000,
        sampling: None,
    };
    create(&path, &options).expect("a recording can be made");
    let recording = Recording::claim(&path).expect("it is free");
    let recording: &'static Recording = Box::leak(Box::new(recording));
    for record in records() {
        assert!(recording.log(&record));
    }
    for thread in 1..=2 {
        let mut task = TaskWriter::new(recording, thread, 100).expect("there is room");
        let slots: Vec<u32> = [
            (1, Side::Unmanaged),
            (2, Side::Managed),
            (3, Side::Unmanaged),
        ]
        .map(|(target, side)| task.learn_id(target as usize, side, target))
        .to_vec();
        let mut at = 100;
        let steps = [
            (Crossing::LeaveRuntime, 0),
            (Crossing::ReverseEnterRuntime, 1),
            (Crossing::LeaveRuntime, 2),
            (Crossing::EnterRuntime, 2),
            (Crossing::ReverseLeaveRuntime, 1),
            (Crossing::EnterRuntime, 0),
            (Crossing::LeaveRuntime, 2),
        ];
        for (crossing, which) in steps {
            at += 1_000 << which;
            let opens = crossing.opens();
            let who = Who {
                function: 64 * (which as u64 + 1),
                slot: if opens { slots[which] } else { 0 },
            };
            task.cross(crossing, who, at, 0);
        }
    }
    let bytes = fs::read(&path).expect("it was just written");
    fs::remove_file(&path).expect("it was just written");
    bytes
}

fn records() -> Vec<Record> {
    let text = |text: &str| Some(text.to_owned());
    vec![
        Record::Runtime {
            name: "Microsoft.NETCore.App".to_owned(),
            version: "9.0.7".to_owned(),
        },
        Record::Program {
            args: vec!["app".to_owned(), "--fast".to_owned()],
        },
        Record::Source {
            source: Source::Woven,
            scope: Scope::User,
            because: None,
        },
        Record::Target(TargetNames {
            target: 1,
            side: 0,
            method: text("App.Native.Step"),
            assembly: text("App"),
            library: text("libc"),
            entry: text("getpid"),
            ..TargetNames::default()
        }),
        Record::Address {
            target: 1,
            address: 0x7F00_0000_1000,
            file: text("/lib/libc.so.6"),
            symbol: text("getpid"),
            offset: Some(0x1000),
            build: text("0123456789abcdef"),
        },
        Record::Text {
            number: 1,
            text: "App.Main".to_owned(),
        },
        Record::Stack {
            number: 1,
            frames: vec![1, 0, 1],
        },
        Record::FirstCall {
            target: 1,
            stack: 1,
        },
        Record::FirstReturn {
            target: 1,
            took: 5000,
        },
        Record::Slow {
            target: 1,
            task: 1,
            at: 9000,
            took: 5000,
            stack: 1,
        },
        Record::Policy(PolicyInForce {
            audit: true,
            fatal: false,
            rules: vec!["deny libc!system".to_owned()],
        }),
        Record::RuleApplies { rule: 0 },
        Record::Attach(Attach {
            asked: 100,
            live: 5000,
            modules: 3,
            targets: 2,
            callers: 9,
            age_ns: 1 << 42,
        }),
        Record::Snapshot(Snapshot {
            at: 6000,
            os_thread: 7,
            task: 1,
            stack: 1,
            native: 1,
            target: 1,
            inside: true,
            thread: text("worker"),
            callee: text("libc!getpid"),
            doing: text("sleeping"),
            no_stack: None,
            native_ends: text("unknown"),
        }),
        Record::Detach(Detach {
            at: 9_000_000,
            not_entered: 4,
            kept: false,
            why: Why::Asked,
        }),
        Record::Deadlines(vec!["libc!read=5s".to_owned()]),
        Record::Remark {
            text: "a remark".to_owned(),
        },
    ]
}

fn log() -> Vec<u8> {
    let words = records().into_iter().flat_map(|record| record.encode());
    words.flat_map(u32::to_le_bytes).collect()
}

/// Each kind of event word, behind the time at the start.
fn events() -> Vec<u8> {
    let words: [u32; 15] = [
        (5 << 1 | 100 << 11) << 3,    // a call of target 5, in short
        (1 | 6 << 1 | 50 << 11) << 3, // a callback of target 6, in short
        1000 << 3 | 1,
        7, // a call of target 7
        10 << 3 | 2,
        20 << 3 | 4,
        1 << 3 | 6, // later
        30 << 3 | 3,
        8,          // a callback of target 8
        1 << 3 | 5, // one layer is gone
        5 << 3 | 7,
        40, // the innermost call failed
        6 << 3 | 7,
        50,
        9, // a call of target 9 was denied
    ];
    let words = words.into_iter().flat_map(u32::to_le_bytes);
    1_000_u64.to_le_bytes().into_iter().chain(words).collect()
}

fn signatures() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("static", vec![0x00, 2, 0x08, 0x0E, 0x18]),
        ("generic", vec![0x30, 1, 1, 0x01, 0x1E, 0]),
        (
            "array",
            vec![0x00, 1, 0x01, 0x14, 0x08, 2, 2, 3, 4, 2, 0, 0x7F],
        ),
        (
            "instance",
            vec![0x20, 1, 0x01, 0x15, 0x12, 0x05, 2, 0x08, 0x13, 0],
        ),
        (
            "function",
            vec![0x00, 1, 0x01, 0x1B, 0x09, 1, 0x20, 0x05, 0x01, 0x0F, 0x02],
        ),
        ("vararg", vec![0x05, 2, 0x01, 0x08, 0x41, 0x0E]),
        ("hook", vec![0x09, 1, 0x20, 0x49, 0x08, 0x0A]),
    ]
}

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let mut code = Code::new();
    code.watched(
        Some(0),
        |code| {
            code.arguments(2);
            code.call(MdToken(0x0600_0042), 2, true);
        },
        |_| (),
    );
    code.give_back(Some(0));
    let wrapper = code
        .finish(Some(MdToken(0x1100_0001)))
        .expect("it balances");
    let mut code = Code::new();
    code.ldarg(0);
    code.ldfld(MdToken(0x0600_0042));
    code.ldarg(1);
    code.calli(MdToken(0x1100_0002), 1, true);
    code.ret(true);
    let by_pointer = code.finish(None).expect("it balances");
    // tail. calli; switch; a call with a constraint
    let tail = [
        &[0xFE, 0x14, 0x29, 2, 0, 0, 0x11][..],
        &[0x45, 1, 0, 0, 0, 0, 0, 0, 0],
        &[0xFE, 0x16, 1, 0, 0, 0x1B, 0x6F, 0x42, 0, 0, 0x06, 0x2A],
    ]
    .concat();
    let tiny = [&[(tail.len() as u8) << 2 | 2][..], &tail].concat();
    // A short section with one clause behind three instructions.
    let mut short = vec![0x1B, 0x30, 8, 0, 8, 0, 0, 0, 5, 0, 0, 0x11];
    short.extend([0x00, 0xDE, 0x03, 0x26, 0xDE, 0x00, 0x2A, 0x00]);
    short.extend([0x01, 16, 0, 0, 0, 0, 0, 0, 3, 3, 0, 3, 3, 0, 0, 1]);
    vec![
        ("wrapper", wrapper),
        ("by-pointer", by_pointer),
        ("tiny", tiny),
        ("short-section", short),
    ]
}

fn images() -> Vec<(&'static str, Vec<u8>)> {
    let entries = BTreeMap::from([
        (0, made::native(0).to_vec()),
        (3, made::entry(&[0, 0, 0, 0])),
    ]);
    let mut flat = made::example();
    // Eight elements with offsets of a byte; the block has one element.
    made::put(&mut flat, made::ENTRIES, &[8 << 3, 1, 5 << 3, 3 << 2]);
    const {
        assert!(made::END > made::HEADER && made::HEADER > made::CLI);
        assert!(made::CLI == made::SECTION);
    }
    let mut small = made::image(&entries, [&[&[0x2E, 0, 4]], &[]]);
    made::put_u32(&mut small, made::HEADER + 8, 3);
    vec![
        ("example", made::example()),
        ("small", small),
        ("tree-of-one", flat),
        (
            "inlining",
            made::with_inlining(3, &[&[7 << 2, 3, 1, 9], &[8 << 2 | 2, 2, 50, 50, 4]]),
        ),
        (
            "together",
            made::with_inlining(0x43, &[&[7 << 2, 3 << 1, 1 << 1 | 1, 2, 4 << 1]]),
        ),
    ]
}

const CONFIG: &str = r#"{ // hostfxr allows comments
  "runtimeOptions": {
    "tfm": "net8.0", /* and these */
    "rollForward": "Major",
    "frameworks": [ { "name": "Microsoft.AspNetCore.App", "version": "8.0.0" } ],
    "framework": { "name": "Microsoft.NETCore.App", "version": "9.0.0-preview.1" }
  }
}"#;

const INCLUDED: &str = r#"{"runtimeOptions": {"includedFrameworks":
[{"name": "Microsoft.NETCore.App", "version": "8.0.4"}], "rollForwardOnNoCandidateFx": 2}}"#;

const DEPS: &str = r#"{"runtimeTarget": {"name": ".NETCoreApp,Version=v2.2/linux-x64"}}"#;

/// A bundle of this version with one file, at `at`: where its list begins, and the bytes.
fn bundle(major: u32, at: u64) -> (u64, Vec<u8>) {
    let config = INCLUDED.as_bytes();
    let (size, mut bytes) = (config.len() as u64, config.to_vec());
    bytes.extend([major, 0, 1].into_iter().flat_map(u32::to_le_bytes));
    bytes.extend(b"\x03abc");
    if major >= 2 {
        bytes.extend([0, 0, at, size, 1].into_iter().flat_map(u64::to_le_bytes));
    }
    bytes.extend([at, size].into_iter().flat_map(u64::to_le_bytes));
    if major >= 6 {
        bytes.extend([0; 8]);
    }
    bytes.extend(b"\x03\x16app.runtimeconfig.json");
    (at + size, bytes)
}

/// An ELF executable with an interpreter, and if it is an apphost, where its bundle begins.
fn executable(bundle: Option<u64>) -> Vec<u8> {
    const INTERPRETER: &[u8] = b"/lib64/ld-linux-x86-64.so.2\0";
    const MARKER: [u8; 32] = [
        0x8b, 0x12, 0x02, 0xb9, 0x6a, 0x61, 0x20, 0x38, 0x72, 0x7b, 0x93, 0x02, 0x14, 0xd7, 0xa0,
        0x32, 0x13, 0xf5, 0xb9, 0xe6, 0xef, 0xae, 0x33, 0x18, 0xee, 0x3b, 0x2d, 0xce, 0x24, 0xb3,
        0x6a, 0xae,
    ];
    let mut file = vec![0; 0x300];
    made::put(&mut file, 0, b"\x7fELF\x02\x01\x01");
    for (at, number) in [(16, 3), (18, 62), (52, 64), (54, 56), (56, 2), (58, 64)] {
        made::put(&mut file, at, &u16::to_le_bytes(number));
    }
    for (at, number) in [(20, 1), (24, 0x1000), (32, 64)] {
        made::put_u32(&mut file, at, number);
    }
    for (at, kind, offset, size) in [(64, 3, 0x100, INTERPRETER.len()), (120, 1, 0x200, 0x100)] {
        for (field, number) in [(0, kind), (4, 6), (8, offset), (32, size)] {
            made::put_u32(&mut file, at + field, number);
        }
    }
    made::put(&mut file, 0x100, INTERPRETER);
    if let Some(list) = bundle {
        made::put(&mut file, 0x248, &list.to_le_bytes());
        made::put(&mut file, 0x250, &MARKER);
    }
    file
}

/// The smallest assembly with an entry point.
fn assembly(is_64_bit: bool, machine: u16) -> Vec<u8> {
    let mut file = vec![0; 0x400];
    made::put(&mut file, 0, b"MZ");
    made::put_u32(&mut file, 0x3C, 0x80);
    made::put(&mut file, 0x80, b"PE\0\0");
    let (magic, size, directories) = if is_64_bit {
        (0x20B, 240, 112)
    } else {
        (0x10B, 224, 96)
    };
    for (at, number) in [(0x84, machine), (0x86, 1), (0x94, size), (0x98, magic)] {
        made::put(&mut file, at, &number.to_le_bytes());
    }
    let optional = 0x98;
    made::put_u32(&mut file, optional + directories - 4, 16);
    made::put_u32(&mut file, optional + directories + 14 * 8, 0x1000);
    made::put_u32(&mut file, optional + directories + 14 * 8 + 4, 72);
    let section = optional + usize::from(size);
    for (field, number) in [(8, 0x100), (12, 0x1000), (16, 0x100), (20, 0x300)] {
        made::put_u32(&mut file, section + field, number);
    }
    for (field, number) in [(0, 72), (16, 1), (20, 0x0600_0001)] {
        made::put_u32(&mut file, 0x300 + field, number);
    }
    file
}
