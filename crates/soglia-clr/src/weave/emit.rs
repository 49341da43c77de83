//! Writes new and changed methods into the metadata of one module, while it is being loaded.
//!
//! New methods lie in `<Module>`, so reflection on the program's types shows what it always did.
//! .NET leaves methods that shall be inlined (`AGGRESSIVE_INLINING`) out of stack traces, inlined
//! or not: all new methods except P/Invokes are marked so. A new P/Invoke is the innermost frame of
//! the exceptions that end its call, so its name contains the name of the program's own P/Invoke.

use std::collections::HashMap;

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::{
        info_later::IMethodMalloc,
        metadata_assembly::{ASSEMBLYMETADATA, IMetaDataAssemblyEmit},
        metadata_emit::IMetaDataEmit2,
        metadata_flags::{ofRead, ofWrite, pmNoMangle},
        metadata_import2::IMetaDataImport2,
    },
};
use soglia_core::policy::Destination;
use soglia_il::sig;
use windows_core::Interface;

use super::{added, home::Home, trimmed};
use crate::{
    engine::Engine,
    metadata::{
        self,
        before::{Error, ImportMap, bytes, check, some_rva, wide},
    },
};

/// The public key token of CoreLib.
const CORELIB_KEY: [u8; 8] = [0x7c, 0xec, 0x85, 0xd7, 0xbe, 0xa7, 0x79, 0x8e];

/// `<Module>`, the class of what is outside all classes, in which new methods lie. `GetTypes()`
/// does not list it, and a stack trace shows its methods without a class.
pub(super) const GLOBAL: MdToken = MdToken(0x0200_0001);

/// How this module refers to the types of CoreLib.
enum CoreLib {
    /// By a reference to CoreLib.
    Reference(MdToken),
    /// This module is CoreLib.
    Itself,
}

/// A new method.
pub(super) struct NewMethod<'a> {
    /// The class in which it lies.
    pub(super) class: MdToken,
    /// Its name, without a terminating zero.
    pub(super) name: &'a [u16],
    pub(super) flags: u32,
    pub(super) impl_flags: u32,
    pub(super) signature: &'a [u8],
    /// The address of its body; 0 for a P/Invoke.
    pub(super) rva: u32,
}

/// A module's metadata, open for writing.
pub(super) struct Emitter<'a> {
    pub(super) engine: &'a Engine,
    pub(super) module: ModuleId,
    pub(super) import: IMetaDataImport2,
    pub(super) emit: IMetaDataEmit2,
    memory: IMethodMalloc,
    corelib: CoreLib,
    /// The address of some body. A new method needs one before it has a body.
    pub(super) any_rva: u32,
    pub(super) home: Home,
    types: HashMap<&'static str, MdToken>,
    /// References to the libraries that rules redirect calls to.
    libraries: HashMap<String, MdToken>,
}

impl<'a> Emitter<'a> {
    pub(super) fn open(
        engine: &'a Engine,
        module: ModuleId,
        is_corelib: bool,
    ) -> Result<Self, Error> {
        let info = &engine.info;
        let mut scope = std::ptr::null_mut();
        // SAFETY: the module is being loaded, and the pointer is to a local.
        let code = unsafe {
            info.GetModuleMetaData(
                module,
                ofRead | ofWrite,
                &IMetaDataImport2::IID,
                &raw mut scope,
            )
        };
        check("GetModuleMetaData", code)?;
        // SAFETY: on success the CLR returns a counted reference to the interface that was asked
        // for.
        let import = unsafe { IMetaDataImport2::from_raw(scope) };
        let cast = |e: windows_core::Error| Error {
            call: "QueryInterface",
            code: e.code(),
        };
        let emit: IMetaDataEmit2 = import.cast().map_err(cast)?;
        let assembly: IMetaDataAssemblyEmit = import.cast().map_err(cast)?;
        let mut memory = std::ptr::null_mut();
        // SAFETY: the module is being loaded, and the pointer is to a local.
        let code = unsafe { info.GetILFunctionBodyAllocator(module, &raw mut memory) };
        check("GetILFunctionBodyAllocator", code)?;
        // SAFETY: on success the CLR returns a counted reference to the allocator.
        let memory = unsafe { IMethodMalloc::from_raw(memory) };
        Ok(Self {
            corelib: if is_corelib {
                CoreLib::Itself
            } else {
                CoreLib::Reference(reference(engine, &assembly)?)
            },
            any_rva: some_rva(&import).unwrap_or(0x2050),
            home: Home::default(),
            types: HashMap::new(),
            libraries: HashMap::new(),
            engine,
            module,
            import,
            emit,
            memory,
        })
    }

