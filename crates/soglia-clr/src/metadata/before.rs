//! What a module's metadata say before they are changed, in copies: a definition can move what
//! pointers into metadata point to.

use soglia_abi::{
    HRESULT,
    ids::MdToken,
    profiler::{metadata::IMetaDataImport, metadata_import2::IMetaDataImport2},
};

/// A call of a metadata interface that failed.
#[derive(Debug)]
pub struct Error {
    pub call: &'static str,
    pub code: HRESULT,
}

impl Error {
    /// Something is too large for a signature or a body.
    pub const UNWRITABLE: Self = Self {
        call: "writing a signature or a body",
        code: soglia_abi::hresult::E_INVALIDARG,
    };
    /// A method is private to `<Module>`, and no other type may call it.
    pub const HIDDEN: Self = Self {
        call: "reaching a private method outside all types",
        code: soglia_abi::hresult::E_ACCESSDENIED,
    };
    /// A rule is about a P/Invoke of another module.
    pub const ELSEWHERE: Self = Self {
        call: "changing what a P/Invoke of another module leads to",
        code: soglia_abi::hresult::E_NOTIMPL,
    };
    /// CoreLib lacks a method.
    pub const MISSING: Self = Self {
        call: "finding a method of System.Private.CoreLib",
        code: soglia_abi::hresult::COR_E_MISSINGMETHOD,
    };
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} answered {:#010x}", self.call, self.code.0)
    }
}

pub fn check(call: &'static str, code: HRESULT) -> Result<(), Error> {
    if code.is_ok() {
        Ok(())
    } else {
        Err(Error { call, code })
    }
}

pub fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A method as it was.
pub struct Before {
    /// Without a terminating zero.
    pub name: Vec<u16>,
    pub class: MdToken,
    pub flags: u32,
    pub impl_flags: u32,
    pub rva: u32,
    pub signature: Vec<u8>,
}

impl Before {
    pub fn of(import: &IMetaDataImport, token: MdToken) -> Result<Self, Error> {
        let mut class = MdToken::default();
        let (mut flags, mut impl_flags, mut rva) = (0, 0, 0);
        let (mut signature, mut size) = (std::ptr::null(), 0);
        let mut name = vec![0_u16; 1024];
        let mut length = 0;
        // SAFETY: the buffer is as large as said, and the pointers are to locals.
        let code = unsafe {
            import.GetMethodProps(
                token,
                &raw mut class,
                name.as_mut_ptr(),
                name.len() as u32,
                &raw mut length,
                &raw mut flags,
                &raw mut signature,
                &raw mut size,
                &raw mut rva,
                &raw mut impl_flags,
            )
        };
        check("GetMethodProps", code)?;
        cut(&mut name);
        // SAFETY: the CLR has just given this address and size, and nothing was defined since.
        let signature = unsafe { bytes(signature, size) };
        Ok(Self {
            name,
            class,
            flags,
            impl_flags,
            rva,
            signature,
        })
    }
}

/// The most UTF-16 units of a name that is read whole. Compilers stay below.
pub const LONGEST: usize = 1023;

pub struct ImportMap {
    /// With a terminating zero.
    pub entry: Vec<u16>,
    pub library: MdToken,
    pub flags: u32,
}

impl ImportMap {
    pub fn of(import: &IMetaDataImport, token: MdToken) -> Result<Self, Error> {
        let mut entry = vec![0_u16; 1024];
        let (mut flags, mut length, mut library) = (0, 0, MdToken::default());
        // SAFETY: the buffer is as large as said, and the pointers are to locals.
        let code = unsafe {
            import.GetPinvokeMap(
                token,
                &raw mut flags,
                entry.as_mut_ptr(),
                entry.len() as u32,
                &raw mut length,
                &raw mut library,
            )
        };
        check("GetPinvokeMap", code)?;
        cut(&mut entry);
        entry.push(0);
        Ok(Self {
            entry,
            library,
            flags,
        })
    }
}

pub struct Parameter {
    /// With a terminating zero.
    pub name: Vec<u16>,
    pub sequence: u32,
    pub flags: u32,
}

impl Parameter {
    pub fn of(import: &IMetaDataImport, token: MdToken) -> Result<Self, Error> {
        let mut name = vec![0_u16; 1024];
        let (mut sequence, mut flags, mut length) = (0, 0, 0);
        let nothing: *mut u8 = std::ptr::null_mut();
        // SAFETY: the buffer is as large as said. The pointers are to locals, or null, which asks
        // for nothing.
        let code = unsafe {
            import.GetParamProps(
                token,
                nothing.cast(),
                &raw mut sequence,
                name.as_mut_ptr(),
                name.len() as u32,
                &raw mut length,
                &raw mut flags,
                nothing.cast(),
                nothing.cast(),
                nothing.cast(),
            )
        };
        check("GetParamProps", code)?;
        cut(&mut name);
        name.push(0);
        Ok(Self {
            name,
            sequence,
            flags,
        })
    }
}

