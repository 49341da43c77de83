//! The names of a library that the runtime tries.

use crate::machine::OWN;

/// The names that the runtime tries for a library on Linux, in this order.
///
/// A name with `.so` at its end, or `.so.` in it, is tried as it is first. A name with a folder
/// gets no `lib`. An absolute path is tried as it is only.
pub fn variations(library: &str) -> Vec<String> {
    if library.starts_with('/') {
        return vec![library.to_owned()];
    }
    let suffixed = format!("{library}.so");
    let has_suffix = library.ends_with(".so") || library.contains(".so.");
    let mut names = if has_suffix {
        vec![library.to_owned(), suffixed]
    } else {
        vec![suffixed, library.to_owned()]
    };
    if !library.contains('/') {
        names = names
            .into_iter()
            .flat_map(|name| [name.clone(), format!("lib{name}")])
            .collect();
    }
    names
}

/// Libraries of Windows without `.dll`.
const OF_WINDOWS: &[&str] = &[
    "activeds",
    "advapi32",
    "authz",
    "avrt",
    "bcrypt",
    "bcryptprimitives",
    "cabinet",
    "cfgmgr32",
    "clrjit",
    "combase",
    "comctl32",
    "comdlg32",
    "credui",
    "crypt32",
    "cryptui",
    "d2d1",
    "d3d11",
    "d3d12",
    "d3dcompiler_47",
    "dbgeng",
    "dbghelp",
    "dcomp",
    "dnsapi",
    "dsrole",
    "dwmapi",
    "dwrite",
    "dxgi",
    "evr",
    "gdi32",
    "gdiplus",
    "hid",
    "httpapi",
    "imm32",
    "iphlpapi",
    "kernel32",
    "kernelbase",
    "ktmw32",
    "logoncli",
    "magnification",
    "mf",
    "mfplat",
    "mpr",
    "mqrt",
    "mscoree",
    "msi",
    "mspatcha",
    "msports",
    "mswsock",
    "msvcrt",
    "ncrypt",
    "netapi32",
    "netutils",
    "normaliz",
    "ntdll",
    "ntdsapi",
    "ole32",
    "oleacc",
    "oleaut32",
    "opengl32",
    "pdh",
    "powrprof",
    "propsys",
    "psapi",
    "qwave",
    "rpcrt4",
    "rstrtmgr",
    "samcli",
    "secur32",
    "setupapi",
    "shcore",
    "shell32",
    "shlwapi",
    "srvcli",
    "sspicli",
    "tdh",
    "ucrtbase",
    "urlmon",
    "user32",
    "userenv",
    "uxtheme",
    "version",
    "virtdisk",
    "wer",
    "wevtapi",
    "winhttp",
    "wininet",
    "winmm",
    "winscard",
    "winspool.drv",
    "wintrust",
    "wkscli",
    "wldap32",
    "ws2_32",
    "wtsapi32",
    "xinput1_4",
    "xolehlp",
];

/// Libraries of Apple's systems.
const OF_APPLE: &[&str] = &[
    "libobjc",
    "objc",
    "libSystem",
    "libSystem.B",
    "libproc",
    "CoreFoundation",
    "Foundation",
    "AppKit",
    "Security",
    "IOKit",
];

/// The system that a library is for by its name, if that is not Linux on this architecture.
pub fn other_system(library: &str) -> Option<&'static str> {
    let lower = library.to_ascii_lowercase();
    let stem = lower.strip_suffix(".dll");
    if stem.is_some()
        || lower.starts_with("api-ms-win-")
        || lower.starts_with("ext-ms-win-")
        || OF_WINDOWS.contains(&lower.as_str())
    {
        return Some("Windows");
    }
    let file = library.rsplit('/').next().unwrap_or(library);
    if library.starts_with("/System/")
        || library.contains(".framework/")
        || lower.ends_with(".dylib")
        || OF_APPLE.contains(&file)
    {
        return Some("macOS");
    }
    if library == "__Internal" {
        return Some("static linking");
    }
    let ending = lower.rsplit(['_', '-']).next().unwrap_or_default();
    let processors = ["x86", "x64", "arm", "arm64", "win32", "win64"];
    let other = ending != OWN.name && processors.contains(&ending);
    (ending.len() < lower.len() && other).then_some("other processors")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tried_as_the_runtime_does() {
        for (library, expected) in [
            ("z", "z.so libz.so z libz"),
            ("libz.so", "libz.so liblibz.so libz.so.so liblibz.so.so"),
            (
                "libz.so.1",
                "libz.so.1 liblibz.so.1 libz.so.1.so liblibz.so.1.so",
            ),
            (
                "libz.sox",
                "libz.sox.so liblibz.sox.so libz.sox liblibz.sox",
            ),
            ("lib/z", "lib/z.so lib/z"),
            ("/lib/z", "/lib/z"),
        ] {
            assert_eq!(variations(library).join(" "), expected);
        }
    }

    #[test]
    fn libraries_of_other_systems_are_known() {
        for (library, system) in [
            ("kernel32", Some("Windows")),
            ("KERNEL32.dll", Some("Windows")),
            ("foo.dll", Some("Windows")),
            ("api-ms-win-core-file-l1-2-0", Some("Windows")),
            ("/usr/lib/libSystem.dylib", Some("macOS")),
            (
                "/System/Library/Frameworks/AppKit.framework/AppKit",
                Some("macOS"),
            ),
            ("libobjc", Some("macOS")),
            ("__Internal", Some("static linking")),
            ("msalruntime_x86", Some("other processors")),
            ("arm", None),
            ("libc", None),
            ("e_sqlite3", None),
        ] {
            assert_eq!(other_system(library), system, "{library}");
        }
    }
}
