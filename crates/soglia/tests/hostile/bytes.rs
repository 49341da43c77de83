//! Recordings whose bytes change.

use std::fs::{self, File};
use std::io::Read;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use soglia::model::Model;
use soglia_core::trace::reader::Reader;
use soglia_core::trace::writer::Level;

use crate::craft::{CALL, Craft, RETURN, put, record};
use crate::tool::command;

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
        let mut child = command()
            .args(args)
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        // It has begun, and cannot get on while its output is not read.
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
        // The output has whole lines, of what the file had.
        assert_eq!(rest.last(), Some(&b'\n'));
    }
}
