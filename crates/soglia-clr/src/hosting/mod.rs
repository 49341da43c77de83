//! The hosting API: the objects that a host calls.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`exports`] | the functions of mscoree.dll |
//! | [`metahost`], [`metahost_policy`], [`runtime_info`] | `ICLRMetaHost`, `ICLRMetaHostPolicy`, `ICLRRuntimeInfo`: the runtimes that are installed |
//! | [`runtimes`] | the same, without COM |
//! | [`runtime_host`] | `ICLRRuntimeHost` 1, 2 and 4: starts the runtime, and runs code in it |
//! | [`starts`] | counts how often it was started |
//! | [`clr`] | the one runtime of the process: CoreCLR's own `ICLRRuntimeHost` |
//! | [`hostfxr`], [`settings`] | have hostfxr start it, with what the host wants |
//! | [`exit`] | ends the process |
//! | [`attach`] | gets the engine into the runtime |
//! | [`host`] | `SetHostControl`: asks for the managers of the host |
//! | [`control`] | `ICLRControl`: gives out the CLR's managers |
//! | [`tasks`], [`collector`], [`events`], [`policy`], [`sync`], [`others`] | the CLR's managers |
//! | [`host_memory`] | the memory that the host knows of |
//! | [`thread_pool`] | has the thread pool ask the host for threads |
//! | [`assemblies`] | the assemblies that the host provides |
//! | [`domains`], [`exported`] | the domains that hosts make, and pointers to their methods |
//! | [`code`] | runs a method or a program in a domain |
//! | [`later`] | joins a runtime for a host that comes while it runs |
//! | [`execution`] | runs managed code that can be aborted |
//! | [`method`] | runs the bodies of hosting methods |
//! | [`managed`] | asks .NET what only managed code can ask |
//! | [`wide`], [`image`] | texts; the version in a file |
//!
//! All of it is cold. [`crate::host`] has what crossings need of a host.

mod assemblies;
mod attach;
mod clr;
mod code;
mod collector;
mod control;
mod domains;
mod events;
mod execution;
mod exit;
mod exported;
mod exports;
mod host;
mod host_memory;
mod hostfxr;
mod image;
mod later;
mod managed;
mod metahost;
mod metahost_policy;
mod method;
mod others;
mod policy;
mod runtime_host;
mod runtime_info;
mod runtimes;
mod settings;
mod starts;
mod sync;
mod tasks;
mod thread_pool;
mod wide;

pub use attach::{own_file, recording};
pub use clr::is_running;
pub use events::shut_down;
pub use later::{join, part, task_manager};
