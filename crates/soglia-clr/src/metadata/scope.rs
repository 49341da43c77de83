//! Reads names from the CLR's metadata.

use soglia_abi::{
    ids::{FunctionId, MdFieldDef, MdToken, MdTypeDef, ModuleId},
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

/// The attribute that marks callbacks.
pub const CALLBACK: &str = "System.Runtime.InteropServices.UnmanagedCallersOnlyAttribute";

/// What the metadata say about a P/Invoke.
#[derive(Clone, Debug)]
pub struct ImportNames {
    /// The library, as `DllImport` names it.
    pub library: String,
    /// The entry point.
    pub entry: String,
}

/// A method whose calls cross.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its token.
    pub token: MdToken,
    /// The side on which its layers run.
    pub side: Side,
}

/// The metadata of one module, to read names from.
pub struct Scope(IMetaDataImport);

/// Reads a string by a function that takes a buffer, its size, and where to put the size that is
/// needed.
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

/// `Namespace.Type`, with nested types as reflection writes them.
pub fn class_name(import: &IMetaDataImport, class: MdTypeDef) -> Option<String> {
    let nothing = std::ptr::null_mut();
    let name = string(|buffer, size, needed| {
        // SAFETY: the buffer is as large as said. The pointers are to locals, or null, which
        // asks for nothing.
        unsafe { import.GetTypeDefProps(class, buffer, size, needed, nothing, nothing.cast()) }
            .is_ok()
    })?;
    let mut outer = MdTypeDef::default();
    // SAFETY: the pointer is to a local.
    let nested = unsafe { import.GetNestedClassProps(class, &raw mut outer) }.is_ok();
    if nested && !outer.is_null() && outer != class {
        return Some(format!("{}+{name}", class_name(import, outer)?));
    }
    Some(name)
}

impl Scope {
    /// The scope of a function, and the function's token in it.
    ///
    /// The CLR follows the number, so it must be one that the CLR has just passed for a real
    /// function.
    pub fn of_function(info: &ICorProfilerInfo, function: FunctionId) -> Option<(Self, MdToken)> {
        let mut scope = std::ptr::null_mut();
        let mut token = MdToken::default();
        // SAFETY: the CLR has named this function, and the pointers are to locals.
        let answer = unsafe {
            let iid = &IMetaDataImport::IID;
            info.GetTokenAndMetaDataFromFunction(function, iid, &raw mut scope, &raw mut token)
        };
        if answer.is_err() || scope.is_null() {
            return None;
        }
        // SAFETY: on success the CLR returns a counted reference to the interface that was asked
        // for.
        Some((Self(unsafe { IMetaDataImport::from_raw(scope) }), token))
    }

    /// The scope of a loaded module.
    pub fn of_module(info: &ICorProfilerInfo, module: ModuleId) -> Option<Self> {
        let mut scope = std::ptr::null_mut();
        // SAFETY: the module is loaded, since the CLR announces an unload before it begins. The
        // pointer is to a local.
        let answer =
            unsafe { info.GetModuleMetaData(module, 0, &IMetaDataImport::IID, &raw mut scope) };
        if answer.is_err() || scope.is_null() {
            return None;
        }
        // SAFETY: on success the CLR returns a counted reference to the interface that was asked
        // for.
        Some(Self(unsafe { IMetaDataImport::from_raw(scope) }))
    }

    /// The metadata interface.
    pub fn itself(&self) -> &IMetaDataImport {
        &self.0
    }

    /// `Namespace.Type.Method`, with nested types as reflection writes them: `Outer+Inner`.
    pub fn method(&self, token: MdToken) -> Option<String> {
        let (name, class, ..) = self.method_props(token)?;
        // Functions outside all classes belong to a pseudo-class of the module.
        let class = self.class(class).filter(|class| class != "<Module>");
        Some(class.map_or_else(|| name.clone(), |class| format!("{class}.{name}")))
    }

