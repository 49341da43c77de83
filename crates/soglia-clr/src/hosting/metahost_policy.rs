//! `ICLRMetaHostPolicy`: which runtime a host is to use for a program.

use std::{ffi::c_void, ptr::null_mut, sync::OnceLock};

use soglia_abi::{
    GUID, HRESULT,
    hosting::{
        com::IStream,
        metahost::{
            ICLRMetaHostPolicy, ICLRMetaHostPolicy_Impl, ICLRMetaHostPolicy_Vtbl,
            METAHOST_POLICY_APPLY_UPGRADE_POLICY, METAHOST_POLICY_EMULATE_EXE_LAUNCH,
            METAHOST_POLICY_ENSURE_SKU_SUPPORTED, METAHOST_POLICY_FLAGS,
            METAHOST_POLICY_IGNORE_ERROR_MODE, METAHOST_POLICY_SHOW_ERROR_DIALOG,
            METAHOST_POLICY_USE_PROCESS_IMAGE_PATH,
        },
    },
    hresult::{CLR_E_SHIM_RUNTIMELOAD, E_INVALIDARG, E_POINTER, S_OK},
    param::{Buffer, In, InOut, Lent, Out, Wide},
};

use super::{
    image,
    method::{answer, door},
    runtime_info, runtimes, wide,
};
use crate::com::{Object, class};

/// The flags that are accepted besides the only policy. Of these, upgrading has a meaning here.
const FLAGS: u32 = METAHOST_POLICY_APPLY_UPGRADE_POLICY.0
    | METAHOST_POLICY_EMULATE_EXE_LAUNCH.0
    | METAHOST_POLICY_SHOW_ERROR_DIALOG.0
    | METAHOST_POLICY_USE_PROCESS_IMAGE_PATH.0
    | METAHOST_POLICY_ENSURE_SKU_SUPPORTED.0
    | METAHOST_POLICY_IGNORE_ERROR_MODE.0;

/// Gives out the policy object.
pub fn create(id: In<'_, GUID>, object: Out<'_, *mut c_void>) -> HRESULT {
    static POLICY: OnceLock<&Object<MetaHostPolicy>> = OnceLock::new();
    let policy = POLICY.get_or_init(|| Object::forever(MetaHostPolicy));
    policy.interface(id, object)
}

struct MetaHostPolicy;

class!(
    MetaHostPolicy,
    MetaHostPolicy_Impl,
    ICLRMetaHostPolicy,
    ICLRMetaHostPolicy_Vtbl
);

/// The text in a buffer that the result goes into afterwards. `None` if there is no buffer, or if
/// it is empty.
///
/// # Safety
/// `buffer` is null, or has as many characters as `room` says.
unsafe fn wish(buffer: &Buffer<'_, u16>, room: &mut InOut<'_, u32>) -> Option<String> {
    let room = *room.get().filter(|_| !buffer.is_null())?;
    // SAFETY: not null, so the caller vouches for that many characters.
    let text = unsafe { std::slice::from_raw_parts(buffer.as_ptr(), room as usize) };
    let text = text.split(|unit| *unit == 0).next()?;
    (!text.is_empty()).then(|| String::from_utf16_lossy(text))
}

impl ICLRMetaHostPolicy_Impl for MetaHostPolicy_Impl {
    unsafe fn GetRequestedRuntime(
        &self,
        flags: METAHOST_POLICY_FLAGS,
        binary: Wide<'_>,
        _configuration: Lent<'_, IStream>,
        version: Buffer<'_, u16>,
        mut version_length: InOut<'_, u32>,
        image_version: Buffer<'_, u16>,
        image_length: InOut<'_, u32>,
        mut config_flags: Out<'_, u32>,
        id: In<'_, GUID>,
        mut object: Out<'_, *mut c_void>,
    ) -> HRESULT {
        let choose = || -> Result<(), HRESULT> {
            if id.is_null() || object.is_null() {
                return Err(E_POINTER);
            }
            object.write_if_wanted(null_mut());
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
                false => Some(image::version_of(binary)?),
            };
            // SAFETY: the caller of this method says by the length how many characters there are.
            let wanted = unsafe { wish(&version, &mut version_length) };
            let wanted = wanted.or_else(|| built_for.clone());
            let runtime = match wanted {
                Some(wanted) => {
                    runtimes::named(&wanted).or_else(|| upgrades.then(runtimes::newest).flatten())
                }
                None => runtimes::loaded().or_else(runtimes::newest),
            };
            let runtime = runtime.ok_or(CLR_E_SHIM_RUNTIMELOAD)?;
            let own = runtime.version_string();
            let built_for = built_for.unwrap_or_else(|| own.clone());
            for (text, buffer, length) in [
                (&own, version, version_length),
                (&built_for, image_version, image_length),
            ] {
                if !length.is_null() {
                    // SAFETY: the caller of this method says by each length how much room its
                    // buffer has.
                    let written = unsafe { wide::answer(text, buffer, length) };
                    written.ok().map_err(|e| e.code())?;
                }
            }
            config_flags.write_if_wanted(0);
            match runtime_info::create(runtime, id, object) {
                S_OK => Ok(()),
                why => Err(why),
            }
        };
        door(|| answer(choose()))
    }
}
