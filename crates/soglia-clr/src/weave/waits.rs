//! Changes methods of CoreLib in which a thread would block, or lets others go on. Where a host has
//! events for that ([`crate::notify::waits`]), they call managed code of the engine, by addresses
//! that lie in its table.
//!
//! ```text
//!   .NET 10                                          .NET 8 and 9, where all is native code
//!
//!   void Monitor.Enter_Slowpath(object o) {          void Monitor.ReliableEnter(o, ref bool b) {
//!       if (*enter != 0                                  if (*enter == 0) goto OWN
//!           && (*enter)(o, null, -1) != OWN) return      native TryEnter(o, 0, ref b)
//!       as it was                                        if (b) return
//!   }                                                    if ((*enter)(o, null, -1) != OWN) {
//!                                                            b = true
//!   void Monitor.Exit(object o) {                            return
//!       as it was                                        }
//!       if (*contended != 0) (*released)(o, null, 0)  OWN:
//!   }                                                    native Enter(o, ref b)
//!                                                    }
//! ```
//!
//! The metadata of CoreLib have to be open for writing: the calls have a signature of their own,
//! and native code is called by new methods.

use std::collections::HashSet;

use soglia_abi::{
    ids::MdToken,
    profiler::metadata_flags::{mdHideBySig, mdPrivate, mdStatic},
};
use soglia_il::{asm::Code, sig};

use super::{
    changed::Done,
    emit::{Emitter, NewMethod},
    fronts::{Front, Waits, Written, cell, contended, is_own, load},
    occasions::INTERNAL_CALL,
    turns,
    weaver::{AGGRESSIVE_INLINING, NO_INLINING},
};
use crate::{
    metadata::before::{Before, Error},
    notify::waits::TABLE,
};

const MONITOR: &str = "System.Threading.Monitor";

/// Has CoreLib wait on events of the host.
pub(super) fn take_over(emitter: &Emitter) -> Done {
    let mut done = Done {
        changed: HashSet::new(),
        missing: Vec::new(),
    };
    let signature = [0, 3, sig::INT32, sig::OBJECT, sig::OBJECT, sig::INT32];
    match emitter.stand_alone(&signature) {
        Ok(signature) => {
            let mut waits = Waits {
                emitter,
                signature,
                changed: &mut done.changed,
            };
            let parts = [
                ("not all waits for a Monitor are", waits.monitors()),
                ("Monitor.Wait is not", waits.pulses()),
                ("WaitHandle.WaitOne is not", waits.handles()),
                ("waits for a Lock are not", waits.locks()),
                (
                    "waits for a ReaderWriterLockSlim are not",
                    waits.readers_and_writers(),
                ),
            ];
            for (text, part) in parts {
                if let Err(why) = part {
                    let missing = format!("{text} on events of its host: {why}");
                    done.missing.push(missing);
                }
            }
        }
        Err(why) => {
            let text = "no event of its host is waited on";
            done.missing.push(format!("{text}: {why}"));
        }
    }
    done
}

/// Has methods of .NET 8 and 9 that take a lock in native code call others when they have to wait,
/// in which a thread then gives its slot back ([`super::turns`]). Returns the rows of the methods
/// that have changed.
///
/// # Errors
/// In words, if these methods are others than expected. .NET 10 needs none of this.
pub(super) fn have_locks_park(emitter: &Emitter) -> Result<HashSet<u32>, String> {
    let mut changed = HashSet::new();
    let mut waits = Waits {
        emitter,
        signature: MdToken::default(),
        changed: &mut changed,
    };
    if waits.method(MONITOR, "Enter_Slowpath", ENTER).is_ok() {
        return Ok(changed);
    }
    let enter = waits.native(MONITOR, "ReliableEnter", ENTER_TAKEN)?;
    let try_enter = waits.native(MONITOR, "ReliableEnterTimeout", TRY_ENTER_TAKEN)?;
    let (enter, try_enter) = (waits.give(enter)?, waits.give(try_enter)?);
    waits.parked((enter.0, turns::ENTER_PARKED), enter.1, try_enter.1, None)?;
    waits.parked(
        (try_enter.0, turns::TRY_ENTER_PARKED),
        try_enter.1,
        try_enter.1,
        Some(1),
    )?;
    Ok(changed)
}

