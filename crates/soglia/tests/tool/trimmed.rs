//! Programs that were trimmed: their System.Private.CoreLib lacks what they do not use. There is no
//! trimmer here, so members of a copy of CoreLib are renamed. Code that looks for them by name
//! cannot tell the difference.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::{Space, setup, text};

const CORELIB: &str = "System.Private.CoreLib.dll";

/// A .NET root like the one of the tests, whose CoreLib has other names in the place of these. The
/// runtime looks for the core library beside its own file.
fn root_without(names: &[&str]) -> tempfile::TempDir {
    let made = tempfile::tempdir().unwrap();
    copy(&setup().root.path, made.path(), names);
    made
}

fn copy(from: &Path, to: &Path, names: &[&str]) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap();
        let place = to.join(file);
        // Of a root, what programs need to run.
        let needed = ["host", "shared", "fxr", "Microsoft.NETCore.App"];
        if path.is_dir() {
            let version = file.as_encoded_bytes()[0].is_ascii_digit();
            if version || needed.iter().any(|name| file == *name) {
                fs::create_dir(&place).unwrap();
                copy(&path, &place, names);
            }
        } else if file == CORELIB {
            let mut bytes = fs::read(&path).unwrap();
            names.iter().for_each(|name| rename(&mut bytes, name));
            fs::write(&place, bytes).unwrap();
        } else if file.as_encoded_bytes().ends_with(b".so") || file == "dotnet" {
            fs::copy(&path, &place).unwrap();
        } else {
            symlink(&path, &place).unwrap();
        }
    }
}

/// In the heap of names, where a name ends with a zero, and one may be the end of another.
fn rename(bytes: &mut [u8], name: &str) {
    let end = [name.as_bytes(), b"\0"].concat();
    let mut found: Vec<usize> = (0..bytes.len() - end.len())
        .filter(|at| bytes[*at..].starts_with(&end))
        .collect();
    if found.iter().any(|at| bytes[at - 1] == 0) {
        found.retain(|at| bytes[at - 1] == 0);
    }
    assert!(!found.is_empty(), "{CORELIB} has no name {name}");
    for at in found {
        // The last letter, for the heap is in no order that matters.
        bytes[at + name.len() - 1] = b'_';
    }
}

/// Members of CoreLib that the engine looks for in every program, and what the report says where
/// they are missing.
const MEMBERS: &[(&[&str], &[&str])] = &[
    (&[], &[]),
    // There are other ways.
    (&["GetTypeHandle"], &[]),
    // Who is not there needs no change.
    (&["PrelinkCore"], &[]),
    (&["InternalPrelink"], &["Marshal.Prelink does nothing"]),
    (&["GetHRExceptionObject"], &[]),
];

#[test]
fn delegates_are_watched_in_trimmed_programs() {
    let cases = "argument explicit struct native many";
    let bare = Space::new().bare("delegates.dll", cases).output().unwrap();
    assert!(bare.status.success(), "{}", text(&bare.stderr));
    let mut expected = None;
    for (names, notes) in MEMBERS {
        let root = root_without(names);
        let space = Space::new();
        let mut under = space.run(
            "--quiet --source woven --record events -o a.soglia",
            "delegates.dll",
            cases,
        );
        let under = under.env("DOTNET_ROOT", root.path()).output().unwrap();
        assert_eq!(
            text(&under.stdout),
            text(&bare.stdout),
            "{names:?}: {}",
            text(&under.stderr)
        );
        assert_eq!(under.status, bare.status, "{names:?}");
        let recording = space.recording("a.soglia");
        let report = recording.report();
        let mut seen: Vec<_> = report
            .targets
            .iter()
            .filter(|row| !row.runtime_internal)
            .map(|row| {
                (
                    row.direction.clone(),
                    row.method.clone(),
                    row.entry.clone(),
                    row.calls,
                )
            })
            .collect();
        seen.sort();
        // The first of them lacks nothing.
        assert_eq!(
            &seen,
            expected.get_or_insert_with(|| seen.clone()),
            "{names:?}"
        );
        assert!(seen.iter().any(|(way, ..)| way == "reverse"), "{seen:?}");
        let whole = recording.json("");
        for note in *notes {
            assert!(whole.to_string().contains(note), "{names:?}: {whole}");
        }
        let unseen = |what: &str| what.contains("through delegates");
        let unseen = report.not_watched.iter().find(|row| unseen(&row.what));
        assert!(unseen.is_none(), "{names:?}: {unseen:?}");
    }
}

#[test]
fn what_cannot_be_watched_without_is_named() {
    // The runtime itself asks for the methods that marshal delegates, so they are renamed where no
    // delegate is marshalled.
    let names = [
        "GetFunctionPointerForDelegate",
        "GetFunctionPointerForDelegateInternal",
    ];
    let root = root_without(&names);
    let bare = Space::new().bare("hello.dll", "").output().unwrap();
    let space = Space::new();
    let mut under = space.run("--quiet --source woven -o a.soglia", "hello.dll", "");
    let under = under.env("DOTNET_ROOT", root.path()).output().unwrap();
    assert_eq!(text(&under.stdout), text(&bare.stdout));
    assert_eq!(under.status, bare.status, "{}", text(&under.stderr));
    let report = space.recording("a.soglia").report();
    let named: Vec<_> = report
        .not_watched
        .iter()
        .filter(|row| row.what.contains("through delegates"))
        .map(|row| row.direction.as_deref())
        .collect();
    assert_eq!(named, [Some("reverse"), Some("forward")]);
}
