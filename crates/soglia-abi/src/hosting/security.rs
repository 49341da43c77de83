//! `IHostSecurityManager` and `IHostSecurityContext`: who a thread acts for.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    reason = "names are spelled as in mscoree.idl"
)]

use core::ffi::c_void;

use windows_core::{BOOL, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::types::HANDLE;
use crate::param::{Lent, Out};

c_enum! {
    /// Which context is meant.
    EContextType {
        eCurrentContext = 0x0,
        eRestrictedContext = 0x1,
    }
}

/// Slots 3 to 8. The identity that a thread acts with. Windows only, so no method is called.
#[interface("75AD2468-A349-4D02-A764-76A68AEE0C4F")]
pub unsafe trait IHostSecurityManager: IUnknown {
    /// The thread acts with that token.
    pub fn ImpersonateLoggedOnUser(&self, hToken: HANDLE) -> HRESULT;
    /// The thread acts with its own identity again.
    pub fn RevertToSelf(&self) -> HRESULT;
    /// Stores the token that the thread acts with.
    pub fn OpenThreadToken(
        &self,
        dwDesiredAccess: u32,
        bOpenAsSelf: BOOL,
        phThreadToken: Out<'_, HANDLE>,
    ) -> HRESULT;
    /// Sets the thread's token, or removes it with null.
    pub fn SetThreadToken(&self, hToken: HANDLE) -> HRESULT;
    /// Returns the host's context of the calling thread.
    pub fn GetSecurityContext(
        &self,
        eContextType: EContextType,
        ppSecurityContext: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Sets the host's context of the calling thread.
    pub fn SetSecurityContext(
        &self,
        eContextType: EContextType,
        pSecurityContext: Lent<'_, IHostSecurityContext>,
    ) -> HRESULT;
}

/// Slot 3. A context that the CLR carries from thread to thread.
#[interface("7E573CE4-0343-4423-98D7-6318348A1D3C")]
pub unsafe trait IHostSecurityContext: IUnknown {
    /// Returns a copy, with a reference.
    pub fn Capture(&self, ppClonedContext: Out<'_, *mut c_void>) -> HRESULT;
}
