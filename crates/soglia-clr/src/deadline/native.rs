//! The native frames of a thread that waits in native code. The thread does not notice.
//!
//! The kernel gives a waiting thread's stack pointer and next instruction, and the loaded objects
//! say how to unwind from there. The kernel does not give the other registers, so the frames end
//! where one of them is needed. That is rare, since most code is unwound by its stack pointer. The
//! kernel gives nothing about a thread on a CPU, and the engine does not stop it, since that would
//! take a signal.

use std::{
    collections::BTreeMap,
    ffi::{CStr, OsStr, c_int, c_void},
    fs::{self, File},
    ops::Range,
    os::unix::{ffi::OsStrExt, fs::FileExt},
    path::{Path, PathBuf},
    rc::Rc,
};

use framehop::{
    ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder,
    x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64},
};
use object::{Endianness, Object, ObjectSymbol, ReadCache, SymbolKind, read::elf::ElfFile64};
use soglia_core::mappings;

use super::proc;

/// The most frames that are kept.
const MOST_FRAMES: usize = 64;
/// The most bytes of the stack that are read.
const MOST_STACK: usize = 256 << 10;
/// The most bytes of unwinding tables that are copied.
const MOST_TABLES: usize = 64 << 20;

/// Native frames.
#[derive(Debug, Default)]
pub struct Frames {
    /// `object!function+0x10` or `object+0x1000`, innermost first.
    pub names: Vec<String>,
    /// Why they end, if they do not reach managed code.
    pub end: Option<String>,
}

impl Frames {
    fn none(why: &str) -> Self {
        Self {
            names: Vec::new(),
            end: Some(why.into()),
        }
    }
}

/// The native frames of another thread of this process, which was seen doing this.
pub fn frames(os_thread: u32, doing: Option<&proc::Doing>) -> Frames {
    let Some(doing) = doing else {
        return Frames::none("the kernel does not tell what the thread is doing");
    };
    let Some((sp, pc)) = doing.at else {
        return Frames::none(if doing.text.starts_with("running") {
            "the thread is running, and is not stopped to look"
        } else {
            "the kernel does not tell where the thread waits"
        });
    };
    let stack = read_stack(sp);
    if proc::doing(os_thread).is_none_or(|now| now.at != doing.at) {
        return Frames::none("the thread went on meanwhile");
    }
    Walk::new(sp, stack).from(pc)
}

/// The bytes of the stack from here on.
fn read_stack(sp: u64) -> Vec<u8> {
    let mut stack = vec![0; MOST_STACK];
    // By the file, which answers with an error where no memory is mapped.
    let mut have = 0;
    if let Ok(memory) = File::open("/proc/self/mem") {
        while have < stack.len() {
            // The stack may end before the buffer does, so the last pages are read one by one.
            let page = 4096 - (sp as usize + have) % 4096;
            let end = stack.len().min(have + page);
            match memory.read_at(&mut stack[have..end], sp + have as u64) {
                Ok(n) if n > 0 => have += n,
                _ => break,
            }
        }
    }
    stack.truncate(have);
    stack
}

type Bytes = Rc<[u8]>;

/// A loaded object.
struct Loaded {
    path: PathBuf,
    /// The number to add to addresses of its file.
    base: u64,
    range: Range<u64>,
    /// `.eh_frame_hdr` and `.eh_frame`: their addresses, and their bytes.
    tables: Option<[(Range<u64>, Bytes); 2]>,
}

struct Walk {
    sp: u64,
    stack: Vec<u8>,
    unwinder: UnwinderX86_64<Bytes>,
    /// The objects that frames were found in, by their first address.
    objects: BTreeMap<u64, Loaded>,
}

impl Walk {
    fn new(sp: u64, stack: Vec<u8>) -> Self {
        Self {
            sp,
            stack,
            unwinder: UnwinderX86_64::new(),
            objects: BTreeMap::new(),
        }
    }

    fn from(mut self, pc: u64) -> Frames {
        let mut frames = Frames::default();
        let mut cache = CacheX86_64::new();
        // The frame pointer is unknown. 0 leads nowhere, so frames that need it end there.
        let mut regs = UnwindRegsX86_64::new(pc, self.sp, 0);
        let mut at = FrameAddress::from_instruction_pointer(pc);
        loop {
            let address = at.address_for_lookup();
            if !self.knows(address) {
                // Code that the runtime generated, or maps from its own images, is in no loaded
                // object.
                frames.end = (!is_executable(address)).then(|| "the stack leads nowhere".into());
                return frames;
            }
            if frames.names.len() == MOST_FRAMES {
                frames.end = Some(format!("{MOST_FRAMES} are kept"));
                return frames;
            }
            frames.names.push(self.name(at.address(), address));
            let (sp, stack) = (self.sp, &self.stack);
            let mut read = |address: u64| {
                let from = usize::try_from(address.checked_sub(sp).ok_or(())?).map_err(|_| ())?;
                let bytes = stack.get(from..from + 8).ok_or(())?;
                bytes.try_into().map(u64::from_le_bytes).map_err(|_| ())
            };
            let next = self
                .unwinder
                .unwind_frame(at, &mut regs, &mut cache, &mut read);
            match next.map(|next| next.and_then(FrameAddress::from_return_address)) {
                Ok(Some(next)) => at = next,
                // The beginning of the thread.
                Ok(None) => return frames,
                Err(_) => {
                    let why = "from there on, registers would be needed that are not told";
                    frames.end = Some(why.into());
                    return frames;
                }
            }
        }
    }

