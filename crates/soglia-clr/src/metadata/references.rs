//! Resolves the references in a module's code: types, methods, fields.

use soglia_abi::{
    ids::MdToken,
    profiler::{metadata::IMetaDataImport, metadata_import2::IMetaDataImport2},
};
use soglia_il::sig::TypeSpec;
use windows_core::Interface;

use super::before::{bytes, cut, wide};

const TYPE_DEF_TABLE: u8 = 0x02;
const METHOD_DEF_TABLE: u8 = 0x06;
const MEMBER_REF_TABLE: u8 = 0x0A;
const TYPE_SPEC_TABLE: u8 = 0x1B;
const METHOD_SPEC_TABLE: u8 = 0x2B;
const TYPE_REF: u32 = 0x0100_0000;
const TABLE: u32 = 0xFF00_0000;

pub fn type_flags(import: &IMetaDataImport, class: MdToken) -> u32 {
    let mut flags = 0;
    let nothing = std::ptr::null_mut();
    // SAFETY: the pointers are to a local, or null, which asks for nothing.
    let _ = unsafe {
        import.GetTypeDefProps(
            class,
            nothing,
            0,
            nothing.cast(),
            &raw mut flags,
            nothing.cast(),
        )
    };
    flags
}

pub fn field_class(import: &IMetaDataImport, field: MdToken) -> Option<MdToken> {
    let mut class = MdToken(0);
    let nothing: *mut u32 = std::ptr::null_mut();
    // SAFETY: the pointers are to a local, or null, which asks for nothing.
    let answer = unsafe {
        import.GetFieldProps(
            field,
            &raw mut class,
            nothing.cast(),
            0,
            nothing,
            nothing,
            nothing.cast(),
            nothing,
            nothing,
            nothing.cast(),
            nothing,
        )
    };
    answer.is_ok().then_some(class)
}

/// The type that a reference to a member names, the member's name without a terminating zero, and
/// its signature.
pub fn member_ref(
    import: &IMetaDataImport,
    token: MdToken,
) -> Option<(MdToken, Vec<u16>, Vec<u8>)> {
    let (mut parent, mut length) = (MdToken(0), 0);
    let (mut blob, mut size) = (std::ptr::null(), 0);
    let mut name = vec![0_u16; 1024];
    // SAFETY: the buffer is as large as said, and the pointers are to locals.
    let answer = unsafe {
        import.GetMemberRefProps(
            token,
            &raw mut parent,
            name.as_mut_ptr(),
            name.len() as u32,
            &raw mut length,
            &raw mut blob,
            &raw mut size,
        )
    };
    cut(&mut name);
    // SAFETY: the CLR has just given this address and size of its metadata, which stay in place
    // while nothing is added to them.
    answer
        .is_ok()
        .then(|| (parent, name, unsafe { bytes(blob, size) }))
}

/// The meaning of a TypeSpec, if it is one of these.
pub fn type_spec(import: &IMetaDataImport, token: MdToken) -> Option<TypeSpec> {
    let (mut blob, mut size) = (std::ptr::null(), 0);
    // SAFETY: the CLR checks the token, and the pointers are to locals.
    let answer = unsafe { import.GetTypeSpecFromToken(token, &raw mut blob, &raw mut size) };
    if answer.is_err() {
        return None;
    }
    // SAFETY: the CLR has just given this address and size of its metadata, which stay in place
    // while nothing is added to them.
    TypeSpec::parse(&unsafe { bytes(blob, size) })
}

/// The method of this module that a token in code names, without its type arguments. `None`: it is
/// one of another module.
pub fn own_method(import: &IMetaDataImport, token: MdToken) -> Option<MdToken> {
    match token.table() {
        METHOD_DEF_TABLE => Some(token),
        METHOD_SPEC_TABLE => {
            let (mut parent, mut blob, mut size) = (MdToken::default(), std::ptr::null(), 0);
            let import2: IMetaDataImport2 = import.cast().ok()?;
            // SAFETY: the CLR checks the token, and the pointers are to locals.
            let answer = unsafe {
                import2.GetMethodSpecProps(token, &raw mut parent, &raw mut blob, &raw mut size)
            };
            answer.ok().ok()?;
            (parent.table() != METHOD_SPEC_TABLE).then(|| own_method(import, parent))?
        }
        MEMBER_REF_TABLE => {
            let (mut class, name, signature) = member_ref(import, token)?;
            if class.table() == METHOD_DEF_TABLE {
                // With variable arguments.
                return Some(class);
            }
            if class.table() == TYPE_SPEC_TABLE {
                class = match type_spec(import, class)? {
                    TypeSpec::Instance(of, _) => of,
                    _ => return None,
                };
            }
            if class.table() != TYPE_DEF_TABLE {
                return None;
            }
            let (name, mut method) = (name.into_iter().chain([0]), MdToken::default());
            let name: Vec<u16> = name.collect();
            // SAFETY: the name ends with a zero, the signature is as long as said, and the pointer
            // is to a local.
            let answer = unsafe {
                import.FindMethod(
                    class,
                    name.as_ptr(),
                    signature.as_ptr(),
                    signature.len() as u32,
                    &raw mut method,
                )
            };
            answer.is_ok().then_some(method)
        }
        _ => None,
    }
}

/// `Namespace.Type`, with nested types as reflection writes them.
pub fn type_ref(import: &IMetaDataImport, token: MdToken, depth: u32) -> Option<String> {
    let (mut scope, mut length) = (MdToken(0), 0);
    let mut name = vec![0_u16; 1024];
    // SAFETY: the buffer is as large as said, and the pointers are to locals.
    let answer = unsafe {
        import.GetTypeRefProps(
            token,
            &raw mut scope,
            name.as_mut_ptr(),
            name.len() as u32,
            &raw mut length,
        )
    };
    cut(&mut name);
    let name = String::from_utf16_lossy(&name);
    if answer.is_err() || depth > 8 {
        return None;
    }
    if scope.0 & TABLE == TYPE_REF {
        return Some(format!("{}+{name}", type_ref(import, scope, depth + 1)?));
    }
    Some(name)
}

/// A type of this module by its name, with nested types as reflection writes them.
pub fn type_def(import: &IMetaDataImport, class: &str) -> Option<MdToken> {
    let mut token = MdToken(0);
    for name in class.split('+') {
        let (name, outer) = (wide(name), token);
        // SAFETY: the name ends with a zero, and the pointer is to a local. The nil token means
        // that no type encloses it.
        let answer = unsafe { import.FindTypeDefByName(name.as_ptr(), outer, &raw mut token) };
        if answer.is_err() {
            return None;
        }
    }
    Some(token)
}
