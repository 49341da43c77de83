//! The ways to a native function after an attach: which a policy closes, and which are counted.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{ChildStdin, Stdio},
};

use crate::{
    routes::{differences, documented},
    support::{Live, Space, of_all, recorded, signal},
};

/// A program that tries routes when it is asked to, and `soglia attach` on it.
struct Trying {
    program: Live,
    input: Option<ChildStdin>,
}

impl Trying {
    fn start(space: &Space) -> Self {
        let mut command = space.bare("routes.dll", "lines");
        let mut program = Live::start(command.stdin(Stdio::piped()));
        program.expect("ready");
        let input = program.input();
        Self { program, input }
    }

    /// How these routes end. No names are all routes.
    fn ask(&mut self, routes: &str) -> BTreeMap<String, String> {
        writeln!(self.input.as_mut().unwrap(), "{routes}").unwrap();
        let mut outcomes = BTreeMap::new();
        loop {
            let line = self.program.line();
            if line == "done" {
                return outcomes;
            }
            let (name, outcome) = line.split_once(": ").expect("a route and its outcome");
            outcomes.insert(name.to_owned(), outcome.to_owned());
        }
    }

    /// What happens while soglia is attached.
    fn attached<T>(
        &mut self,
        space: &Space,
        options: &str,
        then: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let pid = self.program.pid();
        let mut command = space.soglia(&format!("attach {pid} -q -o a.soglia {options}"));
        let mut tool = Live::start(&mut command);
        tool.attached(&space.path("a.soglia"));
        let result = then(self);
        signal(tool.pid(), "INT");
        let (status, errors) = tool.wait();
        assert!(status.success(), "soglia attach: {status}: {errors}");
        result
    }

    fn end(mut self) {
        drop(self.input.take());
        let (status, errors) = self.program.wait();
        assert!(status.success(), "{status}: {errors}");
    }
}

/// A policy closes the routes that it closes in a program that was started with it, whether the
/// program has been there before or not.
#[test]
fn a_policy_closes_the_documented_routes_after_an_attach() {
    let expected = documented();
    for (options, before) in [
        ("--deny routes!forbidden", "none"),
        ("--deny routes!forbidden", ""),
        ("--deny routes!forbidden --counts", ""),
        ("--deny routes!forbidden_alias", "none"),
        (
            "--deny libroutes.so!forbidden_text --only *!also --skip routes!*",
            "none",
        ),
    ] {
        let space = Space::new();
        let mut trying = Trying::start(&space);
        let open = trying.ask(before);
        let is_open = |outcome: &String| outcome == "open" || outcome == "absent";
        assert!(open.values().all(is_open), "{open:?}");
        let found = trying.attached(&space, options, |trying| trying.ask(""));
        let differences = differences(&found, &expected);
        assert_eq!(differences, [""; 0], "{options}, after \"{before}\"");
        let again = trying.ask("");
        assert!(
            again.values().all(is_open),
            "the policy has ended: {again:?}"
        );
        trying.end();
    }
}

/// Each of these calls the function once.
const ONCE: &str = "import reflection method-invoker method-delegate managed-pointer \
                    method-handle dynamic-call expression emitted-call";

#[test]
fn calls_by_reflection_are_recorded_like_others_after_an_attach() {
    for options in ["", "--counts", "--corelib"] {
        let space = Space::new();
        let mut trying = Trying::start(&space);
        // The runtime compiles its own code for reflection at the second call.
        for _ in 0..2 {
            trying.ask(ONCE);
        }
        let calls = trying.attached(&space, options, |trying| {
            for _ in 0..3 {
                let outcomes = trying.ask(ONCE);
                assert!(outcomes.values().all(|how| how == "open"), "{outcomes:?}");
            }
            of_all(&recorded(&space.path("a.soglia")).calls, "forbidden")
        });
        let routes = ONCE.split_whitespace().count() as u64;
        assert_eq!(calls, 3 * routes, "{options}");
        trying.ask(ONCE);
        let later = of_all(&recorded(&space.path("a.soglia")).calls, "forbidden");
        assert_eq!(later, calls, "{options}: the session has ended");
        trying.end();
    }
}
