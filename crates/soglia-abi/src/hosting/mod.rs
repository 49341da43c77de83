//! The hosting API of MSCorEE.h: how a host and the CLR share the work of running tasks.
//!
//! `IHost*` is implemented by the host and called by the CLR; `ICLR*` the other way round. .NET on Linux has only
//! `ICLRRuntimeHost` and its successors left; soglia plays the CLR's part for the rest.
//!
//! `include/mscoree.h` and, for [`own`], `include/soglia.h` say the same in C and C++; a test compares them.

pub mod assembly;
pub mod clr_task;
pub mod com;
pub mod control;
pub mod debug;
pub mod gc;
pub mod host_task;
pub mod memory;
pub mod metahost;
pub mod own;
pub mod policy;
pub mod runtime_host;
pub mod security;
pub mod sync;
pub mod thread_pool;
pub mod types;