    /// A token for a type of CoreLib.
    pub(super) fn type_of_corelib(&mut self, name: &'static str) -> Result<MdToken, Error> {
        if let Some(token) = self.types.get(name) {
            return Ok(*token);
        }
        let mut token = MdToken::default();
        let wide = wide(name);
        match self.corelib {
            CoreLib::Reference(assembly) => {
                // SAFETY: the name ends with a zero, and the pointer is to a local.
                let code = unsafe {
                    self.emit
                        .DefineTypeRefByName(assembly, wide.as_ptr(), &raw mut token)
                };
                check("DefineTypeRefByName", code)?;
            }
            CoreLib::Itself => {
                // SAFETY: the name ends with a zero, and the pointer is to a local. The nil token
                // means that no type encloses it.
                let code = unsafe {
                    self.import
                        .FindTypeDefByName(wide.as_ptr(), MdToken(0), &raw mut token)
                };
                check("FindTypeDefByName", code)?;
            }
        }
        self.types.insert(name, token);
        Ok(token)
    }

    /// A token for a method of a type of CoreLib.
    pub(super) fn method_of_corelib(
        &mut self,
        class: &'static str,
        name: &str,
        signature: &[u8],
    ) -> Result<MdToken, Error> {
        // The CLR accepts a reference to a missing method. The program would fail at its first
        // call.
        if trimmed::lacks(self.engine, class, name, signature) {
            return Err(Error::MISSING);
        }
        let class = self.type_of_corelib(class)?;
        let name = wide(name);
        let mut token = MdToken::default();
        let size = signature.len() as u32;
        // SAFETY: the name ends with a zero, the signature is as long as said, and the pointer is
        // to a local.
        let code = unsafe {
            match self.corelib {
                CoreLib::Reference(_) => self.emit.DefineMemberRef(
                    class,
                    name.as_ptr(),
                    signature.as_ptr(),
                    size,
                    &raw mut token,
                ),
                CoreLib::Itself => self.import.FindMethod(
                    class,
                    name.as_ptr(),
                    signature.as_ptr(),
                    size,
                    &raw mut token,
                ),
            }
        };
        check("DefineMemberRef", code).map(|()| token)
    }

    pub(super) fn attribute(
        &self,
        owner: MdToken,
        constructor: MdToken,
        value: &[u8],
    ) -> Result<(), Error> {
        let mut attribute = MdToken::default();
        // SAFETY: the tokens are of this module, the bytes are as many as said, and the pointer is
        // to a local.
        let code = unsafe {
            self.emit.DefineCustomAttribute(
                owner,
                constructor,
                value.as_ptr().cast(),
                value.len() as u32,
                &raw mut attribute,
            )
        };
        check("DefineCustomAttribute", code)
    }

    pub(super) fn define(&self, method: &NewMethod) -> Result<MdToken, Error> {
        let mut name = method.name.to_vec();
        name.push(0);
        let mut token = MdToken::default();
        // SAFETY: the type is of this module, the name ends with a zero, the signature is as long
        // as said, and the pointer is to a local.
        let code = unsafe {
            self.emit.DefineMethod(
                method.class,
                name.as_ptr(),
                method.flags,
                method.signature.as_ptr(),
                method.signature.len() as u32,
                method.rva,
                method.impl_flags,
                &raw mut token,
            )
        };
        check("DefineMethod", code)?;
        added::add(self.module, token);
        Ok(token)
    }

