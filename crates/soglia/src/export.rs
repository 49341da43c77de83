//! A recording in the formats of other tools.
//!
//! One pass over the events makes calls of them ([`calls::each`]), and a [`sink::Sink`] writes each
//! call as its format has it. Nothing grows with the number of crossings.
//!
//! | part | holds |
//! | --- | --- |
//! | `sink` | what a format does with calls |
//! | `calls` | calls with begin, end and depth, made of events |
//! | `named` | names of targets and of the process, made once |
//! | `rows` | CSV and JSON lines, a row per call |
//! | `parquet` | Apache Parquet, a row per call or per target |
//! | `chrome` | the Trace Event Format |
//! | `perfetto`, `speedscope`, `firefox` | those viewers' own formats |
//! | `tree` | calls and their own time by caller, also of recordings without events |
//! | `flame`, `pprof` | formats of such trees |

pub mod calls;
pub mod chrome;
pub mod firefox;
pub mod flame;
pub mod named;
pub mod parquet;
pub mod perfetto;
pub mod pprof;
pub mod rows;
pub mod sink;
pub mod speedscope;
pub mod tree;
