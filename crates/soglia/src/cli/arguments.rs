//! Options about the arguments of calls.

use clap::Args;
use soglia_core::{
    arguments::{Choice, Redaction},
    policy::{Glob, GlobError},
};

/// Functions, and whether the arguments of all their calls are recorded.
#[derive(Clone, Debug)]
struct Target(Glob, bool);

#[derive(Debug, Args)]
pub struct ArgumentOptions {
    /// Record the arguments of slow, failed and denied calls of these native functions only, also
    /// of the framework's [default: those of the program and its libraries]; with '=all', also
    /// while a call is open, which takes some microseconds per call.
    #[arg(long, value_name = "GLOB[=all]", conflicts_with = "no_args", value_parser = target)]
    args: Vec<Target>,
    /// Record no arguments.
    #[arg(long)]
    no_args: bool,
    /// Never record this parameter, as if its name were that of a secret: docs/arguments.md.
    #[arg(long, value_name = "GLOB!PARAMETER")]
    redact: Vec<Redaction>,
}

impl ArgumentOptions {
    /// The choice as the engine reads it. `None`: it is the default.
    ///
    /// # Errors
    /// If an option would do nothing, or if there are too many.
    pub fn read(&self) -> anyhow::Result<Option<String>> {
        /// The system limits an environment variable to 128 KiB with its name.
        const MOST_BYTES: usize = 100 << 10;
        if self.no_args && !self.redact.is_empty() {
            anyhow::bail!("--redact does nothing with --no-args: no argument is recorded");
        }
        let of = |all: bool| {
            let them = self.args.iter().filter(|of| of.1 == all);
            them.map(|of| of.0.clone()).collect()
        };
        let choice = Choice {
            none: self.no_args,
            targets: of(false),
            all: of(true),
            redacted: self.redact.clone(),
        };
        if choice == Choice::default() {
            return Ok(None);
        }
        let text = choice.encode();
        if text.len() > MOST_BYTES {
            anyhow::bail!(
                "--args and --redact take {} bytes, and {MOST_BYTES} can be handed over: say more with globs",
                text.len()
            );
        }
        Ok(Some(text))
    }
}

fn target(text: &str) -> Result<Target, String> {
    let (glob, all) = match text.strip_suffix("=all") {
        Some(glob) => (glob, true),
        None => (text, false),
    };
    let glob = glob.parse().map_err(|error: GlobError| error.to_string())?;
    Ok(Target(glob, all))
}
