//! Methods that hand the arguments of a call over to the engine.
//!
//! Each wrapped method whose arguments are wanted gets a second new method, with the same
//! parameters and, behind them, the returned value. The wrapper calls it where a hook says so, when
//! the call is over. There its code is cold, and it keeps nothing from being in registers.
//! For a callback, the returned value comes first, since it is on the stack already.
//! Where the arguments of open calls are wanted, the wrapper calls the method before the call too.
//!
//! ```text
//!   void soglia$arguments(PARAMETERS, RETURNED) {
//!       try {
//!           give(0 | FORM, address or number, size)     // one for each that is no secret
//!           ...
//!           give(ERROR | FORM_NUMBER, Marshal.GetLastPInvokeError(), 0)
//!           soglia$request()                            // see `request`
//!       } catch (object) { }
//!       given(id)
//!   }
//! ```
//!
//! | parameter | what is given |
//! | --- | --- |
//! | number, `bool`, `char`, pointer, value type | its address on the stack |
//! | `ref`, `in` or `out` of those | the address, pinned |
//! | `string`, `StringBuilder` | its text, pinned |
//! | array | its length |
//! | `SafeHandle` | its value |
//! | any other object | whether it is null |

use soglia_abi::{
    ids::MdToken,
    profiler::metadata_flags::{mdHideBySig, mdPublic, mdStatic, pmSupportsLastError},
};
use soglia_core::crossing::Side;
use soglia_il::{
    asm::{Code, Hook},
    sig::{self, MethodSig},
};

use super::{
    emit::NewMethod,
    hooks::Signatures,
    weaver::{CallToWeave, Manner, NO_INLINING, Weaver},
};
use crate::{
    arguments::{self, ERROR, FORM_AT, FORM_NUMBER, FORM_TEXT, MOST_PARAMETERS, Plan, RETURNED},
    metadata::before::{Error, ImportMap, names_of_parameters},
    source::woven,
};

/// The local variables: a reference that is pinned, and an object that is pinned.
const REFERENCE: u16 = 0;
pub(super) const OBJECT: u16 = 1;

const HANDLE: &str = "System.Runtime.InteropServices.SafeHandle";
const BUILDER: &str = "System.Text.StringBuilder";

/// What giving values needs.
pub(super) struct Giving {
    give: Hook,
    /// The class, and the method that returns the value. A trimmed program may lack them.
    handle: Option<(MdToken, MdToken)>,
    /// The same for the text.
    builder: Option<(MdToken, MdToken)>,
}

