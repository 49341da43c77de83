//! What is measured: builds it, lays it out, and runs it once in one configuration.

use std::{
    cell::Cell,
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use soglia::{
    dotnet::{Root, Search, process_env},
    fxr, launch,
};
use soglia_core::{
    policy::{Policy, Rule},
    trace::{
        log::Source,
        reader::Reader,
        writer::{self, Options},
    },
};

use super::{
    child::{self, Ran},
    role,
    with::With,
};

const PROGRAMS: [&str; 5] = ["bench", "hello", "sqlitedemo", "semantics", "served"];

/// Large enough that nothing is dropped: dropping is cheaper than recording.
const MAX_BYTES: u64 = 2 << 30;

/// Everything that is needed to run something.
pub struct Lab {
    root: Root,
    /// `dotnet`, or the tool instead if the root has none: the same for all configurations.
    launcher: Vec<OsString>,
    programs: PathBuf,
    tool: PathBuf,
    engine: PathBuf,
    temp: tempfile::TempDir,
    recordings: Cell<u32>,
}

impl Lab {
    /// Builds tool, engine and native libraries, and finds a .NET.
    pub fn set_up() -> anyhow::Result<Self> {
        if let Some(conflict) = launch::conflicts(&process_env).into_iter().next() {
            bail!("{conflict}");
        }
        let root = match env::var_os("SOGLIA_TEST_DOTNET_ROOT").filter(|root| !root.is_empty()) {
            Some(path) => Root::at(Path::new(&path)).map_err(|outcome| {
                anyhow::anyhow!("SOGLIA_TEST_DOTNET_ROOT is {}: {outcome:?}", path.display())
            })?,
            None => Search::run(&process_env).root()?.clone(),
        };
        let (tool, engine) = build()?;
        launch::check_engine(&engine)?;
        let launcher = match &root.muxer {
            Some(muxer) => vec![muxer.into()],
            None => vec![
                tool.clone().into(),
                fxr::SUBCOMMAND.into(),
                root.path.clone().into(),
                root.hostfxr.clone().into(),
            ],
        };
        Ok(Self {
            root,
            launcher,
            programs: lay_out_programs()?,
            tool,
            engine,
            temp: tempfile::tempdir().context("cannot make a temporary directory")?,
            recordings: Cell::new(0),
        })
    }

    /// The tool.
    pub fn tool(&self) -> Command {
        Command::new(&self.tool)
    }

    /// Where recordings go.
    pub fn temp(&self) -> &Path {
        self.temp.path()
    }

    /// The machine and the runtime, for readers of the results.
    pub fn about(&self) -> anyhow::Result<BTreeMap<&'static str, String>> {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == "model name").then(|| value.trim().to_owned())
        });
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        // What other processes did meanwhile explains a lot.
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let cores = std::thread::available_parallelism()?;
        // The program chooses its runtime itself (runtimeconfig.json, DOTNET_ROLL_FORWARD): asks
        // one that ran.
        let recording = self
            .recording(With::Summary)?
            .context("a summary is recorded")?;
        child::run(self.command(With::Summary, Some(&recording), "hello", &[]))?;
        let runtime = Reader::open(&recording)?.names().runtime;
        fs::remove_file(&recording)?;
        let (name, version) = runtime.context("hello.dll was not recorded")?;
        Ok(BTreeMap::from([
            ("cpu", model.unwrap_or_else(|| "unknown CPU".into())),
            ("cores", cores.to_string()),
            (
                "load",
                load.split(' ').next().unwrap_or_default().to_owned(),
            ),
            ("kernel", kernel.trim().to_owned()),
            ("runtime", format!("{name} {version}")),
        ]))
    }

    /// Runs a program once.
    pub fn run(&self, with: With, program: &str, args: &[&str]) -> anyhow::Result<Ran> {
        let recording = self.recording(with)?;
        let ran = child::run(self.command(with, recording.as_deref(), program, args))?;
        if let Some(recording) = recording {
            // A run that recorded nothing, or not everything, would look fast.
            let reader = Reader::open(&recording)?;
            ensure!(reader.is_claimed(), "{program} was not recorded");
            let source = reader.names().source;
            ensure!(
                with.is_woven() == source.is_some_and(|(source, ..)| source == Source::Woven),
                "{program} was recorded by another source"
            );
            let dropped: u64 = reader.tasks().iter().map(|task| task.dropped).sum();
            ensure!(
                dropped + reader.dropped_crossings() == 0,
                "the recording of {program} has no room for everything"
            );
            fs::remove_file(&recording)?;
        }
        Ok(ran)
    }

    /// Runs a program `rounds` times in each configuration, in turn, and begins each round with
    /// another one. Returns what `take` returned, in the order of the rounds. A run of each that
    /// does not count comes first: it fills caches.
    pub fn in_turn<T>(
        &self,
        rounds: usize,
        all: &[With],
        (program, args): (&str, &[&str]),
        take: impl Fn(Ran) -> anyhow::Result<T>,
    ) -> anyhow::Result<BTreeMap<With, Vec<T>>> {
        let mut expected = None;
        let mut answers: BTreeMap<With, Vec<T>> = BTreeMap::new();
        for round in 0..=rounds {
            for n in 0..all.len() {
                let with = all[(round + n) % all.len()];
                let ran = self.run(with, program, args)?;
                // What is JSON is measured.
                let is_measured = ran.output.contains("{\"");
                if !is_measured && *expected.get_or_insert(ran.output.clone()) != ran.output {
                    bail!("{program} printed something else with {}", with.name());
                }
                if round != 0 {
                    answers.entry(with).or_default().push(take(ran)?);
                }
            }
        }
        Ok(answers)
    }

    /// An empty recording of this configuration, if it records.
    pub fn recording(&self, with: With) -> anyhow::Result<Option<PathBuf>> {
        let Some(level) = with.level() else {
            return Ok(None);
        };
        let number = self.recordings.replace(self.recordings.get() + 1);
        let path = self.temp.path().join(format!("{number}.soglia"));
        let options = Options {
            level,
            max_bytes: MAX_BYTES,
            sampling: with.sampling(),
            ..Options::default()
        };
        writer::create(&path, &options).context("cannot make a recording")?;
        Ok(Some(path))
    }

    /// What starts a program in this configuration.
    pub fn command(
        &self,
        with: With,
        recording: Option<&Path>,
        program: &str,
        args: &[&str],
    ) -> Command {
        let file = self.programs.join(format!("{program}.dll"));
        let mut command = if let Some(host) = role::command(with, &self.engine) {
            host
        } else if with == With::Tool {
            let mut command = self.tool();
            command.args(["run", "--quiet"]);
            command
        } else if with == With::Peer {
            let mut command = Command::new("uftrace");
            let only = [
                "-P",
                "bench_.*@libbench.so",
                "--no-libcall",
                "--force",
                "-d",
            ];
            command.arg("record").args(only).arg(self.peer_data());
            command.args(&self.launcher);
            command
        } else {
            let mut command = Command::new(&self.launcher[0]);
            command.args(&self.launcher[1..]);
            command
        };
        command.arg(file).args(args);
        // The tool has to find the same .NET.
        command
            .env("DOTNET_ROOT", &self.root.path)
            .env_remove("DOTNET_ROOT_X64");
        for name in [
            "SOGLIA_RECORDING",
            "SOGLIA_FOLLOW",
            "SOGLIA_FLOOR",
            "SOGLIA_SOURCE",
            "SOGLIA_SCOPE",
            "SOGLIA_POLICY",
        ] {
            command.env_remove(name);
        }
        if with == With::Floor || with.level().is_some() {
            command
                .env("CORECLR_ENABLE_PROFILING", "1")
                .env("CORECLR_PROFILER", launch::PROFILER_GUID)
                .env("CORECLR_PROFILER_PATH", &self.engine);
        }
        if with == With::Floor {
            command.env("SOGLIA_FLOOR", "1");
        }
        if let Some(recording) = recording {
            command.env("SOGLIA_RECORDING", recording);
        }
        if with.is_woven() {
            command.env("SOGLIA_SOURCE", "woven");
        }
        let rules = match with {
            With::Skipped => "*!*".parse().map(Rule::Skip).ok(),
            With::NoneChosen => "nothing!nothing".parse().map(Rule::Only).ok(),
            _ => None,
        };
        if let Some(rule) = rules {
            let policy = Policy {
                rules: vec![rule],
                ..Policy::default()
            };
            command.env("SOGLIA_POLICY", policy.encode());
        }
        command
    }

    fn peer_data(&self) -> PathBuf {
        self.temp.path().join("uftrace")
    }

    /// Whether uftrace traces this function of `libbench.so`.
    pub fn peer_sees(&self, function: &str) -> anyhow::Result<bool> {
        child::run(self.command(With::Peer, None, "bench", &["1000", "1"]))?;
        let mut report = Command::new("uftrace");
        report.arg("report").arg("-d").arg(self.peer_data());
        let output = report.output().context("cannot start uftrace")?;
        Ok(String::from_utf8_lossy(&output.stdout).contains(function))
    }
}

/// Builds the tool and the engine as they are released.
fn build() -> anyhow::Result<(PathBuf, PathBuf)> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .context("no target directory")?;
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "-p", "soglia-clr", "-p", "soglia"])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(
        output.status.success(),
        "cargo build: {status}",
        status = output.status
    );
    // Cargo says where it put each file, which depends on its configuration.
    let files: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| Some(file.as_str()?.into()))
        .collect();
    let find = |name: &str| {
        let file = files.iter().find(|file| file.ends_with(name));
        file.cloned()
            .with_context(|| format!("cargo built no {name}"))
    };
    Ok((find("soglia")?, find("libsoglia.so")?))
}

/// Lays out the programs and their native libraries, side by side.
fn lay_out_programs() -> anyhow::Result<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-programs");
    let status = Command::new(fixtures.join("build.sh"))
        .arg("native")
        .arg(&to)
        .status()
        .context("cannot start fixtures/build.sh")?;
    ensure!(status.success(), "fixtures/build.sh native: {status}");
    for program in PROGRAMS {
        let from = fixtures.join("managed").join(program);
        for entry in fs::read_dir(&from).with_context(|| format!("no {}", from.display()))? {
            let entry = entry?;
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(to)
}
