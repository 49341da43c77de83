//! What all tests of the tool share.
//!
//! | module | what it has |
//! | --- | --- |
//! | [`space`] | a .NET root, the engine, a folder with the fixtures, and ways to run programs |
//! | [`recording`] | a recording, and what the tool reports of it |
//! | [`receiver`] | a receiver of OTLP over HTTP |
//! | [`scrape`] | asking an endpoint for metrics |
//! | [`served`] | a program that runs like a service, and `soglia attach` on it |

pub mod receiver;
mod recording;
pub mod scrape;
mod served;
mod space;

pub use recording::{Line, NotWatched, Open, Overdue, Report, Target};
pub use served::{Attached, Counted, Served, of_all, recorded};
pub use space::{
    Live, SOGLIA, Space, bare_command, fixture, random, refusal, setup, signal, text, until,
};
#[allow(unused_imports, reason = "named by the tests with needs")]
pub use {recording::Recording, space::Setup};
