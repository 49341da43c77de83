//! The runtime's diagnostics port: a socket that takes one command and answers it.
//!
//! Every message has a head of 20 bytes: a magic text, its whole size, a set and a number of the
//! command, and two bytes that are reserved. What a process answers is believed as little as a
//! file: sizes are bounded, and it has to come in time.

use std::{
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt, net::UnixStream},
    path::Path,
    time::{Duration, Instant},
};

use soglia_abi::{HRESULT, hresult};

const MAGIC: &[u8; 14] = b"DOTNET_IPC_V1\0";
const HEAD: usize = 20;
/// An answer that has more is none that soglia has asked for.
const MOST_BYTES: usize = 64 << 10;

/// A set and a number.
type Command = (u8, u8);
const ATTACH_PROFILER: Command = (3, 1);
const PROCESS_INFO: Command = (4, 4);
/// The set of answers, and the number that means success.
const SERVER: u8 = 0xff;
const OK: u8 = 0;

/// How long a runtime may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to load the engine.
const LONG_PATIENCE: Duration = Duration::from_secs(30);

/// Why a runtime did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum IpcError {
    /// It did not answer in time.
    #[error("it did not answer within {0:?}")]
    Silent(Duration),
    /// It answered with an error.
    #[error("it answered {}", named(*.0))]
    Refused(HRESULT),
    /// It answered something else than the protocol allows.
    #[error("its answer is none: {0}")]
    Malformed(&'static str),
    /// The connection broke.
    #[error(transparent)]
    Os(#[from] io::Error),
}

/// A code as people look it up.
fn named(code: HRESULT) -> String {
    let number = code.0.cast_unsigned();
    match hresult::name(code) {
        Some(name) => format!("{name} (0x{number:08x})"),
        None => format!("0x{number:08x}"),
    }
}

/// What a runtime says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Its number in its own namespace.
    pub pid: u64,
    /// Its operating system, such as `Linux`.
    pub os: String,
    /// Its architecture, such as `x64`.
    pub architecture: String,
    /// The name of the assembly that was started.
    pub assembly: String,
    /// The version of the runtime, such as `9.0.7`, with more behind it.
    pub version: String,
}

impl ProcessInfo {
    /// The number of the runtime's main version.
    pub fn major(&self) -> Option<u32> {
        self.version.split('.').next()?.parse().ok()
    }
}

/// Asks a runtime what it is.
///
/// # Errors
/// See [`IpcError`]. Runtimes before .NET 6 refuse the command.
pub fn process_info(port: UnixStream) -> Result<ProcessInfo, IpcError> {
    let answer = ask(port, PROCESS_INFO, &[], PATIENCE)?;
    let mut fields = Fields(&answer);
    let pid = u64::from_le_bytes(fields.take()?);
    // The cookie of this runtime.
    let _: [u8; 16] = fields.take()?;
    let _command_line = fields.text()?;
    Ok(ProcessInfo {
        pid,
        os: fields.text()?,
        architecture: fields.text()?,
        assembly: fields.text()?,
        version: fields.text()?,
    })
}

/// Has a runtime load a profiler.
///
/// # Errors
/// See [`IpcError`].
pub fn attach_profiler(
    port: UnixStream,
    class: [u8; 16],
    profiler: &Path,
    data: &[u8],
) -> Result<(), IpcError> {
    let profiler = str::from_utf8(profiler.as_os_str().as_bytes())
        .map_err(|_| IpcError::Malformed("a runtime takes the path of the engine as text only"))?;
    let path: Vec<u16> = profiler.encode_utf16().chain([0]).collect();
    let mut payload = Vec::new();
    let patience = u32::try_from(LONG_PATIENCE.as_millis()).unwrap_or(u32::MAX);
    payload.extend_from_slice(&patience.to_le_bytes());
    payload.extend_from_slice(&class);
    payload.extend_from_slice(&length(path.len())?);
    payload.extend(path.iter().flat_map(|unit| unit.to_le_bytes()));
    payload.extend_from_slice(&length(data.len())?);
    payload.extend_from_slice(data);
    let answer = ask(port, ATTACH_PROFILER, &payload, LONG_PATIENCE)?;
    match HRESULT(i32::from_le_bytes(Fields(&answer).take()?)) {
        code if code.is_ok() => Ok(()),
        code => Err(IpcError::Refused(code)),
    }
}

