//! How a tool speaks with the engine in a process that runs: names, messages, and who is at the
//! other end.
//!
//! The engine listens on a Unix socket with an abstract name ([`name`]). Each side sends messages:
//! a number of bytes (`u32`, little endian), then so many bytes of UTF-8, which are fields with a
//! zero between each two. The tool sends a [`Request`] and gets one [`Answer`].
//!
//! | request | answer |
//! | --- | --- |
//! | `begin`, then `NAME=VALUE` fields | `ok`, then facts about the session |
//! | `end`, or `end` and `keep` | `ok` |
//! | `snapshot`, then `NAME=VALUE` fields | `ok` |
//! | `state` | `ok`, then facts about the session, if there is one |
//!
//! Facts are `NAME=VALUE` fields too; [`facts`] has their names. Instead of `ok` the answer may be
//! `no` and a reason for people. A session ends when the connection that began it is closed,
//! unless `end` `keep` was said on it.
#![allow(
    unsafe_code,
    reason = "asks the kernel who is at the other end of a socket"
)]

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, BorrowedFd},
        linux::net::SocketAddrExt,
        unix::net::SocketAddr,
    },
};

/// The most bytes of a message, without its length. A policy of a thousand rules takes a tenth.
pub const MOST_BYTES: usize = 1 << 20;

/// What an engine can do, as the first fact of every `ok`: goes up when requests change.
pub const PROTOCOL: u32 = 1;

/// The names of facts in answers.
pub mod facts {
    /// [`PROTOCOL`](super::PROTOCOL) of the engine.
    pub const PROTOCOL: &str = "protocol";
    /// The version of the engine.
    pub const ENGINE: &str = "engine";
    /// The path by which the engine has opened the recording of the session.
    pub const RECORDING: &str = "recording";
    /// The identity of that file.
    pub const IDENTITY: &str = "identity";
    /// The process that holds the session, as the engine's namespace numbers it; absent if the
    /// session was kept.
    pub const HOLDER: &str = "holder";
    /// Ticks when the session was asked for, and when all its hooks were requested.
    pub const ASKED: &str = "asked";
    /// See [`ASKED`].
    pub const LIVE: &str = "live";
    /// Modules with targets or callers.
    pub const MODULES: &str = "modules";
    /// Targets that are watched.
    pub const TARGETS: &str = "targets";
    /// Methods that the runtime was asked to compile again.
    pub const CALLERS: &str = "callers";
}

/// What a tool asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Begin a session with these settings.
    Begin(Vec<(String, String)>),
    /// End the session. `keep`: it goes on after the connection is closed.
    End {
        /// See above.
        keep: bool,
    },
    /// Write the stacks of all threads into a recording.
    Snapshot(Vec<(String, String)>),
    /// Say whether a session runs, and where it records.
    State,
}

/// What the engine answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done; facts.
    Ok(Vec<(String, String)>),
    /// It is not done; why, for people.
    No(String),
}

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The other end has closed the connection.
    #[error("the other end has closed the connection")]
    Closed,
    /// It is longer than any message.
    #[error("a message of {0} bytes is too long")]
    TooLong(usize),
    /// It is not one of this protocol.
    #[error("a message is not one of this protocol: use a tool and an engine of the same version")]
    Foreign,
    /// The operating system gave an error.
    #[error(transparent)]
    Os(#[from] io::Error),
}

/// The abstract name of the engine's socket in the process with this number, as that process
/// numbers itself, which started at that time ([`crate::process::started`]).
pub fn name(pid: u32, started: u64) -> String {
    format!("soglia/control/{pid}/{started}")
}

/// The address of a socket with such a name.
///
/// # Errors
/// If the name is too long for an address.
pub fn address(name: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// A process at the other end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number in this process's namespace; 0 if it has none there.
    pub pid: u32,
    /// The user.
    pub uid: u32,
}

