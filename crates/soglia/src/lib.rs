//! The command line tool as a library: finding .NET, starting a program under the engine, and telling what was recorded.
//!
//! The engine itself (`libsoglia.so`) is never linked: the tool hands its path to the CLR in environment variables, and
//! reads the recording that the engine maps.

pub mod doctor;
pub mod fxr;
pub mod launch;
pub mod model;
pub mod program;
pub mod text;
pub mod verify;

/// Finding an installed .NET; in a crate of its own, because the engine does it too.
pub use soglia_dotnet as dotnet;
