//! Which native function a thread is inside.
//!
//! The innermost managed frame says which method has called, and the method's code which P/Invokes
//! that can be. The outermost native frame says which function was called. Where the two are
//! known, they are compared.

use std::{collections::HashMap, ffi::OsString};

use soglia_abi::ids::{FunctionId, MdToken};
use soglia_il::leads;
use windows_core::Interface;

use crate::{
    engine::Engine,
    metadata::{self, ImportNames, Scope},
    other_threads::native::{self, Frames},
    stacks::Walked,
};

/// The library that stands for the runtime itself.
const QCALL: &str = "QCall";

/// Where a thread is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    /// Inside a native function, as `library!entry`, if it is known which.
    Native(Option<String>),
    /// In managed code, or in the runtime itself.
    Managed,
}

/// A P/Invoke that a method calls.
#[derive(Clone, Debug)]
struct Called {
    names: ImportNames,
    suppressed: bool,
}

impl Called {
    fn name(&self) -> String {
        format!("{}!{}", self.names.library, self.names.entry)
    }
}

/// Finds native functions. Modules must stay meanwhile.
pub(super) struct Callees<'e> {
    engine: &'e Engine,
    /// The file that has the runtime's code.
    runtime: Option<OsString>,
    /// The P/Invokes that methods call.
    called: HashMap<FunctionId, Vec<Called>>,
}

impl<'e> Callees<'e> {
    pub(super) fn of(engine: &'e Engine) -> Self {
        // A COM object begins with the address of its table, which is in the runtime.
        let object = engine.info.as_raw().addr() as u64;
        let runtime = native::word(object).and_then(native::file_at);
        let runtime = runtime.and_then(|file| Some(file.file_name()?.to_owned()));
        Self {
            engine,
            runtime,
            called: HashMap::new(),
        }
    }

    /// The P/Invoke without a GC transition that the code at this address calls, if it calls one.
    pub(super) fn suppressed_at(&mut self, ip: u64) -> Option<String> {
        let function = self.function_at(ip)?;
        let suppressed = |called: &&Called| called.suppressed;
        let all = self.called_by(function);
        all.iter().find(suppressed).map(Called::name)
    }

    /// Where a thread is whose innermost managed frame is this.
    pub(super) fn inside(&mut self, frame: &Walked, native: &Frames) -> Inside {
        let called = self.called_by(frame.function).to_vec();
        let Some((file, symbol)) = native.names.last().map(|name| boundary(name)) else {
            // The thread runs. It is in native code that was called from there if the address at
            // which the method goes on is on the stack.
            let returns = native::word((frame.sp as u64).wrapping_sub(8));
            let here = only(&called).filter(|_| returns == Some(frame.ip as u64));
            return here.map_or(Inside::Managed, |called| {
                Inside::Native(Some(called.name()))
            });
        };
        if native.managed.is_some_and(|ip| !self.is_of(frame, ip)) {
            // It went on between the two looks.
            return Inside::Managed;
        }
        match choose(&called, symbol) {
            Some(called) if called.names.library != QCALL => Inside::Native(Some(called.name())),
            Some(_) => Inside::Managed,
            None if self.is_runtime(file) => Inside::Managed,
            None if native.managed.is_none() => match only(&called) {
                Some(called) => Inside::Native(Some(called.name())),
                None => Inside::Managed,
            },
            None => Inside::Native(Some(match (only(&called), symbol) {
                (Some(called), _) => called.name(),
                (None, Some(symbol)) => format!("{file}!{symbol}"),
                (None, None) => file.to_owned(),
            })),
        }
    }

    /// Whether the native code that goes on at this address was called by the method of a frame: by
    /// its own code, or by a stub without metadata that it has called, of which the CLR's walker
    /// gives no frame.
    fn is_of(&self, frame: &Walked, ip: u64) -> bool {
        ip == frame.ip as u64
            || self
                .function_at(ip)
                .is_none_or(|function| self.engine.method_of(function).is_none())
    }

    fn is_runtime(&self, file: &str) -> bool {
        self.runtime.as_ref().is_some_and(|runtime| runtime == file)
    }

    fn function_at(&self, ip: u64) -> Option<FunctionId> {
        let mut function = FunctionId::NULL;
        let ip = std::ptr::without_provenance(usize::try_from(ip).ok()?);
        // SAFETY: the CLR accepts any address, and the pointer is to a local.
        let answer = unsafe { self.engine.info.GetFunctionFromIP(ip, &raw mut function) };
        (answer.is_ok() && !function.is_null()).then_some(function)
    }

