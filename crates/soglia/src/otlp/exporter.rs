//! The two threads that send, and what they have given up.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::collector::{
    metrics::v1::ExportMetricsServiceResponse,
    trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
};
use prost::Message;
use soglia_core::trace::reader::Reader;

use super::{
    client::{Client, Sent},
    pace::{Backoff, End},
    settings::Settings,
    spans::{self, Ids},
    sums,
};
use crate::{
    metrics::Keeper,
    model::{Figures, SingleCalls, Taken},
    opened::Opened,
};

/// How long the last export may take after the program has ended.
const LAST: Duration = Duration::from_secs(5);
/// What a thread may take beyond that to come back.
const GRACE: Duration = Duration::from_millis(500);
/// The most bytes of a message of spans, as far as that leaves more than one.
const MOST_BYTES: usize = 1 << 20;

/// What became of one kind of message.
#[derive(Debug, Default)]
struct Account {
    /// To be said while the program runs, once.
    news: Option<String>,
    said: bool,
    /// Why the last try failed.
    trouble: Option<String>,
    /// What the receiver would not take, and why.
    refused: u64,
    refused_because: String,
    /// What it took a message without, and why.
    left_out: u64,
    left_out_because: String,
    /// The spans that it took.
    taken: u64,
    /// All that there was is sent or refused.
    is_complete: bool,
}

impl Account {
    fn tell(&mut self, line: impl FnOnce() -> String) {
        if !self.said {
            self.said = true;
            self.news = Some(line());
        }
    }

    fn later(&mut self, url: &str, why: String) {
        self.tell(|| format!("otlp: {url}: {why}; soglia tries again"));
        self.trouble = Some(why);
    }

    fn refuse(&mut self, url: &str, what: &str, number: u64, why: String) {
        self.tell(|| format!("otlp: {url} refuses {what}: {why}"));
        self.refused += number;
        self.refused_because = why;
        self.trouble = None;
    }

    fn leave_out(&mut self, number: i64, why: String) {
        self.left_out += u64::try_from(number).unwrap_or(0);
        if number > 0 {
            self.left_out_because = why;
        }
        self.trouble = None;
    }
}

#[derive(Debug, Default)]
struct Shared {
    end: End,
    metrics: Mutex<Account>,
    spans: Mutex<Account>,
}

fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends what a recording gains.
pub struct Exporter {
    shared: Arc<Shared>,
    urls: [String; 2],
    /// To count what was not sent.
    opened: Opened,
    /// Disconnected when both threads are over.
    over: Receiver<()>,
}

impl Exporter {
    /// Sends from now on, on two threads that have the signal mask of this one. `open` opens the
    /// recording, once for each that reads it.
    ///
    /// # Errors
    /// If the recording cannot be opened, or the system makes no thread.
    pub fn start(
        settings: Settings,
        keeper: Arc<Mutex<Keeper>>,
        open: impl Fn() -> io::Result<Opened>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (done, over) = mpsc::channel();
        let urls = [&settings.metrics, &settings.traces].map(|to| to.url.clone());
        let settings = Arc::new(settings);
        let metrics = Metrics {
            client: Client::new(settings.metrics.clone()),
            settings: Arc::clone(&settings),
            shared: Arc::clone(&shared),
            keeper,
        };
        let spans = Spans {
            client: Client::new(settings.traces.clone()),
            settings,
            shared: Arc::clone(&shared),
            opened: open()?,
            calls: SingleCalls::default(),
            ids: Ids::default(),
        };
        let opened = open()?;
        start("otlp metrics", &done, move || metrics.run())?;
        start("otlp spans", &done, move || spans.run())?;
        Ok(Self {
            shared,
            urls,
            opened,
            over,
        })
    }

    /// What should be said while the program runs.
    pub fn news(&self) -> Vec<String> {
        let accounts = [&self.shared.metrics, &self.shared.spans].into_iter();
        // A thread may hold it for a moment. Then there is time again.
        let news = accounts.filter_map(|account| account.try_lock().ok()?.news.take());
        news.collect()
    }

    /// The program has ended: the last of it is sent now, within a few seconds.
    pub fn end(&self) {
        self.shared.end.comes(Instant::now() + LAST);
    }

    /// Waits for the last of it, and returns what was not delivered, in sentences.
    pub fn finish(self) -> Vec<String> {
        let until = self.shared.end.until().unwrap_or_else(Instant::now) + GRACE;
        let left = until.saturating_duration_since(Instant::now());
        // Nothing is ever sent: both are over, or the time is.
        let _ = self.over.recv_timeout(left);
        let mut lines = Vec::new();
        let [of_metrics, of_spans] = &self.urls;
        let metrics = lock(&self.shared.metrics);
        if !metrics.is_complete {
            let why = metrics.trouble.as_deref().unwrap_or("there was no answer");
            lines.push(format!(
                "otlp: the last metrics did not reach {of_metrics}: {why}"
            ));
        }
        given_up(
            &metrics,
            of_metrics,
            ["exports of metrics", "data points"],
            &mut lines,
        );
        let spans = lock(&self.shared.spans);
        let left = if spans.is_complete {
            0
        } else {
            self.left(&spans)
        };
        if left > 0 {
            let why = spans.trouble.as_deref().unwrap_or("there was no answer");
            lines.push(format!(
                "otlp: {left} spans did not reach {of_spans}: {why}"
            ));
        }
        given_up(&spans, of_spans, ["spans", "spans"], &mut lines);
        lines
    }

    /// How many spans were neither taken nor refused.
    fn left(&self, account: &Account) -> u64 {
        let mut calls = SingleCalls::default();
        if let Ok(reader) = self.opened.read() {
            calls.read(&reader, true);
        }
        let done = account.taken + account.left_out + account.refused;
        calls.left().saturating_sub(done)
    }
}