fn length(of: usize) -> Result<[u8; 4], IpcError> {
    let length = u32::try_from(of).map_err(|_| IpcError::Malformed("the command is too long"))?;
    Ok(length.to_le_bytes())
}

/// Sends a command, and returns what a successful answer holds behind its head.
fn ask(
    mut port: UnixStream,
    (set, number): Command,
    payload: &[u8],
    patience: Duration,
) -> Result<Vec<u8>, IpcError> {
    let size = u16::try_from(HEAD + payload.len())
        .map_err(|_| IpcError::Malformed("the command is too long"))?;
    let mut message = MAGIC.to_vec();
    message.extend_from_slice(&size.to_le_bytes());
    message.extend_from_slice(&[set, number, 0, 0]);
    message.extend_from_slice(payload);
    let until = Instant::now() + patience;
    port.set_write_timeout(Some(patience))?;
    port.write_all(&message)
        .map_err(|error| late(error, patience))?;
    let mut read = |bytes: &mut [u8]| read(&mut port, bytes, until, patience);
    let mut head = [0; HEAD];
    read(&mut head)?;
    if head[..14] != *MAGIC {
        return Err(IpcError::Malformed("it is not of the diagnostics protocol"));
    }
    let size = usize::from(u16::from_le_bytes([head[14], head[15]]));
    if !(HEAD..=MOST_BYTES).contains(&size) {
        return Err(IpcError::Malformed("it has an impossible size"));
    }
    let mut answer = vec![0; size - HEAD];
    read(&mut answer)?;
    match [head[16], head[17]] {
        [SERVER, OK] => Ok(answer),
        [SERVER, _] => {
            let code = i32::from_le_bytes(Fields(&answer).take()?);
            Err(IpcError::Refused(HRESULT(code)))
        }
        _ => Err(IpcError::Malformed("it is not an answer")),
    }
}

/// Fills `bytes` before the time is over, however slowly they come.
fn read(
    port: &mut UnixStream,
    mut bytes: &mut [u8],
    until: Instant,
    patience: Duration,
) -> Result<(), IpcError> {
    while !bytes.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(IpcError::Silent(patience));
        }
        port.set_read_timeout(Some(left))?;
        match port.read(bytes) {
            Ok(0) => return Err(IpcError::Malformed("it ended early")),
            Ok(read) => bytes = &mut bytes[read..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(late(error, patience)),
        }
    }
    Ok(())
}

/// The error of a socket, which says in two ways that the time is over.
fn late(error: io::Error, patience: Duration) -> IpcError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => IpcError::Silent(patience),
        _ => IpcError::Os(error),
    }
}

/// What is left of an answer.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], IpcError> {
        let (taken, rest) = self
            .0
            .split_first_chunk()
            .ok_or(IpcError::Malformed("it is too short"))?;
        self.0 = rest;
        Ok(*taken)
    }

    /// A text: how many UTF-16 units it has, with a zero at its end, and the units.
    fn text(&mut self) -> Result<String, IpcError> {
        let units = u32::from_le_bytes(self.take()?) as usize;
        let bytes = units
            .checked_mul(2)
            .filter(|bytes| *bytes <= self.0.len())
            .ok_or(IpcError::Malformed("a text in it is longer than it is"))?;
        let (text, rest) = self.0.split_at(bytes);
        self.0 = rest;
        let units = text
            .as_chunks::<2>()
            .0
            .iter()
            .map(|two| u16::from_le_bytes(*two));
        let text: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        Ok(String::from_utf16_lossy(&text))
    }
}

#[cfg(test)]
mod tests;
