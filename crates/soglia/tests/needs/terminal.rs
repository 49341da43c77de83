//! `soglia top` on a terminal, which the `script` command makes.

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use soglia_testing::needs::{Outcome, require};

use crate::support::{Live, SOGLIA, Space, signal, text, until};

/// What programs write to show a screen of their own, and to give the terminal back.
const ENTERED: &str = "\u{1b}[?1049h";
const LEFT: &str = "\u{1b}[?1049l";
const CURSOR_SHOWN: &str = "\u{1b}[?25h";

/// A shell on a terminal, and what was written to it.
struct Terminal {
    script: Child,
    keys: Option<ChildStdin>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Runs `soglia ARGS` on a terminal of 80 x 24, then prints its exit code and the terminal's
    /// settings.
    fn run(space: &Space, args: &str) -> Self {
        let shell =
            format!("stty rows 24 cols 80; '{SOGLIA}' {args}; echo code $?; stty -a; echo over");
        let mut command = space.command("script");
        command.args(["-qfc", &shell, "/dev/null"]);
        command
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .env("SHELL", "/bin/sh");
        let mut script = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut output = script.stdout.take().unwrap();
        let all = Arc::clone(&written);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                all.lock().unwrap().extend_from_slice(&bytes[..read]);
            }
        });
        Self {
            keys: script.stdin.take(),
            script,
            written,
        }
    }

    fn written(&self) -> String {
        text(&self.written.lock().unwrap())
    }

    /// Waits until this has been written, so often.
    fn expect(&self, wanted: &str, times: usize) {
        until(wanted, || {
            (self.written().matches(wanted).count() >= times).then_some(())
        });
    }

    /// Waits until this has been drawn.
    fn expect_text(&self, wanted: &str) {
        let squeezed = |text: &str| text.replace(' ', "");
        let wanted = squeezed(wanted);
        until(&wanted, || {
            squeezed(&without_escapes(&self.written()))
                .contains(&wanted)
                .then_some(())
        });
    }

    /// Presses keys, then the one that has all of the screen drawn again: otherwise only what has
    /// changed is drawn.
    fn press(&mut self, keys: &str) {
        let to = self.keys.as_mut().unwrap();
        to.write_all(format!("{keys}\u{c}").as_bytes()).unwrap();
        to.flush().unwrap();
    }

    /// The soglia that runs in the shell.
    fn soglia(&self) -> u32 {
        let children = |pid: u32| {
            let path = format!("/proc/{pid}/task/{pid}/children");
            let children = fs::read_to_string(path).unwrap_or_default();
            let numbers = children.split_whitespace().map(|n| n.parse().unwrap());
            numbers.collect::<Vec<u32>>()
        };
        until("soglia", || {
            let shells = children(self.script.id());
            shells.into_iter().flat_map(children).next()
        })
    }

    /// Checks that the terminal is as it was, and how soglia ended.
    fn is_restored(&self, code: i32) {
        self.expect("\nover", 1);
        let written = self.written();
        let after = &written[written.rfind(LEFT).expect("the screen was left")..];
        assert!(after.contains(CURSOR_SHOWN), "{after}");
        assert!(after.contains(&format!("code {code}\r\n")), "{after}");
        let settings: Vec<&str> = after.split([' ', ';', '\r', '\n']).collect();
        for on in ["icanon", "echo", "isig", "opost"] {
            assert!(settings.contains(&on), "{on}: {after}");
        }
    }
}

/// A text without what moves the cursor or changes colours.
fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        all + end.map_or("", |end| &part[end + 1..])
    })
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

/// A program that waits in a native call.
fn hanging(space: &Space) -> Live {
    let mut live = Live::start(&mut space.run("-q", "semantics.dll", "hang"));
    live.expect("hanging");
    live
}

fn there_is_script() -> Outcome {
    let mut command = Command::new("script");
    let found = command.arg("--version").stdout(Stdio::null()).status();
    require(found.is_ok(), "there is no `script` command")
}

