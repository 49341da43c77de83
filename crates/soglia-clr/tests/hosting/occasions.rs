//! What of a task manager is called besides the crossings.

use soglia_abi::{
    HRESULT,
    hosting::{clr_task::ICLRTaskManager, runtime_host::ICLRRuntimeHost4},
    hresult::*,
    param::Lent,
};

use crate::{
    api::{Library, assembly, call_in, control, manager, start},
    host::{self, Gives},
    scheduler::{Scheduler, schedules},
};

fn call(host: &ICLRRuntimeHost4, name: &str, argument: &str) -> Result<i32, HRESULT> {
    let path = assembly();
    let path = path.to_str().unwrap();
    call_in(host, path, "Soglia.Hosted.Threads", name, argument)
}

const OUT_OF_RANGE: HRESULT = HRESULT(0x8013_1502_u32 as i32);
const YES: Result<i32, HRESULT> = Ok(1);
const NO: Result<i32, HRESULT> = Ok(0);

fn threw(what: HRESULT) -> Result<i32, HRESULT> {
    Ok(what.0)
}

/// What of `methods` is called meanwhile.
fn told_by(
    scheduler: &Scheduler,
    methods: &[&str],
    what: impl FnOnce() -> Result<i32, HRESULT>,
) -> (Result<i32, HRESULT>, Vec<String>) {
    scheduler.told(&[]);
    let answer = what();
    (answer, scheduler.told(methods))
}

/// The first number of the notification.
fn number(told: &str) -> u32 {
    told.split(' ').nth(1).unwrap().parse().unwrap()
}

pub fn a_host_sleeps(library: &Library, version: &str) {
    let host = library.host(version);
    let scheduler = schedules(&host);
    let sleep = |text: &str| told_by(&scheduler, &["Sleep"], || call(&host, "Sleep", text));
    assert_eq!(sleep("0"), (YES, vec!["Sleep 0 2".to_owned()]));
    assert_eq!(sleep("1"), (YES, vec!["Sleep 1 2".to_owned()]));
    assert_eq!(sleep("span 2"), (YES, vec!["Sleep 2 2".to_owned()]));
    // The host is not asked to sleep for a time that does not exist.
    assert_eq!(sleep("-2"), (threw(OUT_OF_RANGE), vec![]));
    // The host has slept as long as it says.
    scheduler.answers("Sleep", S_OK);
    assert_eq!(sleep("-1"), (YES, vec!["Sleep -1 2".to_owned()]));
    assert_eq!(sleep("1000000"), (YES, vec!["Sleep 1000000 2".to_owned()]));
    // It does not: .NET does.
    for answer in [E_NOTIMPL, S_FALSE, HOST_E_TIMEOUT, HOST_E_CLRNOTAVAILABLE] {
        scheduler.answers("Sleep", answer);
        assert_eq!(sleep("1"), (YES, vec!["Sleep 1 2".to_owned()]));
    }
    // Nothing has interrupted it: it sleeps for what is left, and then no more.
    scheduler.answers_in_turn("Sleep", &[HOST_E_INTERRUPTED, HOST_E_INTERRUPTED, S_OK]);
    let minus_one = "Sleep -1 2".to_owned();
    assert_eq!(sleep("-1"), (YES, vec![minus_one; 3]));
    scheduler.answers_in_turn("Sleep", &[HOST_E_INTERRUPTED, S_OK]);
    let (answer, told) = sleep("1000000");
    assert_eq!((answer, told.len()), (YES, 2), "{told:?}");
    let left: Vec<u32> = told.iter().map(|line| number(line)).collect();
    assert!(left[0] == 1_000_000 && left[1] <= left[0], "{told:?}");
    scheduler.answers_in_turn("Sleep", &[HOST_E_INTERRUPTED, E_NOTIMPL]);
    assert_eq!(sleep("1").0, YES);
    scheduler.answers("Sleep", HOST_E_INTERRUPTED);
    assert_eq!(sleep("20").0, YES);
    assert_eq!(sleep("0"), (YES, vec!["Sleep 0 2".to_owned()]));
}

pub fn a_host_switches(library: &Library, version: &str) {
    let host = library.host(version);
    let scheduler = schedules(&host);
    let told = |name: &str, text: &str| {
        let methods = ["SwitchToTask", "Sleep"];
        let (answer, told) = told_by(&scheduler, &methods, || call(&host, name, text));
        assert!(told.contains(&"SwitchToTask 0".to_owned()), "{told:?}");
        (answer, told)
    };
    assert_eq!(told("Yield", "").0, YES);
    // .NET yields then, and says whether it has.
    scheduler.answers("SwitchToTask", E_NOTIMPL);
    assert!(matches!(told("Yield", "").0, YES | NO));
    scheduler.works();
    let (answer, told) = told("Spin", "100");
    assert_eq!(answer, YES);
    for way in ["Sleep 0 2", "Sleep 1 2"] {
        assert!(told.iter().any(|line| line == way), "{told:?}");
    }
}

