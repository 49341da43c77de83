//! Waits of threads for what is no lock, on events of a host.

use soglia_abi::{HRESULT, hosting::runtime_host::ICLRRuntimeHost4, hresult::*};

use crate::{
    api::{Library, assembly, call_in},
    cases::{Case, case},
    detector::detects,
};

pub const CASES: &[Case] = &[
    case("waiting_threads_go_on", waiting_threads_go_on),
    case("waits_for_handles_end", waits_for_handles_end),
    case("a_host_answers_other_waits", a_host_answers_other_waits),
    case("handles_are_stormed", handles_are_stormed),
];

fn call(host: &ICLRRuntimeHost4, name: &str, argument: &str) -> Result<i32, HRESULT> {
    let path = assembly();
    let class = "Soglia.Hosted.Handles";
    call_in(host, path.to_str().unwrap(), class, name, argument)
}

/// Each kind, and what makes its event.
const KINDS: [(&str, &str); 10] = [
    ("auto", "CreateAutoEvent"),
    ("manual", "CreateManualEvent false"),
    ("semaphore", "CreateSemaphore 0 2147483647"),
    ("mutex", "CreateAutoEvent"),
    ("slim-event", "CreateAutoEvent"),
    ("slim-semaphore", "CreateAutoEvent"),
    ("pulse", "CreateAutoEvent"),
    ("writer", "CreateRWLockWriterEvent"),
    ("reader", "CreateRWLockReaderEvent false"),
    ("lock", "CreateMonitorEvent"),
];

const MAKERS: [&str; 6] = [
    "CreateAutoEvent",
    "CreateManualEvent",
    "CreateSemaphore",
    "CreateMonitorEvent",
    "CreateRWLockWriterEvent",
    "CreateRWLockReaderEvent",
];

/// The kinds that this version has.
fn kinds(version: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let has_lock = !version.starts_with("8.");
    KINDS
        .into_iter()
        .filter(move |(kind, _)| has_lock || *kind != "lock")
}

pub fn waiting_threads_go_on(library: &Library, version: &str) {
    let host = library.host(version);
    let detector = detects(&host);
    let mut seen = Vec::new();
    for (kind, maker) in kinds(version) {
        for count in [1, 2, 16] {
            let answer = call(&host, "Release", &format!("{kind} {count}"));
            assert_eq!(answer, Ok(count), "{kind}");
            let mut told = detector.told(&[
                "Wait", MAKERS[0], MAKERS[1], MAKERS[2], MAKERS[3], MAKERS[4], MAKERS[5],
            ]);
            assert!(
                told.iter().any(|line| line == "Wait -1 2"),
                "{kind}: {told:?}"
            );
            seen.append(&mut told);
        }
        assert!(seen.iter().any(|line| line == maker), "{kind}: {seen:?}");
    }
    assert_eq!(call(&host, "SetAndReset", "16"), Ok(16));
}

pub fn waits_for_handles_end(library: &Library, version: &str) {
    let host = library.host(version);
    let detector = detects(&host);
    for (kind, _) in kinds(version) {
        assert_eq!(call(&host, "Vain", &format!("{kind} 10")), Ok(0), "{kind}");
        assert_eq!(call(&host, "Vain", &format!("{kind} 0")), Ok(0), "{kind}");
        let interrupted = Ok(COR_E_THREADINTERRUPTED.0);
        assert_eq!(call(&host, "Interrupt", kind), interrupted, "{kind}");
        detector.told(&[]);
        detector.answers("Wait", HOST_E_DEADLOCK);
        let answer = call(&host, "Vain", &format!("{kind} -1"));
        assert_eq!(answer, Ok(HOST_E_DEADLOCK.0), "{kind}");
        assert!(
            detector.told(&["Wait"]).contains(&"Wait -1 2".to_owned()),
            "{kind}"
        );
        detector.works();
    }
    assert_eq!(call(&host, "Abandon", ""), Ok(COR_E_ABANDONEDMUTEX.0));
}

/// Whatever a host answers, what is waited for is what it is.
pub fn a_host_answers_other_waits(library: &Library, version: &str) {
    let host = library.host(version);
    let detector = detects(&host);
    for (kind, _) in kinds(version) {
        for method in MAKERS {
            detector.answers(method, E_NOTIMPL);
        }
        assert_eq!(
            call(&host, "Release", &format!("{kind} 2")),
            Ok(2),
            "{kind}"
        );
        assert_eq!(call(&host, "Vain", &format!("{kind} 10")), Ok(0), "{kind}");
        detector.works();
        for answer in [
            E_NOTIMPL,
            S_FALSE,
            HOST_E_ABANDONED,
            S_OK,
            HOST_E_INTERRUPTED,
        ] {
            detector.answers("Wait", answer);
            let what = format!("{kind} {answer:?}");
            assert_eq!(
                call(&host, "Release", &format!("{kind} 2")),
                Ok(2),
                "{what}"
            );
            assert_eq!(call(&host, "Vain", &format!("{kind} 10")), Ok(0), "{what}");
            detector.works();
        }
    }
}

pub fn handles_are_stormed(library: &Library, version: &str) {
    let host = library.host(version);
    let detector = detects(&host);
    detector.storms(|seed| call(&host, "Storm", &format!("64 100 {seed}")));
}
