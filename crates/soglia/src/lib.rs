//! Hosting .NET in Rust ([`host`]), and the command line tool as a library: it finds .NET, starts a
//! program with the engine and reports what was recorded.
//!
//! Nothing here links the engine, `libsoglia.so`. The tool passes its path to the CLR in
//! environment variables, and reads the recording that the engine maps. A host loads it when it
//! starts .NET.
//!
//! [`host`], [`assembly`] and [`dotnet`] are always there. The rest belongs to the tool and comes
//! with the feature `cli`, which is on by default.

#[cfg(feature = "cli")]
pub mod advice;
#[cfg(feature = "cli")]
pub mod attach;
#[cfg(feature = "cli")]
pub mod diff;
#[cfg(feature = "cli")]
pub mod doctor;
#[cfg(feature = "cli")]
pub mod export;
#[cfg(feature = "cli")]
pub mod fxr;
pub mod host;
#[cfg(feature = "cli")]
pub mod launch;
#[cfg(any(feature = "cli", feature = "embedded-engine"))]
mod memory;
#[cfg(feature = "cli")]
pub mod metrics;
#[cfg(feature = "cli")]
pub mod model;
#[cfg(feature = "cli")]
pub mod opened;
#[cfg(feature = "cli")]
pub mod otlp;
#[cfg(feature = "cli")]
pub mod page;
#[cfg(feature = "cli")]
pub mod policy;
#[cfg(feature = "cli")]
pub mod program;
#[cfg(feature = "cli")]
pub mod running;
#[cfg(feature = "cli")]
mod startup;
#[cfg(feature = "cli")]
pub mod text;
#[cfg(feature = "cli")]
pub mod top;
#[cfg(feature = "cli")]
pub mod verify;

/// Finding an installed .NET. The engine uses the same crate.
pub use soglia_dotnet as dotnet;
/// Whether a PE file is an assembly that can be started.
pub use soglia_dotnet::assembly;

/// The programs of the docs are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust-host.md")]
struct Docs;
