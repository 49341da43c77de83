//! Task managers that come while the runtime runs.

use std::sync::Arc;
use std::time::Duration;

use soglia::host::{Crossing, Error, HResult, Host, HostGcManager, HostTaskManager};

use crate::crossings::{Heard, Manager, SIX, run, secret};
use crate::stage::Stage;

/// A host without a task manager, in which everything has run once.
fn running(stage: &Stage) -> Host {
    let host = stage.builder().start().unwrap();
    run(stage, &host);
    assert_eq!(secret(stage, &host).unwrap(), 1);
    host
}

pub fn a_manager_comes_later(stage: &Stage) {
    let host = running(stage);
    let heard = Arc::<Heard>::default();
    let attached = Host::attach(Manager(heard.clone())).unwrap();
    assert_eq!(attached.host().version(), stage.version);
    assert_eq!(heard.told(), [""; 0], "what was before");
    run(stage, &host);
    assert_eq!(heard.told(), SIX);
    // By the attached one's own host, too.
    assert_eq!(secret(stage, attached.host()).unwrap(), 2);
    assert_eq!(heard.told(), ["leave guest_secret", "enter"]);
    attached.detach().unwrap();
    run(stage, &host);
    assert_eq!(heard.told(), [""; 0], "after it has left");
    let again = Arc::<Heard>::default();
    let attached = Host::attach(Manager(again.clone())).unwrap();
    drop(host);
    run(stage, attached.host());
    assert_eq!(again.told(), SIX, "the second");
    assert_eq!(heard.told(), [""; 0], "the first");
}

pub fn a_manager_that_comes_later_refuses(stage: &Stage) {
    let host = running(stage);
    let heard = Arc::<Heard>::default();
    let attached = Host::attach(Manager(heard.clone())).unwrap();
    *heard.leave.lock().unwrap() = Some(HResult::ACCESS_DENIED);
    // The plug-in prints the exception, and returns how often the function has run.
    assert_eq!(secret(stage, &host).unwrap(), 1);
    assert_eq!(heard.told(), ["leave guest_secret"]);
    attached.detach().unwrap();
    assert_eq!(secret(stage, &host).unwrap(), 2);
}

pub fn a_manager_is_dropped(stage: &Stage) {
    let host = running(stage);
    let heard = Arc::<Heard>::default();
    let attached = Host::attach(Manager(heard.clone())).unwrap();
    run(stage, &host);
    assert!(
        Arc::strong_count(&heard) > 1,
        "the engine has it, and its tasks"
    );
    drop(attached);
    assert_eq!(Arc::strong_count(&heard), 1, "and has given all of it back");
}

pub fn crossings_are_watched_later(stage: &Stage) {
    let host = running(stage);
    let attached = Host::builder().watch().attach().unwrap();
    let events = attached.events();
    run(stage, &host);
    assert_eq!(secret(stage, &host).unwrap(), 2);
    attached.detach().unwrap();
    // Ends, because nothing comes any more.
    let all: Vec<_> = events.collect();
    let targets = all.iter().filter_map(|event| event.target);
    let secrets = targets.filter(|target| target.name().as_deref() == Some("guest_secret"));
    assert_eq!(secrets.count(), 2, "a call and its return");
    let count = |of| all.iter().filter(|event| event.crossing == of).count();
    let leaves = count(Crossing::LeaveRuntime);
    assert_eq!(leaves, count(Crossing::EnterRuntime), "pairs");
    assert_eq!(count(Crossing::ReverseEnterRuntime), 1);
    assert_eq!(count(Crossing::ReverseLeaveRuntime), 1);
    assert!(host.events().next_within(Duration::ZERO).is_none());
}

struct Nothing;

impl HostTaskManager for Nothing {}
impl HostGcManager for Nothing {}

pub fn what_cannot_come_later(stage: &Stage) {
    let why = Host::attach(Nothing).unwrap_err();
    assert!(matches!(why, Error::NoRuntime), "{why}");
    let host = running(stage);
    let builders = [
        (Host::builder().version("9.0"), "Builder::version"),
        (Host::builder().property("a", "b"), "Builder::property"),
        (Host::builder().gc_manager(Nothing), "Builder::gc_manager"),
    ];
    for (builder, what) in builders {
        let why = builder.watch().attach().unwrap_err();
        assert!(matches!(why, Error::OnlyAtStart(_)), "{why}");
        assert!(why.to_string().contains(what), "{why}");
    }
    let why = Host::builder().attach().unwrap_err();
    assert!(matches!(why, Error::NoTaskManager), "{why}");
    let attached = Host::attach(Nothing).unwrap();
    let why = Host::attach(Nothing).unwrap_err();
    assert_eq!(why.code(), Some(HResult::INVALID_OPERATION), "{why}");
    let text = "attaching the task manager failed: a task manager is attached already: detach that one first";
    assert!(why.to_string().starts_with(text), "{why}");
    attached.detach().unwrap();
    assert_eq!(secret(stage, &host).unwrap(), 2);
}
