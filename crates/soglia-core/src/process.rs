//! The recorded process as another process sees it: whether it lives, and whether its clocks and
//! numbers are those of the reader.
#![allow(
    unsafe_code,
    reason = "file locks and clocks, which std has no means for"
)]

use std::{
    fs::{self, File},
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
};

/// The kernel's id of this boot; zeros if it cannot be read.
pub fn boot_id() -> [u8; 16] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mut id = [0; 16];
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    for (byte, two) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(str::from_utf8(two).unwrap_or("0"), 16).unwrap_or(0);
    }
    id
}

/// The state letter of a process and when it started, in clock ticks since boot. Returns `None` if
/// there is no such process.
fn stat(pid: u32) -> Option<(u8, u64)> {
    parse_stat(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Fields 3 and 22. Field 2 is the name in parentheses, which may hold spaces, parentheses and
/// bytes that are not text.
fn parse_stat(stat: &[u8]) -> Option<(u8, u64)> {
    let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
    let after = str::from_utf8(&stat[name_ends + 1..]).ok()?;
    let mut fields = after.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// When a process started, in clock ticks since boot.
pub fn started(pid: u32) -> Option<u64> {
    stat(pid).map(|(_, started)| started)
}

/// Nanoseconds that this process has lived, if that can be read.
pub fn age_ns() -> Option<u64> {
    age_ns_of(std::process::id())
}

/// Nanoseconds that a process has lived, if that can be read.
pub fn age_ns_of(pid: u32) -> Option<u64> {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a timespec that the call fills in.
    let read = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    // SAFETY: the call only reads a number.
    let hz = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok()?;
    if read != 0 || hz == 0 {
        return None;
    }
    let now = (now.tv_sec as u64).saturating_mul(1_000_000_000) + now.tv_nsec as u64;
    let since = started(pid)?.saturating_mul(1_000_000_000 / hz);
    Some(now.saturating_sub(since))
}

/// Whether there is a process or thread with this number, also one that `/proc` does not show to
/// this user.
pub fn exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().filter(|pid| *pid > 0) else {
        return false;
    };
    // SAFETY: signal 0 is not sent: the kernel only checks whether it could be.
    let there = unsafe { libc::kill(pid, 0) } == 0;
    there || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// Whether the process with this number lives and started at that time. A zombie has ended.
pub fn lives(pid: u32, started: u64) -> bool {
    pid != 0
        && stat(pid).is_some_and(|(state, then)| then == started && !matches!(state, b'Z' | b'X'))
}

/// The namespace in which this process has its number; 0 if that cannot be read.
pub fn pid_namespace() -> u32 {
    namespace("pid")
}

/// The namespace whose monotonic clock this process reads; 0 if that cannot be read.
pub fn time_namespace() -> u32 {
    namespace("time")
}

/// The kernel gives all namespaces of a machine numbers of one sequence, in 32 bits.
fn namespace(kind: &str) -> u32 {
    let about = fs::metadata(format!("/proc/self/ns/{kind}"));
    about.map_or(0, |about| about.ino() as u32)
}

/// Locks a file as long as this process has it open or mapped, or until it ends. Then [`is_locked`]
/// returns `true` in any process that sees the file, in any namespace. Many processes may lock it
/// at once.
///
/// # Errors
/// Those of the operating system: not all file systems have locks.
pub fn lock(file: &File) -> io::Result<()> {
    let mut lock = whole(libc::F_RDLCK);
    // SAFETY: `file` keeps the descriptor open during the call, and `lock` is a whole flock that
    // the kernel only reads. The call does not wait.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw mut lock) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether a process holds a [`lock`].
pub fn is_locked(file: &File) -> bool {
    let mut lock = whole(libc::F_WRLCK);
    // SAFETY: `file` keeps the descriptor open during the call, and `lock` is a whole flock that
    // the kernel reads and writes.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    asked == 0 && i32::from(lock.l_type) != libc::F_UNLCK
}

fn whole(kind: i32) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        // Locks of open file descriptions require zero here.
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn stat_is_read_past_any_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        for name in ["a", "a) Z 1", "(()", "a b\n)"] {
            let stat = format!("12 ({name}) {rest}");
            assert_eq!(parse_stat(stat.as_bytes()), Some((b'S', 4711)), "{name}");
        }
        assert_eq!(
            parse_stat(b"12 (\xff\xfe) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 5"),
            Some((b'Z', 5))
        );
        for bad in ["", "12 (a", "12 (a)", "12 (a) S 1 2"] {
            assert_eq!(parse_stat(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "reads /proc")]
    fn a_process_grows_older() {
        let hour = 3_600_000_000_000;
        let (young, old) = (age_ns().unwrap(), age_ns().unwrap());
        assert!(young <= old && old < 24 * hour, "{young} {old}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "starts a process")]
    fn a_zombie_does_not_live() {
        let own = std::process::id();
        let since = started(own).unwrap();
        assert!(lives(own, since) && !lives(own, since + 1) && !lives(0, 0));
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let since = started(child.id()).unwrap();
        assert!(lives(child.id(), since));
        child.kill().unwrap();
        // It stays a zombie until this process waits for it.
        while stat(child.id()).is_some_and(|(state, _)| state != b'Z') {
            std::thread::yield_now();
        }
        assert_eq!(started(child.id()), Some(since));
        assert!(!lives(child.id(), since));
        child.wait().unwrap();
    }

    #[test]
    #[cfg_attr(miri, ignore = "locks a file")]
    fn a_lock_lasts_as_long_as_somebody_has_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || File::open(file.path()).unwrap();
        let (one, other, reader) = (open(), open(), open());
        assert!(!is_locked(&reader));
        lock(&one).unwrap();
        lock(&other).unwrap();
        assert!(is_locked(&reader));
        drop(one);
        assert!(is_locked(&reader));
        drop(other);
        assert!(!is_locked(&reader));
    }
}
