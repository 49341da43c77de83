//! A host that acts on crossings: its notifications, and the effect of its answers.

use std::sync::{
    Arc, Mutex,
    atomic::{
        AtomicUsize,
        Ordering::{Acquire, Relaxed},
    },
};

use soglia_abi::{HRESULT, hresult::*};

use crate::{
    api::{Library, start},
    script::{self, Acting, Script, Told, symbol, wait_for},
};

/// Each kind of call of the fixture: what it does without a host, and what it notifies a host of.
pub const KINDS: &[(&str, Result<i32, &str>, &str)] = &[
    ("nothing", Ok(0), ""),
    ("plain", Ok(2), "L(plain) E"),
    ("blittable", Ok(2), "L(plain) E"),
    ("suppressed", Ok(3), "L(suppressed) E"),
    ("error", Ok(11), "L(fail_with) E"),
    ("result", Ok(1), "L(result) E"),
    // The function has returned: what throws is the marshalling behind it.
    (
        "bad-result",
        Err("ArgumentException 80070057"),
        "L(result) E",
    ),
    ("text", Ok(4), "L(length) E"),
    ("imported", Ok(4), "L(length) E"),
    ("pointer", Ok(2), "L(plain) E"),
    ("delegate", Ok(3), "L(suppressed) E"),
    ("callback", Ok(11), "L(call_back) R V E"),
    ("callback-delegate", Ok(11), "L(call_back) R V E"),
    ("callback-double", Ok(11), "L(call_back_double) R V E"),
    ("callback-big", Ok(10), "L(call_back_big) R V E"),
    ("thread", Ok(11), "L(call_on_thread) E"),
    ("thread-delegate", Ok(11), "L(call_on_thread) E"),
    ("other", Ok(101), "L(plain@libacting_other.so) E"),
    // Another name of the same function.
    ("getpid", Ok(1), "L(__getpid@libc.so.6) E"),
    ("errno", Ok(77), "L(errno_across) R V E"),
    ("twice", Ok(2), "L(call_back_twice) R V R L(plain) E V E"),
    // What cannot be linked is not told, and throws what it throws.
    ("lettered", Err("EntryPointNotFoundException 80131523"), ""),
    (
        "lettered-wide",
        Err("EntryPointNotFoundException 80131523"),
        "",
    ),
    ("absent", Err("DllNotFoundException 80131524"), ""),
    ("missing", Err("EntryPointNotFoundException 80131523"), ""),
    ("redirected", Err("DllNotFoundException 80131524"), ""),
];

pub fn without_a_host_calls_are_what_they_are(library: &Library, version: &str) {
    let host = library.host(version);
    start(&host);
    let acting = Acting::joined(library, host, script::script(|_, _| S_OK));
    kinds_work(&acting);
    assert!(acting.script.lines().is_empty());
}

/// Makes this kind of call, and compares what comes of it.
#[track_caller]
fn attempt(acting: &Acting, kind: &str, comes: &Result<i32, &str>) {
    let got = acting.attempt(kind);
    assert_eq!(
        got.as_ref().map_err(String::as_str),
        comes.as_ref().map_err(|e| *e),
        "{kind}"
    );
}

/// Makes every kind of call.
#[track_caller]
pub fn kinds_work(acting: &Acting) {
    for (kind, comes, _) in KINDS {
        attempt(acting, kind, comes);
    }
}

/// Makes every kind of call twice. Functions are asked about the first time only. `left_out` are
/// words that do not count.
#[track_caller]
pub fn kinds_are_told(acting: &Acting, script: &Script, left_out: &[&str]) {
    for (kind, comes, told) in KINDS {
        for round in ["first", "second"] {
            attempt(acting, kind, comes);
            let lines = script.lines();
            let own = lines.first().map_or("", String::as_str);
            let mut own: Vec<&str> = own.split(' ').filter(|word| !word.is_empty()).collect();
            let asked = own.iter().filter(|word| word.starts_with('N')).count();
            assert!(asked == 0 || round == "first", "{kind}: asked again");
            own.retain(|word| !word.starts_with('N') && !left_out.contains(word));
            assert_eq!(own.join(" "), *told, "{kind}, {round}");
            // A native thread's first crossing.
            let others: &[String] = lines.get(1..).unwrap_or_default();
            match kind.starts_with("thread") {
                true => assert_eq!(others, ["T S R V"], "{kind}"),
                false => assert!(others.is_empty(), "{kind}: {others:?}"),
            }
        }
    }
}

