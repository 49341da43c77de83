//! Puts hooks into methods that native code calls, in modules that are in use.
//!
//! Native code holds pointers to these methods, and the CLR leads such a pointer to whatever code
//! the method has now. So new code of the method itself reaches callers of all pointers, where a
//! wrapper would not.
//!
//! ```text
//!   [UnmanagedCallersOnly]                     // the method of a delegate that may be held
//!   static int C(int n) {                      int M(int n) {
//!       hook reverse_enter(id)                     opened = hook held_enter(id)
//!       as it was; before each return:             as it was; before each return:
//!           hook reverse_leave(id)                     if (opened != 0) hook reverse_leave(id)
//!   }                                          }
//! ```
//!
//! Managed code cannot call `C`. It may call `M`, so `M` asks at its start whether native code does
//! ([`woven::held_enter`]).
//!
//! Where a host is notified, `C` calls a method that has its code instead, as in a module that is
//! being loaded: a host may deny the callback.
//!
//! An exception that leaves the method passes the hook at its end, as it passes that of a wrapper.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::metadata_flags::{mdHideBySig, mdPublic, mdStatic},
};
use soglia_il::{
    asm::Code,
    body,
    sig::{self, MethodSig},
};

use super::{
    emit::NewMethod,
    kind::Kind,
    rejit::{self, Edit},
    weaver::{AGGRESSIVE_INLINING, CallToWeave, NO_INLINING, Weaver},
};
use crate::{
    metadata::before::{Before, Error},
    source::woven,
};

/// What a method has got, which it gets again in the next session: signatures and methods that were
/// added to a module stay there.
type Key = (ModuleId, MdToken, u32, Kind);

static KEPT: Mutex<Option<HashMap<Key, Kept>>> = Mutex::new(None);

/// A change, and the method that has the code of the changed one, if that is another.
type Kept = (Edit, Option<MdToken>);

/// Puts in again what a session before this one has put in. Returns `false` if there was none.
pub(super) fn again(module: ModuleId, method: MdToken, id: u32, kind: Kind) -> bool {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = kept
        .as_ref()
        .and_then(|kept| kept.get(&(module, method, id, kind)).cloned());
    drop(kept);
    known.map(|known| change(module, method, known)).is_some()
}

fn change(module: ModuleId, method: MdToken, (edit, behind): Kept) {
    rejit::edit(module, method, edit);
    if let Some(behind) = behind {
        rejit::behind(module, method, behind);
    }
}

/// Forgets the methods of a module that is about to be unloaded.
pub(super) fn forget(module: ModuleId) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kept) = kept.as_mut() {
        kept.retain(|(of, ..), _| *of != module);
    }
}