impl Weaver<'_> {
    /// Adds the method that hands over the arguments of a call. `None`: they are not wanted.
    pub(super) fn handing(
        &mut self,
        call: &CallToWeave,
        signature: &MethodSig,
    ) -> Result<Option<MdToken>, Error> {
        let engine = self.emitter.engine;
        let Some(subject) = &call.arguments else {
            return Ok(None);
        };
        // Calls that are only counted are never slow, and a host's wrappers have other hooks.
        let is_denied = matches!(call.manner, Manner::Refused(_));
        if engine.notifies || call.unwatched || engine.counts() && !is_denied {
            return Ok(None);
        }
        let returned = (!signature.returns_void()).then(|| signature.ret());
        let params: Vec<&[u8]> = signature.params().collect();
        if !signature.is_plain() {
            return Ok(None);
        }
        let function = subject.function();
        let names = names_of_parameters(&self.emitter.import, call.method.token);
        let name = |n: usize| names.get(n).and_then(Option::as_deref).unwrap_or_default();
        let hidden = 0..params.len();
        let hidden = hidden.map(|n| engine.arguments.hides(function, name(n)));
        let hidden: Vec<bool> = hidden.collect();
        let hides_returned = engine.arguments.hides(function, "");
        let giving = self.giving()?;
        let locals = self.emitter.locals(&Giving::locals())?;
        let catches = self.emitter.type_of_corelib("System.Object")?;
        let last_error = self.last_error(call)?;
        let is_callback = call.method.side == Side::Managed;
        let (first, last) = match is_callback {
            true => (u16::from(returned.is_some()), 0),
            false => (0, params.len() as u16),
        };
        let request = self.request(&giving);
        let mut code = Code::new();
        let end = code.label();
        let block = code.begin_try();
        for (n, of) in (0..).zip(&params).take(MOST_PARAMETERS) {
            if !hidden[usize::from(n)] {
                giving.value(&mut code, n, first + n, of);
            }
        }
        if let Some(of) = returned.filter(|_| !hides_returned) {
            giving.value(&mut code, RETURNED, last, of);
        }
        if let Some(last_error) = last_error {
            code.ldc_i8(i64::from(ERROR) | FORM_NUMBER);
            code.call(last_error, 0, true);
            code.conv_u8();
            giving.call(&mut code);
        }
        if let Some(request) = request {
            code.call(request, 0, false);
        }
        code.leave(end);
        let handler = code.begin_catch(block);
        code.pop();
        code.leave(end);
        code.end_catch(handler, catches);
        code.place(end);
        code.hook(call.id, self.hooks.slow_void(woven::arguments_given));
        code.ret(false);
        let body = code.finish(locals).ok_or(Error::UNWRITABLE)?;
        let mut types = params;
        if let Some(returned) = returned {
            types.insert(if is_callback { 0 } else { types.len() }, returned);
        }
        let taken = sig::static_signature(types.into_iter()).ok_or(Error::UNWRITABLE)?;
        let class = self.emitter.apart()?;
        let name = format!("soglia$arguments{}", call.id);
        let method = self.emitter.define(&NewMethod {
            class,
            name: &name.encode_utf16().collect::<Vec<_>>(),
            flags: mdPublic | mdStatic | mdHideBySig,
            impl_flags: NO_INLINING,
            signature: &taken,
            rva: self.emitter.any_rva,
        })?;
        self.emitter.set_body(method, &body)?;
        self.apart.push(method);
        let of = (self.emitter.module, call.method.token);
        arguments::add(
            call.id,
            Plan::new(subject.clone(), of, hidden, hides_returned),
        );
        Ok(Some(method))
    }

    /// The method that returns the last error, if the call keeps it.
    fn last_error(&mut self, call: &CallToWeave) -> Result<Option<MdToken>, Error> {
        if call.method.side != Side::Unmanaged {
            return Ok(None);
        }
        let import = ImportMap::of(&self.emitter.import, call.method.token)?;
        if import.flags & pmSupportsLastError == 0 {
            return Ok(None);
        }
        let marshal = "System.Runtime.InteropServices.Marshal";
        let signature = [0, 0, sig::INT32];
        let method = self
            .emitter
            .method_of_corelib(marshal, "GetLastPInvokeError", &signature);
        // A trimmed program may lack it.
        Ok(method.ok())
    }

    fn giving(&mut self) -> Result<Giving, Error> {
        if self.giving.is_none() {
            let long: &[u8] = &[sig::INT64];
            self.giving = Some(Signatures::new(&mut self.emitter, &[long; 3])?);
        }
        let give = self
            .giving
            .as_ref()
            .map(|of| of.slow_void(woven::argument as *const () as usize, None));
        let value = [sig::THIS, 0, sig::NATIVE_INT];
        let text = [sig::THIS, 0, sig::STRING];
        let emitter = &mut self.emitter;
        let mut found = |class, name, signature: &[u8]| {
            let method = emitter.method_of_corelib(class, name, signature).ok()?;
            Some((emitter.type_of_corelib(class).ok()?, method))
        };
        Ok(Giving {
            give: give.ok_or(Error::UNWRITABLE)?,
            handle: found(HANDLE, "DangerousGetHandle", &value),
            builder: found(BUILDER, "ToString", &text),
        })
    }
}

