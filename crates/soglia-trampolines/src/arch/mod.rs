//! The parts that depend on the architecture, a folder for each. Each defines the same names:
//!
//! | name | what it is |
//! | --- | --- |
//! | `Common` | the code that all thunks of a direction share |
//! | `Passed` | what a call passed and returned, as that code keeps it |
//! | `template` | the pages of thunks |
//! | `CLR_THUNK`, `FACE`, `BEGINS`, `face` | how a CLR before .NET 9 writes its own thunks |
//! | `written` | has processors see instructions that were just written |

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as machine;
#[cfg(target_arch = "x86_64")]
use x86_64 as machine;

pub(crate) use machine::{BEGINS, CLR_THUNK, FACE, face, template, written};
pub use machine::{Common, Passed};

#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
compile_error!("soglia-trampolines has no thunks for this architecture");
