//! Frames that the CLR's stack walker leaves out: those of methods made at run time
//! (`DynamicMethod`, `Expression.Compile`).
//!
//! The walker gives the frames around them. Where one frame does not lie directly above the next,
//! the engine unwinds those between. It unwinds code of the CLR's compiler by how a method begins
//! ([`Beginning`]).
//!
//! The engine trusts nothing of this: an address is a frame only if the CLR knows a method without
//! metadata there, and the kernel reads the memory.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use soglia_abi::{
    ids::{FunctionId, ReJITId},
    profiler::{
        info_later::{ICorProfilerInfo8, ICorProfilerInfo9},
        types::COR_PRF_CODE_INFO,
    },
};
use windows_core::{BOOL, Interface};

use super::{
    beginning::{BEGINNING, Beginning, Registers, may_be_next},
    walked::Walked,
};
use crate::engine::Engine;

/// The most frames in a row that are unwound.
const MOST: usize = 64;
/// The most compiled versions of a method that are looked at.
const MOST_VERSIONS: usize = 16;

/// The methods without metadata on the stack between a frame and the next one outward that the
/// walker has given. `None`: that one is native.
pub fn between(engine: &Engine, inner: &Walked, outer: Option<&Walked>) -> Vec<FunctionId> {
    if inner.sp == 0 {
        return Vec::new();
    }
    let find = || {
        let unwinder = Unwinder::new(engine)?;
        let limit = outer.map_or(usize::MAX, |outer| outer.sp);
        let is_next = may_be_next(inner.fp, limit)
            && unwinder
                .distance(inner)
                .is_some_and(|above| inner.fp.wrapping_add(above) == limit);
        (!is_next).then(|| unwinder.from(*inner, limit))
    };
    find().unwrap_or_default()
}

/// By return address, how far the next frame lies above the frame pointer. Most frames are found to
/// lie next to each other by that, again and again.
static DISTANCES: Mutex<Option<HashMap<usize, Option<usize>>>> = Mutex::new(None);

/// Forgets them, since a module is being unloaded and other code may take its place.
pub fn forget() {
    let mut known = DISTANCES.lock().unwrap_or_else(PoisonError::into_inner);
    *known = None;
}

/// The same from the frame of compiled code that has called native code, to the innermost frame
/// that the walker has given.
pub fn above(engine: &Engine, entry: &Walked, outer: Option<&Walked>) -> Vec<FunctionId> {
    let limit = outer.map_or(usize::MAX, |outer| outer.sp);
    let find = || {
        let unwinder = Unwinder::new(engine)?;
        let mut found = Vec::new();
        if entry.sp < limit {
            let function = unwinder.made_at_run_time(entry.ip)?;
            found.push(function);
            found.extend(unwinder.from(Walked { function, ..*entry }, limit));
        }
        Some(found)
    };
    find().unwrap_or_default()
}

struct Unwinder {
    info8: ICorProfilerInfo8,
    info9: ICorProfilerInfo9,
}

impl Unwinder {
    fn new(engine: &Engine) -> Option<Self> {
        Some(Self {
            info8: engine.info.cast().ok()?,
            info9: engine.info.cast().ok()?,
        })
    }

    /// Those outward of a frame, up to the limit, a stack pointer, or to the first that is not one.
    fn from(&self, inner: Walked, limit: usize) -> Vec<FunctionId> {
        let (mut found, mut frame) = (Vec::new(), inner);
        for _ in 0..MOST {
            let Some(caller) = self
                .caller(&frame)
                .filter(|c| c.sp > frame.sp && c.sp < limit)
            else {
                break;
            };
            let Some(function) = self.made_at_run_time(caller.ip) else {
                break;
            };
            found.push(function);
            frame = Walked { function, ..caller };
        }
        found
    }