/// Keys lead through the screens, and the program's end is shown.
pub fn top_shows_a_program_until_it_ends() -> Outcome {
    there_is_script()?;
    let space = Space::new();
    let live = hanging(&space);
    let program = live.program().unwrap();
    let mut terminal = Terminal::run(&space, &format!("top --every 250ms {program}"));
    terminal.expect(ENTERED, 1);
    terminal.expect_text("semantics!hang");
    terminal.expect_text(&format!("process {program}, running"));
    terminal.press("/hang\r");
    terminal.expect_text("Esc clears it");
    terminal.press("\r");
    terminal.expect_text("Open now");
    terminal.press("2");
    terminal.expect_text("cross./s");
    terminal.press("?");
    terminal.expect_text("Keys");
    signal(program, "KILL");
    terminal.press("1");
    terminal.expect_text("the program has ended");
    assert!(!terminal.written().contains("\u{1b}[38;"), "no colours");
    terminal.press("q");
    terminal.is_restored(0);
    Ok(())
}

/// The terminal is as it was after a signal, and while the process is stopped.
pub fn top_leaves_the_terminal_as_it_was() -> Outcome {
    there_is_script()?;
    let space = Space::new();
    let live = hanging(&space);
    let mut terminal = Terminal::run(&space, &format!("top {}", live.pid()));
    terminal.expect_text("semantics!hang");
    let soglia = terminal.soglia();
    terminal.press("\u{1a}");
    terminal.expect(LEFT, 1);
    until("the stop", || {
        let stat = fs::read_to_string(format!("/proc/{soglia}/stat")).unwrap();
        stat.contains(") T ").then_some(())
    });
    signal(soglia, "CONT");
    terminal.expect(ENTERED, 2);
    signal(soglia, "TERM");
    // As the shell sees a process that SIGTERM has ended.
    terminal.is_restored(128 + 15);
    Ok(())
}

/// Without an argument it lists what can be watched, as text where there is no terminal.
pub fn top_lists_programs_to_choose_from() -> Outcome {
    there_is_script()?;
    let space = Space::new();
    let live = hanging(&space);
    let program = live.program().unwrap();
    let list = text(&space.soglia("top").output().unwrap().stdout);
    let line = list
        .lines()
        .find(|line| line.contains(&program.to_string()));
    assert!(
        line.is_some_and(|line| line.contains("semantics.dll")),
        "{list}"
    );
    let mut terminal = Terminal::run(&space, "top");
    terminal.expect_text(".NET programs");
    terminal.expect_text(&program.to_string());
    terminal.press("q");
    terminal.is_restored(0);
    Ok(())
}

/// Where nothing records the process, it asks first, and lets go when the user quits.
pub fn top_attaches_if_the_user_agrees() -> Outcome {
    there_is_script()?;
    let space = Space::new();
    let mut command = space.bare("served.dll", "regular");
    command.env("SERVED_FILE", space.path("served"));
    let mut served = Live::start(command.stdin(Stdio::piped()));
    served.expect("ready");
    let pid = served.pid();
    let question = format!("soglia: nothing records process {pid} (");
    {
        let mut terminal = Terminal::run(&space, &format!("top {pid}"));
        terminal.expect(&question, 1);
        terminal.expect("Attach soglia to it? [y/N] ", 1);
        terminal.press("n\r");
        terminal.expect("code 2", 1);
        assert!(!terminal.written().contains(ENTERED));
    }
    let mut terminal = Terminal::run(&space, &format!("top --every 250ms {pid}"));
    terminal.expect("Attach soglia to it? [y/N] ", 1);
    let to = terminal.keys.as_mut().unwrap();
    to.write_all(b"y\r").unwrap();
    terminal.expect(ENTERED, 1);
    terminal.expect_text("served!regular");
    terminal.expect_text(&format!("process {pid}, running, attached for "));
    terminal.press("q");
    terminal.is_restored(0);
    // It was let go of, so it can be attached to again.
    let again = format!("report {pid} --attach --for 1s --format json");
    let output = space.soglia(&again).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    drop(served.input());
    assert!(served.wait().0.success());
    Ok(())
}
