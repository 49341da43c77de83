//! What the type variables of a generic method stand for, in the code that is being compiled.

use soglia_abi::ids::{ClassId, FunctionId, MdToken, ModuleId};
use soglia_il::leads;

use crate::{engine::Engine, metadata::Scope};

/// The most type arguments that are looked at.
const MOST: usize = 8;

/// Whether the type variables of a method and its class, of which there is at least one, all stand
/// for numbers and strings.
pub(super) fn is_plain(engine: &Engine, function: FunctionId) -> bool {
    let mut class = ClassId::NULL;
    let (mut arguments, mut count) = ([ClassId::NULL; MOST], 0);
    // SAFETY: the CLR has just named this function. The buffer has room for so many, and the other
    // pointers are to locals, or null, which asks for nothing.
    let answer = unsafe {
        engine.info2.GetFunctionInfo2(
            function,
            0,
            &raw mut class,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            MOST as u32,
            &raw mut count,
            arguments.as_mut_ptr(),
        )
    };
    // Where methods of several types share code, the CLR names no type.
    let of_method = count as usize;
    if answer.is_err() || class.is_null() || of_method > MOST {
        return false;
    }
    let Some((_, _, of_type)) = type_def(engine, class) else {
        return false;
    };
    let mut all = arguments[..of_method].iter().chain(&of_type);
    let some = of_method + of_type.len() > 0;
    some && all.all(|argument| is_plain_type(engine, *argument))
}

fn is_plain_type(engine: &Engine, class: ClassId) -> bool {
    let Some((module, token, arguments)) = type_def(engine, class) else {
        return false;
    };
    let scope = Scope::of_module(&engine.info, module);
    let name = scope.and_then(|scope| scope.class(token));
    arguments.is_empty() && name.is_some_and(|name| leads::is_plain_name(&name))
}

/// Where a type is defined, and its type arguments.
fn type_def(engine: &Engine, class: ClassId) -> Option<(ModuleId, MdToken, Vec<ClassId>)> {
    let (mut module, mut token) = (ModuleId::NULL, MdToken::default());
    let (mut parent, mut count) = (ClassId::NULL, 0);
    let mut arguments = [ClassId::NULL; MOST];
    // SAFETY: the CLR has just named this type. The buffer has room for so many, and the other
    // pointers are to locals.
    let answer = unsafe {
        engine.info2.GetClassIDInfo2(
            class,
            &raw mut module,
            &raw mut token,
            &raw mut parent,
            MOST as u32,
            &raw mut count,
            arguments.as_mut_ptr(),
        )
    };
    let told = answer.is_ok() && !token.is_nil();
    told.then(|| Some((module, token, arguments.get(..count as usize)?.to_vec())))?
}
