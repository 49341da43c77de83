//! What every thread of a running program is doing: `soglia stacks`.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    schema::{check, schema},
    support::{Live, Space, refusal, text, until},
};

const STACKS: &str = include_str!("../../../../docs/stacks.schema.json");

/// `standing.dll CASE`, which stands still until its standard input ends.
fn standing(space: &Space, case: &str) -> Live {
    let mut command = space.bare("standing.dll", case);
    let mut live = Live::start(command.stdin(Stdio::piped()));
    live.expect("standing");
    live
}

fn end(mut live: Live) {
    drop(live.input());
    let (status, said) = live.wait();
    assert!(status.success(), "{said}");
}

fn stacks(space: &Space, pid: u32) -> Value {
    let output = space.soglia(&format!("stacks {pid} --format json"));
    let output = { output }.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let value = serde_json::from_slice(&output.stdout).unwrap();
    check(&schema(STACKS), &value);
    value
}

/// The thread of this name.
fn thread<'a>(stacks: &'a Value, name: &str) -> &'a Value {
    let threads = stacks["threads"].as_array().unwrap();
    let named = threads.iter().find(|thread| thread["name"] == name);
    named.unwrap_or_else(|| panic!("no thread {name} in {stacks:#}"))
}

fn has(frames: &Value, wanted: &str) -> bool {
    let frames = frames.as_array().unwrap();
    frames
        .iter()
        .any(|frame| frame.as_str().unwrap().contains(wanted))
}

#[test]
fn every_thread_is_shown_where_it_stands() {
    let space = Space::new();
    let live = standing(&space, "everywhere");
    let all = stacks(&space, live.pid());
    assert_eq!(
        (&all["pid"], &all["no_stacks"]),
        (&live.pid().into(), &Value::Null)
    );
    for (name, inside, method, native) in [
        ("in pause", "libc!pause", "InPause", "!pause"),
        ("in library", "standing!stand", "InLibrary", "!stand"),
        (
            "in pointer",
            "libstanding.so!stand_by_pointer",
            "InPointer",
            "!stand_by_pointer",
        ),
        ("in callback", "standing!stand", "OnCall", "!stand"),
    ] {
        let thread = thread(&all, name);
        assert_eq!(
            (&thread["state"], &thread["inside"]),
            (&"native".into(), &inside.into()),
            "{thread:#}"
        );
        assert_eq!(
            thread["stack"][0],
            format!("Soglia.Standing.Program.{method}"),
            "{thread:#}"
        );
        assert!(has(&thread["native_stack"], native), "{thread:#}");
        assert!(
            thread["native_end"].is_null() && thread["no_stack"].is_null(),
            "{thread:#}"
        );
    }
    let callback = &thread(&all, "in callback")["stack"];
    assert_eq!(
        (&callback[1], &callback[2]),
        (
            &"[unmanaged]".into(),
            &"Soglia.Standing.Program.InCallback".into()
        )
    );
    for (name, method) in [
        ("in the lock", "Program.InLock"),
        ("in sleep", "Program.InSleep"),
        ("holds the lock", "Program.Hold"),
    ] {
        let thread = thread(&all, name);
        assert_eq!(
            (&thread["state"], &thread["inside"]),
            (&"runtime".into(), &Value::Null),
            "{thread:#}"
        );
        assert!(has(&thread["stack"], method), "{thread:#}");
    }
    let spins = thread(&all, "in a loop");
    assert_eq!(
        spins["stack"][0], "Soglia.Standing.Program.InLoop",
        "{spins:#}"
    );
    assert_eq!(spins["inside"], Value::Null);
    let threads = all["threads"].as_array().unwrap();
    let main = threads
        .iter()
        .find(|thread| thread["os_thread"] == live.pid());
    let main = main.unwrap();
    assert!(has(&main["stack"], "Program.UntilInputEnds"), "{main:#}");
    assert_eq!(main["state"], "native", "{main:#}");
    end(live);
}

