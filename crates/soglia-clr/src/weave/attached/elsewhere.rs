//! Finds references of a module to P/Invokes of other modules.

use std::collections::{HashMap, HashSet};

use soglia_abi::{
    ids::MdToken,
    profiler::{metadata::IMetaDataImport, metadata_assembly::IMetaDataAssemblyImport},
};
use soglia_il::sig::{MethodSig, TypeSpec};
use windows_core::Interface;

use super::known::{Known, Place};
use crate::metadata::{
    references::{member_ref, type_ref, type_spec},
    string,
};

const TYPE_REF: u8 = 0x01;
const ASSEMBLY_REF: u8 = 0x23;
const EXPORTED_TYPE: u8 = 0x27;

/// The names of the assemblies that a module refers to.
pub(super) fn assemblies(import: &IMetaDataImport) -> HashSet<String> {
    let Ok(import) = import.cast::<IMetaDataAssemblyImport>() else {
        return HashSet::new();
    };
    let tokens = (0x2300_0001..0x2400_0000).map(MdToken);
    tokens.map_while(|token| assembly(&import, token)).collect()
}

fn assembly(import: &IMetaDataAssemblyImport, token: MdToken) -> Option<String> {
    let nothing = std::ptr::null_mut::<u32>();
    string(|buffer, size, needed| {
        // SAFETY: the CLR checks the token. The buffer is as large as said, and null pointers ask
        // for nothing.
        let answer = unsafe {
            import.GetAssemblyRefProps(
                token,
                nothing.cast(),
                nothing,
                buffer,
                size,
                needed,
                nothing.cast(),
                nothing.cast(),
                nothing,
                nothing,
            )
        };
        answer.is_ok()
    })
}

/// The methods of the framework that make something callable of a method which they get.
const MAKERS: [(&str, &str); 6] = [
    ("System.Reflection.MethodInfo", "CreateDelegate"),
    ("System.Delegate", "CreateDelegate"),
    ("System.Reflection.MethodInvoker", "Create"),
    ("System.RuntimeMethodHandle", "GetFunctionPointer"),
    ("System.Reflection.Emit.DynamicMethod", ".ctor"),
    (
        "System.Reflection.Emit.AssemblyBuilder",
        "DefineDynamicAssembly",
    ),
];
const COMPILES: &str = "Compile";

/// Whether a module may make something callable of a method by reflection.
pub(super) fn makes_by_reflection(import: &IMetaDataImport) -> bool {
    let tokens = (0x0A00_0001..0x0B00_0000).map(MdToken);
    // SAFETY: the CLR checks the token.
    let mut tokens = tokens.take_while(|token| unsafe { import.IsValidToken(*token) }.as_bool());
    tokens.any(|token| {
        let Some((parent, name, _)) = member_ref(import, token) else {
            return false;
        };
        let name = String::from_utf16_lossy(&name);
        if name == COMPILES {
            // Of `Expression<T>`.
            return is_expression(import, parent);
        }
        let mut makers = MAKERS.iter().filter(|(_, maker)| *maker == name);
        makers.any(|(class, _)| {
            parent.table() == TYPE_REF && type_ref(import, parent, 0).as_deref() == Some(class)
        })
    })
}

fn is_expression(import: &IMetaDataImport, class: MdToken) -> bool {
    let class = match type_spec(import, class) {
        Some(TypeSpec::Instance(of, _)) => of,
        _ => class,
    };
    let name = (class.table() == TYPE_REF).then(|| type_ref(import, class, 0));
    let name = name.flatten().unwrap_or_default();
    name.starts_with("System.Linq.Expressions.")
}

/// The types that a module forwards to other assemblies, as reflection writes them, and the names
/// of those assemblies.
pub(super) fn forwarded(import: &IMetaDataImport) -> HashMap<String, String> {
    let mut forwarded = HashMap::new();
    let Ok(import) = import.cast::<IMetaDataAssemblyImport>() else {
        return forwarded;
    };
    for token in (0x2700_0001..0x2800_0000).map(MdToken) {
        let Some((name, scope)) = exported(&import, token, 0) else {
            break;
        };
        if let Some(assembly) = scope.and_then(|scope| assembly(&import, scope)) {
            forwarded.insert(name, assembly);
        }
    }
    forwarded
}

/// The name of an exported type, and the assembly that has it, if that is another one. `None`:
/// there is no such type.
fn exported(
    import: &IMetaDataAssemblyImport,
    token: MdToken,
    depth: u32,
) -> Option<(String, Option<MdToken>)> {
    let (mut scope, nothing) = (MdToken::default(), std::ptr::null_mut::<u32>());
    let name = string(|buffer, size, needed| {
        // SAFETY: the CLR checks the token. The buffer is as large as said, the pointer is to a
        // local, and null pointers ask for nothing.
        let answer = unsafe {
            let scope = &raw mut scope;
            import.GetExportedTypeProps(token, buffer, size, needed, scope, nothing.cast(), nothing)
        };
        answer.is_ok()
    })?;
    match scope.table() {
        ASSEMBLY_REF => Some((name, Some(scope))),
        EXPORTED_TYPE if depth < 16 => {
            let (outer, scope) = exported(import, scope, depth + 1)?;
            Some((format!("{outer}+{name}"), scope))
        }
        _ => Some((name, None)),
    }
}

/// The references to watched P/Invokes of other modules, and what they refer to.
pub(super) fn references(known: &Known, import: &IMetaDataImport) -> HashMap<MdToken, Place> {
    let names: HashSet<&[u16]> = known
        .modules
        .values()
        .flat_map(|module| module.targets.values())
        .map(|target| target.name.as_slice())
        .collect();
    let mut found = HashMap::new();
    if names.is_empty() {
        return found;
    }
    let assemblies = import.cast::<IMetaDataAssemblyImport>().ok();
    let mut types: HashMap<MdToken, Option<(String, String)>> = HashMap::new();
    for token in (0x0A00_0001..0x0B00_0000).map(MdToken) {
        // SAFETY: the CLR checks the token.
        if !unsafe { import.IsValidToken(token) }.as_bool() {
            break;
        }
        let Some((parent, name, blob)) = member_ref(import, token) else {
            continue;
        };
        if parent.table() != TYPE_REF || !names.contains(name.as_slice()) {
            continue;
        }
        let of = types.entry(parent).or_insert_with(|| {
            let scope = scope_of(import, parent)?;
            let assembly = assembly(assemblies.as_ref()?, scope)?;
            Some((assembly, type_ref(import, parent, 0)?))
        });
        let (Some((assembly, class)), Some(signature)) = (of, MethodSig::parse(&blob)) else {
            continue;
        };
        if let Some(place) = known.target(assembly, class, &name, &signature.shape()) {
            found.insert(token, place);
        }
    }
    found
}

/// The assembly of a type that a module refers to.
fn scope_of(import: &IMetaDataImport, mut of: MdToken) -> Option<MdToken> {
    // Types nest no deeper.
    for _ in 0..16 {
        let (mut scope, mut length) = (MdToken::default(), 0);
        // SAFETY: the CLR checks the token. There is no buffer, and the pointers are to locals.
        let answer = unsafe {
            let nothing = std::ptr::null_mut();
            import.GetTypeRefProps(of, &raw mut scope, nothing, 0, &raw mut length)
        };
        if answer.is_err() {
            return None;
        }
        match scope.table() {
            TYPE_REF => of = scope,
            ASSEMBLY_REF => return Some(scope),
            _ => return None,
        }
    }
    None
}