    /// Makes a new method a P/Invoke.
    pub(super) fn set_import(&self, method: MdToken, import: &ImportMap) -> Result<(), Error> {
        let entry = import.entry.as_ptr();
        // SAFETY: the method was made by this emitter, the name ends with a zero, and the token is
        // of this module.
        let code = unsafe {
            self.emit
                .DefinePinvokeMap(method, import.flags, entry, import.library)
        };
        check("DefinePinvokeMap", code)
    }

    /// Makes an import lead to another function.
    pub(super) fn redirect(
        &mut self,
        import: &mut ImportMap,
        to: &Destination,
    ) -> Result<(), Error> {
        import.library = self.module_reference(&to.library)?;
        if let Some(entry) = &to.entry {
            import.entry = wide(entry);
            // The runtime looks for exactly this name, not for variants of it.
            import.flags |= pmNoMangle;
        }
        Ok(())
    }

    /// A reference to a library, by name.
    pub(super) fn module_reference(&mut self, library: &str) -> Result<MdToken, Error> {
        if let Some(token) = self.libraries.get(library) {
            return Ok(*token);
        }
        let (name, mut token) = (wide(library), MdToken::default());
        // SAFETY: the name ends with a zero, and the pointer is to a local.
        let code = unsafe { self.emit.DefineModuleRef(name.as_ptr(), &raw mut token) };
        check("DefineModuleRef", code)?;
        self.libraries.insert(library.into(), token);
        Ok(token)
    }

    /// Makes a P/Invoke an ordinary method.
    pub(super) fn delete_import(
        &self,
        method: MdToken,
        flags: u32,
        impl_flags: u32,
    ) -> Result<(), Error> {
        // SAFETY: the method is of this module.
        check("DeletePinvokeMap", unsafe {
            self.emit.DeletePinvokeMap(method)
        })?;
        self.set_code(method, flags, impl_flags)
    }

    /// Gives a method these flags, and some address, because it will have a body.
    pub(super) fn set_code(
        &self,
        method: MdToken,
        flags: u32,
        impl_flags: u32,
    ) -> Result<(), Error> {
        // SAFETY: the method is of this module.
        let code = unsafe {
            self.emit
                .SetMethodProps(method, flags, self.any_rva, impl_flags)
        };
        check("SetMethodProps", code)
    }

    /// The token of a text, for `ldstr`.
    pub(super) fn user_string(&self, text: &str) -> Result<MdToken, Error> {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut token = MdToken::default();
        // SAFETY: the text has as many UTF-16 units as said, and the pointer is to a local.
        let code = unsafe {
            self.emit
                .DefineUserString(units.as_ptr(), units.len() as u32, &raw mut token)
        };
        check("DefineUserString", code).map(|()| token)
    }

    /// The token of a signature of local variables or of a `calli`.
    pub(super) fn stand_alone(&self, signature: &[u8]) -> Result<MdToken, Error> {
        let mut token = MdToken::default();
        let size = signature.len() as u32;
        // SAFETY: the signature is as long as said, and the pointer is to a local.
        let code = unsafe {
            self.emit
                .GetTokenFromSig(signature.as_ptr(), size, &raw mut token)
        };
        check("GetTokenFromSig", code).map(|()| token)
    }

    /// The token of local variables of these types. `None` if there are no types.
    pub(super) fn locals(&self, types: &[&[u8]]) -> Result<Option<MdToken>, Error> {
        if types.is_empty() {
            return Ok(None);
        }
        let signature = sig::locals_signature(types).ok_or(Error::UNWRITABLE)?;
        self.stand_alone(&signature).map(Some)
    }

    /// All methods that the module has now.
    pub(super) fn methods(&self) -> impl Iterator<Item = MdToken> {
        let tokens = (0x0600_0001..0x0700_0000).map(MdToken);
        // SAFETY: the CLR checks the token.
        tokens.take_while(|token| unsafe { self.import.IsValidToken(*token) }.as_bool())
    }

