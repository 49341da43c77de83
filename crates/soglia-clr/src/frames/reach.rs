//! Where the code of a method leads: to a native call, or nowhere.

use std::collections::{HashMap, HashSet};

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::{
        metadata::{IMetaDataImport, IMetaDataImport2},
        metadata_flags::{
            mdFinal, mdPinvokeImpl, mdStatic, mdVirtual, miCodeTypeMask, miInternalCall, miRuntime,
            tdBeforeFieldInit, tdSealed,
        },
    },
};
use soglia_il::{
    leads::{self, How, Lead},
    sig::{Arguments, TypeSpec},
};

use super::methods::{self, METHOD_DEF, Place, TABLE, import_of};
use crate::{
    engine::Engine,
    metadata::{
        self,
        before::{Before, enumerated, wide},
        references::{field_class, member_ref, type_def, type_flags, type_ref, type_spec},
    },
};

/// The most methods that a search looks at. Beyond them it assumes a native call.
const MOST_METHODS: usize = 500;

const TYPE_REF: u32 = 0x0100_0000;
const TYPE_DEF: u32 = 0x0200_0000;
const FIELD_DEF: u32 = 0x0400_0000;
const MEMBER_REF: u32 = 0x0A00_0000;
const TYPE_SPEC: u32 = 0x1B00_0000;
const METHOD_SPEC: u32 = 0x2B00_0000;

/// A search for native calls, through the methods whose callees can be determined.
pub(super) struct Search<'e> {
    engine: &'e Engine,
    scopes: HashMap<ModuleId, Option<IMetaDataImport2>>,
    /// Methods that were looked at.
    pub(super) seen: HashSet<Place>,
    /// Methods that are still to be looked at.
    open: Vec<Place>,
    /// A method whose type variables, and those of its class, stand for numbers and strings.
    closed: Option<Place>,
}

/// Where an instruction or a method leads.
enum To {
    /// To no native call.
    Nowhere,
    /// To a native call, or to a callee that cannot be determined.
    Out,
    /// To these methods of the program.
    Methods(Vec<Place>),
}

/// The code that is being looked at.
struct Code<'i> {
    module: ModuleId,
    import: &'i IMetaDataImport2,
    /// Whether its type variables stand for numbers and strings.
    closed: bool,
}

impl<'e> Search<'e> {
    pub(super) fn new(engine: &'e Engine, closed: Option<Place>) -> Self {
        Self {
            engine,
            scopes: HashMap::new(),
            seen: HashSet::new(),
            open: Vec::new(),
            closed,
        }
    }

    /// Whether a method leads to a native call, or may.
    pub(super) fn from(&mut self, method: Place) -> bool {
        self.open.push(method);
        self.run()
    }

    /// The same for the calls that are the last thing a method does.
    pub(super) fn do_last_calls(&mut self, module: ModuleId, method: MdToken) -> bool {
        self.add_last_calls(module, method).is_none() || self.run()
    }

    fn add_last_calls(&mut self, module: ModuleId, method: MdToken) -> Option<()> {
        let import = self.import(module)?;
        let code = Code {
            module,
            import: &import,
            closed: false,
        };
        let leads = leads::of_body(metadata::body(&self.engine.info, module, method)?)?;
        for lead in leads.into_iter().filter(|lead| lead.last) {
            match self.follow(&code, lead)? {
                To::Out => return None,
                To::Nowhere => {}
                To::Methods(more) => self.open.extend(more),
            }
        }
        Some(())
    }

    fn run(&mut self) -> bool {
        while let Some(place) = self.open.pop() {
            if self.seen.contains(&place) {
                continue;
            }
            let closed = self.closed == Some(place);
            match methods::known(place) {
                methods::Known::Ours | methods::Known::Elsewhere => return true,
                methods::Known::Leads if !closed => return true,
                methods::Known::Nowhere => continue,
                methods::Known::Leads | methods::Known::Unknown => {}
            }
            self.seen.insert(place);
            if self.seen.len() > MOST_METHODS {
                return true;
            }
            match self.look(place, closed) {
                None | Some(To::Out) => return true,
                Some(To::Nowhere) => {}
                Some(To::Methods(more)) => self.open.extend(more),
            }
        }
        false
    }

