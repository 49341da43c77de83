//! Files that `report` and `events` cannot read, or not wholly.

use std::fs;

use crate::support::{self, Space, text};

fn refusal(space: &Space, args: &str) -> String {
    support::refusal(&mut space.soglia(args))
}

/// A space with a recording of events in it, `a.soglia`.
fn recorded(options: &str) -> Space {
    let space = Space::new();
    let output = space
        .run(
            &format!("-q -o a.soglia {options}"),
            "semantics.dll",
            "nested 20",
        )
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    space
}

#[test]
fn files_that_are_no_recordings() {
    let space = recorded("--record events");
    fs::create_dir(space.path("folder")).unwrap();
    fs::write(space.path("empty"), "").unwrap();
    fs::write(
        space.path("text"),
        "SOGLIA, but only a text about it\n".repeat(500),
    )
    .unwrap();
    let mut future = fs::read(space.path("a.soglia")).unwrap();
    future[8] += 1;
    fs::write(space.path("future"), &future).unwrap();
    let foreign = "is not a recording of soglia (`soglia run -o FILE` makes one)";
    for command in [
        "report",
        "report --format json",
        "report --partial",
        "events",
        "events --format jsonl",
    ] {
        let refused = |file: &str| refusal(&space, &format!("{command} {file}"));
        assert_eq!(
            refused("absent"),
            "cannot read absent: No such file or directory (os error 2)"
        );
        let folder = match command.starts_with("report") {
            true => "there is no recording in folder: `soglia run -o FILE` makes one",
            false => {
                "folder is a directory: name a recording in it (`soglia report` and `soglia advise` take all of a \
                 directory)"
            }
        };
        assert_eq!(refused("folder"), folder);
        assert_eq!(
            refused("/dev/full"),
            "cannot read /dev/full: it is a device, not a regular file"
        );
        for file in ["empty", "text"] {
            assert_eq!(refused(file), format!("{file} {foreign}"));
        }
        let message = refused("future");
        let (begin, end) = (
            "future is a recording of format ",
            ": read it with the soglia that wrote it",
        );
        assert!(
            message.starts_with(begin) && message.ends_with(end),
            "{message}"
        );
    }
}

#[test]
fn a_recording_that_was_cut() {
    let space = recorded("--record events");
    let whole = fs::read(space.path("a.soglia")).unwrap();
    for half in [whole.len() / 2, whole.len() - 4096, 4096 + 17] {
        fs::write(space.path("cut"), &whole[..half]).unwrap();
        for command in ["report", "events"] {
            let message = refusal(&space, &format!("{command} cut"));
            let expected = format!(
                "cut is cut short: {half} of {} bytes. Copy it again, or read what is left with --partial",
                whole.len()
            );
            assert_eq!(message, expected);
            let output = space
                .soglia(&format!("{command} --partial cut"))
                .output()
                .unwrap();
            assert_eq!(
                (output.status.code(), text(&output.stderr)),
                (Some(0), String::new()),
                "{half}"
            );
            // Of what is left, it is said that it is not all: if anything was there.
            if command == "report" {
                let said = text(&output.stdout);
                let note = format!(
                    "note: the file is cut short, {half} of {} bytes",
                    whole.len()
                );
                let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
                assert_eq!(said.contains(&note), half < used, "{said}");
            }
        }
    }
    // What was cut off is only room that nothing was written into.
    fs::write(space.path("cut"), &whole[..whole.len() - 4096]).unwrap();
    let (mut left, all) = (
        space.recording("cut").json("--partial"),
        space.recording("a.soglia").json(""),
    );
    left["processes"][0]["recording"] = all["processes"][0]["recording"].clone();
    assert!(left == all);
}

/// Any byte may be wrong: the answer is an account or a refusal, and never a crash.
#[test]
fn a_damaged_recording_is_survived() {
    let space = recorded("--record events");
    let whole = fs::read(space.path("a.soglia")).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    for round in 0..40 {
        let mut bytes = whole.clone();
        let at = crate::support::random(used as u64) as usize;
        let end = (at + 1 + crate::support::random(64) as usize).min(bytes.len());
        let with = crate::support::random(256) as u8;
        bytes[at..end].fill(with);
        fs::write(space.path("bad"), &bytes).unwrap();
        let command = [
            "report --all",
            "report --replay --format json",
            "events --format jsonl",
        ][round % 3];
        let output = space.soglia(&format!("{command} bad")).output().unwrap();
        let how = format!(
            "{command} with {with:#x} at {at}..{end}: {:?} {}",
            output.status,
            text(&output.stderr)
        );
        assert!(matches!(output.status.code(), Some(0 | 2)), "{how}");
    }
}

#[test]
fn a_summary_has_no_events() {
    let space = recorded("");
    let way_out = "`soglia run --record events` records them";
    assert_eq!(
        refusal(&space, "events a.soglia"),
        format!("a.soglia holds an account, but no events: {way_out}")
    );
    let message = refusal(&space, "report --replay a.soglia");
    assert_eq!(
        message,
        format!("a.soglia holds no events to replay: {way_out}")
    );
}

#[test]
fn a_task_that_is_not_there() {
    let space = recorded("--record events");
    let tasks = space.recording("a.soglia").report().tasks.len();
    let message = refusal(&space, "events --task 4711 a.soglia");
    assert_eq!(
        message,
        format!("a.soglia has no thread 4711: it has 1 to {tasks}")
    );
    let output = space
        .soglia("events --format jsonl --task 1 a.soglia")
        .output()
        .unwrap();
    let lines = text(&output.stdout);
    assert!(
        !lines.is_empty() && lines.lines().all(|line| line.contains("\"task\":1,")),
        "{lines}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let space = recorded("--record events");
    for command in ["report --all", "events --all", "events --format jsonl"] {
        let script = format!(
            "\"$1\" {command} a.soglia | head -c 1 >/dev/null; echo \"${{PIPESTATUS[0]}}\""
        );
        let mut bash = space.command("bash");
        let output = bash
            .args(["-c", &script, "bash", crate::support::SOGLIA])
            .current_dir(space.path(""))
            .output()
            .unwrap();
        assert_eq!(
            (text(&output.stdout), text(&output.stderr)),
            ("0\n".into(), String::new()),
            "{command}"
        );
    }
}
