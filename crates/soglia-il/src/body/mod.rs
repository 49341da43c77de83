//! Method bodies that a compiler has made: finds instructions in them, and puts others in place.
//!
//! `calli SIGNATURE` and `call METHOD` both take five bytes, so [`Site::patch`] changes a body in
//! place: nothing moves, and branches, protected blocks and debugging information stay correct.
//! [`Use::patch`] does the same with the method that an instruction names.
//! What surrounds the code (ECMA-335, II.25.4) is copied unread.
//! [`prefix::with_prefix`] puts code in front of a body and moves what must move, and
//! [`inserted::around_returns`] puts code before its returns as well.
//! [`loops::polled`] puts code where loops begin again.
//!
//! Code is read from front to end, as the CLR's compiler does to find the targets of branches.
//! A body with an unknown instruction, or with one that reaches over the end, counts as unreadable:
//! functions return `None`, and the body stays as it is.

pub mod inserted;
mod instruction;
mod layout;
pub mod loops;
mod moved;
mod plain;
pub mod prefix;
mod site;
mod uses;

pub use instruction::{Instruction, Instructions};
pub use plain::{Plain, leads_on, locals, plain, whole};
pub use site::{Site, calls_by_pointer, code_calls_by_pointer};
pub use uses::{Bound, Use, each_use, each_use_and_bound, uses};

pub(crate) use layout::Layout;
