//! The names of native functions that no object exports, from the debug symbols of their files.
//!
//! The recording has the build id of each file. Another build of the file has other functions at
//! the same place, so it is not used.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::File,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Mutex, PoisonError},
};

use object::{Endianness, Object, ObjectSymbol, ReadCache, SymbolKind, read::elf::ElfFile64};
use soglia_core::trace::{names::Names, reader::Reader};

/// The largest file that is read for symbols.
const MOST_BYTES: u64 = 1 << 30;
/// The most files of one recording that are read, and of which functions are cached. The cache
/// serves callers that read a recording again and again.
const MOST_FILES: usize = 64;

/// Functions by address.
type Functions = BTreeMap<u64, String>;
/// Functions by file and build id. It has each address that was asked for.
static KNOWN: Mutex<Option<HashMap<(String, String), Functions>>> = Mutex::new(None);

/// The names in a recording, completed from the debug symbols of files on this machine.
pub fn names(reader: &Reader) -> Names {
    let mut names = Names::default();
    read_on(&mut names, reader);
    names
}

/// Adds to names what the recording has gained since they were read.
pub fn read_on(names: &mut Names, reader: &Reader) {
    if names.read_on(reader) {
        complete(names);
    }
}

/// Names the functions that were called by a pointer and have no name yet, if their files are still
/// the ones that were loaded.
fn complete(names: &mut Names) {
    let mut wanted: BTreeMap<(String, String), Vec<(u32, u64)>> = BTreeMap::new();
    for (number, target) in &names.targets {
        let place = names.places.get(number);
        let nameless = target.entry.is_none() && target.method.is_none();
        if let Some(place) = place.filter(|place| nameless && place.symbol.is_none())
            && let (Some(file), Some(build), Some(offset)) =
                (&place.file, &place.build, place.offset)
        {
            let of_file = wanted.entry((file.clone(), build.clone())).or_default();
            of_file.push((*number, offset));
        }
    }
    for ((file, build), targets) in wanted.into_iter().take(MOST_FILES) {
        let found = functions(&file, &build, targets.iter().map(|(_, offset)| *offset));
        for (number, offset) in targets {
            let Some(name) = found.get(&offset).filter(|name| !name.is_empty()) else {
                continue;
            };
            if let Some(target) = names.targets.get_mut(&number) {
                target.entry = Some(name.clone());
            }
            if let Some(place) = names.places.get_mut(&number) {
                place.symbol = Some(name.clone());
            }
        }
    }
}

/// The functions at these addresses of a file. An empty name means that no function begins there.
fn functions(file: &str, build: &str, addresses: impl Iterator<Item = u64>) -> Functions {
    let addresses: Vec<u64> = addresses.collect();
    let key = (file.to_owned(), build.to_owned());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    let all = known.get(&key).is_some_and(|functions| {
        addresses
            .iter()
            .all(|address| functions.contains_key(address))
    });
    if !all {
        let found = read(Path::new(file), build, &addresses).unwrap_or_default();
        if known.len() >= MOST_FILES {
            known.clear();
        }
        let functions = known.entry(key.clone()).or_default();
        for address in addresses {
            let name = found.get(&address).cloned().unwrap_or_default();
            functions.entry(address).or_insert(name);
        }
    }
    known.get(&key).cloned().unwrap_or_default()
}

/// The functions of the file that begin at these addresses. Returns `None` if the file is of
/// another build or cannot be read.
fn read(path: &Path, build: &str, addresses: &[u64]) -> Option<Functions> {
    // A recording may name anything. A path that is not a file is not opened, and `O_NONBLOCK`
    // keeps the open from waiting if the file is replaced by a pipe meanwhile.
    let is_file = |m: std::fs::Metadata| m.is_file() && m.len() <= MOST_BYTES;
    if !path.is_absolute() || !std::fs::metadata(path).is_ok_and(is_file) {
        return None;
    }
    let mut options = File::options();
    let options = options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path).ok()?;
    if !file.metadata().is_ok_and(is_file) {
        return None;
    }
    let data = ReadCache::new(file);
    let elf = ElfFile64::<Endianness, _>::parse(&data).ok()?;
    let id = elf.build_id().ok()??;
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    if id != build {
        return None;
    }
    let addresses: HashSet<u64> = addresses.iter().copied().collect();
    let mut found: BTreeMap<u64, (bool, &str)> = BTreeMap::new();
    for symbol in elf.symbols() {
        if !symbol.is_definition()
            || symbol.kind() != SymbolKind::Text
            || !addresses.contains(&symbol.address())
        {
            continue;
        }
        if let Ok(name) = symbol.name()
            && !name.is_empty()
        {
            // Of several names, people know the global one.
            let (is_global, there) = found.entry(symbol.address()).or_insert((false, name));
            if symbol.is_global() && !*is_global {
                (*is_global, *there) = (true, name);
            }
        }
    }
    let named = found.into_iter();
    Some(
        named
            .map(|(address, (_, name))| (address, name.to_owned()))
            .collect(),
    )
}
