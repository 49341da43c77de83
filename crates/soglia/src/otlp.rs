//! Figures and single calls for OpenTelemetry, by its protocol OTLP over HTTP.
//!
//! Two threads of the tool read the recording and send: one the metrics, one the spans of slow,
//! failed and denied calls. The recording is their queue: what cannot be sent yet stays there, and
//! neither the program nor memory is in the way.
//!
//! | part | holds |
//! | --- | --- |
//! | `settings` | where to send, and what the variables of OpenTelemetry say |
//! | `resource` | what the program is |
//! | `sums` | the metrics as messages |
//! | `spans` | calls as spans |
//! | `client` | one request, and what its answer means |
//! | `pace` | when to try again, and the end |
//! | `exporter` | the two threads, and what they have given up |

mod client;
mod exporter;
mod pace;
mod resource;
mod settings;
mod spans;
mod sums;

pub use exporter::Exporter;
pub use settings::{Settings, SettingsError};
