//! `ICLRMetaHostPolicy`: which runtime a host is to use for a program.

use std::{ffi::c_void, ptr::null_mut, sync::OnceLock};

use soglia_abi::{
    GUID, HRESULT,
    hosting::metahost::{
        ICLRMetaHostPolicy, ICLRMetaHostPolicy_Impl, ICLRMetaHostPolicy_Vtbl,
        METAHOST_POLICY_APPLY_UPGRADE_POLICY, METAHOST_POLICY_EMULATE_EXE_LAUNCH,
        METAHOST_POLICY_ENSURE_SKU_SUPPORTED, METAHOST_POLICY_FLAGS,
        METAHOST_POLICY_IGNORE_ERROR_MODE, METAHOST_POLICY_SHOW_ERROR_DIALOG,
        METAHOST_POLICY_USE_PROCESS_IMAGE_PATH,
    },
    hresult::{CLR_E_SHIM_RUNTIMELOAD, E_INVALIDARG, E_POINTER, S_OK},
};
use windows_core::IUnknownImpl;

use super::{
    image,
    method::{answer, door},
    runtime_info, runtimes, wide,
};
use crate::com::{Object, class};

/// What may be added to the one policy there is. Of these, upgrading has a meaning here.
const FLAGS: u32 = METAHOST_POLICY_APPLY_UPGRADE_POLICY.0
    | METAHOST_POLICY_EMULATE_EXE_LAUNCH.0
    | METAHOST_POLICY_SHOW_ERROR_DIALOG.0
    | METAHOST_POLICY_USE_PROCESS_IMAGE_PATH.0
    | METAHOST_POLICY_ENSURE_SKU_SUPPORTED.0
    | METAHOST_POLICY_IGNORE_ERROR_MODE.0;

/// Gives it out.
///
/// # Safety
/// `id` and `object` are valid, as COM asks for.
pub unsafe fn create(id: *const GUID, object: *mut *mut c_void) -> HRESULT {
    static POLICY: OnceLock<&Object<MetaHostPolicy>> = OnceLock::new();
    let policy = POLICY.get_or_init(|| Object::forever(MetaHostPolicy));
    // SAFETY: by the contract.
    unsafe { policy.QueryInterface(id, object) }
}

struct MetaHostPolicy;

class!(
    MetaHostPolicy,
    MetaHostPolicy_Impl,
    ICLRMetaHostPolicy,
    ICLRMetaHostPolicy_Vtbl
);

/// The text in a buffer that is answered in afterwards. `None` if there is no buffer, or nothing in it.
///
/// # Safety
/// Null, or a buffer with room for that many characters.
unsafe fn wish(buffer: *const u16, room: *const u32) -> Option<String> {
    if buffer.is_null() || room.is_null() {
        return None;
    }
    // SAFETY: by the contract.
    let text = unsafe { std::slice::from_raw_parts(buffer, *room as usize) };
    let text = text.split(|unit| *unit == 0).next()?;
    (!text.is_empty()).then(|| String::from_utf16_lossy(text))
}

impl ICLRMetaHostPolicy_Impl for MetaHostPolicy_Impl {
    unsafe fn GetRequestedRuntime(
        &self,
        flags: METAHOST_POLICY_FLAGS,
        binary: *const u16,
        _configuration: *mut c_void,
        version: *mut u16,
        version_length: *mut u32,
        image_version: *mut u16,
        image_length: *mut u32,
        config_flags: *mut u32,
        id: *const GUID,
        object: *mut *mut c_void,
    ) -> HRESULT {
        let choose = || -> Result<(), HRESULT> {
            if id.is_null() || object.is_null() {
                return Err(E_POINTER);
            }
            // SAFETY: not null, and valid by COM's rules.
            unsafe { *object = null_mut() };
            if flags.0 & !FLAGS != 0 {
                return Err(E_INVALIDARG);
            }
            if (!version.is_null() && version_length.is_null())
                || (!image_version.is_null() && image_length.is_null())
            {
                return Err(E_POINTER);
            }
            let upgrades = flags.0 & METAHOST_POLICY_APPLY_UPGRADE_POLICY.0 != 0;
            if upgrades && version_length.is_null() {
                return Err(CLR_E_SHIM_RUNTIMELOAD);
            }
            let built_for = match binary.is_null() {
                true => None,
                // SAFETY: zero-terminated, by COM's rules.
                false => Some(unsafe { image::version_of(binary) }?),
            };
            // SAFETY: the caller's buffer and its size, valid by COM's rules.
            let wanted = unsafe { wish(version, version_length) }.or_else(|| built_for.clone());
            let runtime = match wanted {
                Some(wanted) => {
                    runtimes::named(&wanted).or_else(|| upgrades.then(runtimes::newest).flatten())
                }
                None => runtimes::loaded().or_else(runtimes::newest),
            };
            let runtime = runtime.ok_or(CLR_E_SHIM_RUNTIMELOAD)?;
            let own = runtime.version_string();
            let built_for = built_for.unwrap_or_else(|| own.clone());
            // SAFETY: the caller's buffers, sizes and places, null or valid by COM's rules.
            unsafe {
                for (text, buffer, length) in [
                    (&own, version, version_length),
                    (&built_for, image_version, image_length),
                ] {
                    if !length.is_null() {
                        wide::answer(text, buffer, length)
                            .ok()
                            .map_err(|e| e.code())?;
                    }
                }
                if !config_flags.is_null() {
                    *config_flags = 0;
                }
                match runtime_info::create(runtime, id, object) {
                    S_OK => Ok(()),
                    why => Err(why),
                }
            }
        };
        door(|| answer(choose()))
    }
}
