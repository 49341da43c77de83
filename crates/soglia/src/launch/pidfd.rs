//! Processes that this one has not started: when they end, and how.

use std::{
    fs, io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use soglia_core::process;

use super::ended::Ended;

/// A process that lived when this was made, whatever gets its number later.
#[derive(Debug)]
pub(super) struct Process {
    fd: OwnedFd,
    pid: u32,
    /// When it started, in clock ticks since boot.
    pub(super) started: u64,
}

impl Process {
    /// The process with this number.
    ///
    /// # Errors
    /// If there is none, or if the kernel is older than 5.3.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        // SAFETY: the call takes two numbers. A result that is not negative is a new descriptor,
        // which has no other owner.
        let fd = unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd as i32)
        };
        let started = process::started(pid).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { fd, pid, started })
    }

    /// The number of the process.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// The descriptor, which becomes readable when the process ends.
    pub(super) fn descriptor(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// How the process ended. `None`: it lives, or the kernel does not say.
    ///
    /// A kernel of version 6.15 or later tells it of any process. An older one tells it only of a
    /// process for which its parent has not waited yet.
    pub(super) fn ended(&self) -> Option<Ended> {
        // The kernel tells it here or there, before or after the parent has waited. That may happen
        // between the two questions.
        let status = self
            .status_of_fd()
            .or_else(|| self.status_of_zombie())
            .or_else(|| self.status_of_fd())?;
        Some(match libc::WIFSIGNALED(status) {
            true => Ended::Killed(libc::WTERMSIG(status)),
            false => Ended::Exited(libc::WEXITSTATUS(status)),
        })
    }

    /// What `wait` returns to the parent.
    fn status_of_fd(&self) -> Option<i32> {
        let mut info = Info {
            mask: EXIT,
            ..Info::default()
        };
        // SAFETY: `fd` is open, and the request says how large `info` is, which the kernel reads
        // and writes.
        let asked = unsafe { libc::ioctl(self.fd.as_raw_fd(), GET_INFO as _, &raw mut info) };
        (asked == 0 && info.mask & EXIT != 0).then_some(info.exit_code)
    }

    /// The same of a process for which its parent has not waited.
    fn status_of_zombie(&self) -> Option<i32> {
        let stat = fs::read(format!("/proc/{}/stat", self.pid)).ok()?;
        let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
        let fields: Vec<&str> = str::from_utf8(&stat[name_ends + 1..])
            .ok()?
            .split_ascii_whitespace()
            .collect();
        let is_it = fields.get(19)?.parse() == Ok(self.started);
        if !is_it || !matches!(*fields.first()?, "Z" | "X") {
            return None;
        }
        fields.get(49)?.parse().ok()
    }
}

/// The kernel's `struct pidfd_info`, in its first size.
#[derive(Default)]
#[repr(C)]
struct Info {
    mask: u64,
    cgroup: u64,
    pid: u32,
    tgid: u32,
    ppid: u32,
    /// Users and groups.
    ids: [u32; 8],
    exit_code: i32,
}

const _: () = assert!(size_of::<Info>() == 64);

/// `PIDFD_INFO_EXIT`.
const EXIT: u64 = 1 << 3;
/// `PIDFD_GET_INFO`: `_IOWR(0xff, 11, struct pidfd_info)`.
const GET_INFO: libc::c_ulong =
    3 << 30 | (size_of::<Info>() as libc::c_ulong) << 16 | 0xff << 8 | 11;

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    /// Starts a shell, and returns it when it waits for the end of its input.
    fn shell(script: &str) -> (std::process::Child, Process) {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("read line; {script}")]);
        let child = shell.stdin(Stdio::piped()).spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        (child, process)
    }

    fn until<T>(mut holds: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(value) = holds() {
                return value;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "waited in vain");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn ends_are_known_before_the_parent_waits() {
        for (script, expected) in [
            ("exit 3", Ended::Exited(3)),
            ("kill -KILL $$", Ended::Killed(libc::SIGKILL)),
        ] {
            let (mut child, process) = shell(script);
            assert_eq!(process.ended(), None);
            drop(child.stdin.take());
            assert_eq!(until(|| process.ended()), expected);
            child.wait().unwrap();
        }
    }

    /// Of a process that is gone, an older kernel says nothing, and never anything wrong.
    #[test]
    fn ends_are_known_afterwards_if_the_kernel_keeps_them() {
        let (mut child, process) = shell("exit 4");
        drop(child.stdin.take());
        child.wait().unwrap();
        let ended = process.ended();
        assert!(matches!(ended, None | Some(Ended::Exited(4))), "{ended:?}");
        assert!(Process::of(child.id()).is_err() || process.ended() == ended);
    }
}
