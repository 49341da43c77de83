//! New methods and changed ones, written into the metadata of one module while it is being loaded.
//!
//! For a P/Invoke `M`: a new P/Invoke `M$native` of the same signature, marshalling and attributes; `M` itself loses its import and
//! gets a body that calls it between the hooks. For a callback `C` (`UnmanagedCallersOnly`): a new ordinary method `C$body` with the
//! body of `C`; `C` gets a body that calls it between the hooks. All tokens stay what they were, so nobody who calls has to change.

use std::collections::HashSet;

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::{
        info_later::IMethodMalloc,
        metadata_assembly::{ASSEMBLYMETADATA, IMetaDataAssemblyEmit},
        metadata_emit::IMetaDataEmit2,
        metadata_flags::{mdPinvokeImpl, ofRead, ofWrite},
        metadata_import2::IMetaDataImport2,
    },
};
use soglia_core::crossing::Side;
use windows_core::Interface;

use super::{
    before::{
        Before, Error, Import, Parameter, attributes, bytes, check, is_delegate, marshalling,
        parameters, some_rva, wide,
    },
    il,
    sig::{self, MethodSig},
};
use crate::{engine::Engine, source::woven};

/// A method whose calls cross.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its token.
    pub token: MdToken,
    /// On which side its layers run.
    pub side: Side,
}

/// Why a module could not be woven whole. What was woven before stays.
pub struct Failure {
    /// Rows of the methods that were changed.
    pub changed: HashSet<u32>,
    /// In a sentence.
    pub what: String,
}

const PRESERVE_SIG: u32 = 0x80;
const AGGRESSIVE_INLINING: u32 = 0x100;
const HAS_DEFAULT_OR_MARSHAL: u32 = 0x3000;
const HAS_MARSHAL: u32 = 0x2000;
/// Public key token of System.Private.CoreLib.
const CORELIB_KEY: [u8; 8] = [0x7c, 0xec, 0x85, 0xd7, 0xbe, 0xa7, 0x79, 0x8e];

/// What was done to a module.
#[derive(Default)]
pub struct Done {
    /// Rows of the methods that were changed.
    pub changed: HashSet<u32>,
    /// P/Invokes that take delegates, through which native code calls back unseen.
    pub delegates: u32,
}

/// Weaves around these methods.
pub fn weave(engine: &Engine, module: ModuleId, calls: &[(Method, i64)]) -> Result<Done, Failure> {
    let mut changed = HashSet::new();
    let mut failed = Vec::new();
    let mut emitter = match Emitter::open(engine, module) {
        Ok(emitter) => emitter,
        Err(error) => {
            return Err(Failure {
                changed,
                what: error.to_string(),
            });
        }
    };
    for (method, id) in calls {
        match emitter.around(*method, *id) {
            Ok(true) => {
                changed.insert(method.token.row());
            }
            Ok(false) => {}
            Err(error) => failed.push(error),
        }
    }
    match failed.first() {
        None => Ok(Done {
            changed,
            delegates: emitter.delegates,
        }),
        Some(first) => Err(Failure {
            changed,
            what: format!("{} calls: {first}", failed.len()),
        }),
    }
}

/// What is written into one module.
struct Emitter<'a> {
    engine: &'a Engine,
    module: ModuleId,
    import: IMetaDataImport2,
    emit: IMetaDataEmit2,
    memory: IMethodMalloc,
    /// `int32(int64)`, without a GC transition.
    quick: MdToken,
    /// `int32(int64)`, an ordinary native function.
    slow: MdToken,
    /// `void(int64)`, likewise.
    slow_void: MdToken,
    throw: MdToken,
    /// New methods need some address of a body before they have one.
    any_rva: u32,
    delegates: u32,
}

const INT32: &[u8] = &[sig::INT32];
const INT64: &[u8] = &[sig::INT64];
const VOID: &[u8] = &[sig::VOID];

