//! The report of several recordings: files, processes, and all recordings of a directory.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use soglia::model::{Merger, Model};
use soglia_core::{
    plain::plain_path,
    trace::{
        beside,
        reader::{ReadError, Reader},
    },
};

use super::{
    complain::complain,
    recording::{locate, open, pid},
};

/// A recording to read.
struct Named {
    path: PathBuf,
    /// It was found in a directory, where other files may lie too.
    is_found: bool,
}

/// What the command line names, if it is more than one recording. A recording that is named twice
/// is read once.
pub struct Several(Vec<Named>);

impl Several {
    /// Reads directories. With `follow`, adds the recordings that other processes of a run have
    /// made. `None`: one recording is named.
    ///
    /// # Errors
    /// If a directory cannot be read, or has no recording in it.
    pub fn of(named: &[PathBuf], follow: bool) -> anyhow::Result<Option<Self>> {
        let is_folder = |path: &Path| pid(path).is_none() && path.is_dir();
        if let [one] = named
            && !is_folder(one)
            && !follow
        {
            return Ok(None);
        }
        let mut all = Vec::new();
        for path in named {
            if !is_folder(path) {
                all.push(Named {
                    path: path.clone(),
                    is_found: false,
                });
                if follow {
                    all.extend(others(path)?);
                }
                continue;
            }
            let found = recordings_in(path)?;
            anyhow::ensure!(
                !found.is_empty(),
                "there is no recording in {}: `soglia run -o FILE` makes one",
                plain_path(path)
            );
            all.extend(found);
        }
        let mut seen = HashSet::new();
        let file = |named: &Named| locate(&named.path).ok();
        all.retain(|named| {
            let about = file(named).and_then(|path| fs::metadata(path).ok());
            about.is_none_or(|about| seen.insert((about.dev(), about.ino())))
        });
        // The report does not depend on the order in which they are named.
        all.sort_by_cached_key(|named| {
            let made = file(named).and_then(|path| beside::made_at(&path).ok());
            (made, named.path.clone())
        });
        Ok(Some(Self(all)))
    }

    /// The report of all of them. If there is one only, its recording too.
    ///
    /// # Errors
    /// If one that was named cannot be read, or holds nothing. Of a directory, such recordings are
    /// left out, and a line of standard error says so.
    pub fn report(&self, partial: bool, replayed: bool) -> anyhow::Result<(Model, Option<Reader>)> {
        let mut merger = Merger::default();
        let mut only = None;
        let mut read: u64 = 0;
        let mut left_out = Vec::new();
        for named in &self.0 {
            let one = open(&named.path, partial).and_then(|reader| {
                if replayed && !reader.has_events() {
                    anyhow::bail!(
                        "{} holds no events to replay: `soglia run --record events` records them",
                        plain_path(&named.path)
                    );
                }
                let model = Model::of(&reader, replayed);
                reader.check_whole()?;
                Ok((reader, model))
            });
            match one {
                Ok((reader, model)) => {
                    let is_file = pid(&named.path).is_none();
                    let name = is_file.then(|| named.path.display().to_string());
                    merger.add(model, name);
                    // A reader has its file open and mapped.
                    only = (read == 0).then_some(reader);
                    read += 1;
                }
                Err(error) if named.is_found => left_out.push(error),
                Err(error) => return Err(error),
            }
        }
        warn(&left_out);
        let model = merger.finish();
        let model = model.context("none of these recordings holds anything")?;
        Ok((model, only))
    }
}

/// Says what is not in the report.
fn warn(left_out: &[anyhow::Error]) {
    /// The most that are said one by one.
    const MOST: usize = 5;
    for error in left_out.iter().take(MOST) {
        complain(&format!("left out: {error:#}"));
    }
    if left_out.len() > MOST {
        complain(&format!(
            "left out: {} more recordings",
            left_out.len() - MOST
        ));
    }
}

/// The recordings that other processes of a run have made beside this one.
fn others(first: &Path) -> anyhow::Result<Vec<Named>> {
    let first = locate(first)?;
    let others = beside::others(&first);
    let others = others.with_context(|| format!("cannot read {}", plain_path(&first)))?;
    let found = |path| Named {
        path,
        is_found: true,
    };
    Ok(others.into_iter().map(found).collect())
}

/// The recordings in a directory, by their names. Other files are no matter.
fn recordings_in(folder: &Path) -> anyhow::Result<Vec<Named>> {
    let cannot = || format!("cannot read {}", plain_path(folder));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let is_recording =
            path.is_file() && !matches!(Reader::open_partial(&path), Err(ReadError::Foreign(_)));
        if is_recording {
            found.push(Named {
                path,
                is_found: true,
            });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}
