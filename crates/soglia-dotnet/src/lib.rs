//! Finding an installed .NET, and reading what belongs to it: assemblies, and the native libraries
//! that they import. Speaking with a runtime by its diagnostics port.
//!
//! A .NET *root* is a directory with `host/fxr/VERSION/libhostfxr.so`. It has the shared frameworks
//! in `shared/NAME/VERSION`, and usually the `dotnet` command. [`Search`] looks in the places where
//! `dotnet` and the apphosts look. It keeps what it found in each, so that errors can list them.

pub mod assembly;
pub mod diagnostics;
mod environment;
pub mod fxr;
pub mod library;
mod machine;
pub mod metadata;
pub mod native;
mod path;
pub mod platform;
mod root;
mod search;

pub use environment::{Lookup, process_env};
pub use path::{full_path, is_executable};
pub use root::{CORE_FRAMEWORK, OLDEST_MAJOR, Outcome, Root, product};
pub use search::{Looked, RootError, Search};
