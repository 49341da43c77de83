//! `IHostTaskManager` and `IHostTask`: the host's side of tasks.
//!
//! The four crossings form a stack on each thread: LeaveRuntime and ReverseEnterRuntime push, and
//! EnterRuntime and ReverseLeaveRuntime pop. A managed thread's stack begins with LeaveRuntime, an
//! unmanaged thread's with ReverseEnterRuntime.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(non_snake_case, reason = "names are spelled as in mscoree.idl")]

use core::ffi::c_void;

use windows_core::{BOOL, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::clr_task::{ICLRTask, ICLRTaskManager};
use crate::hosting::types::LPTHREAD_START_ROUTINE;
use crate::param::{Lent, Out};

/// Slots 3 to 20. The host's tasks. The CLR creates, schedules and finds threads through it, and
/// the engine notifies it of every crossing between managed and unmanaged code.
///
/// For managed code that calls unmanaged A, which calls managed B, which calls unmanaged C, the
/// calls are LeaveRuntime(A), ReverseEnterRuntime, LeaveRuntime(C), EnterRuntime,
/// ReverseLeaveRuntime, EnterRuntime. On each thread they form a stack. On a thread that unmanaged
/// code has created, the first is ReverseEnterRuntime.
///
/// All methods are called on the thread that they are about, in preemptive mode, on several threads
/// at once, and also on threads that the host has not seen before. The host may block in the four
/// crossings, in Sleep, SwitchToTask and Join. It must not call managed code from any method.
/// Microsoft's page says that E_FAIL from a method takes the CLR out of use in this process: every
/// hosting method returns HOST_E_CLRNOTAVAILABLE from then on.
#[interface("997FF24C-43B7-4352-8667-0DC04FAFD354")]
pub unsafe trait IHostTaskManager: IUnknown {
    /// Returns the task of the calling thread, with a reference. Called on that thread: as a thread
    /// that .NET has created begins, and on others before their first notification. In .NET
    /// Framework a null task kept the thread out of managed code. Today it cannot: the thread runs
    /// without a task and without notifications.
    pub fn GetCurrentTask(&self, pTask: Out<'_, *mut c_void>) -> HRESULT;
    /// Returns a task for a new thread, suspended until IHostTask::Start. dwStackSize is in bytes,
    /// 0 for the default. Called for each Thread that starts, of the thread pool too, on the thread
    /// that starts it. Call pStartAddress once with pParameter, on a thread with such a stack. It
    /// returns 0 when the task is over. After E_NOTIMPL, or S_OK without a task, .NET creates the
    /// thread. After any other failure Thread.Start throws OutOfMemoryException.
    pub fn CreateTask(
        &self,
        dwStackSize: u32,
        pStartAddress: Option<LPTHREAD_START_ROUTINE>,
        pParameter: *mut c_void,
        ppTask: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// This thread sleeps: managed code has called Thread.Sleep in any form. option is
    /// WAIT_ALERTABLE. Return S_OK when it has slept, HOST_E_INTERRUPTED after an Alert. After
    /// HOST_E_INTERRUPTED, managed code gets its ThreadInterruptedException if it was interrupted;
    /// otherwise this method is called again for the rest of the time. After any other result .NET
    /// sleeps itself.
    pub fn Sleep(&self, dwMilliseconds: u32, option: u32) -> HRESULT;
    /// This thread has nothing to do at the moment, in Thread.Yield or in a spin. The host may run
    /// another task. Return S_OK if it did. After any other result .NET yields itself. option is 0.
    pub fn SwitchToTask(&self, option: u32) -> HRESULT;
    /// Managed code sets this thread's UI culture. E_NOTIMPL leaves it to .NET, which sets the
    /// culture. After any other failure the culture is not set, and an ArgumentException is thrown.
    pub fn SetUILocale(&self, lcid: u32) -> HRESULT;
    /// Managed code sets this thread's culture. Results have the same meaning as in SetUILocale.
    pub fn SetLocale(&self, lcid: u32) -> HRESULT;
    /// Store whether LeaveRuntime and EnterRuntime should be called for the unmanaged function at
    /// target. FALSE saves the cost of both. The result code is ignored: only the BOOL counts,
    /// which is FALSE beforehand. It has no effect on the reverse pair.
    pub fn CallNeedsHostHook(&self, target: usize, pbCallNeedsHostHook: Out<'_, BOOL>) -> HRESULT;
    /// This thread leaves managed code: it is about to call the unmanaged function at target (0 if
    /// that is unknown). A failure denies the call: it becomes a managed exception, the function is
    /// not called, and no EnterRuntime follows. Denying needs crossings from the `woven` source,
    /// since the runtime's own callbacks cannot be denied.
    pub fn LeaveRuntime(&self, target: usize) -> HRESULT;
    /// The unmanaged function has returned to this thread's managed code: one call for each
    /// LeaveRuntime that succeeded. A failure becomes a managed exception. What the function did
    /// stays done, and its result is lost.
    pub fn EnterRuntime(&self) -> HRESULT;
    /// Managed code returns to the unmanaged code that had called it.
    pub fn ReverseLeaveRuntime(&self) -> HRESULT;
    /// Unmanaged code calls managed code on this thread: a callback, or the first managed code of a
    /// thread that unmanaged code has created. Any result except S_OK, even S_FALSE, denies the
    /// call where that is still possible.
    pub fn ReverseEnterRuntime(&self) -> HRESULT;
    /// This thread must not be aborted from here to the matching End. Called for the outermost
    /// Thread.BeginCriticalRegion; .NET Framework 4 never called it. E_UNEXPECTED if there is a
    /// Begin already.
    pub fn BeginDelayAbort(&self) -> HRESULT;
    /// Ends that region, if its Begin succeeded. E_UNEXPECTED without a Begin.
    pub fn EndDelayAbort(&self) -> HRESULT;
    /// The task must stay on its thread from here to the matching End. Called for each
    /// Thread.BeginThreadAffinity: pairs nest, and the host counts them. The result is ignored.
    pub fn BeginThreadAffinity(&self) -> HRESULT;
    /// Ends that region. E_UNEXPECTED without a Begin.
    pub fn EndThreadAffinity(&self) -> HRESULT;
    /// Set how many bytes of stack must be left after a stack overflow. Windows only: not called.
    pub fn SetStackGuarantee(&self, guarantee: u32) -> HRESULT;
    /// Stored what SetStackGuarantee has set. Not called.
    pub fn GetStackGuarantee(&self, pGuarantee: Out<'_, u32>) -> HRESULT;
    /// Gives the host the CLR's side, once, inside SetHostControl, right after GetHostManager
    /// returned this manager. Keep the pointer: it lives as long as the CLR.
    pub fn SetCLRTaskManager(&self, ppManager: Lent<'_, ICLRTaskManager>) -> HRESULT;
}

/// Slots 3 to 8. One task of the host: a thread, as the CLR sees it. The CLR holds a reference from
/// GetCurrentTask until the thread has ended.
#[interface("C2275828-C4B1-4B55-82C9-92135F74DF1A")]
pub unsafe trait IHostTask: IUnknown {
    /// Lets a task of CreateTask run. Called right after it, on the same thread. It must return at
    /// once: .NET waits, with a lock held, until the task has begun. A failure counts as one of
    /// CreateTask.
    pub fn Start(&self) -> HRESULT;
    /// Wakes the task from a wait with WAIT_ALERTABLE, or from its next one: managed code has
    /// called Thread.Interrupt. Called on any thread. It must return at once.
    pub fn Alert(&self) -> HRESULT;
    /// Waits for the task's end, at most 100 ms at a time: managed code has called Thread.Join in
    /// any form. option is WAIT_ALERTABLE and WAIT_NOTINDEADLOCK. After S_OK, .NET checks itself
    /// whether the thread has ended. After HOST_E_TIMEOUT it calls again until the time is over.
    /// HOST_E_INTERRUPTED has the same meaning as in Sleep. After any other result .NET waits
    /// itself.
    pub fn Join(&self, dwMilliseconds: u32, option: u32) -> HRESULT;
    /// Sets a THREAD_PRIORITY_ value, from Thread.Priority. The host may ignore it and return S_OK.
    /// After E_NOTIMPL, .NET sets the priority itself. After any other failure the priority stays
    /// as it was.
    pub fn SetPriority(&self, newPriority: i32) -> HRESULT;
    /// Stores the priority. After any result except S_OK, .NET uses its own.
    pub fn GetPriority(&self, pPriority: Out<'_, i32>) -> HRESULT;
    /// Lends the CLR's side of the task. Called on the task's own thread when the CLR first sees
    /// it. A failure denies the crossing that it came with. A host that keeps the pointer for
    /// longer than the thread lives calls AddRef.
    pub fn SetCLRTask(&self, pCLRTask: Lent<'_, ICLRTask>) -> HRESULT;
}
