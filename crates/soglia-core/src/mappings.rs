//! What is mapped into a process, as `/proc/PID/maps` lists it.

use std::{ffi::OsStr, fs, io, ops::Range, os::unix::ffi::OsStrExt, path::PathBuf};

/// A range of addresses with one kind of contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The addresses.
    pub range: Range<u64>,
    /// Whether the processor may execute what is there.
    pub is_executable: bool,
    /// Where the mapping begins in its file.
    pub offset: u64,
    /// The file, by the path under which it was mapped. `None` for memory without a file.
    ///
    /// The kernel adds ` (deleted)` to the path of a file that is deleted.
    pub path: Option<PathBuf>,
}

/// The mapping that holds an address. Returns `None` if nothing is mapped there, or if the list
/// cannot be read.
pub fn at(address: u64) -> Option<Mapping> {
    find(&fs::read("/proc/self/maps").ok()?, address)
}

/// The mappings of a process, by address.
///
/// # Errors
/// If there is no such process, or if this one may not look at it.
pub fn of(pid: u32) -> io::Result<Vec<Mapping>> {
    Ok(all(&fs::read(format!("/proc/{pid}/maps"))?).collect())
}

/// Reads the text of such a list. Lines that cannot be read are skipped.
pub fn all(maps: &[u8]) -> impl Iterator<Item = Mapping> {
    maps.split(|byte| *byte == b'\n').filter_map(parse)
}

/// Finds an address in the text of such a list.
pub fn find(maps: &[u8], address: u64) -> Option<Mapping> {
    all(maps).find(|mapping| mapping.range.contains(&address))
}

/// Reads a line: `start-end perms offset device inode   path`.
fn parse(line: &[u8]) -> Option<Mapping> {
    let mut words = line.splitn(6, |byte| *byte == b' ');
    let mut word = || words.next();
    let (range, permissions, offset) = (word()?, word()?, word()?);
    let (_device, _inode) = (word()?, word()?);
    // Behind the inode come spaces, and the path if there is one.
    let path = word().unwrap_or_default().trim_ascii_start();
    let hexadecimal = |digits| u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok();
    let dash = range.iter().position(|byte| *byte == b'-')?;
    Some(Mapping {
        range: hexadecimal(&range[..dash])?..hexadecimal(&range[dash + 1..])?,
        is_executable: permissions.get(2) == Some(&b'x'),
        offset: hexadecimal(offset)?,
        path: path
            .starts_with(b"/")
            .then(|| PathBuf::from(OsStr::from_bytes(path))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &[u8] = b"7f00-7f10 r--p 00000000 fe:01 5 /lib/a b.so\n\
        7f10-7f20 r-xp 00000100 fe:01 5                          /lib/a b.so\n\
        nonsense\n\
        7f20-7f30 rw-p 00000000 00:00 0 \n\
        7f30-7f40 r-xp 00000000 00:00 0                          [vdso]\n";

    #[test]
    fn lines_are_read_as_the_kernel_writes_them() {
        let found = find(MAPS, 0x7f15).unwrap();
        assert_eq!(found.range, 0x7f10..0x7f20);
        assert!(found.is_executable);
        assert_eq!(found.offset, 0x100);
        assert_eq!(found.path, Some("/lib/a b.so".into()));
        let fresh = find(MAPS, 0x7f20).unwrap();
        assert_eq!((fresh.is_executable, fresh.path), (false, None));
        let vdso = find(MAPS, 0x7f31).unwrap();
        assert_eq!((vdso.is_executable, vdso.path), (true, None));
        assert_eq!(find(MAPS, 0x7f40), None);
        assert_eq!(find(b"", 0x7f31), None);
    }

    #[test]
    fn a_path_need_not_be_text() {
        let maps = b"10-20 r--p 0 0 0 /\xff/a.dll\n30-40 r-xp 0 0 0 /b (deleted)\n";
        let paths: Vec<_> = all(maps).filter_map(|mapping| mapping.path).collect();
        assert_eq!(paths.len(), 2);
        assert_eq!(paths[0].file_name(), Some("a.dll".as_ref()));
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no /proc")]
    fn this_code_is_in_an_executable_file() {
        let code = this_code_is_in_an_executable_file as *const () as u64;
        let found = at(code).unwrap();
        assert!(found.is_executable);
        assert_eq!(found.path, std::env::current_exe().ok());
        assert!(of(std::process::id()).unwrap().contains(&found));
        assert_eq!(at(0), None);
    }
}
