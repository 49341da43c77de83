//! What the program is, by the conventions of OpenTelemetry.

use std::path::Path;

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
};

use super::settings::Settings;
use crate::model::Figures;

/// The version of the conventions.
pub const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";

/// An attribute that is a text.
pub fn text(key: impl Into<String>, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// An attribute that is a number.
pub fn number(key: impl Into<String>, value: u64) -> KeyValue {
    attribute(
        key,
        Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)),
    )
}

/// An attribute that is true.
pub fn truth(key: impl Into<String>) -> KeyValue {
    attribute(key, Value::BoolValue(true))
}

fn attribute(key: impl Into<String>, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// The file name of a program.
fn file_name(program: &str) -> &str {
    let name = Path::new(program).file_name();
    name.and_then(|name| name.to_str()).unwrap_or(program)
}

/// The machine's kind.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The program, and where it runs. What the environment says comes first.
pub fn resource(settings: &Settings, of: &Figures) -> Resource {
    let executable = file_name(&of.program);
    let service = executable.strip_suffix(".dll").unwrap_or(executable);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let known = [
        text("service.name", service),
        text("service.instance.id", &*settings.instance),
        text("host.name", host.trim()),
        text("host.arch", arch()),
        text("os.type", "linux"),
        number("process.pid", of.pid.into()),
        text("process.executable.name", executable),
        text("process.runtime.name", &*of.runtime.name),
        text("process.runtime.version", &*of.runtime.version),
        text("telemetry.sdk.name", "soglia"),
        text("telemetry.sdk.language", "rust"),
        text("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
    ];
    let given = settings.attributes.iter();
    let mut attributes: Vec<KeyValue> = given.map(|(key, value)| text(&**key, &**value)).collect();
    let is_given = |key: &str| settings.attributes.iter().any(|(given, _)| given == key);
    attributes.extend(known.into_iter().filter(|of| !is_given(&of.key)));
    Resource {
        attributes,
        ..Resource::default()
    }
}

/// Who has measured, and how.
pub fn scope(of: &Figures) -> InstrumentationScope {
    InstrumentationScope {
        name: "soglia".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        attributes: vec![
            text("soglia.level", of.level),
            text("soglia.times", of.times),
            text("soglia.source", of.source.unwrap_or_default()),
        ],
        dropped_attributes_count: 0,
    }
}
