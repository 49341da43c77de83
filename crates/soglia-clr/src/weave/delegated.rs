//! Finds the methods of delegates that native code may hold.
//!
//! A delegate that became a function pointer before the engine attached has no trampoline. What it
//! calls is found in IL: `ldftn M; newobj D::.ctor` makes a delegate of `M`. Native code may hold
//! it if `D` can become a function pointer:
//!
//! - a native call takes or returns a `D`, or a struct or class with a `D` in it
//! - `D` is marked with `UnmanagedFunctionPointer`
//! - `D` is defined in a module that gives delegates to `Marshal.GetFunctionPointerForDelegate`
//!
//! `ldvirtftn` names a method that others may override: these are counted, and not found.
//! Neither are methods that delegates are made of by reflection.

use std::collections::{HashMap, HashSet};

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::metadata::IMetaDataImport,
};
use soglia_core::crossing::Side;
use soglia_il::{
    body::Bound,
    sig::{self, MethodSig},
};

use crate::{
    delegates,
    engine::Engine,
    metadata::{
        self, Scope,
        before::{Before, cut, has_attribute, wide},
        references::{member_ref, own_method, type_def, type_ref},
    },
    names::describe_method,
    types::{self, Type},
};

const TYPE_REF: u8 = 0x01;
const TYPE_DEF: u8 = 0x02;
const METHOD_DEF: u8 = 0x06;
const MEMBER_REF: u8 = 0x0A;

/// How deep fields of structs within structs are followed.
const DEEPEST: u32 = 8;

const MARKED: &str = "System.Runtime.InteropServices.UnmanagedFunctionPointerAttribute";

/// The full names of the types that native calls name. Those of them that are delegates can become
/// function pointers. Names alone: two types of one name cost a hook that finds nothing.
#[derive(Default)]
pub(super) struct Named(HashSet<String>);

/// A method of delegates, and the number by which its hooks know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) method: MdToken,
    pub(super) id: u32,
}

/// What was found in a module.
pub(super) struct Found {
    pub(super) held: Vec<Held>,
    /// At how many places the module makes such delegates of virtual methods. Which method such a
    /// delegate calls is known at run time only.
    pub(super) virtuals: u32,
}

impl Named {
    /// Adds what the native calls of a module name, which are these.
    pub(super) fn add(&mut self, engine: &Engine, scope: &Scope, imports: &[MdToken]) {
        let import = scope.itself();
        for method in imports {
            let Ok(before) = Before::of(import, *method) else {
                continue;
            };
            let Some(signature) = MethodSig::parse(&before.signature) else {
                continue;
            };
            for of in signature.params().chain([signature.ret()]) {
                self.add_type(engine, import, of, DEEPEST);
            }
        }
        self.add_given(import);
    }

    fn add_type(&mut self, engine: &Engine, import: &IMetaDataImport, of: &[u8], depth: u32) {
        let mut of = of;
        let (kind, rest) = loop {
            let Some((kind, rest)) = sig::strip(of) else {
                return;
            };
            match kind {
                sig::BYREF | sig::POINTER | sig::ARRAY => of = rest,
                _ => break (kind, rest),
            }
        };
        if !matches!(kind, sig::CLASS | sig::VALUE_TYPE) {
            return;
        }
        let Some(token) = sig::type_token(rest) else {
            return;
        };
        let Some(name) = name_of(import, token) else {
            return;
        };
        // Types of CoreLib have no delegates in them that are marshalled.
        let is_new = self.0.insert(name);
        let (true, Some(depth)) = (is_new, depth.checked_sub(1)) else {
            return;
        };
        if let Some(of) = Type::of(engine, import, token) {
            for (field, _) in of.fields() {
                self.add_type(engine, &of.import, &field, depth);
            }
        }
    }

    /// Adds the delegates that a module defines, if they are marked or if the module makes function
    /// pointers of delegates itself.
    fn add_given(&mut self, import: &IMetaDataImport) {
        let gives = rows(import, MEMBER_REF).any(|token| {
            member_ref(import, token).is_some_and(|(_, mut name, _)| {
                cut(&mut name);
                String::from_utf16_lossy(&name) == "GetFunctionPointerForDelegate"
            })
        });
        for class in rows(import, TYPE_DEF) {
            if is_delegate(import, class)
                && (gives || has_attribute(import, class, MARKED))
                && let Some(name) = name_of(import, class)
            {
                self.0.insert(name);
            }
        }
    }
}

