//! Sessions of the engine in a program that runs: who may begin one, how it ends, what stays.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{ChildStdin, Stdio},
};

use soglia_core::{
    control::{Answer, Request, address, ask, facts, name},
    process,
    trace::{
        attached::{Detach, Why},
        ending::Ended,
        identity::Identity,
        reader::Reader,
        writer::{Options, create},
    },
};

use crate::support::{Live, Space, refusal, signal, text, until};

/// A program that runs, with the engine in it.
struct Attached {
    space: Space,
    live: Live,
    input: Option<ChildStdin>,
}

impl Attached {
    fn new(work: &str) -> Self {
        let space = Space::new();
        let mut program = space.bare("served.dll", work);
        program
            .env("SERVED_FILE", space.path("served"))
            .stdin(Stdio::piped());
        let mut live = Live::start(&mut program);
        let input = live.input();
        live.expect("ready");
        let args = format!("attach {} -q --for 1ms -o first.soglia", live.pid());
        let attached = space.soglia(&args).output().unwrap();
        assert!(attached.status.success(), "{}", text(&attached.stderr));
        Self { space, live, input }
    }

    fn connect(&self) -> UnixStream {
        let pid = self.live.pid();
        let name = name(pid, process::started(pid).unwrap());
        UnixStream::connect_addr(&address(&name).unwrap()).unwrap()
    }

    fn say(&mut self, line: &str) -> String {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        self.live.line()
    }

    /// The settings of a session, with a new recording.
    fn settings(&self, file: &str) -> Vec<(String, String)> {
        let path = self.space.path(file);
        let made = create(&path, &Options::default()).unwrap();
        let identity = Identity::of(&made).unwrap().to_string();
        vec![
            setting("SOGLIA_RECORDING", path.to_str().unwrap()),
            setting("SOGLIA_RECORDING_ID", &identity),
        ]
    }

    /// The recording of the session that runs.
    fn state(&self) -> Option<String> {
        let answer = ask(&mut self.connect(), &Request::State).unwrap();
        answer.fact(facts::RECORDING).map(str::to_owned)
    }

    fn end(&mut self) {
        self.say("stop");
        let said = self.say("end");
        assert!(said.starts_with("ended wrong=0"), "{said}");
        self.live.wait_quietly();
    }
}

fn setting(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn why_not(answer: Answer) -> String {
    match answer {
        Answer::No(why) => why,
        Answer::Ok(facts) => panic!("it is not refused: {facts:?}"),
    }
}

fn ok(answer: Answer) -> Answer {
    assert!(matches!(answer, Answer::Ok(_)), "{answer:?}");
    answer
}

fn detached(path: &Path) -> Option<Detach> {
    Reader::open(path).unwrap().names().detach
}

/// Calls by the name of the function.
fn calls(path: &Path) -> BTreeMap<String, u64> {
    let reader = Reader::open(path).unwrap();
    let names = reader.names();
    let mut calls = BTreeMap::new();
    for ((target, _), total) in reader.tasks().into_iter().flat_map(|task| task.targets) {
        let entry = names.targets.get(&target).and_then(|t| t.entry.clone());
        *calls.entry(entry.unwrap_or_default()).or_default() += total.calls();
    }
    calls
}

#[test]
fn requests_that_cannot_be_done_are_refused_and_do_no_harm() {
    let mut program = Attached::new("regular");
    let begin = |settings| ask(&mut program.connect(), &Request::Begin(settings)).unwrap();
    let none = why_not(begin(Vec::new()));
    assert!(none.contains("names no recording"), "{none}");
    let absent = why_not(begin(vec![setting("SOGLIA_RECORDING", "/absent/x.soglia")]));
    assert!(
        absent.contains("/absent/x.soglia cannot be used"),
        "{absent}"
    );
    let mut other = program.settings("other.soglia");
    other[1] = program.settings("another.soglia").remove(1);
    let other = why_not(begin(other));
    assert!(other.contains("another file"), "{other}");
    for (name, value, wanted) in [
        ("SOGLIA_SLOTS", "2", "from the start of a program only"),
        ("SOGLIA_FOLLOW", "1", "programs that this one starts"),
        ("SOGLIA_POLICY", "no policy", "its policy cannot be read"),
        ("SOGLIA_DEADLINES", "?", "its deadlines cannot be read"),
    ] {
        let mut settings = program.settings("refused.soglia");
        settings.push(setting(name, value));
        let why = why_not(begin(settings));
        assert!(why.contains(wanted), "{why}: not {wanted}");
    }
    let idle = Request::End { keep: false };
    let idle = why_not(ask(&mut program.connect(), &idle).unwrap());
    assert!(idle.contains("no session runs"), "{idle}");
    // What is no message at all.
    for bad in [
        &b"\x05\0\0\0hello"[..],
        b"\x03\0\0\0\xff\xff\xff",
        b"\xff\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\0",
    ] {
        let mut stream = program.connect();
        stream.write_all(bad).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        if let Some(answer) = answer.get(4..) {
            let why = why_not(Answer::decode(answer).unwrap());
            assert!(why.contains("cannot read the request"), "{why}");
        }
    }
    // More than are let in at a time.
    let many: Vec<UnixStream> = (0..40).map(|_| program.connect()).collect();
    drop(many);
    until("an answer", || {
        ask(&mut program.connect(), &Request::State).ok()
    });
    assert_eq!(program.state(), None);
    program.end();
}

#[test]
fn a_session_lives_as_long_as_its_tool() {
    let mut program = Attached::new("regular");
    let pid = program.live.pid();
    let path = program.space.path("killed.soglia");
    let attach = format!("attach {pid} -q -o killed.soglia");
    let mut tool = Live::start(&mut program.space.soglia(&attach));
    until("the session", || program.state());
    let busy = refusal(&mut program.space.soglia(&format!("attach {pid}")));
    assert!(busy.contains(&tool.pid().to_string()), "{busy}");
    let stranger = ask(&mut program.connect(), &Request::End { keep: false }).unwrap();
    assert!(why_not(stranger).contains("attached already"));
    signal(tool.pid(), "KILL");
    tool.wait_quietly();
    until("the end of the session", || {
        program.state().is_none().then_some(())
    });
    let detach = detached(&path).unwrap();
    assert_eq!((detach.why, detach.kept), (Why::ToolGone, false));
    assert_eq!(Reader::open(&path).unwrap().ended(), Ended::LetGo);
    // Nothing is written any more.
    let before = fs::read(&path).unwrap();
    program.say("stop");
    program.say("go");
    assert!(fs::read(&path).unwrap() == before);
    program.end();
}

#[test]
fn a_session_that_is_kept_goes_on_until_it_is_ended() {
    let mut program = Attached::new("regular");
    let mut tool = program.connect();
    let settings = program.settings("kept.soglia");
    ok(ask(&mut tool, &Request::Begin(settings)).unwrap());
    ok(ask(&mut tool, &Request::End { keep: true }).unwrap());
    drop(tool);
    let path = program.space.path("kept.soglia");
    assert!(detached(&path).unwrap().kept);
    assert_eq!(program.state().map(PathBuf::from).as_ref(), Some(&path));
    let settings = program.settings("second.soglia");
    let second = ask(&mut program.connect(), &Request::Begin(settings)).unwrap();
    assert!(why_not(second).contains("was kept"));
    assert_eq!(Reader::open(&path).unwrap().ended(), Ended::Running);
    ok(ask(&mut program.connect(), &Request::End { keep: false }).unwrap());
    let detach = detached(&path).unwrap();
    assert_eq!((detach.why, detach.kept), (Why::Asked, false));
    assert_eq!(program.state(), None);
    program.end();
}

#[test]
fn a_program_that_ends_during_a_session_leaves_its_exit_code() {
    let mut program = Attached::new("regular");
    let mut tool = program.connect();
    let settings = program.settings("ends.soglia");
    ok(ask(&mut tool, &Request::Begin(settings)).unwrap());
    let path = program.space.path("ends.soglia");
    program.end();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.ended(), Ended::Exit(Some(0)));
    assert_eq!(reader.names().detach, None);
}

