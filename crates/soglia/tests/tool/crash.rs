//! What a recording has about the end of a process that did not end by itself.

use std::{fs::File, os::unix::process::ExitStatusExt};

use soglia_core::trace::reader::Reader;

use crate::support::{Live, Space, signal, text};

/// Whether this process may read the log of the kernel, in which faults are.
fn kernel_log() -> bool {
    let traced = std::fs::read_to_string("/proc/sys/debug/exception-trace");
    File::open("/dev/kmsg").is_ok() && traced.is_ok_and(|text| text.trim() == "1")
}

#[test]
fn a_fault_in_native_code_is_where_it_was() {
    for source in ["woven", "transitions"] {
        let space = Space::new();
        let options = format!("-o a.soglia --source {source}");
        let output = space
            .run(&options, "semantics.dll", "segv")
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{said}");
        let report = space.recording("a.soglia").json("");
        crate::schema::check_report(&report);
        let crash = &report["crash"];
        assert_eq!(
            (&crash["signal"], &crash["out_of_memory"]),
            (&11.into(), &false.into())
        );
        if kernel_log() {
            let file = crash["file"].as_str().unwrap();
            assert!(file.ends_with("/libsemantics.so"), "{source}: {crash}");
            let symbol = crash["symbol"].as_str().unwrap();
            assert!(symbol.starts_with("die_by_segv+0x"), "{source}: {crash}");
            assert_eq!(crash["target"], "semantics!die_by_segv", "{source}");
            assert_eq!(crash["task"], report["open"][0]["task"], "{source}");
            assert!(
                said.contains("(SIGSEGV) at libsemantics.so!die_by_segv+0x"),
                "{said}"
            );
        } else {
            assert_eq!(crash["file"], serde_json::Value::Null, "{source}");
        }
    }
}

#[test]
fn other_ends_are_told_apart() {
    let space = Space::new();
    for (case, number) in [
        ("abort", Some(6)),
        ("failfast", Some(6)),
        ("sigkill", Some(9)),
    ] {
        let output = space.run("-q -o a.soglia", "semantics.dll", case).output();
        assert_eq!(output.unwrap().status.signal(), number, "{case}");
        let report = space.recording("a.soglia").json("");
        let crash = &report["crash"];
        assert_eq!(crash["signal"].as_i64(), number.map(i64::from), "{case}");
        assert_eq!(crash["out_of_memory"], false, "{case}");
        assert_eq!(crash["instruction"], serde_json::Value::Null, "{case}");
    }
    let output = space
        .run("-q -o a.soglia", "semantics.dll", "nativeexit")
        .output();
    assert_eq!(output.unwrap().status.code(), Some(3));
    let report = space.recording("a.soglia").json("");
    assert_eq!(report["crash"], serde_json::Value::Null);
    let mut live = Live::start(&mut space.run("-q -o b.soglia", "semantics.dll", "hang"));
    live.expect("hanging");
    assert_eq!(
        space.recording("b.soglia").json("")["crash"],
        serde_json::Value::Null
    );
    signal(live.program().unwrap(), "KILL");
    live.wait_quietly();
}

#[test]
fn loaded_files_are_recorded_with_their_places() {
    let space = Space::new();
    let output = space
        .run("-q -o a.soglia", "semantics.dll", "plain 3")
        .output();
    assert!(output.unwrap().status.success());
    let names = Reader::open(&space.path("a.soglia")).unwrap().names();
    let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    for wanted in ["libcoreclr.so", "libsemantics.so"] {
        let found: Vec<_> = names
            .objects
            .iter()
            .filter(|o| file(&o.path) == wanted)
            .collect();
        assert_eq!(found.len(), 1, "{wanted}: {:?}", names.objects);
        assert!(found[0].build.is_some() && found[0].base < found[0].end);
    }
    let mut compared = 0;
    for place in names.places.values() {
        let (Some(path), Some(offset)) = (&place.file, place.offset) else {
            continue;
        };
        let object = names.objects.iter().find(|o| &o.path == path);
        let object = object.unwrap_or_else(|| panic!("{path}: {:?}", names.objects));
        assert_eq!(
            (object.base, &object.build),
            (place.address - offset, &place.build)
        );
        assert!(place.address < object.end);
        compared += 1;
    }
    assert!(compared > 0);
}
