//! Pointers to methods of domains, for native code.
//!
//! The pointer of a method in a domain that can go is a trampoline. It brings the thread into the
//! domain for the call. It stays when the domain has gone, and does nothing then.

use soglia_abi::{HRESULT, param::Wide};
use soglia_trampolines::{CallHooks, Callee, Common, Passed, Trampolines};

use super::{
    domains::{self, Domain},
    managed,
};
use crate::arch::{FLOATS, INTEGERS};

static TRAMPOLINES: Trampolines = Trampolines::new(Common::of::<Calls>(), Common::of::<Calls>());

/// Bytes of an argument that is no struct.
const WORD: usize = 8;

/// Around calls of such pointers.
struct Calls;

/// What [`CallHooks`] get as their number.
fn of(id: i64) -> &'static Domain {
    let domain = std::ptr::with_exposed_provenance::<Domain>(id as usize);
    // SAFETY: `function` has made the number of a domain that is kept for ever.
    unsafe { &*domain }
}

impl CallHooks for Calls {
    extern "C" fn open(id: i64, _method: usize) -> i32 {
        let domain = of(id);
        if domain.enter() {
            domains::push(domain.id()) as i32
        } else {
            -1
        }
    }

    extern "C" fn close(id: i64, _method: usize, opened: i32, _passed: Option<&Passed>) {
        domains::pop(opened as usize);
        of(id).leave();
    }
}

/// The pointer for an `UnmanagedCallersOnly` method of a domain that a host has made.
///
/// # Errors
/// That of the domain; the HRESULT of what is missing in it.
pub fn function(
    domain: u32,
    assembly: Wide<'_>,
    class: Wide<'_>,
    method: Wide<'_>,
) -> Result<isize, HRESULT> {
    let entered = domains::enter(domain)?;
    let exported = managed::export(entered.handle(), assembly, class, method)?;
    let Some(domain) = entered.domain() else {
        return Ok(exported.address);
    };
    let count = |number: i64| usize::try_from(number).unwrap_or(0);
    let (integers, floats) = (count(exported.integers), count(exported.floats));
    let stack = if exported.structs == 0 {
        // The address of the result takes a register.
        WORD * ((integers + 1).saturating_sub(INTEGERS) + floats.saturating_sub(FLOATS))
    } else {
        // Structs may take registers from the others. A vector is aligned to 16 bytes.
        let structs = count(exported.struct_bytes) + 2 * WORD * count(exported.structs);
        structs + WORD * (integers + floats)
    };
    let callee = Callee {
        id: (&raw const *domain.keep()).expose_provenance() as i64,
        stack,
        in_memory: exported.in_memory != 0,
        keeps: false,
    };
    let address = exported.address as usize;
    // Without room for a trampoline, native code gets the method itself.
    let pointer = TRAMPOLINES.forward(address, callee).unwrap_or(address);
    Ok(pointer as isize)
}
