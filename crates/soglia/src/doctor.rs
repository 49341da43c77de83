//! `soglia doctor [PROGRAM]`: will it work here, and if not, what to do.
//!
//! [`examine`] collects findings and [`print()`] shows them; nothing is started and nothing is changed.

mod coverage;
mod finding;
mod musl;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::dotnet::{self, Lookup, Outcome, Root, Search};
use crate::launch::Switch;
use crate::program::{Kind, Program};
use crate::text::plain;
use crate::{fxr, launch};
pub use finding::{Finding, Level};

/// Looks at everything that a recording depends on.
pub fn examine(program: Option<&OsStr>, env: Lookup<'_>) -> Vec<Finding> {
    let mut findings = vec![system(), clock(Path::new("/"))];
    let tool = std::env::current_exe().unwrap_or_default();
    findings.push(engine(&tool, env));
    findings.extend(conflicts(env));
    findings.push(temporary_directory(env));
    findings.push(coverage::general(env));
    let search = Search::run(env);
    // A program that brings its own runtime needs no root, so without PROGRAM a missing root is no failure yet.
    let program = program.map(|given| Program::inspect(given, env));
    let needs_root = matches!(&program, Some(Ok(program)) if program.needs_root());
    findings.extend(roots(&search, needs_root));
    match program {
        None => {}
        Some(Err(error)) => findings.push(Finding::error("program", &error)),
        Some(Ok(program)) => {
            findings.push(program_finding(&program, &search, env));
            findings.extend(coverage::of_program(&program));
        }
    }
    findings
}

/// The exit code of `doctor`: 0 if it will work, 2 if not.
pub fn exit_code(findings: &[Finding]) -> i32 {
    if findings.iter().any(|finding| finding.level == Level::Fail) {
        2
    } else {
        0
    }
}

/// Writes one line for each finding, and one more for the advice.
///
/// # Errors
/// If writing fails.
pub fn print(findings: &[Finding], out: &mut impl Write, color: bool) -> io::Result<()> {
    let width = findings
        .iter()
        .map(|finding| finding.title.len())
        .max()
        .unwrap_or(0);
    for finding in findings {
        let (word, paint) = match finding.level {
            Level::Ok => ("ok", "\x1b[32m"),
            Level::Warn => ("warn", "\x1b[33m"),
            Level::Fail => ("FAIL", "\x1b[1;31m"),
        };
        let (paint, reset) = if color { (paint, "\x1b[0m") } else { ("", "") };
        writeln!(
            out,
            "{paint}{word:<4}{reset}  {:<width$}  {}",
            finding.title,
            plain(&finding.detail)
        )?;
        if !finding.advice.is_empty() {
            writeln!(
                out,
                "{:<6}{:<width$}  -> {}",
                "",
                "",
                plain(&finding.advice)
            )?;
        }
    }
    Ok(())
}

/// Runs the command: examines, prints on standard output, and returns the exit code.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(program: Option<&OsStr>) -> io::Result<i32> {
    let findings = examine(program, &dotnet::process_env);
    let mut out = io::stdout().lock();
    let color = wants_color(out.is_terminal(), &dotnet::process_env);
    print(&findings, &mut out, color)?;
    out.flush()?;
    Ok(exit_code(&findings))
}

fn wants_color(terminal: bool, env: Lookup<'_>) -> bool {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

fn system() -> Finding {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let detail = format!(
        "Linux {} on {}, glibc {}",
        kernel.trim(),
        std::env::consts::ARCH,
        fxr::glibc_version()
    );
    if cfg!(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_env = "gnu"
    )) {
        Finding::ok("system", detail)
    } else {
        Finding::fail(
            "system",
            detail,
            "soglia is made for Linux on x86_64 with glibc",
        )
    }
}