    /// Loads what is needed of the object at this address. `false`: no object is there.
    fn knows(&mut self, address: u64) -> bool {
        if self.object(address).is_some() {
            return true;
        }
        let Some(found) = loaded_at(address) else {
            return false;
        };
        if let Some([(header_at, header), (frames_at, frames)]) = &found.tables {
            let of_file = |range: &Range<u64>| range.start - found.base..range.end - found.base;
            self.unwinder.add_module(Module::new(
                found.path.to_string_lossy().into_owned(),
                found.range.clone(),
                found.base,
                ExplicitModuleSectionInfo {
                    eh_frame_hdr_svma: Some(of_file(header_at)),
                    eh_frame_hdr: Some(Rc::clone(header)),
                    eh_frame_svma: Some(of_file(frames_at)),
                    eh_frame: Some(Rc::clone(frames)),
                    ..ExplicitModuleSectionInfo::default()
                },
            ));
        }
        self.objects.insert(found.range.start, found);
        true
    }

    fn object(&self, address: u64) -> Option<&Loaded> {
        let (_, object) = self.objects.range(..=address).next_back()?;
        object.range.contains(&address).then_some(object)
    }

    fn name(&self, address: u64, lookup: u64) -> String {
        let Some(object) = self.object(lookup) else {
            return format!("{address:#x}");
        };
        let file = object.path.file_name().unwrap_or(object.path.as_os_str());
        let file = file.to_string_lossy();
        match symbol(&object.path, lookup - object.base) {
            Some((name, start)) => format!("{file}!{name}+{:#x}", address - object.base - start),
            None => format!("{file}+{:#x}", address - object.base),
        }
    }
}

/// The function of a file that contains this address, and where it begins.
fn symbol(path: &Path, address: u64) -> Option<(String, u64)> {
    let data = ReadCache::new(File::open(path).ok()?);
    let file = ElfFile64::<Endianness, _>::parse(&data).ok()?;
    let best = file
        .symbols()
        .chain(file.dynamic_symbols())
        .filter(|symbol| symbol.is_definition() && symbol.kind() == SymbolKind::Text)
        .filter(|symbol| {
            // A file may say anything about where its symbols end.
            let within = address.checked_sub(symbol.address());
            within.is_some_and(|within| within < symbol.size())
        })
        // Of several names, people know the global one.
        .max_by_key(|symbol| (symbol.address(), symbol.is_global()))?;
    // Versions are not part of names.
    let name = best.name().ok()?.split('@').next()?.to_owned();
    Some((name, best.address()))
}

fn is_executable(address: u64) -> bool {
    mappings::at(address).is_some_and(|mapping| mapping.is_executable)
}

/// The loaded object at an address. Unlike `dladdr`, never waits for a library that is being
/// loaded.
fn loaded_at(address: u64) -> Option<Loaded> {
    struct Wanted {
        address: u64,
        found: Option<Loaded>,
    }
    unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _: usize, into: *mut c_void) -> c_int {
        // SAFETY: the caller below passes a `Wanted`. The loader passes a valid record, whose
        // object stays until this returns.
        let (wanted, info) = unsafe { (&mut *into.cast::<Wanted>(), &*info) };
        wanted.found = Loaded::of(info, wanted.address);
        c_int::from(wanted.found.is_some())
    }
    let mut wanted = Wanted {
        address,
        found: None,
    };
    // SAFETY: `look` gets the `Wanted` that it expects, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut wanted).cast()) };
    wanted.found
}

