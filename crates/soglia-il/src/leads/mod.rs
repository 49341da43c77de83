//! Where the instructions of a method lead, and which methods of the framework lead nowhere.
//!
//! This module works on bytes and names alone. The engine looks up the metadata.

mod harmless;
mod lead;

pub use harmless::{is_harmless, is_plain_name};
pub use lead::{How, Lead, of_body};
