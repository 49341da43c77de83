//! `include/mscoree.h`, and `include/soglia.h` in [`own`], against the crate: slots, parameters,
//! IDs, layouts and numbers, and that compilers take them.
//!
//! Needs a C and a C++ compiler, and fails without: those that `CC` and `CXX` name, or else `cc`
//! and `c++`. With `CC=clang CXX=clang++` the same tests run clang.
#![cfg(target_pointer_width = "64")]

use std::collections::BTreeMap;

use soglia_abi::hosting::{
    assembly::*, clr_task::*, com::*, control::*, debug::*, gc::*, host_task::*, memory::*,
    metahost::*, policy::*, runtime_host::*, security::*, sync::*, thread_pool::*, types::*,
};
use soglia_abi::{GUID, HRESULT, hresult};
use windows_core::Interface;

mod compile;
mod own;
mod signature;
#[path = "../common/hosting.rs"]
mod table;

use compile::{Language, run};
use signature::{Number, signature};

const POINTER: usize = size_of::<usize>();

/// What C says, by name.
type Said = BTreeMap<String, String>;

/// Runs a program of lines `printf("NAME value\n")`.
fn said(language: Language, name: &str, lines: &str) -> Said {
    let source = format!(
        "#include <mscoree.h>\n#include <stdio.h>\n{}\nint main(void) {{\n{lines}return 0;\n}}\n",
        match language {
            Language::C => "",
            Language::Cpp => include_str!("words.hpp"),
        }
    );
    run(language, name, &source)
        .lines()
        .map(|line| line.split_once(' ').expect("a name and a value"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[track_caller]
fn agree(header: Said, krate: Said) {
    assert!(!krate.is_empty());
    let differ: Vec<_> = krate
        .iter()
        .filter(|(name, value)| header.get(*name) != Some(*value))
        .map(|(name, value)| format!("{name}: crate {value}, header {:?}", header.get(name)))
        .collect();
    assert!(differ.is_empty(), "{differ:#?}");
    assert_eq!(header.len(), krate.len());
}

struct Method {
    interface: &'static str,
    name: &'static str,
    slot: usize,
    signature: String,
}

struct Of {
    name: &'static str,
    iid: GUID,
    slots: usize,
}

macro_rules! interfaces {
    ($($interface:ident $iid:literal, $slots:literal slots: $($slot:literal $method:ident),*;)*) => {
        /// Every method, as the crate has it. Inherited ones belong to the base.
        fn methods() -> Vec<Method> {
            let mut all = Vec::new();
            $({
                type Vtable = <$interface as Interface>::Vtable;
                $(all.push(Method {
                    interface: stringify!($interface),
                    name: stringify!($method),
                    slot: core::mem::offset_of!(Vtable, $method) / POINTER,
                    signature: signature(|vtable: &Vtable| &vtable.$method),
                });)*
            })*
            all
        }

        fn interfaces() -> Vec<Of> {
            vec![$(Of {
                name: stringify!($interface),
                iid: $interface::IID,
                slots: size_of::<<$interface as Interface>::Vtable>() / POINTER,
            }),*]
        }
    };
}
table::hosting_interfaces! { interfaces }

#[test]
fn slots_in_c() {
    let mut lines = String::new();
    let mut krate = Said::new();
    for Method {
        interface,
        name,
        slot,
        ..
    } in methods()
    {
        lines += &format!(
            "#ifndef {interface}_{name}\n#error \"no macro {interface}_{name}\"\n#endif\n\
             printf(\"{interface}::{name} %zu\\n\", offsetof({interface}Vtbl, {name}) / sizeof(void *));\n"
        );
        krate.insert(format!("{interface}::{name}"), slot.to_string());
    }
    for Of { name, slots, .. } in interfaces() {
        lines += &format!("printf(\"{name} %zu\\n\", sizeof({name}Vtbl) / sizeof(void *));\n");
        krate.insert(name.to_owned(), slots.to_string());
    }
    agree(said(Language::C, "slots", &lines), krate);
}

/// In C a derived interface repeats its base's methods: in the same slots.
#[test]
fn inherited_slots_in_c() {
    let bases = [
        ("ICLRTask2", "ICLRTask"),
        ("ICLRRuntimeHost2", "ICLRRuntimeHost"),
        ("ICLRRuntimeHost4", "ICLRRuntimeHost"),
        ("ICLRRuntimeHost4", "ICLRRuntimeHost2"),
        ("ICLRGCManager2", "ICLRGCManager"),
        ("ICLRErrorReportingManager2", "ICLRErrorReportingManager"),
        ("IStream", "ISequentialStream"),
    ];
    let mut lines = String::new();
    let mut krate = Said::new();
    for (derived, base) in bases {
        for Method { name, slot, .. } in methods().iter().filter(|it| it.interface == base) {
            lines += &format!(
                "printf(\"{derived}::{name} %zu\\n\", offsetof({derived}Vtbl, {name}) / sizeof(void *));\n"
            );
            krate.insert(format!("{derived}::{name}"), slot.to_string());
        }
    }
    agree(said(Language::C, "inherited", &lines), krate);
}

/// The vtable of a C++ class, and what each method takes: a letter and a size for each parameter.
#[test]
fn slots_and_parameters_in_cpp() {
    let mut lines = String::new();
    let mut krate = Said::new();
    for Method {
        interface,
        name,
        slot,
        signature,
    } in methods()
    {
        lines += &format!("tell(\"{interface}::{name}\", &{interface}::{name});\n");
        krate.insert(
            format!("{interface}::{name}"),
            format!("{slot} {signature}"),
        );
    }
    agree(said(Language::Cpp, "parameters", &lines), krate);
}

fn digits(id: &GUID) -> String {
    format!("{:032X}", id.to_u128())
}

const PRINT_GUID: &str = r#"printf(" %08X%04X%04X", (unsigned)id->Data1, id->Data2, id->Data3);
for (size_t i = 0; i < 8; i++) printf("%02X", id->Data4[i]);
printf("\n"); }
"#;

#[test]
fn ids() {
    let mut all: Vec<(String, GUID)> = interfaces()
        .iter()
        .map(|it| (format!("IID_{}", it.name), it.iid))
        .collect();
    macro_rules! ids {
        ($($name:ident)*) => { $(all.push((stringify!($name).to_owned(), $name));)* };
    }
    ids! {
        CLSID_CLRRuntimeHost CLSID_CorRuntimeHost IID_ICorRuntimeHost CLSID_CLRMetaHost CLSID_CLRMetaHostPolicy
        CLSID_CLRDebugging CLSID_CLRDebuggingLegacy CLSID_CLRProfiling CLSID_CLRStrongName CLSID_TypeNameFactory
        LIBID_mscoree IID_ICLRDebugging IID_ICLRProfiling
    }
    all.push(("IID_IUnknown".to_owned(), windows_core::IUnknown::IID));
    let krate: Said = all
        .iter()
        .map(|(name, id)| (name.clone(), digits(id)))
        .collect();

    let mut lines = String::new();
    for (name, _) in &all {
        lines += &format!("{{ const GUID *id = &{name}; printf(\"{name}\"); {PRINT_GUID}");
    }
    agree(said(Language::C, "ids-c", &lines), krate.clone());

    // The same through __uuidof, which Linux's compilers have not.
    let mut lines = String::new();
    let mut named = Said::new();
    for Of { name, iid, .. } in interfaces() {
        lines +=
            &format!("{{ const GUID *id = &__uuidof({name}); printf(\"{name}\"); {PRINT_GUID}");
        named.insert(name.to_owned(), digits(&iid));
    }
    agree(said(Language::Cpp, "ids-cpp", &lines), named);
}

fn size_of_field<Struct, Field>(_: impl Fn(&Struct) -> &Field) -> usize {
    size_of::<Field>()
}

#[test]
fn layouts() {
    let mut lines = String::new();
    let mut krate = Said::new();
    macro_rules! layouts {
        ($($name:ident { $($field:ident)* })*) => {$(
            lines += &format!("printf(\"{0} %zu\\n\", sizeof({0}));\n", stringify!($name));
            krate.insert(stringify!($name).to_owned(), size_of::<$name>().to_string());
            $(
                let field = stringify!($field).trim_start_matches("r#");
                let name = stringify!($name);
                lines += &format!(
                    "printf(\"{name}.{field} %zu, %zu\\n\", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));\n"
                );
                let offset = core::mem::offset_of!($name, $field);
                let size = size_of_field(|it: &$name| &it.$field);
                krate.insert(format!("{name}.{field}"), format!("{offset}, {size}"));
            )*
        )*};
    }
    layouts! {
        GUID { } HRESULT { } TASKID { } CONNID { } HANDLE { } ETaskType { }
        COR_GC_THREAD_STATS { PerThreadAllocation Flags }
        COR_GC_STATS {
            Flags ExplicitGCCount GenCollectionsTaken CommittedKBytes ReservedKBytes Gen0HeapSizeKBytes Gen1HeapSizeKBytes
            Gen2HeapSizeKBytes LargeObjectHeapSizeKBytes KBytesPromotedFromGen0 KBytesPromotedFromGen1
        }
        MDAInfo { lpMDACaption lpMDAMessage lpStackTrace }
        StackOverflowInfo { soType pExceptionInfo }
        BucketParameters { fInited pszEventTypeName pszParams }
        CustomDumpItem { itemKind pReserved }
        AssemblyBindInfo { dwAppDomainId lpReferencedIdentity lpPostPolicyIdentity ePolicyLevel }
        ModuleBindInfo { dwAppDomainId lpAssemblyIdentity lpModuleName }
        FILETIME { dwLowDateTime dwHighDateTime }
        STATSTG {
            pwcsName r#type cbSize mtime ctime atime grfMode grfLocksSupported clsid grfStateBits reserved
        }
    }
    agree(said(Language::C, "layouts", &lines), krate.clone());
    agree(said(Language::Cpp, "layouts", &lines), krate);
}

/// The names that stand in the header at the beginning of a line, behind `prefix` and in front of `
/// = ` or ` _HRESULT`.
fn header_names(prefix: &str, behind: &str) -> Vec<String> {
    compile::header()
        .lines()
        .filter_map(|line| line.strip_prefix(prefix)?.split_once(behind))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .collect()
}

#[test]
fn enumerations() {
    let mut lines = String::new();
    let mut krate = Said::new();
    macro_rules! numbers {
        ($($name:ident)*) => {$(
            lines += &format!("printf(\"{0} %u\\n\", (unsigned){0});\n", stringify!($name));
            krate.insert(stringify!($name).to_owned(), Number::number($name).to_string());
        )*};
    }
    numbers! {
        STARTUP_CONCURRENT_GC STARTUP_LOADER_OPTIMIZATION_MASK STARTUP_LOADER_OPTIMIZATION_SINGLE_DOMAIN
        STARTUP_LOADER_OPTIMIZATION_MULTI_DOMAIN STARTUP_LOADER_OPTIMIZATION_MULTI_DOMAIN_HOST
        STARTUP_LOADER_SAFEMODE STARTUP_LOADER_SETPREFERENCE STARTUP_SERVER_GC STARTUP_HOARD_GC_VM
        STARTUP_SINGLE_VERSION_HOSTING_INTERFACE STARTUP_LEGACY_IMPERSONATION STARTUP_DISABLE_COMMITTHREADSTACK
        STARTUP_ALWAYSFLOW_IMPERSONATION STARTUP_TRIM_GC_COMMIT STARTUP_ETW STARTUP_ARM STARTUP_SINGLE_APPDOMAIN
        STARTUP_APPX_APP_MODEL STARTUP_DISABLE_RANDOMIZED_STRING_HASHING HOST_TYPE_DEFAULT HOST_TYPE_APPLAUNCH
        HOST_TYPE_CORFLAG WAIT_MSGPUMP WAIT_ALERTABLE WAIT_NOTINDEADLOCK TT_DEBUGGERHELPER TT_GC TT_FINALIZER
        TT_THREADPOOL_TIMER TT_THREADPOOL_GATE TT_THREADPOOL_WORKER TT_THREADPOOL_IOCOMPLETION TT_ADUNLOAD TT_USER
        TT_THREADPOOL_WAIT TT_UNKNOWN COR_GC_THREAD_HAS_PROMOTED_BYTES COR_GC_COUNTS COR_GC_MEMORYUSAGE
        MALLOC_THREADSAFE MALLOC_EXECUTABLE eMemoryAvailableLow eMemoryAvailableNeutral eMemoryAvailableHigh
        eTaskCritical eAppDomainCritical eProcessCritical OPR_ThreadAbort OPR_ThreadRudeAbortInNonCriticalRegion
        OPR_ThreadRudeAbortInCriticalRegion OPR_AppDomainUnload OPR_AppDomainRudeUnload OPR_ProcessExit
        OPR_FinalizerRun MaxClrOperation FAIL_NonCriticalResource FAIL_CriticalResource FAIL_FatalRuntime
        FAIL_OrphanedLock FAIL_StackOverflow FAIL_AccessViolation FAIL_CodeContract MaxClrFailure eNoAction
        eThrowException eAbortThread eRudeAbortThread eUnloadAppDomain eRudeUnloadAppDomain eExitProcess
        eFastExitProcess eRudeExitProcess eDisableRuntime MaxPolicyAction eRuntimeDeterminedPolicy
        eHostDeterminedPolicy Event_DomainUnload Event_ClrDisabled Event_MDAFired Event_StackOverflow MaxClrEvent
        SO_Managed SO_ClrEngine SO_Other eSymbolReadingNever eSymbolReadingAlways eSymbolReadingFullTrustOnly
        DUMP_FLAVOR_Mini DUMP_FLAVOR_CriticalCLRState DUMP_FLAVOR_NonHeapCLRState DUMP_FLAVOR_Default
        DUMP_ITEM_None Parameter1 Parameter2 Parameter3 Parameter4 Parameter5 Parameter6 Parameter7 Parameter8
        Parameter9 InvalidBucketParamIndex eNoChecks eSynchronization eSharedState eExternalProcessMgmt
        eSelfAffectingProcessMgmt eExternalThreading eSelfAffectingThreading eSecurityInfrastructure eUI
        eMayLeakOnAbort eAll eInitializeNewDomainFlags_None eInitializeNewDomainFlags_NoSecurityChanges
        eCurrentContext eRestrictedContext METAHOST_POLICY_HIGHCOMPAT METAHOST_POLICY_APPLY_UPGRADE_POLICY
        METAHOST_POLICY_EMULATE_EXE_LAUNCH METAHOST_POLICY_SHOW_ERROR_DIALOG METAHOST_POLICY_USE_PROCESS_IMAGE_PATH
        METAHOST_POLICY_ENSURE_SKU_SUPPORTED METAHOST_POLICY_IGNORE_ERROR_MODE
        METAHOST_CONFIG_FLAGS_LEGACY_V2_ACTIVATION_POLICY_UNSET METAHOST_CONFIG_FLAGS_LEGACY_V2_ACTIVATION_POLICY_TRUE
        METAHOST_CONFIG_FLAGS_LEGACY_V2_ACTIVATION_POLICY_FALSE METAHOST_CONFIG_FLAGS_LEGACY_V2_ACTIVATION_POLICY_MASK
        RUNTIME_INFO_UPGRADE_VERSION RUNTIME_INFO_REQUEST_IA64 RUNTIME_INFO_REQUEST_AMD64 RUNTIME_INFO_REQUEST_X86
        RUNTIME_INFO_DONT_RETURN_DIRECTORY RUNTIME_INFO_DONT_RETURN_VERSION RUNTIME_INFO_DONT_SHOW_ERROR_DIALOG
        RUNTIME_INFO_IGNORE_ERROR_MODE RUNTIME_INFO_REQUEST_ARM64
    }
    for name in header_names("    ", " = ") {
        assert!(
            krate.contains_key(&name),
            "{name} is in the header and not in this test"
        );
    }
    numbers! {
        BucketParamsCount BucketParamLength INFINITE
        THREAD_PRIORITY_IDLE THREAD_PRIORITY_LOWEST THREAD_PRIORITY_BELOW_NORMAL THREAD_PRIORITY_NORMAL
        THREAD_PRIORITY_ABOVE_NORMAL THREAD_PRIORITY_HIGHEST THREAD_PRIORITY_TIME_CRITICAL THREAD_PRIORITY_ERROR_RETURN
    }
    agree(said(Language::C, "enumerations", &lines), krate.clone());
    agree(said(Language::Cpp, "enumerations", &lines), krate);
}

#[test]
fn results() {
    let names = header_names("#define ", " _HRESULT_TYPEDEF_(0x");
    assert!(names.len() > 50, "{names:?}");
    let mut lines = String::new();
    for name in &names {
        lines += &format!("printf(\"{name} %u\\n\", (unsigned){name});\n");
    }
    for (name, value) in said(Language::C, "results", &lines) {
        let code = HRESULT(value.parse::<u32>().unwrap() as i32);
        assert_eq!(hresult::name(code), Some(name.as_str()), "{value}");
    }
    // All of the crate's but those of profilers.
    let codes =
        (0x8013_1000_u32..=0x8013_17FF).filter_map(|code| hresult::name(HRESULT(code as i32)));
    for name in
        codes.filter(|name| !name.starts_with("CORPROF_") && !name.starts_with("CORDIAGIPC_"))
    {
        assert!(
            names.iter().any(|it| it == name),
            "{name} is not in the header"
        );
    }
}

#[test]
fn compilers_take_it() {
    compile::all_standards(include_str!("uses.c"), include_str!("uses.cpp"));
}

/// The threads, waits and texts of include/win32, as Windows sources use them.
#[test]
fn windows_sources() {
    let arguments = ["citt\u{E0} \u{1F600}"];
    let printed = compile::windows_source("win32", include_str!("win32.cpp"), &[], &arguments);
    assert_eq!(printed, "written\ndone\n");
}

/// `#import`, which warns wherever it stands, and what Microsoft's C library has in headers of the
/// C standard.
#[test]
fn windows_sources_with_warnings() {
    let options = ["-w", "-include", "windows.h"];
    let printed = compile::windows_source("import", include_str!("import.cpp"), &options, &[]);
    assert_eq!(printed, "1970\n");
}

/// Wide text in all that the C and C++ libraries do with it.
#[test]
fn windows_sources_with_wide_text() {
    let printed = compile::windows_source("wide", include_str!("wide.cpp"), &[], &[]);
    assert_eq!(
        printed,
        "citt\u{E0} \u{1F600}\n\u{E0}\nput\ncitt\u{E0} \u{1F600}\ndone\n"
    );
}

/// comdef.h, atlbase.h, wrl/client.h.
#[test]
fn windows_sources_with_smart_pointers() {
    let printed = compile::windows_source("com", include_str!("com.cpp"), &[], &[]);
    assert_eq!(printed, "done\n");
}

/// WinMain, the command line, dates, the environment.
#[test]
fn windows_sources_of_programs() {
    let arguments = ["one", "citt\u{E0} \u{1F600}", "a\"b", ""];
    let printed =
        compile::windows_source("programs", include_str!("programs.cpp"), &[], &arguments);
    assert_eq!(printed, "done\n");
}

#[test]
fn windows_sources_in_c() {
    let printed = compile::windows_source_in_c("windows", include_str!("windows.c"));
    let text = "citt\u{E0} \u{1F600}|   ab|cd  |ef|1099511627776|0000beef|x| 1.50|%";
    assert_eq!(printed, format!("{text}\ndone\n"));
    // Without 16-bit wchar_t, C sources get the hosting API alone.
    compile::hosting_headers_in_c(
        "#include <metahost.h>\n#include <unknwn.h>\n#include <corerror.h>\n\
         int main(void) { const WCHAR *version = u\"v4.0.30319\"; return version[0] == 'v' && IID_IUnknown.Data4[0] == 0xC0 ? 0 : 1; }\n",
    );
}

/// The C++ library's headers, which name what windows.h renames, may stand before it or after it.
#[test]
fn windows_sources_with_all_of_the_standard_library() {
    let names = include_str!("standard.txt");
    let all: String = names
        .split_whitespace()
        .map(|name| format!("#if __has_include(<{name}>)\n#include <{name}>\n#endif\n"))
        .collect();
    let standards = ["c++11", "c++17", "c++2b"];
    let main = "int main() { return (int)std::wstring(L\"\").size(); }\n";
    for (name, text) in [
        ("before", format!("{all}#include <windows.h>\n{main}")),
        ("after", format!("#include <windows.h>\n{all}{main}")),
    ] {
        compile::windows_source_by(name, &text, &standards);
    }
}

#[test]
fn examples_compile() {
    compile::example("c/sixsteps.c");
    compile::example("cpp/sixsteps.cpp");
    compile::example("cpp/embed.cpp");
    compile::example("cpp/port/host.cpp");
}

/// docs/hosting.md shows the small host as it is.
#[test]
fn the_guide_shows_the_small_host() {
    let host = compile::read("examples/cpp/embed.cpp");
    let document = compile::read("docs/hosting.md");
    assert!(document.contains(&format!("```cpp\n{host}```\n")));
}

/// docs/porting.md shows the lines that porting has changed: they are in the source as they are
/// there, and three.
#[test]
fn the_port_is_what_its_document_says() {
    let host = compile::read("examples/cpp/port/host.cpp");
    let document = compile::read("docs/porting.md");
    let mut removed = 0;
    for diff in document.split("```diff\n").skip(1) {
        let (lines, _) = diff.split_once("```").expect("an end of the diff");
        for line in lines.lines() {
            match line.strip_prefix('-') {
                Some(line) => {
                    removed += 1;
                    assert!(
                        !host.lines().any(|it| it == line),
                        "{line:?} is still there"
                    );
                }
                None => {
                    let line = line.get(1..).unwrap_or_default();
                    assert!(host.lines().any(|it| it == line), "no line {line:?}");
                }
            }
        }
    }
    assert_eq!(removed, 3);
}
