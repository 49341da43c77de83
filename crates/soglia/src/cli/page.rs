//! Files that reports go to, and the report as a page.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal},
    path::Path,
};

use anyhow::Context;
use soglia::{model::Model, page::write};
use soglia_core::{
    plain::plain_path,
    trace::reader::{ReadError, Reader},
};

/// Writes the page of a report into a file, or to standard output.
///
/// # Errors
/// If the file cannot be written, or if standard output is a terminal.
pub fn page(reader: Option<&Reader>, model: Model, output: Option<&Path>) -> anyhow::Result<()> {
    let Some(output) = output else {
        if io::stdout().is_terminal() {
            anyhow::bail!("a page is for a browser: write it into a file with -o FILE.html");
        }
        return Ok(write(reader, model, BufWriter::new(io::stdout().lock()))?);
    };
    let file = BufWriter::with_capacity(1 << 16, create(output)?);
    write(reader, model, file).with_context(|| cannot(output))
}

/// Makes the file that a report goes to. Overwrites no recording.
///
/// # Errors
/// If the file cannot be written, or is a recording.
pub fn create(output: &Path) -> anyhow::Result<File> {
    let is_file = std::fs::metadata(output).is_ok_and(|about| about.is_file());
    if is_file && !matches!(Reader::open_partial(output), Err(ReadError::Foreign(_))) {
        anyhow::bail!(
            "{} is a recording, which a report does not overwrite: give another FILE",
            plain_path(output)
        );
    }
    File::create(output).with_context(|| cannot(output))
}

fn cannot(output: &Path) -> String {
    format!("cannot write {}: give another FILE", plain_path(output))
}
