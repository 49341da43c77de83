// soglia.h: what soglia adds to the CLR's hosting API. Link with -lmscoree.
//
// A task manager that bounds how many tasks run managed code at a time. A host gives it out where it would give its own:
//
//     IHostTaskManager *manager;      // C++
//     SogliaCreateTaskManager(4, 2000, my_task_manager, &manager);
//
// A task needs a slot to run managed code. LeaveRuntime and ReverseLeaveRuntime give it back, EnterRuntime and
// ReverseEnterRuntime take one, and wait for it in line. What the CLR makes of the answers is in docs/hosting.md:
//
//     HOST_E_TIMEOUT      no slot came free in time. After EnterRuntime the task goes on without one
//     HOST_E_ABANDONED    the last owner's thread was gone without having ended; told once. After EnterRuntime the task
//                         has a slot
//     HOST_E_NOT_OWNER    LeaveRuntime of a task that has left, ReverseLeaveRuntime without a callback
//     E_UNEXPECTED        a region is ended that was not begun; BeginDelayAbort inside such a region
//
// Between BeginDelayAbort and EndDelayAbort a task waits without limit, and is not told of a dead owner. Regions of thread
// affinity are counted. Threads of the runtime's own (finalizer, timers) need no slot. If a task sleeps in managed code
// while others wait, its slot is lent to one of them, so that no circle of waits closes; when it wakes it goes on without,
// until its next crossing.

#ifndef SOGLIA_SOGLIA_H
#define SOGLIA_SOGLIA_H

#include "mscoree.h"

#pragma GCC visibility push(default)

SOGLIA_INTERFACE(ISogliaSlots, 0x5B8AD9F1, 0x6A3E, 0x4C0B, 0x9C, 0x7E, 0x3F, 0x1D, 0x2E, 0x64, 0xA7, 0xC5)

// How tasks came to their slots, since the beginning.
typedef struct SogliaSlotFigures {
    UINT32 Slots;     // in all
    UINT32 Free;      // held by nobody
    UINT32 Waiting;   // tasks that wait for one now
    UINT32 Reserved;  // 0
    UINT64 Waits;     // that are over, however they ended
    UINT64 WaitedNs;  // all of them together, in nanoseconds
    UINT64 LongestNs; // the longest of them, in nanoseconds
    UINT64 TimedOut;  // of them: ended by HOST_E_TIMEOUT
    UINT64 Lent;      // slots that were lent while the threads of their holders slept
    UINT64 Abandoned; // slots whose owners died
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

// A task manager with so many slots, 1 to 65535. A task waits at most dwMilliseconds for one; INFINITE: until it has one.
// pInner: what has nothing to do with slots is passed on to it, and it is told of crossings too; null: there is none, then
// every thread has a task, and all native functions are told. E_INVALIDARG for a number of slots that cannot be.
STDAPI SogliaCreateTaskManager(DWORD dwSlots, DWORD dwMilliseconds, IHostTaskManager *pInner,
                               IHostTaskManager **ppManager);

#pragma GCC visibility pop

#if defined(COBJMACROS) && !defined(__cplusplus)

#define ISogliaSlots_QueryInterface(This, ...) ((This)->lpVtbl->QueryInterface(This, __VA_ARGS__))
#define ISogliaSlots_AddRef(This) ((This)->lpVtbl->AddRef(This))
#define ISogliaSlots_Release(This) ((This)->lpVtbl->Release(This))
#define ISogliaSlots_GetFigures(This, ...) ((This)->lpVtbl->GetFigures(This, __VA_ARGS__))

#endif

#endif
