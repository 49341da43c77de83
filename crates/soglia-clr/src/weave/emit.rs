//! The metadata of one module, open for writing while the module is being loaded: new methods and changed ones.
//!
//! New methods lie in a type of their own, so that reflection on the program's types shows what it always did. Methods that shall be inlined
//! (`AGGRESSIVE_INLINING`) are left out of stack traces by .NET, inlined or not: all of ours but P/Invokes are such. A P/Invoke is the
//! innermost frame of the exceptions that its call ends by, and has the name of the program's own in its name.

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

use super::{added, trimmed};
use crate::{
    engine::Engine,
    metadata::before::{
        Error, ImportMap, Parameter, attributes, bytes, check, marshalling, parameters, some_rva,
        wide,
    },
};

const HAS_DEFAULT_OR_MARSHAL: u32 = 0x3000;
const HAS_MARSHAL: u32 = 0x2000;
/// Public key token of System.Private.CoreLib.
const CORELIB_KEY: [u8; 8] = [0x7c, 0xec, 0x85, 0xd7, 0xbe, 0xa7, 0x79, 0x8e];

/// `<Module>`, the class of what is outside of classes: new methods lie there. `GetTypes()` does not list it, and a stack trace
/// gives its methods by their names alone.
pub(super) const GLOBAL: MdToken = MdToken(0x0200_0001);

/// Where the types of System.Private.CoreLib are found from this module.
enum CoreLib {
    /// By a reference to it.
    Reference(MdToken),
    /// This module is it.
    Itself,
}

/// A new method.
pub(super) struct NewMethod<'a> {
    /// Its type.
    pub(super) class: MdToken,
    /// Without a zero at its end.
    pub(super) name: &'a [u16],
    pub(super) flags: u32,
    pub(super) impl_flags: u32,
    pub(super) signature: &'a [u8],
    /// Of the body; 0 for a P/Invoke.
    pub(super) rva: u32,
}