impl Peer {
    /// The process that has connected, or that listens.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn of(socket: &impl AsRawFd) -> io::Result<Self> {
        let mut about = libc::ucred {
            pid: 0,
            uid: u32::MAX,
            gid: u32::MAX,
        };
        let mut size = size_of::<libc::ucred>() as libc::socklen_t;
        // SAFETY: the socket keeps its descriptor open, and the kernel writes at most `size` bytes
        // into a local of that size.
        let answer = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                (&raw mut about).cast(),
                &raw mut size,
            )
        };
        match answer {
            0 => Ok(Self {
                pid: about.pid.cast_unsigned(),
                uid: about.uid,
            }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Whether a process of this user may be attached by the peer: by the same user, and by root.
    pub const fn may_attach(&self, uid: u32) -> bool {
        self.uid == uid || self.uid == 0
    }
}

/// Whether more bytes, or the end, can be read from a descriptor within so many milliseconds.
pub fn is_readable(descriptor: BorrowedFd<'_>, milliseconds: i32) -> bool {
    let mut asked = libc::pollfd {
        fd: descriptor.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `asked` is one whole pollfd, which the kernel reads and writes.
    unsafe { libc::poll(&raw mut asked, 1, milliseconds) > 0 }
}

impl Request {
    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Begin(settings) => message("begin", settings),
            Self::End { keep: false } => bytes("end"),
            Self::End { keep: true } => bytes("end\0keep"),
            Self::Snapshot(settings) => message("snapshot", settings),
            Self::State => bytes("state"),
        }
    }

    /// The request in a message without its length.
    ///
    /// # Errors
    /// [`ReadError::Foreign`].
    pub fn decode(message: &[u8]) -> Result<Self, ReadError> {
        let (verb, mut rest) = fields(message)?;
        let request = match verb {
            "begin" => Self::Begin(pairs(rest)?),
            "snapshot" => Self::Snapshot(pairs(rest)?),
            "end" => match (rest.next(), rest.next()) {
                (None, _) => Self::End { keep: false },
                (Some("keep"), None) => Self::End { keep: true },
                _ => return Err(ReadError::Foreign),
            },
            "state" if rest.next().is_none() => Self::State,
            _ => return Err(ReadError::Foreign),
        };
        Ok(request)
    }
}