    fn import(&mut self, module: ModuleId) -> Option<IMetaDataImport2> {
        let engine = self.engine;
        let scope = self.scopes.entry(module);
        scope.or_insert_with(|| import_of(engine, module)).clone()
    }

    /// Where a method leads. `None`: that cannot be determined.
    fn look(&mut self, (module, row): Place, closed: bool) -> Option<To> {
        let import = self.import(module)?;
        let method = MdToken(METHOD_DEF | row);
        let before = Before::of(&import, method).ok()?;
        let is_constructor = String::from_utf16_lossy(&before.name) == ".ctor";
        if before.flags & mdPinvokeImpl != 0 || before.impl_flags & miInternalCall != 0 {
            return Some(To::Out);
        }
        if before.impl_flags & miCodeTypeMask == miRuntime {
            // The constructor of a delegate does not call it.
            return Some(if is_constructor { To::Nowhere } else { To::Out });
        }
        let code = Code {
            module,
            import: &import,
            closed,
        };
        let mut methods = Vec::new();
        if before.flags & mdStatic != 0 || is_constructor {
            methods.extend(initialiser(&import, before.class, true).map(|row| (module, row)));
        }
        for lead in leads::of_body(metadata::body(&self.engine.info, module, method)?)? {
            match self.follow(&code, lead)? {
                To::Out => return Some(To::Out),
                To::Nowhere => {}
                To::Methods(more) => methods.extend(more),
            }
        }
        Some(To::Methods(methods))
    }

    fn follow(&self, code: &Code, lead: Lead) -> Option<To> {
        match lead.how {
            How::Pointer => Some(To::Out),
            How::Field => Some(field(code, lead.token)),
            How::Call | How::Virtual => {
                let variable = lead
                    .constrained
                    .and_then(|of| type_spec(code.import, of))
                    .is_some_and(|of| of == TypeSpec::Variable);
                if variable && code.closed {
                    return Some(To::Nowhere);
                }
                self.called(code, lead.token, lead.how == How::Virtual)
            }
        }
    }

    fn called(&self, code: &Code, token: MdToken, is_virtual: bool) -> Option<To> {
        match token.0 & TABLE {
            METHOD_DEF => Some(direct(code.module, code.import, token, is_virtual)),
            METHOD_SPEC => {
                let (mut of, mut blob, mut size) = (MdToken(0), std::ptr::null(), 0);
                // SAFETY: the token is from this module's code, and the pointers are to locals.
                let answer = unsafe {
                    code.import
                        .GetMethodSpecProps(token, &raw mut of, &raw mut blob, &raw mut size)
                };
                let inner = answer.is_ok() && of.0 & TABLE != METHOD_SPEC;
                inner.then(|| self.called(code, of, is_virtual))?
            }
            MEMBER_REF => self.member(code, token, is_virtual),
            _ => None,
        }
    }

