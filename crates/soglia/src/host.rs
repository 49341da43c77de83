//! Hosting .NET in a Rust program.
//!
//! A host starts .NET in its own process, runs managed code, and is notified of every crossing
//! between managed and native code while it happens.
//!
//! ```no_run
//! use soglia::host::Host;
//!
//! # fn main() -> Result<(), soglia::host::Error> {
//! let host = Host::builder().start()?;
//! let words = host.call("guest.dll", "Guest.Plugin", "Words", "how many words are these")?;
//! assert_eq!(words, 5);
//! # Ok(())
//! # }
//! ```
//!
//! | to | use |
//! | --- | --- |
//! | start .NET | [`Host::builder`] |
//! | run a program, call methods | [`Host::run`], [`Host::call`], [`Host::function`] |
//! | run code that can be unloaded | [`Host::domain`] |
//! | be notified of crossings, deny them, make them wait | [`HostTaskManager`] |
//! | limit how many threads run managed code | [`Slots`] |
//! | only watch crossings | [`Builder::watch`], [`Host::events`] |
//! | be notified in a process in which .NET runs already | [`Host::attach`], [`Builder::attach`] |
//! | provide assemblies that are in no file | [`HostAssemblyStore`] |
//! | be notified of suspensions and failures | [`HostGcManager`], [`HostPolicyManager`] |
//! | ask the CLR | [`ClrTaskManager`], [`ClrTask`], [`ClrGc`] |
//!
//! This module is a layer on the hosting API of .NET Framework. soglia's engine, `libsoglia.so`,
//! provides that API for stock .NET 8, 9 and 10. The traits are its interfaces, and [`HResult`] is
//! its result code. The engine is loaded when a host starts. `docs/rust-host.md` is a guide: it
//! says how to build a host, how the host finds the engine, and what hosts can do.

mod attached;
mod bridge;
mod builder;
mod clr;
mod code;
mod domain;
#[cfg(feature = "embedded-engine")]
mod embedded;
mod engine;
mod engine_file;
mod error;
mod fence;
mod function;
mod hresult;
mod managers;
mod object;
mod running;
mod runtimes;
mod said;
mod slots;
mod start;
mod store;
mod target;
mod task;
mod text;
mod watch;

pub use attached::Attached;
pub use builder::Builder;
pub use clr::{ClrGc, ClrTask, ClrTaskManager, GcStats, TaskType};
pub use domain::{Domain, DomainBuilder};
pub use error::Error;
pub use function::FunctionPointer;
pub use hresult::{Answer, HResult};
pub use managers::{Action, Failure, HostGcManager, HostPolicyManager, Operation};
pub use running::Host;
pub use slots::{Figures, Slots};
pub use soglia_core::crossing::{Crossing, Side};
pub use store::{HostAssemblyStore, ProvidedAssembly};
pub use target::Target;
pub use task::{HostTask, HostTaskManager, PlainTask, Priority, TaskBody, WaitOptions};
pub use watch::{Event, Events};
