//! An assembler for method bodies (ECMA-335, II.25.4 and III).
//!
//! A body is a header of 12 bytes and the code. If anything is protected, a section of clauses
//! follows, aligned to 4:
//!
//! | header | 0..2 | 2..4 | 4..8 | 8..12 |
//! | --- | --- | --- | --- | --- |
//! | | flags; above bit 12, the header's size (3 words) | greatest stack | bytes of code | token of the locals, or 0 |
//!
//! | section | 0 | 1..4 | then 24 for each clause |
//! | --- | --- | --- | --- |
//! | | `0x41`: clauses, in wide form | bytes, including these 4 | kind; start and length of the block; start and length of the handler; class or 0 |
//!
//! The assembler follows the evaluation stack, and writes its exact depth into the header.
//! It makes no body from code that does not balance the stack: the CLR would notice only when the
//! method is called, inside the recorded program.
//!
//! ```
//! use soglia_il::asm::Code;
//!
//! let mut code = Code::new();
//! code.ldarg(0);
//! code.ldarg(1);
//! code.add();
//! code.ret(true);
//! let body = code.finish(None).unwrap();
//! // ldarg.0; ldarg.1; add; ret
//! assert_eq!(body[12..], [0x02, 0x03, 0x58, 0x2A]);
//! ```

mod branch;
mod code;
mod finish;
mod hook;
mod instruction;
mod label;
mod protected;

pub use code::Code;
pub use hook::{Hook, Pair};
pub use label::Label;
pub use protected::{Fault, Try};
