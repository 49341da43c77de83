//! What `run` and `verify` have in common: a program that can be started under the engine.

use std::{
    borrow::Cow,
    env,
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::Context;
use soglia::{
    dotnet::{Root, Search, process_env},
    launch::{self, Launch, Switch},
    program::Program,
};
use soglia_core::trace::identity::Identity;

use super::shared::Watched;

/// Everything that is needed to start a program. It is checked before anything starts.
pub struct Ready<'a> {
    program: Program,
    args: &'a [OsString],
    root: Option<Root>,
    /// A root that only this tool finds, for a program that starts .NET itself and would find none.
    lent: Option<PathBuf>,
    engine: PathBuf,
}

impl<'a> Ready<'a> {
    /// Finds program, .NET and engine for this command line.
    pub fn find(command: &'a [OsString]) -> anyhow::Result<Self> {
        let (given, args) = command.split_first().context("no program was given")?;
        let program = Program::inspect(given, &process_env)?;
        let tool = env::current_exe().context("cannot find the file of this tool")?;
        let search = Search::run(&process_env).and_beside(&tool);
        let (root, lent) = if program.needs_root() {
            let root = search.root()?;
            program.check_frameworks(root, &process_env)?;
            (Some(root.clone()), None)
        } else {
            (None, search.lent().map(|root| root.path.clone()))
        };
        if let Some(conflict) = launch::conflicts(&process_env).into_iter().next() {
            anyhow::bail!("{conflict}");
        }
        let c_library = program.c_library(root.as_ref());
        let engine = launch::engine_for(&tool, &process_env, c_library)?;
        Ok(Self {
            program,
            args,
            root,
            lent,
            engine,
        })
    }

    /// The name of the program, without its folder and extension.
    pub fn name(&self) -> Cow<'_, str> {
        let stem = self.program.path.file_stem();
        stem.unwrap_or_default().to_string_lossy()
    }

    /// Checks that the engine will be in the program, for a run in which it must be.
    ///
    /// # Errors
    /// If the program runs as another user or group, who cannot open the recording.
    pub fn check_holding(&self) -> anyhow::Result<()> {
        let file = &self.program.path;
        if launch::runs_as_another(file) {
            anyhow::bail!(
                "{} runs as another user or group, who cannot use this recording: run soglia itself as that one",
                file.display()
            );
        }
        Ok(())
    }

    /// The program as it runs without soglia.
    pub fn launch_alone(&self) -> anyhow::Result<Launch> {
        let launch = Launch::new(&self.program, self.root.as_ref(), self.args)?;
        Ok(match &self.lent {
            Some(root) => launch.env("DOTNET_ROOT", root),
            None => launch,
        })
    }

    /// The program under the engine, which records into this file, opened by this path.
    pub fn launch(
        &self,
        file: &File,
        recording: &Path,
        source: &str,
        watched: &Watched,
    ) -> anyhow::Result<Launch> {
        Ok(self
            .launch_alone()?
            .engine(&self.engine)
            .env("SOGLIA_RECORDING", recording)
            .env("SOGLIA_RECORDING_ID", Identity::of(file)?.to_string())
            .env("SOGLIA_SOURCE", source)
            .env("SOGLIA_SCOPE", watched.scope()))
    }
}

/// Checks that wrappers would not break the program.
///
/// # Errors
/// If hot reload may change its modules.
pub fn check_weaving() -> anyhow::Result<()> {
    let modifiable = env::var_os("DOTNET_MODIFIABLE_ASSEMBLIES");
    if modifiable.is_some_and(|value| value.eq_ignore_ascii_case("debug")) {
        anyhow::bail!(
            "no wrappers can be put into modules that hot reload may change: unset DOTNET_MODIFIABLE_ASSEMBLIES, or record \
             without policies and with --source transitions"
        );
    }
    Ok(())
}

/// Why there is nothing in the recording of a program that has ended.
pub fn nothing_recorded(command: &[OsString], note: Option<String>) -> anyhow::Error {
    if let Some(note) = note {
        return anyhow::anyhow!("nothing was recorded: {note}");
    }
    let Some((given, args)) = command.split_first() else {
        return anyhow::anyhow!("nothing was recorded");
    };
    let program = Path::new(given).display();
    let path = Program::inspect(given, &process_env).map(|program| program.path);
    let path = path.unwrap_or_else(|_| given.into());
    if let Some(Switch { variable, file }) = launch::find_switch(&path, args) {
        let file = file.map_or("its command line".into(), |file| file.display().to_string());
        return anyhow::anyhow!(
            "nothing was recorded: {program} started no .NET runtime, or one that may not load the engine: {file} names {variable}, which \
             can keep a runtime from loading any profiler; do not have it changed"
        );
    }
    anyhow::anyhow!(
        "nothing was recorded: {program} started no .NET runtime, or its runtime did not take the engine (`soglia doctor {program}` may tell)"
    )
}