pub fn crossings_of_every_kind_are_told(library: &Library, version: &str) {
    let acting = Acting::agreeing(library, version);
    // The thread's first crossing, and the function's.
    assert_eq!(acting.get("Call", "plain"), 2);
    assert_eq!(acting.script.line(), "N(plain) T S L(plain) E");
    kinds_are_told(&acting, &acting.script, &[]);
    let [leave, enter, reverse_enter, reverse_leave] = acting.script.counted();
    assert_eq!((leave, reverse_enter), (enter, reverse_leave));
    assert_eq!(acting.get("Nest", "4"), 4);
    assert_eq!(
        acting.script.line(),
        "L(call_back) R L(call_back) R L(call_back) R L(call_back) R V E V E V E V E"
    );
}

/// Where functions lie that are not found by name alone.
pub fn addresses_are_those_that_are_called(library: &Library, version: &str) {
    let acting = Acting::agreeing(library, version);
    acting.get("Call", "nothing");
    // The C library chooses one implementation when it is loaded. That one is called, and it has no
    // name.
    assert_eq!(acting.get("Call", "strlen"), 7);
    // SAFETY: the name is a C string, and the default handle is always open.
    let strlen = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"strlen".as_ptr()) };
    let wanted = format!("N({0}) T S L({0}) E", symbol(strlen as usize));
    assert_eq!(acting.script.targets(), [strlen as usize]);
    assert_eq!(acting.script.line(), wanted);
    // A resolver leads to another library than the name says. Both libraries are loaded and have
    // the function.
    acting.get("Resolve", &acting.file("libacting_other.so"));
    assert_eq!(acting.get("Call", "redirected"), 101);
    assert_eq!(
        acting.script.line(),
        "N(plain@libacting_other.so) L(plain@libacting_other.so) E"
    );
    // Pointers that native code gives.
    assert_eq!(acting.get("FromNative", "1"), 3);
    assert_eq!(
        acting.script.line(),
        "N(address_of) L(address_of) E N(suppressed) L(suppressed) E"
    );
    assert_eq!(acting.get("FromNative", "0"), 2);
    assert_eq!(acting.script.line(), "L(address_of) E N(plain) L(plain) E");
}

/// What the reference names, and what else an answer may be.
const FAILURES: &[(HRESULT, &str)] = &[
    (HOST_E_CLRNOTAVAILABLE, "COMException 80131023"),
    (HOST_E_TIMEOUT, "COMException 80131024"),
    (HOST_E_NOT_OWNER, "COMException 80131025"),
    (HOST_E_ABANDONED, "COMException 80131026"),
    (HOST_E_INVALIDOPERATION, "COMException 80131022"),
    (E_OUTOFMEMORY, "OutOfMemoryException 8007000E"),
    (E_ACCESSDENIED, "UnauthorizedAccessException 80070005"),
    (E_UNEXPECTED, "COMException 8000FFFF"),
    (E_NOTIMPL, "NotImplementedException 80004001"),
    // The last: after it nothing is called any more.
    (E_FAIL, "COMException 80004005"),
];

/// A script that gives one answer to one kind of crossing.
#[derive(Default)]
pub struct One(Mutex<Option<(Told, HRESULT)>>);

impl One {
    pub fn acting(library: &Library, version: &str) -> (Acting, Arc<Self>) {
        let one = Arc::<Self>::default();
        let script = one.clone();
        let acting = Acting::new(library, version, move |_, told| {
            match *script.0.lock().unwrap() {
                Some((kind, answer))
                    if std::mem::discriminant(&kind) == std::mem::discriminant(&told) =>
                {
                    answer
                }
                _ => S_OK,
            }
        });
        (acting, one)
    }

    pub fn say(&self, kind: Told, answer: HRESULT) {
        *self.0.lock().unwrap() = Some((kind, answer));
    }
}

