//! What the kernel says about a thread of this process. The thread does not notice.

use std::fs;

/// What a thread is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doing {
    /// For people: `sleeping in clock_nanosleep, in hrtimer_nanosleep`.
    pub text: String,
    /// Its stack pointer and its next instruction, if it is off the CPU.
    pub at: Option<(u64, u64)>,
}

/// What a thread is doing now. `None`: it is gone, or the kernel does not say.
pub fn doing(os_thread: u32) -> Option<Doing> {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/task/{os_thread}/{name}"));
    let stat = read("stat").ok()?;
    // Some kernels lack these files; then less is known.
    let (syscall, wchan) = (read("syscall").ok(), read("wchan").ok());
    parse(
        &stat,
        syscall.as_deref().unwrap_or(""),
        wchan.as_deref().unwrap_or(""),
    )
}

fn parse(stat: &str, syscall: &str, wchan: &str) -> Option<Doing> {
    // The second field is the name in parentheses, and may itself contain spaces and parentheses.
    let (_, after) = stat.rsplit_once(')')?;
    let state = match after.split_whitespace().next()? {
        "R" => "running",
        "S" => "sleeping",
        "D" => "waiting for a device or a file",
        "T" => "stopped",
        "t" => "stopped by a debugger",
        _ => return None,
    };
    let mut text = state.to_owned();
    let words: Vec<&str> = syscall.split_whitespace().collect();
    let hex = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let at = match words[..] {
        // A system call, six arguments, and the stack pointer and instruction that it came from.
        [number, _, _, _, _, _, _, sp, pc] => {
            text = match name(number) {
                Some(name) => format!("{state} in {name}"),
                None => format!("{state} in system call {number}"),
            };
            hex(sp).zip(hex(pc))
        }
        // No system call: it waits for a page, or was taken off the CPU.
        ["-1", sp, pc] => hex(sp).zip(hex(pc)),
        _ => None,
    };
    let wchan = wchan.trim();
    if !matches!(wchan, "" | "0") && state != "running" {
        text = format!("{text}, in {wchan}");
    }
    Some(Doing { text, at })
}

/// The name of a system call in which threads wait.
fn name(number: &str) -> Option<&'static str> {
    let number = number.parse().ok()?;
    Some(match number {
        libc::SYS_accept => "accept",
        libc::SYS_accept4 => "accept4",
        libc::SYS_clock_nanosleep => "clock_nanosleep",
        libc::SYS_close => "close",
        libc::SYS_connect => "connect",
        libc::SYS_epoll_pwait => "epoll_pwait",
        libc::SYS_fcntl => "fcntl",
        libc::SYS_fdatasync => "fdatasync",
        libc::SYS_flock => "flock",
        libc::SYS_fsync => "fsync",
        libc::SYS_futex => "futex",
        libc::SYS_io_uring_enter => "io_uring_enter",
        libc::SYS_ioctl => "ioctl",
        libc::SYS_nanosleep => "nanosleep",
        libc::SYS_openat => "openat",
        libc::SYS_ppoll => "ppoll",
        libc::SYS_pread64 => "pread64",
        libc::SYS_pselect6 => "pselect6",
        libc::SYS_pwrite64 => "pwrite64",
        libc::SYS_read => "read",
        libc::SYS_readv => "readv",
        libc::SYS_recvfrom => "recvfrom",
        libc::SYS_recvmmsg => "recvmmsg",
        libc::SYS_recvmsg => "recvmsg",
        libc::SYS_rt_sigtimedwait => "rt_sigtimedwait",
        libc::SYS_sendmsg => "sendmsg",
        libc::SYS_sendto => "sendto",
        libc::SYS_wait4 => "wait4",
        libc::SYS_waitid => "waitid",
        libc::SYS_write => "write",
        libc::SYS_writev => "writev",
        _ => return older(number),
    })
}

/// The same for those that newer architectures do not have.
#[cfg(target_arch = "x86_64")]
fn older(number: libc::c_long) -> Option<&'static str> {
    Some(match number {
        libc::SYS_epoll_wait => "epoll_wait",
        libc::SYS_open => "open",
        libc::SYS_pause => "pause",
        libc::SYS_poll => "poll",
        libc::SYS_select => "select",
        _ => return None,
    })
}

#[cfg(not(target_arch = "x86_64"))]
const fn older(_number: libc::c_long) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says() {
        let told = |stat, syscall, wchan| parse(stat, syscall, wchan).map(|d| (d.text, d.at));
        let sleeping = "12 (a) b) S 1 1 1 0";
        let number = libc::SYS_clock_nanosleep.to_string();
        let syscall = "0x0 0x0 0x7ffc 0x0 0x0 0x0 0x7ffe073b8918 0x7fce3d1232ad\n";
        let syscall = &*format!("{number} {syscall}");
        assert_eq!(
            told(sleeping, syscall, "hrtimer_nanosleep"),
            Some((
                "sleeping in clock_nanosleep, in hrtimer_nanosleep".into(),
                Some((0x7ffe_073b_8918, 0x7fce_3d12_32ad))
            ))
        );
        let other = syscall.replacen(&number, "999", 1);
        assert_eq!(
            told(sleeping, &other, "0").unwrap().0,
            "sleeping in system call 999"
        );
        assert_eq!(
            told("12 (a) R 1", "running\n", "0"),
            Some(("running".into(), None))
        );
        assert_eq!(
            told("12 (a) D 1", "-1 0x10 0x20\n", "0"),
            Some(("waiting for a device or a file".into(), Some((16, 32))))
        );
        assert_eq!(told(sleeping, "", ""), Some(("sleeping".into(), None)));
        assert_eq!(
            told(sleeping, "-1 x 0x20", "0"),
            Some(("sleeping".into(), None))
        );
        for stat in ["", "12 (a", "12 (a) ", "12 (a) Z 1"] {
            assert_eq!(told(stat, syscall, ""), None, "{stat}");
        }
    }

    #[test]
    fn a_thread_that_waits_is_seen_waiting() {
        let (number, told) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let waiting = std::thread::spawn(move || {
            // SAFETY: `gettid` takes nothing, and cannot fail.
            number
                .send(unsafe { libc::gettid() }.cast_unsigned())
                .unwrap();
            stopped.recv().unwrap_err();
        });
        let os_thread = told.recv().unwrap();
        while !doing(os_thread).unwrap().text.starts_with("sleeping") {
            std::thread::yield_now();
        }
        drop(stop);
        waiting.join().unwrap();
        assert_eq!(doing(u32::MAX), None);
    }
}