impl Weaver<'_> {
    /// Makes a call, and hands its arguments over where a hook says so. `handing` is the method
    /// that does so, with how many arguments, and the local variable that has the result.
    pub(super) fn asking(
        &self,
        code: &mut Code,
        id: u32,
        handing: (MdToken, u16, Option<u16>),
        made: impl FnOnce(&mut Code),
    ) {
        let (method, args, ret) = handing;
        let failed = self.hooks.slow(woven::enter_failed_asking);
        code.watched(ret, made, |code| {
            let done = code.label();
            code.hook(id, failed);
            code.brfalse(done);
            hand_over(code, method, args, ret);
            code.place(done);
        });
        let done = code.label();
        code.hook(id, self.hooks.quick(woven::enter));
        code.brfalse(done);
        code.hook(id, self.hooks.slow(woven::enter_slow_asking));
        code.brfalse(done);
        hand_over(code, method, args, ret);
        code.place(done);
    }
}

impl Weaver<'_> {
    /// Hands the arguments of a call over before it is made. The local variable `ret` stands for
    /// the result.
    pub(super) fn opening(&self, code: &mut Code, id: u32, handing: (MdToken, u16, Option<u16>)) {
        let (method, args, ret) = handing;
        let done = code.label();
        code.hook(id, self.hooks.slow(woven::leave_asking));
        code.brfalse(done);
        hand_over(code, method, args, ret);
        code.place(done);
    }

    /// Closes a callback whose result is on the stack, if it has one. `handing` is the method that
    /// hands its arguments over, if that is wanted.
    pub(super) fn closing(
        &mut self,
        code: &mut Code,
        id: u32,
        signature: &MethodSig,
        handing: Option<MdToken>,
    ) -> Result<(), Error> {
        let quick = self.hooks.quick(woven::reverse_leave);
        let Some(method) = handing else {
            let slow = self.out_of_line(woven::reverse_leave_slow)?;
            code.hook_and(id, quick, slow);
            return Ok(());
        };
        let slow = self.out_of_line_asking(woven::reverse_leave_slow_asking)?;
        let returns = !signature.returns_void();
        let (done, args) = (code.label(), signature.args() as u16);
        code.hook(id, quick);
        code.brfalse(done);
        code.ldc_i4(id.cast_signed());
        code.conv_u8();
        code.call(slow, 1, true);
        code.brfalse(done);
        if returns {
            code.dup();
        }
        code.arguments(args);
        code.call(method, args + u16::from(returns), false);
        code.place(done);
        Ok(())
    }
}

/// Calls the method that hands over the arguments and the result, which is in a local variable.
pub(super) fn hand_over(code: &mut Code, method: MdToken, args: u16, ret: Option<u16>) {
    code.arguments(args);
    if let Some(local) = ret {
        code.ldloc(local);
    }
    code.call(method, args + u16::from(ret.is_some()), false);
}

impl Giving {
    /// The types of the local variables that it needs.
    pub(super) const fn locals() -> [&'static [u8]; 2] {
        const BYTE: u8 = 0x05;
        [
            &[sig::PINNED, sig::BYREF, BYTE],
            &[sig::PINNED, sig::OBJECT],
        ]
    }

