//! What the CLR says about a module when it is loaded.

use std::path::PathBuf;

use soglia_abi::{
    ids::{AssemblyId, ModuleId},
    profiler::info::ICorProfilerInfo3,
};
use soglia_core::trace::log::Scope as Watched;
use soglia_il::r2r;
use windows_core::Interface;

use crate::{engine::Engine, metadata::string, names::is_of_framework};

pub(super) const MODULE_NGEN: u32 = 0x2;
pub(super) const MODULE_DYNAMIC: u32 = 0x4;
pub(super) const MODULE_RESOURCE: u32 = 0x10;
pub(super) const MODULE_FLAT: u32 = 0x20;

/// A module, as the CLR describes it.
pub(super) struct Loaded {
    pub(super) assembly: String,
    pub(super) assembly_id: AssemblyId,
    pub(super) path: PathBuf,
    pub(super) flags: u32,
    /// Where its image is mapped.
    base: usize,
}

impl Loaded {
    pub(super) fn look(engine: &Engine, module: ModuleId) -> Option<Self> {
        let info = engine.info.cast::<ICorProfilerInfo3>().ok()?;
        let (mut flags, mut base) = (0, std::ptr::null());
        let mut assembly_id = AssemblyId::NULL;
        let path = string(|buffer, size, needed| {
            // SAFETY: the buffer is as large as said, and the pointers are to locals.
            let answer = unsafe {
                info.GetModuleInfo2(
                    module,
                    &raw mut base,
                    size,
                    needed,
                    buffer,
                    &raw mut assembly_id,
                    &raw mut flags,
                )
            };
            answer.is_ok()
        })?;
        Some(Self {
            assembly: engine.assembly_name(assembly_id)?,
            assembly_id,
            path: path.into(),
            flags,
            base: base.expose_provenance(),
        })
    }

    pub(super) fn is_corelib(&self) -> bool {
        self.assembly == "System.Private.CoreLib"
    }

    pub(super) fn is_watched(&self, scope: Watched) -> bool {
        match scope {
            Watched::User => !is_of_framework(&self.assembly, &self.path),
            Watched::Framework => !self.is_corelib(),
            Watched::CoreLib | Watched::All => true,
        }
    }

    pub(super) fn precompiled(&self) -> r2r::Precompiled<'static> {
        if self.flags & MODULE_NGEN == 0 {
            return r2r::Precompiled::None;
        }
        if self.flags & MODULE_FLAT != 0 {
            return r2r::Precompiled::Unreadable;
        }
        // SAFETY: the CLR has mapped the image there. It keeps the mapping for as long as it asks
        // about the module's methods.
        let image = unsafe { mapped(std::ptr::with_exposed_provenance(self.base)) };
        image.map_or(r2r::Precompiled::Unreadable, r2r::Precompiled::parse)
    }
}

/// The bytes of a mapped image, as long as its own header says.
///
/// # Safety
/// `base` is null or the start of an image that stays mapped.
unsafe fn mapped(base: *const u8) -> Option<&'static [u8]> {
    if base.is_null() {
        return None;
    }
    // SAFETY: an image begins with at least one page of headers.
    let size = r2r::image_size(unsafe { std::slice::from_raw_parts(base, 4096) })?;
    // SAFETY: the loader maps that many bytes. Only bytes of sections that are in the file are
    // read.
    Some(unsafe { std::slice::from_raw_parts(base, size) })
}
