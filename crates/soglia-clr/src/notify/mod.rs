//! Notifies a host of crossings, which its `IHostTaskManager` may then act on.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`hooks`] | the hooks that wrappers and trampolines call, in preemptive mode |
//! | [`thread`] | the host's task of the running thread |
//! | [`asked`] | which native functions the host wants to be notified of |
//! | [`says`] | the message of the exception for a crossing that the host denied |
//! | [`ending`] | the end of such a thread |
//! | [`new_threads`] | threads that .NET makes, on threads of the host |
//! | [`occasions`] | what else threads do that a host is notified of |
//! | [`polls`] | what a task finds where it polls, in loops and at the start of methods |
//! | [`waits`] | waits for locks, on events of the host |
//! | [`crossings`] | the four crossings |
//!
//! The host may block in each of the four. The thread is in preemptive mode, or not yet in the
//! runtime, so the collector does not wait for it.
//!
//! | what fails | what happens |
//! | --- | --- |
//! | `LeaveRuntime` | the native function is not called, the caller gets an exception for the HRESULT, and there is no `EnterRuntime` |
//! | `LeaveRuntime`, where a delegate calls a native function | the function is not called and seems to return 0, since nothing can be thrown there |
//! | `EnterRuntime` | the caller gets an exception for the HRESULT instead of the result |
//! | `ReverseEnterRuntime`, with anything except `S_OK` | see below |
//! | `ReverseLeaveRuntime` | nothing |
//! | nothing, but the task was aborted ([`crate::host::task`]) | see below |
//!
//! If `ReverseEnterRuntime` fails, the managed method does not run, native code gets zeros, and
//! there is no `ReverseLeaveRuntime`. The managed call that led to it throws the HRESULT when it is
//! back. .NET Framework threw through the native frames instead; on Linux that ends the process.
//!
//! An aborted task gets an exception as if `LeaveRuntime` or `EnterRuntime` had answered
//! `COR_E_THREADABORTED`, without a call of `LeaveRuntime`. Its callbacks do not run.

mod asked;
mod crossings;
mod ending;
pub mod hooks;
pub mod new_threads;
pub mod occasions;
pub mod polls;
pub mod pool;
mod says;
mod thread;
pub mod waits;

pub use crossings::{RECORDED, on};
pub use thread::start;
