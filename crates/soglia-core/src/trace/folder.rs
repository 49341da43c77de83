//! A folder of recordings, of which only the newest are kept.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    beside,
    ending::Ended,
    reader::{ReadError, Reader},
    starter,
};
use crate::regular;

/// The extension of recordings in a folder. Other files there are left alone.
pub const EXTENSION: &str = "soglia";

/// How long a recording may wait for its process, or for one of another version of soglia to end.
/// A tool that still looks after it writes more often.
const WAITS: Duration = Duration::from_secs(60);

/// Removes the oldest recordings of a folder, so that `keep` are left. With each of them go those
/// that further processes of its run have made beside it. Recordings of processes that still run
/// count, and are not removed.
///
/// # Errors
/// If the folder cannot be read, or a file cannot be removed: the first of these. The others are
/// removed all the same.
pub fn keep(folder: &Path, keep: usize) -> io::Result<()> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|is| is == EXTENSION) && is_recording(&path) {
            found.extend(written(&path).map(|at| (at, path)));
        }
    }
    found.sort();
    let more = found.len().saturating_sub(keep);
    let ended = found.into_iter().filter(|(at, path)| has_ended(path, *at));
    let failed = ended.take(more).filter_map(|(_, path)| remove(&path).err());
    failed.reduce(|first, _| first).map_or(Ok(()), Err)
}

fn is_recording(path: &Path) -> bool {
    let file = regular::open_no_link(path);
    file.and_then(|file| starter::is_recording(&file))
        .unwrap_or(false)
}

/// When something was written into it last, as far as the system knows.
fn written(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|about| about.modified()).ok()
}

fn has_ended(path: &Path, written: SystemTime) -> bool {
    let is_old = written.elapsed().is_ok_and(|age| age > WAITS);
    match Reader::open_partial(path) {
        Ok(recording) if recording.is_claimed() => recording.ended() != Ended::Running,
        Ok(_) | Err(ReadError::Version { .. } | ReadError::Headless(_)) => is_old,
        Err(_) => false,
    }
}

fn remove(first: &Path) -> io::Result<()> {
    let mut all: Vec<PathBuf> = beside::others(first).unwrap_or_default();
    // The first one tells which the others are, so it goes last.
    all.push(first.to_owned());
    for path in all {
        let removed = fs::remove_file(&path);
        // Another process may keep this folder too.
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            let why = format!(
                "cannot remove the old recording {}: {error}",
                path.display()
            );
            return Err(io::Error::new(error.kind(), why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};

    use super::*;
    use crate::trace::writer::{Options, create};

    /// A recording that no process has claimed, last written so long ago.
    fn recording(folder: &Path, name: &str, age: u64) {
        let file = create(&folder.join(name), &Options::default()).unwrap();
        aged(&file, age);
    }

    fn aged(file: &File, age: u64) {
        let at = SystemTime::now() - Duration::from_secs(age);
        file.set_times(FileTimes::new().set_modified(at)).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes files")]
    fn the_oldest_go_with_what_lies_beside_them() {
        let space = tempfile::tempdir().unwrap();
        let folder = space.path();
        recording(folder, "a.soglia", 4000);
        recording(folder, "a.soglia.17", 4000);
        recording(folder, "b.soglia", 5000);
        recording(folder, "c.soglia", 3000);
        keep(folder, 2).unwrap();
        assert_eq!(names(folder), ["a.soglia", "a.soglia.17", "c.soglia"]);
        keep(folder, 2).unwrap();
        assert_eq!(names(folder).len(), 3);
        keep(folder, 1).unwrap();
        assert_eq!(names(folder), ["c.soglia"]);
        keep(folder, 0).unwrap();
        assert!(names(folder).is_empty());
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes files")]
    fn nothing_else_is_removed() {
        let space = tempfile::tempdir().unwrap();
        let folder = space.path();
        recording(folder, "waits.soglia", 1);
        recording(folder, "of-another-name", 4000);
        fs::write(folder.join("text.soglia"), "text").unwrap();
        fs::create_dir(folder.join("folder.soglia")).unwrap();
        std::os::unix::fs::symlink("of-another-name", folder.join("link.soglia")).unwrap();
        let before = names(folder);
        keep(folder, 0).unwrap();
        assert_eq!(names(folder), before);
        let absent = keep(&folder.join("absent"), 0).unwrap_err();
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
    }
}
