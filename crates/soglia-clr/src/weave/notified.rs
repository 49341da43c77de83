//! Wrappers that notify a host of calls ([`crate::notify`]). Their hooks run in preemptive mode,
//! may block, and may answer with a failure.

use soglia_abi::ids::MdToken;
use soglia_il::{
    asm::{Code, Hook},
    sig::{self, MethodSig},
};

use super::{
    emit::Emitter,
    hooks::Signatures,
    runtime,
    weaver::{How, Weaver},
};
use crate::{judge, metadata::before::Error, notify::hooks, objects};

/// The local variable with the answer of the hook before the call.
const ANSWER: u16 = 0;
const INT32: &[u8] = &[sig::INT32];

/// The local variables: the answer, then the result, if there is one. Returns the result's number
/// too.
fn locals(
    emitter: &Emitter,
    signature: &MethodSig,
) -> Result<(Option<MdToken>, Option<u16>), Error> {
    if signature.returns_void() {
        return Ok((emitter.locals(&[INT32])?, None));
    }
    let locals = emitter.locals(&[INT32, signature.ret()])?;
    Ok((locals, Some(ANSWER + 1)))
}

/// Throws an answer: by the exception that .NET has for it, or by a `COMException` whose message a
/// hook writes.
///
/// ```text
///         ldloc answer; ldc.i4.0; bge GO
///         ldloc answer; call Marshal.GetExceptionForHR
///         dup; isinst COMException; brfalse RAISE
///         pop; says(of, [pointer,] answer); newobj String
///         ldloc answer; newobj COMException
///  RAISE: throw
///  GO:
/// ```
struct Thrower {
    of_hresult: MdToken,
    class: MdToken,
    string: MdToken,
    constructor: MdToken,
    says: Hook,
}

impl Thrower {
    /// `params` are the parameters of the hook at `says`, without the answer.
    fn new(
        emitter: &mut Emitter,
        params: &[&[u8]],
        says: usize,
        pointer: Option<u16>,
    ) -> Result<Self, Error> {
        const NAME: &str = "System.Runtime.InteropServices.COMException";
        let mut of_hresult = vec![0, 1, sig::CLASS];
        let exception = emitter.type_of_corelib("System.Exception")?;
        sig::put_type(&mut of_hresult, exception).ok_or(Error::UNWRITABLE)?;
        of_hresult.push(sig::INT32);
        let marshal = "System.Runtime.InteropServices.Marshal";
        let of_characters = [sig::THIS, 1, sig::VOID, sig::POINTER, sig::CHARACTER];
        let with_hresult = [sig::THIS, 2, sig::VOID, sig::STRING, sig::INT32];
        let takes: Vec<&[u8]> = params.iter().copied().chain([INT32]).collect();
        let signature = sig::hook_signature(sig::Unmanaged::Cdecl, &[sig::NATIVE_INT], &takes);
        Ok(Self {
            of_hresult: emitter.method_of_corelib(marshal, "GetExceptionForHR", &of_hresult)?,
            class: emitter.type_of_corelib(NAME)?,
            string: emitter.method_of_corelib("System.String", ".ctor", &of_characters)?,
            constructor: emitter.method_of_corelib(NAME, ".ctor", &with_hresult)?,
            says: Hook {
                address: says,
                signature: emitter.stand_alone(&signature.ok_or(Error::UNWRITABLE)?)?,
                answers: true,
                pointer,
            },
        })
    }

    /// Throws the answer if it is a failed HRESULT.
    fn throw_if_failed(&self, code: &mut Code, word: i64) {
        let (raise, go) = (code.label(), code.label());
        code.ldloc(ANSWER);
        code.ldc_i4(0);
        code.bge(go);
        code.ldloc(ANSWER);
        code.call(self.of_hresult, 1, true);
        code.dup();
        code.isinst(self.class);
        code.brfalse(raise);
        code.pop();
        end(code, word, self.says);
        code.newobj(self.string, 1);
        code.ldloc(ANSWER);
        code.newobj(self.constructor, 2);
        code.place(raise);
        code.throw();
        code.place(go);
    }
}

/// The hooks of one kind of call: one before the call, and those after it, which also take the
/// answer of the first.
struct NotifyHooks {
    begin: Signatures,
    end: Signatures,
}

impl NotifyHooks {
    /// The hooks that take these parameters.
    fn new(emitter: &mut Emitter, params: &[&[u8]]) -> Result<Self, Error> {
        let begin = Signatures::new(emitter, params)?;
        let with_answer: Vec<&[u8]> = params.iter().copied().chain([INT32]).collect();
        let end = Signatures::new(emitter, &with_answer)?;
        Ok(Self { begin, end })
    }
}

/// Calls a hook with the word, the argument that is the pointer, and the answer.
fn end(code: &mut Code, word: i64, hook: Hook) {
    code.ldc_i8(word);
    if let Some(pointer) = hook.pointer {
        code.ldarg(pointer);
    }
    code.ldloc(ANSWER);
    code.call_hook_with(hook, 1);
}

