//! The names in a recording, made once for all of its calls.

use std::{borrow::Cow, collections::HashMap, path::Path};

use soglia_core::trace::reader::Reader;

use crate::model::{TargetInfo, names, target_infos};

/// The most bytes of a name. A recording may have a very long name that occurs in millions of
/// calls.
const MOST_NAME: usize = 1 << 10;

/// The names in a recording.
#[derive(Debug)]
pub struct Named {
    targets: HashMap<u32, TargetInfo>,
    nothing: TargetInfo,
    /// The file of the program.
    pub program: String,
    /// The process.
    pub pid: u32,
    /// Nanoseconds since 1970 at time 0.
    pub wall_ns: u64,
    /// Nanoseconds from time 0 to the end.
    pub until: u64,
    /// Short calls were timed by sample: their times are estimates.
    pub is_sampled: bool,
}

impl Named {
    /// The names now.
    pub fn of(reader: &Reader) -> Self {
        let program = names(reader).program;
        let of = |args: &[String]| {
            let is_assembly = |arg: &&String| arg.ends_with(".dll");
            let named = args.iter().find(is_assembly).or(args.first());
            let file = named.map(|named| Path::new(named).file_name());
            let file = file.flatten().unwrap_or_default();
            short(&file.to_string_lossy()).into_owned()
        };
        Self {
            targets: target_infos(reader)
                .into_iter()
                .map(|(target, info)| (target, shortened(info)))
                .collect(),
            nothing: TargetInfo {
                name: "[unknown]".to_owned(),
                ..TargetInfo::default()
            },
            program: of(&program),
            pid: reader.pid(),
            wall_ns: reader.wall_ns_at(reader.start_ticks()),
            until: reader.ending().ns,
            is_sampled: reader.sampling().is_some(),
        }
    }

    /// The names of a target.
    pub fn target(&self, target: u32) -> &TargetInfo {
        self.targets.get(&target).unwrap_or(&self.nothing)
    }

    /// All targets that have names, by number.
    pub fn targets(&self) -> Vec<(u32, &TargetInfo)> {
        let mut all: Vec<_> = self.targets.iter().map(|(n, info)| (*n, info)).collect();
        all.sort_by_key(|(number, _)| *number);
        all
    }
}

/// The names of a target, each of bounded length.
fn shortened(info: TargetInfo) -> TargetInfo {
    let part = |name: Option<String>| name.map(|name| short(&name).into_owned());
    TargetInfo {
        method: part(info.method),
        assembly: part(info.assembly),
        library: part(info.library),
        entry: part(info.entry),
        name: short(&info.name).into_owned(),
        ..info
    }
}

/// The beginning of a name that is very long.
pub fn short(name: &str) -> Cow<'_, str> {
    let mut bytes = 0;
    let too_long = name.char_indices().find(|(_, c)| {
        // As JSON has it.
        bytes += if c.is_control() { 6 } else { c.len_utf8() };
        bytes > MOST_NAME
    });
    match too_long {
        Some((end, _)) => format!("{}...", &name[..end]).into(),
        None => name.into(),
    }
}
