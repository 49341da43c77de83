//! An HTTP endpoint that answers with the figures of now.
//!
//! It answers each request and closes the connection. Nothing that a client does, or leaves undone,
//! takes more than a few threads of the tool for a few seconds.

#![allow(
    unsafe_code,
    reason = "std cannot wake a thread that waits for a connection"
)]

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    os::fd::AsRawFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{exposition::Format, keeper::Keeper};

/// The most clients that are served at a time.
const MOST_CLIENTS: usize = 16;
/// The most bytes of a request.
const MOST_BYTES: usize = 16 << 10;
/// The most headers of a request.
const MOST_HEADERS: usize = 64;
/// How long a client may take to send its request, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests within this time get the figures of the first one, so that many of them cost the
/// machine no more than some.
const NO_OLDER: Duration = Duration::from_millis(100);
/// How long to wait if the system has no room for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// An address that is taken and does not answer yet.
#[derive(Debug)]
pub struct Endpoint {
    listener: TcpListener,
    at: SocketAddr,
}

impl Endpoint {
    /// Takes an address: `HOST:PORT`, or a port of this machine alone. Port 0 is a free one.
    ///
    /// # Errors
    /// If it is no address, or the system does not give it.
    pub fn bind(address: &str) -> io::Result<Self> {
        let listener = match address.parse::<u16>() {
            Ok(port) => TcpListener::bind(("127.0.0.1", port))?,
            Err(_) => TcpListener::bind(&*addresses(address)?)?,
        };
        let at = listener.local_addr()?;
        Ok(Self { listener, at })
    }

    /// The address that was taken.
    pub const fn at(&self) -> SocketAddr {
        self.at
    }

    /// Answers from now on, on threads of its own. They have the signal mask of this one.
    ///
    /// # Errors
    /// If the system makes no thread.
    pub fn serve(self, keeper: Arc<Mutex<Keeper>>) -> io::Result<Serving> {
        let listener = Arc::new(self.listener);
        let ended = Arc::new(AtomicBool::new(false));
        let thread = {
            let (listener, ended) = (Arc::clone(&listener), Arc::clone(&ended));
            let accept = move || accept(&listener, &ended, &keeper);
            thread::Builder::new()
                .name("metrics".into())
                .spawn(accept)?
        };
        Ok(Serving {
            listener,
            ended,
            thread: Some(thread),
        })
    }
}

/// The addresses that a text names.
fn addresses(text: &str) -> io::Result<Vec<SocketAddr>> {
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    let expected = "expected HOST:PORT, such as 127.0.0.1:9464, or a port";
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(wrong(expected.into()));
    };
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(wrong(expected.into()));
    }
    let found: Vec<SocketAddr> = text
        .to_socket_addrs()
        .map_err(|error| wrong(format!("no address was found for {host}: {error}")))?
        .collect();
    match found.is_empty() {
        true => Err(wrong(format!("no address was found for {host}"))),
        false => Ok(found),
    }
}

/// An endpoint that answers. It ends when this is dropped.
#[derive(Debug)]
pub struct Serving {
    listener: Arc<TcpListener>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
        // SAFETY: the descriptor is open, since the listener lives. No memory is touched. On Linux
        // this has the waiting thread come back with an error.
        unsafe { libc::shutdown(self.listener.as_raw_fd(), libc::SHUT_RDWR) };
        if let Some(thread) = self.thread.take() {
            // If it panicked, it has ended too.
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, ended: &AtomicBool, keeper: &Arc<Mutex<Keeper>>) {
    let clients = Arc::new(AtomicUsize::new(0));
    while !ended.load(Relaxed) {
        let Ok((stream, _)) = listener.accept() else {
            if !ended.load(Relaxed) {
                thread::sleep(PAUSE);
            }
            continue;
        };
        if clients.fetch_add(1, Relaxed) >= MOST_CLIENTS {
            clients.fetch_sub(1, Relaxed);
            let _ = reply(
                &stream,
                &Answer::text("503 Service Unavailable", "too many clients\n"),
            );
            continue;
        }
        let (keeper, of_thread) = (Arc::clone(keeper), Arc::clone(&clients));
        let serve = move || {
            // A client that is gone needs no answer.
            let _ = serve(stream, &keeper);
            of_thread.fetch_sub(1, Relaxed);
        };
        let thread = thread::Builder::new().name("metrics client".into());
        if thread.spawn(serve).is_err() {
            clients.fetch_sub(1, Relaxed);
        }
    }
}

struct Answer {
    status: &'static str,
    content_type: &'static str,
    body: String,
    /// The request was for the head alone.
    head_only: bool,
}

impl Answer {
    fn text(status: &'static str, body: &str) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: body.to_owned(),
            head_only: false,
        }
    }
}

