//! The assemblies of a program, and what they import.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use object::read::ReadCache;
use soglia_core::regular;

use super::places::Deps;
use crate::dotnet::metadata::{self, Import, Imports};
use crate::program::{Kind, Program, bundle, elf};

/// Larger assemblies are not read: they are mostly data.
const MOST_BYTES: u64 = 64 << 20;
/// More files than this are not looked at.
const MOST_FILES: usize = 2000;

/// An assembly that imports functions, and the folder that it lies in.
pub(super) struct Assembly {
    pub(super) imports: Imports,
    pub(super) folder: PathBuf,
}

/// What a program imports.
pub(super) struct Imported {
    /// The folder of the program.
    pub(super) folder: PathBuf,
    /// What its `deps.json` says.
    pub(super) deps: Deps,
    /// The native libraries inside a single-file program: the name of the file, and its bytes.
    pub(super) inside: BTreeMap<String, Vec<u8>>,
    pub(super) assemblies: Vec<Assembly>,
}

/// An import, and the assembly that has it.
pub(super) type Use<'a> = (&'a Assembly, &'a Import);

impl Imported {
    /// Reads what lies beside a program or in it. Returns `None` for a program of which that is not
    /// known.
    pub(super) fn of(program: &Program) -> Option<Self> {
        let real = fs::canonicalize(&program.path).ok()?;
        let folder = real.parent()?.to_owned();
        match program.kind {
            Kind::Assembly(_) => {
                let deps = Deps::read(&real.with_extension("deps.json"));
                Some(Self::beside(folder, deps))
            }
            Kind::Apphost { .. } => {
                let mut name = real.file_name()?.to_owned();
                name.push(".deps.json");
                Some(Self::beside(folder.clone(), Deps::read(&folder.join(name))))
            }
            Kind::SingleFile { .. } => Self::inside(&real, folder),
            Kind::Muxer | Kind::Script | Kind::Native => None,
        }
    }

    fn beside(folder: PathBuf, deps: Deps) -> Self {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries
            .take(MOST_FILES)
            .map(|entry| entry.path())
            .filter(|file| file.extension().is_some_and(|extension| extension == "dll"))
            .collect();
        files.extend(deps.assemblies.iter().map(|asset| folder.join(asset)));
        files.sort();
        files.dedup();
        let assemblies = files
            .iter()
            .filter(|file| !is_of_framework(file))
            .filter_map(|file| {
                let bytes = regular::read(file, MOST_BYTES).ok()?;
                Some(Assembly {
                    imports: imports(&bytes)?,
                    folder: file.parent()?.to_owned(),
                })
            })
            .collect();
        Self {
            folder,
            deps,
            inside: BTreeMap::new(),
            assemblies,
        }
    }

    fn inside(path: &Path, folder: PathBuf) -> Option<Self> {
        let file = ReadCache::new(regular::open(path).ok()?);
        let elf::Host::SingleFile(list) = elf::check(path, &file).ok()? else {
            return None;
        };
        let mut imported = Self {
            folder: folder.clone(),
            deps: Deps::default(),
            inside: BTreeMap::new(),
            assemblies: Vec::new(),
        };
        let files = bundle::files(&file, list)?;
        let data = File::open(path).ok()?;
        for entry in files.iter().take(MOST_FILES) {
            let name = Path::new(&entry.path);
            let is_assembly = entry.path.ends_with(".dll") && !is_of_framework(name);
            let is_native = entry.path.ends_with(".so") || entry.path.contains(".so.");
            if !is_assembly && !is_native {
                continue;
            }
            let Some(bytes) = entry.read(&data, MOST_BYTES) else {
                continue;
            };
            if is_native {
                let name = name.file_name().unwrap_or_default().to_string_lossy();
                imported.inside.insert(name.into_owned(), bytes);
            } else if let Some(imports) = imports(&bytes) {
                imported.assemblies.push(Assembly {
                    imports,
                    folder: folder.clone(),
                });
            }
        }
        Some(imported)
    }

    /// What is imported of each library.
    pub(super) fn by_library(&self) -> BTreeMap<&str, Vec<Use<'_>>> {
        let mut libraries: BTreeMap<&str, Vec<Use<'_>>> = BTreeMap::new();
        for assembly in &self.assemblies {
            for import in &assembly.imports.imports {
                let uses = libraries.entry(&import.library).or_default();
                uses.push((assembly, import));
            }
        }
        libraries
    }
}

/// The imports of an assembly, if it has any.
fn imports(bytes: &[u8]) -> Option<Imports> {
    metadata::imports(bytes).filter(|found| !found.imports.is_empty())
}

/// Whether an assembly is one of the framework, which finds its own libraries.
fn is_of_framework(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("System.")
        || ["mscorlib.dll", "netstandard.dll", "WindowsBase.dll"].contains(&&*name)
        || name.starts_with("Microsoft.Win32.")
        || name.starts_with("Microsoft.VisualBasic")
}
