//! The signatures of P/Invokes, and what the runtime has to convert for them.

use std::ptr::null_mut;

use soglia_abi::{
    ids::MdToken,
    profiler::metadata_flags::{
        mdtTypeDef, mdtTypeRef, pdHasFieldMarshal, pdIn, pdOut, pmSupportsLastError,
    },
};
use soglia_core::trace::facts::Signature;
use soglia_il::sig::{self, MethodSig, type_token, unsigned};

use super::{
    before::{Before, ImportMap, Parameter, attribute, bytes, enumerated, marshalling, parameters},
    find,
    scope::{Scope, string},
};

const LIBRARY_IMPORT: &str = "System.Runtime.InteropServices.LibraryImportAttribute";
/// A named argument of that attribute, in bytes: a property, of type `bool`, with this name. Its
/// value follows.
const SET_LAST_ERROR: &[u8] = b"\x54\x02\x0CSetLastError";
/// A flag of a field.
const STATIC: u32 = 0x10;
/// How deep structs may nest.
const DEEPEST: u32 = 8;
/// The most bytes of the types of one method that are shown.
const MOST_TEXT: usize = 1000;

/// Types of other modules that are passed as they are.
const BLITTABLE: [&str; 6] = [
    "System.IntPtr",
    "System.UIntPtr",
    "System.Guid",
    "System.Runtime.InteropServices.CLong",
    "System.Runtime.InteropServices.CULong",
    "System.Runtime.InteropServices.NFloat",
];

/// What is said of one parameter, or of the result.
struct Passed<'a> {
    /// The type, with its modifiers.
    of: &'a [u8],
    flags: u32,
    is_result: bool,
}

impl Scope {
    /// The signature of a P/Invoke. `import` is the method that holds its import: the same, or the
    /// one that is called in its place.
    pub fn signature(&self, method: MdToken, import: MdToken) -> Option<Signature> {
        let inner = Before::of(self.itself(), method).ok()?;
        let generated_for = self.generated_for(method, &inner);
        let flags = ImportMap::of(self.itself(), import).map_or(0, |map| map.flags);
        let mut told = Signature {
            sets_last_error: flags & pmSupportsLastError != 0,
            is_blittable: true,
            is_generated: generated_for.is_some(),
            ..Signature::default()
        };
        let (method, before) = match generated_for {
            Some((outer, before, sets_last_error)) => {
                told.sets_last_error |= sets_last_error;
                (outer, before)
            }
            None => (method, inner),
        };
        let signature = MethodSig::parse(&before.signature)?;
        let mut flags = vec![0; signature.params().len() + 1];
        for parameter in parameters(self.itself(), method) {
            if let Ok(about) = Parameter::of(self.itself(), parameter)
                && let Some(flags) = flags.get_mut(about.sequence as usize)
            {
                *flags = about.flags;
            }
        }
        told.text = self.shown(signature.ret(), 0);
        told.text.push_str(" (");
        let types = std::iter::once(signature.ret()).chain(signature.params());
        for (n, (of, flags)) in types.zip(flags).enumerate() {
            if n > 1 {
                told.text.push_str(", ");
            }
            if n > 0 {
                told.text.push_str(&self.shown(of, flags));
            }
            let is_result = n == 0;
            self.judge(
                &mut told,
                &Passed {
                    of,
                    flags,
                    is_result,
                },
            );
            if told.text.len() > MOST_TEXT {
                told.text.push('…');
                break;
            }
        }
        told.text.push(')');
        Some(told)
    }

