//! What a recording depends on, apart from .NET and the program.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::dotnet::Lookup;
use crate::dotnet::platform::CLibrary;
use crate::{fxr, launch};

/// The operating system and the C library.
pub(super) fn system() -> Finding {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let detail = format!(
        "Linux {} on {}, {}",
        kernel.trim(),
        std::env::consts::ARCH,
        fxr::c_library()
    );
    Finding::ok("system", detail)
}

/// The time stamp counter: the recorder's clock, if it runs at one rate on all processors.
pub(super) fn clock(system: &Path) -> Finding {
    let read = |path: &str| fs::read_to_string(system.join(path)).unwrap_or_default();
    let processors = read("proc/cpuinfo");
    let flags = processors
        .lines()
        .find_map(|line| line.strip_prefix("flags"))
        .unwrap_or_default();
    let missing: Vec<_> = ["constant_tsc", "nonstop_tsc"]
        .into_iter()
        .filter(|wanted| !flags.split_whitespace().any(|flag| flag == *wanted))
        .collect();
    let source = read("sys/devices/system/clocksource/clocksource0/current_clocksource");
    let source = if source.trim().is_empty() {
        "unknown"
    } else {
        source.trim()
    };
    if !missing.is_empty() {
        return Finding::warn(
            "clock",
            format!(
                "the processor does not promise a steady time stamp counter (no {}); kernel clock {source}",
                missing.join(", ")
            ),
            "counts and order are exact all the same; read durations with care, or record on another machine",
        );
    }
    match source {
        "tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page" => Finding::ok(
            "clock",
            format!("steady time stamp counter, kernel clock {source}"),
        ),
        _ => Finding::warn(
            "clock",
            format!("the time stamp counter is steady, but the kernel uses {source} as its clock"),
            "if the kernel distrusts the counter (`dmesg | grep -i tsc`), read durations with care",
        ),
    }
}

/// The engine, which lies near the tool.
pub(super) fn engine(tool: &Path, env: Lookup<'_>) -> Finding {
    match launch::engine_for(tool, env, CLibrary::of_system()) {
        Ok(path) => Finding::ok("engine", path.display().to_string()),
        Err(error) => Finding::error("engine", &error),
    }
}

/// Variables that other profilers use.
pub(super) fn conflicts(env: Lookup<'_>) -> Vec<Finding> {
    let mut findings: Vec<_> = launch::conflicts(env)
        .iter()
        .map(|conflict| Finding::error("environment", conflict))
        .collect();
    let beside = [
        "CORECLR_NOTIFICATION_PROFILERS_64",
        "CORECLR_NOTIFICATION_PROFILERS",
    ];
    if let Some(variable) = beside
        .into_iter()
        .find(|name| env(name).is_some_and(|value| !value.is_empty()))
    {
        findings.push(Finding::warn(
            "environment",
            format!("{variable} loads other profilers beside the engine"),
            "their own calls are recorded too; unset it for an undisturbed recording",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("environment", "no other profiler"));
    }
    findings
}

/// The folder for temporary files, in which the runtime makes its own.
pub(super) fn temporary_directory(env: Lookup<'_>) -> Finding {
    let directory = env("TMPDIR")
        .filter(|value| !value.is_empty())
        .map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let probe = directory.join(format!(".soglia-doctor-{}", std::process::id()));
    let written = fs::File::create_new(&probe).and_then(|mut file| file.write_all(b"probe"));
    if written.is_ok() {
        let _ = fs::remove_file(&probe);
    }
    match written {
        Ok(()) => Finding::ok("temporary files", directory.display().to_string()),
        Err(error) => Finding::fail(
            "temporary files",
            format!("{} cannot be written: {error}", directory.display()),
            "set TMPDIR to a directory that can",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    #[test]
    fn a_processor_without_a_steady_counter_is_a_warning() {
        let temp = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "proc/cpuinfo",
            "processor : 0\nflags\t\t: fpu tsc constant_tsc\n",
        );
        assert!(clock(temp.path()).detail.contains("no nonstop_tsc"));
        write(
            "proc/cpuinfo",
            "processor : 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc\n",
        );
        write(
            "sys/devices/system/clocksource/clocksource0/current_clocksource",
            "tsc\n",
        );
        assert_eq!(clock(temp.path()).level, Level::Ok);
        write(
            "sys/devices/system/clocksource/clocksource0/current_clocksource",
            "hpet\n",
        );
        assert_eq!(clock(temp.path()).level, Level::Warn);
    }

    #[test]
    fn a_temporary_directory_that_is_not_there_is_a_failure() {
        let env = |name: &str| (name == "TMPDIR").then(|| "/absent".into());
        assert_eq!(temporary_directory(&env).level, Level::Fail);
        let temp = tempfile::tempdir().unwrap();
        let env = |name: &str| (name == "TMPDIR").then(|| temp.path().into());
        assert_eq!(temporary_directory(&env).level, Level::Ok);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }
}
