//! What is read of an ELF file.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use object::elf;
use object::read::elf::{Dyn, FileHeader, Sym};
use object::read::{ReadCache, ReadRef};

use crate::machine::OWN;

/// More names than this are not read.
const MOST_NAMES: usize = 1 << 18;

/// Why the loader does not accept a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// It is not an ELF file.
    #[error("is no ELF file{0}")]
    NotElf(&'static str),
    /// It is for another processor.
    #[error("is for {0}, and this process is {own}", own = OWN.kernel)]
    Machine(&'static str),
    /// It is an ELF file with damaged headers.
    #[error("is damaged: {0}")]
    Damaged(String),
}

/// A shared object.
#[derive(Clone, Debug, Default)]
pub struct NativeFile {
    /// The path.
    pub path: PathBuf,
    /// The libraries that it needs, as `DT_NEEDED` names them.
    pub needed: Vec<String>,
    /// Folders that the loader searches for these, of `DT_RPATH` and `DT_RUNPATH`.
    pub(super) rpath: Vec<PathBuf>,
    pub(super) runpath: Vec<PathBuf>,
    exports: HashSet<Vec<u8>>,
}

impl NativeFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Why the loader would not accept it.
    pub fn read(path: &Path) -> Result<Self, Broken> {
        let unreadable = |error: std::io::Error| Broken::Unreadable(error.to_string());
        let about = fs::metadata(path).map_err(unreadable)?;
        if !about.is_file() {
            return Err(Broken::NotElf(": it is no file"));
        }
        // If the file is replaced by a pipe meanwhile, that does not wait for its other end.
        let mut options = File::options();
        let options = options.read(true).custom_flags(libc::O_NONBLOCK);
        let file = ReadCache::new(options.open(path).map_err(unreadable)?);
        Self::parse(path, &file)
    }

    /// Reads the bytes of the file at `path`.
    ///
    /// # Errors
    /// Why the loader would not accept it.
    pub fn parse<'data, R: ReadRef<'data>>(path: &Path, data: R) -> Result<Self, Broken> {
        let length = data.len().unwrap_or(0).min(32);
        let start = data.read_bytes_at(0, length).unwrap_or_default();
        match start {
            [0x7f, b'E', b'L', b'F', 2, 1, ..] => {}
            [0x7f, b'E', b'L', b'F', 1, ..] => return Err(Broken::Machine("a 32-bit system")),
            [0x7f, b'E', b'L', b'F', ..] => return Err(Broken::Machine("another processor")),
            [b'M', b'Z', ..] => return Err(Broken::NotElf(" but one for Windows")),
            [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => {
                return Err(Broken::NotElf(" but one for macOS"));
            }
            [] => return Err(Broken::NotElf(": it is empty")),
            _ if start.starts_with(b"version https://git-lfs") => {
                return Err(Broken::NotElf(" but a pointer of Git LFS"));
            }
            _ => return Err(Broken::NotElf("")),
        }
        let machine = match start.get(18..20) {
            Some([low, high]) => u16::from_le_bytes([*low, *high]),
            _ => 0,
        };
        match machine {
            own if own == OWN.elf => {}
            62 => return Err(Broken::Machine("x64")),
            183 => return Err(Broken::Machine("ARM64")),
            _ => return Err(Broken::Machine("another processor")),
        }
        Self::of(path, data).map_err(|error| Broken::Damaged(error.to_string()))
    }

    fn of<'data, R: ReadRef<'data>>(path: &Path, data: R) -> object::read::Result<Self> {
        let header = elf::FileHeader64::<object::Endianness>::parse(data)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, data)?;
        let mut file = Self {
            path: path.to_owned(),
            ..Self::default()
        };
        let origin = path.parent().unwrap_or(Path::new("/"));
        if let Some((dynamic, link)) = sections.dynamic(endian, data)? {
            let strings = sections.strings(endian, data, link)?;
            for entry in dynamic.iter().take(MOST_NAMES) {
                if !entry.is_string(endian) {
                    continue;
                }
                let text = String::from_utf8_lossy(entry.string(endian, strings)?).into_owned();
                match entry.tag(endian) {
                    elf::DT_NEEDED => file.needed.push(text),
                    elf::DT_RPATH => file.rpath = folders(&text, origin),
                    elf::DT_RUNPATH => file.runpath = folders(&text, origin),
                    _ => {}
                }
            }
        }
        let symbols = sections.symbols(endian, data, elf::SHT_DYNSYM)?;
        for symbol in symbols.iter().take(MOST_NAMES) {
            if !symbol.is_undefined(endian) {
                let name = symbol.name(endian, symbols.strings())?;
                file.exports.insert(name.to_vec());
            }
        }
        Ok(file)
    }

    /// Whether the file exports a function of this name.
    pub fn exports(&self, name: &str) -> bool {
        self.exports.contains(name.as_bytes())
    }

    /// The exported name that is most like this one, if one is.
    pub fn nearest(&self, name: &str) -> Option<String> {
        let names = self.exports.iter();
        let names = names.filter_map(|known| std::str::from_utf8(known).ok());
        nearest(name, names).map(str::to_owned)
    }
}

