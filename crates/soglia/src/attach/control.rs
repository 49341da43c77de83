//! The tool's end of the engine's control socket.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    time::{Duration, Instant},
};

use soglia_core::{
    control::{Answer, Inbox, PROTOCOL, ReadError, Request, facts, is_readable},
    descriptors,
};

/// How long the engine may take to answer a request that needs no work.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How often a request that is not answered yet calls its `tick`.
const TICK: Duration = Duration::from_millis(100);

/// Why the engine has not done what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The engine said no.
    #[error("{0}")]
    No(String),
    /// It did not answer in time.
    #[error("it did not answer within {}", humantime::format_duration(*.0))]
    Silent(Duration),
    /// It is of another version.
    #[error("it is of another version of soglia ({0}): use the tool of that version")]
    Version(String),
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The connection is closed, or there is no message in it.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<io::Error> for ControlError {
    fn from(error: io::Error) -> Self {
        Self::Read(match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ReadError::Closed,
            _ => ReadError::Os(error),
        })
    }
}

/// A connection to the engine.
#[derive(Debug)]
pub struct Control {
    stream: UnixStream,
    inbox: Inbox,
}

impl Control {
    /// By this connection.
    pub fn over(stream: UnixStream) -> Self {
        Self {
            stream,
            inbox: Inbox::default(),
        }
    }

    /// Sends a request, and returns the answer, which has facts. Calls `tick` now and then; if that
    /// returns `false`, gives the request up.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn request(
        &mut self,
        request: &Request,
        patience: Duration,
        tick: &mut dyn FnMut() -> bool,
    ) -> Result<Answer, ControlError> {
        self.request_with(request, None, patience, tick)
    }

    /// The same, with an open file that the engine cannot open by a path.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub fn request_with(
        &mut self,
        request: &Request,
        file: Option<&File>,
        patience: Duration,
        tick: &mut dyn FnMut() -> bool,
    ) -> Result<Answer, ControlError> {
        let until = Instant::now() + patience;
        // No time at all is no timeout for the kernel.
        let writing = patience.max(TICK);
        self.stream.set_write_timeout(Some(writing))?;
        let message = request.encode();
        // The file goes with the first bytes.
        let sent = match file {
            Some(file) => descriptors::send(&self.stream, &message, Some(file.as_fd())),
            None => Ok(0),
        };
        sent.and_then(|sent| self.stream.write_all(&message[sent..]))
            .map_err(|error| late(error, patience))?;
        loop {
            if let Some(message) = self.inbox.take()? {
                let answer = Answer::decode(&message)?;
                return match answer {
                    Answer::No(why) => Err(ControlError::No(why)),
                    Answer::Ok(_) => known(answer),
                };
            }
            if self.is_readable(TICK) {
                self.receive()?;
                continue;
            }
            if Instant::now() >= until {
                return Err(ControlError::Silent(patience));
            }
            if !tick() {
                return Err(ControlError::Interrupted);
            }
        }
    }

    /// Waits for so long, or until a signal comes.
    ///
    /// # Errors
    /// If the engine has closed the connection.
    pub fn wait(&mut self, time: Duration) -> Result<(), ControlError> {
        // The engine says nothing unasked. What it says then is of a later version.
        if self.is_readable(time) {
            self.receive()?;
        }
        Ok(())
    }

    fn is_readable(&self, within: Duration) -> bool {
        let milliseconds = i32::try_from(within.as_millis()).unwrap_or(i32::MAX);
        is_readable(self.stream.as_fd(), milliseconds)
    }

    /// Takes what has arrived.
    fn receive(&mut self) -> Result<(), ControlError> {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(ReadError::Closed.into()),
            Ok(read) => {
                self.inbox.add(&bytes[..read]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// An answer of an engine that this tool understands.
fn known(answer: Answer) -> Result<Answer, ControlError> {
    match answer.fact(facts::PROTOCOL) {
        Some(protocol) if protocol != PROTOCOL.to_string() => {
            let engine = answer.fact(facts::ENGINE).unwrap_or("unknown");
            Err(ControlError::Version(engine.to_owned()))
        }
        _ => Ok(answer),
    }
}

/// The error of a socket, which says in two ways that the time is over.
fn late(error: io::Error, patience: Duration) -> ControlError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ControlError::Silent(patience),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// An engine that reads a request and writes this. Then it closes the connection, or waits for
    /// the tool to do so.
    fn asked(answer: Vec<u8>, closes: bool) -> Result<Answer, ControlError> {
        let (client, mut server) = UnixStream::pair().unwrap();
        let engine = thread::spawn(move || {
            let request = soglia_core::control::read(&mut server).unwrap();
            assert_eq!(Request::decode(&request).unwrap(), Request::State);
            server.write_all(&answer).unwrap();
            if !closes {
                let _ = server.read(&mut [0]);
            }
        });
        let result = Control::over(client).request(&Request::State, PATIENCE, &mut || true);
        engine.join().unwrap();
        result
    }

    #[test]
    fn answers_are_read() {
        let ok = Answer::Ok(vec![("live".into(), "7".into())]);
        assert_eq!(asked(ok.encode(), false).unwrap(), ok);
        let no = Answer::No("another tool records".into());
        let error = asked(no.encode(), false).unwrap_err();
        assert_eq!(error.to_string(), "another tool records");
    }

    #[test]
    fn an_engine_of_another_version_is_named() {
        let facts = [("protocol", "99"), ("engine", "7.1.0")];
        let facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let error = asked(Answer::Ok(facts.to_vec()).encode(), false).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("another version of soglia (7.1.0)")
        );
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let closed = [Vec::new(), vec![9, 0, 0, 0, b'o']];
        for bytes in closed {
            let error = asked(bytes, true).unwrap_err();
            assert!(
                matches!(error, ControlError::Read(ReadError::Closed)),
                "{error}"
            );
        }
        let huge = asked(u32::MAX.to_le_bytes().to_vec(), false).unwrap_err();
        assert!(huge.to_string().contains("too long"), "{huge}");
        let foreign = asked(vec![3, 0, 0, 0, b'y', b'e', b's'], false).unwrap_err();
        assert!(foreign.to_string().contains("same version"), "{foreign}");
    }

    #[test]
    fn a_request_can_be_given_up() {
        let (client, _server) = UnixStream::pair().unwrap();
        let mut control = Control::over(client);
        let error = control
            .request(&Request::State, PATIENCE, &mut || false)
            .unwrap_err();
        assert!(matches!(error, ControlError::Interrupted));
        let error = control
            .request(&Request::State, Duration::ZERO, &mut || true)
            .unwrap_err();
        assert!(matches!(error, ControlError::Silent(_)));
    }

    #[test]
    fn a_closed_connection_is_noticed_while_waiting() {
        let (client, server) = UnixStream::pair().unwrap();
        let mut control = Control::over(client);
        control.wait(Duration::from_millis(1)).unwrap();
        drop(server);
        assert!(control.wait(PATIENCE).is_err());
    }
}