    /// The method for which `LibraryImport` has generated this one, and whether it asks for the
    /// last error.
    ///
    /// The generated P/Invoke is a local function: `<Name>g____PInvoke|0_0`.
    pub fn generated_for(
        &self,
        method: MdToken,
        inner: &Before,
    ) -> Option<(MdToken, Before, bool)> {
        let name = String::from_utf16_lossy(&inner.name);
        let (name, rest) = name.strip_prefix('<')?.split_once('>')?;
        rest.strip_prefix("g____PInvoke|")?;
        let count = |of: &[u8]| MethodSig::parse(of).map(|of| of.params().len());
        let wanted = count(&inner.signature);
        let alike = |all: Vec<(MdToken, Vec<u8>)>| {
            let alike = all.into_iter().filter(|(_, of)| count(of) == wanted);
            alike.map(|(token, _)| token).collect::<Vec<_>>()
        };
        let mut outer = alike(find::methods(self.itself(), inner.class, name));
        outer.retain(|token| attribute(self.itself(), *token, LIBRARY_IMPORT).is_some());
        let found = match outer[..] {
            [only] => only,
            // Overloads and what is generated for them have one order.
            _ => {
                let all = self.methods().filter(|token| {
                    Before::of(self.itself(), *token).is_ok_and(|other| {
                        other.class == inner.class
                            && count(&other.signature) == wanted
                            && String::from_utf16_lossy(&other.name)
                                .starts_with(&format!("<{name}>g____PInvoke|"))
                    })
                });
                let place = all.into_iter().position(|token| token == method)?;
                *outer.get(place)?
            }
        };
        let value = attribute(self.itself(), found, LIBRARY_IMPORT)?;
        let at = value
            .windows(SET_LAST_ERROR.len())
            .position(|some| some == SET_LAST_ERROR);
        let sets = at.and_then(|at| value.get(at + SET_LAST_ERROR.len()));
        let before = Before::of(self.itself(), found).ok()?;
        Some((found, before, sets == Some(&1)))
    }

    fn judge(&self, told: &mut Signature, passed: &Passed<'_>) {
        let marshals = passed.flags & pdHasFieldMarshal != 0;
        if marshals || !self.is_blittable(passed.of, DEEPEST) {
            told.is_blittable = false;
        }
        let Some((by_reference, of)) = referred(passed.of) else {
            return;
        };
        let (is_text, is_builder) = match sig::strip(of) {
            Some((sig::STRING, _)) => (true, false),
            Some((sig::ARRAY, rest)) => (matches!(sig::strip(rest), Some((sig::STRING, _))), false),
            Some((sig::CLASS, rest)) => {
                let name = type_token(rest).and_then(|token| self.type_name(token));
                (false, name.as_deref() == Some("System.Text.StringBuilder"))
            }
            _ => (false, false),
        };
        if !is_text && !is_builder {
            return;
        }
        let way = passed.flags & (pdIn | pdOut);
        let (to, from) = if passed.is_result || way == pdOut && (by_reference || is_builder) {
            (false, true)
        } else {
            (true, way != pdIn && (by_reference || is_builder))
        };
        told.strings_in |= to;
        told.strings_out |= from;
    }

    /// Whether native code gets a value of this type as it is.
    fn is_blittable(&self, of: &[u8], depth: u32) -> bool {
        let Some((kind, rest)) = sig::strip(of) else {
            return false;
        };
        match kind {
            sig::VOID | sig::POINTER | sig::FUNCTION | sig::NATIVE_INT | sig::NATIVE_UINT => true,
            0x04..=sig::R8 => true,
            sig::BYREF | sig::ARRAY => depth > 0 && self.is_blittable(rest, depth - 1),
            sig::VALUE_TYPE => type_token(rest).is_some_and(|token| self.is_plain(token, depth)),
            _ => false,
        }
    }

    /// Whether a value type has only fields that native code gets as they are.
    fn is_plain(&self, token: MdToken, depth: u32) -> bool {
        if token.0 & 0xFF00_0000 != mdtTypeDef {
            let name = self.type_name(token);
            return name.is_some_and(|name| BLITTABLE.contains(&&*name));
        }
        let fields = enumerated(self.itself(), |handle, into, room, count| {
            // SAFETY: `enumerated` passes a valid handle, and a buffer of the size that it says.
            unsafe { self.itself().EnumFields(handle, token, into, room, count) }
        });
        depth > 0
            && fields.into_iter().all(|field| {
                let Some((flags, of)) = self.field(field) else {
                    return false;
                };
                flags & STATIC != 0
                    || marshalling(self.itself(), field).is_none()
                        && of.strip_prefix(&[sig::FIELD]).is_some_and(|of| {
                            // A reference in a struct is not passed as it is.
                            !matches!(sig::strip(of), Some((sig::ARRAY | sig::BYREF, _)))
                                && self.is_blittable(of, depth - 1)
                        })
            })
    }

    /// The flags and the signature of a field.
    fn field(&self, field: MdToken) -> Option<(u32, Vec<u8>)> {
        let (mut flags, mut signature, mut size) = (0, std::ptr::null(), 0);
        // SAFETY: the field is of this module. The pointers are to locals, or null, which asks for
        // nothing.
        let answer = unsafe {
            self.itself().GetFieldProps(
                field,
                null_mut(),
                null_mut(),
                0,
                null_mut(),
                &raw mut flags,
                &raw mut signature,
                &raw mut size,
                null_mut(),
                null_mut(),
                null_mut(),
            )
        };
        // SAFETY: the CLR has just given this address and size, and nothing was defined since.
        answer
            .is_ok()
            .then(|| (flags, unsafe { bytes(signature, size) }))
    }