/// Kinds with one native call, and the function's name.
const FORWARD: &[(&str, i32, &str)] = &[
    ("plain", 2, "plain"),
    ("blittable", 2, "plain"),
    ("suppressed", 3, "suppressed"),
    ("error", 11, "fail_with"),
    ("result", 1, "result"),
    ("text", 4, "length"),
    ("imported", 4, "length"),
    ("pointer", 2, "plain"),
    ("callback", 11, "call_back"),
    ("callback-delegate", 11, "call_back"),
];

fn warm(acting: &Acting) {
    for (kind, value, _) in FORWARD {
        assert_eq!(acting.get("Call", kind), *value, "{kind}");
    }
    acting.script.lines();
}

pub fn leaving_is_refused(library: &Library, version: &str) {
    let (acting, one) = One::acting(library, version);
    // Some before their first call, some after it.
    for (answer, exception) in FAILURES {
        one.say(Told::Leave(0), *answer);
        for (kind, value, name) in FORWARD {
            let calls = acting.calls();
            if *answer == E_FAIL {
                assert_eq!(acting.get("TryOften", &format!("{kind} 2")), 2, "{kind}");
                assert_eq!(acting.text(), *exception);
                assert_eq!(acting.calls(), calls, "{kind} was not called");
                assert_eq!(acting.run("Call", kind), Err(HOST_E_CLRNOTAVAILABLE));
                return;
            }
            assert_eq!(acting.attempt(kind), Err((*exception).into()), "{kind}");
            assert_eq!(acting.calls(), calls, "{kind} was not called");
            let line = acting.script.line();
            assert!(line.ends_with(&format!("L({name})")), "{kind}: {line}");
            one.say(Told::Leave(0), S_OK);
            assert_eq!(acting.get("Call", kind), *value, "{kind}");
            acting.script.lines();
            one.say(Told::Leave(0), *answer);
        }
        // A success is a success.
        one.say(Told::Leave(0), S_FALSE);
        assert_eq!(acting.attempt("plain"), Ok(2));
        assert_eq!(acting.script.line(), "L(plain) E");
    }
}

/// Nothing can be thrown where a delegate calls a native function: the call is not made, and it
/// returns 0.
pub fn leaving_by_a_delegate_is_refused(library: &Library, version: &str) {
    let (acting, one) = One::acting(library, version);
    one.say(Told::Leave(0), HOST_E_TIMEOUT);
    assert_eq!(acting.attempt("delegate"), Ok(0));
    assert_eq!(acting.script.line(), "N(suppressed) T S L(suppressed)");
    assert_eq!(acting.calls(), 0);
    one.say(Told::Leave(0), S_OK);
    assert_eq!(acting.attempt("delegate"), Ok(3));
}

pub fn entering_fails(library: &Library, version: &str) {
    let (acting, one) = One::acting(library, version);
    warm(&acting);
    for (answer, exception) in FAILURES {
        one.say(Told::Enter, *answer);
        for (kind, _, name) in FORWARD {
            let calls = acting.calls();
            if *answer == E_FAIL {
                assert_eq!(acting.get("TryOften", &format!("{kind} 2")), 2, "{kind}");
                assert_eq!(acting.text(), *exception);
                assert_eq!(acting.calls(), calls + 2, "{kind} was called");
                assert_eq!(acting.run("Call", kind), Err(HOST_E_CLRNOTAVAILABLE));
                return;
            }
            assert_eq!(acting.attempt(kind), Err((*exception).into()), "{kind}");
            assert_eq!(acting.calls(), calls + 1, "{kind} was called");
            let callback = if kind.starts_with("callback") {
                "R V "
            } else {
                ""
            };
            assert_eq!(
                acting.script.line(),
                format!("L({name}) {callback}E"),
                "{kind}"
            );
        }
        // The exception of the call itself counts more.
        assert_eq!(
            acting.attempt("bad-result"),
            Err("ArgumentException 80070057".into())
        );
        acting.script.lines();
        one.say(Told::Enter, S_FALSE);
        assert_eq!(acting.attempt("plain"), Ok(2));
        acting.script.lines();
    }
}