impl Weaver<'_> {
    /// The rest of the body of a method that calls `native` and notifies the host. The engine knows
    /// the address of the P/Invoke `linked_by` when the runtime has linked that.
    pub(super) fn notifying(
        &mut self,
        mut code: Code,
        id: u32,
        (native, linked_by): (MdToken, MdToken),
        made: &How,
        signature: &MethodSig,
    ) -> Result<Vec<u8>, Error> {
        let emitter = &mut self.emitter;
        let hooks = NotifyHooks::new(emitter, &[&[sig::INT64]])?;
        let import = hooks::NotifiedImport::new(id);
        let of = import.address();
        let how = std::ptr::from_ref(&import.how).expose_provenance();
        let says = hooks::says as *const () as usize;
        let thrower = Thrower::new(emitter, &[&[sig::INT64]], says, None)?;
        let prepare = runtime::prepare(emitter)?;
        let (locals, ret) = locals(emitter, signature)?;
        let (linked, quiet) = (code.label(), code.label());
        let call = |code: &mut Code| made.call(code, native, signature);
        // If the host wants no notifications about a function, the engine asks it again once
        // another function may be at that address.
        let unwanted_for = std::ptr::from_ref(&import.unwanted_for).expose_provenance();
        for count in [unwanted_for, objects::word().expose_provenance()] {
            code.ldc_i8((count as u64).cast_signed());
            code.conv_i();
            code.ldind_i();
        }
        code.ceq();
        code.brtrue(quiet);
        code.ldc_i8((how as u64).cast_signed());
        code.conv_i();
        code.ldind_u1();
        code.stloc(ANSWER);
        code.ldloc(ANSWER);
        code.ldc_i4(hooks::WANTED.into());
        code.bge(linked);
        code.ldtoken(native);
        code.call(prepare, 1, false);
        if linked_by != native {
            code.ldtoken(linked_by);
            code.call(prepare, 1, false);
        }
        code.hook_with(
            of,
            hooks.begin.slow(hooks::linked as *const () as usize, None),
        );
        code.stloc(ANSWER);
        code.place(linked);
        code.ldc_i4(hooks::UNWANTED.into());
        code.ldloc(ANSWER);
        code.bge(quiet);
        code.hook_with(
            of,
            hooks.begin.slow(hooks::leave as *const () as usize, None),
        );
        code.stloc(ANSWER);
        thrower.throw_if_failed(&mut code, of);
        let failed = hooks
            .end
            .slow_void(hooks::failed as *const () as usize, None);
        code.watched(ret, call, |code| end(code, of, failed));
        end(
            &mut code,
            of,
            hooks.end.slow(hooks::enter as *const () as usize, None),
        );
        code.stloc(ANSWER);
        thrower.throw_if_failed(&mut code, of);
        code.give_back(ret);
        code.place(quiet);
        call(&mut code);
        code.ret(ret.is_some());
        code.finish(locals).ok_or(Error::UNWRITABLE)
    }

    /// The body of a callback that notifies the host. `body` has the callback's own code now.
    pub(super) fn notifying_back(
        &mut self,
        id: u32,
        body: MdToken,
        signature: &MethodSig,
    ) -> Result<Vec<u8>, Error> {
        let emitter = &mut self.emitter;
        let hooks = NotifyHooks::new(emitter, &[&[sig::INT64]])?;
        let args = signature.args() as u16;
        let (locals, ret) = locals(emitter, signature)?;
        let id = i64::from(id);
        let mut code = Code::new();
        let go = code.label();
        code.hook_with(
            id,
            hooks
                .begin
                .slow(hooks::reverse_enter as *const () as usize, None),
        );
        code.stloc(ANSWER);
        code.ldloc(ANSWER);
        code.ldc_i4(0);
        code.bge(go);
        // Nothing was stored there yet.
        code.give_back(ret);
        code.place(go);
        let leave = hooks
            .end
            .slow_void(hooks::reverse_leave as *const () as usize, None);
        code.watched(
            ret,
            |code| {
                code.arguments(args);
                code.call(body, args, ret.is_some());
            },
            |code| end(code, id, leave),
        );
        end(&mut code, id, leave);
        code.give_back(ret);
        code.finish(locals).ok_or(Error::UNWRITABLE)
    }
}

/// The body of a method that calls the pointer in its last argument and notifies the host.
pub(super) fn pointer(
    emitter: &mut Emitter,
    id: u32,
    token: MdToken,
    signature: &MethodSig,
) -> Result<Vec<u8>, Error> {
    let params: [&[u8]; 2] = [&[sig::INT64], &[sig::NATIVE_INT]];
    let hooks = NotifyHooks::new(emitter, &params)?;
    let args = signature.args() as u16;
    let pointer = Some(args);
    let says = hooks::pointer_says as *const () as usize;
    let thrower = Thrower::new(emitter, &params, says, pointer)?;
    let (locals, ret) = locals(emitter, signature)?;
    let call = |code: &mut Code| {
        code.arguments(args + 1);
        code.calli(token, args, ret.is_some());
    };
    let mut code = Code::new();
    code.hook(
        id,
        hooks
            .begin
            .slow(hooks::leave_pointer as *const () as usize, pointer),
    );
    code.stloc(ANSWER);
    if emitter.engine.rules.judges() {
        // A number of the policy's has an exception of its own.
        let (throw, no_number) = (runtime::throw_hresult(emitter)?, code.label());
        code.ldloc(ANSWER);
        code.ldc_i4(judge::MASK);
        code.and();
        code.ldc_i4(judge::MARK);
        code.ceq();
        code.brfalse(no_number);
        code.ldloc(ANSWER);
        code.call(throw, 1, false);
        code.place(no_number);
    }
    thrower.throw_if_failed(&mut code, id.into());
    let failed = hooks
        .end
        .slow_void(hooks::pointer_failed as *const () as usize, pointer);
    code.watched(ret, call, |code| end(code, id.into(), failed));
    let enter = hooks
        .end
        .slow(hooks::enter_pointer as *const () as usize, pointer);
    end(&mut code, id.into(), enter);
    code.stloc(ANSWER);
    thrower.throw_if_failed(&mut code, id.into());
    code.give_back(ret);
    code.finish(locals).ok_or(Error::UNWRITABLE)
}
