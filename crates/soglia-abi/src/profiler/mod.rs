//! The profiling API: callbacks that the CLR makes, and questions that it answers.

pub mod callback;
pub mod factory;
pub mod info;
pub mod info_later;
pub mod metadata;
pub mod metadata_assembly;
pub mod metadata_emit;
pub mod metadata_flags;
pub mod metadata_import;
pub mod metadata_import2;
pub mod types;