/// What is written into one module.
pub(super) struct Emitter<'a> {
    pub(super) engine: &'a Engine,
    pub(super) module: ModuleId,
    pub(super) import: IMetaDataImport2,
    pub(super) emit: IMetaDataEmit2,
    memory: IMethodMalloc,
    corelib: CoreLib,
    /// New methods need some address of a body before they have one.
    pub(super) any_rva: u32,
    types: HashMap<&'static str, MdToken>,
    /// Libraries that calls are redirected to.
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
        // SAFETY: a module that is being loaded, a pointer to a local.
        let code = unsafe {
            info.GetModuleMetaData(
                module,
                ofRead | ofWrite,
                &IMetaDataImport2::IID,
                &raw mut scope,
            )
        };
        check("GetModuleMetaData", code)?;
        // SAFETY: on success the CLR gives a reference of its own to the interface that was asked for.
        let import = unsafe { IMetaDataImport2::from_raw(scope) };
        let cast = |e: windows_core::Error| Error {
            call: "QueryInterface",
            code: e.code(),
        };
        let emit: IMetaDataEmit2 = import.cast().map_err(cast)?;
        let assembly: IMetaDataAssemblyEmit = import.cast().map_err(cast)?;
        let mut memory = std::ptr::null_mut();
        // SAFETY: as above.
        let code = unsafe { info.GetILFunctionBodyAllocator(module, &raw mut memory) };
        check("GetILFunctionBodyAllocator", code)?;
        // SAFETY: as above.
        let memory = unsafe { IMethodMalloc::from_raw(memory) };
        Ok(Self {
            corelib: if is_corelib {
                CoreLib::Itself
            } else {
                CoreLib::Reference(reference(engine, &assembly)?)
            },
            any_rva: some_rva(&import).unwrap_or(0x2050),
            types: HashMap::new(),
            libraries: HashMap::new(),
            engine,
            module,
            import,
            emit,
            memory,
        })
    }

    /// A type of System.Private.CoreLib.
    pub(super) fn type_of_corelib(&mut self, name: &'static str) -> Result<MdToken, Error> {
        if let Some(token) = self.types.get(name) {
            return Ok(*token);
        }
        let mut token = MdToken::default();
        let wide = wide(name);
        match self.corelib {
            CoreLib::Reference(assembly) => {
                // SAFETY: a zero-terminated name, a pointer to a local.
                let code = unsafe {
                    self.emit
                        .DefineTypeRefByName(assembly, wide.as_ptr(), &raw mut token)
                };
                check("DefineTypeRefByName", code)?;
            }
            CoreLib::Itself => {
                // SAFETY: as above; the nil token stands for no enclosing type.
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

    /// A method of a type of System.Private.CoreLib.
    pub(super) fn method_of_corelib(
        &mut self,
        class: &'static str,
        name: &str,
        signature: &[u8],
    ) -> Result<MdToken, Error> {
        // A reference to what is not there would be found out by the program, at its first call.
        if trimmed::lacks(self.engine, class, name, signature) {
            return Err(Error::MISSING);
        }
        let class = self.type_of_corelib(class)?;
        let name = wide(name);
        let mut token = MdToken::default();
        let size = signature.len() as u32;
        // SAFETY: a zero-terminated name, a signature of that size, a pointer to a local.
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

    fn attribute(&self, owner: MdToken, constructor: MdToken, value: &[u8]) -> Result<(), Error> {
        let mut attribute = MdToken::default();
        // SAFETY: tokens of this module, bytes of that size, a pointer to a local.
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
        // SAFETY: a type of this module, a zero-terminated name, a signature of that size, a pointer to a local.
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

    /// Makes a P/Invoke of a new method.
    pub(super) fn set_import(&self, method: MdToken, import: &ImportMap) -> Result<(), Error> {
        let entry = import.entry.as_ptr();
        // SAFETY: a new method, a zero-terminated name, a token of this module.
        let code = unsafe {
            self.emit
                .DefinePinvokeMap(method, import.flags, entry, import.library)
        };
        check("DefinePinvokeMap", code)
    }

    /// Makes an import lead elsewhere.
    pub(super) fn redirect(
        &mut self,
        import: &mut ImportMap,
        to: &Destination,
    ) -> Result<(), Error> {
        import.library = self.module_reference(&to.library)?;
        if let Some(entry) = &to.entry {
            import.entry = wide(entry);
            // That name, and no other made from it.
            import.flags |= pmNoMangle;
        }
        Ok(())
    }

    /// A library by name.
    pub(super) fn module_reference(&mut self, library: &str) -> Result<MdToken, Error> {
        if let Some(token) = self.libraries.get(library) {
            return Ok(*token);
        }
        let (name, mut token) = (wide(library), MdToken::default());
        // SAFETY: a zero-terminated name, a pointer to a local.
        let code = unsafe { self.emit.DefineModuleRef(name.as_ptr(), &raw mut token) };
        check("DefineModuleRef", code)?;
        self.libraries.insert(library.into(), token);
        Ok(token)
    }

    /// Makes an ordinary method of a P/Invoke.
    pub(super) fn delete_import(
        &self,
        method: MdToken,
        flags: u32,
        impl_flags: u32,
    ) -> Result<(), Error> {
        // SAFETY: a method of this module.
        check("DeletePinvokeMap", unsafe {
            self.emit.DeletePinvokeMap(method)
        })?;
        self.set_code(method, flags, impl_flags)
    }

    /// Gives a method these flags, and an address, for it will have a body.
    pub(super) fn set_code(
        &self,
        method: MdToken,
        flags: u32,
        impl_flags: u32,
    ) -> Result<(), Error> {
        // SAFETY: a method of this module.
        let code = unsafe {
            self.emit
                .SetMethodProps(method, flags, self.any_rva, impl_flags)
        };
        check("SetMethodProps", code)
    }

    /// A text for `ldstr`.
    pub(super) fn user_string(&self, text: &str) -> Result<MdToken, Error> {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut token = MdToken::default();
        // SAFETY: a text of that many units, a pointer to a local.
        let code = unsafe {
            self.emit
                .DefineUserString(units.as_ptr(), units.len() as u32, &raw mut token)
        };
        check("DefineUserString", code).map(|()| token)
    }

    /// The token of a signature of local variables, or of a `calli`.
    pub(super) fn stand_alone(&self, signature: &[u8]) -> Result<MdToken, Error> {
        let mut token = MdToken::default();
        let size = signature.len() as u32;
        // SAFETY: a signature of that size, a pointer to a local.
        let code = unsafe {
            self.emit
                .GetTokenFromSig(signature.as_ptr(), size, &raw mut token)
        };
        check("GetTokenFromSig", code).map(|()| token)
    }

    /// The token of local variables of these types; none if there are none.
    pub(super) fn locals(&self, types: &[&[u8]]) -> Result<Option<MdToken>, Error> {
        if types.is_empty() {
            return Ok(None);
        }
        let signature = sig::locals_signature(types).ok_or(Error::UNWRITABLE)?;
        self.stand_alone(&signature).map(Some)
    }

    /// Marshalling hangs on parameters, that of the result on parameter 0.
    pub(super) fn copy_parameters(&self, from: MdToken, to: MdToken) -> Result<(), Error> {
        for parameter in parameters(&self.import, from) {
            let about = Parameter::of(&self.import, parameter)?;
            let mut copy = MdToken::default();
            // SAFETY: a new method, a zero-terminated name, no constant, a pointer to a local.
            let code = unsafe {
                self.emit.DefineParam(
                    to,
                    about.sequence,
                    about.name.as_ptr(),
                    about.flags & !HAS_DEFAULT_OR_MARSHAL,
                    0,
                    std::ptr::null(),
                    0,
                    &raw mut copy,
                )
            };
            check("DefineParam", code)?;
            if about.flags & HAS_MARSHAL != 0
                && let Some(marshalling) = marshalling(&self.import, parameter)
            {
                // SAFETY: a new parameter, bytes of that size.
                let code = unsafe {
                    let size = marshalling.len() as u32;
                    self.emit.SetFieldMarshal(copy, marshalling.as_ptr(), size)
                };
                check("SetFieldMarshal", code)?;
            }
            self.copy_attributes(parameter, copy)?;
        }
        Ok(())
    }

    pub(super) fn copy_attributes(&self, from: MdToken, to: MdToken) -> Result<(), Error> {
        for attribute in attributes(&self.import, from) {
            let (mut owner, mut constructor) = (MdToken::default(), MdToken::default());
            let (mut value, mut size) = (std::ptr::null(), 0);
            // SAFETY: an attribute of this module, pointers to locals.
            let code = unsafe {
                self.import.GetCustomAttributeProps(
                    attribute,
                    &raw mut owner,
                    &raw mut constructor,
                    &raw mut value,
                    &raw mut size,
                )
            };
            check("GetCustomAttributeProps", code)?;
            // Defining may move what metadata pointers point to.
            // SAFETY: the metadata are that long there, now.
            let value = unsafe { bytes(value.cast(), size) };
            self.attribute(to, constructor, &value)?;
        }
        Ok(())
    }

    /// All methods that there are now.
    pub(super) fn methods(&self) -> impl Iterator<Item = MdToken> {
        let tokens = (0x0600_0001..0x0700_0000).map(MdToken);
        // SAFETY: any token may be asked about.
        tokens.take_while(|token| unsafe { self.import.IsValidToken(*token) }.as_bool())
    }

    /// The signature of local variables, or of a `calli`.
    pub(super) fn signature(&self, token: MdToken) -> Result<Vec<u8>, Error> {
        let (mut signature, mut size) = (std::ptr::null(), 0);
        // SAFETY: any token may be asked about; pointers to locals.
        let code = unsafe {
            self.import
                .GetSigFromToken(token, &raw mut signature, &raw mut size)
        };
        check("GetSigFromToken", code)?;
        // SAFETY: the metadata are that long there, now.
        Ok(unsafe { bytes(signature, size) })
    }

    /// Adds a type parameter to a generic method that has as many as `number` already.
    pub(super) fn type_parameter(&self, method: MdToken, number: u32) -> Result<(), Error> {
        let (name, mut token) = (wide(&format!("T{number}")), MdToken::default());
        // SAFETY: a new method, a zero-terminated name, no constraints, a pointer to a local.
        let code = unsafe {
            let none = std::ptr::null();
            self.emit
                .DefineGenericParam(method, number, 0, name.as_ptr(), 0, none, &raw mut token)
        };
        check("DefineGenericParam", code)
    }

    /// An instance of a generic method.
    pub(super) fn instance(&self, method: MdToken, signature: &[u8]) -> Result<MdToken, Error> {
        let mut token = MdToken::default();
        let size = signature.len() as u32;
        // SAFETY: a method of this module, a signature of that size, a pointer to a local.
        let code = unsafe {
            self.emit
                .DefineMethodSpec(method, signature.as_ptr(), size, &raw mut token)
        };
        check("DefineMethodSpec", code).map(|()| token)
    }

    /// The body that a method has in its module, if it has one.
    pub(super) fn body(&self, method: MdToken) -> Option<&[u8]> {
        let (mut body, mut size) = (std::ptr::null(), 0);
        // SAFETY: a method of this module, pointers to locals.
        let answer = unsafe {
            self.engine
                .info
                .GetILFunctionBody(self.module, method, &raw mut body, &raw mut size)
        };
        if answer.is_err() || body.is_null() {
            return None;
        }
        // SAFETY: it lies in the image of a module that is being loaded, or in memory of the CLR's that is never freed, and is that long.
        Some(unsafe { std::slice::from_raw_parts(body, size as usize) })
    }

    pub(super) fn set_body(&self, token: MdToken, body: &[u8]) -> Result<(), Error> {
        // SAFETY: the CLR's own allocator; the result is null or that large.
        let place = unsafe { self.memory.Alloc(body.len() as u32) }.cast::<u8>();
        if place.is_null() {
            return Err(Error {
                call: "Alloc",
                code: soglia_abi::hresult::E_OUTOFMEMORY,
            });
        }
        // SAFETY: that large, and new.
        unsafe { std::ptr::copy_nonoverlapping(body.as_ptr(), place, body.len()) };
        // SAFETY: a method of this module, a whole body in memory of the CLR's.
        let code = unsafe {
            self.engine
                .info
                .SetILFunctionBody(self.module, token, place)
        };
        check("SetILFunctionBody", code)
    }
}

/// A reference to System.Private.CoreLib, which every module may refer to, of a version that is never too new.
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
    // SAFETY: a key of that size, a zero-terminated name, pointers to locals.
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
