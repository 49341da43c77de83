//! What calls through delegates pass, as the trampoline keeps it.
//!
//! Native code calls the trampoline of a delegate, and a delegate calls that of a native function.
//! Both pass native values. Which register or word of the stack has which argument follows from the
//! delegate's type, by the calling convention of the machine. A struct may lie in several
//! registers, so nothing is shown of one, nor of what is passed behind it.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use soglia_abi::ids::MdToken;
use soglia_core::trace::{arguments::Arguments, log::Record};
use soglia_il::sig::{self, MethodSig};
use soglia_trampolines::Passed;

use super::{
    details::Shape,
    given::{Given, shown},
    handing::{SECRET, takes_one},
    plan::Subject,
};
use crate::{
    arch::{FLOATS, INTEGERS, RESULT_IS_INTEGER},
    engine::Engine,
    metadata::{
        Scope,
        before::{Parameter, attribute, marshalling, names_of_parameters, parameters},
    },
    objects::peek,
    types::Type,
};

/// A type of delegates.
#[derive(Clone, Copy, Debug)]
pub struct Delegate {
    /// The type.
    pub class: MdToken,
    /// Its method `Invoke`.
    pub invoke: MdToken,
    /// Whether a call returns its result in memory.
    pub in_memory: bool,
}

/// What is known of calls through delegates of a type.
#[derive(Debug)]
pub struct Delegated {
    subject: Subject,
    parameters: Vec<Argument>,
    returned: Option<Value>,
}

/// A parameter, and where its argument is.
#[derive(Debug)]
struct Argument {
    name: String,
    value: Value,
    place: Option<Place>,
}

/// A native value.
#[derive(Debug)]
struct Value {
    shape: Shape,
    size: usize,
    /// The value lies at the address that is passed.
    by_reference: bool,
}

/// A register with this number, or a word of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Integer(usize),
    Float(usize),
    Stack(usize),
}

/// The registers and words that are in use already.
#[derive(Debug, Default)]
struct Places {
    integers: usize,
    floats: usize,
    words: usize,
    /// A struct was passed, in whatever registers.
    lost: bool,
}

impl Places {
    /// The place of the next argument. `None`: it is not known.
    fn next(&mut self, of: &[u8], is_struct: bool) -> Option<Place> {
        self.lost |= is_struct;
        if self.lost {
            return None;
        }
        let is_float = is_float(of);
        let (used, most, place): (_, _, fn(usize) -> Place) = match is_float {
            true => (&mut self.floats, FLOATS, Place::Float),
            false => (&mut self.integers, INTEGERS, Place::Integer),
        };
        let (used, place) = match *used < most {
            true => (used, place),
            false => (&mut self.words, Place::Stack as fn(usize) -> Place),
        };
        *used += 1;
        Some(place(*used - 1))
    }
}

fn is_float(of: &[u8]) -> bool {
    sig::strip(of).is_some_and(|(kind, _)| matches!(kind, sig::R4 | sig::R8))
}

impl Delegated {
    /// Reads it. On an engine thread.
    pub fn read(
        engine: &Engine,
        scope: &Scope,
        of: &Delegate,
        signature: &MethodSig,
        subject: Subject,
    ) -> Self {
        let import = scope.itself();
        let names = names_of_parameters(import, of.invoke);
        let marked = marshallings(scope, of.invoke);
        let marked = |number: usize| marked.get(&number).map(Vec::as_slice);
        let texts = Texts::of(scope, of.class);
        let mut places = Places {
            integers: usize::from(of.in_memory && RESULT_IS_INTEGER),
            ..Places::default()
        };
        let arguments = (0..).zip(signature.params()).map(|(n, param)| {
            let value = Value::of(engine, scope, param, marked(n + 1), texts);
            let place = places.next(param, value.is_struct());
            Argument {
                name: names
                    .get(n)
                    .cloned()
                    .flatten()
                    .unwrap_or_else(|| format!("#{}", n + 1)),
                value,
                place,
            }
        });
        Self {
            parameters: arguments.collect(),
            returned: (!signature.returns_void())
                .then(|| Value::of(engine, scope, signature.ret(), marked(0), texts)),
            subject,
        }
    }
}

/// How the parameters of a method are marshalled where it says so, by their numbers from 1. The
/// result has the number 0.
fn marshallings(scope: &Scope, method: MdToken) -> HashMap<usize, Vec<u8>> {
    let import = scope.itself();
    let all = parameters(import, method).into_iter();
    let all = all.filter_map(|parameter| {
        let about = Parameter::of(import, parameter).ok()?;
        Some((about.sequence as usize, marshalling(import, parameter)?))
    });
    all.collect()
}