impl Answer {
    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ok(facts) => message("ok", facts),
            Self::No(why) => message("no", &[("why".to_owned(), why.clone())]),
        }
    }

    /// The answer in a message without its length.
    ///
    /// # Errors
    /// [`ReadError::Foreign`].
    pub fn decode(message: &[u8]) -> Result<Self, ReadError> {
        let (verb, rest) = fields(message)?;
        let facts = pairs(rest)?;
        match verb {
            "ok" => Ok(Self::Ok(facts)),
            "no" => {
                let why = facts.into_iter().find(|(name, _)| name == "why");
                why.map(|(_, why)| Self::No(why)).ok_or(ReadError::Foreign)
            }
            _ => Err(ReadError::Foreign),
        }
    }

    /// A fact of an `ok`.
    pub fn fact(&self, name: &str) -> Option<&str> {
        let Self::Ok(facts) = self else { return None };
        let mut facts = facts.iter();
        facts.find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// A message that begins with a verb. Zeros in values would end them, so they become spaces.
fn message(verb: &str, pairs: &[(String, String)]) -> Vec<u8> {
    let mut text = verb.to_owned();
    for (name, value) in pairs {
        text.push('\0');
        text.push_str(&format!("{name}={value}").replace('\0', " "));
    }
    bytes(&text)
}

fn bytes(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

type Fields<'a> = std::str::Split<'a, char>;

fn fields(message: &[u8]) -> Result<(&str, Fields<'_>), ReadError> {
    let text = str::from_utf8(message).map_err(|_| ReadError::Foreign)?;
    let mut fields = text.split('\0');
    let verb = fields.next().unwrap_or_default();
    Ok((verb, fields))
}

fn pairs(fields: Fields<'_>) -> Result<Vec<(String, String)>, ReadError> {
    let pair = |field: &str| {
        let (name, value) = field.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    fields.map(|f| pair(f).ok_or(ReadError::Foreign)).collect()
}

/// A message that arrives in pieces.
#[derive(Debug, Default)]
pub struct Inbox(Vec<u8>);

impl Inbox {
    /// Adds bytes that have arrived.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Takes the first message, without its length, if all of it has arrived.
    ///
    /// # Errors
    /// [`ReadError::TooLong`], as soon as the length is known.
    pub fn take(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let Some((head, rest)) = self.0.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*head) as usize;
        if length > MOST_BYTES {
            return Err(ReadError::TooLong(length));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let message = rest[..length].to_vec();
        self.0.drain(..4 + length);
        Ok(Some(message))
    }
}

/// Reads one message, without its length. Waits as long as the stream does.
///
/// # Errors
/// See [`ReadError`].
pub fn read(stream: &mut impl Read) -> Result<Vec<u8>, ReadError> {
    let mut head = [0; 4];
    exactly(stream, &mut head)?;
    let length = u32::from_le_bytes(head) as usize;
    if length > MOST_BYTES {
        return Err(ReadError::TooLong(length));
    }
    let mut message = vec![0; length];
    exactly(stream, &mut message)?;
    Ok(message)
}

fn exactly(stream: &mut impl Read, into: &mut [u8]) -> Result<(), ReadError> {
    stream.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => ReadError::Closed,
        _ => ReadError::Os(error),
    })
}

/// Sends a request, and waits for its answer as long as the stream does.
///
/// # Errors
/// See [`ReadError`].
pub fn ask(stream: &mut (impl Read + Write), request: &Request) -> Result<Answer, ReadError> {
    stream
        .write_all(&request.encode())
        .map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ReadError::Closed,
            _ => ReadError::Os(error),
        })?;
    Answer::decode(&read(stream)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn requests_and_answers_come_over() {
        let settings = pairs(&[
            ("SOGLIA_RECORDING", "/a=b"),
            ("SOGLIA_POLICY", "two\nlines\t"),
        ]);
        for request in [
            Request::Begin(settings.clone()),
            Request::Begin(Vec::new()),
            Request::Snapshot(settings),
            Request::End { keep: false },
            Request::End { keep: true },
            Request::State,
        ] {
            let message = read(&mut &request.encode()[..]).unwrap();
            assert_eq!(Request::decode(&message).unwrap(), request);
        }
        for answer in [
            Answer::Ok(pairs(&[("live", "7"), ("recording", "")])),
            Answer::No("no\nroom = none".into()),
        ] {
            let message = read(&mut &answer.encode()[..]).unwrap();
            assert_eq!(Answer::decode(&message).unwrap(), answer);
        }
        let ok = Answer::Ok(pairs(&[("live", "7")]));
        assert_eq!((ok.fact("live"), ok.fact("asked")), (Some("7"), None));
    }

    #[test]
    fn no_zero_of_a_value_becomes_a_field() {
        let request = Request::Begin(pairs(&[("A", "x\0B=y")]));
        let message = read(&mut &request.encode()[..]).unwrap();
        assert_eq!(
            Request::decode(&message).unwrap(),
            Request::Begin(pairs(&[("A", "x B=y")]))
        );
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bad in [
            &b""[..],
            b"Begin",
            b"begin\0noequals",
            b"end\0kept",
            b"end\0keep\0keep",
            b"state\0",
            b"\xff",
        ] {
            assert!(Request::decode(bad).is_err(), "{bad:?}");
        }
        for bad in [&b""[..], b"no", b"no\0x=y", b"ok\0x"] {
            assert!(Answer::decode(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_message_is_read_in_any_pieces_and_an_enormous_one_is_refused_at_once() {
        let mut stream = Request::State.encode();
        stream.extend(Request::End { keep: true }.encode());
        let mut inbox = Inbox::default();
        let mut read = Vec::new();
        for byte in stream {
            inbox.add(&[byte]);
            read.extend(inbox.take().unwrap());
        }
        let requests: Vec<Request> = read.iter().map(|m| Request::decode(m).unwrap()).collect();
        assert_eq!(requests, [Request::State, Request::End { keep: true }]);
        inbox.add(&u32::MAX.to_le_bytes());
        assert!(matches!(inbox.take(), Err(ReadError::TooLong(_))));
        assert!(matches!(
            super::read(&mut &u32::MAX.to_le_bytes()[..]),
            Err(ReadError::TooLong(_))
        ));
        assert!(matches!(
            super::read(&mut &[9, 0, 0, 0, b'o'][..]),
            Err(ReadError::Closed)
        ));
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes sockets")]
    fn the_peer_of_a_socket_is_known() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let peer = Peer::of(&one).unwrap();
        assert_eq!(peer.pid, std::process::id());
        assert!(peer.may_attach(peer.uid));
        let other = Peer { pid: 1, uid: 7 };
        let root = Peer { pid: 1, uid: 0 };
        assert!(!other.may_attach(8) && root.may_attach(8));
        assert!(address(&name(u32::MAX, u64::MAX)).is_ok());
    }
}
