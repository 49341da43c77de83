//! `soglia attach` and what a program loads, compiles and forgets after it; and policies of an
//! attach.

use std::{
    io::Write,
    process::{ChildStdin, Stdio},
};

use serde_json::Value;

use crate::support::{Live, Space, signal, text, until};

/// A service, and the tool that is attached to it.
struct Attached<'a> {
    space: &'a Space,
    program: Live,
    input: ChildStdin,
    tool: Live,
}

impl<'a> Attached<'a> {
    /// Starts the service with these threads, and attaches to it.
    fn to(space: &'a Space, work: &str, options: &str) -> Self {
        let mut program = Live::start(space.bare("served.dll", work).stdin(Stdio::piped()));
        let input = program.input().unwrap();
        program.expect("ready");
        let attach = format!("attach {} -q -o a.soglia {options}", program.pid());
        let mut tool = Live::start(&mut space.soglia(&attach));
        tool.attached(&space.path("a.soglia"));
        Self {
            space,
            program,
            input,
            tool,
        }
    }

    /// Has the service do something, and say this.
    fn order(&mut self, order: &str, answer: &str) {
        writeln!(self.input, "{order}").unwrap();
        self.program.expect(answer);
    }

    /// Has the tool let go.
    fn let_go(&mut self) {
        signal(self.tool.pid(), "INT");
        let (status, said) = self.tool.wait();
        assert!(status.success(), "{status}: {said}");
    }

    fn calls(&self, entry: &str) -> u64 {
        self.space.recording("a.soglia").report().calls(entry)
    }
}

#[test]
fn modules_and_methods_that_come_later_are_seen_from_their_first_call_on() {
    let space = Space::new();
    let mut attached = Attached::to(&space, "slow", "");
    attached.order("first", "first 500502");
    attached.order("load", "loaded 500500");
    // Twice, since the runtime compiles no method of a collectible module again.
    attached.order("collectible", "collectible 500500");
    attached.order("again", "again 500500");
    attached.order("unload", "unloaded True");
    attached.let_go();
    let calls = ["first_static", "first_call", "loaded", "collectible"];
    assert_eq!(
        calls.map(|entry| attached.calls(entry)),
        [1, 1000, 1000, 2000]
    );
    attached.order("end", "ended wrong=0 traces=0");
}

#[test]
fn a_collectible_module_that_ran_before_is_named() {
    let space = Space::new();
    let mut program = Live::start(space.bare("served.dll", "slow").stdin(Stdio::piped()));
    let mut input = program.input().unwrap();
    program.expect("ready");
    writeln!(input, "collectible").unwrap();
    program.expect("collectible 500500");
    let attach = format!("attach {} --for 100ms --wide", program.pid());
    let out = space.soglia(&attach).output().unwrap();
    let report = text(&out.stdout);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let named = "served.plugin was loaded into a collectible context before the attach";
    assert!(report.contains(named), "{report}");
    writeln!(input, "again").unwrap();
    program.expect("again 500500");
    drop(input);
    program.wait_quietly();
}

#[test]
fn a_policy_denies_calls_from_the_attach_on() {
    let space = Space::new();
    let mut attached = Attached::to(&space, "one", "--deny served!shared");
    until("a denied call", || {
        let report = space.recording("a.soglia").try_json("").ok()?;
        let targets = report["targets"].as_array()?;
        let denied = |target: &Value| target["refused"].as_u64() > Some(0);
        targets.iter().any(denied).then_some(())
    });
    attached.let_go();
    // It stops when every thread waits or has ended.
    writeln!(attached.input, "stop\nend").unwrap();
    let said = attached.program.rest();
    let thrown = "one: System.UnauthorizedAccessException: soglia policy: deny 'served!shared'";
    assert!(said.contains(thrown), "{said}");
}
