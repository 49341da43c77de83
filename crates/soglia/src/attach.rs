//! Attaching the engine to a process that runs already, and letting go of it.
//!
//! ```text
//! Target::of(pid) ──> Session::begin ── engine there? ── no ──> AttachProfiler
//!                          │                └─ yes ─┐                 │
//!                          └──> control: `begin` <──┴─────────────────┘
//! Session::wait, Session::end ──> control: `end`
//! ```
//!
//! | part | holds |
//! | --- | --- |
//! | `target` | the process: whether it runs .NET, and the engine's control socket |
//! | `port` | where its diagnostics port is, or why there is none |
//! | `obstacle` | what else is in the way |
//! | `carry` | ways by which its runtime can load the engine |
//! | `inside` | the file system as it sees it |
//! | `enter` | doing something as its user, in its namespaces |
//! | `ids` | its user, as two user namespaces number it |
//! | `load` | what the runtime is, and having it load the engine |
//! | `control` | the engine's control socket |
//! | `session` | one recording: from `begin` to `end` |
//! | `error` | why it could not be done, and what to do |
//!
//! [`soglia_dotnet::diagnostics`] has the protocol of the diagnostics port.

pub mod carry;
pub mod control;
mod enter;
mod error;
mod ids;
mod inside;
pub mod load;
mod obstacle;
pub(crate) mod port;
pub mod session;
pub mod target;

pub use error::AttachError;
pub use session::{Let, Session, Wanted};
pub use target::Target;
