//! The instructions, in the release build, of the hooks that the collector of the recorded program
//! waits for.
//!
//! Follows every branch and call from each quick hook, and finds no system call, no call of another
//! library except those that are known, no lock, and no vector register: managed code calls these
//! hooks without a transition, and may have left the upper halves of those registers in use.
//!
//! It reads `target/release`. It is skipped where there is no release build that is as new as the
//! sources.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic,
    OpKind, Register,
};
use libtest_mimic::{Arguments, Failed};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, read::elf::ElfFile64};
use soglia_testing::{
    built,
    needs::{self, Unmet},
};

/// The quick hooks of `source::woven`. Of those that do the same, the linker may keep one.
const HOOKS: [&[&str]; 10] = [
    &["leave"],
    &["enter"],
    &["reverse_enter"],
    &["reverse_leave"],
    &["count", "reverse_count"],
    &["leave_pointer"],
    &["enter_pointer"],
    &["count_pointer"],
    &["held_enter"],
    &["held_count"],
];

/// What may be called of other libraries: the time, which the kernel gives without a system call
/// where it can.
const KNOWN: [&str; 1] = ["clock_gettime"];

fn main() -> ExitCode {
    let trial = needs::fallible("the_hot_path_of_the_release_build", || {
        if !cfg!(target_arch = "x86_64") {
            return Ok(Err(Unmet::new("it reads instructions of x86_64 only")));
        }
        let Some(library) = library() else {
            return Ok(Err(Unmet::new("there is no release build: run make first")));
        };
        if is_stale(&library) {
            let reason = "the release build is older than the sources: run make first";
            return Ok(Err(Unmet::new(reason)));
        }
        look(&library).map(Ok)
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn library() -> Option<PathBuf> {
    // PROFILE, or TRIPLE/PROFILE.
    let library = built::artifacts().with_file_name("release/libsoglia.so");
    library.exists().then_some(library)
}

/// Whether any source that the library is made of is newer.
fn is_stale(library: &Path) -> bool {
    let built = fs::metadata(library).and_then(|about| about.modified());
    let engine = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = fs::read_dir(engine.parent().unwrap()).unwrap().flatten();
    let tool = OsStr::new("soglia");
    let sources = crates
        .filter(|one| one.file_name() != tool)
        .filter_map(|one| newest(&one.path().join("src")));
    built.is_ok_and(|built| sources.max().is_some_and(|source| source > built))
}

fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let times = entries.filter_map(|entry| {
        let about = entry.metadata().ok()?;
        if about.is_dir() {
            newest(&entry.path())
        } else {
            about.modified().ok()
        }
    });
    times.max()
}

/// An address that the loader writes.
enum Pointer {
    Import(String),
    Own(u64),
}

/// A library's functions, by where they begin.
struct Library<'a> {
    file: ElfFile64<'a>,
    functions: BTreeMap<u64, (u64, String)>,
    /// What the loader writes where: addresses of functions of other libraries, and of this one.
    pointers: BTreeMap<u64, Pointer>,
}

impl<'a> Library<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Failed> {
        let file = ElfFile64::parse(bytes)?;
        let functions = file
            .symbols()
            .filter(|symbol| symbol.kind() == object::SymbolKind::Text && symbol.size() > 0)
            .map(|symbol| {
                let name = symbol.name().unwrap_or_default().to_owned();
                (symbol.address(), (symbol.size(), name))
            })
            .collect();
        let names: HashMap<_, _> = file
            .dynamic_symbols()
            .map(|symbol| (symbol.index(), symbol.name().unwrap_or_default().to_owned()))
            .collect();
        let pointers = file
            .dynamic_relocations()
            .into_iter()
            .flatten()
            .filter_map(|(at, relocation)| match relocation.target() {
                RelocationTarget::Symbol(index) => {
                    Some((at, Pointer::Import(names.get(&index)?.clone())))
                }
                _ => Some((at, Pointer::Own(relocation.addend().cast_unsigned()))),
            })
            .collect();
        Ok(Self {
            file,
            functions,
            pointers,
        })
    }

    /// The function in which this address lies: where it begins and ends, and its name.
    fn function_at(&self, address: u64) -> Option<(u64, u64, &str)> {
        let (start, (size, name)) = self.functions.range(..=address).next_back()?;
        (address < start + size).then_some((*start, start + size, name))
    }

    fn instructions(&self, start: u64, end: u64) -> Option<Vec<Instruction>> {
        let section = self.file.section_by_name(".text")?;
        let bytes = section.data_range(start, end - start).ok()??;
        Some(
            Decoder::with_ip(64, bytes, start, DecoderOptions::NONE)
                .iter()
                .collect(),
        )
    }
}

