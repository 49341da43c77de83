//! Reading names out of the CLR's metadata.

use soglia_abi::{
    ids::{FunctionId, MdToken, MdTypeDef, ModuleId},
    profiler::{
        info::ICorProfilerInfo,
        metadata::IMetaDataImport,
        metadata_flags::{mdPinvokeImpl, mdStatic, miRuntime},
    },
};
use soglia_core::crossing::Side;
use soglia_il::sig::is_unmanaged;
use windows_core::Interface;

use super::before::has_attribute;

/// What callbacks are marked with.
pub const CALLBACK: &str = "System.Runtime.InteropServices.UnmanagedCallersOnlyAttribute";

/// What the metadata says of a P/Invoke.
pub struct ImportNames {
    /// The library as written in `DllImport`.
    pub library: String,
    /// The entry point.
    pub entry: String,
}

/// A method whose calls cross.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its token.
    pub token: MdToken,
    /// On which side its layers run.
    pub side: Side,
}

/// The scope of a module, to read names from.
pub struct Scope(IMetaDataImport);

/// Reads a string of a method that takes a buffer, its size and where to put the size that is needed.
pub fn string(mut ask: impl FnMut(*mut u16, u32, *mut u32) -> bool) -> Option<String> {
    let mut buffer = vec![0_u16; 256];
    let mut needed = 0;
    if !ask(buffer.as_mut_ptr(), buffer.len() as u32, &raw mut needed) {
        return None;
    }
    if needed as usize > buffer.len() {
        buffer.resize(needed as usize, 0);
        if !ask(buffer.as_mut_ptr(), buffer.len() as u32, &raw mut needed) {
            return None;
        }
    }
    let end = buffer
        .iter()
        .position(|unit| *unit == 0)
        .unwrap_or(buffer.len());
    Some(String::from_utf16_lossy(&buffer[..end]))
}

impl Scope {
    /// The scope that a function's token belongs to, and the token.
    ///
    /// The CLR follows the number: call it with numbers that it has just told in earnest.
    pub fn of_function(info: &ICorProfilerInfo, function: FunctionId) -> Option<(Self, MdToken)> {
        let mut scope = std::ptr::null_mut();
        let mut token = MdToken::default();
        // SAFETY: pointers to locals; the function is one that the CLR told.
        let answer = unsafe {
            let iid = &IMetaDataImport::IID;
            info.GetTokenAndMetaDataFromFunction(function, iid, &raw mut scope, &raw mut token)
        };
        if answer.is_err() || scope.is_null() {
            return None;
        }
        // SAFETY: on success the CLR gives a reference of its own to the interface that was asked for.
        Some((Self(unsafe { IMetaDataImport::from_raw(scope) }), token))
    }

    /// The scope of a loaded module.
    pub fn of_module(info: &ICorProfilerInfo, module: ModuleId) -> Option<Self> {
        let mut scope = std::ptr::null_mut();
        // SAFETY: pointer to a local; the module is loaded (its unload is told before it begins).
        let answer =
            unsafe { info.GetModuleMetaData(module, 0, &IMetaDataImport::IID, &raw mut scope) };
        if answer.is_err() || scope.is_null() {
            return None;
        }
        // SAFETY: as above.
        Some(Self(unsafe { IMetaDataImport::from_raw(scope) }))
    }

    /// The metadata themselves.
    pub fn itself(&self) -> &IMetaDataImport {
        &self.0
    }

    /// `Namespace.Type.Method`, nested types as reflection writes them: `Outer+Inner`.
    pub fn method(&self, token: MdToken) -> Option<String> {
        let (name, class, ..) = self.method_props(token)?;
        // Functions outside of all types belong to a pseudo-type of the module.
        let class = self.class(class).filter(|class| class != "<Module>");
        Some(class.map_or_else(|| name.clone(), |class| format!("{class}.{name}")))
    }

    fn method_props(&self, token: MdToken) -> Option<(String, MdTypeDef, u32, u32)> {
        let (mut class, mut flags, mut impl_flags) = (MdTypeDef::default(), 0, 0);
        let name = string(|buffer, size, needed| {
            // SAFETY: a buffer of that size, pointers to locals, null where nothing is asked.
            let answer = unsafe {
                self.0.GetMethodProps(
                    token,
                    &raw mut class,
                    buffer,
                    size,
                    needed,
                    &raw mut flags,
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                    &raw mut impl_flags,
                )
            };
            answer.is_ok()
        })?;
        Some((name, class, flags, impl_flags))
    }

