//! Finds the definitions of the types that a signature names, also in other loaded modules.
//!
//! Asks only metadata and never the CLR's type loader, so that asking loads nothing. Types of
//! assemblies that are not loaded yet are unknown.

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::{
        info::{ICorProfilerInfo3, ICorProfilerModuleEnum},
        metadata::IMetaDataImport,
        metadata_assembly::IMetaDataAssemblyImport,
    },
};
use soglia_il::sig::{self, MethodSig};
use windows_core::Interface;

use crate::{
    arch::{FLOATS, INTEGERS},
    engine::Engine,
    metadata::{
        before::{bytes, enumerated, marshalling, wide},
        constants, string,
    },
};

/// A type, in the module that defines it.
#[derive(Clone)]
pub struct Type {
    /// The metadata of that module.
    pub import: IMetaDataImport,
    /// Its TypeDef.
    pub token: MdToken,
}

/// The names of the values of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enumeration {
    /// Names and values.
    pub names: Vec<(String, i64)>,
    /// Whether values have a sign.
    pub is_signed: bool,
    /// Bytes of a value.
    pub size: usize,
}

/// The most levels of structs within structs that are followed.
const DEEPEST: u32 = 32;
/// The largest size in bytes that is accepted. Programs pass nothing larger on the stack.
const MOST_STACK: usize = 16 << 10;

/// Bytes of a pointer. Each argument on the stack is rounded up to it.
const WORD: usize = 8;

impl Type {
    /// The type of a token: a TypeDef, or a TypeRef that leads to a loaded module.
    pub fn of(engine: &Engine, import: &IMetaDataImport, token: MdToken) -> Option<Self> {
        match token.table() {
            0x02 => Some(Self {
                import: import.clone(),
                token,
            }),
            0x01 => Self::of_reference(engine, import, token),
            _ => None,
        }
    }

    fn of_reference(engine: &Engine, import: &IMetaDataImport, token: MdToken) -> Option<Self> {
        let (scope, name) = type_ref(import, token)?;
        match scope.table() {
            // A nested type: the scope is the type around it.
            0x01 => {
                let outer = Self::of_reference(engine, import, scope)?;
                find(&outer.import, &name, outer.token)
            }
            // The scope is this module, or another module of its assembly, which .NET no longer
            // has.
            0x00 | 0x1A => find(import, &name, MdToken(0)),
            0x23 => {
                let wanted = assembly_ref(import, scope)?;
                let named = loaded(engine, &wanted);
                // Most types of the framework's facade assemblies are forwarded to CoreLib.
                let corelib = (wanted != CORELIB).then(|| loaded(engine, CORELIB));
                named
                    .into_iter()
                    .chain(corelib.into_iter().flatten())
                    .find_map(|module| find(&module, &name, MdToken(0)))
            }
            _ => None,
        }
    }

    fn name_and_base(&self) -> Option<(String, MdToken)> {
        let mut base = MdToken::default();
        let nothing = std::ptr::null_mut();
        let name = string(|buffer, size, needed| {
            // SAFETY: the buffer is as large as said. The pointers are to a local, or null, which
            // asks for nothing.
            let answer = unsafe {
                self.import.GetTypeDefProps(
                    self.token,
                    buffer,
                    size,
                    needed,
                    nothing,
                    &raw mut base,
                )
            };
            answer.is_ok()
        })?;
        Some((name, base))
    }

    fn base_name(&self) -> Option<String> {
        let (_, base) = self.name_and_base()?;
        match base.table() {
            _ if base.is_nil() => None,
            0x01 => type_ref(&self.import, base).map(|(_, name)| name),
            0x02 => {
                let import = self.import.clone();
                let base = Self {
                    import,
                    token: base,
                };
                base.name_and_base().map(|(name, _)| name)
            }
            _ => None,
        }
    }

