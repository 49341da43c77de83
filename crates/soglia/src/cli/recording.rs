//! Opening a recording that the command line names: by its file, or by a process that records.

use std::path::{Path, PathBuf};

use anyhow::Context;
use soglia::{opened::Opened, running};
use soglia_core::trace::reader::Reader;

/// What the argument of commands that read a recording is.
pub const HELP: &str =
    "The recording, or the process that makes it: a program under soglia, or its `soglia run`";

/// Opens a recording that a program has recorded into.
///
/// # Errors
/// If it cannot be read, is no recording, or is empty.
pub fn open(what: &Path, partial: bool) -> anyhow::Result<Reader> {
    let file = locate(what)?;
    if file.is_dir() {
        anyhow::bail!(
            "{} is a directory: name a recording in it (`soglia report` and `soglia advise` take all of a directory)",
            what.display()
        );
    }
    let reader = if partial {
        Reader::open_partial(&file)?
    } else {
        Reader::open(&file)?
    };
    if !reader.is_claimed() {
        let what = match pid(what) {
            Some(pid) => format!("the recording of process {pid}"),
            None => what.display().to_string(),
        };
        anyhow::bail!(
            "{what} holds nothing: no .NET program has recorded into it{}",
            reader
                .note()
                .map(|note| format!(" ({note})"))
                .unwrap_or_default()
        );
    }
    Ok(reader)
}

/// The same for one that is read more than once.
///
/// # Errors
/// If it cannot be opened.
pub fn opened(what: &Path) -> anyhow::Result<Opened> {
    Opened::new(&locate(what)?).with_context(|| format!("cannot read {}", what.display()))
}

/// The file that is meant: this one, or the recording of the process with this number.
///
/// # Errors
/// If there is no such process, or it has no recording that this user may read.
pub fn locate(what: &Path) -> anyhow::Result<PathBuf> {
    let Some(pid) = pid(what) else {
        return Ok(what.to_owned());
    };
    running::find(pid).map_err(|error| {
        if what.exists() {
            anyhow::anyhow!("{error} (the file of that name is ./{pid})")
        } else {
            error.into()
        }
    })
}

/// The process that is meant, if the text is a number. A file of that name is written as a path.
pub fn pid(what: &Path) -> Option<u32> {
    let text = what.to_str()?;
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|pid| is_number && *pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_processes_and_paths_are_files() {
        for (text, expected) in [
            ("12", Some(12)),
            ("./12", None),
            ("+12", None),
            ("12.soglia", None),
            ("0", None),
            ("99999999999", None),
            ("", None),
        ] {
            assert_eq!(pid(Path::new(text)), expected, "{text}");
        }
    }
}
