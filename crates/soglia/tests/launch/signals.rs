//! Signals and job control reach the program as they would without the tool.

use std::os::unix::process::CommandExt;
use std::time::Duration;

use crate::processes::{Running, Terminal, await_not_state, await_state, kill, self_command, this};

pub fn signals_sent_to_the_tool_reach_the_program() {
    let signals = [
        libc::SIGINT,
        libc::SIGTERM,
        libc::SIGHUP,
        libc::SIGQUIT,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGWINCH,
        libc::SIGCONT,
        libc::SIGALRM,
        35,
    ];
    for signal in signals {
        let mut running = Running::start(
            self_command("launch")
                .arg(this())
                .args(["receive", &signal.to_string()]),
        );
        running.expect("ready");
        running.kill(signal);
        running.expect(&format!("got {signal}"));
        assert_eq!(running.wait().code(), Some(signal));
    }
}

pub fn the_value_of_a_queued_signal_is_kept() {
    let mut running = Running::start(self_command("launch").arg(this()).args(["receive", "36"]));
    running.expect("ready");
    running.queue(36, 4711);
    running.expect("got 36 with 4711");
    running.wait();
}

pub fn a_terminal_interrupt_arrives_once() {
    let mut terminal = Terminal::shell(&["receive", "2"]);
    terminal.expect("ready");
    terminal.type_in(b"\x03");
    terminal.expect("got 2\r\n");
    terminal.expect("shell: exited 2");
    let mut terminal = Terminal::shell(&["count", "2"]);
    terminal.expect("ready");
    terminal.type_in(b"\x03");
    terminal.expect("count 1");
    terminal.expect("shell: exited 1");
}

pub fn ctrl_z_stops_both_and_continuing_resumes_both() {
    let mut terminal = Terminal::shell(&["receive", "2"]);
    let program = terminal.expect_number("pid ");
    terminal.expect("ready");
    terminal.type_in(b"\x1a");
    terminal.expect(&format!("shell: stopped {}", libc::SIGTSTP));
    await_state(program, 'T');
    terminal.type_in(b"fg\n");
    terminal.expect("shell: continued");
    await_not_state(program, 'T');
    terminal.type_in(b"\x03");
    terminal.expect("shell: exited 2");
}

pub fn a_stop_sent_to_the_tool_stops_both() {
    // A group of its own: in a group whose leaders are all outside of the session, no process
    // stops.
    let mut running = Running::start(
        self_command("launch")
            .arg(this())
            .args(["receive", "15"])
            .process_group(0),
    );
    let program = running.expect_number("pid ");
    running.expect("ready");
    running.kill(libc::SIGTSTP);
    await_state(running.pid(), 'T');
    await_state(program, 'T');
    running.kill(libc::SIGCONT);
    await_not_state(running.pid(), 'T');
    await_not_state(program, 'T');
    running.kill(libc::SIGTERM);
    running.expect("got 15");
    assert_eq!(running.wait().code(), Some(15));
}

pub fn a_stop_sent_to_the_program_leaves_the_tool_waiting() {
    let mut running = Running::start(self_command("launch").arg(this()).args(["receive", "15"]));
    let program = running.expect_number("pid ");
    running.expect("ready");
    kill(program, libc::SIGSTOP);
    await_state(program, 'T');
    std::thread::sleep(Duration::from_millis(200));
    await_not_state(running.pid(), 'T');
    kill(program, libc::SIGCONT);
    running.kill(libc::SIGTERM);
    assert_eq!(running.wait().code(), Some(15));
}