    /// The instance fields: their types, and their marshalling, if it is given.
    pub fn fields(&self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        const STATIC: u32 = 0x10;
        let fields = enumerated(&self.import, |handle, into, room, count| {
            // SAFETY: `enumerated` passes a valid handle, and a buffer of the size that it says.
            unsafe {
                self.import
                    .EnumFields(handle, self.token, into, room, count)
            }
        });
        let field = |token: MdToken| {
            let (mut flags, mut blob, mut size) = (0, std::ptr::null(), 0);
            let nothing: *mut u8 = std::ptr::null_mut();
            // SAFETY: the field is of this module. The pointers are to locals, or null, which asks
            // for nothing.
            let answer = unsafe {
                self.import.GetFieldProps(
                    token,
                    nothing.cast(),
                    nothing.cast(),
                    0,
                    nothing.cast(),
                    &raw mut flags,
                    &raw mut blob,
                    &raw mut size,
                    nothing.cast(),
                    nothing.cast(),
                    nothing.cast(),
                )
            };
            if answer.is_err() || flags & STATIC != 0 {
                return None;
            }
            // SAFETY: the CLR has just given this address and size of its metadata, which stay in
            // place while nothing is added to them.
            let blob = unsafe { bytes(blob, size) };
            // The first byte marks the signature as a field's.
            let field = blob.get(1..)?.to_vec();
            Some((field, marshalling(&self.import, token)))
        };
        fields.into_iter().filter_map(field).collect()
    }

    /// The names of its values, if it is an enumeration.
    pub fn enumeration(&self) -> Option<Enumeration> {
        if self.base_name()? != "System.Enum" {
            return None;
        }
        let (of, _) = self.fields().into_iter().next()?;
        let (kind, _) = sig::strip(&of)?;
        let names = constants(&self.import, self.token);
        Some(Enumeration {
            names,
            is_signed: matches!(kind, 0x04 | 0x06 | sig::INT32 | sig::INT64),
            size: match kind {
                sig::BOOLEAN | 0x04 | 0x05 => 1,
                sig::CHARACTER | 0x06 | 0x07 => 2,
                sig::INT32 | sig::UINT32 => 4,
                _ => WORD,
            },
        })
    }

    /// The size that the metadata demand; 0 if they demand none.
    fn demanded_size(&self) -> usize {
        let (mut pack, mut count, mut size) = (0, 0, 0);
        // SAFETY: the type is of this module, and the pointers are to locals. There is no room for
        // offsets, which the null pointer says.
        let answer = unsafe {
            self.import.GetClassLayout(
                self.token,
                &raw mut pack,
                std::ptr::null_mut(),
                0,
                &raw mut count,
                &raw mut size,
            )
        };
        if answer.is_ok() { size as usize } else { 0 }
    }

    /// The most bytes that a value takes in native memory. `None`: unknown, or beyond the limit.
    fn native_size(&self, engine: &Engine, depth: u32) -> Option<usize> {
        let depth = depth.checked_sub(1)?;
        if self.base_name()? == "System.Enum" {
            return Some(WORD);
        }
        let inline = "System.Runtime.CompilerServices.InlineArrayAttribute";
        if crate::metadata::before::has_attribute(&self.import, self.token, inline) {
            return None;
        }
        let mut total = 0_usize;
        for (field, marshalling) in self.fields() {
            let size = match marshalling.as_deref().map(inline_array) {
                Some(Some(count)) => count.checked_mul(WORD)?,
                _ => size_of(engine, &self.import, &field, depth)?,
            };
            total = total.checked_add(size)?;
        }
        Some(total.max(self.demanded_size()).max(1)).filter(|size| *size <= MOST_STACK)
    }
}

/// The assembly with the types that the runtime itself uses.
pub const CORELIB: &str = "System.Private.CoreLib";

