//! The manual, from the same options that `--help` prints. `make install` has it written.

use std::{ffi::OsString, fs, io, path::Path};

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use super::{
    complain::{CANNOT, complain},
    options::Cli,
};

/// The command for `make install`. It has no help, and no shell completes it.
pub const SUBCOMMAND: &str = "__manual";

/// Writes soglia.1, soglia-run.1 and the others into the folder, and returns the exit code.
pub fn main(folder: Option<OsString>) -> i32 {
    let Some(folder) = folder else {
        complain(&"that command is for `make install`: it needs a folder");
        return CANNOT;
    };
    match write(Path::new(&folder)) {
        Ok(()) => 0,
        Err(error) => {
            complain(&format!("{error:#}"));
            CANNOT
        }
    }
}

fn write(folder: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot write the manual into {}", folder.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    let mut soglia = Cli::command().disable_help_subcommand(true);
    soglia.build();
    for command in soglia.get_subcommands().chain([&soglia]) {
        let man = Man::new(command.clone())
            .source(concat!("soglia ", env!("CARGO_PKG_VERSION")))
            .manual("soglia");
        let page = page(&man, command).with_context(cannot)?;
        fs::write(folder.join(man.get_filename()), page).with_context(cannot)?;
    }
    Ok(())
}

fn page(man: &Man, command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(text) = command.get_after_help() {
        page.extend(after(&text.to_string()).to_roff().into_bytes());
    }
    Ok(page)
}

/// What follows the options in `--help`, paragraph by paragraph. Examples and lists keep their
/// lines, each kind under a heading of its own.
fn after(text: &str) -> Roff {
    let mut roff = Roff::new();
    let mut heading = "";
    for paragraph in text.split("\n\n") {
        let (first, lines) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
        let own = match first {
            "Examples:" => "EXAMPLES",
            "Exit codes:" => "EXIT STATUS",
            _ => "NOTES",
        };
        if own == heading {
            roff.control("PP", []);
        } else {
            roff.control("SH", [own]);
            heading = own;
        }
        if own == "NOTES" {
            roff.text([roman(paragraph)]);
            continue;
        }
        roff.control("nf", []);
        for line in lines.lines() {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("fi", []);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_keep_their_lines() {
        let text = "Some words.\n\nExamples:\n  soglia a   one\n  'b'\n\nExit codes:\n  0  good";
        let page = after(text).to_roff();
        let expected = ".SH NOTES\nSome words.\n.SH EXAMPLES\n.nf\nsoglia a   one\n\\&'b'\n.fi\n\
                        .SH \"EXIT STATUS\"\n.nf\n0  good\n.fi\n";
        assert_eq!(page, expected);
    }

    #[test]
    fn every_command_has_a_page() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("man1");
        write(&folder).unwrap();
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let soglia = read("soglia.1");
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(soglia.contains(&format!("soglia\\-{name}(1)")), "{name}");
            assert!(read(&format!("soglia-{name}.1")).contains(".SH SYNOPSIS"));
        }
        let run = read("soglia-run.1");
        assert!(run.contains("soglia run \\-\\-slow 5ms app.dll"), "{run}");
    }
}
