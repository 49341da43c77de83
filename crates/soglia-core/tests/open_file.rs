//! Recordings that a process has as open files, without a path.

use std::{fs, fs::File};

use soglia_core::trace::{
    identity::Identity,
    log::Record,
    reader::Reader,
    writer::{ClaimError, Options, Recording, create},
};

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn an_open_file_is_recorded_into_and_need_not_stay_open() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("a"), folder.path().join("b"));
    let file = create(&path, &Options::default()).unwrap();
    let identity = Identity::of(&file).unwrap();
    fs::rename(&path, &moved).unwrap();
    let recording = Recording::claim_open(&file, &identity).unwrap();
    drop(file);
    let text = "after the file was closed".to_owned();
    assert!(recording.log(&Record::Remark { text }));
    let reader = Reader::open(&moved).unwrap();
    assert_eq!(reader.names().remarks, ["after the file was closed"]);
    assert_eq!(reader.pid(), std::process::id());
    let again = Recording::claim_open(
        &File::options().read(true).write(true).open(&moved).unwrap(),
        &identity,
    );
    assert!(matches!(again, Err(ClaimError::Taken)), "{again:?}");
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn no_other_file_is_recorded_into() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| create(&folder.path().join(name), &Options::default()).unwrap();
    let (one, other) = (make("a"), make("b"));
    let identity = Identity::of(&one).unwrap();
    let claimed = Recording::claim_open(&other, &identity);
    assert!(matches!(claimed, Err(ClaimError::Replaced)), "{claimed:?}");
    let text = tempfile::tempfile().unwrap();
    assert!(Recording::claim_open(&text, &identity).is_err());
    assert!(Recording::claim_open(&one, &identity).is_ok());
}
