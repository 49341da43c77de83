// soglia.h: what soglia adds to the CLR's hosting API. Link with -lmscoree.
//
// SogliaCreateTaskManager makes a task manager that limits how many tasks run managed code at a
// time. A host gives it out where it would give its own:
//
//     IHostTaskManager *manager;      // C++
//     SogliaCreateTaskManager(4, 2000, my_task_manager, &manager);
//
// SogliaAttachTaskManager gives a task manager to a runtime that runs already.
// SogliaExecuteInAppDomain calls a method in a domain.
//
// A task needs a slot to run managed code. LeaveRuntime and ReverseLeaveRuntime give it back.
// EnterRuntime and ReverseEnterRuntime take one, and wait for it in line. docs/hosting.md says what
// the CLR does after each result:
//
//     HOST_E_TIMEOUT      No slot came free in time.
//                         After EnterRuntime the task goes on without one.
//     HOST_E_ABANDONED    The last owner's thread vanished without ending; returned once.
//                         After EnterRuntime the task has a slot.
//     HOST_E_NOT_OWNER    LeaveRuntime of a task that has left,
//                         ReverseLeaveRuntime without a callback.
//     E_UNEXPECTED        The end of a region without its begin,
//                         BeginDelayAbort inside such a region.
//
// Between BeginDelayAbort and EndDelayAbort a task waits without limit, and does not get
// HOST_E_ABANDONED. Regions of thread affinity are counted. The runtime's own threads (finalizer,
// timers) need no slot. If a task sleeps in managed code while others wait, its slot is lent to one
// of them, so that waits cannot form a circle. When the task wakes it goes on without a slot, until
// its next crossing.

#ifndef SOGLIA_SOGLIA_H
#define SOGLIA_SOGLIA_H

#include "mscoree.h"

#pragma GCC visibility push(default)

SOGLIA_INTERFACE(ISogliaSlots, 0x5B8AD9F1, 0x6A3E, 0x4C0B, 0x9C, 0x7E, 0x3F, 0x1D, 0x2E, 0x64, 0xA7, 0xC5)

// Counts and times of waits for slots, since the task manager was created.
typedef struct SogliaSlotFigures {
    UINT32 Slots;     // all slots
    UINT32 Free;      // slots that are free now
    UINT32 Waiting;   // tasks that wait for a slot now
    UINT32 Reserved;  // 0
    UINT64 Waits;     // waits that have ended, with or without a slot
    UINT64 WaitedNs;  // the time of all waits together, in nanoseconds
    UINT64 LongestNs; // the time of the longest wait, in nanoseconds
    UINT64 TimedOut;  // waits that ended with HOST_E_TIMEOUT
    UINT64 Lent;      // slots that were lent while their owners slept
    UINT64 Abandoned; // slots whose owner's thread vanished without ending
} SogliaSlotFigures;

#ifdef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
#endif

// Figures about a task manager of SogliaCreateTaskManager, which returns it from QueryInterface. It
// may be called on any thread.
#undef INTERFACE
#define INTERFACE ISogliaSlots
DECLARE_INTERFACE_(ISogliaSlots, IUnknown) {
    SOGLIA_IUNKNOWN_METHODS

    // Stores the figures. E_POINTER for null.
    STDMETHOD(GetFigures)(THIS_ SogliaSlotFigures *pFigures) PURE;
};
#undef INTERFACE

#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

// Creates a task manager with dwSlots slots, 1 to 65535. A task waits at most dwMilliseconds for a
// slot, or until it gets one with INFINITE. pInner gets the calls that have nothing to do with
// slots, and notifications of crossings too. With null, every thread has a task, and the calls of
// all unmanaged functions are notified. E_INVALIDARG for a number of slots out of range.
STDAPI SogliaCreateTaskManager(DWORD dwSlots, DWORD dwMilliseconds, IHostTaskManager *pInner,
                               IHostTaskManager **ppManager);

// Notifies a task manager of the crossings of this process, in which .NET runs already. Any code
// may have started it. The function may be called on any thread, and returns when the hooks are in
// place.
//
// The engine comes into the runtime by the diagnostics port of the process, and stays there, idle,
// when the task manager has been detached. The task manager is called as one of SetHostControl is,
// except that only crossings are notified. It is released when it has been detached and no thread
// is in one of its methods. docs/hosting.md says what is not notified.
//
//     E_POINTER                            pManager is null.
//     HOST_E_CLRNOTAVAILABLE               No .NET runs in this process.
//     HOST_E_INVALIDOPERATION              There is a task manager, the process is recorded, or it
//                                          has no diagnostics port.
//     CORPROF_E_PROFILER_ALREADY_ACTIVE    The runtime has another profiler.
//     HOST_E_TIMEOUT                       The runtime did not do it in time.
STDAPI SogliaAttachTaskManager(IHostTaskManager *pManager);

// Ends that: the program gets its own code back, and the task manager is called no more. A call
// that is open is not notified at its end.
//
//     S_FALSE                    A thread is still in a method of the task manager. The engine
//                                releases it when the last one has come out.
//     HOST_E_INVALIDOPERATION    No task manager is attached.
//     HOST_E_TIMEOUT             The runtime takes its code back later. The task manager is called
//                                no more even so.
STDAPI SogliaDetachTaskManager(void);

// The reason for the last failure of these two on the calling thread, in UTF-8, and what to do. It
// is empty after a success, and there until the thread calls one of them again.
STDAPI_(LPCSTR) SogliaGetLastErrorText(void);

// Calls static int METHOD(string) in a domain, as ICLRRuntimeHost::ExecuteInDefaultAppDomain does
// in the first one. The domain is one of ICLRRuntimeHost2::CreateAppDomainWithManager, or 1.
//
// pwzAssembly is a file, or the identity of an assembly that the domain finds. pwzArgument and
// pReturnValue may be null. An exception that leaves the method is returned as its HRESULT, and
// ICLRTask::Abort ends the call with COR_E_THREADABORTED.
//
//     HOST_E_INVALIDOPERATION    There never was such a domain.
//     COR_E_APPDOMAINUNLOADED    The domain is unloaded, or it is being unloaded.
STDAPI SogliaExecuteInAppDomain(DWORD dwAppDomainId, LPCWSTR pwzAssembly, LPCWSTR pwzTypeName,
                                LPCWSTR pwzMethodName, LPCWSTR pwzArgument, DWORD *pReturnValue);

#pragma GCC visibility pop

#if defined(COBJMACROS) && !defined(__cplusplus)

#define ISogliaSlots_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ISogliaSlots_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ISogliaSlots_Release(This) ((This)->lpVtbl->Release(This))
#define ISogliaSlots_GetFigures(This, ...) ((This)->lpVtbl->GetFigures(This, __VA_ARGS__))

#endif

#endif
