//! What a module's metadata say before they are changed, in copies: pointers into metadata go stale when something is defined.

use soglia_abi::{HRESULT, ids::MdToken, profiler::metadata::IMetaDataImport};

use super::sig;

/// A metadata call that failed.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) call: &'static str,
    pub(super) code: HRESULT,
}

impl Error {
    /// Something is larger than a signature or a body can hold.
    pub(super) const UNWRITABLE: Self = Self {
        call: "writing a signature or a body",
        code: soglia_abi::hresult::E_INVALIDARG,
    };
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} answered {:#010x}", self.call, self.code.0)
    }
}

pub(super) fn check(call: &'static str, code: HRESULT) -> Result<(), Error> {
    if code.is_ok() {
        Ok(())
    } else {
        Err(Error { call, code })
    }
}

pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A method as it was. Copies: pointers into metadata go stale when something is defined.
pub(super) struct Before {
    /// Without a zero at its end.
    pub(super) name: Vec<u16>,
    pub(super) class: MdToken,
    pub(super) flags: u32,
    pub(super) impl_flags: u32,
    pub(super) rva: u32,
    pub(super) signature: Vec<u8>,
}

impl Before {
    pub(super) fn of(import: &IMetaDataImport, token: MdToken) -> Result<Self, Error> {
        let mut class = MdToken::default();
        let (mut flags, mut impl_flags, mut rva) = (0, 0, 0);
        let (mut signature, mut size) = (std::ptr::null(), 0);
        let mut name = vec![0_u16; 1024];
        let mut length = 0;
        // SAFETY: a buffer of that size, pointers to locals.
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
        // SAFETY: the metadata are that long there, now.
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

pub(super) struct Import {
    /// Zero-terminated.
    pub(super) entry: Vec<u16>,
    pub(super) library: MdToken,
    pub(super) flags: u32,
}

impl Import {
    pub(super) fn of(import: &IMetaDataImport, token: MdToken) -> Result<Self, Error> {
        let mut entry = vec![0_u16; 1024];
        let (mut flags, mut length, mut library) = (0, 0, MdToken::default());
        // SAFETY: a buffer of that size, pointers to locals.
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
        if entry.is_empty() {
            entry = Before::of(import, token)?.name;
        }
        entry.push(0);
        Ok(Self {
            entry,
            library,
            flags,
        })
    }
}

pub(super) struct Parameter {
    /// Zero-terminated.
    pub(super) name: Vec<u16>,
    pub(super) sequence: u32,
    pub(super) flags: u32,
}

impl Parameter {
    pub(super) fn of(import: &IMetaDataImport, token: MdToken) -> Result<Self, Error> {
        let mut name = vec![0_u16; 1024];
        let (mut sequence, mut flags, mut length) = (0, 0, 0);
        let nothing: *mut u8 = std::ptr::null_mut();
        // SAFETY: a buffer of that size, pointers to locals, null where nothing is asked.
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

pub(super) fn cut(name: &mut Vec<u16>) {
    let end = name
        .iter()
        .position(|unit| *unit == 0)
        .unwrap_or(name.len());
    name.truncate(end);
}

/// A copy of metadata.
///
/// # Safety
/// `from` is null or that long.
pub(super) unsafe fn bytes(from: *const u8, size: u32) -> Vec<u8> {
    if from.is_null() {
        return Vec::new();
    }
    // SAFETY: by the contract.
    unsafe { std::slice::from_raw_parts(from, size as usize) }.to_vec()
}

pub(super) fn marshalling(import: &IMetaDataImport, parameter: MdToken) -> Option<Vec<u8>> {
    let (mut native, mut size) = (std::ptr::null(), 0);
    // SAFETY: a parameter of this module, pointers to locals.
    let answer = unsafe { import.GetFieldMarshal(parameter, &raw mut native, &raw mut size) };
    // SAFETY: the metadata are that long there, now.
    answer.is_ok().then(|| unsafe { bytes(native, size) })
}

/// Goes through a metadata enumeration.
pub(super) fn enumerated(
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
    // SAFETY: a handle that the calls above have made, or null.
    unsafe { import.CloseEnum(handle) };
    all
}

pub(super) fn parameters(import: &IMetaDataImport, method: MdToken) -> Vec<MdToken> {
    enumerated(import, |handle, into, room, count| {
        // SAFETY: the pointers that `enumerated` passes are good.
        unsafe { import.EnumParams(handle, method, into, room, count) }
    })
}

pub(super) fn attributes(import: &IMetaDataImport, owner: MdToken) -> Vec<MdToken> {
    enumerated(import, |handle, into, room, count| {
        // SAFETY: the pointers that `enumerated` passes are good; the nil type stands for all.
        unsafe { import.EnumCustomAttributes(handle, owner, MdToken(0), into, room, count) }
    })
}

/// Whether something has a custom attribute of this type.
pub(super) fn has_attribute(import: &IMetaDataImport, owner: MdToken, name: &str) -> bool {
    let (name, mut value, mut size) = (wide(name), std::ptr::null(), 0);
    // SAFETY: a zero-terminated name, pointers to locals.
    let answer = unsafe {
        import.GetCustomAttributeByName(owner, name.as_ptr(), &raw mut value, &raw mut size)
    };
    answer == soglia_abi::hresult::S_OK
}

/// The address of some body of this module.
pub(super) fn some_rva(import: &IMetaDataImport) -> Option<u32> {
    (0x0600_0001..0x0700_0000)
        .map(MdToken)
        // SAFETY: any token may be asked about.
        .take_while(|token| unsafe { import.IsValidToken(*token) }.as_bool())
        .find_map(|token| {
            Before::of(import, token)
                .ok()
                .map(|b| b.rva)
                .filter(|rva| *rva != 0)
        })
}

/// Whether a parameter is of a delegate type of this module: callbacks through it are not woven around.
pub(super) fn is_delegate(import: &IMetaDataImport, parameter: &[u8]) -> bool {
    const CLASS: u8 = 0x12;
    let Some((&CLASS, class)) = parameter.split_first() else {
        return false;
    };
    // A coded token: the low two bits are 0 for a type that is defined here.
    let Some((coded, _)) = sig::unsigned(class).filter(|(coded, _)| coded & 3 == 0) else {
        return false;
    };
    let nothing: *mut u8 = std::ptr::null_mut();
    let mut base = MdToken::default();
    // SAFETY: a type of this module, a pointer to a local, null where nothing is asked.
    let answer = unsafe {
        let class = MdToken(0x0200_0000 | coded >> 2);
        import.GetTypeDefProps(
            class,
            nothing.cast(),
            0,
            nothing.cast(),
            nothing.cast(),
            &raw mut base,
        )
    };
    if answer.is_err() {
        return false;
    }
    let mut name = [0_u16; 64];
    let mut length = 0;
    // SAFETY: a token of this module, a buffer of that size, pointers to locals.
    let answer = unsafe {
        let (scope, room) = (nothing.cast(), name.len() as u32);
        import.GetTypeRefProps(base, scope, name.as_mut_ptr(), room, &raw mut length)
    };
    answer.is_ok() && name.starts_with(&wide("System.MulticastDelegate"))
}
