//! The parts of the benchmark.

pub mod attach;
pub mod child;
pub mod host;
pub mod lab;
pub mod parts;
pub mod recording;
pub mod results;
pub mod role;
pub mod with;
pub mod woven;
