//! The hosting API of MSCorEE.h: how a host and the CLR share the work of running tasks.
//!
//! `IHost*` is implemented by the host and called by the CLR; `ICLR*` the other way round. .NET on Linux has only
//! `ICLRRuntimeHost` and its successors left; soglia plays the CLR's part for the rest.

pub mod clr_task;
pub mod control;
pub mod host_task;
pub mod runtime_host;
pub mod types;
