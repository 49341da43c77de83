//! What several fuzz targets and the program that makes seeds use.

pub mod packed;
pub mod recording;
