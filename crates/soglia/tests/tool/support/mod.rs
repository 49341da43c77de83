//! What all tests of the tool share.
//!
//! | module | what it has |
//! | --- | --- |
//! | [`space`] | a .NET root, the engine, a folder with the fixtures, and ways to run programs |
//! | [`recording`] | a recording, and what the tool reports of it |

mod recording;
mod space;

pub use recording::{Line, NotWatched, Open, Overdue, Report, Target};
pub use space::{
    Live, SOGLIA, Space, bare_command, fixture, random, refusal, setup, signal, text, until,
};
#[allow(unused_imports, reason = "named by the tests with needs")]
pub use {recording::Recording, space::Setup};
