//! What the kernel's own log says about programs that it ended.
//!
//! The kernel writes a line for each process that a fault ends, and for each one that it kills
//! because memory has run out. Nothing is asked of the program, and its signals stay its own. Where
//! the log may not be read, the tool's control group still counts kills by lack of memory.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
};

/// The most lines that are kept.
const MOST: usize = 1024;

/// The kernel's log from some moment on.
#[derive(Debug)]
pub struct KernelLog {
    /// `None`: it may not be read.
    log: Option<File>,
    /// As many processes of the tool's group had been killed by lack of memory.
    killed: Option<u64>,
}

/// A line about a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A fault that no handler took.
    Fault(Fault),
    /// The kernel killed this process because memory had run out.
    OutOfMemory(u32),
}

/// A fault that no handler took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// The number of the thread, for the kernel. In a container it has another one.
    pub thread: u32,
    /// The address that could not be used.
    pub address: Option<u64>,
    /// The address of the instruction.
    pub instruction: u64,
    /// The name of the file that is mapped there, without its folder.
    pub file: Option<String>,
    /// The place of the instruction in that file, if the kernel says so.
    pub place: Option<u64>,
}

impl KernelLog {
    /// From now on.
    pub fn from_now() -> Self {
        let mut options = File::options();
        let options = options.read(true).custom_flags(libc::O_NONBLOCK);
        let log = options.open("/dev/kmsg").ok();
        Self {
            log: log.filter(|mut log| log.seek(SeekFrom::End(0)).is_ok()),
            killed: killed_by_lack_of_memory(),
        }
    }

    /// Whether lack of memory has killed a process of the tool's group since then. `None`: the log
    /// says more, or the group is not known.
    pub fn any_killed(&self) -> Option<bool> {
        match self.log {
            Some(_) => None,
            None => Some(killed_by_lack_of_memory()? > self.killed?),
        }
    }

    /// The lines about processes since then.
    pub fn lines(&mut self) -> Vec<Line> {
        let Some(log) = &mut self.log else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        // A record is at most 1 KiB long, and escapes make it longer.
        let mut record = [0; 8192];
        while lines.len() < MOST {
            match log.read(&mut record) {
                Ok(0) => break,
                Ok(n) => lines.extend(parse(&String::from_utf8_lossy(&record[..n]))),
                // Records were overwritten before they were read; the next one is there.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        lines
    }
}

/// How many processes of the tool's control group were killed by lack of memory. `None`: the system
/// does not say.
fn killed_by_lack_of_memory() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let counts = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.events"),
            some if some.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.oom_control")
            }
            _ => return None,
        };
        killed_in(&fs::read_to_string(format!("{root}{path}/{file}")).ok()?)
    });
    counts.max()
}

/// The count in such a file.
fn killed_in(text: &str) -> Option<u64> {
    let mut counts = text
        .lines()
        .filter_map(|line| line.strip_prefix("oom_kill "));
    counts.next()?.trim().parse().ok()
}