const ENTER: &[u8] = &[0, 1, sig::VOID, sig::OBJECT];
const EXIT: &[u8] = ENTER;
const ENTER_TAKEN: &[u8] = &[0, 2, sig::VOID, sig::OBJECT, sig::BYREF, sig::BOOLEAN];
const EXIT_TAKEN: &[u8] = ENTER_TAKEN;
const TRY_ENTER: &[u8] = &[0, 2, sig::BOOLEAN, sig::OBJECT, sig::INT32];
const TRY_ENTER_TAKEN: &[u8] = &[
    0,
    3,
    sig::VOID,
    sig::OBJECT,
    sig::INT32,
    sig::BYREF,
    sig::BOOLEAN,
];

impl Waits<'_, '_> {
    /// Finds everything before it changes anything: a lock whose release is not seen must not be
    /// waited for.
    fn monitors(&mut self) -> Written {
        if let Ok(enter) = self.method(MONITOR, "Enter_Slowpath", ENTER) {
            let try_enter = self.method(MONITOR, "TryEnter_Slowpath", TRY_ENTER)?;
            let exit = self.method(MONITOR, "Exit", EXIT)?;
            let exit_taken = self.method(MONITOR, "ExitIfLockTaken", EXIT_TAKEN)?;
            for (method, args) in [(exit, 1), (exit_taken, 2)] {
                let before = self.copy(method)?;
                self.released(method, before, args)?;
            }
            let front = Front::new(&TABLE.enter);
            self.front(enter, front)?;
            let front = Front {
                time: Some(1),
                skips_zero: true,
                returns: true,
                ..front
            };
            return self.front(try_enter, front);
        }
        let enter_taken = self.native(MONITOR, "ReliableEnter", ENTER_TAKEN)?;
        let try_enter = self.native(MONITOR, "ReliableEnterTimeout", TRY_ENTER_TAKEN)?;
        let exit = self.native(MONITOR, "Exit", EXIT)?;
        let [enter_taken, try_enter, exit] = [
            self.give(enter_taken)?,
            self.give(try_enter)?,
            self.give(exit)?,
        ];
        self.released(exit.0, exit.1, 1)?;
        self.enter_taken(enter_taken, try_enter.1)?;
        self.try_enter_taken(try_enter)?;
        // The runtime asks for the native code of this method as it starts, and relies on it.
        Err(format!(
            "{MONITOR}.Enter(object) has to stay in native code"
        ))
    }

    /// The same, if it is native code.
    fn native(&self, class: &str, name: &str, signature: &[u8]) -> Result<MdToken, String> {
        let method = self.method(class, name, signature)?;
        let before = Before::of(&self.emitter.import, method).map_err(|why| why.to_string())?;
        if before.impl_flags & INTERNAL_CALL == 0 {
            return Err(format!("{class}.{name} is no native code"));
        }
        Ok(method)
    }

    /// Has a method of native code get a body. Returns it, and a new method for the native code,
    /// which the CLR finds by the name. The new one differs in a modifier in its signature.
    fn give(&mut self, method: MdToken) -> Result<(MdToken, MdToken), String> {
        let given = || {
            let before = Before::of(&self.emitter.import, method)?;
            let signature = sig::with_modifier(&before.signature, before.class);
            let native = self.emitter.define(&NewMethod {
                class: before.class,
                name: &before.name,
                flags: mdPrivate | mdStatic | mdHideBySig,
                impl_flags: before.impl_flags,
                signature: &signature.ok_or(Error::UNWRITABLE)?,
                rva: 0,
            })?;
            let flags = before.impl_flags & !INTERNAL_CALL;
            self.emitter.set_code(method, before.flags, flags)?;
            Ok((method, native))
        };
        given().map_err(|why: Error| why.to_string())
    }

    /// A new method with the code that a static method has now.
    fn copy(&self, method: MdToken) -> Result<MdToken, String> {
        let copied = || {
            let before = Before::of(&self.emitter.import, method)?;
            let mut name = before.name;
            name.extend("_Unseen".encode_utf16());
            self.emitter.define(&NewMethod {
                class: before.class,
                name: &name,
                flags: mdPrivate | mdStatic | mdHideBySig,
                impl_flags: AGGRESSIVE_INLINING,
                signature: &before.signature,
                rva: before.rva,
            })
        };
        copied().map_err(|why: Error| why.to_string())
    }

