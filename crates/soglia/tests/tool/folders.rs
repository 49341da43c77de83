//! Recordings that go into a folder, a new file each time.

use std::fs;

use crate::{
    alone::alone,
    support::{Space, refusal, text},
};

/// The files in the folder, in order.
fn names(space: &Space, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(space.path(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn each_run_makes_a_new_file_and_the_newest_are_kept() {
    let space = Space::new();
    let mut made = Vec::new();
    for _ in 0..4 {
        let mut command = space.run("-o kept/ --keep 2", "hello.dll", "");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said = text(&output.stderr);
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix("recording: "));
        let name = line.unwrap().split(' ').next().unwrap();
        assert!(name.starts_with("kept/hello-2"), "{said}");
        assert!(name.ends_with(".soglia"), "{said}");
        made.push(name.strip_prefix("kept/").unwrap().to_owned());
        fs::write(space.path("kept/notes.txt"), "mine").unwrap();
    }
    let mut expected = made[2..].to_vec();
    expected.push("notes.txt".into());
    expected.sort();
    assert_eq!(names(&space, "kept"), expected);
    // The folder has one report.
    let json = space.soglia("report --format json kept").output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["processes"].as_array().unwrap().len(), 2);
}

#[test]
fn a_file_keeps_no_others() {
    let space = Space::new();
    let line = refusal(&mut space.run("-o a.soglia --keep 2", "hello.dll", ""));
    assert_eq!(line, "--keep needs a folder: give -o FOLDER/");
    assert!(!space.path("a.soglia").exists());
}

#[test]
fn a_program_that_records_itself_keeps_the_newest_too() {
    let space = Space::new();
    fs::create_dir(space.path("kept")).unwrap();
    for n in 0..4 {
        let pattern = space.path(&format!("kept/{n}-%p.soglia"));
        let mut command = space.bare("hello.dll", "");
        let output = alone(&mut command, &pattern)
            .env("SOGLIA_KEEP", "2")
            .output();
        let output = output.unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
    }
    let names = names(&space, "kept");
    let first: Vec<&str> = names.iter().map(|name| &name[..2]).collect();
    assert_eq!(first, ["2-", "3-"]);
}
