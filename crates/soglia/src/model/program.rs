//! The recorded program, as reports name it.

use std::{ffi::OsStr, path::Path};

use soglia_core::trace::reader::Reader;

/// The command line of the recorded process, without the arguments that only serve to start it.
pub fn command_line(reader: &Reader) -> Vec<String> {
    program(&reader.names().program).1
}

/// The file name of the program, or nothing if the recording does not have it yet.
pub fn program_name(reader: &Reader) -> String {
    let (path, _) = program(&reader.names().program);
    let name = Path::new(&path).file_name();
    name.map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The program and its command line, without the arguments that only serve to start it.
pub(super) fn program(args: &[String]) -> (String, Vec<String>) {
    let args = match args {
        [_, launcher, _root, _hostfxr, rest @ ..] if launcher == crate::fxr::SUBCOMMAND => rest,
        all => all,
    };
    let Some((first, rest)) = args.split_first() else {
        return Default::default();
    };
    let is_muxer = Path::new(first).file_name() == Some(OsStr::new("dotnet"));
    let is_assembly = |arg: &&String| arg.ends_with(".dll") || arg.ends_with(".exe");
    let assembly = rest.iter().find(is_assembly).filter(|_| is_muxer);
    (assembly.unwrap_or(first).clone(), args.to_vec())
}
