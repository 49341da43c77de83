//! Having the runtime of a process load the engine.

use std::path::{Path, PathBuf};

use soglia_abi::{
    HRESULT,
    hresult::{
        CORPROF_E_NOT_YET_AVAILABLE, CORPROF_E_PROFILER_ALREADY_ACTIVE,
        CORPROF_E_PROFILER_NOT_YET_INITIALIZED, CORPROF_E_RUNTIME_UNINITIALIZED,
    },
};
use soglia_core::plain::plain_path;
use soglia_dotnet::diagnostics::{self, IpcError, ProcessInfo};

use super::{carry, error::AttachError, target::Target};
use crate::dotnet::platform::OWN;
use crate::launch::PROFILER_GUID;

/// The oldest runtime that soglia attaches to.
const OLDEST: u32 = 8;
/// HRESULT_FROM_WIN32 of ERROR_MOD_NOT_FOUND: no file, or one that the loader does not take.
const NO_FILE: HRESULT = HRESULT(0x8007_007E_u32.cast_signed());
/// HRESULT_FROM_WIN32 of ERROR_PROC_NOT_FOUND.
const NO_ENTRY: HRESULT = HRESULT(0x8007_007F_u32.cast_signed());
/// The runtime does not know the command, as that of NativeAOT does not.
const NO_COMMAND: HRESULT = HRESULT(0x8013_1385_u32.cast_signed());

/// How the engine is attached: what it can do is decided when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It changes code, to see calls.
    Weave,
    /// It only looks at stacks.
    Stacks,
}

impl Kind {
    /// What the runtime gives the engine when it loads it.
    const fn data(self) -> &'static [u8] {
        match self {
            Self::Weave => b"soglia 1 weave",
            Self::Stacks => b"soglia 1 stacks",
        }
    }
}

/// What the runtime of a process says of itself, if the engine can work in it, and the path of its
/// diagnostics socket.
///
/// # Errors
/// If it cannot, or if the runtime does not answer.
pub fn runtime(target: &Target) -> Result<(ProcessInfo, Option<PathBuf>), AttachError> {
    let port = target.connect_diagnostics()?;
    let socket = port.peer_addr().ok();
    let socket = socket.and_then(|socket| Some(socket.as_pathname()?.to_owned()));
    let pid = target.pid;
    let info = match diagnostics::process_info(port) {
        Ok(info) => info,
        // Before .NET 6.
        Err(IpcError::Refused(_)) => {
            let version = "5 or an earlier version".into();
            return Err(AttachError::TooOld { pid, version });
        }
        Err(error) => {
            return Err(match target.halt() {
                Some(why) => AttachError::Halted { pid, why },
                None if target.ends_now() => AttachError::Ended(pid),
                None => AttachError::Mute { pid, error },
            });
        }
    };
    if info.major().is_some_and(|major| major < OLDEST) {
        let version = info.version;
        return Err(AttachError::TooOld { pid, version });
    }
    if info.os != "Linux" || info.architecture != OWN.name {
        let what = format!("{} on {}", info.os, info.architecture);
        return Err(AttachError::OtherMachine { pid, what });
    }
    Ok((info, socket))
}

/// What the answer of a runtime means that did not load the engine.
fn why(target: &Target, error: IpcError) -> AttachError {
    let pid = target.pid;
    let IpcError::Refused(code) = error else {
        return match target.ends_now() {
            true => AttachError::Ended(pid),
            false => AttachError::Runtime { pid, error },
        };
    };
    match code {
        CORPROF_E_PROFILER_ALREADY_ACTIVE => AttachError::OtherProfiler {
            pid,
            profiler: target.profiler(),
        },
        CORPROF_E_NOT_YET_AVAILABLE
        | CORPROF_E_RUNTIME_UNINITIALIZED
        | CORPROF_E_PROFILER_NOT_YET_INITIALIZED => AttachError::Early(pid),
        NO_COMMAND => AttachError::Native(pid),
        NO_ENTRY => AttachError::Engine {
            pid,
            why: "it has no DllGetClassObject".into(),
        },
        _ => AttachError::Runtime { pid, error },
    }
}

/// Has the runtime load the engine, by the first way that works.
pub(super) fn load(target: &Target, kind: Kind, engine: &Path) -> Result<(), AttachError> {
    let pid = target.pid;
    let mut tried = Vec::new();
    for (what, carried) in carry::ways(target, engine) {
        let carried = match carried {
            Ok(carried) => carried,
            Err(error) => {
                tried.push(format!("{what}: {error}"));
                continue;
            }
        };
        let port = target.connect_diagnostics()?;
        // Each copy would stay in the process. So the engine in a copy stays at work, and the next
        // tool finds it.
        let data = match carried.engine == engine {
            true => kind.data(),
            false => Kind::Weave.data(),
        };
        match diagnostics::attach_profiler(port, class_id(), &carried.engine, data) {
            Ok(()) => return Ok(()),
            Err(IpcError::Refused(NO_FILE)) if carried.sure => {
                let engine = plain_path(&carried.engine);
                let why = format!(
                    "{engine} is there for it, but not all that the engine needs: its C library may be too old"
                );
                return Err(AttachError::Engine { pid, why });
            }
            Err(IpcError::Refused(NO_FILE)) => {
                tried.push(format!("{what}: the runtime could not load that"));
            }
            Err(error) => return Err(why(target, error)),
        }
    }
    if target.ends_now() {
        return Err(AttachError::Ended(pid));
    }
    let why = format!("there is no way that works ({})", tried.join("; "));
    Err(AttachError::Engine { pid, why })
}

/// The engine's class id, as bytes.
fn class_id() -> [u8; 16] {
    let digits: String = PROFILER_GUID
        .chars()
        .filter(char::is_ascii_hexdigit)
        .collect();
    let id = u128::from_str_radix(&digits, 16).unwrap_or_default();
    let mut bytes = id.to_be_bytes();
    // The first three numbers are in the order of bytes of the machine.
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}
