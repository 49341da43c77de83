//! Hosting .NET in Rust ([`host`]), and the command line tool as a library: finding .NET, starting a program under the engine, and
//! telling what was recorded.
//!
//! The engine itself (`libsoglia.so`) is never linked. The tool hands its path to the CLR in environment variables, and
//! reads the recording that the engine maps; a host loads it when it starts .NET.
//!
//! Everything but [`host`], [`assembly`] and [`dotnet`] is the tool's, and comes with the feature `cli`, which is on by default.

#[cfg(feature = "cli")]
pub mod doctor;
#[cfg(feature = "cli")]
pub mod fxr;
pub mod host;
#[cfg(feature = "cli")]
pub mod launch;
#[cfg(feature = "cli")]
pub mod model;
#[cfg(feature = "cli")]
pub mod policy;
#[cfg(feature = "cli")]
pub mod program;
#[cfg(feature = "cli")]
mod startup;
#[cfg(feature = "cli")]
pub mod text;
#[cfg(feature = "cli")]
pub mod verify;

/// Finding an installed .NET. It is a crate of its own, because the engine does it too.
pub use soglia_dotnet as dotnet;
/// What a PE file is.
pub use soglia_dotnet::assembly;

/// The programs of the docs are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust-host.md")]
struct Docs;