/// The folders of a search path in an ELF file at `origin`.
fn folders(text: &str, origin: &Path) -> Vec<PathBuf> {
    let origin = origin.to_string_lossy();
    let texts = text.split(':').filter(|text| !text.is_empty());
    texts
        .map(|text| {
            text.replace("${ORIGIN}", &origin)
                .replace("$ORIGIN", &origin)
        })
        .map(PathBuf::from)
        .collect()
}

/// Of these names, the one that is most like `name`, if at most a quarter of it is different.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (name.len() / 4).min(8);
    let close = names.filter(|known| known.len().abs_diff(name.len()) <= most);
    let ranked = close.map(|known| (distance(name.as_bytes(), known.as_bytes()), known));
    ranked
        .filter(|(distance, _)| *distance > 0 && *distance <= most)
        .min()
        .map(|(_, known)| known)
}

/// The number of insertions, deletions and replacements between two names.
fn distance(a: &[u8], b: &[u8]) -> usize {
    // Longer names are not compared letter by letter.
    if a.len().max(b.len()) > 256 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = before + usize::from(x != y);
            before = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_the_loader_rejects_are_named() {
        let error = |data: &[u8]| NativeFile::parse(Path::new("a.so"), data).unwrap_err();
        assert_eq!(error(b"").to_string(), "is no ELF file: it is empty");
        assert_eq!(error(b"/* GNU ld script */").to_string(), "is no ELF file");
        assert_eq!(
            error(b"MZ\x90").to_string(),
            "is no ELF file but one for Windows"
        );
        let mut arm = b"\x7fELF\x02\x01\x01".to_vec();
        arm.resize(18, 0);
        arm.extend([183, 0]);
        assert_eq!(error(&arm), Broken::Machine("ARM64"));
        assert!(matches!(error(b"\x7fELF\x01\x01"), Broken::Machine(_)));
        arm[18] = 62;
        assert!(matches!(error(&arm), Broken::Damaged(_)));
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["sqlite3_step", "sqlite3_open", "sqlite3_close"];
        let of = |name| nearest(name, names.into_iter());
        assert_eq!(of("sqlite3_stepp"), Some("sqlite3_step"));
        assert_eq!(of("sqlite_open"), Some("sqlite3_open"));
        assert_eq!(of("inflate"), None);
        assert_ne!(of("sqlite3_step"), Some("sqlite3_step"));
    }

    #[test]
    fn search_paths_begin_at_the_file() {
        assert_eq!(
            folders("$ORIGIN/../lib::${ORIGIN}", Path::new("/app")),
            [PathBuf::from("/app/../lib"), PathBuf::from("/app")]
        );
    }
}