    /// `Namespace.Type` of a type of this module or another one.
    fn type_name(&self, token: MdToken) -> Option<String> {
        if token.0 & 0xFF00_0000 == mdtTypeDef {
            return self.class(token);
        }
        let is_reference = token.0 & 0xFF00_0000 == mdtTypeRef;
        is_reference
            .then(|| {
                string(|buffer, size, needed| {
                    // SAFETY: the buffer is as large as said. The null pointer asks for nothing.
                    unsafe {
                        self.itself()
                            .GetTypeRefProps(token, null_mut(), buffer, size, needed)
                    }
                    .is_ok()
                })
            })
            .flatten()
    }

    /// The type of a parameter as C# writes it, without namespaces.
    pub fn shown(&self, of: &[u8], flags: u32) -> String {
        let Some((by_reference, of)) = referred(of) else {
            return "?".to_owned();
        };
        let mut text = String::new();
        if by_reference {
            let way = flags & (pdIn | pdOut);
            text.push_str(if way == pdOut {
                "out "
            } else if way == pdIn {
                "in "
            } else {
                "ref "
            });
        }
        self.show(of, &mut text);
        text
    }

    /// Appends a type. Returns what follows it, unless the type is one whose end is not needed.
    fn show<'a>(&self, of: &'a [u8], text: &mut String) -> Option<&'a [u8]> {
        let (kind, rest) = sig::strip(of)?;
        if text.len() > MOST_TEXT {
            return None;
        }
        let keyword = match kind {
            sig::VOID => "void",
            sig::BOOLEAN => "bool",
            sig::CHARACTER => "char",
            0x04 => "sbyte",
            0x05 => "byte",
            0x06 => "short",
            0x07 => "ushort",
            sig::INT32 => "int",
            sig::UINT32 => "uint",
            sig::INT64 => "long",
            sig::UINT64 => "ulong",
            sig::R4 => "float",
            sig::R8 => "double",
            sig::STRING => "string",
            sig::OBJECT => "object",
            sig::NATIVE_INT => "IntPtr",
            sig::NATIVE_UINT => "UIntPtr",
            _ => "",
        };
        if !keyword.is_empty() {
            text.push_str(keyword);
            return Some(rest);
        }
        match kind {
            sig::POINTER | sig::ARRAY | sig::BYREF => {
                let after = self.show(rest, text);
                text.push_str(match kind {
                    sig::POINTER => "*",
                    sig::ARRAY => "[]",
                    _ => "&",
                });
                after
            }
            sig::VALUE_TYPE | sig::CLASS => self.show_named(rest, text),
            sig::INSTANCE => {
                let rest = self.show_named(rest.get(1..)?, text)?;
                let (count, bytes) = unsigned(rest)?;
                let mut rest = rest.get(bytes..)?;
                text.push('<');
                for n in 0..count {
                    if n > 0 {
                        text.push_str(", ");
                    }
                    rest = self.show(rest, text)?;
                }
                text.push('>');
                Some(rest)
            }
            sig::SHAPED_ARRAY => {
                self.show(rest, text);
                text.push_str("[,]");
                None
            }
            sig::FUNCTION => {
                text.push_str("delegate*");
                None
            }
            _ => {
                text.push('?');
                None
            }
        }
    }

    /// Appends the name of the type whose token comes first. Returns what follows it.
    fn show_named<'a>(&self, of: &'a [u8], text: &mut String) -> Option<&'a [u8]> {
        let name = type_token(of).and_then(|token| self.type_name(token));
        let name = name.unwrap_or_else(|| "?".to_owned());
        let short = name.rsplit(['.', '+']).next().unwrap_or_default();
        text.push_str(short.split('`').next().unwrap_or_default());
        let (_, bytes) = unsigned(of)?;
        of.get(bytes..)
    }
}

/// Whether a type is a reference, and the type without that.
fn referred(of: &[u8]) -> Option<(bool, &[u8])> {
    match sig::strip(of)? {
        (sig::BYREF, rest) => Some((true, rest)),
        _ => Some((false, of)),
    }
}