/// The number of elements of an array or a string inside a struct, from the bytes of its
/// marshalling.
fn inline_array(marshalling: &[u8]) -> Option<usize> {
    const BY_VALUE_STRING: u8 = 0x17;
    const BY_VALUE_ARRAY: u8 = 0x1E;
    match marshalling.split_first() {
        Some((&(BY_VALUE_STRING | BY_VALUE_ARRAY), count)) => {
            Some(sig::unsigned(count).map_or(1, |(count, _)| count as usize))
        }
        _ => None,
    }
}

/// The most bytes that a value of this type takes, rounded up to a word.
fn size_of(engine: &Engine, import: &IMetaDataImport, of: &[u8], depth: u32) -> Option<usize> {
    let (kind, rest) = sig::strip(of)?;
    match kind {
        // A VARIANT, where objects are marshalled at all.
        sig::OBJECT => Some(3 * WORD),
        sig::VALUE_TYPE => {
            let token = sig::type_token(rest)?;
            let size = Type::of(engine, import, token)?.native_size(engine, depth)?;
            Some(size.next_multiple_of(WORD))
        }
        // The size of a generic struct depends on its type arguments.
        sig::INSTANCE if rest.first() == Some(&sig::VALUE_TYPE) => None,
        sig::TYPE_VARIABLE | sig::METHOD_VARIABLE | sig::TYPED_REFERENCE => None,
        _ => Some(WORD),
    }
}

/// Whether values of this type are delegates.
pub fn is_delegate(engine: &Engine, import: &IMetaDataImport, of: &[u8]) -> bool {
    let Some((mut kind, mut rest)) = sig::strip(of) else {
        return false;
    };
    if kind == sig::BYREF
        && let Some(inner) = sig::strip(rest)
    {
        (kind, rest) = inner;
    }
    if kind != sig::CLASS {
        return false;
    }
    let class = sig::type_token(rest).and_then(|token| Type::of(engine, import, token));
    let base = class.and_then(|class| class.base_name());
    base.as_deref() == Some("System.MulticastDelegate")
}

/// The most bytes of arguments that a call of this signature passes on the stack. `None`: that
/// cannot be determined.
pub fn stack_of(engine: &Engine, import: &IMetaDataImport, signature: &MethodSig) -> Option<usize> {
    let (mut integers, mut floats, mut structs, mut scalars) = (0_usize, 0_usize, 0_usize, 0_usize);
    for param in signature.params() {
        scalars += 1;
        match sig::strip(param)?.0 {
            sig::R4 | sig::R8 => floats += 1,
            sig::VALUE_TYPE
            | sig::OBJECT
            | sig::TYPE_VARIABLE
            | sig::METHOD_VARIABLE
            | sig::INSTANCE
            | sig::TYPED_REFERENCE => {
                let size = size_of(engine, import, param, DEEPEST)?;
                // A struct of one word is passed as an integer or as a float, so both are assumed.
                // A vector is aligned to 16 bytes.
                structs = structs.checked_add(size + WORD)?;
            }
            _ => integers += 1,
        }
    }
    let all = if structs == 0 {
        // The address of the result takes a register.
        WORD * ((integers + 1).saturating_sub(INTEGERS) + floats.saturating_sub(FLOATS))
    } else {
        structs.checked_add(WORD * scalars)?
    };
    Some(all.next_multiple_of(16)).filter(|size| *size <= MOST_STACK)
}

/// Whether the result goes into the caller's memory: a struct of more than two words does.
pub fn returns_in_memory(engine: &Engine, import: &IMetaDataImport, of: &MethodSig) -> bool {
    let is_struct = sig::strip(of.ret()).is_some_and(|(kind, _)| kind == sig::VALUE_TYPE);
    is_struct && size_of(engine, import, of.ret(), DEEPEST).is_none_or(|size| size > 2 * WORD)
}