pub fn a_host_joins(library: &Library, version: &str) {
    let host = library.host(version);
    let scheduler = schedules(&host);
    let join = |text: &str| told_by(&scheduler, &["Join"], || call(&host, "Join", text));
    // The thread runs as long as it is waited for.
    assert_eq!(join("5"), (NO, vec!["Join 5 6".to_owned()]));
    assert_eq!(join("0"), (NO, vec!["Join 0 6".to_owned()]));
    assert_eq!(join("span 5"), (NO, vec!["Join 5 6".to_owned()]));
    assert_eq!(join("-2"), (threw(OUT_OF_RANGE), vec![]));
    // A host that did not even wait is not asked on and on.
    scheduler.answers("Join", HOST_E_TIMEOUT);
    assert_eq!(join("5000000"), (NO, vec!["Join 100 6".to_owned()]));
    // Whatever it says, the thread has not ended: .NET waits.
    for answer in [S_OK, HOST_E_ABANDONED, E_NOTIMPL, S_FALSE, HOST_E_DEADLOCK] {
        scheduler.answers("Join", answer);
        assert_eq!(join("1"), (NO, vec!["Join 1 6".to_owned()]));
    }
    // Nothing has interrupted it: it waits for what is left.
    scheduler.answers("Join", HOST_E_INTERRUPTED);
    let (answer, told) = join("20");
    assert_eq!((answer, told[0].as_str()), (NO, "Join 20 6"));
    scheduler.works();
    assert_eq!(call(&host, "JoinEnd", "-1"), YES);
    // Neither an ended thread nor one that has not begun has a task.
    assert_eq!(call(&host, "JoinOthers", ""), threw(COR_E_THREADSTATE));
}

pub fn a_host_wakes(library: &Library, version: &str) {
    let host = library.host(version);
    let scheduler = schedules(&host);
    let told = |name: &str, text: &str| told_by(&scheduler, &["Alert"], || call(&host, name, text));
    let alert = || vec!["Alert".to_owned()];
    let interrupted = threw(COR_E_THREADINTERRUPTED);
    assert_eq!(told("Interrupt", "-1"), (interrupted, alert()));
    assert_eq!(told("Interrupt", "1000000"), (interrupted, alert()));
    assert_eq!(told("InterruptJoin", ""), (interrupted, alert()));
    assert_eq!(told("InterruptOnce", "-1"), (YES, alert()));
    // The thread has no task yet, and must not sleep all the same.
    assert_eq!(told("InterruptEarly", "-1"), (interrupted, vec![]));
    // The host has not woken it, and is not asked to sleep after that.
    scheduler.answers("Alert", E_NOTIMPL);
    assert_eq!(told("InterruptOnce", "-1"), (YES, alert()));
    // Neither of them: .NET does it. The thread may have ended before the host could be notified.
    scheduler.answers("Sleep", E_NOTIMPL);
    assert_eq!(told("Interrupt", "-1").0, interrupted);
}

pub fn a_host_has_priorities(library: &Library, version: &str) {
    let host = library.host(version);
    let scheduler = schedules(&host);
    let told = |name: &str, text: &str| {
        let methods = ["SetPriority", "GetPriority"];
        told_by(&scheduler, &methods, || call(&host, name, text))
    };
    let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (value, priority) in [(0, -2), (1, -1), (3, 1), (4, 2), (2, 0)] {
        let set = format!("SetPriority {priority}");
        let both = lines(&[&set, "GetPriority"]);
        assert_eq!(told("Priority", &value.to_string()), (Ok(value), both));
    }
    let (answer, set) = told("Priority", "5");
    assert!(answer.unwrap() < 0 && set.is_empty(), "{answer:?} {set:?}");
    // A thread begins with what was set before.
    let all = lines(&["SetPriority 1", "SetPriority -1", "GetPriority"]);
    assert_eq!(told("PriorityOfOther", "1"), (Ok(1), all));
    // What the host does not have, .NET has; and what it has, it reads.
    scheduler.answers("GetPriority", E_NOTIMPL);
    assert_eq!(told("Priority", "4").0, Ok(4));
    scheduler.answers("SetPriority", E_NOTIMPL);
    assert_eq!(told("Priority", "3").0, Ok(3));
    // It refuses: all stays.
    scheduler.answers("SetPriority", E_ACCESSDENIED);
    assert_eq!(told("Priority", "1").0, Ok(3));
    assert_eq!(told("Priority", "2").0, Ok(3));
}

