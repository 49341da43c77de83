//! Recordings that further processes of a run make beside the first one: `FIRST.PID`, and
//! `FIRST.PID.2` for the second process of that number.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    mem::offset_of,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    format::Header,
    life::claimed_by,
    writer::{Options, create},
};
use crate::regular;

/// The most recordings of one number in a run. A process that starts another program in its place
/// keeps its number, and the system gives numbers again.
const MOST: u32 = 1000;

/// Makes a recording for the process `pid` beside `first`. Returns its path too. Recordings of an
/// earlier run are replaced, those of this one are not.
///
/// # Errors
/// Those of making the file.
pub fn make(first: &Path, pid: u32, options: &Options) -> io::Result<(File, PathBuf)> {
    let since = made_at(first)?;
    for n in 1..=MOST {
        let path = path_of(first, pid, n);
        if made_at(&path).is_ok_and(|made| made >= since) {
            continue;
        }
        return Ok((create(&path, options)?, path));
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn path_of(first: &Path, pid: u32, n: u32) -> PathBuf {
    let mut name = first.as_os_str().to_owned();
    name.push(format!(".{pid}"));
    if n > 1 {
        name.push(format!(".{n}"));
    }
    name.into()
}

/// The recordings that other processes of the run have made beside `first`, in the order in which
/// they were made. Files of earlier runs and of others are left out.
///
/// # Errors
/// Those of reading the recording and its folder.
pub fn others(first: &Path) -> io::Result<Vec<PathBuf>> {
    let since = made_at(first)?;
    let of = first.file_name().unwrap_or_default();
    let folder = first.parent().unwrap_or(Path::new(""));
    let is_here = folder.as_os_str().is_empty();
    let mut found = Vec::new();
    for entry in fs::read_dir(if is_here { Path::new(".") } else { folder })?.flatten() {
        let name = entry.file_name();
        let Some(pid) = pid_of(&name, of) else {
            continue;
        };
        let path = folder.join(name);
        let made = made_at(&path).ok().filter(|made| *made >= since);
        // A user may name a recording so too. Then its process has another number.
        let is_its = |path: &Path| {
            let claimed = regular::open(path).and_then(|file| claimed_by(&file));
            claimed.is_ok_and(|(of, _)| of == 0 || of == pid)
        };
        found.extend(made.filter(|_| is_its(&path)).map(|made| (made, path)));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// When a recording was made, in nanoseconds since 1970.
///
/// # Errors
/// Those of reading the file.
pub fn made_at(path: &Path) -> io::Result<u64> {
    let mut bytes = [0; 8];
    let file = regular::open(path)?;
    file.read_exact_at(&mut bytes, offset_of!(Header, wall_ns) as u64)?;
    Ok(u64::from_le_bytes(bytes))
}

/// The number of the process that makes a file of this name beside the recording `first`. `None` if
/// no process of its run does.
pub fn pid_of(name: &OsStr, first: &OsStr) -> Option<u32> {
    let mut prefix: OsString = first.to_owned();
    prefix.push(".");
    let rest = name.as_encoded_bytes();
    let rest = str::from_utf8(rest.strip_prefix(prefix.as_encoded_bytes())?).ok()?;
    let (pid, again) = rest.split_once('.').unwrap_or((rest, "2"));
    let number = |text: &str| {
        let is_number = !text.starts_with(['0', '+']);
        text.parse::<u32>().ok().filter(|_| is_number)
    };
    number(again).filter(|n| (2..=MOST).contains(n))?;
    number(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_of_their_process() {
        let pid = |name: &str| pid_of(OsStr::new(name), OsStr::new("a.soglia"));
        for (name, expected) in [
            ("a.soglia.12", Some(12)),
            ("a.soglia.12.2", Some(12)),
            ("a.soglia.12.1000", Some(12)),
            ("a.soglia", None),
            ("a.soglia.", None),
            ("a.soglia.0", None),
            ("a.soglia.012", None),
            ("a.soglia.+1", None),
            ("a.soglia.12.", None),
            ("a.soglia.12.1", None),
            ("a.soglia.12.1001", None),
            ("a.soglia.12.html", None),
            ("a.soglia.99999999999", None),
            ("b.soglia.12", None),
        ] {
            assert_eq!(pid(name), expected, "{name}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes files")]
    fn no_recording_of_the_run_is_replaced() {
        let space = tempfile::tempdir().unwrap();
        let first = space.path().join("a.soglia");
        let options = Options::default();
        // Of an earlier run.
        create(&space.path().join("a.soglia.7"), &options).unwrap();
        create(&first, &options).unwrap();
        let made: Vec<PathBuf> = (0..3)
            .map(|_| make(&first, 7, &options).unwrap().1)
            .collect();
        let names = made.iter().map(|path| path.file_name().unwrap());
        let names: Vec<_> = names.collect();
        assert_eq!(names, ["a.soglia.7", "a.soglia.7.2", "a.soglia.7.3"]);
        assert_eq!(others(&first).unwrap(), made);
        for name in names {
            assert_eq!(pid_of(name, OsStr::new("a.soglia")), Some(7));
        }
    }
}
