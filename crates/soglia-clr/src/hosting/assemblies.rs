//! `IHostAssemblyManager` and `IHostAssemblyStore`: the host provides assemblies.
//!
//! .NET finds the assemblies of its framework itself, and those beside an assembly that it has
//! loaded from a file. It asks for any other by `AssemblyLoadContext.Resolving`, and managed code
//! of the engine passes that on to the host.

use std::{
    ffi::c_void,
    mem::ManuallyDrop,
    ptr::{null_mut, slice_from_raw_parts_mut},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::AcqRel},
    },
};

use super::managed::{self, Provided};
use crate::{
    boundary::fence,
    host::{failure::heed, fenced, shared::Shared},
};
use soglia_abi::{
    HRESULT,
    hosting::{
        assembly::{
            AssemblyBindInfo, ICLRAssemblyReferenceList, IHostAssemblyManager, IHostAssemblyStore,
        },
        com::ISequentialStream,
    },
    hresult::{COR_E_BADIMAGEFORMAT, COR_E_FILENOTFOUND, E_POINTER, S_FALSE, S_OK},
    param::{In, Out, Wide},
};

static STORE: OnceLock<Shared<IHostAssemblyStore>> = OnceLock::new();

/// The assemblies that .NET looks for itself. Empty: the host gave no list.
static OWN: OnceLock<Shared<ICLRAssemblyReferenceList>> = OnceLock::new();

/// The most bytes that are read at a time.
const CHUNK: u32 = 1 << 20;
/// The largest image. Managed code cannot load a larger one.
const LARGEST: usize = i32::MAX as usize;

/// Whether the host provides assemblies.
pub fn has_store() -> bool {
    STORE.get().is_some()
}

/// Asks a new manager for what it has, in the order of the product.
///
/// # Errors
/// The answer of `GetNonHostStoreAssemblies`, if it fails: `SetHostControl` passes it on.
pub fn ask(manager: &IHostAssemblyManager) -> Result<(), HRESULT> {
    let mut store = null_mut();
    // SAFETY: the host's manager lives as long as the process.
    let answer = heed(unsafe { manager.GetAssemblyStore(Out::new(&mut store)) });
    if answer == S_OK && !store.is_null() {
        // SAFETY: the host's answer of S_OK is a store, with a reference for the engine.
        let _ = STORE.set(Shared(unsafe { fenced::stand_in(store) }));
    }
    let mut list = null_mut();
    // SAFETY: as above.
    let answer = heed(unsafe { manager.GetNonHostStoreAssemblies(Out::new(&mut list)) });
    answer.ok().map_err(|error| error.code())?;
    if answer == S_OK && !list.is_null() {
        // SAFETY: the host's answer of S_OK is a list, with a reference for the engine.
        let _ = OWN.set(Shared(unsafe { fenced::stand_in(list) }));
    }
    Ok(())
}

/// Has managed code ask for assemblies, if the host provides some. To be called when the runtime
/// has started.
pub fn started() {
    static SERVED: AtomicBool = AtomicBool::new(false);
    if has_store() && !SERVED.swap(true, AcqRel) {
        // Where managed code cannot be called, none runs that could need an assembly.
        let _ = managed::serve(provide, done);
    }
}

/// Asks the host for an assembly of a domain, in preemptive mode. `S_FALSE` has .NET look on; a
/// failure is thrown. What was provided has to be given to [`done`].
extern "C" fn provide(identity: Wide<'_>, domain: u32, into: *mut Provided) -> i32 {
    let answer = fence(Err(COR_E_FILENOTFOUND), || look_for(identity, domain));
    match answer {
        Ok(Some(provided)) => {
            // SAFETY: managed code passes a place on its stack.
            unsafe { into.write(provided) };
            S_OK.0
        }
        Ok(None) => S_FALSE.0,
        Err(why) => why.0,
    }
}

/// Frees what [`provide`] has given.
extern "C" fn done(provided: *const Provided) {
    fence((), || {
        // SAFETY: managed code passes what `provide` has filled in, once.
        let of = unsafe { &*provided };
        free(of.image, of.image_bytes);
        free(of.symbols, of.symbols_bytes);
    });
}

fn look_for(identity: Wide<'_>, domain: u32) -> Result<Option<Provided>, HRESULT> {
    let Some(Shared(store)) = STORE.get() else {
        return Ok(None);
    };
    if let Some(Shared(own)) = OWN.get()
        // SAFETY: the host's list lives as long as the process; the text is alive.
        && heed(unsafe { own.IsStringAssemblyReferenceInList(identity) }) == S_OK
    {
        return Ok(None);
    }
    let wanted = AssemblyBindInfo {
        dwAppDomainId: domain,
        lpReferencedIdentity: identity.as_ptr(),
        // .NET has no policies that lead to another version.
        lpPostPolicyIdentity: identity.as_ptr(),
        ePolicyLevel: 0,
    };
    let (mut id, mut context) = (0, 0);
    let (mut image, mut symbols) = (null_mut(), null_mut());
    // SAFETY: the host's store lives as long as the process. The texts are alive during the call.
    let answer = heed(unsafe {
        store.ProvideAssembly(
            In::new(&wanted),
            Out::new(&mut id),
            Out::new(&mut context),
            Out::new(&mut image),
            Out::new(&mut symbols),
        )
    });
    // SAFETY: what the host has stored is null, or a stream with a reference for the engine.
    let [image, symbols] = [image, symbols].map(|stream| unsafe { Stream::of(stream) });
    if answer == COR_E_FILENOTFOUND && OWN.get().is_none() {
        // Without a list, .NET looks for what the host does not have.
        return Ok(None);
    }
    answer.ok().map_err(|error| error.code())?;
    let image = image.ok_or(E_POINTER)?.read()?;
    if image.is_empty() {
        return Err(COR_E_BADIMAGEFORMAT);
    }
    // Without symbols, stack traces have no lines, and that is all.
    let symbols = symbols.map(|stream| stream.read().unwrap_or_default());
    let (image, image_bytes) = given(image);
    let (symbols, symbols_bytes) = given(symbols.unwrap_or_default());
    Ok(Some(Provided {
        id,
        image,
        image_bytes,
        symbols,
        symbols_bytes,
    }))
}

