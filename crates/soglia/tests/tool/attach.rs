//! Attaching to programs that run: what the tool says and does. How exact the counts are is in
//! `attach_counts`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use serde_json::Value;

use crate::support::{Live, SOGLIA, Space, refusal, signal, text, until};

/// The service of the fixtures, without soglia.
struct Served {
    program: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Served {
    fn start(space: &Space, work: &str) -> Self {
        let mut command = space.bare("served.dll", work);
        command
            .env("SERVED_FILE", space.path("served"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut program = command.spawn().unwrap();
        let output = BufReader::new(program.stdout.take().unwrap());
        let mut served = Self {
            input: program.stdin.take(),
            program,
            output,
        };
        assert_eq!(served.line(), "ready");
        served
    }

    fn pid(&self) -> u32 {
        self.program.id()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        self.line()
    }

    /// Ends it, which it must do as it would have without soglia.
    fn end(mut self) {
        let said = self.ask("end");
        assert!(said.starts_with("ended wrong=0 "), "{said}");
        assert!(self.program.wait().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // After a failed test.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// `soglia attach PID OPTIONS`, attached.
struct Attached {
    live: Live,
    said: Box<dyn BufRead>,
}

impl Attached {
    fn to(space: &Space, served: &Served, options: &str) -> Self {
        let mut command = space.soglia(&format!("attach {} {options}", served.pid()));
        let mut live = Live::start(&mut command);
        let mut said = BufReader::new(live.errors());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let begins = format!("soglia: attached to {} (served.dll): ", served.pid());
        assert!(line.starts_with(&begins), "{line}");
        assert!(
            line.contains(" hooked in ") && line.contains("Ctrl-C ends it"),
            "{line}"
        );
        Self {
            live,
            said: Box::new(said),
        }
    }

    /// Asks it to end; returns its report and its exit code.
    fn interrupt(mut self) -> (String, Option<i32>, String) {
        signal(self.live.pid(), "INT");
        self.wait()
    }

    fn wait(&mut self) -> (String, Option<i32>, String) {
        let report = self.live.rest();
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        let (status, _) = self.live.wait();
        (report, status.code(), said)
    }
}

/// How often a function was called, as a report has it.
fn calls(report: &Value, entry: &str) -> u64 {
    let targets = report["targets"].as_array().unwrap();
    let of = targets.iter().filter(|target| target["entry"] == entry);
    of.map(|target| target["calls"].as_u64().unwrap()).sum()
}

#[test]
fn calls_are_counted_from_the_attach_on_and_the_program_runs_on() {
    let space = Space::new();
    let mut served = Served::start(&space, "regular");
    assert_eq!(served.ask("first"), "first 500502");
    let attached = Attached::to(&space, &served, "--format json");
    assert_eq!(served.ask("first"), "first 500502");
    assert!(served.ask("stop").starts_with("stopped wrong=0 "));
    let (report, code, said) = attached.interrupt();
    assert_eq!((code, &*said), (Some(0), ""));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (calls(&report, "first_call"), calls(&report, "first_static")),
        (1000, 1)
    );
    assert_eq!(report["pid"], served.pid());
    served.ask("go");
    // Again, with the engine that is there.
    let attached = Attached::to(&space, &served, "--format json -o again.soglia");
    served.ask("first");
    let (again, code, _) = attached.interrupt();
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!((code, calls(&again, "first_call")), (Some(0), 1000));
    let kept = space
        .soglia("report again.soglia --format json")
        .output()
        .unwrap();
    let kept: Value = serde_json::from_slice(&kept.stdout).unwrap();
    assert_eq!(calls(&kept, "first_call"), 1000);
    served.end();
}

#[test]
fn an_attach_ends_when_its_time_is_over_and_when_the_program_ends() {
    let space = Space::new();
    let served = Served::start(&space, "regular");
    let mut command = space.soglia(&format!("attach {} --for 100ms -o a.soglia", served.pid()));
    let output = command.output().unwrap();
    let report = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(report.contains("recording: a.soglia"), "{report}");
    assert!(text(&output.stderr).contains("Ctrl-C ends it early"));
    let mut attached = Attached::to(&space, &served, "--quiet");
    let pid = served.pid();
    served.end();
    let (report, code, said) = attached.wait();
    assert_eq!((&*report, code), ("", Some(0)));
    assert_eq!(said, format!("soglia: process {pid} has ended\n"));
}

#[test]
fn the_engine_lets_go_when_the_tool_is_killed() {
    let space = Space::new();
    let mut served = Served::start(&space, "regular");
    let mut attached = Attached::to(&space, &served, "");
    signal(attached.live.pid(), "KILL");
    assert_eq!(attached.wait().1, None);
    // A new one begins as soon as the engine has let go.
    until("the engine", || {
        let mut command = space.soglia(&format!("attach {} --for 1ms --quiet", served.pid()));
        command.output().unwrap().status.success().then_some(())
    });
    assert_eq!(served.ask("first"), "first 500502");
    served.end();
}

#[test]
fn a_recording_that_is_kept_goes_on_until_it_is_ended() {
    let space = Space::new();
    let mut served = Served::start(&space, "regular");
    let pid = served.pid();
    let mut keep = space.soglia(&format!("attach {pid} --for 1ms --keep -o a.soglia"));
    let output = keep.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains(&format!("`soglia attach {pid} --end` ends it")));
    served.ask("first");
    let report = space
        .soglia(&format!("report {pid} --format json"))
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(
        (calls(&report, "first_call"), &report["ended"]),
        (1000, &"running".into())
    );
    let second = refusal(&mut space.soglia(&format!("attach {pid}")));
    assert!(second.contains("--end` ends it"), "{second}");
    let end = space
        .soglia(&format!("attach {pid} --end"))
        .output()
        .unwrap();
    assert!(end.status.success(), "{}", text(&end.stderr));
    // A new recording has room for 1 GiB.
    let length = space.path("a.soglia").metadata().unwrap().len();
    assert!(length < 1 << 29, "cut to what was written: {length}");
    served.ask("first");
    let report = space
        .soglia("report a.soglia --format json")
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(calls(&report, "first_call"), 1000);
    served.end();
}

#[test]
fn one_tool_at_a_time_is_attached() {
    let space = Space::new();
    let served = Served::start(&space, "regular");
    let pid = served.pid();
    let attached = Attached::to(&space, &served, "--quiet");
    let second = refusal(&mut space.soglia(&format!("attach {pid}")));
    let tool = attached.live.pid();
    assert!(second.contains(&format!("process {tool}")), "{second}");
    assert!(second.contains(&format!("soglia report {pid}")), "{second}");
    assert_eq!(attached.interrupt().1, Some(0));
    served.end();
}

#[test]
fn a_program_under_soglia_is_reported_and_not_attached_to() {
    let space = Space::new();
    let mut live = Live::start(&mut space.run("-q", "semantics.dll", "hang"));
    live.expect("hanging");
    let program = live.program().unwrap();
    let said = refusal(&mut space.soglia(&format!("attach {program}")));
    assert!(said.contains("runs under soglia already"), "{said}");
    assert!(said.contains(&format!("soglia report {program}")), "{said}");
    signal(program, "KILL");
    live.wait_quietly();
}

#[test]
fn help_says_how_to_attach() {
    let space = Space::new();
    let help = text(&space.soglia("attach --help").output().unwrap().stdout);
    for part in [
        "soglia attach 4711 --for 30s",
        "Exit codes:",
        "--keep",
        "--deny",
    ] {
        assert!(help.contains(part), "{SOGLIA}: {help}");
    }
}
