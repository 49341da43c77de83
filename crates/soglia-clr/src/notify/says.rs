//! The message of the exception for a crossing that the host denied. .NET has no messages for most
//! HRESULTs of hosts.

use std::{
    cell::RefCell,
    ffi::{CStr, c_char},
    ptr::null,
};

use soglia_abi::{HRESULT, hresult::*};
use soglia_core::trace::log::TargetNames;

use crate::{boundary::fence, calls, slots};

/// The message for a denied P/Invoke, which names it as `LIBRARY!ENTRY`: UTF-16 with a terminating
/// zero, valid until the thread asks again. Null if there is none.
pub fn of_import(id: i64, answer: i32) -> *const u16 {
    fence(null(), || {
        let call = calls::call(id);
        keep(&message(
            &named(call.as_ref().map(|call| &call.names)),
            answer,
        ))
    })
}

/// The same for a call by function pointer.
pub fn of_pointer(pointer: usize, answer: i32) -> *const u16 {
    fence(null(), || keep(&message(&symbol(pointer), answer)))
}

fn keep(text: &str) -> *const u16 {
    thread_local!(static SAID: RefCell<Vec<u16>> = const { RefCell::new(Vec::new()) });
    SAID.with_borrow_mut(|said| {
        said.clear();
        said.extend(text.encode_utf16().chain([0]));
        said.as_ptr()
    })
}

fn named(names: Option<&TargetNames>) -> String {
    let Some(names) = names else {
        return "a native call".to_owned();
    };
    match (&names.library, &names.entry) {
        (Some(library), Some(entry)) => format!("{library}!{entry}"),
        _ => names.method.clone().unwrap_or_default(),
    }
}

/// The symbol at an address, or the offset in its file.
fn symbol(pointer: usize) -> String {
    // SAFETY: a zeroed `Dl_info` is valid, and `dladdr` accepts any address.
    let info = unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        (libc::dladdr(std::ptr::without_provenance(pointer), &raw mut info) != 0).then_some(info)
    };
    let Some(info) = info else {
        return format!("the function at {pointer:#x}");
    };
    let text = |text: *const c_char| {
        if text.is_null() {
            return None;
        }
        // SAFETY: the loader's string ends with a zero, and is copied at once.
        Some(
            unsafe { CStr::from_ptr(text) }
                .to_string_lossy()
                .into_owned(),
        )
    };
    let path = text(info.dli_fname).unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    match text(info.dli_sname) {
        Some(name) if info.dli_saddr.addr() == pointer => format!("{file}!{name}"),
        _ => format!("{file}+{:#x}", pointer.wrapping_sub(info.dli_fbase.addr())),
    }
}

fn message(target: &str, answer: i32) -> String {
    let alone = slots::alone();
    let who = if alone { "soglia" } else { "the host" };
    let code = answer.cast_unsigned();
    match meaning(HRESULT(answer), alone) {
        Some((name, text)) => format!("{who} denied {target}: {text} ({name}, 0x{code:08X})"),
        None => format!("{who} denied {target}: 0x{code:08X}"),
    }
}

/// The name and the meaning of an HRESULT. `alone`: the bound on slots has answered, and no host.
fn meaning(answer: HRESULT, alone: bool) -> Option<(&'static str, &'static str)> {
    macro_rules! texts {
        ($($name:ident: $text:expr,)*) => {
            match answer {
                $($name => Some((stringify!($name), $text)),)*
                _ => None,
            }
        };
    }
    texts! {
        HOST_E_DEADLOCK: "the host has found a deadlock, which this task is to end",
        HOST_E_INTERRUPTED: "the host has interrupted it",
        HOST_E_INVALIDOPERATION: "that is not possible now",
        HOST_E_CLRNOTAVAILABLE: "the CLR is not available any more",
        HOST_E_TIMEOUT: if alone { "no slot came free in time" } else { "it took longer than the host waits" },
        HOST_E_NOT_OWNER: if alone { "the task has left managed code already" } else { "the task does not own what it gives back" },
        HOST_E_ABANDONED: if alone { "the last owner of the slot has died" } else { "the last owner of what the task got has died" },
        HOST_E_EXITPROCESS_THREADABORT: "the process ends, because a thread could not be aborted",
        HOST_E_EXITPROCESS_ADUNLOAD: "the process ends, because a domain could not be unloaded",
        HOST_E_EXITPROCESS_TIMEOUT: "the process ends, because something took too long",
        HOST_E_EXITPROCESS_OUTOFMEMORY: "the process ends, because memory is short",
        HOST_E_EXITPROCESS_STACKOVERFLOW: "the process ends, because the stack has overflowed",
        E_FAIL: "a failure without a name, after which the CLR is out of use",
        E_UNEXPECTED: "that was not expected now",
        E_ABORT: "the operation was given up",
        E_HANDLE: "there is no such thing any more",
        CLASS_E_NOAGGREGATION: "the class cannot be a part of another one",
        CLASS_E_CLASSNOTAVAILABLE: "there is no such class",
        CLR_E_SHIM_RUNTIMELOAD: "the runtime cannot be loaded",
        CLR_E_SHIM_RUNTIMEEXPORT: "the runtime has no such function",
        CLR_E_SHIM_INSTALLROOT: "there is no .NET",
        CLR_E_SHIM_INSTALLCOMP: "a part of .NET is missing",
        CLR_E_SHIM_LEGACYRUNTIMEALREADYBOUND: "another runtime is bound already",
        CLR_E_SHIM_SHUTDOWNINPROGRESS: "the runtime shuts down",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_a_text() {
        let text = |answer: HRESULT| message("libc!puts", answer.0);
        assert_eq!(
            text(HOST_E_TIMEOUT),
            "the host denied libc!puts: it took longer than the host waits (HOST_E_TIMEOUT, 0x80131024)"
        );
        assert_eq!(
            text(HRESULT(0x8A5C_0001_u32.cast_signed())),
            "the host denied libc!puts: 0x8A5C0001"
        );
        // All HRESULTs whose names begin with HOST_E.
        for code in 0x8013_1020_u32..=0x8013_102B {
            assert!(
                meaning(HRESULT(code.cast_signed()), false).is_some(),
                "{code:x}"
            );
        }
    }

    #[test]
    fn a_pointer_is_named_by_its_symbol_or_its_place() {
        let puts = libc::puts as *const () as usize;
        assert!(symbol(puts).ends_with("!puts"), "{}", symbol(puts));
        assert!(symbol(puts + 1).contains("+0x"), "{}", symbol(puts + 1));
        assert_eq!(symbol(16), "the function at 0x10");
    }
}
