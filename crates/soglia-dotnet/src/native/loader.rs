//! Where the loader of glibc looks for shared objects.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use super::file::{Broken, NativeFile};
use crate::{Lookup, machine::OWN};

/// The cache is some 100 KiB long.
const MOST_CACHE: u64 = 64 << 20;
/// More files than this are not followed.
const MOST_FILES: usize = 500;

/// The folders that the loader searches last.
const DEFAULTS: [&str; 6] = [
    #[cfg(target_arch = "aarch64")]
    "lib/aarch64-linux-gnu",
    #[cfg(target_arch = "aarch64")]
    "usr/lib/aarch64-linux-gnu",
    #[cfg(not(target_arch = "aarch64"))]
    "lib/x86_64-linux-gnu",
    #[cfg(not(target_arch = "aarch64"))]
    "usr/lib/x86_64-linux-gnu",
    "lib64",
    "usr/lib64",
    "lib",
    "usr/lib",
];

/// A library that a file needs and the loader does not find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The library, as `DT_NEEDED` names it.
    pub name: String,
    /// The file that needs it.
    pub needed_by: PathBuf,
    /// Why a file of that name is not accepted, if there is one.
    pub broken: Option<Broken>,
}

/// The loader.
#[derive(Debug, Default)]
pub struct Loader {
    library_path: Vec<PathBuf>,
    cache: HashMap<String, PathBuf>,
    defaults: Vec<PathBuf>,
}

impl Loader {
    /// The loader of this machine, for a process with this environment.
    pub fn new(env: Lookup<'_>) -> Self {
        Self::under(Path::new("/"), env)
    }

    /// The loader of the machine whose files lie under `root`.
    pub fn under(root: &Path, env: Lookup<'_>) -> Self {
        let path = env("LD_LIBRARY_PATH").unwrap_or_default();
        // An empty part is the working directory.
        let library_path = path
            .to_string_lossy()
            .split([':', ';'])
            .filter(|_| !path.is_empty())
            .map(|part| PathBuf::from(if part.is_empty() { "." } else { part }))
            .collect();
        let cache = root.join("etc/ld.so.cache");
        let small = fs::metadata(&cache).is_ok_and(|m| m.is_file() && m.len() <= MOST_CACHE);
        let bytes = small.then(|| fs::read(&cache).ok()).flatten();
        Self {
            library_path,
            cache: parse_cache(&bytes.unwrap_or_default()).unwrap_or_default(),
            defaults: DEFAULTS.iter().map(|folder| root.join(folder)).collect(),
        }
    }

    /// Opens a library by a name without a folder, as `dlopen` does. `from` is the search path of
    /// the file that asks.
    ///
    /// # Errors
    /// Why a file of that name is not accepted, or `None` if there is no such file.
    pub fn open(&self, name: &str, from: &[PathBuf]) -> Result<NativeFile, Option<Broken>> {
        let folders = self.library_path.iter().chain(from);
        let candidates = folders
            .map(|folder| folder.join(name))
            .chain(self.cache.get(name).cloned())
            .chain(self.defaults.iter().map(|folder| folder.join(name)));
        let mut broken = None;
        for candidate in candidates {
            if !candidate.exists() {
                continue;
            }
            match NativeFile::read(&candidate) {
                Ok(file) => return Ok(file),
                Err(error) => broken = broken.or(Some(error)),
            }
        }
        Err(broken)
    }

    /// Whether a file lies in a folder of `LD_LIBRARY_PATH`.
    pub fn is_in_library_path(&self, file: &Path) -> bool {
        let folder = file.parent();
        self.library_path
            .iter()
            .any(|known| Some(known.as_path()) == folder)
    }

    /// What the file needs, directly or by what it needs: the files, and what is missing.
    pub fn needed(&self, file: &NativeFile) -> (Vec<NativeFile>, Vec<Missing>) {
        let (mut files, mut missing) = (Vec::new(), Vec::new());
        let mut seen: HashSet<String> = HashSet::new();
        let mut queue: VecDeque<(NativeFile, Vec<PathBuf>)> = VecDeque::new();
        queue.push_back((file.clone(), Vec::new()));
        while let Some((of, inherited)) = queue.pop_front() {
            // DT_RPATH counts for what the needed files need too, DT_RUNPATH does not.
            let mut rpath = inherited;
            if of.runpath.is_empty() {
                rpath.extend(of.rpath.iter().cloned());
            }
            let from: Vec<PathBuf> = rpath.iter().chain(&of.runpath).cloned().collect();
            for name in &of.needed {
                if name.starts_with("ld-linux") || !seen.insert(name.clone()) {
                    continue;
                }
                if seen.len() > MOST_FILES {
                    return (files, missing);
                }
                let opened = if name.contains('/') {
                    NativeFile::read(Path::new(name)).map_err(Some)
                } else {
                    self.open(name, &from)
                };
                match opened {
                    Ok(found) => queue.push_back((found, rpath.clone())),
                    Err(broken) => missing.push(Missing {
                        name: name.clone(),
                        needed_by: of.path.clone(),
                        broken,
                    }),
                }
            }
            if of.path != file.path {
                files.push(of);
            }
        }
        (files, missing)
    }
}

