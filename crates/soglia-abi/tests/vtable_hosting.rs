//! The vtables of the hosting interfaces, slot by slot.

use soglia_abi::hosting::{clr_task::*, control::*, host_task::*, runtime_host::*};

mod common;
use common::vtable;

vtable! { IHostTaskManager_Vtbl, 21 slots:
    3 GetCurrentTask, 4 CreateTask, 5 Sleep, 6 SwitchToTask, 7 SetUILocale, 8 SetLocale, 9 CallNeedsHostHook,
    10 LeaveRuntime, 11 EnterRuntime, 12 ReverseLeaveRuntime, 13 ReverseEnterRuntime,
    14 BeginDelayAbort, 15 EndDelayAbort, 16 BeginThreadAffinity, 17 EndThreadAffinity,
    18 SetStackGuarantee, 19 GetStackGuarantee, 20 SetCLRTaskManager,
}

vtable! { IHostTask_Vtbl, 9 slots:
    3 Start, 4 Alert, 5 Join, 6 SetPriority, 7 GetPriority, 8 SetCLRTask,
}

vtable! { ICLRTask_Vtbl, 14 slots:
    3 SwitchIn, 4 SwitchOut, 5 GetMemStats, 6 Reset, 7 ExitTask, 8 Abort, 9 RudeAbort,
    10 NeedsPriorityScheduling, 11 YieldTask, 12 LocksHeld, 13 SetTaskIdentifier,
}

vtable! { ICLRTask2_Vtbl, 16 slots:
    14 BeginPreventAsyncAbort, 15 EndPreventAsyncAbort,
}

vtable! { ICLRTaskManager_Vtbl, 8 slots:
    3 CreateTask, 4 GetCurrentTask, 5 SetUILocale, 6 SetLocale, 7 GetCurrentTaskType,
}

vtable! { IHostControl_Vtbl, 5 slots:
    3 GetHostManager, 4 SetAppDomainManager,
}

vtable! { ICLRControl_Vtbl, 5 slots:
    3 GetCLRManager, 4 SetAppDomainManagerType,
}

vtable! { ICLRRuntimeHost_Vtbl, 12 slots:
    3 Start, 4 Stop, 5 SetHostControl, 6 GetCLRControl, 7 UnloadAppDomain, 8 ExecuteInAppDomain,
    9 GetCurrentAppDomainId, 10 ExecuteApplication, 11 ExecuteInDefaultAppDomain,
}

vtable! { ICLRRuntimeHost2_Vtbl, 19 slots:
    12 CreateAppDomainWithManager, 13 CreateDelegate, 14 Authenticate, 15 RegisterMacEHPort, 16 SetStartupFlags,
    17 DllGetActivationFactory, 18 ExecuteAssembly,
}

vtable! { ICLRRuntimeHost4_Vtbl, 20 slots:
    19 UnloadAppDomain2,
}
