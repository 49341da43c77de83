//! The native frames of a thread that waits in native code. The thread does not notice.
//!
//! The kernel gives a waiting thread's stack pointer and next instruction, and the loaded objects
//! say how to unwind from there. The kernel does not give the other registers, so the frames end
//! where one of them is needed. That is rare, since most code is unwound by its stack pointer. The
//! kernel gives nothing about a thread on a CPU, and the engine does not stop it, since that would
//! take a signal.

mod loaded;
mod memory;
mod outer;
mod registers;

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    rc::Rc,
};

use framehop::{ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder as _};

use super::proc;
use loaded::{Bytes, Loaded, is_executable, loaded_at, symbol};
use memory::Stack;
use registers::{Cache, Registers, Unwinder, known, outermost, registers};

pub use loaded::file_at;
pub use memory::word;
pub use outer::Outer;

/// The most frames that are kept.
const MOST_FRAMES: usize = 64;

/// Native frames.
#[derive(Debug, Default)]
pub struct Frames {
    /// `object!function+0x10` or `object+0x1000`, innermost first.
    pub names: Vec<String>,
    /// Why they end, if they do not reach managed code.
    pub end: Option<String>,
    /// Where the code goes on that has called the outermost of them, if that is in no loaded
    /// object: managed code.
    pub managed: Option<u64>,
}

impl Frames {
    fn none(why: &str) -> Self {
        Self {
            end: Some(why.into()),
            ..Self::default()
        }
    }
}

/// The native frames of another thread of this process, which was seen doing this.
pub fn frames(os_thread: u32, doing: Option<&proc::Doing>) -> Frames {
    Walker::default().frames(os_thread, doing)
}

/// Finds native frames of several threads, within a moment: it remembers the objects that it has
/// met.
#[derive(Default)]
pub struct Walker {
    unwinder: Unwinder<Bytes>,
    cache: Cache,
    /// The objects that frames were found in, by their first address.
    objects: BTreeMap<u64, Loaded>,
    /// The names of frames, by address.
    names: HashMap<u64, String>,
    /// Whether code is at an address that is in no object.
    executable: HashMap<u64, bool>,
}

impl Walker {
    /// The same as [`frames`].
    pub fn frames(&mut self, os_thread: u32, doing: Option<&proc::Doing>) -> Frames {
        self.frames_inside(os_thread, doing, None)
    }

    /// The same for a thread whose innermost managed frame is known. From that and the stack, the
    /// engine can tell the frame pointer where a frame needs it.
    pub fn frames_inside(
        &mut self,
        os_thread: u32,
        doing: Option<&proc::Doing>,
        outer: Option<Outer>,
    ) -> Frames {
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
        let stack = Stack::read(sp);
        if proc::doing(os_thread).is_none_or(|now| now.at != doing.at) {
            return Frames::none("the thread went on meanwhile");
        }
        self.from(pc, &stack, outer)
    }

    fn from(&mut self, pc: u64, stack: &Stack, outer: Option<Outer>) -> Frames {
        let mut frames = Frames::default();
        // The frame pointer is unknown.
        let mut regs = registers(pc, stack.sp, 0);
        let mut at = FrameAddress::from_instruction_pointer(pc);
        loop {
            let address = at.address_for_lookup();
            if !self.knows(address) {
                // Code that the runtime generated, or maps from its own images, is in no loaded
                // object.
                match self.is_executable(address) {
                    true => frames.managed = Some(at.address()),
                    false => frames.end = Some("the stack leads nowhere".into()),
                }
                return frames;
            }
            if frames.names.len() == MOST_FRAMES {
                frames.end = Some(format!("{MOST_FRAMES} are kept"));
                return frames;
            }
            frames.names.push(self.name(at.address(), address));
            let mut next = self.next(at, &mut regs, stack);
            let (has_fp, sp) = known(&regs);
            if !matches!(next, Ok(Some(_)))
                && !has_fp
                && let Some(fp) = outer.and_then(|outer| self.frame_pointer(&outer, sp, stack))
            {
                let mut with = registers(at.address(), sp, fp);
                next = self.next(at, &mut with, stack);
                regs = with;
            }
            match next {
                Ok(Some(next)) => at = next,
                // The beginning of the thread.
                Ok(None) => return frames,
                Err(()) => {
                    let why = "from there on, registers would be needed that are not told";
                    frames.end = Some(why.into());
                    return frames;
                }
            }
        }
    }

    /// Unwinds one frame.
    fn next(
        &mut self,
        at: FrameAddress,
        regs: &mut Registers,
        stack: &Stack,
    ) -> Result<Option<FrameAddress>, ()> {
        let mut read = |address: u64| stack.word(address).ok_or(());
        let next = self
            .unwinder
            .unwind_frame(at, regs, &mut self.cache, &mut read);
        next.map(|next| next.and_then(FrameAddress::from_return_address))
            .map_err(|_| ())
    }

    /// The frame pointer of the innermost frame that keeps one, at or above a stack pointer.
    ///
    /// A frame that keeps one has saved its caller's below its return address. So the frames that
    /// do so form a chain, which is followed from its outer end: the one that was called by managed
    /// code has saved that code's.
    fn frame_pointer(&mut self, outer: &Outer, sp: u64, stack: &Stack) -> Option<u64> {
        let mut fp = outermost(outer, sp, stack)?;
        let words = |from: u64, to: u64| (from..to).step_by(8);
        for _ in 0..MOST_FRAMES {
            let inner = words(sp, fp).find(|at| {
                stack.word(*at) == Some(fp)
                    && stack
                        .word(at + 8)
                        .is_some_and(|code| self.knows(code.wrapping_sub(1)))
            });
            match inner {
                Some(inner) => fp = inner,
                None => return Some(fp),
            }
        }
        None
    }

    fn is_executable(&mut self, address: u64) -> bool {
        *self
            .executable
            .entry(address)
            .or_insert_with(|| is_executable(address))
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

    fn name(&mut self, address: u64, lookup: u64) -> String {
        if let Some(name) = self.names.get(&address) {
            return name.clone();
        }
        let name = self.find_name(address, lookup);
        self.names.insert(address, name.clone());
        name
    }

    fn find_name(&self, address: u64, lookup: u64) -> String {
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

#[cfg(test)]
mod tests {
    use std::{
        ffi::c_int,
        sync::{
            atomic::{AtomicBool, Ordering::Relaxed},
            mpsc::channel,
        },
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

    #[test]
    fn a_frame_pointer_is_found_from_the_managed_frame() {
        let code = a_frame_pointer_is_found_from_the_managed_frame as *const () as u64;
        let mut words = [0_u64; 12];
        let at = |words: &[u64; 12], index: usize| (&raw const words[index]).addr() as u64;
        let (inner, boundary) = (at(&words, 3), at(&words, 8));
        let outer = Outer {
            ip: 0x1234,
            sp: at(&words, 10),
            fp: 0x5678,
        };
        let find = |words: &[u64; 12]| {
            let stack = Stack::read(at(words, 0));
            Walker::default().frame_pointer(&outer, stack.sp, &stack)
        };
        // The function that managed code has called keeps its caller's `rbp`.
        (words[8], words[9]) = (0x5678, 0x1234);
        assert_eq!(find(&words), Some(boundary));
        // It has called another one that does. A word may look like that by chance.
        (words[3], words[4]) = (boundary, code + 1);
        (words[5], words[6]) = (boundary, 8);
        assert_eq!(find(&words), Some(inner));
        // It was called from elsewhere.
        words[9] = 0x4321;
        assert_eq!(find(&words), None);
    }
}
