//! What the lines of a target have in common, made once.

use std::collections::HashMap;

use serde::Serialize;
use soglia::{
    export::named::short,
    model::{TargetInfo, target_infos},
    text,
};
use soglia_core::trace::reader::Reader;

use super::{super::options::EventFormat, passed::Passed};

/// What the lines of a target have in common, made once.
pub struct Names {
    targets: HashMap<u32, Name>,
    nothing: Name,
    /// The arguments that were recorded.
    pub passed: Passed,
    /// No call was denied: those that count as denied would have been.
    pub audit: bool,
}

pub struct Name {
    /// It is one of the runtime's own.
    pub runtime_internal: bool,
    /// What of a line is of the target, after what is of the crossing.
    pub text: String,
}

/// The fields of a line of JSON that are of the target.
#[derive(Serialize)]
struct Target<'a> {
    method: Option<&'a str>,
    assembly: Option<&'a str>,
    library: Option<&'a str>,
    entry: Option<&'a str>,
    address: Option<&'a str>,
    runtime_internal: bool,
}

impl Names {
    /// Those of a recording.
    pub fn of(reader: &Reader, format: EventFormat) -> Self {
        let targets = target_infos(reader).into_iter();
        let names = reader.names();
        Self {
            targets: targets
                .map(|(target, info)| (target, Name::of(&info, format)))
                .collect(),
            nothing: Name::of(&TargetInfo::default(), format),
            passed: Passed::of(names.arguments),
            audit: names.policy.is_some_and(|policy| policy.audit),
        }
    }

    /// The name of a target.
    pub fn get(&self, target: Option<u32>) -> &Name {
        let known = target.and_then(|target| self.targets.get(&target));
        known.unwrap_or(&self.nothing)
    }
}

impl Name {
    fn of(info: &TargetInfo, format: EventFormat) -> Self {
        let names = [&info.method, &info.assembly, &info.library, &info.entry];
        let [method, assembly, library, entry] = names.map(|name| name.as_deref().map(short));
        let runtime_internal = info.runtime_internal;
        let text = match format {
            EventFormat::Text => text::plain(&short(&info.name)).to_string(),
            EventFormat::Jsonl => {
                let target = Target {
                    method: method.as_deref(),
                    assembly: assembly.as_deref(),
                    library: library.as_deref(),
                    entry: entry.as_deref(),
                    address: info.address.as_deref(),
                    runtime_internal,
                };
                // Texts and numbers make JSON.
                let object = serde_json::to_string(&target).unwrap_or_default();
                object.trim_matches(['{', '}']).to_owned()
            }
        };
        Self {
            runtime_internal,
            text,
        }
    }
}
