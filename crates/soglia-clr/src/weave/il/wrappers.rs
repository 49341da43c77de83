//! The bodies of wrappers: hooks around a call of what is wrapped.

use soglia_abi::ids::MdToken;

use super::{super::sig, Code};

impl Code {
    /// Calls a hook: `ldc.i4 id; conv.u8; ldc.i8 address; conv.i; calli`.
    fn hook(&mut self, id: u32, (address, signature): (usize, MdToken), returns: bool) {
        self.ldc_i4(id.cast_signed());
        self.conv_u8();
        // An address has no sign, the instruction's number has: the same 64 bits.
        self.ldc_i8((address as u64).cast_signed());
        self.conv_i();
        self.calli(signature, 1, returns);
    }

    /// Calls a hook, and if it does not answer 0, its slow sister.
    fn hook_or_slow(&mut self, id: u32, quick: (usize, MdToken), slow: (usize, MdToken)) {
        let done = self.label();
        self.hook(id, quick, true);
        self.brfalse(done);
        self.hook(id, slow, false);
        self.place(done);
    }

    /// Calls the wrapped method with the same arguments, and `last` in whatever way it is left; then returns.
    fn wrapped(&mut self, inner: MdToken, args: u16, ret: Option<u16>, last: impl Fn(&mut Self)) {
        let end = self.label();
        let block = self.begin_try();
        for number in 0..args {
            self.ldarg(number);
        }
        self.call(inner, args, ret.is_some());
        if let Some(local) = ret {
            self.stloc(local);
        }
        self.leave(end);
        let handler = self.begin_finally(block);
        last(self);
        self.end_finally(handler);
        self.place(end);
        if let Some(local) = ret {
            self.ldloc(local);
        }
        self.ret(ret.is_some());
    }
}

/// What the wrapper of a P/Invoke is made of.
///
/// Hooks take the id as an `int64`. The addresses are written into the code: what is there must never go away.
#[derive(Clone, Copy, Debug)]
pub struct Forward {
    /// The target.
    pub id: u32,
    /// Told before the call. Returns an `int32`: 0 to go on, 1 to ask the slow one, an HRESULT that has failed to refuse.
    pub leave: usize,
    /// The slow one: may block. Returns an `int32` as well, but 1 is nothing special.
    pub leave_slow: usize,
    /// Told after the call. Returns an `int32`: 0, or anything else to have the slow one called.
    pub enter: usize,
    /// The slow one. Returns nothing.
    pub enter_slow: usize,
    /// Signature for `leave`.
    pub sig_leave: MdToken,
    /// Signature for `leave_slow`.
    pub sig_leave_slow: MdToken,
    /// Signature for `enter`.
    pub sig_enter: MdToken,
    /// Signature for `enter_slow`.
    pub sig_enter_slow: MdToken,
    /// The P/Invoke inside.
    pub native: MdToken,
    /// `void Marshal.ThrowExceptionForHR(int32)`.
    pub throw: MdToken,
    /// Arguments, as `ldarg` counts them.
    pub args: u16,
    /// Whether it returns something.
    pub returns: bool,
    /// Local variables, of the signature that [`forward_locals`] gives.
    pub locals: MdToken,
}

