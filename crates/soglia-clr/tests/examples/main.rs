//! The examples in C and C++ as their readers build them: with make and CMake, with a soglia that
//! is only built and one that is installed, and under sanitizers. Their output is compared with
//! `expected.txt`, on every runtime of the .NET root.
//!
//! Needs a C and a C++ compiler, make, CMake and pkg-config, and fails without.

#[path = "../common/mod.rs"]
mod common;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use libtest_mimic::{Arguments, Failed, Trial};
use soglia_testing::{built, dotnet, process::isolate};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const PORT: &str = "result 3\nleft managed code 3 times, came back 3 times\ncalled back 0 times, returned 0 times\n";
const EMBED: &str = "the plug-in counts 4 words\nFail returns 0x80131509\n";
const SANITIZERS: [&str; 5] = [
    "-g",
    "-O1",
    "-fsanitize=address,undefined",
    "-fno-sanitize=vptr",
    "-fno-sanitize-recover=all",
];

/// Where everything is.
#[derive(Clone)]
struct Setup {
    /// With `libmscoree.so`.
    folder: PathBuf,
    /// With the fixtures.
    run: PathBuf,
    /// A root for each runtime: hosts that name no version take the newest.
    roots: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let setup = prepare();
    let trial = |name: &str, test: fn(&Setup) -> Result<(), Failed>| {
        let setup = setup.clone();
        Trial::test(name, move || test(&setup))
    };
    let trials = vec![
        trial("make::c", |setup| made(setup, "c", false)),
        trial("make::cpp", |setup| made(setup, "cpp", false)),
        trial("make::c_installed", |setup| made(setup, "c", true)),
        trial("make::cpp_installed", |setup| made(setup, "cpp", true)),
        trial("cmake::c", |setup| configured(setup, "c", false)),
        trial("cmake::cpp", |setup| configured(setup, "cpp", false)),
        trial("cmake::c_installed", |setup| configured(setup, "c", true)),
        trial("cmake::cpp_installed", |setup| {
            configured(setup, "cpp", true)
        }),
        trial("windows::threads", |setup| windows(setup, "threads", &[])),
        trial("windows::untouched", |setup| {
            windows(setup, "untouched", &[])
        }),
        trial("sanitizers::c", |setup| sanitized(setup, "c")),
        trial("sanitizers::cpp", |setup| sanitized(setup, "cpp")),
        trial("sanitizers::windows", |setup| {
            windows(setup, "threads", &SANITIZERS)
        }),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn prepare() -> Setup {
    let root = dotnet::root();
    let folder = common::folder_with_engine("examples");
    let run = folder.join("run");
    built::native(&run);
    for program in ["sixsteps", "hosted", "guest"] {
        let from = Path::new(REPOSITORY).join("fixtures/managed").join(program);
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), run.join(file.file_name())).unwrap();
        }
    }
    let roots = dotnet::versions(&root)
        .iter()
        .map(|version| {
            let one = folder.join("roots").join(version);
            let _ = fs::remove_dir_all(&one);
            let shared = "shared/Microsoft.NETCore.App";
            fs::create_dir_all(one.join(shared)).unwrap();
            symlink(root.path.join("host"), one.join("host")).unwrap();
            symlink(
                root.path.join(shared).join(version),
                one.join(shared).join(version),
            )
            .unwrap();
            one
        })
        .collect();
    Setup { folder, run, roots }
}

/// A copy of the examples and the headers, to build in.
fn copy(setup: &Setup, name: &str) -> PathBuf {
    let to = setup.folder.join(name);
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to).unwrap();
    for what in ["examples", "include"] {
        let from = Path::new(REPOSITORY).join(what);
        ok(Command::new("cp").arg("-r").arg(from).arg(&to)).unwrap();
    }
    // What somebody has built by hand.
    for built in ["c/sixsteps", "cpp/sixsteps", "cpp/embed", "cpp/port/host"] {
        let _ = fs::remove_file(to.join("examples").join(built));
    }
    to
}

/// Installs what is built as if it were the release, and gives the prefix.
fn install(setup: &Setup, name: &str) -> Result<PathBuf, Failed> {
    let target = setup.folder.join(format!("{name}-target"));
    let prefix = setup.folder.join(format!("{name}-prefix"));
    for folder in [&target, &prefix] {
        let _ = fs::remove_dir_all(folder);
    }
    let release = target.join("release");
    fs::create_dir_all(&release)?;
    symlink(
        setup.folder.join("libmscoree.so"),
        release.join("libsoglia.so"),
    )?;
    symlink("/bin/true", release.join("soglia"))?;
    ok(tool("make")
        .args(["-C", REPOSITORY, "install"])
        .arg(format!("PREFIX={}", prefix.display()))
        .env("CARGO_TARGET_DIR", target))?;
    Ok(prefix)
}

/// A command of the system's, free of what a make around us has left.
fn tool(name: &str) -> Command {
    let mut tool = Command::new(name);
    for variable in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CFLAGS", "CXXFLAGS"] {
        tool.env_remove(variable);
    }
    tool
}

/// Runs a command to its good end, and gives what it has written.
fn ok(command: &mut Command) -> Result<String, Failed> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?}: {error}; this test needs it"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    Err(format!("{command:?}: {}\n{stdout}{stderr}", output.status).into())
}

