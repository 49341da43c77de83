//! Opening a recording that the command line names.

use std::path::Path;

use soglia_core::trace::reader::Reader;

/// Opens a recording that a program has recorded into.
///
/// # Errors
/// If it cannot be read, is no recording, or is empty.
pub fn open(file: &Path, partial: bool) -> anyhow::Result<Reader> {
    let reader = if partial {
        Reader::open_partial(file)?
    } else {
        Reader::open(file)?
    };
    if !reader.is_claimed() {
        anyhow::bail!(
            "{} holds nothing: no .NET program has recorded into it{}",
            file.display(),
            reader
                .note()
                .map(|note| format!(" ({note})"))
                .unwrap_or_default()
        );
    }
    Ok(reader)
}
