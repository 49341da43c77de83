//! How methods of CoreLib call managed code of the engine, which waits on events of a host.
//!
//! That code is in the engine's table ([`crate::notify::waits`]). Its functions all have the
//! signature `int32(object, object, int32)`.

use std::{collections::HashSet, sync::atomic::AtomicUsize};

use soglia_abi::ids::MdToken;
use soglia_il::{
    asm::{Code, Label},
    body,
};

use super::{emit::Emitter, turns};
use crate::{
    metadata::{before::Error, find},
    notify::waits::TABLE,
};

/// An answer of managed code: .NET waits itself.
const OWN: i32 = 2;

pub(super) type Written = Result<(), String>;

/// CoreLib while it is being changed.
pub(super) struct Waits<'a, 'b> {
    pub(super) emitter: &'a Emitter<'b>,
    /// Of the managed functions in the table.
    pub(super) signature: MdToken,
    pub(super) changed: &'a mut HashSet<u32>,
}

/// What managed code does in front of a method. It answers what the method returns, or [`OWN`].
#[derive(Clone, Copy)]
pub(super) struct Front<'a> {
    pub(super) function: &'a AtomicUsize,
    /// The address of a word; if that is 0, managed code is not called.
    pub(super) guard: usize,
    /// The argument that it gets as a second one; null without.
    pub(super) other: Option<u16>,
    /// The argument that it gets as a third one; `number` without.
    pub(super) time: Option<u16>,
    pub(super) number: i32,
    /// It is not called if the third argument is 0.
    pub(super) skips_zero: bool,
    /// It is not called if this argument is true.
    pub(super) unless: Option<u16>,
    /// The method returns something.
    pub(super) returns: bool,
}

impl<'a> Front<'a> {
    pub(super) fn new(function: &'a AtomicUsize) -> Self {
        Self {
            function,
            guard: std::ptr::from_ref(function).expose_provenance(),
            other: None,
            time: None,
            number: -1,
            skips_zero: false,
            unless: None,
            returns: false,
        }
    }
}

impl Waits<'_, '_> {
    /// The only method of this name and signature.
    pub(super) fn method(
        &self,
        class: &str,
        name: &str,
        signature: &[u8],
    ) -> Result<MdToken, String> {
        let import = &self.emitter.import;
        let found = find::class(import, class).map(|of| find::methods(import, of, name));
        let found = found.unwrap_or_default();
        let mut fitting = found.iter().filter(|(_, there)| there == signature);
        match fitting.next() {
            Some((method, _)) => Ok(*method),
            None => Err(format!(
                "System.Private.CoreLib has another {class}.{name} than expected"
            )),
        }
    }

    /// Gives a method a body of its own. `locals` are the types of its local variables.
    pub(super) fn set(&mut self, method: MdToken, code: Code, locals: &[&[u8]]) -> Written {
        let set = || {
            let locals = self.emitter.locals(locals)?;
            let body = code.finish(locals).ok_or(Error::UNWRITABLE)?;
            self.emitter.set_body(method, &body)
        };
        set().map_err(|why| why.to_string())?;
        self.changed.insert(method.row());
        Ok(())
    }

    /// Calls a managed function of the table, whose arguments are on the stack.
    pub(super) fn call(&self, code: &mut Code, function: &AtomicUsize) {
        cell(code, function);
        code.calli(self.signature, 3, true);
    }

    /// Has managed code do it first, in a method whose first argument is the object.
    pub(super) fn front(&mut self, method: MdToken, front: Front) -> Written {
        let mut code = Code::new();
        let (own, as_before) = (code.label(), code.label());
        load(&mut code, front.guard);
        code.brfalse(as_before);
        if let Some(time) = front.time.filter(|_| front.skips_zero) {
            code.ldarg(time);
            code.brfalse(as_before);
        }
        if let Some(flag) = front.unless {
            code.ldarg(flag);
            code.brtrue(as_before);
        }
        code.ldarg(0);
        match front.other {
            Some(other) => code.ldarg(other),
            None => code.ldnull(),
        }
        match front.time {
            Some(time) => code.ldarg(time),
            None => code.ldc_i4(front.number),
        }
        self.call(&mut code, front.function);
        code.dup();
        is_own(&mut code, own);
        if !front.returns {
            code.pop();
        }
        code.ret(front.returns);
        code.place(own);
        code.pop();
        code.place(as_before);
        let before = self.emitter.body(method);
        let body = before.and_then(|before| turns::around(before, code, Code::new()));
        let body = body.ok_or("its body is of an unknown shape")?;
        let set = self.emitter.set_body(method, &body);
        set.map_err(|why| why.to_string())?;
        self.changed.insert(method.row());
        Ok(())
    }

    /// A method that sets or releases its first argument. `first` comes before that, and then
    /// managed code hears of it by `then`, where threads wait.
    pub(super) fn around(
        &mut self,
        method: MdToken,
        first: impl FnOnce(&Self, &mut Code),
        (then, number): (&AtomicUsize, i32),
        returns: bool,
    ) -> Written {
        let before = self.emitter.body(method).and_then(body::plain);
        let before = before.ok_or("its body is of an unknown shape")?;
        let mut code = Code::new();
        let (on, end) = (code.label(), code.label());
        load(&mut code, contended());
        code.brfalse(on);
        first(self, &mut code);
        code.place(on);
        code.inlined(before.code, before.stack, returns.into());
        load(&mut code, contended());
        code.brfalse(end);
        code.ldarg(0);
        code.ldnull();
        code.ldc_i4(number);
        self.call(&mut code, then);
        code.pop();
        code.place(end);
        code.ret(returns);
        let locals = before.locals;
        let body = code.finish(locals).ok_or("a body does not come out even")?;
        let set = self.emitter.set_body(method, &body);
        set.map_err(|why| why.to_string())?;
        self.changed.insert(method.row());
        Ok(())
    }
}

/// The address of how many objects are waited for.
pub(super) fn contended() -> usize {
    (&raw const TABLE.contended).expose_provenance()
}

/// Loads the word at an address.
pub(super) fn load(code: &mut Code, address: usize) {
    code.ldc_i8((address as u64).cast_signed());
    code.conv_i();
    code.ldind_i();
}

/// Loads a function of the table; 0: it is not there yet.
pub(super) fn cell(code: &mut Code, function: &AtomicUsize) {
    load(code, std::ptr::from_ref(function).expose_provenance());
}

/// Branches if the answer on the stack is that .NET waits itself.
pub(super) fn is_own(code: &mut Code, own: Label) {
    code.ldc_i4(OWN);
    code.ceq();
    code.brtrue(own);
}