impl Loaded {
    /// The object of this record, if it contains the address.
    fn of(info: &libc::dl_phdr_info, address: u64) -> Option<Self> {
        let headers = match info.dlpi_phdr.is_null() {
            true => &[],
            // SAFETY: the loader's record says how many headers there are.
            false => unsafe {
                std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum))
            },
        };
        let base = info.dlpi_addr;
        let range = |header: &libc::Elf64_Phdr| {
            let start = base.wrapping_add(header.p_vaddr);
            start..start.saturating_add(header.p_memsz)
        };
        let segments = || {
            headers
                .iter()
                .filter(|header| header.p_type == libc::PT_LOAD)
        };
        if !segments().any(|segment| range(segment).contains(&address)) {
            return None;
        }
        let start = segments().map(|segment| range(segment).start).min()?;
        let end = segments().map(|segment| range(segment).end).max()?;
        let name = match info.dlpi_name.is_null() {
            true => c"",
            // SAFETY: the loader's string ends with a zero.
            false => unsafe { CStr::from_ptr(info.dlpi_name) },
        };
        let path = match name.to_bytes() {
            // The executable.
            b"" => fs::read_link("/proc/self/exe").unwrap_or_default(),
            name => PathBuf::from(OsStr::from_bytes(name)),
        };
        let tables = headers
            .iter()
            .find(|header| header.p_type == libc::PT_GNU_EH_FRAME)
            .and_then(|header| {
                let header = range(header);
                let whole = segments().map(range).find(|s| s.contains(&header.start))?;
                // SAFETY: the object is loaded, and the range is in one of its segments that the
                // loader has mapped readable.
                let bytes = |range: &Range<u64>| unsafe {
                    let size = (range.end - range.start) as usize;
                    std::slice::from_raw_parts(range.start as *const u8, size)
                };
                let in_header = bytes(&(header.start..header.end.min(whole.end)));
                // Version 1, and a signed distance of four bytes from here to the other table, as
                // all linkers write it.
                let [1, 0x1b, _, _, a, b, c, d, ..] = *in_header else {
                    return None;
                };
                let distance = i64::from(i32::from_le_bytes([a, b, c, d]));
                let frames = (header.start + 4).checked_add_signed(distance)?;
                let whole = segments().map(range).find(|s| s.contains(&frames))?;
                let frames = frames..whole.end;
                if frames.end - frames.start > MOST_TABLES as u64 {
                    return None;
                }
                let copy = |range: Range<u64>| {
                    let copied = Bytes::from(bytes(&range));
                    (range, copied)
                };
                Some([copy(header), copy(frames)])
            });
        Some(Self {
            path,
            base,
            range: start..end,
            tables,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::channel,
    };

    use super::*;

    #[inline(never)]
    extern "C" fn wait_here(told: &std::sync::mpsc::Sender<u32>, until: c_int) {
        // SAFETY: the buffer has room for the one byte.
        unsafe {
            told.send(libc::gettid().cast_unsigned()).unwrap();
            libc::read(until, [0_u8].as_mut_ptr().cast(), 1);
        }
    }

    #[test]
    fn the_frames_of_a_thread_that_waits() {
        let (tell, told) = channel();
        let mut pipe = [0; 2];
        // SAFETY: the array has room for two descriptors.
        assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
        let thread = std::thread::spawn(move || wait_here(&tell, pipe[0]));
        let os_thread = told.recv().unwrap();
        let frames = loop {
            let doing = proc::doing(os_thread);
            let frames = frames(os_thread, doing.as_ref());
            // Until then the thread is on its way there.
            if frames.names.iter().any(|name| name.contains("read+")) {
                break frames;
            }
            std::thread::yield_now();
        };
        // SAFETY: the test owns the descriptor, and closes it once.
        unsafe { libc::close(pipe[1]) };
        thread.join().unwrap();
        let has = |what: &str| frames.names.iter().any(|name| name.contains(what));
        // From the C library to the C library, through functions of this file.
        assert!(has("wait_here"), "{frames:?}");
        let last = frames.names.last().unwrap();
        assert!(last.starts_with("libc.so"), "{frames:?}");
    }

    #[test]
    fn a_thread_that_runs_has_none_to_be_had() {
        let (tell, told) = channel();
        let stop = &AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // SAFETY: `gettid` takes nothing, and cannot fail.
                tell.send(unsafe { libc::gettid() }.cast_unsigned())
                    .unwrap();
                while !stop.load(Relaxed) {}
            });
            let os_thread = told.recv().unwrap();
            let running = || proc::doing(os_thread).filter(|doing| doing.at.is_none());
            let doing = std::iter::repeat_with(running).find_map(|doing| doing);
            let frames = frames(os_thread, doing.as_ref());
            stop.store(true, Relaxed);
            assert_eq!(frames.names, [""; 0]);
            assert!(frames.end.unwrap().contains("running"));
        });
    }

    #[test]
    fn what_lies_nowhere_is_nowhere() {
        assert!(loaded_at(8).is_none());
        assert!(!is_executable(8));
        let own = what_lies_nowhere_is_nowhere as *const () as u64;
        assert!(is_executable(own));
        let object = loaded_at(own).unwrap();
        assert!(object.range.contains(&own) && object.tables.is_some());
    }
}
