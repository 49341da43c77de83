//! Processes for the launch tests: started, listened to, signalled, and given a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use soglia_testing::process::isolate;

const PATIENCE: Duration = Duration::from_secs(20);

/// The file of this test.
pub fn this() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// This test in one of its roles.
pub fn self_command(role: &str) -> Command {
    let mut command = Command::new(this());
    isolate(&mut command).arg(role);
    command
}

/// A shell script under the tool.
pub fn sh(script: &str) -> Command {
    let mut command = self_command("launch");
    command.args(["/bin/sh", "-c", script]);
    command
}

pub fn ignore(signal: i32) {
    // SAFETY: to ignore a signal needs no handler.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

pub fn block(signal: i32) {
    // SAFETY: the set is initialised before its use.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

pub fn kill(pid: i32, signal: i32) {
    // SAFETY: no preconditions; the process is a child of the test or of the tool and not reaped.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "kill {pid} {signal}");
}

fn state(pid: i32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next())
        .unwrap_or('?')
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn await_state(pid: i32, wanted: char) {
    wait_until(&format!("process {pid} in state {wanted}"), || {
        state(pid) == wanted
    });
}

pub fn await_not_state(pid: i32, unwanted: char) {
    wait_until(&format!("process {pid} out of state {unwanted}"), || {
        state(pid) != unwanted
    });
}

/// What a process writes, read piece by piece.
struct Reader {
    source: File,
    seen: String,
}

impl Reader {
    fn read_more(&mut self, wanted: &str) {
        let mut ready = libc::pollfd {
            fd: self.source.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: the pointer is to one `pollfd` of this function.
        let ready = unsafe {
            libc::poll(
                &raw mut ready,
                1,
                i32::try_from(PATIENCE.as_millis()).unwrap(),
            )
        };
        let mut bytes = [0; 4096];
        let count = if ready > 0 {
            self.source.read(&mut bytes).unwrap_or(0)
        } else {
            0
        };
        assert!(count > 0, "no {wanted:?} after {:?}", self.seen);
        self.seen
            .push_str(&String::from_utf8_lossy(&bytes[..count]));
    }

    /// Reads up to and including `wanted`.
    fn expect(&mut self, wanted: &str) {
        while !self.seen.contains(wanted) {
            self.read_more(wanted);
        }
        self.seen
            .drain(..self.seen.find(wanted).unwrap() + wanted.len());
    }

    fn expect_number(&mut self, before: &str) -> i32 {
        self.expect(before);
        while !self.seen.contains('\n') {
            self.read_more("a number");
        }
        self.seen
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// A process whose output is read while it runs.
pub struct Running {
    child: Child,
    output: Reader,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let source = File::from(OwnedFd::from(child.stdout.take().unwrap()));
        Self {
            child,
            output: Reader {
                source,
                seen: String::new(),
            },
        }
    }

    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub fn kill(&self, signal: i32) {
        kill(self.pid(), signal);
    }

    pub fn queue(&self, signal: i32, value: usize) {
        let value = libc::sigval {
            sival_ptr: std::ptr::without_provenance_mut(value),
        };
        // SAFETY: the child is not reaped, and the receiver takes the value for a number.
        assert_eq!(unsafe { libc::sigqueue(self.pid(), signal, value) }, 0);
    }

    pub fn expect(&mut self, wanted: &str) {
        self.output.expect(wanted);
    }

    pub fn expect_number(&mut self, before: &str) -> i32 {
        self.output.expect_number(before)
    }

    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A pseudo-terminal with a tiny shell on it, which runs the tool as a job.
pub struct Terminal {
    output: Reader,
    shell: Child,
}

impl Terminal {
    pub fn shell(role: &[&str]) -> Self {
        let (mut master, mut slave) = (0, 0);
        let null = std::ptr::null_mut();
        // SAFETY: the two descriptors are live; the other results are not asked for.
        let opened = unsafe {
            libc::openpty(
                &raw mut master,
                &raw mut slave,
                null,
                null.cast(),
                null.cast(),
            )
        };
        assert_eq!(opened, 0);
        // SAFETY: openpty has just opened both, and nothing else in this process knows them.
        let (master, slave) =
            unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        let mut command = self_command("shell");
        command.arg(this()).args(role);
        command
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave);
        let others = master.as_raw_fd();
        // SAFETY: the closure makes only system calls, which a child of a fork may make.
        unsafe {
            command.pre_exec(move || {
                libc::close(others);
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            })
        };
        let shell = command.spawn().unwrap();
        Self {
            output: Reader {
                source: File::from(master),
                seen: String::new(),
            },
            shell,
        }
    }

    pub fn type_in(&mut self, keys: &[u8]) {
        self.output.source.write_all(keys).unwrap();
    }

    pub fn expect(&mut self, wanted: &str) {
        self.output.expect(wanted);
    }

    pub fn expect_number(&mut self, before: &str) -> i32 {
        self.output.expect_number(before)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Standard output.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