pub fn a_host_hears_of_cultures(library: &Library, version: &str) {
    let host = library.host(version);
    let tasks = manager::<ICLRTaskManager>(&control(&host)).unwrap();
    let scheduler = schedules(&host);
    let methods = ["SetLocale", "SetUILocale"];
    let told = |text: &str| told_by(&scheduler, &methods, || call(&host, "Culture", text));
    for (how, method) in [
        ("info", "SetLocale"),
        ("thread", "SetLocale"),
        ("ui-info", "SetUILocale"),
        ("ui-thread", "SetUILocale"),
    ] {
        let text = format!("{how} 1031");
        let line = vec![format!("{method} 0x407")];
        // A host that does not go along is no hindrance.
        for answer in [S_OK, S_FALSE, E_NOTIMPL] {
            scheduler.answers(method, answer);
            assert_eq!(told(&text), (Ok(1031), line.clone()), "{answer:?}");
        }
        for answer in [HOST_E_INVALIDOPERATION, E_ACCESSDENIED] {
            scheduler.answers(method, answer);
            assert_eq!(told(&text), (threw(E_INVALIDARG), line.clone()));
        }
        scheduler.works();
    }
    // E_POINTER, as an ArgumentNullException has it.
    assert_eq!(told("null 0"), (threw(E_POINTER), vec![]));
    // What the host sets, it is not told.
    // SAFETY: the object is alive, and its method takes no pointers.
    unsafe {
        assert_eq!(tasks.SetLocale(0x7f), S_OK);
        assert_eq!(tasks.SetUILocale(0x7f), S_OK);
    }
    assert_eq!(scheduler.told(&methods), Vec::<String>::new());
}

pub fn a_host_hears_of_regions(library: &Library, version: &str) {
    let host = library.host(version);
    let scheduler = schedules(&host);
    let methods = ["BeginThreadAffinity", "EndThreadAffinity"];
    let affinity = || told_by(&scheduler, &methods, || call(&host, "Affinity", ""));
    let [begin, end] = methods;
    // Every one, whatever the host answers.
    let all = [begin, begin, end, end].map(ToOwned::to_owned).to_vec();
    assert_eq!(affinity(), (NO, all.clone()));
    for method in methods {
        scheduler.answers(method, E_UNEXPECTED);
    }
    assert_eq!(affinity(), (NO, all));

    let methods = ["BeginDelayAbort", "EndDelayAbort"];
    let regions = || told_by(&scheduler, &methods, || call(&host, "Regions", ""));
    // The outermost one, in which the CLR holds one lock.
    let all = ["BeginDelayAbort 1", "EndDelayAbort"].map(ToOwned::to_owned);
    assert_eq!(regions(), (NO, all.to_vec()));
    // What has not begun does not end.
    scheduler.answers("BeginDelayAbort", E_UNEXPECTED);
    assert_eq!(regions(), (NO, all[..1].to_vec()));
}

/// No thread waits for ever, and no thread is lost.
pub fn a_host_has_many_threads(library: &Library, version: &str) {
    let host = library.host(version);
    let scheduler = schedules(&host);
    assert_eq!(call(&host, "Together", "32"), Ok(32));
    let told = scheduler.told(&["Sleep", "SwitchToTask", "Join", "Alert", "SetPriority"]);
    assert!(told.len() > 1000, "{}", told.len());
}

/// A method without an occasion in the runtime is never called, and a thread without a task of the
/// host is left alone.
pub fn a_host_without_tasks_is_left_alone(library: &Library, version: &str) {
    let host = library.host(version);
    let scheduler = schedules(&host);
    for (name, text) in [("JoinEnd", "-1"), ("Sleep", "1"), ("Regions", "")] {
        assert!(call(&host, name, text).is_ok());
    }
    let never = ["Start", "SetStackGuarantee", "GetStackGuarantee"];
    assert_eq!(scheduler.told(&never), Vec::<String>::new());

    // This thread has its task already.
    scheduler.answers("GetCurrentTask", S_OK);
    let shared = host::Shared(host.clone());
    let all = [
        ("Sleep", "0", Some(1)),
        ("Yield", "", None),
        ("Join", "0", Some(0)),
        ("Interrupt", "-1", Some(COR_E_THREADINTERRUPTED.0)),
        ("Priority", "3", Some(3)),
        ("Culture", "info 1031", Some(1031)),
        ("Affinity", "", Some(0)),
        ("Regions", "", Some(0)),
    ];
    let answers = std::thread::spawn(move || {
        let host = { &shared }.0.clone();
        all.map(|(name, text, expected)| {
            let answer = call(&host, name, text).unwrap();
            (name, expected.unwrap_or(answer), answer)
        })
    });
    for (name, expected, answer) in answers.join().unwrap() {
        assert_eq!(answer, expected, "{name}");
    }
    let told = scheduler.told(&[
        "Sleep",
        "SwitchToTask",
        "Join",
        "Alert",
        "SetPriority",
        "GetPriority",
        "SetLocale",
        "BeginThreadAffinity",
        "BeginDelayAbort",
    ]);
    assert_eq!(told, Vec::<String>::new());
}

/// Without a task manager, CoreLib is what it was.
pub fn other_hosts_hear_nothing(library: &Library, version: &str) {
    let host = library.host(version);
    let (control, _) = host::control(Gives::GcManager);
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    start(&host);
    assert_eq!(call(&host, "Sleep", "0"), YES);
    assert_eq!(
        call(&host, "Interrupt", "-1"),
        threw(COR_E_THREADINTERRUPTED)
    );
    assert_eq!(call(&host, "Priority", "3"), Ok(3));
    assert_eq!(call(&host, "Culture", "info 1031"), Ok(1031));
}
