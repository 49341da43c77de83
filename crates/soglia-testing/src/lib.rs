//! What the tests of several crates share.
//!
//! - [`needs`]: a test that needs something that this machine lacks is ignored, by name and reason.
//! - [`process`]: processes that inherit nothing from the machine around the tests.
//! - [`dotnet`]: the .NET root that the tests run on.
//! - [`built`]: the engine and the fixtures, built once for all test programs.
//! - [`chromium`]: a headless Chromium that tests drive.
//!
//! No other crate than tests depends on this one.

pub mod built;
pub mod chromium;
pub mod dotnet;
pub mod needs;
pub mod process;
