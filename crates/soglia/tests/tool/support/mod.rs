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

/// The fields of a target that count its calls.
pub const COUNTS: [&str; 7] = [
    "calls",
    "returned",
    "open",
    "abandoned",
    "failed",
    "untimed",
    "refused",
];

/// Where two values differ first.
pub fn difference(one: &serde_json::Value, other: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    let inside = |key: &dyn std::fmt::Display, one: &Value, other: &Value| {
        difference(one, other).map(|place| format!("{key}.{place}"))
    };
    match (one, other) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => one
            .iter()
            .find_map(|(key, value)| inside(key, value, &other[key])),
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(n, (one, other))| inside(&n, one, other))
        }
        _ => (one != other).then(|| format!(" {one} and {other}")),
    }
}
