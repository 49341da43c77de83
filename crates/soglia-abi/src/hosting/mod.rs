//! The hosting API of MSCorEE.h, with which a host and the CLR share the work of running tasks.
//!
//! The host implements `IHost*` and the CLR calls it; `ICLR*` is the other way round. .NET on Linux
//! has only `ICLRRuntimeHost` and its successors, and the engine implements the rest.
//!
//! `include/mscoree.h`, and `include/soglia.h` for [`own`], declare the same in C and C++. A test
//! compares them.

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
