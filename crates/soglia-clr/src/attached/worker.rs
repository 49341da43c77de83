//! An engine thread that asks things of the runtime which take long.

use std::sync::{
    OnceLock,
    mpsc::{SendError, Sender, channel, sync_channel},
};
use std::time::Duration;

use crate::{boundary, clerk};

type Task = Box<dyn FnOnce() + Send>;

/// `None`: the thread could not be made.
static WORKER: OnceLock<Option<Sender<Task>>> = OnceLock::new();

/// The thread, for those who wait for it.
#[derive(Clone)]
pub struct Worker(Sender<Task>);

/// The thread, which is made the first time. `None`: it could not be made.
pub fn hire() -> Option<Worker> {
    let make = || {
        let (worker, tasks) = channel::<Task>();
        let work = move || {
            while let Ok(task) = tasks.recv() {
                boundary::fence((), task);
            }
        };
        clerk::thread("soglia-session", work).then_some(worker)
    };
    WORKER.get_or_init(make).clone().map(Worker)
}

/// Has the thread do something, and does not wait for it.
pub fn tell(task: fn()) {
    if let Some(Some(worker)) = WORKER.get() {
        let _ = worker.send(Box::new(task));
    }
}

impl Worker {
    /// Has the thread do something, and waits for its answer. `None`: there was a panic.
    pub fn ask<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (reply, answer) = sync_channel(1);
        let task = Box::new(move || {
            let _ = reply.send(task());
        });
        self.0.send(task).ok()?;
        answer.recv().ok()
    }

    /// The same, and waits for so long at most. What is done later is undone. `None`: there was a
    /// panic, or it takes too long.
    pub fn ask_within<T: Send + 'static>(
        &self,
        within: Duration,
        task: impl FnOnce() -> T + Send + 'static,
        undo: impl FnOnce(T) + Send + 'static,
    ) -> Option<T> {
        // Without room, so that an answer is taken or comes back.
        let (reply, answer) = sync_channel(0);
        let task = Box::new(move || {
            if let Err(SendError(done)) = reply.send(task()) {
                undo(done);
            }
        });
        self.0.send(task).ok()?;
        answer.recv_timeout(within).ok()
    }
}