/// What texts are whose marshalling is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Texts {
    Utf8,
    Utf16,
}

impl Texts {
    fn of(scope: &Scope, class: MdToken) -> Self {
        const MARKED: &str = "System.Runtime.InteropServices.UnmanagedFunctionPointerAttribute";
        const NAME: &[u8] = b"\x07CharSet";
        const UNICODE: [u8; 4] = 3_i32.to_le_bytes();
        let value = attribute(scope.itself(), class, MARKED).unwrap_or_default();
        // The value of a named argument follows its name.
        let mut at = value.windows(NAME.len() + UNICODE.len());
        match at.any(|bytes| bytes.starts_with(NAME) && bytes.ends_with(&UNICODE)) {
            true => Self::Utf16,
            false => Self::Utf8,
        }
    }

    const fn shape(self) -> Shape {
        match self {
            Self::Utf8 => Shape::Utf8,
            Self::Utf16 => Shape::Utf16,
        }
    }
}

impl Value {
    /// A value of this type. `marked` is its marshalling, if that is given.
    fn of(engine: &Engine, scope: &Scope, of: &[u8], marked: Option<&[u8]>, texts: Texts) -> Self {
        let (kind, rest) = sig::strip(of).unwrap_or_default();
        if kind == sig::BYREF {
            let inner = Self::of(engine, scope, rest, marked, texts);
            return Self {
                by_reference: true,
                ..inner
            };
        }
        let native = marked.and_then(<[u8]>::first).copied();
        let (shape, size) = match (kind, native) {
            // As `UnmanagedType` has them.
            (sig::BOOLEAN, Some(0x03 | 0x04)) => (Shape::Bool, 1),
            (sig::BOOLEAN, Some(0x25)) => (Shape::Bool, 2),
            (sig::BOOLEAN, _) => (Shape::Bool, 4),
            (sig::CHARACTER, Some(0x05 | 0x06)) => (Shape::Char, 2),
            (sig::CHARACTER, None) if texts == Texts::Utf16 => (Shape::Char, 2),
            (sig::CHARACTER, _) => (Shape::Char, 1),
            (0x04, _) => (Shape::Signed, 1),
            (0x05, _) => (Shape::Unsigned, 1),
            (0x06, _) => (Shape::Signed, 2),
            (0x07, _) => (Shape::Unsigned, 2),
            (sig::INT32, _) => (Shape::Signed, 4),
            (sig::UINT32, _) => (Shape::Unsigned, 4),
            (sig::INT64, _) => (Shape::Signed, 8),
            (sig::UINT64, _) => (Shape::Unsigned, 8),
            (sig::R4, _) => (Shape::Float, 4),
            (sig::R8, _) => (Shape::Float, 8),
            (sig::STRING, None) => (texts.shape(), 8),
            (sig::STRING, Some(0x14 | 0x30)) => (Shape::Utf8, 8),
            (sig::STRING, Some(0x13 | 0x15)) => (Shape::Utf16, 8),
            (
                sig::STRING | sig::POINTER | sig::FUNCTION | sig::NATIVE_INT | sig::NATIVE_UINT,
                _,
            ) => (Shape::Pointer, 8),
            (sig::CLASS | sig::ARRAY | sig::SHAPED_ARRAY, _) => {
                (Shape::Other(scope.shown(of, 0)), 8)
            }
            _ => {
                let found = sig::type_token(rest).filter(|_| kind == sig::VALUE_TYPE);
                let found = found.and_then(|of| Type::of(engine, scope.itself(), of));
                match found.and_then(|of| of.enumeration()) {
                    Some(names) => (Shape::Enumerated(names.clone()), names.size),
                    None => (Shape::Other(scope.shown(of, 0)), 0),
                }
            }
        };
        Self {
            shape,
            size,
            by_reference: false,
        }
    }

    /// Whether it is a struct, which is passed in an unknown number of registers.
    const fn is_struct(&self) -> bool {
        self.size == 0 && !self.by_reference
    }

    fn is_float(&self) -> bool {
        matches!(self.shape, Shape::Float) && !self.by_reference
    }

    /// The value that this word holds or points to.
    fn shown(&self, word: u64) -> String {
        let Some(word) = self.own(word) else {
            return shown(word, 8, &Shape::Pointer);
        };
        match &self.shape {
            Shape::Other(_) if word == 0 => Given::Null.shown(&self.shape),
            Shape::Other(_) => self.shape.alone(),
            shape => shown(word, self.size, shape),
        }
    }

