//! A host that comes while the runtime runs, and leaves again.

use std::{
    ffi::{CStr, c_char},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    thread,
};

use soglia_abi::{HRESULT, hosting::host_task::IHostTaskManager, hresult::*, param::Lent};

use crate::{
    acting::{self, KINDS},
    api::{Library, start},
    cases::{Case, case},
    script::{self, Acting, Script, Told, try_control, wait_for},
    slots,
};

pub const CASES: &[Case] = &[
    case(
        "a_host_that_comes_later_is_told",
        a_host_that_comes_later_is_told,
    ),
    case("a_host_leaves_and_comes_back", a_host_leaves_and_comes_back),
    case(
        "a_host_that_comes_later_may_refuse",
        a_host_that_comes_later_may_refuse,
    ),
    case(
        "a_host_comes_and_goes_under_load",
        a_host_comes_and_goes_under_load,
    ),
    case(
        "a_host_that_leaves_is_released_by_the_last_thread",
        a_host_that_leaves_is_released_by_the_last_thread,
    ),
    case(
        "calls_that_are_open_are_not_told",
        calls_that_are_open_are_not_told,
    ),
    case(
        "slots_bound_a_runtime_that_runs",
        slots_bound_a_runtime_that_runs,
    ),
];

/// The functions of `soglia.h`.
#[derive(Clone, Copy)]
pub struct Doors {
    pub attach: unsafe extern "system" fn(Lent<'_, IHostTaskManager>) -> HRESULT,
    pub detach: extern "system" fn() -> HRESULT,
    text: extern "system" fn() -> *const c_char,
}

impl Doors {
    pub fn of(library: &Library) -> Self {
        // SAFETY: soglia.h declares the functions with these types.
        unsafe {
            Self {
                attach: library.function("SogliaAttachTaskManager"),
                detach: library.function("SogliaDetachTaskManager"),
                text: library.function("SogliaGetLastErrorText"),
            }
        }
    }

    /// The answer, and the text that belongs to it.
    pub fn try_attach(self, manager: &IHostTaskManager) -> (HRESULT, String) {
        // SAFETY: the manager is alive.
        let answer = unsafe { (self.attach)(Lent::new(manager)) };
        (answer, self.text())
    }

    #[track_caller]
    pub fn attach(self, script: &Arc<Script>) {
        let answer = self.try_attach(&script::manager(script));
        assert_eq!(answer, (S_OK, String::new()), "attach");
    }

    #[track_caller]
    pub fn detach(self) {
        let answer = (self.detach)();
        assert_eq!((answer, self.text()), (S_OK, String::new()), "detach");
    }