impl<'a> Emitter<'a> {
    fn open(engine: &'a Engine, module: ModuleId) -> Result<Self, Error> {
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

        let corelib = corelib(engine, &assembly)?;
        let reference = |name: &str| -> Result<MdToken, Error> {
            let mut token = MdToken::default();
            let name = wide(name);
            // SAFETY: a zero-terminated name, a pointer to a local.
            let code = unsafe { emit.DefineTypeRefByName(corelib, name.as_ptr(), &raw mut token) };
            check("DefineTypeRefByName", code).map(|()| token)
        };
        let suppressed = reference("System.Runtime.CompilerServices.CallConvSuppressGCTransition")?;
        let marshal = reference("System.Runtime.InteropServices.Marshal")?;
        let name = wide("ThrowExceptionForHR");
        let takes_hresult = [0, 1, 1, 8];
        let mut throw = MdToken::default();
        // SAFETY: a zero-terminated name, a signature of that size, a pointer to a local.
        let code = unsafe {
            emit.DefineMemberRef(
                marshal,
                name.as_ptr(),
                takes_hresult.as_ptr(),
                4,
                &raw mut throw,
            )
        };
        check("DefineMemberRef", code)?;
        let stand_alone = |how: sig::Unmanaged, ret: &[u8]| {
            let signature = sig::hook_signature(how, ret, &[INT64]).ok_or(Error::UNWRITABLE)?;
            stand_alone(&emit, &signature)
        };
        let quick = sig::Unmanaged::Suppressed { modopt: suppressed };
        Ok(Self {
            engine,
            module,
            quick: stand_alone(quick, INT32)?,
            slow: stand_alone(sig::Unmanaged::Cdecl, INT32)?,
            slow_void: stand_alone(sig::Unmanaged::Cdecl, VOID)?,
            throw,
            any_rva: some_rva(&import).unwrap_or(0x2050),
            delegates: 0,
            import,
            emit,
            memory,
        })
    }

    /// Weaves around one method. `false`: it is of a kind that stays as it is.
    fn around(&mut self, method: Method, id: i64) -> Result<bool, Error> {
        let before = Before::of(&self.import, method.token)?;
        let Some(signature) = MethodSig::parse(&before.signature) else {
            return Ok(false);
        };
        if signature.generic() > 0 || signature.is_vararg() || signature.has_this() {
            return Ok(false);
        }
        let delegates = signature
            .params()
            .any(|param| is_delegate(&self.import, param));
        self.delegates += u32::from(delegates && method.side == Side::Unmanaged);
        match method.side {
            Side::Unmanaged => self.around_import(method.token, id, &before, &signature),
            Side::Managed => self.around_callback(method.token, id, &before, &signature),
        }?;
        Ok(true)
    }

    fn around_import(
        &mut self,
        token: MdToken,
        id: i64,
        before: &Before,
        signature: &MethodSig,
    ) -> Result<(), Error> {
        let import = Import::of(&self.import, token)?;
        let native_body = call_of(signature);
        let native = self.define(before, "$native", before.flags, 0)?;
        let entry = &import.entry;
        // SAFETY: a new method, a zero-terminated name, a token of this module.
        let code = unsafe {
            self.emit
                .DefinePinvokeMap(native, import.flags, entry.as_ptr(), import.library)
        };
        check("DefinePinvokeMap", code)?;
        self.copy_parameters(token, native)?;
        self.copy_attributes(token, native)?;
        // SAFETY: a method of this module.
        check("DeletePinvokeMap", unsafe {
            self.emit.DeletePinvokeMap(token)
        })?;
        let impl_flags = before.impl_flags & !PRESERVE_SIG | AGGRESSIVE_INLINING;
        // SAFETY: a method of this module.
        let code = unsafe {
            let flags = before.flags & !mdPinvokeImpl;
            self.emit
                .SetMethodProps(token, flags, self.any_rva, impl_flags)
        };
        check("SetMethodProps", code)?;
        let locals = il::forward_locals(native_body.1).ok_or(Error::UNWRITABLE)?;
        let body = il::forward(&il::Forward {
            id: id as u32,
            leave: woven::leave as *const () as usize,
            leave_slow: woven::leave_slow as *const () as usize,
            enter: woven::enter as *const () as usize,
            enter_slow: woven::enter_slow as *const () as usize,
            sig_leave: self.quick,
            sig_leave_slow: self.slow,
            sig_enter: self.quick,
            sig_enter_slow: self.slow_void,
            native,
            throw: self.throw,
            args: native_body.0,
            returns: native_body.1.is_some(),
            locals: stand_alone(&self.emit, &locals)?,
        })
        .ok_or(Error::UNWRITABLE)?;
        self.set_body(token, &body)
    }