/// Whether a mangled name is that of a hook.
fn is_hook(mangled: &str, hook: &str) -> bool {
    let part = format!("{}{hook}", hook.len());
    let mut parts = mangled.split("5woven").skip(1);
    parts.any(|rest| {
        let rest = rest
            .strip_prefix("7methods")
            .or_else(|| rest.strip_prefix("8pointers"))
            .or_else(|| rest.strip_prefix("4held"))
            .unwrap_or(rest);
        rest.strip_prefix(part.as_str())
            .is_some_and(|rest| rest.starts_with("17h") || rest.is_empty())
    })
}

fn look(library: &Path) -> Result<(), Failed> {
    let bytes = fs::read(library)?;
    let library = Library::parse(&bytes)?;
    let mut wrong = Vec::new();
    for hook in HOOKS {
        let found = library
            .functions
            .iter()
            .find(|(_, (_, name))| hook.iter().any(|hook| is_hook(name, hook)));
        match found {
            Some((start, _)) => follow(&library, *start, hook[0], &mut wrong),
            None => wrong.push(format!("{} is not in the library", hook[0])),
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n").into())
    }
}

/// Looks at all instructions that can be reached from there.
fn follow(library: &Library<'_>, hook: u64, name: &str, wrong: &mut Vec<String>) {
    let mut todo = vec![hook];
    let mut seen = BTreeSet::new();
    let mut instructions = 0;
    while let Some(address) = todo.pop() {
        let Some((start, end, within)) = library.function_at(address) else {
            wrong.push(format!("{name} goes to {address:#x}, which is no function"));
            continue;
        };
        if !seen.insert(start) {
            continue;
        }
        let mut complain = |at: u64, what: &str| {
            wrong.push(format!("{name}, in {within} at {at:#x}: {what}"));
        };
        let Some(code) = library.instructions(start, end) else {
            complain(start, "its instructions cannot be read");
            continue;
        };
        instructions += code.len();
        for instruction in &code {
            let at = instruction.ip();
            if let Some(what) = is_wrong(instruction) {
                complain(at, &what);
            }
            match goes_to(library, instruction) {
                Goes::On => {}
                Goes::To(target) if (start..end).contains(&target) => {}
                Goes::To(target) => todo.push(target),
                Goes::Out(import) if KNOWN.contains(&import) => {}
                Goes::Out(import) => complain(at, &format!("calls {import}")),
                Goes::Somewhere => {
                    complain(at, &format!("leads to an unknown place: {instruction:?}"))
                }
            }
        }
    }
    println!(
        "{name}: {instructions} instructions in {} functions",
        seen.len()
    );
}

/// What makes an instruction one that must not be there.
fn is_wrong(instruction: &Instruction) -> Option<String> {
    let code = instruction.code();
    if code == Code::INVALID {
        return Some("no instruction".into());
    }
    if matches!(
        instruction.mnemonic(),
        Mnemonic::Syscall | Mnemonic::Sysenter | Mnemonic::Int | Mnemonic::Int3 | Mnemonic::Ud2
    ) {
        return Some(format!("{:?}", instruction.mnemonic()));
    }
    // A counter that many threads share is added to; a lock is taken by a comparison.
    if instruction.has_lock_prefix() && instruction.mnemonic() == Mnemonic::Cmpxchg {
        return Some("takes a lock".into());
    }
    let mut factory = InstructionInfoFactory::new();
    let used = factory.info(instruction).used_registers();
    let vector = |register: Register| {
        register.is_vector_register() || register.is_mm() || register.is_st() || register.is_k()
    };
    let vector = used.iter().find(|used| vector(used.register()));
    vector.map(|used| format!("uses {:?}", used.register()))
}

/// Where an instruction leads.
enum Goes<'a> {
    /// To the next one, or back to who called.
    On,
    /// Elsewhere in the library.
    To(u64),
    /// Into another library.
    Out(&'a str),
    /// That cannot be said.
    Somewhere,
}

fn goes_to<'a>(library: &'a Library<'_>, instruction: &Instruction) -> Goes<'a> {
    match instruction.flow_control() {
        FlowControl::Next | FlowControl::Return => Goes::On,
        FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch | FlowControl::Call => {
            Goes::To(instruction.near_branch_target())
        }
        FlowControl::IndirectCall | FlowControl::IndirectBranch
            if instruction.op0_kind() == OpKind::Memory
                && instruction.is_ip_rel_memory_operand() =>
        {
            match library.pointers.get(&instruction.ip_rel_memory_address()) {
                Some(Pointer::Import(name)) => Goes::Out(name),
                Some(Pointer::Own(address)) => Goes::To(*address),
                None => Goes::Somewhere,
            }
        }
        _ => Goes::Somewhere,
    }
}
