//! Stack traces with files and lines, despite the methods that were added.
//!
//! .NET looks for a frame's line in the PDB of its module, by the token of its method. At the first
//! token that the PDB lacks, .NET gives up on the whole trace, and the tokens of added methods are
//! such. One method of CoreLib looks up the lines of a whole trace. It now asks the engine about
//! each frame first:
//!
//! ```text
//!   void StackFrameHelper.InitializeSourceInfo(..., bool fNeedFileInfo, Exception e) {
//!       StackTrace.GetStackFramesInternal(this, ..., e)
//!       if (fNeedFileInfo) {                                                  // new, from here
//!           words = stackalloc
//!           for (i = 0; i < iFrameCount; i++) {
//!               words = { rgMethodHandle[i], rgiMethodToken[i], ..., iFrameCount - i }
//!               look(words)
//!               Marshal.Copy(&words.handle, rgMethodHandle, i, 1)
//!               Marshal.Copy(&words.token, rgiMethodToken, i, 1)
//!               if (words.back != 0)
//!                   Marshal.Copy(&words.other, rgMethodHandle, i - words.back, 1)
//!               if (words.last != 0) iFrameCount = i
//!           }
//!       }                                                                     // to here
//!       as it was
//!   }
//! ```
//!
//! | frame of | becomes |
//! | --- | --- |
//! | an added method, or a P/Invoke that is a wrapper now | one without a token |
//! | the P/Invoke inside a wrapper, twice, where .NET shows one | one of the wrapper, which .NET hides |
//! | `C$body`, the body of a callback `C` | one of `C`, whose code it is |
//! | the wrapper `C` around it | one of `C$body`, which .NET hides; removed, if it is the last |
//! | the wrapper `C` with its body inlined | one without a token |

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use soglia_abi::ids::{FunctionId, MdToken, ModuleId};
use soglia_core::trace::log::Record;
use soglia_il::{
    asm::Code,
    body,
    sig::{self, MethodSig},
};

use super::{
    added::{self, Part},
    corelib::CoreLib,
};
use crate::{
    boundary, clerk,
    engine::{self, Engine},
    metadata, threads,
};

const HELPER: &str = "System.Diagnostics.StackFrameHelper";
const MARSHAL: &str = "System.Runtime.InteropServices.Marshal";

/// The words that CoreLib passes for each frame. Some keep their value from one frame to the next.
#[repr(C)]
struct Frame {
    /// In and out: the runtime's number of the frame's method.
    handle: usize,
    /// In and out: the method's token, or 0.
    token: usize,
    /// In: how many frames there are from this one on. Out: not 0 if the trace ends before this
    /// frame.
    last: usize,
    /// In: the offset in the method's code.
    il: usize,
    /// Out: how many frames further in (1 or 2) a frame gets another method, and which; 0 for none.
    back: usize,
    other: usize,
    /// Kept: the callback whose body was in the frame before this one.
    body_of: usize,
    /// Kept: the P/Invoke inside a wrapper that the frames before this one belong to, how many
    /// those are, and the wrapper.
    inside: usize,
    times: usize,
    wrappers: usize,
}

impl Frame {
    const TOKEN: i32 = 8;
    const LAST: i32 = 16;
    const IL: i32 = 24;
    const BACK: i32 = 32;
    const OTHER: i32 = 40;
    const KEPT: [i32; 4] = [48, 56, 64, 72];
    const SIZE: i32 = 80;
}

/// Changes the method. Returns its row.
pub(super) fn take_over(engine: &Engine, corelib: &CoreLib) -> Option<u32> {
    let taken = corelib.class(HELPER).and_then(|class| {
        let methods = corelib.methods(class, "InitializeSourceInfo");
        let [(method, signature)] = &methods[..] else {
            return Err("System.Private.CoreLib makes stack traces in an unknown way".into());
        };
        let body = written(corelib, *method, signature)?;
        corelib.set_body(*method, &body)?;
        Ok(method.row())
    });
    taken
        .inspect_err(|why: &String| {
            let loss = "stack traces lose files and lines at what is woven";
            let text = format!("{loss}: {why}");
            engine.recording.log(&Record::Remark { text });
        })
        .ok()
}

fn written(corelib: &CoreLib, method: MdToken, signature: &[u8]) -> Result<Vec<u8>, String> {
    let unknown = || "System.Private.CoreLib makes stack traces in an unknown way".to_owned();
    let params = MethodSig::parse(signature).ok_or_else(unknown)?;
    let wants_lines = params.params().position(|param| param == [sig::BOOLEAN]);
    let wants_lines = wants_lines.ok_or_else(unknown)? as u16 + 1;
    let body = corelib.whole_body(method).ok_or_else(unknown)?;
    let tokens = corelib.array(HELPER, "rgiMethodToken", sig::INT32)?;
    // It begins with a call to which it passes all its own arguments.
    let args = params.args() as u16;
    let mut begins = Code::new();
    begins.arguments(args);
    let begins = begins.bytes().to_vec();
    let call = body::prefix::call_behind(body, &begins).ok_or_else(unknown)?;
    let index = body::prefix::index_of(body, tokens).ok_or_else(unknown)?;
    let mut code = Code::new();
    code.arguments(args);
    code.call(call, args, false);
    let skip = code.bytes().len();
    look_at_frames(corelib, &mut code, wants_lines, index, tokens)?;
    let (code, stack) = code.finish_prefix().ok_or_else(unknown)?;
    body::prefix::with_prefix(body, skip, &code, stack).ok_or_else(unknown)
}

