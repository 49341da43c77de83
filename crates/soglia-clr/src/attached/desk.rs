//! Answers the requests of tools.

use std::fs::File;

use soglia_core::control::{Answer, PROTOCOL, Peer, Request, facts};

use super::{
    doorman::Desk,
    session::{self, Running, Why},
    worker::Worker,
};
use crate::{
    engine,
    settings::Settings,
    snapshot::{self, Which},
    start,
};

/// See [`Desk`].
pub struct FrontDesk {
    /// `None`: the engine was started with the program, so no session can begin.
    worker: Option<Worker>,
    /// The tool that holds the session by its connection. None holds one that was kept.
    holder: Option<(u64, Peer)>,
}

impl FrontDesk {
    pub fn new(worker: Option<Worker>) -> Self {
        Self {
            worker,
            holder: None,
        }
    }

    fn begin(
        &mut self,
        tool: u64,
        peer: Peer,
        settings: Vec<(String, String)>,
        file: Option<&File>,
    ) -> Answer {
        if let Some(running) = session::running() {
            return Answer::No(self.already(&running));
        }
        let Some(worker) = &self.worker else {
            return Answer::No(STARTED.to_owned());
        };
        let settings = Settings::given(settings, file);
        match worker.ask(move || session::begin(&settings)) {
            Some(Ok(began)) => {
                self.holder = Some((tool, peer));
                // On this thread, as below. Calls that are open now began before the hooks.
                if let Some(engine) = engine::get() {
                    snapshot::record(engine, Which::Managed);
                }
                Answer::Ok(general().chain(began).collect())
            }
            Some(Err(why)) => Answer::No(why),
            None => Answer::No(DEFECT.to_owned()),
        }
    }

    /// Why no session can begin: one runs.
    fn already(&self, running: &Running) -> String {
        if running.by_host {
            return HOSTED.to_owned();
        }
        let recording = running.recording.display();
        match self.holder {
            Some((_, peer)) => format!(
                "process {} is attached already, and records into {recording}",
                peer.pid
            ),
            None => format!("an attach that was kept records into {recording}: end that one first"),
        }
    }

    fn end(&mut self, tool: u64, keep: bool) -> Answer {
        let Some(running) = session::running() else {
            return Answer::No("no session runs".to_owned());
        };
        if running.by_host || self.holder.is_some_and(|(holder, _)| holder != tool) {
            return Answer::No(self.already(&running));
        }
        self.holder = None;
        if keep {
            self.work(session::go_on);
            return Answer::Ok(general().collect());
        }
        match self.work(|| session::end(Why::Asked)) {
            Some(ended) => Answer::Ok(general().chain(ended).collect()),
            None => Answer::No(DEFECT.to_owned()),
        }
    }

    /// Has the worker do something, and waits for its answer.
    fn work<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.worker.as_ref()?.ask(task)
    }

    fn state(&self) -> Answer {
        let mut all: Vec<_> = general().collect();
        if let Some(running) = session::running().filter(|running| !running.by_host) {
            let mut add = |name: &str, value: String| all.push((name.to_owned(), value));
            add(facts::RECORDING, running.recording.display().to_string());
            if let Some(identity) = running.identity {
                add(facts::IDENTITY, identity);
            }
            if let Some((_, peer)) = self.holder {
                add(facts::HOLDER, peer.pid.to_string());
            }
        }
        Answer::Ok(all)
    }
}

/// Takes a snapshot, on this thread: it has descriptors of its own, and the program's stay as they
/// are.
fn take_snapshot(settings: Vec<(String, String)>, file: Option<&File>) -> Answer {
    let Some(info) = session::clr() else {
        return Answer::No(session::NOT_YET.to_owned());
    };
    match start::take_snapshot(&info, &Settings::given(settings, file)) {
        Ok(()) => Answer::Ok(general().collect()),
        Err(why) => Answer::No(why),
    }
}

const STARTED: &str = "the program runs under soglia, which records it already";

const HOSTED: &str = "a host in the process itself is notified of its crossings \
     (SogliaAttachTaskManager): it has to detach its task manager before";

const DEFECT: &str = "the engine has a defect, please report it";

/// What every `ok` says.
fn general() -> impl Iterator<Item = (String, String)> {
    let engine = env!("CARGO_PKG_VERSION").to_owned();
    [
        (facts::PROTOCOL.to_owned(), PROTOCOL.to_string()),
        (facts::ENGINE.to_owned(), engine),
    ]
    .into_iter()
}

impl Desk for FrontDesk {
    fn answer(&mut self, tool: u64, peer: Peer, request: Request, file: Option<&File>) -> Answer {
        match request {
            Request::Begin(settings) => self.begin(tool, peer, settings, file),
            Request::End { keep } => self.end(tool, keep),
            Request::Snapshot(settings) => take_snapshot(settings, file),
            Request::State => self.state(),
        }
    }

    fn closed(&mut self, tool: u64) {
        if self.holder.is_some_and(|(holder, _)| holder == tool) {
            self.holder = None;
            self.work(|| session::end(Why::ToolGone));
        }
    }

    fn holder(&self) -> Option<u64> {
        self.holder.map(|(tool, _)| tool)
    }

    fn lost(&mut self) -> Option<u64> {
        let lost = self.holder.take_if(|_| session::running().is_none());
        lost.map(|(tool, _)| tool)
    }

    fn leaves(&self) -> bool {
        session::can_leave()
    }

    fn leaves_later(&self) -> bool {
        session::may_leave()
    }
}
