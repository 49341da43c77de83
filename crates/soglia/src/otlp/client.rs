//! One request, and what its answer means.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use prost::Message;
use ureq::{Agent, Body, http::Response};

use super::settings::Destination;

/// The most bytes of an answer that are read.
const MOST_BYTES: u64 = 64 << 10;
/// The most characters of a message that are shown.
const MOST_TEXT: usize = 200;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The receiver has it, except for what it says that it left out.
    Taken(Vec<u8>),
    /// The receiver will not take it, however often it is sent.
    Refused(String),
    /// It may be taken later: not before this time, if the receiver says so.
    Later(Option<Duration>, String),
}

/// Sends requests to one destination.
pub struct Client {
    agent: Agent,
    to: Destination,
}

impl Client {
    /// Opens no connection yet.
    pub fn new(to: Destination) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A collector is near by.
            .proxy(None)
            .user_agent(concat!("soglia/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Self { agent, to }
    }

    /// Where it sends to.
    pub fn url(&self) -> &str {
        &self.to.url
    }

    /// Sends a message, for at most this time.
    pub fn send(&self, message: &impl Message, most: Duration) -> Sent {
        let timeout = self.to.timeout.min(most);
        let mut request = self
            .agent
            .post(&*self.to.url)
            .config()
            .timeout_global(Some(timeout))
            .build()
            .header("Content-Type", "application/x-protobuf");
        for (name, value) in &self.to.headers {
            request = request.header(name, value);
        }
        match request.send(&message.encode_to_vec()[..]) {
            Ok(response) => answered(response),
            Err(ureq::Error::Timeout(_)) => Sent::Later(
                None,
                format!(
                    "no answer within {}",
                    humantime::format_duration(rounded(timeout))
                ),
            ),
            Err(error) => Sent::Later(None, error.to_string()),
        }
    }
}

/// Whole milliseconds.
fn rounded(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn answered(mut response: Response<Body>) -> Sent {
    let status = response.status();
    let wait = response.headers().get("Retry-After");
    let wait = wait.and_then(|value| retry_after(value.to_str().ok()?, SystemTime::now()));
    let body = response.body_mut().with_config().limit(MOST_BYTES);
    let body = body.read_to_vec().unwrap_or_default();
    match status.as_u16() {
        200..=299 => Sent::Taken(body),
        // By the protocol, these and no others may be tried again.
        429 | 502 | 503 | 504 => Sent::Later(wait, format!("HTTP {status}{}", said(&body))),
        _ => Sent::Refused(format!("HTTP {status}{}", said(&body))),
    }
}

/// Seconds, or a date.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    let now = Timestamp::try_from(now).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

/// What a receiver says of a request that it does not take: `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

/// The message of an answer, if it has one.
fn said(body: &[u8]) -> String {
    let plain = std::str::from_utf8(body).ok();
    let is_text = |text: &&str| !text.contains(|c: char| c.is_control() && c != '\n' && c != '\r');
    let text = match plain.filter(is_text) {
        Some(text) => text.to_owned(),
        None => Status::decode(body).map_or_else(|_| String::new(), |status| status.message),
    };
    let line = text.lines().next().unwrap_or_default().trim();
    let line: String = line.chars().take(MOST_TEXT).collect();
    match line.is_empty() {
        true => String::new(),
        false => format!(": {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_when_to_try_again() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let after = |text: &str| retry_after(text, now);
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        let date = "Sun, 06 Nov 1994 08:49:47 GMT";
        assert_eq!(after(date), Some(Duration::from_secs(10)));
        let past = "Sun, 06 Nov 1994 08:49:27 GMT";
        assert_eq!(after(past), Some(Duration::ZERO));
        assert_eq!(after("soon"), None);
    }

    #[test]
    fn messages_are_texts_or_those_of_the_protocol() {
        let status = Status {
            message: "too large".to_owned(),
        };
        assert_eq!(said(&status.encode_to_vec()), ": too large");
        assert_eq!(said(b"404 page not found\n"), ": 404 page not found");
        assert_eq!(said(b""), "");
        assert_eq!(said(&[0xff, 0x00]), "");
    }
}