/// A record of the log: numbers, a semicolon, the text, and more lines that do not matter here.
fn parse(record: &str) -> Option<Line> {
    let (_, text) = record.split_once(';')?;
    let text = text.lines().next()?;
    if let Some((_, killed)) = text.split_once("ut of memory: Killed process ") {
        let number = killed.split_whitespace().next()?;
        return Some(Line::OutOfMemory(number.parse().ok()?));
    }
    let (thread, rest) = match text.split_once("]: segfault at ") {
        Some((before, rest)) => (before, rest),
        None => {
            // `traps: NAME[1] general protection fault ip:1 sp:1 error:0 in FILE[..]`
            let text = text.strip_prefix("traps: ")?;
            let at = text.find(" ip:")?;
            let (before, _) = text[..at].rsplit_once(']')?;
            (before, &text[at..])
        }
    };
    let (_, thread) = thread.rsplit_once('[')?;
    let hex = |word: &str| u64::from_str_radix(word, 16).ok();
    let mut words = rest.split_whitespace();
    let mut fault = Fault {
        thread: thread.parse().ok()?,
        ..Fault::default()
    };
    if !rest.starts_with(" ip:") {
        fault.address = hex(words.next()?);
    }
    let all: Vec<&str> = words.collect();
    fault.instruction = all.iter().enumerate().find_map(|(n, word)| match *word {
        "ip" => hex(all.get(n + 1)?),
        word => hex(word.strip_prefix("ip:")?),
    })?;
    if let Some((_, object)) = rest.split_once(" in ")
        && let Some((name, numbers)) = object.rsplit_once('[')
    {
        fault.file = Some(name.to_owned());
        let numbers = numbers.split(']').next()?;
        // Older kernels do not write the first of the two.
        fault.place = numbers.split_once(',').and_then(|(place, _)| hex(place));
    }
    Some(Line::Fault(fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_about_faults() {
        let fault = |text: &str| match parse(&format!("6,369,1708944756,-;{text}\n")) {
            Some(Line::Fault(fault)) => fault,
            other => panic!("{text}: {other:?}"),
        };
        let found = fault(
            "dotnet[31156]: segfault at 10 ip 00007f77740a5132 sp 00007ffc74a134f8 error 4 in libc.so.6[167132,7f7773f64000+156000] likely on CPU 0 (core 0, socket 0)",
        );
        let libc = Fault {
            thread: 31156,
            address: Some(16),
            instruction: 0x7f77_740a_5132,
            file: Some("libc.so.6".into()),
            place: Some(0x16_7132),
        };
        assert_eq!(found, libc);
        // Names of threads and files may have any characters.
        let found = fault(
            ".NET [TP] x[7]: segfault at 0 ip 00007f77740a5132 sp 0000000000000008 error 4 in a [b].so[7f7773f64000+156000]",
        );
        assert_eq!((found.thread, found.place), (7, None));
        assert_eq!(found.file.as_deref(), Some("a [b].so"));
        let found = fault(
            "traps: worker[42] general protection fault ip:5563544c0132 sp:7fff1 error:0 in x.so[1132,5563544c0000+1000]",
        );
        assert_eq!((found.thread, found.address), (42, None));
        assert_eq!(
            (found.instruction, found.place),
            (0x5563_544c_0132, Some(0x1132))
        );
        let found =
            fault("x[1]: segfault at 7f00 ip 0000000000000000 sp 0000000000000008 error 14");
        assert_eq!((found.instruction, found.file), (0, None));
    }

    #[test]
    fn what_the_kernel_writes_when_memory_has_run_out() {
        for text in [
            "Out of memory: Killed process 77 (dotnet) total-vm:1kB",
            "Memory cgroup out of memory: Killed process 77 (dotnet) total-vm:1kB",
        ] {
            let line = parse(&format!("3,1,1,-;{text}"));
            assert_eq!(line, Some(Line::OutOfMemory(77)), "{text}");
        }
    }

    #[test]
    fn groups_count_kills() {
        let v2 = "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n";
        assert_eq!(killed_in(v2), Some(2));
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n";
        assert_eq!(killed_in(v1), Some(5));
        for none in ["", "oom_kill_disable 0\n", "oom_kill x\n"] {
            assert_eq!(killed_in(none), None);
        }
    }

    #[test]
    fn other_lines_are_about_nothing() {
        for record in [
            "",
            ";",
            "6,1,1,-;usb 1-1: new device",
            "6,1,1,-;x[a]: segfault at 1 ip 2 sp 3",
            "6,1,1,-;x[1]: segfault at",
            "6,1,1,-;traps: x ip:1",
            "6,1,1,-;traps: x] ip:g",
            "6,1,1,-;Out of memory: Killed process x",
            "no semicolon]: segfault at 1 ip 1",
        ] {
            assert_eq!(parse(record), None, "{record}");
        }
    }
}
