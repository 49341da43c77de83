//! The engine in a process that ran before it: tools connect, and begin and end sessions.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`doorman`] | listens, on an engine thread, and reads requests |
//! | [`desk`] | answers requests |
//! | [`worker`] | an engine thread for what is asked of the runtime |
//! | [`session`] | begins and ends sessions, on that thread |
//! | [`host`] | begins and ends a session for a host in the process itself |
//! | [`port`] | has the runtime load the engine for that |
//! | [`failure`] | why a host cannot come or leave |
//!
//! The CLR does not let an engine go that may have changed code. So the engine stays when a session
//! has ended, does nothing, and waits for the next one. An engine that came to look at stacks only
//! goes when no tool is connected any more.

mod desk;
mod doorman;
mod failure;
mod host;
mod port;
mod session;
mod worker;

use soglia_abi::{HRESULT, hresult, profiler::info::ICorProfilerInfo};

use crate::{boundary, clerk, snapshot, start};
use desk::FrontDesk;
use worker::Worker;

/// What the tool passes to the engine when it has the CLR load it.
const HELLO: &str = "soglia 1 ";
/// What follows if the tool only wants stacks.
const STACKS: &str = "stacks";

/// The CLR has loaded the engine into a process that runs.
pub fn initialize(info: &ICorProfilerInfo, hello: &[u8]) -> HRESULT {
    let hello = String::from_utf8_lossy(hello);
    let Some(what) = hello.trim_end_matches('\0').strip_prefix(HELLO) else {
        // Another tool, or another version of this one.
        return hresult::CORPROF_E_PROFILER_CANCEL_ACTIVATION;
    };
    let may_leave = what == STACKS;
    let answer = match may_leave {
        true => start::set_for_stacks(info),
        false => start::set_idle(info),
    };
    if answer.is_ok() {
        session::keep(info.clone(), may_leave);
    }
    answer
}

/// The engine was started with the program. Tools may ask for stacks, and begin no session.
pub fn answer(info: &ICorProfilerInfo) {
    session::keep(info.clone(), false);
    open(None);
}

/// The CLR is done with that: begins to listen for tools.
pub fn listen() {
    if let Some(worker) = worker::hire() {
        snapshot::prepare();
        open(Some(worker));
    }
}

/// Begins to listen.
fn open(worker: Option<Worker>) {
    clerk::thread("soglia-control", move || {
        boundary::fence((), || {
            // If the name is taken, another engine of this process listens already.
            while doorman::serve(&mut FrontDesk::new(worker.clone())).is_ok() {
                if session::leave() {
                    return;
                }
            }
        });
    });
}

/// The engine has panicked, on some thread: has the worker end the session.
pub fn panicked() {
    worker::tell(session::failed);
}
