//! Asking an endpoint for metrics, and reading the answer.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// A sample: a name, labels and a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: Labels,
    pub value: f64,
}

/// The answer of an endpoint.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// By names in lower case.
    pub headers: Labels,
    pub body: String,
}

/// Sends a request and reads all that comes.
pub fn ask(at: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(at).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    let (status, headers) = head.split_once("\r\n").unwrap();
    let headers = headers.split("\r\n").map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    });
    Answer {
        status: status.split(' ').nth(1).unwrap().parse().unwrap(),
        headers: headers.collect(),
        body: body.to_owned(),
    }
}

/// `GET PATH` with this `Accept` header.
pub fn get(at: SocketAddr, path: &str, accept: &str) -> Answer {
    let host = format!("Host: {at}\r\nAccept: {accept}");
    ask(at, &format!("GET {path} HTTP/1.1\r\n{host}\r\n\r\n"))
}

/// The samples of a text.
pub fn samples(text: &str) -> Vec<Sample> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(sample).collect()
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let value = match value {
        "+Inf" => f64::INFINITY,
        value => value.parse().unwrap_or_else(|e| panic!("{e}: {line}")),
    };
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').expect(line)),
        None => (series, ""),
    };
    let (mut found, mut rest) = (Labels::new(), labels);
    while let Some((label, after)) = rest.split_once("=\"") {
        let (mut text, mut end, mut escaped) = (String::new(), None, false);
        for (n, c) in after.char_indices() {
            match (escaped, c) {
                (true, 'n') => text.push('\n'),
                (true, c) => text.push(c),
                (false, '\\') => {
                    escaped = true;
                    continue;
                }
                (false, '"') => {
                    end = Some(n);
                    break;
                }
                (false, c) => text.push(c),
            }
            escaped = false;
        }
        let label = label.trim_start_matches(',').to_owned();
        assert!(found.insert(label, text).is_none(), "{line}");
        rest = &after[end.expect(line) + 1..];
    }
    assert_eq!(rest, "", "{line}");
    Sample {
        name: name.to_owned(),
        labels: found,
        value,
    }
}