    /// The method at an address, if it has no metadata.
    fn made_at_run_time(&self, ip: usize) -> Option<FunctionId> {
        let (mut function, mut version) = (FunctionId::NULL, ReJITId::default());
        let ip = std::ptr::without_provenance(ip);
        // SAFETY: the CLR accepts any address, and the pointers are to locals.
        let answer = unsafe {
            self.info8
                .GetFunctionFromIP3(ip, &raw mut function, &raw mut version)
        };
        if answer.is_err() || function.is_null() {
            return None;
        }
        let mut dynamic = BOOL::from(false);
        // SAFETY: the CLR has just named this function, and the pointer is to a local.
        let answer = unsafe { self.info8.IsFunctionDynamic(function, &raw mut dynamic) };
        (answer.is_ok() && dynamic.as_bool()).then_some(function)
    }

    /// How far the frame outward of one lies above its frame pointer, if the pointer belongs to
    /// this frame, and not to one further out.
    fn distance(&self, frame: &Walked) -> Option<usize> {
        let known =
            |map: &mut Option<HashMap<usize, Option<usize>>>| map.as_ref()?.get(&frame.ip).copied();
        if let Some(known) = known(&mut DISTANCES.lock().unwrap_or_else(PoisonError::into_inner)) {
            return known;
        }
        // The CLR takes locks of its own, so it is asked while this lock is not held.
        let distance = self.beginning(frame).and_then(|begins| begins.distance());
        let mut map = DISTANCES.lock().unwrap_or_else(PoisonError::into_inner);
        map.get_or_insert_default().insert(frame.ip, distance);
        distance
    }

    fn beginning(&self, frame: &Walked) -> Option<Beginning> {
        let code: [u8; BEGINNING] = read(self.start(frame)?)?;
        Beginning::of(&code)
    }

    /// The frame outward of one, of whatever method.
    fn caller(&self, frame: &Walked) -> Option<Walked> {
        let Walked { ip, sp, fp, .. } = *frame;
        let at = Registers { ip, sp, fp };
        let Registers { ip, sp, fp } = self.beginning(frame)?.caller(at, word)?;
        Some(Walked {
            function: FunctionId::NULL,
            ip,
            sp,
            fp,
        })
    }

    /// Where the code of a frame begins.
    fn start(&self, frame: &Walked) -> Option<usize> {
        let (mut starts, mut count) = ([0_usize; MOST_VERSIONS], 0);
        // SAFETY: the function is on a stack now. The buffer has room for so many, and the pointers
        // are to locals.
        let answer = unsafe {
            self.info9.GetNativeCodeStartAddresses(
                frame.function,
                ReJITId::default(),
                MOST_VERSIONS as u32,
                &raw mut count,
                starts.as_mut_ptr(),
            )
        };
        let starts = starts.get(..count as usize).filter(|_| answer.is_ok())?;
        let covers = |start: &&usize| {
            let (mut parts, mut count) = ([COR_PRF_CODE_INFO::default(); 2], 0);
            // SAFETY: the CLR has just given this start of code. The buffer has room for so many,
            // and the pointers are to locals.
            let answer = unsafe {
                self.info9
                    .GetCodeInfo4(**start, 2, &raw mut count, parts.as_mut_ptr())
            };
            let hot = parts[0];
            answer.is_ok() && (hot.startAddress..hot.startAddress + hot.size).contains(&frame.ip)
        };
        starts.iter().find(covers).copied()
    }
}

fn word(at: usize) -> Option<usize> {
    read(at).map(usize::from_ne_bytes)
}

/// Bytes of this process. `None`: no memory is mapped there.
fn read<const N: usize>(at: usize) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let into = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: N,
    };
    let from = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(at),
        iov_len: N,
    };
    // SAFETY: there is one piece on each side, as long as said. The kernel answers with an error
    // where nothing is mapped.
    let count = unsafe {
        libc::process_vm_readv(libc::getpid(), &raw const into, 1, &raw const from, 1, 0)
    };
    (count == N as isize).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_not_there_is_not_read() {
        let here = 42_u64;
        assert_eq!(word((&raw const here).addr()), Some(42));
        assert_eq!(word(8), None);
    }
}
