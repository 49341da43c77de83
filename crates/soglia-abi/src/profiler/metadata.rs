//! Reading a module's metadata: `IMetaDataImport`, `IMetaDataImport2`, and the flags that they
//! return.

pub use crate::profiler::metadata_flags::*;
pub use crate::profiler::metadata_import::*;
pub use crate::profiler::metadata_import2::*;