fn given_up(account: &Account, url: &str, what: [&str; 2], lines: &mut Vec<String>) {
    let [whole, part] = what;
    if account.refused > 0 {
        let (number, why) = (account.refused, &account.refused_because);
        lines.push(format!("otlp: {url} refused {number} {whole}: {why}"));
    }
    if account.left_out > 0 {
        let (number, why) = (account.left_out, &account.left_out_because);
        lines.push(format!("otlp: {url} left out {number} {part}: {why}"));
    }
}

fn start(name: &str, over: &Sender<()>, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let over = over.clone();
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(move || {
        run();
        drop(over);
    })?;
    Ok(())
}

/// The time that is left until the end, if it has come.
fn left(until: Option<Instant>) -> Duration {
    until.map_or(Duration::MAX, |until| {
        until.saturating_duration_since(Instant::now())
    })
}

/// Sends now and then, and once more at the end. `send` gets the time until which it may go on, if
/// the end has come. Its error is the time after which to try again.
fn until_the_end(
    shared: &Shared,
    account: &Mutex<Account>,
    every: Duration,
    mut send: impl FnMut(Option<Instant>, &mut Backoff) -> Result<(), Option<Duration>>,
) {
    let (mut backoff, mut wait) = (Backoff::default(), every);
    loop {
        shared.end.wait(wait);
        let until = shared.end.until();
        let last = until.is_some();
        if last && left(until).is_zero() {
            return;
        }
        match send(until, &mut backoff) {
            Ok(()) => {
                wait = every;
                if last {
                    lock(account).is_complete = true;
                    return;
                }
            }
            Err(asked) => {
                wait = backoff.next(asked);
                if last && wait > left(until) {
                    return;
                }
            }
        }
    }
}

struct Metrics {
    client: Client,
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    keeper: Arc<Mutex<Keeper>>,
}

impl Metrics {
    fn run(self) {
        let (shared, every) = (&self.shared, self.settings.every);
        until_the_end(shared, &shared.metrics, every, |until, backoff| {
            self.send(left(until)).inspect(|()| backoff.reset())
        });
    }

    /// Sends the figures of now. An error is the time after which to try again.
    fn send(&self, most: Duration) -> Result<(), Option<Duration>> {
        let looked = {
            let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
            keeper.look(Duration::ZERO)
        };
        let url = self.client.url();
        let account = || lock(&self.shared.metrics);
        let snapshot = looked.map_err(|error| {
            account().later(url, error.to_string());
            None
        })?;
        let Some(request) = sums::request(&self.settings, &snapshot) else {
            return Ok(());
        };
        match self.client.send(&request, most) {
            Sent::Taken(body) => {
                let answer = ExportMetricsServiceResponse::decode(&body[..]).unwrap_or_default();
                let part = answer.partial_success.unwrap_or_default();
                account().leave_out(part.rejected_data_points, part.error_message);
                Ok(())
            }
            Sent::Refused(why) => {
                account().refuse(url, "metrics", 1, why);
                Ok(())
            }
            Sent::Later(asked, why) => {
                account().later(url, why);
                Err(asked)
            }
        }
    }
}

struct Spans {
    client: Client,
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    opened: Opened,
    calls: SingleCalls,
    ids: Ids,
}

impl Spans {
    fn run(mut self) {
        let (shared, every) = (Arc::clone(&self.shared), self.settings.delay);
        until_the_end(&shared, &shared.spans, every, |until, backoff| {
            self.send_all(until, backoff)
        });
    }

    /// Sends all calls that are complete. An error is the time after which to try again.
    fn send_all(
        &mut self,
        until: Option<Instant>,
        backoff: &mut Backoff,
    ) -> Result<(), Option<Duration>> {
        let Ok(reader) = self.opened.read() else {
            return Err(None);
        };
        if !reader.is_claimed() {
            return Ok(());
        }
        self.calls.read(&reader, until.is_some());
        let process = self.calls.process(&reader);
        loop {
            let (request, number, taken) = self.next(&reader, &process);
            if number == 0 {
                self.calls.take(taken);
                return Ok(());
            }
            self.send(&request, number, left(until))?;
            self.calls.take(taken);
            backoff.reset();
        }
    }

    /// The next message, how many spans it has, and which calls they are.
    fn next(&self, reader: &Reader, process: &Figures) -> (ExportTraceServiceRequest, u64, Taken) {
        let mut most = self.settings.batch;
        loop {
            let (calls, taken) = self.calls.next(reader, most);
            let of = (&self.ids, self.calls.wall());
            let request = spans::request(&self.settings, process, of, &calls);
            if calls.len() < 2 || request.encoded_len() <= MOST_BYTES {
                return (request, calls.len() as u64, taken);
            }
            most = calls.len() / 2;
        }
    }

    fn send(
        &self,
        request: &ExportTraceServiceRequest,
        number: u64,
        most: Duration,
    ) -> Result<(), Option<Duration>> {
        let url = self.client.url();
        let sent = self.client.send(request, most);
        let mut account = lock(&self.shared.spans);
        match sent {
            Sent::Taken(body) => {
                let answer = ExportTraceServiceResponse::decode(&body[..]).unwrap_or_default();
                let part = answer.partial_success.unwrap_or_default();
                let rejected = u64::try_from(part.rejected_spans).unwrap_or(0).min(number);
                account.leave_out(rejected.cast_signed(), part.error_message);
                account.taken += number - rejected;
                Ok(())
            }
            Sent::Refused(why) => {
                account.refuse(url, "spans", number, why);
                Ok(())
            }
            Sent::Later(asked, why) => {
                account.later(url, why);
                Err(asked)
            }
        }
    }
}
