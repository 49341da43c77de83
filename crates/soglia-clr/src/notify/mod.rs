//! Crossings that somebody is told of who may act on them: the `IHostTaskManager` of a host.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`hooks`] | what wrappers and trampolines call, in preemptive mode |
//! | [`thread`] | the host's task of the running thread |
//! | [`asked`] | which native functions the host wants to hear of |
//! | [`says`] | what the exception says that a refused crossing throws |
//! | [`occasions`] | what else threads do of which a host is told |
//! | [`crossings`] | the four crossings |
//!
//! Whoever is told may block, in each of the four: the thread is in preemptive mode, or not yet in the runtime, so the
//! collector does not wait for it.
//!
//! | what fails | comes of it |
//! | --- | --- |
//! | `LeaveRuntime` | the native function is not called, the HRESULT is thrown where it would have been; no `EnterRuntime` |
//! | the same, where a delegate calls a native function | the function is not called and has returned 0: nothing can be thrown there |
//! | `EnterRuntime` | the HRESULT is thrown instead of the result |
//! | `ReverseEnterRuntime`, with anything but `S_OK` | the managed method is not run, native code gets zeros. The managed call that had led to it throws the HRESULT when it is back. No `ReverseLeaveRuntime` |
//! | `ReverseLeaveRuntime` | nothing: there is no one left to tell |
//! | nothing, but the task was aborted ([`abort`]) | as if `LeaveRuntime` or `EnterRuntime` had answered `COR_E_THREADABORTED`, but no `LeaveRuntime` is told; callbacks as if they were refused |
//!
//! Of refused callbacks that is as near as one comes to what .NET Framework did, which threw through the native frames: on Linux, that ends the process.

mod asked;
mod crossings;
pub mod hooks;
pub mod occasions;
mod says;
mod thread;

pub use crossings::on;
pub use thread::start;