fn type_ref(import: &IMetaDataImport, token: MdToken) -> Option<(MdToken, String)> {
    let mut scope = MdToken::default();
    let name = string(|buffer, size, needed| {
        // SAFETY: the buffer is as large as said, and the pointers are to locals.
        let answer = unsafe { import.GetTypeRefProps(token, &raw mut scope, buffer, size, needed) };
        answer.is_ok()
    })?;
    Some((scope, name))
}

/// The name of the assembly to which a reference to a type leads.
pub fn assembly_of(import: &IMetaDataImport, mut class: MdToken) -> Option<String> {
    // The scope of a nested type is the type around it.
    for _ in 0..DEEPEST {
        if class.table() != 0x01 {
            break;
        }
        class = type_ref(import, class)?.0;
    }
    (class.table() == 0x23).then(|| assembly_ref(import, class))?
}

fn assembly_ref(import: &IMetaDataImport, token: MdToken) -> Option<String> {
    let import = import.cast::<IMetaDataAssemblyImport>().ok()?;
    let nothing: *mut u8 = std::ptr::null_mut();
    string(|buffer, size, needed| {
        // SAFETY: the buffer is as large as said. Null pointers ask for nothing.
        let answer = unsafe {
            import.GetAssemblyRefProps(
                token,
                nothing.cast(),
                nothing.cast(),
                buffer,
                size,
                needed,
                nothing.cast(),
                nothing.cast(),
                nothing.cast(),
                nothing.cast(),
            )
        };
        answer.is_ok()
    })
}

fn find(import: &IMetaDataImport, name: &str, outer: MdToken) -> Option<Type> {
    let (name, mut token) = (wide(name), MdToken::default());
    // SAFETY: the name ends with a zero, and the pointer is to a local. The nil token means that no
    // type encloses it.
    let answer = unsafe { import.FindTypeDefByName(name.as_ptr(), outer, &raw mut token) };
    answer.is_ok().then(|| Type {
        import: import.clone(),
        token,
    })
}

/// The metadata of all loaded modules of assemblies of this name.
fn loaded(engine: &Engine, name: &str) -> Vec<IMetaDataImport> {
    let modules = modules(engine).unwrap_or_default();
    let named = modules
        .into_iter()
        .filter(|module| engine.assembly(*module).is_some_and(|(of, _)| of == name));
    named
        .filter_map(|module| metadata_of(engine, module))
        .collect()
}

/// The metadata of a module, for reading.
pub fn metadata_of(engine: &Engine, module: ModuleId) -> Option<IMetaDataImport> {
    let (mut scope, iid) = (std::ptr::null_mut(), &IMetaDataImport::IID);
    // SAFETY: the module is loaded, and the pointer is to a local.
    let answer = unsafe {
        engine
            .info
            .GetModuleMetaData(module, 0, iid, &raw mut scope)
    };
    if answer.is_err() || scope.is_null() {
        return None;
    }
    // SAFETY: on success the CLR returns a counted reference to the interface that was asked for.
    Some(unsafe { IMetaDataImport::from_raw(scope) })
}

/// The modules that are loaded.
pub fn modules(engine: &Engine) -> Option<Vec<ModuleId>> {
    let info = engine.info.cast::<ICorProfilerInfo3>().ok()?;
    let mut all = std::ptr::null_mut();
    // SAFETY: the pointer is to a local.
    let answer = unsafe { info.EnumModules(&raw mut all) };
    if answer.is_err() || all.is_null() {
        return None;
    }
    // SAFETY: on success the CLR returns a counted reference to an enumerator.
    let all = unsafe { ICorProfilerModuleEnum::from_raw(all) };
    let mut modules = Vec::new();
    loop {
        let (mut some, mut count) = ([ModuleId::NULL; 64], 0);
        // SAFETY: the buffer has room for that many, and the pointer is to a local.
        let answer = unsafe { all.Next(64, some.as_mut_ptr(), &raw mut count) };
        modules.extend(some.iter().take(count as usize));
        if answer.is_err() || count < 64 {
            return Some(modules);
        }
    }
}