#[test]
fn threads_with_equal_stacks_are_shown_together() {
    let space = Space::new();
    let live = standing(&space, "many 5");
    let pid = live.pid();
    let shown = |options: &str| {
        let output = space
            .soglia(&format!("stacks {pid} {options}"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    // Threads may still be on their way.
    let text = until("all threads", || {
        Some(shown("--wide")).filter(|text| text.contains("5 threads inside standing!stand\n"))
    });
    assert!(
        text.contains("libstanding.so!stand+")
            && text.contains("called by managed code")
            && text.contains("Soglia.Standing.Program.InLibrary")
            && text.contains("--all shows them"),
        "{text}"
    );
    let managed = shown("--managed");
    assert!(!managed.contains("libstanding.so!"), "{managed}");
    let native = shown("--native --all");
    assert!(
        native.contains("libstanding.so!") && !native.contains("Program.InLibrary\n"),
        "{native}"
    );
    assert!(!native.contains("--all shows them"), "{native}");
    shown("-o stacks.txt");
    let written = fs::read_to_string(space.path("stacks.txt")).unwrap();
    assert!(written.contains("inside standing!stand"), "{written}");
    end(live);
}

#[test]
fn a_call_without_a_transition_does_not_hold_the_program_up() {
    let space = Space::new();
    let live = standing(&space, "marked 2000");
    let all = until("the call", || {
        let all = stacks(&space, live.pid());
        (!all["no_stacks"].is_null()).then_some(all)
    });
    let why = all["no_stacks"].as_str().unwrap();
    assert!(
        why.contains("inside standing!stand_marked, which is called without a GC transition"),
        "{why}"
    );
    let marked = thread(&all, "marked");
    assert_eq!(
        (&marked["state"], &marked["inside"]),
        (&"native".into(), &"standing!stand_marked".into())
    );
    assert!(has(&marked["native_stack"], "!stand_marked"), "{marked:#}");
    assert_eq!(
        marked["stack"][0], "Soglia.Standing.Program.Marked",
        "{marked:#}"
    );
    end(live);
}

#[test]
fn stacks_are_read_while_the_runtime_collects() {
    let space = Space::new();
    let live = standing(&space, "collecting");
    for _ in 0..5 {
        let all = stacks(&space, live.pid());
        let pause = thread(&all, "in pause");
        assert_eq!(pause["inside"], "libc!pause", "{pause:#}");
    }
    end(live);
}

/// Lines of a process's maps, without those of heaps, which grow for other reasons.
fn mappings(pid: u32) -> (usize, usize) {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let engine = maps.lines().filter(|line| line.contains("libsoglia"));
    (
        engine.count(),
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
    )
}

fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).unwrap().count()
}

#[test]
fn nothing_stays_in_the_process() {
    let space = Space::new();
    let live = standing(&space, "many 3");
    let pid = live.pid();
    stacks(&space, pid);
    let (first, began) = (mappings(pid), threads(pid));
    for _ in 0..10 {
        let all = stacks(&space, pid);
        assert_eq!(all["no_stacks"], Value::Null);
    }
    assert_eq!(mappings(pid), first);
    // The runtime has threads that come and go.
    until("the end of threads", || {
        (threads(pid) <= began).then_some(())
    });
    // The runtime lets the engine go some moments later: its name is free then.
    let name = format!("soglia/control/{pid}/");
    until("the end of the engine", || {
        let sockets = fs::read_to_string("/proc/net/unix").unwrap();
        (!sockets.contains(&name)).then_some(())
    });
    end(live);
}

#[test]
fn processes_without_stacks_are_named() {
    let space = Space::new();
    let said = refusal(&mut space.soglia("stacks 2000000000"));
    assert!(said.contains("there is no process 2000000000"), "{said}");
    let mut sleeps = Command::new("sleep").arg("100").spawn().unwrap();
    let said = refusal(&mut space.soglia(&format!("stacks {}", sleeps.id())));
    sleeps.kill().unwrap();
    sleeps.wait().unwrap();
    assert!(said.contains("runs no .NET"), "{said}");
}
