//! `soglia completions`: what a shell needs to complete soglia's command lines.

use std::io::{self, Write};

use clap::{Args, Command};
use clap_complete::{Shell, generate};

#[derive(Debug, Args)]
#[command(
    after_help = "`make install` and the Debian package put these files where shells look for them.\n\n\
    Examples:\n  \
        soglia completions bash >~/.local/share/bash-completion/completions/soglia\n  \
        soglia completions zsh >~/.zfunc/_soglia     with ~/.zfunc in $fpath\n  \
        soglia completions fish >~/.config/fish/completions/soglia.fish\n\n\
    Exit codes:\n  \
        0  the file was printed"
)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

/// Prints the file that the shell reads, for this command line.
pub fn print(options: &Completions, mut soglia: Command) -> anyhow::Result<()> {
    // `generate` panics if its writer fails.
    let mut file = Vec::new();
    generate(options.shell, &mut soglia, "soglia", &mut file);
    io::stdout().write_all(&file)?;
    Ok(())
}