fn look_at_frames(
    corelib: &CoreLib,
    code: &mut Code,
    wants_lines: u16,
    index: u16,
    tokens: MdToken,
) -> Result<(), String> {
    let handles = corelib.array(HELPER, "rgMethodHandle", sig::NATIVE_INT)?;
    let count = corelib.field(HELPER, "iFrameCount", sig::INT32)?;
    let copy = |of: u8| {
        let signature = [
            0,
            4,
            sig::VOID,
            sig::NATIVE_INT,
            sig::ARRAY,
            of,
            sig::INT32,
            sig::INT32,
        ];
        corelib.method(MARSHAL, "Copy", &signature)
    };
    let offsets = corelib.array(HELPER, "rgiILOffset", sig::INT32)?;
    let (copy_handles, copy_tokens) = (copy(sig::NATIVE_INT)?, copy(sig::INT32)?);
    let (again, end, done) = (code.label(), code.label(), code.label());
    let word = |code: &mut Code, at: i32| {
        code.dup();
        code.ldc_i4(at);
        code.add();
    };
    let element = |code: &mut Code, array: MdToken| {
        code.ldarg(0);
        code.ldfld(array);
        code.ldloc(index);
    };
    code.ldarg(wants_lines);
    code.brfalse(done);
    code.localloc(Frame::SIZE);
    // The stack is not cleared: there is no frame before the first.
    for kept in Frame::KEPT {
        word(code, kept);
        code.ldc_i4(0);
        code.conv_i();
        code.stind_i();
    }
    code.ldc_i4(0);
    code.stloc(index);
    code.place(again);
    code.ldloc(index);
    code.ldarg(0);
    code.ldfld(count);
    code.bge(end);
    code.dup();
    element(code, handles);
    code.ldelem_i();
    code.stind_i();
    word(code, Frame::TOKEN);
    element(code, tokens);
    code.ldelem_i4();
    code.conv_i();
    code.stind_i();
    word(code, Frame::IL);
    element(code, offsets);
    code.ldelem_i4();
    code.conv_i();
    code.stind_i();
    word(code, Frame::LAST);
    code.ldarg(0);
    code.ldfld(count);
    code.ldloc(index);
    code.sub();
    code.conv_i();
    code.stind_i();
    code.dup();
    corelib.call(code, look)?;
    code.dup();
    element(code, handles);
    code.ldc_i4(1);
    code.call(copy_handles, 4, false);
    word(code, Frame::TOKEN);
    element(code, tokens);
    code.ldc_i4(1);
    code.call(copy_tokens, 4, false);
    for back in [1, 2] {
        let not_so_far = code.label();
        word(code, Frame::BACK);
        code.ldind_i();
        code.ldc_i4(back);
        code.conv_i();
        code.ceq();
        code.brfalse(not_so_far);
        word(code, Frame::OTHER);
        element(code, handles);
        code.ldc_i4(back);
        code.sub();
        code.ldc_i4(1);
        code.call(copy_handles, 4, false);
        code.place(not_so_far);
    }
    let stays = code.label();
    word(code, Frame::LAST);
    code.ldind_i();
    code.brfalse(stays);
    code.ldarg(0);
    code.ldloc(index);
    code.stfld(count);
    code.place(stays);
    code.ldloc(index);
    code.ldc_i4(1);
    code.add();
    code.stloc(index);
    code.br(again);
    code.place(end);
    code.pop();
    code.place(done);
    Ok(())
}

/// The part in what was woven that the method of a frame has.
#[derive(Clone, Copy)]
enum Kind {
    /// A method of the program, as it was.
    Own,
    /// An added method, which no PDB has.
    Added,
    /// The P/Invoke inside the wrapper `of`.
    Inside { of: usize },
    /// A P/Invoke of the program that is a wrapper now.
    Wrapper,
    /// The body of the callback `of`, which has this token.
    Body { of: usize, token: MdToken },
    /// A callback, whose body is now the method `body`.
    Callback { body: usize },
}

/// The methods that were in traces, by the runtime's numbers.
static KINDS: RwLock<Option<HashMap<usize, Kind>>> = RwLock::new(None);