    /// `Namespace.Type`, nested types as reflection writes them.
    pub fn class(&self, class: MdTypeDef) -> Option<String> {
        let nothing = std::ptr::null_mut();
        let name = string(|buffer, size, needed| {
            // SAFETY: a buffer of that size, pointers to locals, null where nothing is asked.
            unsafe {
                self.0
                    .GetTypeDefProps(class, buffer, size, needed, nothing, nothing.cast())
            }
            .is_ok()
        })?;
        let mut outer = MdTypeDef::default();
        // SAFETY: pointer to a local.
        let nested = unsafe { self.0.GetNestedClassProps(class, &raw mut outer) }.is_ok();
        if nested && !outer.is_null() && outer != class {
            return Some(format!("{}+{name}", self.class(outer)?));
        }
        Some(name)
    }

    /// The library and entry point of a P/Invoke; `None` for other methods.
    pub fn import(&self, token: MdToken) -> Option<ImportNames> {
        let mut library = Default::default();
        let entry = string(|buffer, size, needed| {
            // SAFETY: a buffer of that size, pointer to a local, null where nothing is asked.
            let answer = unsafe {
                self.0.GetPinvokeMap(
                    token,
                    std::ptr::null_mut(),
                    buffer,
                    size,
                    needed,
                    &raw mut library,
                )
            };
            answer.is_ok()
        })?;
        let library = string(|buffer, size, needed| {
            // SAFETY: a buffer of that size.
            unsafe { self.0.GetModuleRefProps(library, buffer, size, needed) }.is_ok()
        })?;
        Some(ImportNames { library, entry })
    }

    /// Whether a method is a P/Invoke.
    pub fn is_import(&self, token: MdToken) -> bool {
        let props = self.method_props(token);
        props.is_some_and(|(_, _, flags, _)| flags & mdPinvokeImpl != 0)
    }

    /// Whether a P/Invoke is called without a GC transition.
    pub fn is_suppressed(&self, token: MdToken) -> bool {
        let of_it = "System.Runtime.InteropServices.SuppressGCTransitionAttribute";
        has_attribute(&self.0, token, of_it)
    }

    /// All P/Invokes but those into the CLR itself, and all static `UnmanagedCallersOnly` methods.
    pub fn crossings(&self) -> Vec<Method> {
        let methods = self.methods();
        methods.filter_map(|token| self.crossing(token)).collect()
    }

    /// A method as one of [`Self::crossings`], if it is.
    pub fn crossing(&self, token: MdToken) -> Option<Method> {
        let (_, _, flags, _) = self.method_props(token)?;
        let method = |side| Method { token, side };
        if flags & mdPinvokeImpl != 0 {
            let crosses = self.import(token)?.library != "QCall";
            return crosses.then(|| method(Side::Unmanaged));
        }
        let is_callback = || has_attribute(&self.0, token, CALLBACK);
        (flags & mdStatic != 0 && is_callback()).then(|| method(Side::Managed))
    }

    /// Whether there are signatures of unmanaged calls by function pointer.
    pub fn calls_pointers(&self) -> bool {
        let tokens = (0x1100_0001..0x1200_0000).map(MdToken);
        // SAFETY: any token may be asked about.
        let mut tokens =
            tokens.take_while(|token| unsafe { self.0.IsValidToken(*token) }.as_bool());
        tokens.any(|token| {
            let (mut signature, mut size) = (std::ptr::null(), 0);
            // SAFETY: a token of this scope, pointers to locals.
            let answer = unsafe {
                self.0
                    .GetSigFromToken(token, &raw mut signature, &raw mut size)
            };
            if answer.is_err() || signature.is_null() || size == 0 {
                return false;
            }
            // SAFETY: the metadata have a byte there at least, now.
            is_unmanaged(unsafe { *signature })
        })
    }

    /// All methods that there are now.
    pub fn methods(&self) -> impl Iterator<Item = MdToken> {
        let tokens = (0x0600_0001..0x0700_0000).map(MdToken);
        // SAFETY: any token may be asked about.
        tokens.take_while(|token| unsafe { self.0.IsValidToken(*token) }.as_bool())
    }

    /// The tokens of all methods by which managed code can leave: P/Invokes and the `Invoke` of delegates.
    pub fn ways_out(&self) -> Vec<MdToken> {
        self.methods()
            .filter(|token| {
                self.method_props(*token)
                    .is_some_and(|(name, _, flags, impl_flags)| {
                        flags & mdPinvokeImpl != 0
                            || (name == "Invoke" && impl_flags & miRuntime == miRuntime)
                    })
            })
            .collect()
    }
}
