//! `IHostTaskManager` and `IHostTask`: the host's side of tasks.
//!
//! The four transitions are what soglia is named for. For managed code that calls native code that calls managed code,
//! the CLR says Leave, ReverseEnter, ReverseLeave, Enter: per thread a stack, which Leave and ReverseEnter push and
//! their opposites pop. A managed thread's stack begins with Leave, a native thread's with ReverseEnter.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(non_snake_case, reason = "names are spelled as in mscoree.idl")]

use core::ffi::c_void;

use windows_core::{BOOL, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::types::LPTHREAD_START_ROUTINE;

/// Slots 3 to 20. The host's tasks: the CLR makes, schedules and finds threads through this, and tells it of
/// every crossing between managed and unmanaged code.
///
/// For managed code that calls native A, which calls managed B, which calls native C:
/// LeaveRuntime(A) ReverseEnterRuntime LeaveRuntime(C) EnterRuntime ReverseLeaveRuntime EnterRuntime. Per
/// thread that is a stack; a native thread's begins with ReverseEnterRuntime.
///
/// All of it may come from any thread and from several at once, also from threads that the host has not seen
/// before. The host may block in the four crossings, and in Sleep, SwitchToTask and Join; it must not call
/// managed code from any. When a call fails with E_FAIL, the document says, the CLR is gone for this process,
/// and every hosting method answers HOST_E_CLRNOTAVAILABLE from then on.
#[interface("997FF24C-43B7-4352-8667-0DC04FAFD354")]
pub unsafe trait IHostTaskManager: IUnknown {
    /// The task of the calling thread, with a reference for the caller. Called on the thread in question: as
    /// one that .NET has made begins, and on others before the first thing that is told of them. A null task
    /// kept a thread out in .NET Framework; today it cannot: the thread runs without a task, and nothing is
    /// told of it.
    pub fn GetCurrentTask(&self, pTask: *mut *mut c_void) -> HRESULT;
    /// A task for a new thread, suspended until IHostTask::Start. Stack size in bytes, 0 for the default. Not
    /// called: .NET makes its own threads.
    pub fn CreateTask(
        &self,
        dwStackSize: u32,
        pStartAddress: Option<LPTHREAD_START_ROUTINE>,
        pParameter: *mut c_void,
        ppTask: *mut *mut c_void,
    ) -> HRESULT;
    /// This thread sleeps, by Thread.Sleep in any form; option is WAIT_ALERTABLE. S_OK: it has slept.
    /// HOST_E_INTERRUPTED, after an Alert: managed code gets its ThreadInterruptedException if it was
    /// interrupted, else this is called again for what is left of the time. Any other answer: .NET sleeps.
    pub fn Sleep(&self, dwMilliseconds: u32, option: u32) -> HRESULT;
    /// This thread has nothing to do at the moment, by Thread.Yield or as it spins; run another task if you
    /// like. S_OK: that was done. Any other answer: .NET yields. option is 0.
    pub fn SwitchToTask(&self, option: u32) -> HRESULT;
    /// Managed code sets this thread's UI culture. E_NOTIMPL: the host does not go along, and the culture is
    /// set all the same. Any other failure: it is not set, an ArgumentException is thrown.
    pub fn SetUILocale(&self, lcid: u32) -> HRESULT;
    /// The same of the culture.
    pub fn SetLocale(&self, lcid: u32) -> HRESULT;
    /// Whether calls of the native function at target are to be told by LeaveRuntime and EnterRuntime. The
    /// answer FALSE saves what telling costs. A failure is ignored: the BOOL decides, and it is FALSE
    /// beforehand. No effect on the reverse pair.
    pub fn CallNeedsHostHook(&self, target: usize, pbCallNeedsHostHook: *mut BOOL) -> HRESULT;
    /// This thread leaves managed code: it is about to call the native function at target (0: unknown). A
    /// failing HRESULT refuses: it becomes a managed exception, the function is not called, and no
    /// EnterRuntime follows. Refusing needs crossings from the `woven` source; the runtime's own callbacks
    /// cannot be refused.
    pub fn LeaveRuntime(&self, target: usize) -> HRESULT;
    /// The native function has come back to this thread's managed code, one for each LeaveRuntime that
    /// succeeded. A failure becomes a managed exception; what the function did stays done, its result is
    /// lost.
    pub fn EnterRuntime(&self) -> HRESULT;
    /// Managed code that native code had called returns to it.
    pub fn ReverseLeaveRuntime(&self) -> HRESULT;
    /// Native code calls managed code on this thread: a callback, or a native thread's way in. Any code but
    /// S_OK, even S_FALSE, refuses, where the call can still be refused.
    pub fn ReverseEnterRuntime(&self) -> HRESULT;
    /// From here to the matching End this thread must not be aborted. Called for the outermost
    /// Thread.BeginCriticalRegion; .NET Framework 4 never called it. E_UNEXPECTED if there is a Begin
    /// already.
    pub fn BeginDelayAbort(&self) -> HRESULT;
    /// The end of that region, if its Begin succeeded. E_UNEXPECTED without a Begin.
    pub fn EndDelayAbort(&self) -> HRESULT;
    /// From here to the matching End the task must stay on its thread. Called for each
    /// Thread.BeginThreadAffinity: pairs nest, and the host counts. The answer changes nothing.
    pub fn BeginThreadAffinity(&self) -> HRESULT;
    /// The end of that region. E_UNEXPECTED without a Begin.
    pub fn EndThreadAffinity(&self) -> HRESULT;
    /// Stack, in bytes, to keep for after a stack overflow. Windows only: not called.
    pub fn SetStackGuarantee(&self, guarantee: u32) -> HRESULT;
    /// The same, read. Not called.
    pub fn GetStackGuarantee(&self, pGuarantee: *mut u32) -> HRESULT;
    /// Hands over the CLR's half, once, inside SetHostControl, right after GetHostManager gave this manager.
    /// Keep the pointer; it lives as long as the CLR.
    pub fn SetCLRTaskManager(&self, ppManager: *mut c_void) -> HRESULT;
}

/// Slots 3 to 8. One task of the host: the thread that the CLR sees. The CLR holds a reference from
/// GetCurrentTask on, until the thread is gone.
#[interface("C2275828-C4B1-4B55-82C9-92135F74DF1A")]
pub unsafe trait IHostTask: IUnknown {
    /// Lets a task that CreateTask made run. Not called, as CreateTask is not.
    pub fn Start(&self) -> HRESULT;
    /// Wakes the task out of a wait that carried WAIT_ALERTABLE, or out of its next one: somebody has called
    /// Thread.Interrupt. From any thread; must return at once.
    pub fn Alert(&self) -> HRESULT;
    /// Waits for the task's end, by Thread.Join in any form; option is WAIT_ALERTABLE and WAIT_NOTINDEADLOCK. At
    /// most 100 ms at a time. S_OK: .NET looks itself whether it has ended; HOST_E_TIMEOUT: asked again until the time
    /// is over; HOST_E_INTERRUPTED as with Sleep. Any other answer: .NET waits.
    pub fn Join(&self, dwMilliseconds: u32, option: u32) -> HRESULT;
    /// A THREAD_PRIORITY_ value, from Thread.Priority. The host may ignore it and answer S_OK. E_NOTIMPL:
    /// .NET sets its own. Any other failure: all stays as it was.
    pub fn SetPriority(&self, newPriority: i32) -> HRESULT;
    /// The same, read. Anything but S_OK: .NET's own.
    pub fn GetPriority(&self, pPriority: *mut i32) -> HRESULT;
    /// Pairs the task with the CLR's. Called on the task's own thread, when the CLR first sees it.
    pub fn SetCLRTask(&self, pCLRTask: *mut c_void) -> HRESULT;
}
