//! Assemblies that a host has elsewhere than in files.

#![allow(unsafe_code, reason = "methods of COM interfaces are unsafe to call")]

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use soglia_abi::HRESULT;
use soglia_abi::hosting::assembly::{
    AssemblyBindInfo, IHostAssemblyManager, IHostAssemblyManager_Impl, IHostAssemblyStore,
    IHostAssemblyStore_Impl, ModuleBindInfo,
};
use soglia_abi::hosting::com::{ISequentialStream, ISequentialStream_Impl};
use soglia_abi::hresult::{COR_E_FILENOTFOUND, E_NOTIMPL, E_POINTER, S_FALSE, S_OK};
use soglia_abi::param::{In, Out, Wide};
use windows_core::{ComObject, Interface, implement};

use super::fence::fence;
use super::hresult::Answer;

/// Provides assemblies from memory, a database or an archive: `IHostAssemblyStore`.
///
/// The engine asks for each assembly that .NET does not find in its framework or beside an assembly
/// that it has loaded from a file. It asks on the thread that needs the assembly, once for each
/// domain.
pub trait HostAssemblyStore: Send + Sync {
    /// The assembly of this identity: `app, Version=1.0.0.0, Culture=neutral, PublicKeyToken=null`.
    /// `None`: the host has no such assembly. `domain` is the number of the domain that needs it.
    ///
    /// # Errors
    /// A failure refuses the assembly: code that needs it gets a `FileLoadException` or the like.
    fn provide(&self, identity: &str, domain: u32) -> Answer<Option<ProvidedAssembly>>;
}

/// An assembly that a host provides.
#[derive(Clone, Debug, Default)]
pub struct ProvidedAssembly {
    /// Distinguishes the assembly from all others: identities with the same number mean one
    /// assembly. 0: it has no number.
    pub id: u64,
    /// The bytes of its file.
    pub image: Arc<[u8]>,
    /// The bytes of its symbols (`NAME.pdb`), if there are any.
    pub symbols: Option<Arc<[u8]>>,
}

/// The manager that gives this store out.
pub(super) fn manager(store: Arc<dyn HostAssemblyStore>) -> IHostAssemblyManager {
    ComObject::new(Manager(store)).into_interface()
}

#[implement(IHostAssemblyManager)]
struct Manager(Arc<dyn HostAssemblyStore>);

impl IHostAssemblyManager_Impl for Manager_Impl {
    unsafe fn GetNonHostStoreAssemblies(&self, mut list: Out<'_, *mut c_void>) -> HRESULT {
        list.write(null_mut())
    }

    unsafe fn GetAssemblyStore(&self, mut store: Out<'_, *mut c_void>) -> HRESULT {
        let given: IHostAssemblyStore = ComObject::new(Store(self.0.clone())).into_interface();
        store.write(given.into_raw())
    }
}

#[implement(IHostAssemblyStore)]
struct Store(Arc<dyn HostAssemblyStore>);

impl IHostAssemblyStore_Impl for Store_Impl {
    unsafe fn ProvideAssembly(
        &self,
        wanted: In<'_, AssemblyBindInfo>,
        mut id: Out<'_, u64>,
        mut context: Out<'_, u64>,
        mut image: Out<'_, *mut c_void>,
        mut symbols: Out<'_, *mut c_void>,
    ) -> HRESULT {
        fence(|| {
            let Some(wanted) = wanted.get().filter(|_| !image.is_null()) else {
                return E_POINTER;
            };
            // SAFETY: the engine passes a text that ends with a zero and lives during the call.
            let identity = unsafe { Wide::from_raw(wanted.lpReferencedIdentity) };
            let Some(identity) = identity.to_text() else {
                return COR_E_FILENOTFOUND;
            };
            match self.0.provide(&identity, wanted.dwAppDomainId) {
                Ok(Some(assembly)) => {
                    id.write_if_wanted(assembly.id);
                    context.write_if_wanted(0);
                    symbols.write_if_wanted(assembly.symbols.map_or(null_mut(), stream));
                    image.write(stream(assembly.image))
                }
                Ok(None) => COR_E_FILENOTFOUND,
                Err(failure) => failure.0,
            }
        })
    }

    unsafe fn ProvideModule(
        &self,
        _wanted: In<'_, ModuleBindInfo>,
        _id: Out<'_, u32>,
        _image: Out<'_, *mut c_void>,
        _symbols: Out<'_, *mut c_void>,
    ) -> HRESULT {
        // .NET has no assemblies of several modules.
        E_NOTIMPL
    }
}

/// A stream of these bytes, with a reference for the receiver.
fn stream(bytes: Arc<[u8]>) -> *mut c_void {
    let at = AtomicUsize::new(0);
    let stream: ISequentialStream = ComObject::new(Stream { bytes, at }).into_interface();
    stream.into_raw()
}

#[implement(ISequentialStream)]
struct Stream {
    bytes: Arc<[u8]>,
    /// Where the next read begins.
    at: AtomicUsize,
}

impl ISequentialStream_Impl for Stream_Impl {
    unsafe fn Read(&self, into: *mut c_void, room: u32, mut read: Out<'_, u32>) -> HRESULT {
        fence(|| {
            let at = self.at.load(Relaxed).min(self.bytes.len());
            let rest = &self.bytes[at..];
            let part = &rest[..rest.len().min(room as usize)];
            // SAFETY: the caller has room for so many bytes, which do not overlap with these.
            unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), into.cast(), part.len()) };
            self.at.store(at + part.len(), Relaxed);
            read.write_if_wanted(part.len() as u32);
            if part.is_empty() { S_FALSE } else { S_OK }
        })
    }

    unsafe fn Write(&self, _from: *const c_void, _bytes: u32, _written: Out<'_, u32>) -> HRESULT {
        E_NOTIMPL
    }
}
