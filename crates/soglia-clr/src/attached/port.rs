//! Has the runtime of this very process load the engine, by its diagnostics port.

use std::{
    env, fs, io,
    os::unix::{ffi::OsStrExt, net::UnixStream},
    path::PathBuf,
};

use soglia_abi::{GUID, HRESULT, hresult};
use soglia_core::{
    control::{self, Peer},
    plain::plain_path,
    process,
};
use soglia_dotnet::diagnostics::{self, IpcError};

use super::failure::Failure;
use crate::{hosting::own_file, variables::CLSID};

/// HRESULT_FROM_WIN32 of ERROR_MOD_NOT_FOUND: no file, or one that the loader does not take.
const NO_FILE: HRESULT = HRESULT(0x8007_007E_u32.cast_signed());

/// Has the runtime load this library as its profiler, and pass it `hello`.
///
/// # Errors
/// Why it did not.
pub(super) fn load_engine(hello: &str) -> Result<(), Failure> {
    let file = own_file().ok_or_else(|| {
        Failure::new(
            hresult::E_FAIL,
            "the file of the engine cannot be found: /proc is not there",
        )
    })?;
    let port = connect()?;
    let loaded = diagnostics::attach_profiler(port, class_id(), &file, hello.as_bytes());
    loaded.map_err(|error| match error {
        IpcError::Refused(hresult::CORPROF_E_PROFILER_ALREADY_ACTIVE) => Failure::new(
            hresult::CORPROF_E_PROFILER_ALREADY_ACTIVE,
            another_profiler(),
        ),
        IpcError::Refused(NO_FILE) => Failure::new(
            hresult::CLR_E_SHIM_RUNTIMELOAD,
            format!(
                "the runtime cannot load the engine from {}: the file was moved or removed since \
                 this process loaded it",
                plain_path(&file)
            ),
        ),
        IpcError::Refused(code) => Failure::new(
            code,
            format!("the runtime did not load the engine: {error}"),
        ),
        error => Failure::new(
            hresult::HOST_E_TIMEOUT,
            format!("the runtime did not load the engine: {error}"),
        ),
    })
}

/// Connects to the port.
fn connect() -> Result<UnixStream, Failure> {
    let own = std::process::id();
    let name = format!(
        "dotnet-diagnostic-{own}-{}-socket",
        process::started(own).unwrap_or(0)
    );
    let mut folders = vec![temporary(), "/tmp".into()];
    folders.dedup();
    let mut last = None;
    for folder in &folders {
        match UnixStream::connect(folder.join(&name)) {
            // All may put files into `/tmp`.
            Ok(port) if Peer::of(&port).is_ok_and(|peer| peer.pid == own) => return Ok(port),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => last = Some(error),
        }
    }
    let why = match (switch(), last) {
        (Some((variable, value)), _) => format!(
            "{variable}={value} switches it off: start the process without that, or give the task \
             manager to SetHostControl before the start"
        ),
        (None, Some(error)) => format!("{name}: {error}"),
        (None, None) => format!(
            "{name} is not in {}: the runtime may still be starting, or the file was removed",
            plain_path(&folders[0])
        ),
    };
    Err(Failure::new(
        hresult::HOST_E_INVALIDOPERATION,
        format!("this process has no diagnostics port, by which the engine is attached: {why}"),
    ))
}

/// Where the runtime puts its socket: it has read the variable when it started.
fn temporary() -> PathBuf {
    let first = fs::read("/proc/self/environ").unwrap_or_default();
    let of_start = first.split(|byte| *byte == 0).find_map(|variable| {
        let folder = variable.strip_prefix(b"TMPDIR=")?;
        Some(PathBuf::from(std::ffi::OsStr::from_bytes(folder)))
    });
    let now = env::var_os("TMPDIR").map(PathBuf::from);
    let named = now.or(of_start);
    named
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| "/tmp".into())
}

/// The variable that switches the port off, and its value.
fn switch() -> Option<(String, String)> {
    let names = ["EnableDiagnostics", "EnableDiagnostics_IPC"];
    names.iter().find_map(|name| {
        // The runtime takes the first of two names that is there.
        let (name, value) = ["DOTNET_", "COMPlus_"].iter().find_map(|prefix| {
            let name = format!("{prefix}{name}");
            let value = env::var(&name).ok().filter(|value| !value.is_empty())?;
            Some((name, value))
        })?;
        let digits = value.trim_start_matches("0x");
        let is_off = u32::from_str_radix(digits, 16) == Ok(0);
        is_off.then_some((name, value))
    })
}

/// What it means that the runtime has a profiler.
fn another_profiler() -> String {
    let own = std::process::id();
    let name = control::name(own, process::started(own).unwrap_or(0));
    let engine = control::address(&name).and_then(|address| UnixStream::connect_addr(&address));
    match engine {
        Ok(_) => "the runtime has soglia's engine from another file, which `soglia attach` or \
             another library has loaded: start the process again, and use one engine for both"
            .into(),
        Err(_) => "the runtime has another profiler, and takes only one: start the process \
             without that one"
            .into(),
    }
}

/// The engine's class id, as bytes.
fn class_id() -> [u8; 16] {
    let GUID {
        data1,
        data2,
        data3,
        data4,
    } = CLSID;
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&data1.to_le_bytes());
    bytes[4..6].copy_from_slice(&data2.to_le_bytes());
    bytes[6..8].copy_from_slice(&data3.to_le_bytes());
    bytes[8..].copy_from_slice(&data4);
    bytes
}