pub fn callbacks_are_refused(library: &Library, version: &str) {
    let (acting, one) = One::acting(library, version);
    warm(&acting);
    let not_ok = (S_FALSE, "COMException 80131022");
    for (answer, exception) in [not_ok].iter().chain(FAILURES) {
        one.say(Told::ReverseEnter, *answer);
        for kind in ["callback", "callback-delegate"] {
            let calls = acting.calls();
            if *answer == E_FAIL {
                assert_eq!(acting.get("TryOften", &format!("{kind} 2")), 2, "{kind}");
                assert_eq!(acting.text(), *exception);
                assert_eq!(acting.run("Call", kind), Err(HOST_E_CLRNOTAVAILABLE));
                return;
            }
            assert_eq!(acting.attempt(kind), Err((*exception).into()), "{kind}");
            assert_eq!(acting.calls(), calls + 1, "{kind} was called");
            assert_eq!(acting.saw(), 0, "{kind}");
            assert_eq!(acting.script.line(), "L(call_back) R E", "{kind}");
        }
        for kind in ["callback-double", "callback-big"] {
            assert_eq!(acting.attempt(kind), Err((*exception).into()), "{kind}");
            acting.script.lines();
        }
        // No managed code is below: the native thread gets zeros, and no exception.
        for kind in ["thread", "thread-delegate"] {
            assert_eq!(acting.attempt(kind), Ok(0), "{kind}");
            assert_eq!(acting.script.lines()[1], "T S R", "{kind}");
        }
        // What was refused is over.
        one.say(Told::ReverseEnter, S_OK);
        assert_eq!(acting.attempt("callback"), Ok(11));
        assert_eq!(acting.attempt("plain"), Ok(2));
        acting.script.lines();
    }
}

/// The call that throws is the one that led to the denied callback, whatever happens in between.
pub fn nested_refusals_end_where_they_belong(library: &Library, version: &str) {
    let nth = Arc::new(AtomicUsize::new(0));
    let refused = Arc::new(AtomicUsize::new(usize::MAX));
    let (count, which) = (nth.clone(), refused.clone());
    let acting = Acting::new(library, version, move |_, told| match told {
        Told::ReverseEnter => {
            let this = count.fetch_add(1, Relaxed);
            let bit = which.load(Relaxed);
            if this < usize::BITS as usize && bit >> this & 1 == 1 {
                HOST_E_TIMEOUT
            } else {
                S_OK
            }
        }
        _ => S_OK,
    });
    let refuse = |bits: usize| {
        nth.store(0, Relaxed);
        refused.store(bits, Relaxed);
    };
    refuse(0);
    assert_eq!(acting.get("Call", "twice"), 2);
    assert_eq!(acting.get("Nest", "3"), 3);
    acting.script.lines();

    // The first of two callbacks is denied. The call that the second makes has nothing to do with
    // it.
    refuse(1);
    assert_eq!(acting.attempt("twice"), Err("COMException 80131024".into()));
    assert_eq!(
        acting.script.line(),
        "L(call_back_twice) R R L(plain) E V E"
    );
    refuse(2);
    assert_eq!(acting.attempt("twice"), Err("COMException 80131024".into()));
    assert_eq!(acting.script.line(), "L(call_back_twice) R V R E");

    // The outermost, the middle and the innermost callback of three.
    for (bit, caught, value) in [
        (0, "3:80131024 ", 1000),
        (1, "2:80131024 ", 1001),
        (2, "1:80131024 ", 1002),
    ] {
        refuse(1 << bit);
        assert_eq!(acting.get("Nest", "3"), value);
        assert_eq!(acting.text(), caught);
        let [leave, enter, ..] = acting.script.counted();
        assert_eq!(leave, enter);
        acting.script.lines();
    }
}

pub fn a_task_is_refused(library: &Library, version: &str) {
    let (acting, one) = One::acting(library, version);
    // Whether there is a task counts, not what is answered.
    one.say(Told::GetTask, E_UNEXPECTED);
    assert_eq!(acting.attempt("plain"), Ok(2));
    assert_eq!(acting.script.line(), "N(plain) T S L(plain) E");
    // The tasks are not paired, and each occasion tries again: the thread goes on when it begins,
    // and its call is denied. The host is notified of nothing else of the thread.
    one.say(Told::SetTask, HOST_E_ABANDONED);
    let calls = acting.calls();
    assert_eq!(acting.get("TryOnThread", "plain"), 0);
    assert_eq!(acting.text(), "COMException 80131026");
    assert_eq!(acting.calls(), calls);
    assert_eq!(acting.script.line(), "T S S");
    assert_eq!(acting.attempt("thread"), Ok(0));
    assert_eq!(acting.script.lines()[1], "T S");
    one.say(Told::SetTask, S_OK);
    assert_eq!(acting.get("TryOnThread", "plain"), 2);
    assert_eq!(acting.script.line(), "T S L(plain) E");
    wait_for(|| acting.script.made.load(Acquire) == acting.script.gone.load(Acquire) + 1);
}