    /// The method that the code at this address is of, as a frame.
    pub(super) fn frame_at(&self, ip: u64) -> Option<Walked> {
        let function = self.function_at(ip)?;
        self.engine.method_of(function)?;
        Some(Walked {
            function,
            ip: ip as usize,
            ..Walked::default()
        })
    }

    /// The same where no managed frame is known.
    pub(super) fn inside_native(&self, native: &Frames) -> Inside {
        let Some((file, symbol)) = native.names.last().map(|name| boundary(name)) else {
            return Inside::Managed;
        };
        match (native.managed.is_some() && !self.is_runtime(file), symbol) {
            (true, Some(symbol)) => Inside::Native(Some(format!("{file}!{symbol}"))),
            (true, None) => Inside::Native(None),
            (false, _) => Inside::Managed,
        }
    }

    fn called_by(&mut self, function: FunctionId) -> &[Called] {
        let engine = self.engine;
        self.called
            .entry(function)
            .or_insert_with(|| called_by(engine, function).unwrap_or_default())
    }
}

/// The P/Invokes that a method calls by their declarations in its own module.
fn called_by(engine: &Engine, function: FunctionId) -> Option<Vec<Called>> {
    let (module, method) = engine.method_of(function)?;
    let scope = Scope::of_module(&engine.info, module)?;
    let leads = leads::of_body(metadata::body(&engine.info, module, method)?)?;
    let mut tokens: Vec<MdToken> = leads.iter().map(|lead| lead.token).collect();
    tokens.sort_unstable_by_key(|token| token.0);
    tokens.dedup();
    let called = |token: MdToken| {
        scope.is_import(token).then_some(())?;
        Some(Called {
            names: scope.import(token)?,
            suppressed: scope.is_suppressed(token),
        })
    };
    Some(tokens.into_iter().filter_map(called).collect())
}

/// The file and the function of a native frame: `file!function+0x10` or `file+0x10`.
fn boundary(frame: &str) -> (&str, Option<&str>) {
    let (name, _) = frame.rsplit_once('+').unwrap_or((frame, ""));
    match name.split_once('!') {
        Some((file, symbol)) => (file, Some(symbol)),
        None => (name, None),
    }
}

/// The one whose entry point is this function. The C library has further names for its own, which
/// begin with underscores.
fn choose<'a>(called: &'a [Called], symbol: Option<&str>) -> Option<&'a Called> {
    let symbol = symbol?;
    let exact = called.iter().find(|called| called.names.entry == symbol);
    let plain = symbol.trim_start_matches('_');
    exact.or_else(|| called.iter().find(|called| called.names.entry == plain))
}

/// The only one that is not the runtime's.
fn only(called: &[Called]) -> Option<&Called> {
    let mut all = called.iter().filter(|called| called.names.library != QCALL);
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(all: &[(&str, &str)]) -> Vec<Called> {
        let called = |(library, entry): &(&str, &str)| Called {
            names: ImportNames {
                library: (*library).into(),
                entry: (*entry).into(),
            },
            suppressed: false,
        };
        all.iter().map(called).collect()
    }

    #[test]
    fn the_function_of_a_frame() {
        assert_eq!(
            boundary("libc.so.6!__read+0x4c"),
            ("libc.so.6", Some("__read"))
        );
        assert_eq!(boundary("liba+b.so+0x10"), ("liba+b.so", None));
        assert_eq!(boundary("0x7f00"), ("0x7f00", None));
    }

    #[test]
    fn the_p_invoke_that_was_called() {
        let all = called(&[("libc", "read"), ("libc", "write"), (QCALL, "Sleep")]);
        let chosen = |symbol| choose(&all, symbol).map(Called::name);
        assert_eq!(chosen(Some("write")).as_deref(), Some("libc!write"));
        assert_eq!(chosen(Some("__read")).as_deref(), Some("libc!read"));
        assert_eq!(chosen(Some("open")), None);
        assert_eq!(chosen(None), None);
        assert!(only(&all).is_none());
        assert_eq!(
            only(&all[1..]).map(Called::name).as_deref(),
            Some("libc!write")
        );
    }
}
