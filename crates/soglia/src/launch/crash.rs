//! How the kernel ended a program, from its log, and what lies where the program was.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use object::{
    Endianness, Object, ObjectSegment, ObjectSymbol, ReadCache, SymbolKind, read::elf::ElfFile64,
};
use soglia_core::{
    regular,
    trace::{crash::Crash, names::Names, reader::Reader},
};

use super::{
    ended::Ended,
    kernel::{Fault, KernelLog, Line},
};

/// Signals that a fault of the program raises.
const FAULTS: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// What the kernel says about the end of the process of this recording. `None`: nothing.
pub fn of(reader: &Reader, ended: Ended, log: &mut KernelLog) -> Option<Crash> {
    let Ended::Killed(signal) = ended else {
        return None;
    };
    let lines = log.lines();
    if signal == libc::SIGKILL {
        let killed = lines.contains(&Line::OutOfMemory(reader.pid()));
        let killed = log.any_killed().unwrap_or(killed);
        return killed.then(|| Crash {
            out_of_memory: true,
            ..Crash::default()
        });
    }
    if !FAULTS.contains(&signal) {
        return None;
    }
    let names = reader.names();
    let mut threads: Vec<u32> = reader.each_task().map(|task| task.os_thread).collect();
    threads.push(reader.pid());
    let mut faults = lines.into_iter().filter_map(|line| match line {
        Line::Fault(fault) => Some(fault),
        Line::OutOfMemory(_) => None,
    });
    // In another pid namespace the kernel's numbers of threads are not those of the recording.
    let is_its = |fault: &Fault| {
        threads.contains(&fault.thread) || path_of(&names, fault).is_some_and(|(_, base)| base > 0)
    };
    faults
        .rfind(is_its)
        .map(|fault| crash(&names, &threads, fault))
}

fn crash(names: &Names, threads: &[u32], fault: Fault) -> Crash {
    let found = path_of(names, &fault);
    let base = found
        .as_ref()
        .map(|(_, base)| *base)
        .filter(|base| *base > 0);
    let path = found
        .map(|(path, _)| path)
        .or_else(|| beside(names, &fault));
    let by_base = base.map(|base| fault.instruction.wrapping_sub(base));
    let elf = |path: &PathBuf| look(path, by_base, fault.place);
    let (offset, symbol) = path.as_ref().and_then(elf).unwrap_or((by_base, None));
    let path = path.map(|path| path.to_string_lossy().into_owned());
    Crash {
        os_thread: Some(fault.thread)
            .filter(|thread| threads.contains(thread))
            .unwrap_or(0),
        out_of_memory: false,
        address: fault.address,
        instruction: Some(fault.instruction),
        file: path.or(fault.file),
        offset,
        symbol,
    }
}

/// The path of the file at the instruction, and the base at which it is loaded; 0: not known.
fn path_of(names: &Names, fault: &Fault) -> Option<(PathBuf, u64)> {
    let at = fault.instruction;
    let fits = |path: &str| {
        let file = Path::new(path).file_name().and_then(|name| name.to_str());
        fault.file.is_none() || file == fault.file.as_deref()
    };
    let mut objects = names.objects.iter().rev();
    let there = objects.find(|o| o.base <= at && at < o.end && fits(&o.path));
    if let Some(object) = there {
        return Some((PathBuf::from(&object.path), object.base));
    }
    fault.file.as_ref()?;
    let mut places = names
        .places
        .values()
        .filter_map(|place| place.file.as_deref());
    let place = places.find(|path| fits(path))?;
    Some((PathBuf::from(place), 0))
}

/// A library that was loaded by the call that crashed is in no other record. It mostly lies beside
/// the program.
fn beside(names: &Names, fault: &Fault) -> Option<PathBuf> {
    let file = fault.file.as_deref()?;
    let folders = names
        .program
        .iter()
        .filter_map(|arg| Path::new(arg).parent());
    let mut paths = folders.map(|folder| folder.join(file));
    paths.find(|path| path.is_absolute() && path.is_file())
}

/// The address of the instruction in the file's own terms, and the function that it is in.
fn look(
    path: &Path,
    by_base: Option<u64>,
    place: Option<u64>,
) -> Option<(Option<u64>, Option<String>)> {
    let data = ReadCache::new(regular::open(path).ok()?);
    let elf = ElfFile64::<Endianness, &ReadCache<File>>::parse(&data).ok()?;
    let by_place = || {
        let place = place?;
        elf.segments().find_map(|segment| {
            let (start, size) = segment.file_range();
            let within = place.checked_sub(start).filter(|within| *within < size)?;
            segment.address().checked_add(within)
        })
    };
    let address = by_base.or_else(by_place)?;
    let symbols = elf.symbols().chain(elf.dynamic_symbols());
    let here = symbols.filter(|symbol| {
        let within = address.checked_sub(symbol.address());
        symbol.is_definition()
            && symbol.kind() == SymbolKind::Text
            && within.is_some_and(|within| within < symbol.size())
    });
    // Of several names, people know the global one. Versions are not part of names.
    let best = here.max_by_key(|symbol| (symbol.address(), symbol.is_global()));
    let named = best.and_then(|symbol| {
        let name = symbol.name().ok()?.split('@').next()?;
        Some(format!("{name}+{:#x}", address - symbol.address()))
    });
    Some((Some(address), named))
}