pub fn a_thread_without_a_task_is_not_told(library: &Library, version: &str) {
    let acting = Acting::agreeing(library, version);
    acting.script.gives.store(false, Relaxed);
    assert_eq!(acting.get("Often", "plain 3"), 6);
    assert_eq!(acting.script.line(), "N(plain) T T T");
    assert_eq!(acting.get("Call", "callback"), 11);
    assert_eq!(acting.script.line(), "N(call_back) T T");
    assert_eq!(acting.get("Call", "thread-often"), 11);
    let lines = acting.script.lines();
    assert_eq!(lines, ["N(call_on_thread) T", "T T T"]);
    // Asked again, it has one.
    acting.script.gives.store(true, Relaxed);
    assert_eq!(acting.get("Often", "plain 2"), 4);
    assert_eq!(acting.script.line(), "T S L(plain) E L(plain) E");
}

/// In the middle of a call, when the callback comes: what has begun untold ends untold.
pub fn a_task_that_comes_late_keeps_pairs(library: &Library, version: &str) {
    let asked = AtomicUsize::new(0);
    let acting = Acting::new(library, version, move |script, told| {
        if told == Told::GetTask {
            let again = asked.fetch_add(1, Relaxed) > 0;
            script.gives.store(again, Relaxed);
        }
        S_OK
    });
    assert_eq!(acting.get("Nest", "2"), 2);
    assert_eq!(
        acting.script.line(),
        "N(call_back) T T S R L(call_back) R V E V"
    );
}

/// A callback that is denied during a call without notification is not run, and nothing can throw
/// there. A call further out that the host was notified of does throw.
pub fn a_refusal_in_a_quiet_call(library: &Library, version: &str) {
    let (acting, one) = One::acting(library, version);
    one.say(Told::ReverseEnter, HOST_E_TIMEOUT);
    acting.script.needs.store(false, Relaxed);
    assert_eq!(acting.attempt("callback"), Ok(0));
    assert_eq!(acting.attempt("callback-delegate"), Ok(0));
    acting.script.needs.store(true, Relaxed);
    assert_eq!(acting.attempt("callback"), Ok(0), "asked once");
    assert_eq!(
        acting.attempt("callback-double"),
        Err("COMException 80131024".into())
    );
}

pub fn what_needs_no_hook_is_quiet(library: &Library, version: &str) {
    // Whatever is answered: the BOOL decides.
    let acting = Acting::new(library, version, |_, told| match told {
        Told::Needs(_) => E_UNEXPECTED,
        _ => S_OK,
    });
    acting.script.needs.store(false, Relaxed);
    for (kind, told) in [
        ("plain", "N(plain)"),
        ("suppressed", "N(suppressed)"),
        ("text", "N(length)"),
        ("pointer", "N(plain)"),
        ("delegate", "N(suppressed)"),
    ] {
        assert!(acting.get("Often", &format!("{kind} 3")) > 0);
        assert_eq!(acting.script.line(), told);
    }
    // The other pair still gives notifications, and other threads do not ask again.
    assert_eq!(acting.get("Call", "callback"), 11);
    assert_eq!(acting.script.line(), "N(call_back) T S R V");
    assert_eq!(acting.get("Threads", "plain 3"), 6);
    assert_eq!(acting.get("Threads", "pointer 3"), 6);
    assert_eq!(acting.script.lines().concat(), "T S".repeat(6));
    // A failing answer with TRUE is TRUE.
    acting.script.needs.store(true, Relaxed);
    assert_eq!(acting.get("Call", "error"), 11);
    assert_eq!(acting.script.line(), "N(fail_with) L(fail_with) E");
}
