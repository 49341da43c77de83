//! A receiver of OTLP over HTTP that keeps what it gets, and may be slow, busy or gone.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// A request.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    /// By names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// What it answers.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// 0: it closes the connection.
    pub status: u16,
    pub headers: &'static str,
    pub body: Vec<u8>,
    /// It waits until [`Receiver::answer_now`].
    pub waits: bool,
}

impl Reply {
    pub fn ok() -> Self {
        Self::status(200)
    }

    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }
}

type Answer = dyn Fn(usize, &Got) -> Reply + Send + Sync;

struct Shared {
    got: Mutex<Vec<Got>>,
    came: Condvar,
    now: (Mutex<bool>, Condvar),
    ended: AtomicBool,
    answer: Box<Answer>,
}

/// It listens on loopback until it is dropped.
pub struct Receiver {
    at: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Answers the request of each number, from 0, as this function says.
    pub fn start(answer: impl Fn(usize, &Got) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            got: Mutex::default(),
            came: Condvar::new(),
            now: (Mutex::new(false), Condvar::new()),
            ended: AtomicBool::new(false),
            answer: Box::new(answer),
        });
        let of_thread = Arc::clone(&shared);
        let listen = move || {
            for stream in listener.incoming() {
                if of_thread.ended.load(Relaxed) {
                    return;
                }
                let shared = Arc::clone(&of_thread);
                std::thread::spawn(move || serve(stream.unwrap(), &shared));
            }
        };
        Self {
            at,
            shared,
            thread: Some(std::thread::spawn(listen)),
        }
    }

    /// One that takes everything.
    pub fn new() -> Self {
        Self::start(|_, _| Reply::ok())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// All requests so far.
    pub fn got(&self) -> Vec<Got> {
        self.shared.got.lock().unwrap().clone()
    }

    /// Waits for so many requests of a path.
    pub fn wait_for(&self, path: &str, number: usize) {
        let of_path = |got: &Vec<Got>| got.iter().filter(|got| got.path == path).count();
        let got = self.shared.got.lock().unwrap();
        let most = Duration::from_secs(60);
        let fewer = |got: &mut Vec<Got>| of_path(got) < number;
        let (got, over) = self
            .shared
            .came
            .wait_timeout_while(got, most, fewer)
            .unwrap();
        assert!(
            !over.timed_out(),
            "waited in vain: {} of {number}",
            of_path(&got)
        );
    }

    /// Answers all requests that wait.
    pub fn answer_now(&self) {
        let (now, changed) = &self.shared.now;
        *now.lock().unwrap() = true;
        changed.notify_all();
    }

    /// The metrics of each request.
    pub fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        let got = self.got().into_iter();
        let of_path = got.filter(|got| got.path == "/v1/metrics");
        of_path
            .map(|got| ExportMetricsServiceRequest::decode(&got.body[..]).unwrap())
            .collect()
    }

    /// The traces of each request.
    pub fn traces(&self) -> Vec<ExportTraceServiceRequest> {
        let got = self.got().into_iter();
        let of_path = got.filter(|got| got.path == "/v1/traces");
        of_path
            .map(|got| ExportTraceServiceRequest::decode(&got.body[..]).unwrap())
            .collect()
    }

    /// All spans, in the order of the requests.
    pub fn spans(&self) -> Vec<Span> {
        spans(self.traces())
    }
}

/// The spans of these requests.
pub fn spans(requests: Vec<ExportTraceServiceRequest>) -> Vec<Span> {
    let resources = requests.into_iter().flat_map(|of| of.resource_spans);
    let scopes = resources.flat_map(|of| of.scope_spans);
    scopes.flat_map(|of| of.spans).collect()
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.ended.store(true, Relaxed);
        self.answer_now();
        let _ = TcpStream::connect(self.at);
        let _ = self.thread.take().unwrap().join();
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) {
    // A client may give up.
    let Some(got) = request(&mut stream) else {
        return;
    };
    let number = {
        let mut all = shared.got.lock().unwrap();
        all.push(got.clone());
        all.len() - 1
    };
    let reply = (shared.answer)(number, &got);
    shared.came.notify_all();
    if reply.waits {
        let (now, changed) = &shared.now;
        let now = now.lock().unwrap();
        drop(changed.wait_while(now, |now| !*now).unwrap());
    }
    if reply.status == 0 {
        return;
    }
    let head = format!(
        "HTTP/1.1 {} x\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n",
        reply.status,
        reply.headers,
        reply.body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&reply.body);
}

fn request(stream: &mut TcpStream) -> Option<Got> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    let head = loop {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let (first, headers) = text.split_once("\r\n").unwrap();
    let headers = headers.split("\r\n").map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    let headers: BTreeMap<String, String> = headers.collect();
    let (method, path) = first.rsplit_once(' ').unwrap().0.split_once(' ').unwrap();
    assert_eq!(method, "POST");
    let mut body = bytes.split_off(head + 4);
    let length: usize = headers["content-length"].parse().unwrap();
    while body.len() < length {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        body.extend_from_slice(&part[..read]);
    }
    Some(Got {
        path: path.to_owned(),
        headers,
        body,
    })
}