/// The body of a P/Invoke's wrapper.
///
/// ```text
///           leave(id)         ldc.i4 id; conv.u8; ldc.i8 leave; conv.i; calli sig_leave
///           stloc.0
///           ldloc.0
///           brfalse GO
///           ldloc.0
///           ldc.i4.0
///           ble REFUSED       ; 1: the quick one cannot decide
///           leave_slow(id)
///           stloc.0
/// REFUSED:  ldloc.0
///           ldc.i4.0
///           bge GO
///           ldloc.0
///           call throw        ; does not return for what is negative
/// GO:       .try {
///             ldarg ...
///             call native
///             [stloc.1]
///             leave END
///           } finally {
///             enter(id)
///             brfalse DONE
///             enter_slow(id)
/// DONE:       endfinally
///           }
/// END:      [ldloc.1]
///           ret
/// ```
pub fn forward(w: &Forward) -> Option<Vec<u8>> {
    const HR: u16 = 0;
    let mut code = Code::new();
    let (go, refused) = (code.label(), code.label());
    code.hook(w.id, (w.leave, w.sig_leave), true);
    code.stloc(HR);
    code.ldloc(HR);
    code.brfalse(go);
    code.ldloc(HR);
    code.ldc_i4(0);
    code.ble(refused);
    code.hook(w.id, (w.leave_slow, w.sig_leave_slow), true);
    code.stloc(HR);
    code.place(refused);
    code.ldloc(HR);
    code.ldc_i4(0);
    code.bge(go);
    code.ldloc(HR);
    code.call(w.throw, 1, false);
    code.place(go);
    code.wrapped(w.native, w.args, w.returns.then_some(1), |code| {
        let slow = (w.enter_slow, w.sig_enter_slow);
        code.hook_or_slow(w.id, (w.enter, w.sig_enter), slow);
    });
    code.finish(Some(w.locals))
}

/// The signature of the locals of [`forward`]: the hook's answer, and what is returned. `ret` is the return type as the
/// wrapped method's signature has it, or nothing if it returns nothing.
pub fn forward_locals(ret: Option<&[u8]>) -> Option<Vec<u8>> {
    match ret {
        Some(ret) => sig::locals_signature(&[&[sig::INT32], ret]),
        None => sig::locals_signature(&[&[sig::INT32]]),
    }
}

/// What the wrapper of an `[UnmanagedCallersOnly]` method is made of. Hooks as with [`Forward`].
#[derive(Clone, Copy, Debug)]
pub struct Reverse {
    /// The target.
    pub id: u32,
    /// Told before the call. Returns an `int32`: 0, or anything else to have the slow one called.
    pub reverse_enter: usize,
    /// The slow one. Returns nothing.
    pub reverse_enter_slow: usize,
    /// Told after the call. Returns an `int32`: 0, or anything else to have the slow one called.
    pub reverse_leave: usize,
    /// The slow one. Returns nothing.
    pub reverse_leave_slow: usize,
    /// Signature for `reverse_enter`.
    pub sig_enter: MdToken,
    /// Signature for `reverse_enter_slow`.
    pub sig_enter_slow: MdToken,
    /// Signature for `reverse_leave`.
    pub sig_leave: MdToken,
    /// Signature for `reverse_leave_slow`.
    pub sig_leave_slow: MdToken,
    /// The method that has the original body.
    pub body: MdToken,
    /// Arguments, as `ldarg` counts them.
    pub args: u16,
    /// Local variables, of the signature that [`reverse_locals`] gives; `None` if nothing is returned.
    pub locals: Option<MdToken>,
}

/// The body of an `[UnmanagedCallersOnly]` method's wrapper.
///
/// ```text
///           reverse_enter(id) ; as in `forward`
///           brfalse GO
///           reverse_enter_slow(id)
/// GO:       .try {
///             ldarg ...
///             call body
///             [stloc.0]
///             leave END
///           } finally {
///             reverse_leave(id)
///             brfalse DONE
///             reverse_leave_slow(id)
/// DONE:       endfinally
///           }
/// END:      [ldloc.0]
///           ret
/// ```
pub fn reverse(w: &Reverse) -> Option<Vec<u8>> {
    let mut code = Code::new();
    let quick = (w.reverse_enter, w.sig_enter);
    code.hook_or_slow(w.id, quick, (w.reverse_enter_slow, w.sig_enter_slow));
    code.wrapped(w.body, w.args, w.locals.map(|_| 0), |code| {
        let slow = (w.reverse_leave_slow, w.sig_leave_slow);
        code.hook_or_slow(w.id, (w.reverse_leave, w.sig_leave), slow);
    });
    code.finish(w.locals)
}

/// The signature of the locals of [`reverse`]: what is returned, as the wrapped method's signature has it.
pub fn reverse_locals(ret: &[u8]) -> Option<Vec<u8>> {
    sig::locals_signature(&[ret])
}