/// Forgets them all, since numbers of methods may come to mean others.
pub(super) fn forget() {
    *KINDS.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// CoreLib calls this for each frame of a trace, from the innermost on, in preemptive mode.
extern "C" fn look(frame: *mut Frame) -> isize {
    // SAFETY: CoreLib passes the address of words of this size on its own stack, and waits for this
    // call.
    let frame = unsafe { &mut *frame };
    let kind = boundary::fence(Kind::Own, || kind_of(frame.handle));
    frame.back = 0;
    match kind {
        Kind::Inside { of } if (frame.inside, frame.wrappers) == (frame.handle, 0) => {
            frame.times += 1;
            frame.other = of;
        }
        Kind::Inside { of } => {
            (frame.inside, frame.times, frame.wrappers) = (frame.handle, 1, 0);
            frame.other = of;
        }
        Kind::Wrapper if frame.times != 0 => frame.wrappers = 1,
        _ => {
            if frame.times == 2 {
                let (caller, called, il) = (frame.handle, frame.other, frame.il);
                let twice = boundary::fence(true, || is_shown_twice(caller, called, il));
                frame.back = if twice { 0 } else { 1 + frame.wrappers };
            }
            (frame.inside, frame.times, frame.wrappers) = (0, 0, 0);
        }
    }
    let (within, is_last) = (frame.body_of, frame.last == 1);
    (frame.body_of, frame.last) = (0, 0);
    match kind {
        Kind::Own => {}
        Kind::Added | Kind::Inside { .. } | Kind::Wrapper => frame.token = 0,
        Kind::Body { of, token } => {
            frame.body_of = of;
            frame.handle = of;
            frame.token = token.0 as usize;
        }
        Kind::Callback { body } if within == frame.handle => {
            frame.token = 0;
            frame.handle = body;
            frame.last = is_last.into();
        }
        Kind::Callback { .. } => frame.token = 0,
    }
    0
}

/// Whether .NET would show a P/Invoke twice that this method calls, if it were not woven.
///
/// Since .NET 9 it does so where the JIT has inlined the call into the caller. The JIT inlines it
/// where the call is neither in a protected block nor in a handler, and always in a wrapper.
/// Callers by delegate, by pointer and by reflection contain no such call.
fn is_shown_twice(caller: usize, called: usize, il: usize) -> bool {
    let Some(engine) = engine::get().filter(|_| caller != 0 && !threads::have_stopped()) else {
        return true;
    };
    let asked = clerk::ask(move || {
        let (module, token) = method_of(engine, FunctionId(caller))?;
        let (home, callee) = method_of(engine, FunctionId(called))?;
        // Other modules call it by references of their own. CoreLib refers only to itself.
        let callee = match home == module {
            true => Some(callee),
            false if super::done::corelib() == Some(module) => return Some(false),
            false => None,
        };
        // In a module that is in use, code is compiled as if it called the wrapper, and the CLR
        // knows it as it was.
        let own = callee.and_then(|wrapper| added::inside(home, wrapper));
        // The offset of a frame in its code is not always known.
        i32::try_from(il).ok()?;
        let code = metadata::body(&engine.info, module, token)?;
        let twice = body::prefix::calls_unprotected(code, il, callee)?;
        match own.filter(|_| !twice) {
            Some(own) => body::prefix::calls_unprotected(code, il, Some(own)),
            None => Some(twice),
        }
    });
    asked.flatten().unwrap_or(true)
}

/// The module and the token of a method.
fn method_of(engine: &Engine, function: FunctionId) -> Option<(ModuleId, MdToken)> {
    let (mut module, mut token) = (ModuleId::NULL, MdToken::default());
    let nothing = std::ptr::null_mut();
    // SAFETY: the trace keeps the methods of its frames. The pointers are to locals.
    let answer = unsafe {
        engine
            .info
            .GetFunctionInfo(function, nothing, &raw mut module, &raw mut token)
    };
    answer.is_ok().then_some((module, token))
}

fn kind_of(handle: usize) -> Kind {
    let known = {
        let kinds = KINDS.read().unwrap_or_else(PoisonError::into_inner);
        kinds.as_ref().and_then(|kinds| kinds.get(&handle).copied())
    };
    if let Some(known) = known {
        return known;
    }
    let Some(engine) = engine::get().filter(|_| handle != 0 && !threads::have_stopped()) else {
        return Kind::Own;
    };
    // The CLR answers only in its callbacks, and on threads that run no managed code.
    let found = clerk::ask(move || ask(engine, FunctionId(handle)));
    let kind = found.flatten().unwrap_or(Kind::Own);
    let mut kinds = KINDS.write().unwrap_or_else(PoisonError::into_inner);
    kinds.get_or_insert_default().insert(handle, kind);
    kind
}

fn ask(engine: &Engine, function: FunctionId) -> Option<Kind> {
    let (module, token) = method_of(engine, function)?;
    let function_of = |token: MdToken| {
        let mut function = FunctionId::NULL;
        // SAFETY: the module is in use, since another method of it is in the trace. The pointer is
        // to a local.
        let answer = unsafe {
            engine
                .info
                .GetFunctionFromToken(module, token, &raw mut function)
        };
        answer.is_ok().then_some(function.0)
    };
    Some(match added::part(module, token) {
        None => Kind::Own,
        Some(Part::Added) => Kind::Added,
        Some(Part::Inside { of }) => Kind::Inside {
            of: function_of(of)?,
        },
        Some(Part::Wrapper) => Kind::Wrapper,
        Some(Part::Body { of }) => Kind::Body {
            of: function_of(of)?,
            token: of,
        },
        Some(Part::Callback { body }) => Kind::Callback {
            body: function_of(body)?,
        },
    })
}
