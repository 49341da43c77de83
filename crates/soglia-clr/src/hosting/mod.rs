//! The hosting API: what a host calls to start .NET, and what of it .NET calls.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`exports`] | the functions of mscoree.dll |
//! | [`metahost`], [`metahost_policy`], [`runtime_info`] | `ICLRMetaHost`, `ICLRMetaHostPolicy`, `ICLRRuntimeInfo`: which runtimes there are |
//! | [`runtimes`] | the same, without COM |
//! | [`runtime_host`] | `ICLRRuntimeHost` 1, 2 and 4: the runtime as a thing to start and to run code in |
//! | [`starts`] | how often it was started |
//! | [`clr`] | the one runtime of the process: CoreCLR's own `ICLRRuntimeHost` |
//! | [`hostfxr`], [`settings`] | has hostfxr start it, with what the host wants |
//! | [`exit`] | ends the process |
//! | [`attach`] | how the engine gets into it |
//! | [`host`] | `SetHostControl`: asks for the managers of the host |
//! | [`control`] | the CLR's side: `ICLRControl` |
//! | [`tasks`], [`collector`], [`events`], [`policy`], [`others`] | what it hands out |
//! | [`signals`] | room for the runtime's signal handlers |
//! | [`execution`] | runs managed code that can be aborted |
//! | [`method`] | bodies of hosting methods |
//! | [`managed`] | what only managed code can ask .NET |
//! | [`wide`], [`image`] | texts; the version in a file |
//!
//! All of it is cold. What crossings need of a host is in [`crate::host`].

mod attach;
mod clr;
mod collector;
mod control;
mod events;
mod execution;
mod exit;
mod exports;
mod host;
mod hostfxr;
mod image;
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
mod signals;
mod starts;
mod tasks;
mod wide;

pub use attach::recording;
pub use events::shut_down;
