//! What a method takes, in letters: `u4` an unsigned number of four bytes, `i4` a signed one, `p` a
//! pointer, and behind the `p` what it points to, if that is a number or a pointer again. C++ says
//! the same in `words.hpp`.
//!
//! The letters come from the name that the compiler gives to the type of a vtable's slot. A trait
//! on that type would not do: types of functions with lifetimes in their parameters match no
//! generic implementation.

use soglia_abi::hosting::{
    control::*, debug::*, gc::*, memory::*, metahost::*, policy::*, security::*, types::*,
};

/// The letters of a type of function: `i4(u4,pu2)`. The object itself is left out.
fn word_of_function(function: &str) -> String {
    let function = match function.split_once("unsafe extern \"system\" fn(") {
        Some((_lifetimes, rest)) => rest,
        None => panic!("not a method: {function}"),
    };
    let (parameters, rest) = parts(function);
    let [_this, parameters @ ..] = &parameters[..] else {
        panic!("a method without an object: {function}");
    };
    let words: Vec<_> = parameters.iter().map(|it| word(it)).collect();
    let result = rest.trim().strip_prefix("->").map(str::trim);
    format!(
        "{}({})",
        result.map(word).unwrap_or_default(),
        words.join(",")
    )
}

/// Splits at the commas up to the bracket that is open, and gives what is behind it.
fn parts(text: &str) -> (Vec<&str>, &str) {
    let (mut depth, mut begin, mut parts) = (0, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '<' | '[' => depth += 1,
            ')' | '>' | ']' if depth == 0 => {
                if !text[begin..at].trim().is_empty() {
                    parts.push(text[begin..at].trim());
                }
                return (parts, &text[at + 1..]);
            }
            // Of `->`.
            '>' if text[..at].ends_with('-') => {}
            ')' | '>' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    panic!("a bracket without an end: {text}");
}

fn word(name: &str) -> String {
    if let Some(inside) = name.strip_prefix("*mut ").or(name.strip_prefix("*const ")) {
        return format!("p{}", word(inside));
    }
    let (name, inside) = match name.split_once('<') {
        Some((name, arguments)) => (name, parts(arguments).0),
        None => (name, Vec::new()),
    };
    // Without its path, and without lifetimes.
    let name = name.rsplit("::").next().unwrap_or(name);
    let inside: Vec<_> = inside
        .into_iter()
        .filter(|argument| !argument.starts_with('\''))
        .collect();
    match (name, &inside[..]) {
        ("Out" | "InOut" | "In" | "Array" | "Buffer", [inside]) => format!("p{}", word(inside)),
        ("Lent", [_interface]) => "p".to_owned(),
        ("Wide", []) => "pu2".to_owned(),
        ("Option", [function]) if function.contains("fn(") => "p".to_owned(),
        ("i8" | "u8" | "i16" | "u16" | "i32" | "u32" | "i64" | "u64", []) => {
            let (sign, bits) = name.split_at(1);
            format!("{sign}{}", bits.parse::<usize>().expect("bits") / 8)
        }
        ("usize", []) => "u8".to_owned(),
        ("isize", []) => "i8".to_owned(),
        ("BOOL" | "HRESULT", []) => "i4".to_owned(),
        ("c_void" | "GUID", []) => String::new(),
        (
            "COR_GC_STATS"
            | "COR_GC_THREAD_STATS"
            | "BucketParameters"
            | "CustomDumpItem"
            | "AssemblyBindInfo"
            | "ModuleBindInfo"
            | "STATSTG",
            [],
        ) => String::new(),
        (
            "EApiCategories"
            | "EClrEvent"
            | "EClrFailure"
            | "EClrOperation"
            | "EClrUnhandledException"
            | "EContextType"
            | "ECustomDumpFlavor"
            | "EInitializeNewDomainFlags"
            | "EMemoryAvailable"
            | "EMemoryCriticalLevel"
            | "EPolicyAction"
            | "ESymbolReadingPolicy"
            | "ETaskType"
            | "METAHOST_POLICY_FLAGS",
            [],
        ) => "u4".to_owned(),
        _ => panic!("{name} {inside:?}: no word for this type"),
    }
}

/// Of a vtable's slot, named by a function that picks it.
pub fn signature<Vtable, Slot>(_: impl Fn(&Vtable) -> &Slot) -> String {
    word_of_function(std::any::type_name::<Slot>())
}

#[test]
fn words_are_read_from_names_of_types() {
    use soglia_abi::HRESULT;
    use soglia_abi::hosting::clr_task::ICLRTask;
    use soglia_abi::param::{Array, Buffer, In, InOut, Lent, Out, Wide};
    use std::ffi::{c_char, c_void};

    type Raw = unsafe extern "system" fn(*mut c_void, u32, *mut *const u16, *mut c_char) -> HRESULT;
    type Wrapped = unsafe extern "system" fn(
        *mut c_void,
        Out<'_, *mut c_void>,
        InOut<'_, u64>,
        In<'_, COR_GC_STATS>,
        Lent<'_, ICLRTask>,
        Wide<'_>,
        Array<'_, Wide<'_>>,
        Buffer<'_, u16>,
        Option<FExecuteInAppDomainCallback>,
        Option<RuntimeLoadedCallbackFnPtr>,
        HANDLE,
        ETaskType,
    ) -> HRESULT;
    let c_char = if c_char::MIN == 0 { "u1" } else { "i1" };
    for (name, expected) in [
        (
            std::any::type_name::<Raw>(),
            format!("i4(u4,ppu2,p{c_char})"),
        ),
        (
            std::any::type_name::<Wrapped>(),
            "i4(pp,pu8,p,p,pu2,ppu2,pu2,p,p,p,u4)".to_owned(),
        ),
        (
            std::any::type_name::<unsafe extern "system" fn(*mut c_void)>(),
            "()".to_owned(),
        ),
    ] {
        assert_eq!(word_of_function(name), expected, "{name}");
    }
}

/// A number, as C's `unsigned` has it.
pub trait Number {
    fn number(self) -> u32;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn number(self) -> u32 {
                self.0
            }
        }
    )*};
}
numbers! { BucketParameterIndex, EApiCategories, EClrEvent, EClrFailure, EClrOperation, EClrUnhandledException,
EContextType, ECustomDumpFlavor, ECustomDumpItemKind, EInitializeNewDomainFlags, EMemoryAvailable, EMemoryCriticalLevel,
EPolicyAction, ESymbolReadingPolicy, ETaskType, HOST_TYPE, METAHOST_CONFIG_FLAGS, METAHOST_POLICY_FLAGS,
RUNTIME_INFO_FLAGS, StackOverflowType }

impl Number for u32 {
    fn number(self) -> u32 {
        self
    }
}

impl Number for i32 {
    fn number(self) -> u32 {
        self as u32
    }
}

impl Number for usize {
    fn number(self) -> u32 {
        self.try_into().expect("small")
    }
}