    /// Where a reference to a method leads.
    fn member(&self, code: &Code, token: MdToken, is_virtual: bool) -> Option<To> {
        let import = code.import;
        let (parent, name, signature) = member_ref(import, token)?;
        let (of, arguments) = match parent.0 & TABLE {
            TYPE_SPEC => match type_spec(import, parent)? {
                TypeSpec::Instance(of, arguments) => (of, arguments),
                // The methods of arrays are the CLR's own.
                TypeSpec::Array => return Some(To::Nowhere),
                TypeSpec::Variable => return None,
            },
            _ => (parent, Arguments::Others),
        };
        match of.0 & TABLE {
            TYPE_DEF => {
                let mut method = MdToken(0);
                let (wide, size) = ([&name[..], &[0]].concat(), signature.len() as u32);
                // SAFETY: the name ends with a zero, the signature is as long as said, and the
                // pointer is to a local.
                let answer = unsafe {
                    import.FindMethod(of, wide.as_ptr(), signature.as_ptr(), size, &raw mut method)
                };
                answer
                    .is_ok()
                    .then(|| direct(code.module, import, method, is_virtual))
            }
            TYPE_REF => {
                let class = type_ref(import, of, 0)?;
                let name = String::from_utf16_lossy(&name);
                let plain = match arguments {
                    Arguments::Plain => true,
                    Arguments::Variables => code.closed,
                    Arguments::Others => false,
                };
                if leads::is_harmless(&class, &name, &signature, plain) {
                    return Some(To::Nowhere);
                }
                self.elsewhere(&class, &name, is_virtual)
            }
            _ => None,
        }
    }

    /// Where a method of another module of the program leads: to all methods of these names.
    fn elsewhere(&self, class: &str, name: &str, is_virtual: bool) -> Option<To> {
        let mut methods = Vec::new();
        for module in methods::of_program() {
            let import = import_of(self.engine, module)?;
            let Some(class) = type_def(&import, class) else {
                continue;
            };
            let name = wide(name);
            let named = enumerated(&import, |handle, into, room, count| {
                // SAFETY: the name ends with a zero. `enumerated` passes a valid handle, and a
                // buffer of the size that it says.
                unsafe {
                    import.EnumMethodsWithName(handle, class, name.as_ptr(), into, room, count)
                }
            });
            for method in named {
                match direct(module, &import, method, is_virtual) {
                    To::Methods(more) => methods.extend(more),
                    To::Nowhere => {}
                    To::Out => return Some(To::Out),
                }
            }
        }
        (!methods.is_empty()).then_some(To::Methods(methods))
    }
}

/// Where the call of a method of this module leads.
fn direct(module: ModuleId, import: &IMetaDataImport2, method: MdToken, is_virtual: bool) -> To {
    if is_virtual {
        let Ok(before) = Before::of(import, method) else {
            return To::Out;
        };
        let is_settled =
            || before.flags & mdFinal != 0 || type_flags(import, before.class) & tdSealed != 0;
        if before.flags & mdVirtual != 0 && !is_settled() {
            return To::Out;
        }
    }
    To::Methods(vec![(module, method.row())])
}

/// Where the use of a static field leads: to the initialiser of its class.
fn field(code: &Code, token: MdToken) -> To {
    let class = match token.0 & TABLE {
        FIELD_DEF => field_class(code.import, token),
        MEMBER_REF => match member_ref(code.import, token).map(|(parent, ..)| parent) {
            Some(parent) if parent.0 & TABLE == TYPE_SPEC => match type_spec(code.import, parent) {
                Some(TypeSpec::Instance(of, _)) => Some(of),
                _ => None,
            },
            parent => parent,
        },
        _ => None,
    };
    match class {
        None => To::Out,
        // A class of another module: its initialiser calls nothing that a stack of this program
        // would show here.
        Some(class) if class.0 & TABLE != TYPE_DEF => To::Nowhere,
        Some(class) => match initialiser(code.import, class, false) {
            Some(row) => To::Methods(vec![(code.module, row)]),
            None => To::Nowhere,
        },
    }
}

/// The row of the initialiser of a class. `by_methods`: only if calls of methods run it.
fn initialiser(import: &IMetaDataImport, class: MdToken, by_methods: bool) -> Option<u32> {
    if by_methods && type_flags(import, class) & tdBeforeFieldInit != 0 {
        return None;
    }
    let (name, mut method) = (wide(".cctor"), MdToken(0));
    // SAFETY: the name ends with a zero, there is no signature, and the pointer is to a local.
    let answer =
        unsafe { import.FindMethod(class, name.as_ptr(), std::ptr::null(), 0, &raw mut method) };
    answer.is_ok().then(|| method.row())
}
