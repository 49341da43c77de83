//! Every interface of the hosting API: IID, slots in all, and the slot of each method, inherited
//! ones left out.
//!
//! Written down from the IDL and the hosting sheet, not computed from the crate. The tests of IIDs,
//! of vtables and of `include/mscoree.h` read this one table.

macro_rules! hosting_interfaces {
    ($with:ident) => {
        $with! {
            IHostControl 0x02CA073C_7079_4860_880A_C2F7A449C991, 5 slots:
                3 GetHostManager, 4 SetAppDomainManager;
            ICLRControl 0x9065597E_D1A1_4FB2_B6BA_7E1FCE230F61, 5 slots:
                3 GetCLRManager, 4 SetAppDomainManagerType;
            ICLRDomainManager 0x270D00A2_8E15_4D0B_ADEB_37BC3E47DF77, 5 slots:
                3 SetAppDomainManagerType, 4 SetPropertiesForDefaultAppDomain;
            ICLRRuntimeHost 0x90F1A06C_7712_4762_86B5_7A5EBA6BDB02, 12 slots:
                3 Start, 4 Stop, 5 SetHostControl, 6 GetCLRControl, 7 UnloadAppDomain, 8 ExecuteInAppDomain,
                9 GetCurrentAppDomainId, 10 ExecuteApplication, 11 ExecuteInDefaultAppDomain;
            ICLRRuntimeHost2 0x712AB73F_2C22_4807_AD7E_F501D7B72C2D, 19 slots:
                12 CreateAppDomainWithManager, 13 CreateDelegate, 14 Authenticate, 15 RegisterMacEHPort,
                16 SetStartupFlags, 17 DllGetActivationFactory, 18 ExecuteAssembly;
            ICLRRuntimeHost4 0x64F6D366_D7C2_4F1F_B4B2_E8160CAC43AF, 20 slots:
                19 UnloadAppDomain2;
            ICLRExecutionManager 0x1000A3E7_B420_4620_AE30_FB19B587AD1D, 5 slots:
                3 Pause, 4 Resume;
            ICLRMetaHost 0xD332DB9E_B9B3_4125_8207_A14884F53216, 10 slots:
                3 GetRuntime, 4 GetVersionFromFile, 5 EnumerateInstalledRuntimes, 6 EnumerateLoadedRuntimes,
                7 RequestRuntimeLoadedNotification, 8 QueryLegacyV2RuntimeBinding, 9 ExitProcess;
            ICLRMetaHostPolicy 0xE2190695_77B2_492E_8E14_C4B3A7FDD593, 4 slots:
                3 GetRequestedRuntime;
            ICLRRuntimeInfo 0xBD39D1D2_BA2F_486A_89B0_B4B0CB466891, 15 slots:
                3 GetVersionString, 4 GetRuntimeDirectory, 5 IsLoaded, 6 LoadErrorString, 7 LoadLibrary,
                8 GetProcAddress, 9 GetInterface, 10 IsLoadable, 11 SetDefaultStartupFlags,
                12 GetDefaultStartupFlags, 13 BindAsLegacyV2Runtime, 14 IsStarted;
            IHostTaskManager 0x997FF24C_43B7_4352_8667_0DC04FAFD354, 21 slots:
                3 GetCurrentTask, 4 CreateTask, 5 Sleep, 6 SwitchToTask, 7 SetUILocale, 8 SetLocale,
                9 CallNeedsHostHook, 10 LeaveRuntime, 11 EnterRuntime, 12 ReverseLeaveRuntime,
                13 ReverseEnterRuntime, 14 BeginDelayAbort, 15 EndDelayAbort, 16 BeginThreadAffinity,
                17 EndThreadAffinity, 18 SetStackGuarantee, 19 GetStackGuarantee, 20 SetCLRTaskManager;
            IHostTask 0xC2275828_C4B1_4B55_82C9_92135F74DF1A, 9 slots:
                3 Start, 4 Alert, 5 Join, 6 SetPriority, 7 GetPriority, 8 SetCLRTask;
            ICLRTaskManager 0x4862EFBE_3AE5_44F8_8FEB_346190EE8A34, 8 slots:
                3 CreateTask, 4 GetCurrentTask, 5 SetUILocale, 6 SetLocale, 7 GetCurrentTaskType;
            ICLRTask 0x28E66A4A_9906_4225_B231_9187C3EB8611, 14 slots:
                3 SwitchIn, 4 SwitchOut, 5 GetMemStats, 6 Reset, 7 ExitTask, 8 Abort, 9 RudeAbort,
                10 NeedsPriorityScheduling, 11 YieldTask, 12 LocksHeld, 13 SetTaskIdentifier;
            ICLRTask2 0x28E66A4A_9906_4225_B231_9187C3EB8612, 16 slots:
                14 BeginPreventAsyncAbort, 15 EndPreventAsyncAbort;
            IHostThreadpoolManager 0x983D50E2_CB15_466B_80FC_845DC6E8C5FD, 9 slots:
                3 QueueUserWorkItem, 4 SetMaxThreads, 5 GetMaxThreads, 6 GetAvailableThreads, 7 SetMinThreads,
                8 GetMinThreads;
            IHostIoCompletionManager 0x8BDE9D80_EC06_41D6_83E6_22580EFFCC20, 14 slots:
                3 CreateIoCompletionPort, 4 CloseIoCompletionPort, 5 SetMaxThreads, 6 GetMaxThreads,
                7 GetAvailableThreads, 8 GetHostOverlappedSize, 9 SetCLRIoCompletionManager,
                10 InitializeHostOverlapped, 11 Bind, 12 SetMinThreads, 13 GetMinThreads;
            ICLRIoCompletionManager 0x2D74CE86_B8D6_4C84_B3A7_9768933B3C12, 4 slots:
                3 OnComplete;
            IHostSyncManager 0x234330C7_5F10_4F20_9615_5122DAB7A0AC, 12 slots:
                3 SetCLRSyncManager, 4 CreateCrst, 5 CreateCrstWithSpinCount, 6 CreateAutoEvent, 7 CreateManualEvent,
                8 CreateMonitorEvent, 9 CreateRWLockWriterEvent, 10 CreateRWLockReaderEvent, 11 CreateSemaphore;
            ICLRSyncManager 0x55FF199D_AD21_48F9_A16C_F24EBBB8727D, 7 slots:
                3 GetMonitorOwner, 4 CreateRWLockOwnerIterator, 5 GetRWLockOwnerNext, 6 DeleteRWLockOwnerIterator;
            IHostCrst 0x6DF710A6_26A4_4A65_8CD5_7237B8BDA8DC, 7 slots:
                3 Enter, 4 Leave, 5 TryEnter, 6 SetSpinCount;
            IHostAutoEvent 0x50B0CFCE_4063_4278_9673_E5CB4ED0BDB8, 5 slots:
                3 Wait, 4 Set;
            IHostManualEvent 0x1BF4EC38_AFFE_4FB9_85A6_525268F15B54, 6 slots:
                3 Wait, 4 Reset, 5 Set;
            IHostSemaphore 0x855EFD47_CC09_463A_A97D_16ACAB882661, 5 slots:
                3 Wait, 4 ReleaseSemaphore;
            IHostMemoryManager 0x7BC698D1_F9E3_4460_9CDE_D04248E9FA25, 13 slots:
                3 CreateMalloc, 4 VirtualAlloc, 5 VirtualFree, 6 VirtualQuery, 7 VirtualProtect, 8 GetMemoryLoad,
                9 RegisterMemoryNotificationCallback, 10 NeedsVirtualAddressSpace, 11 AcquiredVirtualAddressSpace,
                12 ReleasedVirtualAddressSpace;
            IHostMalloc 0x1831991C_CC53_4A31_B218_04E910446479, 6 slots:
                3 Alloc, 4 DebugAlloc, 5 Free;
            ICLRMemoryNotificationCallback 0x47EB8E57_0846_4546_AF76_6F42FCFC2649, 4 slots:
                3 OnMemoryNotification;
            IHostGCManager 0x5D4EC34E_F248_457B_B603_255FAABA0D21, 6 slots:
                3 ThreadIsBlockingForSuspension, 4 SuspensionStarting, 5 SuspensionEnding;
            ICLRGCManager 0x54D9007E_A8E2_4885_B7BF_F998DEEE4F2A, 6 slots:
                3 Collect, 4 GetStats, 5 SetGCStartupLimits;
            ICLRGCManager2 0x0603B793_A97A_4712_9CB4_0CD1C74C0F7C, 7 slots:
                6 SetGCStartupLimitsEx;
            ICLRAppDomainResourceMonitor 0xC62DE18C_2E23_4AEA_8423_B40C1FC59EAE, 6 slots:
                3 GetCurrentAllocated, 4 GetCurrentSurvived, 5 GetCurrentCpuTime;
            ICLRPolicyManager 0x7D290010_D781_45DA_A6F8_AA5D711A730E, 9 slots:
                3 SetDefaultAction, 4 SetTimeout, 5 SetActionOnTimeout, 6 SetTimeoutAndAction, 7 SetActionOnFailure,
                8 SetUnhandledExceptionPolicy;
            IHostPolicyManager 0x7AE49844_B1E3_4683_BA7C_1E8212EA3B79, 6 slots:
                3 OnDefaultAction, 4 OnTimeout, 5 OnFailure;
            ICLROnEventManager 0x1D0E0132_E64F_493D_9260_025C0E32C175, 5 slots:
                3 RegisterActionOnEvent, 4 UnregisterActionOnEvent;
            IActionOnCLREvent 0x607BE24B_D91B_4E28_A242_61871CE56E35, 4 slots:
                3 OnEvent;
            ICLRDebugManager 0x00DCAEC6_2AC0_43A9_ACF9_1E36C139B10D, 10 slots:
                3 BeginConnection, 4 SetConnectionTasks, 5 EndConnection, 6 SetDacl, 7 GetDacl, 8 IsDebuggerAttached,
                9 SetSymbolReadingPolicy;
            ICLRErrorReportingManager 0x980D2F1A_BF79_4C08_812A_BB9778928F78, 6 slots:
                3 GetBucketParametersForCurrentException, 4 BeginCustomDump, 5 EndCustomDump;
            ICLRErrorReportingManager2 0xC68F63B1_4D8B_4E0B_9564_9D2EFE2FA18C, 8 slots:
                6 SetApplicationData, 7 SetBucketParametersForUnhandledException;
            ICLRHostProtectionManager 0x89F25F5C_CEEF_43E1_9CFA_A68CE863AAAC, 5 slots:
                3 SetProtectedCategories, 4 SetEagerSerializeGrantSets;
            IHostAssemblyManager 0x613DABD7_62B2_493E_9E65_C1E32A1E0C5E, 5 slots:
                3 GetNonHostStoreAssemblies, 4 GetAssemblyStore;
            IHostAssemblyStore 0x7B102A88_3F7F_496D_8FA2_C35374E01AF3, 5 slots:
                3 ProvideAssembly, 4 ProvideModule;
            ICLRAssemblyReferenceList 0x1B2C9750_2E66_4BDA_8B44_0A642C5CD733, 5 slots:
                3 IsStringAssemblyReferenceInList, 4 IsAssemblyReferenceInList;
            IHostSecurityManager 0x75AD2468_A349_4D02_A764_76A68AEE0C4F, 9 slots:
                3 ImpersonateLoggedOnUser, 4 RevertToSelf, 5 OpenThreadToken, 6 SetThreadToken, 7 GetSecurityContext,
                8 SetSecurityContext;
            IHostSecurityContext 0x7E573CE4_0343_4423_98D7_6318348A1D3C, 4 slots:
                3 Capture;
            IEnumUnknown 0x00000100_0000_0000_C000_000000000046, 7 slots:
                3 Next, 4 Skip, 5 Reset, 6 Clone;
            ISequentialStream 0x0C733A30_2A1C_11CE_ADE5_00AA0044773D, 5 slots:
                3 Read, 4 Write;
            IStream 0x0000000C_0000_0000_C000_000000000046, 14 slots:
                5 Seek, 6 SetSize, 7 CopyTo, 8 Commit, 9 Revert, 10 LockRegion, 11 UnlockRegion, 12 Stat, 13 Clone;
        }
    };
}
pub(crate) use hosting_interfaces;