/// The tokens of a table that a module has.
fn rows(import: &IMetaDataImport, table: u8) -> impl Iterator<Item = MdToken> {
    let first = u32::from(table) << 24 | 1;
    let tokens = (first..u32::from(table + 1) << 24).map(MdToken);
    // SAFETY: the CLR checks the token.
    tokens.take_while(|token| unsafe { import.IsValidToken(*token) }.as_bool())
}

/// The full name of a TypeDef or a TypeRef.
fn name_of(import: &IMetaDataImport, token: MdToken) -> Option<String> {
    match token.table() {
        TYPE_REF => type_ref(import, token, 0),
        TYPE_DEF => metadata::class_name(import, token),
        _ => None,
    }
}

fn is_delegate(import: &IMetaDataImport, class: MdToken) -> bool {
    let mut base = MdToken::default();
    let nothing = std::ptr::null_mut();
    // SAFETY: the pointers are to a local, or null, which asks for nothing.
    let answer = unsafe {
        import.GetTypeDefProps(
            class,
            nothing,
            0,
            nothing.cast(),
            nothing.cast(),
            &raw mut base,
        )
    };
    answer.is_ok() && name_of(import, base).as_deref() == Some("System.MulticastDelegate")
}

/// The methods of a module that delegates are made of which native code may hold. `bound` are the
/// delegates that the module makes.
pub(super) fn find(
    engine: &Engine,
    module: ModuleId,
    scope: &Scope,
    named: &Named,
    bound: &[Bound],
) -> Found {
    let mut search = Search {
        engine,
        module,
        import: scope.itself(),
        named,
        delegates: HashMap::new(),
    };
    let mut methods: HashMap<MdToken, u32> = HashMap::new();
    let mut virtuals = 0;
    for bound in bound {
        let Some(id) = search.delegate(bound.constructor) else {
            continue;
        };
        virtuals += u32::from(bound.is_virtual);
        if let Some(method) = own_method(search.import, bound.method)
            && metadata::body(&engine.info, module, method).is_some()
        {
            methods.entry(method).or_insert(id);
        }
    }
    let mut held: Vec<Held> = methods
        .into_iter()
        .map(|(method, id)| Held { method, id })
        .collect();
    held.sort_by_key(|held| held.method.0);
    Found { held, virtuals }
}

struct Search<'a> {
    engine: &'a Engine,
    module: ModuleId,
    import: &'a IMetaDataImport,
    named: &'a Named,
    /// By constructor. `None`: native code cannot hold such a delegate.
    delegates: HashMap<MdToken, Option<u32>>,
}

impl Search<'_> {
    /// The number of the delegate that a constructor makes, if native code may hold it.
    fn delegate(&mut self, constructor: MdToken) -> Option<u32> {
        if let Some(known) = self.delegates.get(&constructor) {
            return *known;
        }
        let found = self.look(constructor);
        self.delegates.insert(constructor, found);
        found
    }

    fn look(&self, constructor: MdToken) -> Option<u32> {
        let class = match constructor.table() {
            METHOD_DEF => Before::of(self.import, constructor).ok()?.class,
            MEMBER_REF => member_ref(self.import, constructor)?.0,
            _ => return None,
        };
        let name = name_of(self.import, class)?;
        if !self.named.0.contains(&name) {
            return None;
        }
        let (module, scope, class) = self.home(class, &name)?;
        let (invoke, mut token) = (wide("Invoke"), MdToken::default());
        // SAFETY: the name ends with a zero, any signature fits, and the pointer is to a local.
        let answer = unsafe {
            scope
                .itself()
                .FindMethod(class, invoke.as_ptr(), std::ptr::null(), 0, &raw mut token)
        };
        answer.ok().ok()?;
        let assembly = self.engine.assembly(module);
        let names = describe_method(&scope, token, Side::Managed, assembly);
        Some(delegates::call_of(names))
    }

    /// The module that defines a type, and the type there.
    fn home(&self, class: MdToken, name: &str) -> Option<(ModuleId, Scope, MdToken)> {
        let info = &self.engine.info;
        if class.table() == TYPE_DEF {
            return Some((self.module, Scope::of_module(info, self.module)?, class));
        }
        let wanted = types::assembly_of(self.import, class)?;
        let all = types::modules(self.engine).unwrap_or_default();
        // Most types of the framework's facade assemblies are forwarded to CoreLib.
        [wanted.as_str(), types::CORELIB]
            .into_iter()
            .find_map(|wanted| {
                let named = all.iter().filter(|module| {
                    let assembly = self.engine.assembly(**module);
                    assembly.is_some_and(|(name, _)| name == wanted)
                });
                named.into_iter().find_map(|module| {
                    let scope = Scope::of_module(info, *module)?;
                    let class = type_def(scope.itself(), name)?;
                    Some((*module, scope, class))
                })
            })
    }
}