impl Weaver<'_> {
    /// Puts hooks into a callback.
    pub(super) fn within_callback(&mut self, call: &CallToWeave) -> Result<(), Error> {
        if self.emitter.engine.notifies {
            return self.behind_callback(call);
        }
        let before = Before::of(&self.emitter.import, call.method.token)?;
        let signature = MethodSig::parse(&before.signature).ok_or(Error::UNWRITABLE)?;
        let returns = !signature.returns_void();
        let (mut enter, mut leave) = (Code::new(), Code::above(returns.into()));
        if self.emitter.engine.counts() {
            let slow = self.out_of_line(woven::reverse_count_slow)?;
            enter.hook_and(call.id, self.hooks.quick(woven::reverse_count), slow);
        } else {
            let slow = self.out_of_line(woven::reverse_enter_slow)?;
            enter.hook_and(call.id, self.hooks.quick(woven::reverse_enter), slow);
            // Without it, the callback is watched all the same.
            let handing = self.handing(call, &signature).ok().flatten();
            self.closing(&mut leave, call.id, &signature, handing)?;
        }
        self.put(call.method.token, call.id, enter, leave, None)
    }

    /// Gives the code of a callback to a new method, and has the callback call that between hooks
    /// which notify the host: they may keep the code from running.
    fn behind_callback(&mut self, call: &CallToWeave) -> Result<(), Error> {
        let token = call.method.token;
        let before = Before::of(&self.emitter.import, token)?;
        let signature = MethodSig::parse(&before.signature).ok_or(Error::UNWRITABLE)?;
        let own = self.emitter.body(token).ok_or(Error::UNWRITABLE)?.to_vec();
        let stays = if body::leads_on(&own) { NO_INLINING } else { 0 };
        let class = self.emitter.beside(&before)?;
        let behind = self.emitter.define(&NewMethod {
            class,
            name: &before.name,
            flags: mdPublic | mdStatic | mdHideBySig,
            impl_flags: AGGRESSIVE_INLINING | stays,
            signature: &before.signature,
            rva: self.emitter.any_rva,
        })?;
        self.emitter.set_body(behind, &own)?;
        self.emitter.copy_parameters(token, behind)?;
        let body = self.notifying_back(call.id, behind, &signature)?;
        self.keep(token, call.id, (Edit::Body(body), Some(behind)));
        Ok(())
    }

    /// Puts hooks into the method of a delegate that native code may hold.
    pub(super) fn within_held(&mut self, method: MdToken, id: u32) -> Result<(), Error> {
        let counts = self.emitter.engine.counts();
        let body = self.emitter.body(method).ok_or(Error::UNWRITABLE)?;
        let locals = body::locals(body).ok_or(Error::UNWRITABLE)?;
        let (opened, locals) = match locals {
            None => (0, sig::locals_signature(&[&[sig::INT32]])),
            Some(locals) => {
                let signature = self.emitter.signature(locals)?;
                let count = sig::count_locals(&signature).ok_or(Error::UNWRITABLE)?;
                (count, sig::with_one_more_local(&signature, sig::INT32))
            }
        };
        let locals = self
            .emitter
            .stand_alone(&locals.ok_or(Error::UNWRITABLE)?)?;
        let (quick, slow) = if counts {
            (
                self.hooks.quick(woven::held_count),
                self.hooks.slow(woven::held_count_slow),
            )
        } else {
            (
                self.hooks.quick(woven::held_enter),
                self.hooks.slow(woven::held_enter_slow),
            )
        };
        let (mut enter, mut leave) = (Code::new(), Code::new());
        let known = enter.label();
        enter.hook(id, quick);
        enter.stloc(opened);
        // 2: the slow twin knows.
        enter.ldloc(opened);
        enter.ldc_i4(1);
        enter.shr_un();
        enter.brfalse(known);
        enter.hook(id, slow);
        enter.stloc(opened);
        enter.place(known);
        if !counts {
            let none = leave.label();
            leave.ldloc(opened);
            leave.brfalse(none);
            let slow = self.out_of_line(woven::reverse_leave_slow)?;
            leave.hook_and(id, self.hooks.quick(woven::reverse_leave), slow);
            leave.place(none);
        }
        self.put(method, id, enter, leave, Some(locals))
    }

    fn put(
        &self,
        method: MdToken,
        id: u32,
        enter: Code,
        leave: Code,
        locals: Option<MdToken>,
    ) -> Result<(), Error> {
        let (enter, first) = enter.finish_prefix().ok_or(Error::UNWRITABLE)?;
        let (leave, second) = leave.finish_prefix().ok_or(Error::UNWRITABLE)?;
        let edit = Edit::Within {
            enter,
            leave,
            stack: first.max(second),
            locals,
        };
        // The CLR asks for the body on a thread of the program, where it is too late to say no.
        let body = self.emitter.body(method).ok_or(Error::UNWRITABLE)?;
        rejit::edited(body.to_vec(), std::slice::from_ref(&edit)).ok_or(Error::UNWRITABLE)?;
        self.keep(method, id, (edit, None));
        Ok(())
    }

    /// Makes a change, and notes it for later sessions.
    fn keep(&self, method: MdToken, id: u32, what: Kept) {
        let module = self.emitter.module;
        let key = (module, method, id, Kind::of(self.emitter.engine));
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert_default().insert(key, what.clone());
        drop(kept);
        change(module, method, what);
    }
}
