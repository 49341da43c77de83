//! What the type variables of a generic method stand for, in the code that is compiled.

use soglia_abi::ids::{ClassId, FunctionId, MdToken, ModuleId};
use soglia_il::leads;

use crate::{engine::Engine, metadata::Scope};

/// Type arguments that are looked at.
const MOST: usize = 8;

/// Whether the type variables of a method and its type, of which there are some, all stand for
/// numbers and strings.
pub(super) fn is_plain(engine: &Engine, function: FunctionId) -> bool {
    let mut class = ClassId::NULL;
    let (mut arguments, mut count) = ([ClassId::NULL; MOST], 0);
    // SAFETY: a function that the CLR has just told, room for so many, pointers to locals, null
    // where nothing is asked.
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
    // Where methods of several types share their code, no type is told.
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
    // SAFETY: a type that the CLR has just told, room for so many, pointers to locals.
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
