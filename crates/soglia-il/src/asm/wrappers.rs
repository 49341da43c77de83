//! What wrappers are made of: hooks, and a call between them.
//!
//! ```text
//!   WATCHED                          TOLD                             REFUSED
//!
//!         leave(id)                        ldc.i8 how; ldind.u1             refused(id)
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
//! A hook's call is `ldc.i4 id; conv.u8; ldc.i8 address; conv.i; calli`. The addresses are written into the code: what is there must never go away.

use soglia_abi::ids::MdToken;

use super::Code;

/// A native function that a wrapper calls with the id, as an `int64`, and if it is told a pointer, with that.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Of its first instruction.
    pub address: usize,
    /// How it is called.
    pub signature: MdToken,
    /// Whether it returns an `int32`.
    pub answers: bool,
    /// The argument that is the pointer.
    pub pointer: Option<u16>,
}

/// A hook called in cooperative mode, and its twin, called in preemptive mode if the first answers anything but 0.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// Answers an `int32`.
    pub quick: Hook,
    /// Its answer, if it has one, is dropped.
    pub slow: Hook,
}

impl Code {
    /// Calls a hook.
    pub fn hook(&mut self, id: u32, hook: Hook) {
        self.ldc_i4(id.cast_signed());
        self.conv_u8();
        if let Some(number) = hook.pointer {
            self.ldarg(number);
        }
        self.call_hook(hook);
    }

    /// Calls a hook that takes something else than the id.
    pub fn hook_with(&mut self, argument: i64, hook: Hook) {
        self.ldc_i8(argument);
        self.call_hook(hook);
    }

    /// Calls a hook whose arguments are on the stack.
    pub fn call_hook(&mut self, hook: Hook) {
        self.call_hook_with(hook, 0);
    }

    /// The same, with so many arguments more than the id and the pointer.
    pub fn call_hook_with(&mut self, hook: Hook, more: u16) {
        // An address has no sign, the instruction's number has: the same 64 bits.
        self.ldc_i8((hook.address as u64).cast_signed());
        self.conv_i();
        let args = 1 + u16::from(hook.pointer.is_some()) + more;
        self.calli(hook.signature, args, hook.answers);
    }

    /// Calls a hook, and if it does not answer 0, its slow twin.
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

    /// Calls a hook that takes the id, and if it does not answer 0, a method with the id.
    pub fn hook_and(&mut self, id: u32, hook: Hook, method: MdToken) {
        let done = self.label();
        self.hook(id, hook);
        self.brfalse(done);
        self.ldc_i4(id.cast_signed());
        self.conv_u8();
        self.call(method, 1, false);
        self.place(done);
    }

    /// Loads that many arguments.
    pub fn arguments(&mut self, count: u16) {
        for number in 0..count {
            self.ldarg(number);
        }
    }

    /// Does `call`, keeps what it leaves on the stack in the local `ret`, and does `failed` if it throws.
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

    /// Returns the local `ret`, or nothing.
    pub fn give_back(&mut self, ret: Option<u16>) {
        if let Some(local) = ret {
            self.ldloc(local);
        }
        self.ret(ret.is_some());
    }
}