    pub fn text(self) -> String {
        // SAFETY: a text of this thread, until its next call.
        let text = unsafe { CStr::from_ptr((self.text)()) };
        text.to_str().unwrap().to_owned()
    }
}

/// A runtime without a host, in which every kind of call was made.
pub fn running(library: &Library, version: &str, script: Arc<Script>) -> Acting {
    let host = library.host(version);
    start(&host);
    let acting = Acting::joined(library, host, script);
    acting.load("libacting_other.so");
    for (kind, ..) in KINDS {
        let _ = acting.attempt(kind);
    }
    assert!(acting.script.lines().is_empty(), "before the attach");
    acting
}

pub fn agreeing() -> Arc<Script> {
    script::script(|_, _| S_OK)
}

/// As `acting::kinds_are_told`. A thread's first crossing may be any.
#[track_caller]
pub fn kinds_are_told(acting: &Acting, script: &Script) {
    acting::kinds_are_told(acting, script, &["T", "S"]);
}

fn a_host_that_comes_later_is_told(library: &Library, version: &str) {
    let script = agreeing();
    let acting = running(library, version, script.clone());
    Doors::of(library).attach(&script);
    assert_eq!(acting.get("Call", "plain"), 2);
    assert_eq!(script.line(), "N(plain) T S L(plain) E");
    kinds_are_told(&acting, &script);
    let [leave, enter, reverse_enter, reverse_leave] = script.counted();
    assert_eq!((leave, reverse_enter), (enter, reverse_leave));
    assert_eq!(acting.get("Nest", "4"), 4);
    assert_eq!(
        script.line(),
        "L(call_back) R L(call_back) R L(call_back) R L(call_back) R V E V E V E V E"
    );
    // A thread of its own, which ends: its task goes with it.
    let gone = script.gone.load(Acquire);
    assert_eq!(acting.get("Threads", "plain 3"), 6);
    assert_eq!(script.lines(), ["T S L(plain) E"; 3]);
    wait_for(|| script.gone.load(Acquire) == gone + 3);
    // A host of the time before the start stays what it was.
    let answer = try_control(&acting.host, &script);
    assert_eq!(answer, E_ACCESSDENIED, "SetHostControl after the start");
}

fn a_host_leaves_and_comes_back(library: &Library, version: &str) {
    let acting = running(library, version, agreeing());
    let doors = Doors::of(library);
    for round in 1..=5 {
        let script = agreeing();
        doors.attach(&script);
        assert_eq!(acting.get("Call", "plain"), 2);
        assert_eq!(script.line(), "N(plain) T S L(plain) E", "round {round}");
        kinds_are_told(&acting, &script);
        // This host wants to know nothing of functions.
        doors.detach();
        assert_eq!(acting.get("Call", "callback"), 11);
        assert_eq!(acting.get("Threads", "plain 2"), 4);
        assert_eq!(script.lines(), [""; 0], "after it has left, round {round}");
        let made = script.made.load(Acquire);
        assert_eq!(script.gone.load(Acquire), made, "its tasks");
        assert_eq!(Arc::strong_count(&script), 1, "its manager");
        // One that wants no notifications of functions, and then one that wants them again.
        let quiet = agreeing();
        quiet.needs.store(false, Release);
        doors.attach(&quiet);
        assert_eq!(acting.get("Call", "plain"), 2);
        assert_eq!(acting.get("Call", "plain"), 2);
        assert_eq!(quiet.line(), "N(plain)", "round {round}");
        doors.detach();
    }
}

fn a_host_that_comes_later_may_refuse(library: &Library, version: &str) {
    let refuses = Arc::new(Mutex::new(None));
    let what = refuses.clone();
    let script = script::script(move |_, told| match *what.lock().unwrap() {
        Some((kind, answer))
            if std::mem::discriminant::<Told>(&kind) == std::mem::discriminant(&told) =>
        {
            answer
        }
        _ => S_OK,
    });
    let acting = running(library, version, script.clone());
    let doors = Doors::of(library);
    doors.attach(&script);
    let refuse = |what| *refuses.lock().unwrap() = what;
    for kind in ["plain", "text", "pointer", "delegate"] {
        let calls = acting.calls();
        refuse(Some((Told::Leave(0), E_ACCESSDENIED)));
        let got = acting.attempt(kind);
        let want = "UnauthorizedAccessException 80070005".to_owned();
        // Nothing can be thrown where a delegate calls: the function seems to return 0.
        match kind {
            "delegate" => assert_eq!(got, Ok(0), "{kind}"),
            _ => assert_eq!(got, Err(want), "{kind}"),
        }
        assert_eq!(acting.calls(), calls, "{kind}: the function has not run");
        refuse(None);
        assert!(acting.attempt(kind).is_ok(), "{kind} again");
    }
    refuse(Some((Told::Enter, HOST_E_TIMEOUT)));
    let got = acting.attempt("plain");
    assert_eq!(got, Err("COMException 80131024".into()), "back");
    // The callback does not run: native code sees 0, and the call throws when it is back.
    for kind in ["callback", "callback-delegate"] {
        refuse(Some((Told::ReverseEnter, E_OUTOFMEMORY)));
        let got = acting.attempt(kind);
        assert_eq!(got, Err("OutOfMemoryException 8007000E".into()), "{kind}");
        assert_eq!(acting.saw(), 0, "{kind}: what native code saw");
        refuse(None);
        assert_eq!(acting.attempt(kind), Ok(11), "{kind} again");
    }
    refuse(Some((Told::Leave(0), E_ACCESSDENIED)));
    doors.detach();
    assert_eq!(acting.attempt("plain"), Ok(2), "nothing refuses any more");
}

fn a_host_comes_and_goes_under_load(library: &Library, version: &str) {
    let acting = running(library, version, agreeing());
    let doors = Doors::of(library);
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let hammer = scope.spawn(|| {
            let mut wrong = 0;
            while !ends.load(Acquire) {
                wrong += acting.get("Hammer", "6 200");
            }
            wrong
        });
        for round in 0..8 {
            let script = agreeing();
            script.deaf.store(true, Relaxed);
            doors.attach(&script);
            wait_for(|| script.counted().iter().all(|count| *count > 100));
            let answer = (doors.detach)();
            assert!([S_OK, S_FALSE].contains(&answer), "{answer:?}");
            wait_for(|| Arc::strong_count(&script) == 1);
            let [leave, enter, reverse_enter, reverse_leave] = script.counted();
            // What was open when it left has no end.
            assert!((enter..=enter + 64).contains(&leave), "round {round}");
            let open = reverse_leave..=reverse_leave + 64;
            assert!(open.contains(&reverse_enter), "round {round}");
        }
        // One that sees the end of the load: each beginning has its end.
        let last = agreeing();
        last.deaf.store(true, Relaxed);
        doors.attach(&last);
        wait_for(|| last.counted().iter().all(|count| *count > 100));
        ends.store(true, Release);
        assert_eq!(hammer.join().unwrap(), 0, "wrong results");
        let [leave, enter, reverse_enter, reverse_leave] = last.counted();
        assert_eq!((leave, reverse_enter), (enter, reverse_leave));
        doors.detach();
    });
}

