//! The file that a program records into: its room, what others do to it, and what takes its place.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::support::{Live, Space, bare_command, fixture, text, until};

/// Runs `semantics.dll wait` into `a.soglia`; with `meanwhile` while it waits.
fn waiting(space: &Space, meanwhile: impl FnOnce()) -> (Option<i32>, String, String) {
    let mut command = space.run("-q -o a.soglia", "semantics.dll", "wait");
    let mut live = Live::start(command.stdin(std::process::Stdio::piped()));
    live.expect("waiting");
    until("the call", || {
        (space.oracle_calls("wait_for_input") == 1).then_some(())
    });
    meanwhile();
    drop(live.input());
    let output = live.rest();
    let (status, errors) = live.wait();
    (status.code(), output, errors)
}

#[test]
fn a_recording_has_its_full_size_while_it_is_written() {
    let space = Space::new();
    let path = space.path("a.soglia");
    let (code, output, errors) = waiting(&space, || {
        let about = fs::metadata(&path).unwrap();
        assert_eq!(about.len(), 1 << 30);
        assert!(about.blocks() * 512 < 4 << 20, "most of it is a hole");
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
    });
    assert_eq!((code, &*output, &*errors), (Some(0), "done\n", ""));
    let about = fs::metadata(&path).unwrap();
    assert!(about.len() < 4 << 20, "{} bytes", about.len());
    assert_eq!(
        space.recording("a.soglia").report().calls("wait_for_input"),
        1
    );
}

#[test]
fn a_recording_that_is_cut_is_told() {
    let space = Space::new();
    let path = space.path("a.soglia");
    let (code, output, errors) = waiting(&space, || {
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(0).unwrap();
        // The tool looks once a second. A program that writes before that is ended by a signal.
        until("the tool", || {
            (file.metadata().unwrap().len() > 0).then_some(())
        });
    });
    assert_eq!((code, &*output), (Some(0), "done\n"), "{errors}");
    assert!(
        errors.contains("a.soglia was cut while the program ran") && errors.lines().count() == 1,
        "{errors}"
    );
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
}

/// Between the tool and the engine, a script puts something else in the recording's place.
#[test]
fn the_engine_writes_into_no_other_file() {
    let (file, args) = bare_command();
    let args: Vec<String> = args
        .iter()
        .map(|arg| format!("'{}'", arg.display()))
        .collect();
    let program = fixture("semantics.dll");
    let command = format!(
        "'{}' {} '{}' plain",
        file.display(),
        args.join(" "),
        program.display()
    );
    for replace in [
        "ln -s victim a.soglia",
        "ln -s kept a.soglia",
        "cp kept a.soglia",
        "ln victim a.soglia",
        "ln other.soglia a.soglia",
    ] {
        let space = Space::new();
        fs::write(space.path("victim"), [b'x'; 8192]).unwrap();
        let made = space
            .run("-q -o other.soglia", "semantics.dll", "plain")
            .output();
        assert!(made.unwrap().status.success());
        let other = fs::read(space.path("other.soglia")).unwrap();
        let script = format!("#!/bin/sh\nmv a.soglia kept\n{replace}\n{command}\n");
        let path = space.path("script");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let output = space
            .soglia("run -q --max-size 1MiB -o a.soglia ./script")
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{replace}: {said}");
        assert!(
            said.lines().count() >= 1,
            "{replace}: it says that nothing was recorded"
        );
        assert_eq!(
            fs::read(space.path("victim")).unwrap(),
            [b'x'; 8192],
            "{replace}"
        );
        assert_eq!(
            fs::read(space.path("other.soglia")).unwrap(),
            other,
            "{replace}"
        );
        let kept = fs::read(space.path("kept")).unwrap();
        // No process has claimed it.
        assert!(kept[152..160] == [0; 8], "{replace}");
    }
}

#[test]
fn a_recording_says_why_it_was_full() {
    let space = Space::new();
    let run = "--record events --max-size 1MiB -o a.soglia";
    let output = space.run(run, "semantics.dll", "spin 1").output().unwrap();
    let said = text(&output.stderr);
    let note = "the recording was full (--max-size makes it larger): ";
    assert!(said.contains(note), "{said}");
    let full = space.recording("a.soglia").json("");
    assert_eq!(full["no_room"][0]["reason"], "full");
}
