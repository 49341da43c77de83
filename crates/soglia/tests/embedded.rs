//! A host that carries the engine, from an empty folder on: `cargo init`, `cargo add`, `cargo run`.
//!
//! Nothing is downloaded, and the crates are those in soglia's lock file. What cargo builds stays
//! in the target folder for the next run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use soglia_testing::{built, dotnet, process::isolate};

const TMP: &str = env!("CARGO_TARGET_TMPDIR");

/// Calls native code with a host that came at the start, or that came later. Prints the calls that
/// it was notified of, and each copy of the engine among the files in memory.
const HOST: &str = r#"
use std::collections::BTreeSet;

use soglia::host::{Answer, Error, Host, HostTaskManager, Target};

struct Prints;

impl HostTaskManager for Prints {
    fn leave_runtime(&self, target: Target) -> Answer {
        println!("calls {target}");
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (plugin, when) = (arguments.next().unwrap(), arguments.next().unwrap());
    let host = match when.as_str() {
        "start" => Host::builder().task_manager(Prints).start()?,
        _ => Host::builder().start()?,
    };
    let attached = match when.as_str() {
        "later" => Some(Host::attach(Prints)?),
        _ => None,
    };
    host.call(&plugin, "Guest.Plugin", "Secret", "")?;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let engines: BTreeSet<_> = maps
        .lines()
        .filter(|line| line.contains("libsoglia.so"))
        .map(|line| line.split_whitespace().skip(4).collect::<Vec<_>>().join(" "))
        .collect();
    for engine in engines {
        println!("engine {engine}");
    }
    if let Some(attached) = attached {
        attached.detach()?;
    }
    Ok(())
}
"#;

struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let project = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let soglia = built::repository().join("crates/soglia");
        project.succeeds(
            &["init", "--quiet", "--vcs", "none", "--name", "carrier"],
            &[],
        );
        let add = ["add", "--quiet", "--offline", "--no-default-features"];
        let add = [&add[..], &["--features", "embedded-engine", "--path"]].concat();
        project.succeeds(&add, &[soglia.as_os_str().to_str().unwrap()]);
        fs::copy(
            built::repository().join("Cargo.lock"),
            project.path("Cargo.lock"),
        )
        .unwrap();
        fs::write(project.path("src/main.rs"), HOST).unwrap();
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cargo(&self, args: &[&str]) -> Command {
        let mut cargo = Command::new(env!("CARGO"));
        isolate(&mut cargo)
            .args(args)
            .current_dir(self.folder.path())
            .env("CARGO_TARGET_DIR", Path::new(TMP).join("embedded"))
            .env("DOTNET_ROOT", dotnet::root().path);
        cargo
    }

    fn succeeds(&self, args: &[&str], more: &[&str]) -> String {
        let output = self.cargo(args).args(more).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn a_host_from_an_empty_folder_carries_the_engine() {
    let project = Project::new();
    let guest = built::fixtures(TMP).join("guest.dll");
    let guest = guest.to_str().unwrap();
    for when in ["start", "later"] {
        // Settings of the host's own build are not those of the engine's.
        let mut run = project.cargo(&["run", "--quiet", "--offline", "--", guest, when]);
        let run = run
            .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
            .env("RUSTFLAGS", "--cfg=of_the_host");
        let output = run.output().unwrap();
        assert!(output.status.success(), "{when}: {}", said(&output));
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("calls libguest.so!guest_secret\n"), "{told}");
        let engines: Vec<_> = told.lines().filter(|l| l.starts_with("engine ")).collect();
        assert_eq!(engines.len(), 1, "{when}: one copy, {engines:?}");
        assert!(engines[0].contains("/memfd:libsoglia.so"), "{engines:?}");
    }

    // A file that the variable names comes first.
    let mut run = project.cargo(&["run", "--quiet", "--offline", "--", guest, "start"]);
    let output = run
        .env("RUSTFLAGS", "--cfg=of_the_host")
        .env("SOGLIA_ENGINE", "/absent.so")
        .output()
        .unwrap();
    assert!(said(&output).contains("/absent.so"), "{}", said(&output));
}