    fn method_props(&self, token: MdToken) -> Option<(String, MdTypeDef, u32, u32)> {
        let (mut class, mut flags, mut impl_flags) = (MdTypeDef::default(), 0, 0);
        let name = string(|buffer, size, needed| {
            // SAFETY: the buffer is as large as said. The pointers are to locals, or null, which
            // asks for nothing.
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

    /// `Namespace.Type`, with nested types as reflection writes them.
    pub fn class(&self, class: MdTypeDef) -> Option<String> {
        class_name(&self.0, class)
    }

    /// The name of a field.
    pub fn field_name(&self, field: MdFieldDef) -> Option<String> {
        use std::ptr::null_mut;
        string(|buffer, size, needed| {
            // SAFETY: the buffer is as large as said. The other pointers are null, which asks for
            // nothing.
            let answer = unsafe {
                self.0.GetFieldProps(
                    field,
                    null_mut(),
                    buffer,
                    size,
                    needed,
                    null_mut(),
                    null_mut(),
                    null_mut(),
                    null_mut(),
                    null_mut(),
                    null_mut(),
                )
            };
            answer.is_ok()
        })
    }

    /// The library and entry point of a P/Invoke; `None` for other methods.
    pub fn import(&self, token: MdToken) -> Option<ImportNames> {
        let mut library = Default::default();
        let entry = string(|buffer, size, needed| {
            // SAFETY: the buffer is as large as said. The pointers are to a local, or null, which
            // asks for nothing.
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
            // SAFETY: the buffer is as large as said.
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

    /// All P/Invokes except those into the CLR itself, and all static `UnmanagedCallersOnly`
    /// methods.
    pub fn crossings(&self) -> Vec<Method> {
        let methods = self.methods();
        methods.filter_map(|token| self.crossing(token)).collect()
    }

    /// The method as [`Self::crossings`] returns it, if it crosses.
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

    /// All P/Invokes whose rows are below `end`, except those into the CLR itself.
    pub fn imports(&self, end: u32) -> Vec<MdToken> {
        let methods = (1..end).map(|row| MdToken(0x0600_0000 | row));
        let is_import = |token: &MdToken| {
            let mut flags = 0;
            let nothing = std::ptr::null_mut::<u32>();
            // SAFETY: the CLR checks the token. The pointers are to a local, or null, which asks
            // for nothing.
            let answer = unsafe {
                self.0.GetMethodProps(
                    *token,
                    nothing.cast(),
                    nothing.cast(),
                    0,
                    nothing,
                    &raw mut flags,
                    nothing.cast(),
                    nothing,
                    nothing,
                    nothing,
                )
            };
            answer.is_ok() && flags & mdPinvokeImpl != 0
        };
        let crosses = |token: &MdToken| {
            let import = self.import(*token);
            import.is_some_and(|import| import.library != "QCall")
        };
        methods.filter(is_import).filter(crosses).collect()
    }

    /// The method as [`Self::crossings`] returns it, if it is a callback.
    pub fn callback(&self, token: MdToken) -> Option<Method> {
        let side = Side::Managed;
        let (_, _, flags, _) = self.method_props(token)?;
        let is_callback = flags & mdStatic != 0
            && flags & mdPinvokeImpl == 0
            && has_attribute(&self.0, token, CALLBACK);
        is_callback.then_some(Method { token, side })
    }

    /// Whether there are signatures of unmanaged calls by function pointer.
    pub fn calls_pointers(&self) -> bool {
        let tokens = (0x1100_0001..0x1200_0000).map(MdToken);
        // SAFETY: the CLR checks the token.
        let mut tokens =
            tokens.take_while(|token| unsafe { self.0.IsValidToken(*token) }.as_bool());
        tokens.any(|token| {
            let (mut signature, mut size) = (std::ptr::null(), 0);
            // SAFETY: `IsValidToken` accepted the token, and the pointers are to locals.
            let answer = unsafe {
                self.0
                    .GetSigFromToken(token, &raw mut signature, &raw mut size)
            };
            if answer.is_err() || signature.is_null() || size == 0 {
                return false;
            }
            // SAFETY: the CLR has just given this address, with a size of at least one byte.
            is_unmanaged(unsafe { *signature })
        })
    }

    /// All methods that the module has now.
    pub fn methods(&self) -> impl Iterator<Item = MdToken> {
        let tokens = (0x0600_0001..0x0700_0000).map(MdToken);
        // SAFETY: the CLR checks the token.
        tokens.take_while(|token| unsafe { self.0.IsValidToken(*token) }.as_bool())
    }

    /// The tokens of all methods by which managed code can leave the runtime: P/Invokes, and the
    /// `Invoke` of delegates.
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
