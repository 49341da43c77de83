//! Policies and deadlines as people write them.

pub mod deadline;
pub mod file;