/// The time stamp counter: the recorder's clock, if it runs at one rate on all processors.
fn clock(system: &Path) -> Finding {
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

fn engine(tool: &Path, env: Lookup<'_>) -> Finding {
    let engine = launch::find_engine(tool, env);
    match engine.and_then(|path| launch::check_engine(&path).map(|()| path)) {
        Ok(path) => Finding::ok("engine", path.display().to_string()),
        Err(error) => Finding::error("engine", &error),
    }
}

fn conflicts(env: Lookup<'_>) -> Vec<Finding> {
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

fn temporary_directory(env: Lookup<'_>) -> Finding {
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

fn roots(search: &Search, needed: bool) -> Vec<Finding> {
    let chosen = search.root();
    let mut findings = Vec::new();
    for root in &search.roots {
        let is_chosen = chosen.as_ref().is_ok_and(|chosen| *chosen == root);
        findings.push(root_finding(root, is_chosen));
    }
    if let Err(error) = chosen {
        let detail = error.to_string();
        findings.push(if needed {
            Finding::fail(".NET", detail, "")
        } else {
            Finding::warn(
                ".NET",
                detail,
                "only programs that bring their own runtime will run",
            )
        });
    }
    let elsewhere: Vec<_> = search
        .looked
        .iter()
        .filter(|looked| looked.outcome != Outcome::Root && looked.path.is_some())
        .map(|looked| {
            looked
                .path
                .as_deref()
                .unwrap_or(Path::new(""))
                .display()
                .to_string()
        })
        .collect();
    if !search.roots.is_empty() && !elsewhere.is_empty() {
        findings.push(Finding::ok(
            ".NET",
            format!("also looked at {}", elsewhere.join(", ")),
        ));
    }
    findings
}

fn root_finding(root: &Root, chosen: bool) -> Finding {
    let frameworks: Vec<_> = root
        .frameworks
        .iter()
        .map(|(name, versions)| {
            let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
            format!("{name} {}", versions.join(" "))
        })
        .collect();
    let detail = format!(
        "{} (host {}{}): {}",
        root.path.display(),
        root.hostfxr_version,
        if root.muxer.is_some() {
            ""
        } else {
            ", without a dotnet command"
        },
        if frameworks.is_empty() {
            "no frameworks".to_owned()
        } else {
            frameworks.join(", ")
        }
    );
    if musl::is_for_musl(&root.hostfxr) {
        let advice =
            "it is built for musl libc, the engine for glibc: install the linux-x64 build of .NET";
        return Finding {
            level: if chosen { Level::Fail } else { Level::Warn },
            title: ".NET",
            detail,
            advice: advice.into(),
        };
    }
    let mut finding = Finding::ok(".NET", detail);
    if !chosen {
        finding.advice =
            "not used: another one counts first, or this one is too old; DOTNET_ROOT decides"
                .into();
    }
    finding
}

fn program_finding(program: &Program, search: &Search, env: Lookup<'_>) -> Finding {
    if let (true, Ok(root)) = (program.needs_root(), search.root())
        && let Err(error) = program.check_frameworks(root, env)
    {
        return Finding::error("program", &error);
    }
    let detail = format!("{} is {}", program.path.display(), program.kind.describe());
    if let Ok(root) = search.root()
        && let Err(error) = program.check_frameworks(root, env)
    {
        return Finding::warn(
            "program",
            format!("{detail}, but {error}"),
            "it looks for its .NET itself, and may find another than soglia does",
        );
    }
    let starts_itself = matches!(program.kind, Kind::Script | Kind::Native);
    if let (true, Some(Switch { variable, file })) =
        (starts_itself, launch::find_switch(&program.path, &[]))
    {
        let file = file.unwrap_or_else(|| program.path.clone());
        return Finding::warn(
            "program",
            format!("{detail}, and {} names {variable}", file.display()),
            "it can keep a runtime from loading any profiler: nothing is recorded if the program does so",
        );
    }
    match program.kind {
        Kind::Script | Kind::Native => Finding::warn(
            "program",
            detail,
            "there is something to record only if it starts a .NET program",
        ),
        _ => Finding::ok("program", detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_has_its_word_and_advice_its_own_line() {
        let findings = [
            Finding::ok("system", "fine"),
            Finding::warn("clock", "odd", "look"),
            Finding::fail("engine", "gone", "install"),
        ];
        let mut out = Vec::new();
        print(&findings, &mut out, false).unwrap();
        let expected = "ok    system  fine\n\
                        warn  clock   odd\n              -> look\n\
                        FAIL  engine  gone\n              -> install\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!((exit_code(&findings), exit_code(&findings[..2])), (2, 0));
    }

    #[test]
    fn color_only_on_a_terminal_that_wants_it() {
        let none = |_: &str| None;
        let no_color = |name: &str| (name == "NO_COLOR").then(|| "1".into());
        let dumb = |name: &str| (name == "TERM").then(|| "dumb".into());
        assert!(wants_color(true, &none));
        assert!(
            !wants_color(false, &none)
                && !wants_color(true, &no_color)
                && !wants_color(true, &dumb)
        );
        let mut out = Vec::new();
        print(&[Finding::ok("a", "b")], &mut out, true).unwrap();
        assert!(out.starts_with(b"\x1b[32mok"));
    }

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

    #[test]
    fn a_missing_root_matters_only_to_who_needs_one() {
        let search = Search {
            looked: Vec::new(),
            roots: Vec::new(),
        };
        assert_eq!(roots(&search, true)[0].level, Level::Fail);
        assert_eq!(roots(&search, false)[0].level, Level::Warn);
    }
}