    /// The bits of the value alone. `None`: they cannot be read.
    fn own(&self, word: u64) -> Option<u64> {
        let mut bytes = word.to_le_bytes();
        if self.by_reference && self.size > 0 {
            let mut there = [0; 8];
            let size = self.size.min(there.len());
            if word == 0 || peek(word as usize, &mut there[..size]) < size {
                return None;
            }
            bytes = there;
        }
        if self.size > 0 {
            let end = self.size.min(bytes.len());
            bytes[end..].fill(0);
        }
        Some(u64::from_le_bytes(bytes))
    }
}

/// By the number of the call.
static DELEGATED: RwLock<Option<HashMap<i64, Arc<Delegated>>>> = RwLock::new(None);

/// Notes what is known of calls through delegates.
pub fn add(id: u32, delegated: Delegated) {
    let mut all = DELEGATED.write().unwrap_or_else(PoisonError::into_inner);
    all.get_or_insert_default()
        .insert(id.into(), Arc::new(delegated));
}

/// Whether trampolines shall keep what calls of these delegates pass.
pub fn keeps(engine: &Engine, subject: &Subject) -> bool {
    // A later session uses the same trampolines, and may want other arguments.
    let wanted = || !engine.counts() && engine.arguments.wants(subject.function());
    !engine.notifies && (engine.attached || wanted())
}

/// Records the arguments of a call through a delegate. All of [`Arguments`] is known but the
/// values.
pub fn passed(engine: &Engine, id: i64, about: Arguments, passed: &Passed) {
    let all = DELEGATED.read().unwrap_or_else(PoisonError::into_inner);
    let of = all.as_ref().and_then(|all| all.get(&id).cloned());
    drop(all);
    let Some(of) = of else {
        return;
    };
    let function = of.subject.function();
    if !engine.arguments.wants(function) || !takes_one() {
        return;
    }
    let hides = |name: &str| engine.arguments.hides(function, name);
    let values = of.parameters.iter().map(|argument| {
        let word = match argument.place {
            Some(Place::Integer(number)) => passed.integer(number),
            Some(Place::Float(number)) => passed.float(number),
            Some(Place::Stack(number)) => passed.on_stack(number),
            None => None,
        };
        let value = match word {
            _ if hides(&argument.name) => SECRET.to_owned(),
            Some(word) => argument.value.shown(word),
            None => argument.value.shape.alone(),
        };
        (argument.name.clone(), value)
    });
    let returned = of.returned.as_ref().map(|value| match value {
        _ if hides("") => SECRET.to_owned(),
        value if value.is_struct() => value.shape.alone(),
        value if value.is_float() => value.shown(passed.returned_float()),
        value => value.shown(passed.returned()),
    });
    let values = values.collect();
    engine.recording.log(&Record::Arguments(Arguments {
        values,
        returned,
        ..about
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_lie_where_the_calling_convention_has_them() {
        let (int, float) = ([sig::INT32], [sig::R8]);
        let mut places = Places::default();
        let mut next = |of: &[u8]| places.next(of, false).unwrap();
        assert_eq!(next(&int), Place::Integer(0));
        assert_eq!(next(&float), Place::Float(0));
        for n in 1..INTEGERS {
            assert_eq!(next(&int), Place::Integer(n));
        }
        assert_eq!(next(&int), Place::Stack(0));
        for n in 1..FLOATS {
            assert_eq!(next(&float), Place::Float(n));
        }
        assert_eq!(next(&float), Place::Stack(1));
        assert_eq!(next(&int), Place::Stack(2));
        assert_eq!(places.next(&[sig::VALUE_TYPE], true), None);
        assert_eq!(places.next(&int, false), None, "behind a struct");
    }

    #[test]
    fn values_are_read_up_to_their_sizes() {
        let value = |shape, size, by_reference| Value {
            shape,
            size,
            by_reference,
        };
        let garbage = 0xDEAD_BEEF_FFFF_FFFE;
        assert_eq!(value(Shape::Signed, 4, false).shown(garbage), "-2");
        assert_eq!(value(Shape::Unsigned, 1, false).shown(garbage), "254");
        let place = [7_u32, 9];
        let at = place.as_ptr().expose_provenance() as u64;
        assert_eq!(value(Shape::Unsigned, 4, true).shown(at), "7");
        assert_eq!(value(Shape::Unsigned, 4, true).shown(0), "null");
        assert_eq!(value(Shape::Unsigned, 4, true).shown(8), "0x8", "not there");
        let object = value(Shape::Other("Thing".into()), 8, false);
        assert_eq!(
            (object.shown(0), object.shown(9)),
            ("null".into(), "Thing".into())
        );
    }
}
