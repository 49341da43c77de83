//! Paths that lead to something other than a recording.

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;

use soglia_core::trace::writer::{Options, create};

use crate::craft::record;
use crate::tool::{READERS, command, soglia};

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
            let name = file.display();
            let cannot = format!("soglia: cannot read {name}: {what}\n");
            // Some commands take the recordings that are in a directory, and others say which do.
            let of_directory = [
                cannot.clone(),
                format!(
                    "soglia: there is no recording in {name}: `soglia run -o FILE` makes one\n"
                ),
                format!(
                    "soglia: {name} is a directory: name a recording in it (`soglia report` and \
                     `soglia advise` take all of a directory)\n"
                ),
            ];
            let is_expected = match file.is_dir() {
                true => of_directory.contains(&said.errors),
                false => said.errors == cannot,
            };
            assert!(
                said.code == Some(2) && is_expected,
                "{args}: {}",
                said.errors
            );
        }
        let said = soglia("run --policy", &file);
        assert_eq!(said.code, Some(2), "{}", said.errors);
        let mut run = command();
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
        let output = command()
            .args(["run", "-o"])
            .arg(&file)
            .arg("/bin/true")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        if file.is_dir() {
            // A new file in it, which is removed since nothing was recorded.
            assert_eq!(output.status.code(), Some(0), "{errors}");
            let mut files = fs::read_dir(&file).unwrap().flatten();
            let is_new = files.any(|file| file.path().extension().is_some_and(|e| e == "soglia"));
            assert!(!is_new, "{errors}");
            continue;
        }
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
        let output = command()
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
            "the file exists and is not a recording, so soglia does not overwrite it: choose another name",
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