/// Where an example finds what it needs: in a folder, or by pkg-config.
fn found(setup: &Setup, name: &str, installed: bool) -> Result<(Vec<String>, String), Failed> {
    if !installed {
        let libdir = format!("LIBDIR={}", setup.folder.display());
        return Ok((vec![libdir], String::new()));
    }
    let prefix = install(setup, name)?;
    Ok((Vec::new(), format!("{}/lib", prefix.display())))
}

fn made(setup: &Setup, language: &str, installed: bool) -> Result<(), Failed> {
    let name = format!("make-{language}-{installed}");
    let at = copy(setup, &name).join("examples").join(language);
    let (options, lib) = found(setup, &name, installed)?;
    ok(tool("make")
        .arg("-C")
        .arg(&at)
        .args(options)
        .env("PKG_CONFIG_PATH", format!("{lib}/pkgconfig")))?;
    check(setup, language, &at, &at.join("port"), &lib)
}

fn configured(setup: &Setup, language: &str, installed: bool) -> Result<(), Failed> {
    let name = format!("cmake-{language}-{installed}");
    let at = copy(setup, &name).join("examples").join(language);
    let (options, lib) = found(setup, &name, installed)?;
    let build = at.join("build");
    ok(tool("cmake")
        .arg("-S")
        .arg(&at)
        .arg("-B")
        .arg(&build)
        .args(options.iter().map(|option| format!("-D{option}")))
        .env("PKG_CONFIG_PATH", format!("{lib}/pkgconfig")))?;
    ok(tool("cmake").arg("--build").arg(&build))?;
    check(setup, language, &build, &build, &lib)
}

/// Runs the language's examples. `lib` is where the loader is to look, too.
fn check(setup: &Setup, language: &str, at: &Path, port: &Path, lib: &str) -> Result<(), Failed> {
    let expected = format!("{REPOSITORY}/examples/{language}/expected.txt");
    let six_steps = (
        at.join("sixsteps"),
        Some("sixsteps.dll"),
        fs::read_to_string(expected)?,
    );
    let mut hosts = vec![six_steps];
    if language == "cpp" {
        hosts.push((at.join("embed"), None, EMBED.to_owned()));
        hosts.push((port.join("host"), None, PORT.to_owned()));
    }
    for (host, argument, expected) in hosts {
        says(setup, &host, argument.as_slice(), lib, &expected)?;
    }
    Ok(())
}

/// Runs a host on every runtime.
fn says(
    setup: &Setup,
    host: &Path,
    arguments: &[&str],
    lib: &str,
    expected: &str,
) -> Result<(), Failed> {
    for root in &setup.roots {
        // A sanitizer's report from a thread that .NET waits for may never end.
        let mut command = tool("timeout");
        let said = ok(isolate(&mut command)
            .args(["--signal=KILL", "120"])
            .arg(host)
            .args(arguments)
            .current_dir(&setup.run)
            .env("DOTNET_ROOT", root)
            .env("LD_LIBRARY_PATH", lib)
            // Few frames, so that what .NET has called does not count as its own leak.
            .env("ASAN_OPTIONS", "malloc_context_size=5")
            .env(
                "LSAN_OPTIONS",
                format!("print_suppressions=0:suppressions={REPOSITORY}/examples/lsan.supp"),
            )
            .env("UBSAN_OPTIONS", "print_stacktrace=1"))?;
        if said != expected {
            let (host, root) = (host.display(), root.display());
            return Err(format!("{host} on {root} says\n{said}and not\n{expected}").into());
        }
    }
    Ok(())
}

/// `windows.cpp`, a host in Windows's words.
fn windows(setup: &Setup, style: &str, options: &[&str]) -> Result<(), Failed> {
    let host = setup
        .folder
        .join(format!("windows-{style}-{}", options.len()));
    ok(compiler("c++", setup)
        .args([
            "-std=c++11",
            "-Wall",
            "-Wextra",
            "-fshort-wchar",
            "-pthread",
        ])
        .args(options)
        .arg(format!("-I{REPOSITORY}/include/win32"))
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/examples/windows.cpp"
        ))
        .args(["-lmscoree", "-o"])
        .arg(&host))?;
    let expected = match style {
        "threads" => "8 tasks, 400 left, 400 entered\n",
        _ => "0 tasks, 0 left, 0 entered\n",
    };
    says(setup, &host, &[style], "", expected)
}

fn sanitized(setup: &Setup, language: &str) -> Result<(), Failed> {
    let (compiler_name, standard, sources) = match language {
        "c" => ("cc", "-std=c11", &["sixsteps"][..]),
        _ => ("c++", "-std=c++11", &["sixsteps", "embed", "port/host"][..]),
    };
    let at = setup.folder.join(format!("sanitized-{language}"));
    fs::create_dir_all(at.join("port"))?;
    for source in sources {
        ok(compiler(compiler_name, setup)
            .arg(standard)
            .args(SANITIZERS)
            .arg(format!("-I{REPOSITORY}/include"))
            .arg(format!(
                "{REPOSITORY}/examples/{language}/{source}.{language}"
            ))
            .args(["-lmscoree", "-ldl", "-o"])
            .arg(at.join(source)))?;
    }
    check(setup, language, &at, &at.join("port"), "")
}

/// A compiler that finds `libmscoree.so`, and whose programs do.
fn compiler(name: &str, setup: &Setup) -> Command {
    let mut compiler = tool(name);
    let folder = setup.folder.display();
    compiler.args([format!("-L{folder}"), format!("-Wl,-rpath,{folder}")]);
    compiler
}
