//! Files that become shorter while somebody reads them.

use std::fs::File;

use soglia_core::trace::{
    format::BLOCK,
    log::Record,
    reader::{ReadError, Reader},
    writer::{Options, Recording, create},
};

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn what_is_lost_is_told_from_what_was_never_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.soglia");
    let _file = create(&path, &Options::default()).unwrap();
    let recording = Recording::claim(&path).unwrap();
    for n in 0..2000 {
        let text = format!("remark {n}");
        assert!(recording.log(&Record::Remark { text }));
    }
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.names().remarks.len(), 2000);
    let used = u64::from(
        recording
            .header()
            .next_block
            .load(std::sync::atomic::Ordering::Relaxed),
    ) * BLOCK as u64;
    drop(recording);
    let cut = |bytes: u64| {
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(bytes).unwrap();
    };
    // Behind what was written there is only room.
    cut(used);
    assert!(reader.check_whole().is_ok());
    assert_eq!(reader.names().remarks.len(), 2000);
    for bytes in [used - 1, used / 2, BLOCK as u64, 100, 0] {
        cut(bytes);
        assert!(reader.names().remarks.len() < 2000 || bytes == used - 1);
        let error = reader.check_whole().unwrap_err();
        assert!(matches!(error, ReadError::Cut(_)), "{error}");
        let message = error.to_string();
        assert!(
            message.contains("test.soglia was cut while it was read"),
            "{message}"
        );
    }
}
