//! The file: its size, its ends, and files that are broken.

use std::sync::LazyLock;

use proptest::{collection::vec, prelude::*, sample::Index, test_runner::Config};

use super::*;

/// A dump of the process reads what can be read: not the hole.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn the_hole_of_the_file_is_closed() {
    let fresh = fresh(events());
    let mut task = TaskWriter::new(fresh.recording, 1, time::now()).unwrap();
    for depth in [1, 100, 3000] {
        nest(&mut task, depth);
    }
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let path = fresh.path.to_str().unwrap();
    let of_recording = maps.lines().filter(|line| line.ends_with(path));
    let parts: Vec<(&str, u64)> = of_recording
        .map(|line| {
            let (range, rest) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
            (&rest[..4], end - start)
        })
        .collect();
    let header = fresh.recording.header();
    let reserved = header.reserved_blocks.load(Relaxed);
    let open = u64::from(reserved) * BLOCK as u64;
    let closed = (64 << 20) - open;
    // The tool takes some room ahead, which is not open yet.
    assert!(
        matches!(&parts[..], [("rw-s", used), ("---s", hole)]
        if *used <= open && *hole >= closed && used + hole == 64 << 20),
        "{parts:?}"
    );
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn events_take_at_most_eight_bytes_each() {
    let fresh = fresh(events());
    let mut task = TaskWriter::new(fresh.recording, 1, time::now()).unwrap();
    for _ in 0..500_000 {
        nest(&mut task, 2);
    }
    let bytes = fs::metadata(&fresh.path).unwrap().blocks() * 512;
    assert!(
        bytes <= 2_000_000 * 8,
        "{bytes} bytes for 2,000,000 crossings"
    );
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn names_and_ends_are_read_back() {
    let fresh = fresh(Options::default());
    let text = "x".repeat(40_000);
    for n in 1..200 {
        let names = TargetNames {
            target: n,
            method: Some(format!("N.T.M{n}")),
            ..TargetNames::default()
        };
        assert!(fresh.recording.log(&Record::Target(names)));
    }
    assert!(fresh.recording.log(&Record::Remark { text }));
    conclude(&fresh.file, Ok(3)).unwrap();
    let reader = Reader::open(&fresh.path).unwrap();
    let names = reader.names();
    assert_eq!(names.targets.len(), 199);
    assert_eq!(names.targets[&199].method.as_deref(), Some("N.T.M199"));
    assert_eq!(names.remarks[0].len(), 16 << 10, "absurd texts are cut");
    assert_eq!(reader.ended(), Ended::Exit(Some(3)));
    conclude(&fresh.file, Err(9)).unwrap();
    assert_eq!(Reader::open(&fresh.path).unwrap().ended(), Ended::Signal(9));
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn the_starter_appends_to_the_log() {
    let crash = Crash {
        os_thread: 7,
        address: Some(0),
        file: Some("/lib/".to_owned() + &"x".repeat(9000)),
        ..Crash::default()
    };
    let fresh = fresh(events());
    let remark = |text: &str| Record::Remark { text: text.into() };
    assert!(fresh.recording.log(&remark("before")));
    assert!(append(&fresh.file, &Record::Crash(crash.clone())).unwrap());
    assert!(append(&fresh.file, &remark("after")).unwrap());
    trim(&fresh.file).unwrap();
    let reader = Reader::open(&fresh.path).unwrap();
    reader.check_whole().unwrap();
    let names = reader.names();
    assert_eq!(names.crash, Some(crash));
    assert_eq!(names.remarks, ["before", "after"]);
    // A recording that is full stays as it is.
    let max = fresh.recording.header().max_blocks;
    fresh.recording.header().next_block.store(max, Relaxed);
    assert!(!append(&fresh.file, &remark("no room")).unwrap());
    assert_eq!(Reader::open(&fresh.path).unwrap().names().remarks.len(), 2);
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn what_is_no_recording_is_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let open = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Reader::open(&path).map(|_| ())
    };
    assert!(matches!(open(b""), Err(ReadError::Foreign(_))));
    assert!(matches!(open(&[7; 5000]), Err(ReadError::Foreign(_))));
    let mut whole = {
        let fresh = fresh(events());
        let mut task = TaskWriter::new(fresh.recording, 1, time::now()).unwrap();
        nest(&mut task, 200);
        trim(&fresh.file).unwrap();
        fs::read(&fresh.path).unwrap()
    };
    assert!(open(&whole).is_ok());
    for cut in [4096, 5000, whole.len() / 2, whole.len() - 1] {
        assert!(
            matches!(open(&whole[..cut]), Err(ReadError::Truncated { .. })),
            "{cut}"
        );
        let partial = Reader::open_partial(&path).unwrap();
        partial.names();
        for task in partial.tasks() {
            totals(&partial, task.number);
        }
    }
    assert!(matches!(open(&whole[..100]), Err(ReadError::Headless(_))));
    whole[8] = 99;
    assert!(matches!(
        open(&whole),
        Err(ReadError::Version { found: 99, .. })
    ));
    assert!(matches!(
        Reader::open(dir.path()),
        Err(ReadError::Os { .. })
    ));
}

/// A whole recording.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let fresh = fresh(events());
    let mut task = TaskWriter::new(fresh.recording, 1, time::now()).unwrap();
    nest(&mut task, 300);
    fresh.recording.log(&Record::Remark {
        text: "hello".into(),
    });
    trim(&fresh.file).unwrap();
    fs::read(&fresh.path).unwrap()
});

proptest! {
    #![proptest_config(Config { cases: 300, failure_persistence: None, ..Config::default() })]

    #[test]
    #[cfg_attr(miri, ignore = "maps a file")]
    fn broken_bytes_are_survived(pokes in vec((any::<Index>(), any::<u8>()), 20)) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut bytes = WHOLE.clone();
        let used = bytes.len().min(40 * BLOCK);
        for (at, byte) in pokes {
            bytes[12 + at.index(used - 12)] = byte;
        }
        fs::write(file.path(), &bytes).unwrap();
        if let Ok(reader) = Reader::open_partial(file.path()) {
            reader.names();
            reader.ended();
            reader.duration_ns();
            for task in reader.tasks() {
                totals(&reader, task.number);
            }
        }
    }
}
