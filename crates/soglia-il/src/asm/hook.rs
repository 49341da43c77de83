//! The parts of wrappers: hooks, and a call between them.
//!
//! ```text
//!   WATCHED                          NOTIFIED                         DENIED
//!
//!         leave(id)                        ldc.i8 how; ldind.u1             denied(id)
//!         brfalse GO                       if 0: ldtoken native             ldstr message
//!         leave_slow(id)                         call PrepareMethod         newobj exception
//!         pop                                    linked(of)                 throw
//!   GO:   .try {                           if 1: br QUIET
//!           ldarg ...                      leave(of)
//!           call native                    stloc.0                    COUNTED
//!           [stloc.n]                      if < 0: throw it
//!           leave END                      .try, as on the left,            count(id)
//!         } fault {                          with failed(of, answer)        brfalse GO
//!           enter_failed(id)         END:  enter(of, answer)                count_slow(id)
//!           endfault                       if < 0: throw it           GO:   ldarg ...
//!         }                                [ldloc.n]                        call native
//!   END:  enter(id)                        ret                              ret
//!         brfalse DONE               QUIET: ldarg ...
//!         enter_slow(id)                   call native
//!   DONE: [ldloc.n]                        ret
//!         ret
//! ```
//!
//! The call of a hook is `ldc.i4 id; conv.u8; ldc.i8 address; conv.i; calli`.
//! The code holds the addresses of hooks, so hooks must stay where they are for as long as the
//! process lives.

use soglia_abi::ids::MdToken;

use super::code::Code;

/// A native function that a wrapper calls with its id, as an `int64`.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// The address of the function.
    pub address: usize,
    /// The signature that it is called by.
    pub signature: MdToken,
    /// Whether it returns an `int32`.
    pub answers: bool,
    /// The argument of the wrapper that the hook gets as a second one, a pointer.
    pub pointer: Option<u16>,
}

/// A hook that is called in cooperative mode, and its twin for preemptive mode.
/// The twin is called if the first returns anything but 0.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// Returns an `int32`.
    pub quick: Hook,
    /// If it returns something, that is dropped.
    pub slow: Hook,
}

impl Code {
    /// Calls a hook with an id, and with the pointer if the hook takes one.
    pub fn hook(&mut self, id: u32, hook: Hook) {
        self.load_id(id);
        if let Some(number) = hook.pointer {
            self.ldarg(number);
        }
        self.call_hook(hook);
    }

    /// Calls a hook with any number in the place of the id.
    pub fn hook_with(&mut self, argument: i64, hook: Hook) {
        self.ldc_i8(argument);
        self.call_hook(hook);
    }

    /// Calls a hook whose arguments are on the stack.
    pub fn call_hook(&mut self, hook: Hook) {
        self.call_hook_with(hook, 0);
    }

    /// Calls a hook that takes `more` arguments behind the id and the pointer.
    /// All are on the stack.
    pub fn call_hook_with(&mut self, hook: Hook, more: u16) {
        // An address has no sign and the operand has one; the 64 bits are the same.
        self.ldc_i8((hook.address as u64).cast_signed());
        self.conv_i();
        let args = 1 + u16::from(hook.pointer.is_some()) + more;
        self.calli(hook.signature, args, hook.answers);
    }

    /// Calls a hook, and its slow twin if the hook does not return 0.
    pub fn hooks(&mut self, id: u32, pair: Pair) {
        let done = self.label();
        self.hook(id, pair.quick);
        self.brfalse(done);
        self.hook(id, pair.slow);
        if pair.slow.answers {
            self.pop();
        }
        self.place(done);
    }

    /// Calls a hook with an id, and `method` with the id if the hook does not return 0.
    pub fn hook_and(&mut self, id: u32, hook: Hook, method: MdToken) {
        let done = self.label();
        self.hook(id, hook);
        self.brfalse(done);
        self.load_id(id);
        self.call(method, 1, false);
        self.place(done);
    }

    /// Loads an id as an `int64`.
    fn load_id(&mut self, id: u32) {
        self.ldc_i4(id.cast_signed());
        self.conv_u8();
    }

    /// Loads the first `count` arguments.
    pub fn arguments(&mut self, count: u16) {
        for number in 0..count {
            self.ldarg(number);
        }
    }

    /// Writes `call`, and keeps its result in the local variable `ret`, if it has one.
    /// Where `call` throws, the code of `failed` runs before the exception goes on.
    pub fn watched(
        &mut self,
        ret: Option<u16>,
        call: impl FnOnce(&mut Self),
        failed: impl FnOnce(&mut Self),
    ) {
        let end = self.label();
        let block = self.begin_try();
        call(self);
        if let Some(local) = ret {
            self.stloc(local);
        }
        self.leave(end);
        let handler = self.begin_fault(block);
        failed(self);
        self.end_fault(handler);
        self.place(end);
    }

    /// Returns the local variable `ret`, or nothing.
    pub fn give_back(&mut self, ret: Option<u16>) {
        if let Some(local) = ret {
            self.ldloc(local);
        }
        self.ret(ret.is_some());
    }
}
