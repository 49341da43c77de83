//! Sizes and offsets of structs on 64 bit platforms, and the widths of scalars.
#![cfg(target_pointer_width = "64")]

use std::mem::{align_of, offset_of, size_of};

use soglia_abi::hosting::{assembly::*, com::*, debug::*, gc::*, policy::*, types::*};
use soglia_abi::profiler::{metadata::*, metadata_assembly::*, types::*};
use soglia_abi::{BOOL, HRESULT, ids::*};

/// `Struct is SIZE: field OFFSET, ...`
macro_rules! layout {
    ($($name:ident is $size:literal: $($field:ident $offset:literal),*;)*) => {$(
        assert_eq!(size_of::<$name>(), $size, stringify!($name));
        $(assert_eq!(offset_of!($name, $field), $offset, concat!(stringify!($name), ".", stringify!($field)));)*
    )*};
}

#[test]
fn profiler_structs() {
    layout! {
        COR_IL_MAP is 12: oldOffset 0, newOffset 4, fAccurate 8;
        COR_DEBUG_IL_TO_NATIVE_MAP is 12: ilOffset 0, nativeStartOffset 4, nativeEndOffset 8;
        COR_FIELD_OFFSET is 8: ridOfField 0, ulOffset 4;
        COR_PRF_FUNCTION_ARGUMENT_RANGE is 16: startAddress 0, length 8;
        COR_PRF_FUNCTION_ARGUMENT_INFO is 24: numRanges 0, totalArgumentSize 4, ranges 8;
        COR_PRF_CODE_INFO is 16: startAddress 0, size 8;
        COR_PRF_FUNCTION is 16: functionId 0, reJitId 8;
        COR_PRF_METHOD is 16: moduleId 0, methodId 8;
        COR_PRF_GC_GENERATION_RANGE is 32: generation 0, rangeStart 8, rangeLength 16, rangeLengthReserved 24;
        COR_PRF_NONGC_HEAP_RANGE is 24: rangeStart 0, rangeLength 8, rangeLengthReserved 16;
        COR_PRF_EX_CLAUSE_INFO is 32: clauseType 0, programCounter 8, framePointer 16, shadowStackPointer 24;
        COR_PRF_EVENTPIPE_PROVIDER_CONFIG is 32: providerName 0, keywords 8, loggingLevel 16, filterData 24;
        COR_PRF_EVENTPIPE_PARAM_DESC is 16: r#type 0, elementType 4, name 8;
        COR_PRF_EVENT_DATA is 16: ptr 0, size 8, reserved 12;
        COR_PRF_FILTER_DATA is 16: Ptr 0, Size 8, Type 12;
    }
}

#[test]
fn metadata_structs() {
    layout! {
        OSINFO is 12: dwOSPlatformId 0, dwOSMajorVersion 4, dwOSMinorVersion 8;
        ASSEMBLYMETADATA is 56: usMajorVersion 0, usMinorVersion 2, usBuildNumber 4, usRevisionNumber 6, szLocale 8,
            cbLocale 16, rProcessor 24, ulProcessor 32, rOS 40, ulOS 48;
        COR_PRF_ASSEMBLY_REFERENCE_INFO is 48: pbPublicKeyOrToken 0, cbPublicKeyOrToken 8, szName 16, pMetaData 24,
            pbHashValue 32, cbHashValue 40, dwAssemblyRefFlags 44;
    }
}

#[test]
fn hosting_structs() {
    layout! {
        COR_GC_THREAD_STATS is 16: PerThreadAllocation 0, Flags 8;
        COR_GC_STATS is 104: Flags 0, ExplicitGCCount 8, GenCollectionsTaken 16, CommittedKBytes 40, ReservedKBytes 48,
            Gen0HeapSizeKBytes 56, Gen1HeapSizeKBytes 64, Gen2HeapSizeKBytes 72, LargeObjectHeapSizeKBytes 80,
            KBytesPromotedFromGen0 88, KBytesPromotedFromGen1 96;
        MDAInfo is 24: lpMDACaption 0, lpMDAMessage 8, lpStackTrace 16;
        StackOverflowInfo is 16: soType 0, pExceptionInfo 8;
        BucketParameters is 5616: fInited 0, pszEventTypeName 4, pszParams 514;
        CustomDumpItem is 16: itemKind 0, pReserved 8;
        AssemblyBindInfo is 32: dwAppDomainId 0, lpReferencedIdentity 8, lpPostPolicyIdentity 16, ePolicyLevel 24;
        ModuleBindInfo is 24: dwAppDomainId 0, lpAssemblyIdentity 8, lpModuleName 16;
        FILETIME is 8: dwLowDateTime 0, dwHighDateTime 4;
        STATSTG is 80: pwcsName 0, r#type 8, cbSize 16, mtime 24, ctime 32, atime 40, grfMode 48, grfLocksSupported 52,
            clsid 56, grfStateBits 72, reserved 76;
    }
    assert_eq!(align_of::<COR_GC_THREAD_STATS>(), 8);
}

#[test]
fn ids_are_pointers() {
    assert_eq!(
        [
            size_of::<FunctionId>(),
            size_of::<ModuleId>(),
            size_of::<AssemblyId>(),
            size_of::<ClassId>(),
            size_of::<AppDomainId>(),
            size_of::<ThreadId>(),
            size_of::<ObjectId>(),
            size_of::<ProcessId>(),
            size_of::<ContextId>(),
            size_of::<GCHandleId>(),
            size_of::<ReJITId>(),
            size_of::<HANDLE>(),
            size_of::<HCORENUM>(),
            size_of::<EVENTPIPE_PROVIDER>(),
        ],
        [8; 14]
    );
}

#[test]
fn scalars() {
    assert_eq!(
        [
            size_of::<BOOL>(),
            size_of::<HRESULT>(),
            size_of::<MdToken>()
        ],
        [4; 3]
    );
    assert_eq!(
        [
            size_of::<ETaskType>(),
            size_of::<COR_PRF_TRANSITION_REASON>()
        ],
        [4; 2]
    );
    assert_eq!(
        [size_of::<TASKID>(), size_of::<EVENTPIPE_SESSION>()],
        [8; 2]
    );
    assert_eq!(size_of::<CONNID>(), 4);
}

/// A callback pointer may be null, which for Rust is `None` and costs no room.
#[test]
fn optional_function_pointers() {
    assert_eq!(size_of::<Option<LPTHREAD_START_ROUTINE>>(), 8);
    assert_eq!(size_of::<Option<FExecuteInAppDomainCallback>>(), 8);
    assert_eq!(size_of::<Option<StackSnapshotCallback>>(), 8);
}