/// The libraries for this architecture in `/etc/ld.so.cache`: its new form, alone or behind the old
/// one.
fn parse_cache(bytes: &[u8]) -> Option<HashMap<String, PathBuf>> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    let start = bytes.windows(MAGIC.len()).position(|w| w == MAGIC)?;
    let bytes = &bytes[start..];
    let word = |at: usize| {
        let word = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(word.try_into().ok()?))
    };
    let text = |at: u32| {
        let text = bytes.get(at as usize..)?;
        let end = text.iter().take(4096).position(|byte| *byte == 0)?;
        std::str::from_utf8(&text[..end]).ok()
    };
    let mut found: HashMap<String, (PathBuf, bool)> = HashMap::new();
    let count = word(20)? as usize;
    for entry in (0..count.min(bytes.len() / 24)).map(|n| 48 + n * 24) {
        let (Some(flags), Some(key), Some(value)) = (word(entry), word(entry + 4), word(entry + 8))
        else {
            break;
        };
        if flags & 0xffff != OWN.cache {
            continue;
        }
        let (Some(key), Some(value)) = (text(key), text(value)) else {
            continue;
        };
        // Entries for some processors only come first.
        let plain = word(entry + 16) == Some(0) && word(entry + 20) == Some(0);
        match found.get(key) {
            Some((_, true)) => {}
            Some(_) if !plain => {}
            _ => drop(found.insert(key.to_owned(), (PathBuf::from(value), plain))),
        }
    }
    let found = found.into_iter().map(|(name, (path, _))| (name, path));
    Some(found.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_of_this_machine_are_found() {
        let loader = Loader::new(&|_| None);
        let libc = loader.open("libc.so.6", &[]).unwrap();
        assert!(libc.exports("getpid") && !libc.exports("getpidd"));
        assert_eq!(libc.nearest("getpidd").as_deref(), Some("getpid"));
        let (_, missing) = loader.needed(&libc);
        assert_eq!(missing, []);
        assert_eq!(loader.open("libabsent.so.7", &[]).unwrap_err(), None);
    }

    fn cache(entries: &[(u32, u32, &str, &str)]) -> Vec<u8> {
        let mut bytes = b"glibc-ld.so.cache1.1".to_vec();
        bytes.extend((entries.len() as u32).to_le_bytes());
        bytes.resize(48, 0);
        let (mut table, mut texts) = (Vec::new(), Vec::new());
        let texts_at = 48 + entries.len() * 24;
        for (flags, hwcap, key, value) in entries {
            let mut put = |text: &str| {
                let at = (texts_at + texts.len()) as u32;
                texts.extend(text.as_bytes());
                texts.push(0);
                at
            };
            for word in [*flags, put(key), put(value), 0, *hwcap, 0] {
                table.extend(word.to_le_bytes());
            }
        }
        [bytes, table, texts].concat()
    }

    #[test]
    fn the_cache_is_read() {
        let bytes = cache(&[
            (OWN.cache, 1, "libz.so.1", "/fast/libz.so.1"),
            (OWN.cache, 0, "libz.so.1", "/lib/libz.so.1"),
            (0x003, 0, "liba.so", "/lib32/liba.so"),
        ]);
        let behind = [b"ld.so-1.7.0\0\0".to_vec(), bytes.clone()].concat();
        for bytes in [bytes, behind] {
            let found = parse_cache(&bytes).unwrap();
            assert_eq!(found.len(), 1);
            assert_eq!(found["libz.so.1"], Path::new("/lib/libz.so.1"));
            for length in 0..bytes.len() {
                let _ = parse_cache(&bytes[..length]);
            }
        }
    }

    #[test]
    fn the_library_path_comes_first() {
        let temp = tempfile::tempdir().unwrap();
        let libc = Loader::new(&|_| None).open("libc.so.6", &[]).unwrap().path;
        let copy = temp.path().join("libc.so.6");
        fs::copy(libc, &copy).unwrap();
        let folder = temp.path().to_owned();
        let env = move |name: &str| (name == "LD_LIBRARY_PATH").then(|| folder.clone().into());
        let loader = Loader::new(&env);
        assert_eq!(loader.open("libc.so.6", &[]).unwrap().path, copy);
        assert!(loader.is_in_library_path(&copy));
        fs::write(&copy, "text").unwrap();
        assert_ne!(loader.open("libc.so.6", &[]).unwrap().path, copy);
    }
}