fn serve(stream: TcpStream, keeper: &Mutex<Keeper>) -> io::Result<()> {
    let answer = match request(&stream)? {
        Some(request) => answer(&request, keeper),
        None => Answer::text("400 Bad Request", "this is not HTTP\n"),
    };
    reply(&stream, &answer)
}

/// What is read of a request.
struct Request {
    method: String,
    path: String,
    accept: String,
}

/// Reads a request up to the end of its headers. Returns `None` if it is not one.
fn request(mut stream: &TcpStream) -> io::Result<Option<Request>> {
    let until = Instant::now() + PATIENCE;
    let mut bytes = Vec::new();
    let mut part = [0; 2048];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || bytes.len() > MOST_BYTES {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&part[..read]);
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(&bytes) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(_)) => return Ok(Some(asked(&parsed))),
            Err(_) => return Ok(None),
        }
    }
}

fn asked(request: &httparse::Request<'_, '_>) -> Request {
    let accept = request.headers.iter();
    let accept = accept.filter(|header| header.name.eq_ignore_ascii_case("accept"));
    let values: Vec<_> = accept
        .map(|header| String::from_utf8_lossy(header.value))
        .collect();
    let path = request.path.unwrap_or_default();
    Request {
        method: request.method.unwrap_or_default().to_owned(),
        path: path.split(['?', '#']).next().unwrap_or_default().to_owned(),
        accept: values.join(","),
    }
}

fn answer(request: &Request, keeper: &Mutex<Keeper>) -> Answer {
    let head_only = request.method == "HEAD";
    if !head_only && request.method != "GET" {
        return Answer::text("405 Method Not Allowed", "only GET and HEAD are answered\n");
    }
    let answer = match &*request.path {
        "/metrics" => figures(request, keeper),
        "/" => Answer::text("200 OK", "soglia: the figures are at /metrics\n"),
        _ => Answer::text("404 Not Found", "the figures are at /metrics\n"),
    };
    Answer {
        head_only,
        ..answer
    }
}

fn figures(request: &Request, keeper: &Mutex<Keeper>) -> Answer {
    let format = Format::accepted(&request.accept);
    let looked = {
        let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
        keeper.look(NO_OLDER)
    };
    let unavailable = |why: String| Answer::text("503 Service Unavailable", &format!("{why}\n"));
    match looked.map(|snapshot| format.write(snapshot)) {
        Ok(Ok(body)) => Answer {
            status: "200 OK",
            content_type: format.content_type(),
            body,
            head_only: false,
        },
        Ok(Err(error)) => unavailable(error.to_string()),
        Err(error) => unavailable(error.to_string()),
    }
}

fn reply(mut stream: &TcpStream, answer: &Answer) -> io::Result<()> {
    let Answer {
        status,
        content_type,
        body,
        head_only,
    } = answer;
    stream.set_write_timeout(Some(PATIENCE))?;
    let allow = match status.starts_with("405") {
        true => "Allow: GET, HEAD\r\n",
        false => "",
    };
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}\
         Connection: close\r\n\r\n",
        body.len()
    );
    if !head_only {
        bytes += body;
    }
    stream.write_all(bytes.as_bytes())?;
    stream.shutdown(Shutdown::Write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for good in ["127.0.0.1:0", "[::1]:1", "localhost:9464"] {
            assert!(addresses(good).is_ok(), "{good}");
        }
        for bad in ["", "x", ":1", "127.0.0.1:", "127.0.0.1:99999", "::1"] {
            let error = addresses(bad).unwrap_err().to_string();
            assert!(
                error.contains("HOST:PORT") || error.contains("no address"),
                "{bad}: {error}"
            );
        }
    }

    #[test]
    fn a_port_alone_is_of_this_machine_and_is_taken_once() {
        let endpoint = Endpoint::bind("0").unwrap();
        assert!(endpoint.at().ip().is_loopback());
        let again = Endpoint::bind(&endpoint.at().to_string()).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
    }
}