    /// Gives the parameter `index`, which is an argument with this number and type.
    fn value(&self, code: &mut Code, index: u16, number: u16, of: &[u8]) {
        let Some((kind, rest)) = sig::strip(of) else {
            return;
        };
        match kind {
            sig::STRING => self.text(code, index, |code| code.ldarg(number)),
            sig::ARRAY | sig::SHAPED_ARRAY => self.object(code, index, number, |code| {
                if kind == sig::ARRAY {
                    code.ldc_i8(i64::from(index) | FORM_NUMBER);
                    code.ldarg(number);
                    code.ldlen();
                    code.conv_u8();
                    self.call(code);
                }
            }),
            sig::CLASS | sig::OBJECT => self.object(code, index, number, |code| {
                self.handle(code, index, number);
                self.builder(code, index, number);
            }),
            sig::BYREF => {
                let inner = sig::strip(rest);
                let size = inner.and_then(|(kind, rest)| Size::of(kind, rest));
                if let Some(size) = size {
                    code.ldarg(number);
                    code.stloc(REFERENCE);
                    code.ldc_i8(i64::from(index) | FORM_AT);
                    code.ldloc(REFERENCE);
                    code.conv_u();
                    code.conv_u8();
                    size.load(code);
                    code.call_hook_with(self.give, 2);
                }
            }
            _ => {
                if let Some(size) = Size::of(kind, rest) {
                    code.ldc_i8(i64::from(index) | FORM_AT);
                    code.ldarga(number);
                    code.conv_u();
                    code.conv_u8();
                    size.load(code);
                    code.call_hook_with(self.give, 2);
                }
            }
        }
    }

    /// Gives the key and the number on the stack.
    fn call(&self, code: &mut Code) {
        code.ldc_i8(0);
        code.call_hook_with(self.give, 2);
    }

    /// Gives null, or does something else.
    fn object(&self, code: &mut Code, index: u16, number: u16, there: impl FnOnce(&mut Code)) {
        let (null, done) = (code.label(), code.label());
        code.ldarg(number);
        code.brfalse(null);
        there(code);
        code.br(done);
        code.place(null);
        code.ldc_i8(i64::from(index) | FORM_AT);
        code.ldc_i8(0);
        self.call(code);
        code.place(done);
    }

    fn handle(&self, code: &mut Code, index: u16, number: u16) {
        let Some((class, value)) = self.handle else {
            return;
        };
        let other = code.label();
        code.ldarg(number);
        code.isinst(class);
        code.brfalse(other);
        code.ldc_i8(i64::from(index) | FORM_NUMBER);
        code.ldarg(number);
        code.isinst(class);
        code.callvirt(value, 1, true);
        code.conv_u8();
        self.call(code);
        code.place(other);
    }

    fn builder(&self, code: &mut Code, index: u16, number: u16) {
        let Some((class, text)) = self.builder else {
            return;
        };
        let other = code.label();
        code.ldarg(number);
        code.isinst(class);
        code.brfalse(other);
        self.text(code, index, |code| {
            code.ldarg(number);
            code.isinst(class);
            code.callvirt(text, 1, true);
        });
        code.place(other);
    }

    /// Gives the string that `load` loads.
    pub(super) fn text(&self, code: &mut Code, index: u16, load: impl FnOnce(&mut Code)) {
        load(code);
        code.stloc(OBJECT);
        code.ldc_i8(i64::from(index) | FORM_TEXT);
        code.ldloc(OBJECT);
        code.conv_u();
        code.conv_u8();
        self.call(code);
    }
}

/// The number of bytes of a value.
enum Size {
    Known(i64),
    /// That of this type.
    Of(MdToken),
}

impl Size {
    /// `None`: the type is none whose values are given as bytes.
    fn of(kind: u8, rest: &[u8]) -> Option<Self> {
        Some(match kind {
            sig::BOOLEAN | 0x04 | 0x05 => Self::Known(1),
            sig::CHARACTER | 0x06 | 0x07 => Self::Known(2),
            sig::INT32 | sig::UINT32 | sig::R4 => Self::Known(4),
            sig::INT64
            | sig::UINT64
            | sig::R8
            | sig::NATIVE_INT
            | sig::NATIVE_UINT
            | sig::POINTER
            | sig::FUNCTION => Self::Known(8),
            sig::VALUE_TYPE => Self::Of(sig::type_token(rest)?),
            _ => return None,
        })
    }

    fn load(&self, code: &mut Code) {
        match self {
            Self::Known(size) => code.ldc_i8(*size),
            Self::Of(token) => {
                code.sizeof(*token);
                code.conv_u8();
            }
        }
    }
}