    /// The signature of local variables or of a `calli`.
    pub(super) fn signature(&self, token: MdToken) -> Result<Vec<u8>, Error> {
        let (mut signature, mut size) = (std::ptr::null(), 0);
        // SAFETY: the CLR checks the token. The pointers are to locals.
        let code = unsafe {
            self.import
                .GetSigFromToken(token, &raw mut signature, &raw mut size)
        };
        check("GetSigFromToken", code)?;
        // SAFETY: the CLR has just given this address and size, and nothing was defined since.
        Ok(unsafe { bytes(signature, size) })
    }

    /// Adds a type parameter to a generic method that already has `number` of them.
    pub(super) fn type_parameter(&self, method: MdToken, number: u32) -> Result<(), Error> {
        let (name, mut token) = (wide(&format!("T{number}")), MdToken::default());
        // SAFETY: this emitter made the method, the name ends with a zero, there are no
        // constraints, and the pointer is to a local.
        let code = unsafe {
            let none = std::ptr::null();
            self.emit
                .DefineGenericParam(method, number, 0, name.as_ptr(), 0, none, &raw mut token)
        };
        check("DefineGenericParam", code)
    }

    /// The token of an instance of a generic method.
    pub(super) fn instance(&self, method: MdToken, signature: &[u8]) -> Result<MdToken, Error> {
        let mut token = MdToken::default();
        let size = signature.len() as u32;
        // SAFETY: the method is of this module, the signature is as long as said, and the pointer
        // is to a local.
        let code = unsafe {
            self.emit
                .DefineMethodSpec(method, signature.as_ptr(), size, &raw mut token)
        };
        check("DefineMethodSpec", code).map(|()| token)
    }

    /// The body that a method has in its module. `None`: it has none.
    pub(super) fn body(&self, method: MdToken) -> Option<&[u8]> {
        metadata::body(&self.engine.info, self.module, method)
    }

    pub(super) fn set_body(&self, token: MdToken, body: &[u8]) -> Result<(), Error> {
        // SAFETY: the allocator is the CLR's own. It returns null or a place of this size.
        let place = unsafe { self.memory.Alloc(body.len() as u32) }.cast::<u8>();
        if place.is_null() {
            return Err(Error {
                call: "Alloc",
                code: soglia_abi::hresult::E_OUTOFMEMORY,
            });
        }
        // SAFETY: the place is new, as large as the body, and not null.
        unsafe { std::ptr::copy_nonoverlapping(body.as_ptr(), place, body.len()) };
        // SAFETY: the method is of this module. The body is complete, in memory that the CLR
        // allocated for it.
        let code = unsafe {
            self.engine
                .info
                .SetILFunctionBody(self.module, token, place)
        };
        check("SetILFunctionBody", code)
    }
}

/// A reference to CoreLib. Every module may refer to it, and its version is never too new.
fn reference(engine: &Engine, assembly: &IMetaDataAssemblyEmit) -> Result<MdToken, Error> {
    let about = ASSEMBLYMETADATA {
        usMajorVersion: engine.major,
        usMinorVersion: 0,
        usBuildNumber: 0,
        usRevisionNumber: 0,
        szLocale: std::ptr::null_mut(),
        cbLocale: 0,
        rProcessor: std::ptr::null_mut(),
        ulProcessor: 0,
        rOS: std::ptr::null_mut(),
        ulOS: 0,
    };
    let name = wide("System.Private.CoreLib");
    let mut token = MdToken::default();
    // SAFETY: the key is as long as said, the name ends with a zero, and the pointers are to
    // locals.
    let code = unsafe {
        assembly.DefineAssemblyRef(
            CORELIB_KEY.as_ptr().cast(),
            CORELIB_KEY.len() as u32,
            name.as_ptr(),
            &raw const about,
            std::ptr::null(),
            0,
            0,
            &raw mut token,
        )
    };
    check("DefineAssemblyRef", code).map(|()| token)
}