/// A door that is shut until it is opened.
#[derive(Default)]
struct Door(Mutex<(bool, bool)>, Condvar);

impl Door {
    /// Waits at the door.
    fn pass(&self) {
        let mut state = self.0.lock().unwrap();
        state.0 = true;
        self.1.notify_all();
        drop(self.1.wait_while(state, |state| !state.1).unwrap());
    }

    /// Waits until a thread is at the door.
    fn somebody(&self) {
        let state = self.0.lock().unwrap();
        drop(self.1.wait_while(state, |state| !state.0).unwrap());
    }

    fn open(&self) {
        self.0.lock().unwrap().1 = true;
        self.1.notify_all();
    }
}

fn a_host_that_leaves_is_released_by_the_last_thread(library: &Library, version: &str) {
    let door = Arc::<Door>::default();
    let waits = door.clone();
    let script = script::script(move |_, told| {
        if matches!(told, Told::Leave(_)) {
            waits.pass();
        }
        S_OK
    });
    let acting = running(library, version, script.clone());
    let doors = Doors::of(library);
    doors.attach(&script);
    thread::scope(|scope| {
        let inside = scope.spawn(|| acting.get("Call", "plain"));
        door.somebody();
        assert_eq!((doors.detach)(), S_FALSE, "a thread is in a method");
        // The case, the acting host, and the manager.
        assert!(Arc::strong_count(&script) > 2, "it has not been released");
        door.open();
        assert_eq!(inside.join().unwrap(), 2);
    });
    wait_for(|| Arc::strong_count(&script) == 2);
    assert_eq!(script.gone.load(Acquire), script.made.load(Acquire));
    assert_eq!(script.line(), "N(plain) T S L(plain)", "and no Enter");
}

/// Calls that began before the host came, or that end after it has left.
fn calls_that_are_open_are_not_told(library: &Library, version: &str) {
    let acting = running(library, version, agreeing());
    let doors = Doors::of(library);
    let first = agreeing();
    doors.attach(&first);
    // A host that leaves while the thread that tells it is on its way into native code, and
    // another one that comes before that thread is back.
    let third = agreeing();
    let (comes, goes) = (third.clone(), AtomicBool::new(false));
    let leaving = script::script(move |_, told| {
        if matches!(told, Told::Leave(_)) && !goes.swap(true, Relaxed) {
            // This thread is in a method of the host.
            assert_eq!((doors.detach)(), S_FALSE);
            doors.attach(&comes);
        }
        S_OK
    });
    doors.detach();
    doors.attach(&leaving);
    assert_eq!(acting.get("Call", "callback"), 11);
    assert_eq!(leaving.line(), "N(call_back) T S L(call_back)");
    // The call began with the other host. Its callback began with this one.
    assert_eq!(third.line(), "T S R V");
    assert_eq!(acting.get("Call", "plain"), 2);
    assert_eq!(third.line(), "N(plain) L(plain) E");
    doors.detach();
    assert_eq!(first.lines(), [""; 0]);
}

fn slots_bound_a_runtime_that_runs(library: &Library, version: &str) {
    let behind = agreeing();
    let acting = running(library, version, behind.clone());
    let doors = Doors::of(library);
    let inner = script::manager(&behind);
    let manager = slots::manager(library, 1, 60_000, Some(&inner));
    let answer = doors.try_attach(&manager);
    assert_eq!(answer, (S_OK, String::new()));
    assert_eq!(acting.get("Hammer", "4 500"), 0, "wrong results");
    let figures = slots::figures(&manager);
    assert!(figures.Waits > 0, "{figures:?}");
    assert_eq!((figures.TimedOut, figures.Waiting), (0, 0), "{figures:?}");
    let [leave, enter, ..] = behind.counted();
    assert_eq!(leave, enter, "the manager behind");
    doors.detach();
    assert_eq!(acting.get("Hammer", "4 50"), 0);
    assert_eq!(slots::figures(&manager).Waits, figures.Waits, "left");
}
