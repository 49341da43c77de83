//! Where the runtime looks for a native library.

use std::path::{Path, PathBuf};

use super::file::{Broken, NativeFile};
use super::loader::{Loader, Missing};
use super::names::variations;

/// Where a library was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a folder that the host gives the runtime: that of the program, of one of its packages, or
    /// of a framework.
    Program,
    /// Beside the assembly that imports it.
    Assembly,
    /// Where the loader looks.
    System,
    /// In a folder of `LD_LIBRARY_PATH`.
    LibraryPath,
    /// At the absolute path that is its name.
    Absolute,
}

/// A file that the runtime would try to load and could not.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The file.
    pub file: PathBuf,
    /// Why the loader does not accept it.
    pub broken: Option<Broken>,
    /// What it needs and the loader does not find.
    pub missing: Vec<Missing>,
}

/// What the runtime would find.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The file, and where it was found.
    pub file: Option<(NativeFile, Place)>,
    /// The other files in which `dlsym` looks: those that the file needs.
    pub needed: Vec<NativeFile>,
    /// Files that were tried before and not accepted.
    pub attempts: Vec<Attempt>,
}

impl Found {
    /// Whether the file that was found has a function, or one of the files that it needs. The
    /// runtime tries a name with `A` or `W` at its end too.
    pub fn exports(&self, entry: &str) -> bool {
        let own = self.file.iter().map(|(file, _)| file);
        let mut files = own.chain(&self.needed);
        let names = ["", "A", "W"].map(|ending| format!("{entry}{ending}"));
        files.any(|file| names.iter().any(|name| file.exports(name)))
    }
}

/// The folders in which the runtime looks.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// Those that the host gives the runtime (`NATIVE_DLL_SEARCH_DIRECTORIES`), in their order.
    pub folders: &'a [PathBuf],
    /// That of the assembly, if the runtime looks there.
    pub assembly: Option<&'a Path>,
    /// The folder of the runtime itself, where the loader looks for it.
    pub runtime: Option<&'a Path>,
    /// The loader.
    pub loader: &'a Loader,
}

impl Probe<'_> {
    /// Looks for a library in the order of the runtime.
    pub fn find(&self, library: &str) -> Found {
        let mut found = Found::default();
        for name in variations(library) {
            if self.try_name(&name, &mut found) {
                break;
            }
        }
        found
    }

    /// The same for a file that is known to be tried first.
    pub fn take(&self, file: NativeFile, place: Place) -> Found {
        let mut found = Found::default();
        self.accept(file, place, &mut found);
        found
    }

    fn try_name(&self, name: &str, found: &mut Found) -> bool {
        if name.starts_with('/') {
            return self.try_file(Path::new(name), Place::Absolute, found);
        }
        for folder in self.folders {
            if self.try_file(&folder.join(name), Place::Program, found) {
                return true;
            }
        }
        if let Some(folder) = self.assembly
            && self.try_file(&folder.join(name), Place::Assembly, found)
        {
            return true;
        }
        // A name with a folder is one from the working directory, which is not known.
        if name.contains('/') {
            return false;
        }
        // The runtime knows the C library by its short name.
        let name = if name == "libc" { "libc.so.6" } else { name };
        let from: Vec<PathBuf> = self.runtime.iter().map(|f| f.to_path_buf()).collect();
        match self.loader.open(name, &from) {
            Ok(file) => self.accept(file, Place::System, found),
            Err(_) => false,
        }
    }

    fn try_file(&self, path: &Path, place: Place, found: &mut Found) -> bool {
        if !path.exists() {
            return false;
        }
        match NativeFile::read(path) {
            Ok(file) => self.accept(file, place, found),
            Err(broken) => {
                found.attempts.push(Attempt {
                    file: path.to_owned(),
                    broken: Some(broken),
                    missing: Vec::new(),
                });
                false
            }
        }
    }

    fn accept(&self, file: NativeFile, place: Place, found: &mut Found) -> bool {
        let (needed, missing) = self.loader.needed(&file);
        if !missing.is_empty() {
            found.attempts.push(Attempt {
                file: file.path,
                broken: None,
                missing,
            });
            return false;
        }
        let place = match place {
            Place::System if self.loader.is_in_library_path(&file.path) => Place::LibraryPath,
            other => other,
        };
        found.needed = needed;
        found.file = Some((file, place));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_program_comes_before_the_system() {
        let temp = tempfile::tempdir().unwrap();
        let loader = Loader::new(&|_| None);
        let folders = [temp.path().to_owned()];
        let probe = Probe {
            folders: &folders,
            assembly: None,
            runtime: None,
            loader: &loader,
        };
        let libc = probe.find("libc");
        let (file, place) = libc.file.as_ref().unwrap();
        assert_eq!(*place, Place::System);
        assert!(libc.exports("getpid") && !libc.exports("absent"));
        let copy = temp.path().join("libc.so");
        fs::copy(&file.path, &copy).unwrap();
        let (file, place) = probe.find("c").file.unwrap();
        assert_eq!((file.path, place), (copy.clone(), Place::Program));
        // What the loader does not accept is passed over.
        fs::write(&copy, "INPUT(libc.so.6)").unwrap();
        let passed = probe.find("libc");
        assert_eq!(passed.file.unwrap().1, Place::System);
        let attempt = &passed.attempts[0];
        assert_eq!(attempt.broken, Some(Broken::NotElf("")));
        assert!(probe.find("absent").file.is_none());
    }
}