/// One number of `/proc/PID/status`.
fn status(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn mappings(pid: u32) -> usize {
    fs::read_to_string(format!("/proc/{pid}/maps"))
        .unwrap()
        .lines()
        .count()
}

#[test]
fn many_sessions_begin_and_end_and_each_records() {
    const SESSIONS: usize = 30;
    let mut program = Attached::new("");
    let pid = program.live.pid();
    let (mut tool, mut before) = (program.connect(), (0, 0));
    for session in 0..SESSIONS {
        let file = format!("session{session}.soglia");
        let settings = program.settings(&file);
        let path = program.space.path(&file);
        ok(ask(&mut tool, &Request::Begin(settings)).unwrap());
        // Each thread is in one of the sessions that follow from its first call on.
        until("calls", || {
            (calls(&path).values().sum::<u64>() > 100).then_some(())
        });
        ok(ask(&mut tool, &Request::End { keep: false }).unwrap());
        let reader = Reader::open(&path).unwrap();
        let faults: u32 = reader.tasks().iter().flat_map(|task| task.faults).sum();
        assert_eq!((reader.dropped_crossings(), faults), (0, 0), "{file}");
        assert_eq!(detached(&path).map(|detach| detach.why), Some(Why::Asked));
        if session == 2 {
            before = (status(pid, "Threads"), mappings(pid));
        }
        // The recordings need no name any more.
        fs::remove_file(path).unwrap();
    }
    let after = (status(pid, "Threads"), mappings(pid));
    assert!(after.0 < before.0 + 10, "threads: {before:?}, {after:?}");
    assert!(
        after.1 < before.1 + 10 * SESSIONS,
        "mappings: {before:?}, {after:?}"
    );
    let said = program.say("stop");
    assert!(said.starts_with("stopped wrong=0"), "{said}");
    program.say("go");
    program.end();
}

/// The descriptors of the program: low numbers are its own, and no socket is among them.
#[test]
fn the_descriptors_of_the_program_stay_its_own() {
    let mut program = Attached::new("regular");
    let folder = format!("/proc/{}/fd", program.live.pid());
    let all = || -> BTreeMap<u32, PathBuf> {
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
        let number = |name: &std::ffi::OsStr| name.to_str().unwrap().parse().unwrap();
        let named = |entry: fs::DirEntry| {
            let link = fs::read_link(entry.path()).unwrap_or_default();
            (number(&entry.file_name()), link)
        };
        entries.map(named).collect()
    };
    let before = all();
    let mut tool = program.connect();
    let settings = program.settings("open.soglia");
    ok(ask(&mut tool, &Request::Begin(settings)).unwrap());
    let path = program.space.path("open.soglia");
    let during: BTreeMap<u32, PathBuf> = all();
    let new = during
        .iter()
        .filter(|(n, link)| before.get(n) != Some(link));
    let ours: Vec<u32> = new
        .filter(|(_, link)| **link == path)
        .map(|(n, _)| *n)
        .collect();
    assert!(matches!(ours[..], [number] if number >= 48), "{ours:?}");
    ok(ask(&mut tool, &Request::End { keep: false }).unwrap());
    assert!(!all().values().any(|link| *link == path));
    program.end();
}
