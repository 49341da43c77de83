//! The parts that depend on the architecture. A file for another one defines the same names:
//!
//! | name | what it is |
//! | --- | --- |
//! | `Common` | the code that all thunks of a direction share |
//! | `template` | the pages of thunks |
//! | `CLR_THUNK`, `FACE`, `BEGINS`, `face` | how a CLR before .NET 9 writes its own thunks |

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::Common;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{BEGINS, CLR_THUNK, FACE, face, template};

#[cfg(not(target_arch = "x86_64"))]
compile_error!("soglia-trampolines has no thunks for this architecture");