    fn around_callback(
        &mut self,
        token: MdToken,
        id: i64,
        before: &Before,
        signature: &MethodSig,
    ) -> Result<(), Error> {
        // The attribute stays where it was: the new method is called by managed code alone.
        let body = self.define(before, "$body", before.flags, before.rva)?;
        let (args, ret) = call_of(signature);
        let locals = ret.map(|ret| il::reverse_locals(ret).ok_or(Error::UNWRITABLE));
        let locals = locals.transpose()?;
        let locals = locals.map(|locals| stand_alone(&self.emit, &locals));
        let body = il::reverse(&il::Reverse {
            id: id as u32,
            reverse_enter: woven::reverse_enter as *const () as usize,
            reverse_enter_slow: woven::reverse_enter_slow as *const () as usize,
            reverse_leave: woven::reverse_leave as *const () as usize,
            reverse_leave_slow: woven::reverse_leave_slow as *const () as usize,
            sig_enter: self.quick,
            sig_enter_slow: self.slow_void,
            sig_leave: self.quick,
            sig_leave_slow: self.slow_void,
            body,
            args,
            locals: locals.transpose()?,
        })
        .ok_or(Error::UNWRITABLE)?;
        self.set_body(token, &body)
    }

    /// A new method beside the one that there was, of the same signature.
    fn define(
        &self,
        before: &Before,
        suffix: &str,
        flags: u32,
        rva: u32,
    ) -> Result<MdToken, Error> {
        let mut name = before.name.clone();
        name.extend(wide(suffix));
        let mut token = MdToken::default();
        // SAFETY: a type of this module, a zero-terminated name, a signature of that size, a pointer to a local.
        let code = unsafe {
            self.emit.DefineMethod(
                before.class,
                name.as_ptr(),
                flags,
                before.signature.as_ptr(),
                before.signature.len() as u32,
                rva,
                before.impl_flags,
                &raw mut token,
            )
        };
        check("DefineMethod", code).map(|()| token)
    }

    /// Marshalling hangs on parameters, that of the result on parameter 0.
    fn copy_parameters(&self, from: MdToken, to: MdToken) -> Result<(), Error> {
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

    fn copy_attributes(&self, from: MdToken, to: MdToken) -> Result<(), Error> {
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
            let mut copy = MdToken::default();
            // SAFETY: tokens of this module, bytes of that size, a pointer to a local.
            let code = unsafe {
                self.emit.DefineCustomAttribute(
                    to,
                    constructor,
                    value.as_ptr().cast(),
                    size,
                    &raw mut copy,
                )
            };
            check("DefineCustomAttribute", code)?;
        }
        Ok(())
    }

    fn set_body(&self, token: MdToken, body: &[u8]) -> Result<(), Error> {
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

/// What a wrapper calls: how many arguments, and the type of the result, if there is one.
fn call_of<'a>(signature: &MethodSig<'a>) -> (u16, Option<&'a [u8]>) {
    let ret = (!signature.returns_void()).then(|| signature.ret());
    (signature.args() as u16, ret)
}

fn stand_alone(emit: &IMetaDataEmit2, signature: &[u8]) -> Result<MdToken, Error> {
    let mut token = MdToken::default();
    // SAFETY: a signature of that size, a pointer to a local.
    let code =
        unsafe { emit.GetTokenFromSig(signature.as_ptr(), signature.len() as u32, &raw mut token) };
    check("GetTokenFromSig", code).map(|()| token)
}

/// A reference to System.Private.CoreLib, which every module may refer to, of a version that is never too new.
fn corelib(engine: &Engine, assembly: &IMetaDataAssemblyEmit) -> Result<MdToken, Error> {
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
