//! The list of files at the end of a single-file program.
//!
//! ```text
//! u32 major, u32 minor, i32 number of files, text id
//! from version 2 on: i64 offset, i64 size of deps.json; the same of runtimeconfig.json; u64 flags
//! each file: i64 offset, i64 size, from version 6 on i64 compressed size, u8 kind, text path
//! ```
//!
//! A text has its length before it, in groups of seven bits. Version 1 is .NET Core 3, version 2 is
//! .NET 5, version 6 is .NET 6 and later.

use std::fs::File;
use std::os::unix::fs::FileExt;

use object::read::ReadRef;

/// What the name of the file ends with. Its kind has another number in each version.
const RUNTIME_CONFIG: &[u8] = b".runtimeconfig.json";
/// More files than this have never been in one bundle.
const MOST_FILES: u32 = 100_000;
/// A `runtimeconfig.json` is a few hundred bytes long.
const MOST_CONFIG: u64 = 1 << 20;

/// Reads `NAME.runtimeconfig.json` out of a bundle whose list begins at `from`.
///
/// Returns `None` if the bundle has no such file, or another form.
pub fn runtime_config<'data, R: ReadRef<'data>>(data: R, from: u64) -> Option<&'data str> {
    let mut list = List { data, at: from };
    let (major, _minor, files) = (list.u32()?, list.u32()?, list.u32()?);
    list.text()?;
    let (offset, size) = if major >= 2 {
        let [_, _, offset, size, _flags] = [
            list.u64()?,
            list.u64()?,
            list.u64()?,
            list.u64()?,
            list.u64()?,
        ];
        (offset, size)
    } else {
        list.place_of(RUNTIME_CONFIG, files)?
    };
    let known = offset != 0 && size <= MOST_CONFIG;
    let bytes = known
        .then(|| data.read_bytes_at(offset, size).ok())
        .flatten()?;
    std::str::from_utf8(bytes).ok()
}

/// A file in a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundled {
    /// The path, relative to the program.
    pub path: String,
    offset: u64,
    size: u64,
    /// The size of the compressed bytes, 0 if they are not compressed.
    compressed: u64,
}

/// Lists the files of a bundle whose list begins at `from`.
///
/// Returns `None` if the list is damaged.
pub fn files<'data, R: ReadRef<'data>>(data: R, from: u64) -> Option<Vec<Bundled>> {
    let mut list = List { data, at: from };
    let (major, _minor, files) = (list.u32()?, list.u32()?, list.u32()?);
    list.text()?;
    if major >= 2 {
        for _ in 0..5 {
            list.u64()?;
        }
    }
    let mut found = Vec::new();
    for _ in 0..files.min(MOST_FILES) {
        let (offset, size) = (list.u64()?, list.u64()?);
        let compressed = if major >= 6 { list.u64()? } else { 0 };
        let _kind = list.u8()?;
        found.push(Bundled {
            path: String::from_utf8_lossy(list.text()?).into_owned(),
            offset,
            size,
            compressed,
        });
    }
    Some(found)
}

impl Bundled {
    /// The bytes of the file, if they are at most so many.
    pub fn read(&self, bundle: &File, most: u64) -> Option<Vec<u8>> {
        let stored = match self.compressed {
            0 => self.size,
            size => size,
        };
        if self.size > most || stored > most {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(stored).ok()?];
        bundle.read_exact_at(&mut bytes, self.offset).ok()?;
        if self.compressed == 0 {
            return Some(bytes);
        }
        let size = usize::try_from(self.size).ok()?;
        miniz_oxide::inflate::decompress_to_vec_with_limit(&bytes, size).ok()
    }
}

struct List<R> {
    data: R,
    at: u64,
}

impl<'data, R: ReadRef<'data>> List<R> {
    fn bytes(&mut self, size: u64) -> Option<&'data [u8]> {
        let bytes = self.data.read_bytes_at(self.at, size).ok()?;
        self.at += size;
        Some(bytes)
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.bytes(1)?[0])
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'data [u8]> {
        let mut size = 0;
        for shift in [0, 7, 14] {
            let byte = self.u8()?;
            size |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return self.bytes(size);
            }
        }
        None
    }

    /// Where the file is whose path ends so, in version 1.
    fn place_of(&mut self, ending: &[u8], files: u32) -> Option<(u64, u64)> {
        for _ in 0..files.min(MOST_FILES) {
            let (offset, size, _kind) = (self.u64()?, self.u64()?, self.u8()?);
            if self.text()?.ends_with(ending) {
                return Some((offset, size));
            }
        }
        None
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A bundle of this version with two files, to be put at `at`, and where its list is.
    pub(crate) fn bundle(major: u32, config: &str, at: u64) -> (Vec<u8>, u64) {
        let mut bytes = config.as_bytes().to_vec();
        let list = at + bytes.len() as u64;
        let size = config.len() as u64;
        for number in [major, 0, 2] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(b"\x03abc");
        if major >= 2 {
            for number in [0, 0, at, size, 1] {
                bytes.extend(number.to_le_bytes());
            }
        }
        let long = "d/".repeat(100) + "app.dll";
        for (offset, size, kind, path) in
            [(1, 2, 1, &*long), (at, size, 3, "app.runtimeconfig.json")]
        {
            for number in [offset, size] {
                bytes.extend(number.to_le_bytes());
            }
            if major >= 6 {
                bytes.extend(0u64.to_le_bytes());
            }
            bytes.push(kind);
            if path.len() >= 0x80 {
                bytes.extend([path.len() as u8 | 0x80, (path.len() >> 7) as u8]);
            } else {
                bytes.push(path.len() as u8);
            }
            bytes.extend(path.as_bytes());
        }
        (bytes, list)
    }

    #[test]
    fn every_version_has_its_configuration_found() {
        for major in [1, 2, 6] {
            let (bytes, list) = bundle(major, "{\"a\": 1}", 16);
            let file = [vec![0; 16], bytes].concat();
            assert_eq!(
                runtime_config(file.as_slice(), list),
                Some("{\"a\": 1}"),
                "{major}"
            );
            for length in 0..file.len() {
                let _ = runtime_config(&file[..length], list);
            }
        }
    }

    #[test]
    fn a_bundle_without_one_has_none() {
        let (mut bytes, list) = bundle(6, "{}", 16);
        // After three numbers, the id, and the place of deps.json.
        let at = list as usize - 16 + 12 + 4 + 16;
        bytes[at..at + 16].fill(0);
        let file = [vec![0; 16], bytes].concat();
        assert_eq!(runtime_config(file.as_slice(), list), None);
        assert_eq!(runtime_config(file.as_slice(), u64::MAX - 3), None);
    }
}
