//! Where an export lies among those of many machines.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use jiff::{Timestamp, tz::TimeZone};
use soglia::{
    dotnet::process_env,
    model::{WallClock, program_name},
};
use soglia_core::trace::reader::Reader;

use super::formats::{Export, Table};

/// The file for this recording, in folders that are made if they are not there:
/// `FOLDER/TABLE/service=S/host=H/day=D/PID-START.parquet`. It has the same name each time.
///
/// # Errors
/// If a folder cannot be made, or the recording does not say when it was made.
pub fn file(folder: &Path, options: &Export, reader: &Reader) -> anyhow::Result<PathBuf> {
    let started = WallClock::of(reader).start_ns();
    let started = started.context("the recording does not say when it was made")?;
    let mut path = folder.to_owned();
    path.push(match options.table {
        Table::Calls => "calls",
        Table::Targets => "targets",
    });
    let parts = [
        ("service", service(options, reader)),
        ("host", host(options)),
        ("day", day(started)?),
    ];
    for (name, value) in parts {
        anyhow::ensure!(!value.is_empty(), "--{name} has no value: give a name");
        path.push(format!("{name}={}", escaped(&value)));
    }
    fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    path.push(format!("{}-{}.parquet", reader.pid(), made(reader)));
    Ok(path)
}

fn service(options: &Export, reader: &Reader) -> String {
    let named = || process_env("OTEL_SERVICE_NAME").filter(|name| !name.is_empty());
    let of_program = || {
        let name = program_name(reader);
        name.strip_suffix(".dll").unwrap_or(&name).to_owned()
    };
    match &options.service {
        Some(service) => service.clone(),
        None => named().map_or_else(of_program, |name| name.to_string_lossy().into_owned()),
    }
}

fn host(options: &Export) -> String {
    let here = || fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = options.host.clone().unwrap_or_else(here);
    host.trim().to_owned()
}

/// When the recording was made, in nanoseconds since 1970. Unlike the start, it is not computed.
fn made(reader: &Reader) -> u64 {
    reader.wall_ns()
}

/// The day in UTC.
fn day(ns: u64) -> anyhow::Result<String> {
    let at = Timestamp::from_nanosecond(ns.into())?;
    Ok(at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string())
}

/// A value as Hive, Spark, DuckDB and others write it in the name of a folder.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~+@".contains(&byte);
        match plain {
            true => text.push(byte.into()),
            // Writing into memory does not fail.
            false => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_names_of_folders() {
        assert_eq!(escaped("shop-2.web_a"), "shop-2.web_a");
        assert_eq!(escaped("a/b=c d"), "a%2Fb%3Dc%20d");
        assert_eq!(escaped("é"), "%C3%A9");
        assert_eq!(escaped(".."), "..");
        assert_eq!(day(1_764_460_800_000_000_000).unwrap(), "2025-11-30");
    }
}