/// Gives bytes away, to be freed by [`free`]. Null if there are none.
fn given(bytes: Vec<u8>) -> (*mut u8, usize) {
    if bytes.is_empty() {
        return (null_mut(), 0);
    }
    let count = bytes.len();
    (Box::into_raw(bytes.into_boxed_slice()).cast(), count)
}

fn free(bytes: *mut u8, count: usize) {
    if !bytes.is_null() {
        // SAFETY: `given` has made it of so many bytes by `Box::into_raw`, and it is freed once.
        drop(unsafe { Box::from_raw(slice_from_raw_parts_mut(bytes, count)) });
    }
}

/// A stream of the host, with one reference.
struct Stream(ManuallyDrop<ISequentialStream>);

impl Stream {
    /// # Safety
    /// It is null, or a stream with a reference for the result.
    unsafe fn of(stream: *mut c_void) -> Option<Self> {
        // SAFETY: the caller vouches for the stream and its reference.
        (!stream.is_null()).then(|| Self(ManuallyDrop::new(unsafe { fenced::stand_in(stream) })))
    }

    /// All that is left of it.
    fn read(self) -> Result<Vec<u8>, HRESULT> {
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            let before = bytes.len();
            if before > LARGEST {
                return Err(COR_E_BADIMAGEFORMAT);
            }
            bytes.resize(before + CHUNK as usize, 0);
            let mut read = 0;
            let place = bytes[before..].as_mut_ptr().cast::<c_void>();
            // SAFETY: the stream is alive, and the place has room for so many bytes.
            let answer = heed(unsafe { self.0.Read(place, CHUNK, Out::new(&mut read)) });
            answer.ok().map_err(|error| error.code())?;
            let read = read.min(CHUNK);
            bytes.truncate(before + read as usize);
            if read == 0 {
                return Ok(bytes);
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: this runs once, as the last use of the field.
        let stream = unsafe { ManuallyDrop::take(&mut self.0) };
        // SAFETY: `of` has made it by `stand_in`, and there is no other copy.
        unsafe { fenced::release(stream) };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use soglia_abi::{
        hosting::com::{ISequentialStream_Impl, ISequentialStream_Vtbl},
        hresult::{E_FAIL, E_NOTIMPL},
    };

    use super::*;
    use crate::com::{Object, class};

    /// Gives 3 bytes at a time.
    struct Slow {
        left: AtomicUsize,
        fails: bool,
    }

    class!(Slow, Slow_Impl, ISequentialStream, ISequentialStream_Vtbl);

    impl ISequentialStream_Impl for Slow_Impl {
        unsafe fn Read(&self, into: *mut c_void, room: u32, mut read: Out<'_, u32>) -> HRESULT {
            if self.fails {
                return E_NOTIMPL;
            }
            let count = self.left.load(Relaxed).min(3).min(room as usize);
            self.left.fetch_sub(count, Relaxed);
            // SAFETY: the caller has room for so many bytes.
            unsafe { into.cast::<u8>().write_bytes(7, count) };
            read.write(count as u32)
        }

        unsafe fn Write(&self, _: *const c_void, _: u32, _: Out<'_, u32>) -> HRESULT {
            E_FAIL
        }
    }

    fn stream(left: usize, fails: bool) -> Stream {
        let left = AtomicUsize::new(left);
        let object = Object::forever(Slow { left, fails });
        // SAFETY: the object lives for ever, and gives a reference.
        unsafe { Stream::of(object.give()) }.unwrap()
    }

    #[test]
    fn a_stream_is_read_to_its_end() {
        assert_eq!(stream(10, false).read(), Ok(vec![7; 10]));
        assert_eq!(stream(0, false).read(), Ok(Vec::new()));
        assert_eq!(stream(1, true).read(), Err(E_NOTIMPL));
        // SAFETY: null is no stream.
        assert!(unsafe { Stream::of(null_mut()) }.is_none());
    }

    #[test]
    fn what_is_given_is_freed() {
        for count in [0, 1, 5000] {
            let (bytes, of) = given(vec![1; count]);
            assert_eq!((bytes.is_null(), of), (count == 0, count));
            free(bytes, of);
        }
    }
}