pub fn cut(name: &mut Vec<u16>) {
    let end = name
        .iter()
        .position(|unit| *unit == 0)
        .unwrap_or(name.len());
    name.truncate(end);
}

/// Copies bytes of metadata.
///
/// # Safety
/// `from` is null, or `size` bytes can be read there.
pub unsafe fn bytes(from: *const u8, size: u32) -> Vec<u8> {
    if from.is_null() {
        return Vec::new();
    }
    // SAFETY: `from` is not null here, so the caller promises that many bytes.
    unsafe { std::slice::from_raw_parts(from, size as usize) }.to_vec()
}

pub fn marshalling(import: &IMetaDataImport, parameter: MdToken) -> Option<Vec<u8>> {
    let (mut native, mut size) = (std::ptr::null(), 0);
    // SAFETY: the parameter is of this module, and the pointers are to locals.
    let answer = unsafe { import.GetFieldMarshal(parameter, &raw mut native, &raw mut size) };
    // SAFETY: the CLR has just given this address and size, and nothing was defined since.
    answer.is_ok().then(|| unsafe { bytes(native, size) })
}

/// All tokens of a metadata enumeration. `next` gets the handle, a buffer, its size, and where to
/// put the count.
pub fn enumerated(
    import: &IMetaDataImport,
    mut more: impl FnMut(*mut *mut std::ffi::c_void, *mut MdToken, u32, *mut u32) -> HRESULT,
) -> Vec<MdToken> {
    let mut handle = std::ptr::null_mut();
    let mut all = Vec::new();
    loop {
        let mut some = [MdToken::default(); 64];
        let mut count = 0;
        let code = more(&raw mut handle, some.as_mut_ptr(), 64, &raw mut count);
        if code.is_err() || count == 0 {
            break;
        }
        all.extend_from_slice(&some[..count as usize]);
    }
    // SAFETY: the calls above have made this handle, or it is null.
    unsafe { import.CloseEnum(handle) };
    all
}

/// Whether a type or a method has type parameters.
pub fn is_generic(import: &IMetaDataImport2, of: MdToken) -> bool {
    let parameters = enumerated(import, |handle, into, room, count| {
        // SAFETY: `enumerated` passes a valid handle, and a buffer of the size that it says.
        unsafe { import.EnumGenericParams(handle, of, into, room, count) }
    });
    !parameters.is_empty()
}

pub fn parameters(import: &IMetaDataImport, method: MdToken) -> Vec<MdToken> {
    enumerated(import, |handle, into, room, count| {
        // SAFETY: `enumerated` passes a valid handle, and a buffer of the size that it says.
        unsafe { import.EnumParams(handle, method, into, room, count) }
    })
}

/// The names of the parameters of a method, as far as they have names.
pub fn names_of_parameters(import: &IMetaDataImport, method: MdToken) -> Vec<Option<String>> {
    let mut names = Vec::new();
    for parameter in parameters(import, method) {
        let Ok(mut about) = Parameter::of(import, parameter) else {
            continue;
        };
        // The result has the number 0.
        let Some(index) = (about.sequence as usize).checked_sub(1) else {
            continue;
        };
        if names.len() <= index {
            names.resize(index + 1, None);
        }
        cut(&mut about.name);
        names[index] = Some(String::from_utf16_lossy(&about.name)).filter(|name| !name.is_empty());
    }
    names
}

pub fn attributes(import: &IMetaDataImport, owner: MdToken) -> Vec<MdToken> {
    enumerated(import, |handle, into, room, count| {
        // SAFETY: `enumerated` passes a valid handle, and a buffer of the size that it says. The
        // nil type asks for all.
        unsafe { import.EnumCustomAttributes(handle, owner, MdToken(0), into, room, count) }
    })
}

/// Whether something has a custom attribute of this class.
pub fn has_attribute(import: &IMetaDataImport, owner: MdToken, name: &str) -> bool {
    attribute(import, owner, name).is_some()
}

/// The value of the custom attribute of this class that something has.
pub fn attribute(import: &IMetaDataImport, owner: MdToken, name: &str) -> Option<Vec<u8>> {
    let (name, mut value, mut size) = (wide(name), std::ptr::null(), 0);
    // SAFETY: the name ends with a zero, and the pointers are to locals.
    let answer = unsafe {
        import.GetCustomAttributeByName(owner, name.as_ptr(), &raw mut value, &raw mut size)
    };
    // SAFETY: the CLR has just given this address and size, and nothing was defined since.
    (answer == soglia_abi::hresult::S_OK).then(|| unsafe { bytes(value.cast(), size) })
}

/// The address of some body in this module.
pub fn some_rva(import: &IMetaDataImport) -> Option<u32> {
    (0x0600_0001..0x0700_0000)
        .map(MdToken)
        // SAFETY: the CLR checks the token.
        .take_while(|token| unsafe { import.IsValidToken(*token) }.as_bool())
        .find_map(|token| {
            Before::of(import, token)
                .ok()
                .map(|b| b.rva)
                .filter(|rva| *rva != 0)
        })
}