    /// A method that releases its first argument by `unseen`, and then has managed code wake those
    /// who wait for it.
    fn released(&mut self, method: MdToken, unseen: MdToken, args: u16) -> Written {
        let mut code = Code::new();
        let end = code.label();
        code.arguments(args);
        code.call(unseen, args, false);
        load(&mut code, contended());
        code.brfalse(end);
        code.ldarg(0);
        code.ldnull();
        code.ldc_i4(0);
        self.call(&mut code, &TABLE.released);
        code.pop();
        code.place(end);
        code.ret(false);
        self.set(method, code, &[])
    }

    /// A method that takes its first argument, and says by the last one whether it has: tries that
    /// by `try_enter` first, and else calls a new method of this name, which calls `native`.
    fn parked(
        &mut self,
        (method, name): (MdToken, &str),
        native: MdToken,
        try_enter: MdToken,
        time: Option<u16>,
    ) -> Written {
        let last = 1 + time.map_or(0, |_| 1);
        let (args, name): (u16, Vec<u16>) = (last + 1, name.encode_utf16().collect());
        let define = || {
            let before = Before::of(&self.emitter.import, method)?;
            self.emitter.define(&NewMethod {
                class: before.class,
                name: &name,
                flags: mdPrivate | mdStatic | mdHideBySig,
                impl_flags: AGGRESSIVE_INLINING | NO_INLINING,
                signature: &before.signature,
                rva: before.rva.max(self.emitter.any_rva),
            })
        };
        let parked = define().map_err(|why: Error| why.to_string())?;
        let mut code = Code::new();
        code.arguments(args);
        code.call(native, args, false);
        code.ret(false);
        self.set(parked, code, &[])?;
        let mut code = Code::new();
        let (own, end) = (code.label(), code.label());
        if let Some(time) = time {
            code.ldarg(time);
            code.brfalse(own);
        }
        code.ldarg(0);
        code.ldc_i4(0);
        code.ldarg(last);
        code.call(try_enter, 3, false);
        code.ldarg(last);
        code.ldind_u1();
        code.brtrue(end);
        code.place(own);
        code.arguments(args);
        code.call(parked, args, false);
        code.place(end);
        code.ret(false);
        self.set(method, code, &[])
    }

    /// `ReliableEnter(object, ref bool)`.
    fn enter_taken(&mut self, (enter, native): (MdToken, MdToken), try_enter: MdToken) -> Written {
        let mut code = Code::new();
        let (own, end) = (code.label(), code.label());
        cell(&mut code, &TABLE.enter);
        code.brfalse(own);
        code.ldarg(0);
        code.ldc_i4(0);
        code.ldarg(1);
        code.call(try_enter, 3, false);
        code.ldarg(1);
        code.ldind_u1();
        code.brtrue(end);
        code.ldarg(0);
        code.ldnull();
        code.ldc_i4(-1);
        self.call(&mut code, &TABLE.enter);
        is_own(&mut code, own);
        code.ldarg(1);
        code.ldc_i4(1);
        code.stind_i1();
        code.place(end);
        code.ret(false);
        code.place(own);
        code.arguments(2);
        code.call(native, 2, false);
        code.ret(false);
        self.set(enter, code, &[])
    }

    /// `ReliableEnterTimeout(object, int, ref bool)`.
    fn try_enter_taken(&mut self, (try_enter, native): (MdToken, MdToken)) -> Written {
        let mut code = Code::new();
        let (own, mine, end) = (code.label(), code.label(), code.label());
        code.ldarg(1);
        code.brfalse(own);
        cell(&mut code, &TABLE.enter);
        code.brfalse(own);
        code.ldarg(0);
        code.ldc_i4(0);
        code.ldarg(2);
        code.call(native, 3, false);
        code.ldarg(2);
        code.ldind_u1();
        code.brtrue(end);
        code.ldarg(0);
        code.ldnull();
        code.ldarg(1);
        self.call(&mut code, &TABLE.enter);
        code.dup();
        is_own(&mut code, mine);
        code.brfalse(end);
        code.ldarg(2);
        code.ldc_i4(1);
        code.stind_i1();
        code.place(end);
        code.ret(false);
        code.place(mine);
        code.pop();
        code.place(own);
        code.arguments(3);
        code.call(native, 3, false);
        code.ret(false);
        self.set(try_enter, code, &[])
    }
}
