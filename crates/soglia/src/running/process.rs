//! Processes as `/proc` shows them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The name that the kernel shows for recordings without a name.
const UNNAMED: &str = "/memfd:soglia (deleted)";
/// The most processes that are taken for ancestors of one another.
const MOST_ANCESTORS: usize = 64;

/// A process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
}

/// Why the kernel does not show a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Absent,
    Denied,
}

/// A file that a process has mapped, shared and from its beginning, to write into it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// As `map_files` names it.
    pub(crate) range: String,
    pub(crate) inode: u64,
    pub(crate) name: PathBuf,
}

impl Mapping {
    /// Reads a line of `maps`. Returns `None` for mappings of other kinds.
    fn parse(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let (range, rest) = line.split_once(' ')?;
        let mut rest = rest.splitn(5, ' ');
        let mut field = || rest.next();
        let (rights, offset, _device, inode) = (field()?, field()?, field()?, field()?);
        let name = field()?.trim_start();
        let is_shared = rights == "rw-s" && offset.bytes().all(|digit| digit == b'0');
        (is_shared && name.starts_with('/')).then(|| Self {
            range: range.to_owned(),
            inode: inode.parse().unwrap_or(0),
            name: PathBuf::from(name.replace("\\012", "\n")),
        })
    }

    /// Whether this may be a recording. Other files in memory and devices are not.
    pub(crate) fn may_be_recording(&self) -> bool {
        let in_memory = self.name.to_string_lossy().starts_with("/memfd:");
        let is_device = self.name.starts_with("/dev") && !self.name.starts_with("/dev/shm");
        self.name == Path::new(UNNAMED) || !in_memory && !is_device
    }

    /// Whether the file cannot be opened by its name.
    pub(crate) fn has_no_name(&self) -> bool {
        self.name.to_string_lossy().ends_with(" (deleted)")
    }
}

impl Process {
    pub(crate) fn path(&self, of: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{of}", self.pid))
    }

    /// The files that it has mapped, of those kinds that a recording may be.
    pub(crate) fn mappings(&self) -> Result<Vec<Mapping>, Why> {
        let maps = fs::read(self.path("maps")).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Why::Denied,
            // `/proc` may be mounted so that it hides processes of other users.
            _ if soglia_core::process::exists(self.pid) => Why::Denied,
            _ => Why::Absent,
        })?;
        Ok(maps
            .split(|byte| *byte == b'\n')
            .filter_map(Mapping::parse)
            .collect())
    }

    /// The regular files and files in memory that it has open: by which path they can be opened,
    /// and the name that they have.
    pub(crate) fn open_files(&self) -> Vec<(PathBuf, PathBuf)> {
        let entries = fs::read_dir(self.path("fd")).into_iter().flatten();
        let links = entries.flatten().filter_map(|entry| {
            let path = entry.path();
            let name = fs::read_link(&path).ok()?;
            // The others are sockets, pipes and devices.
            let in_memory = name.to_string_lossy().starts_with("/memfd:");
            let wanted = name.starts_with("/") && !name.starts_with("/proc");
            (wanted && (!in_memory || name == Path::new(UNNAMED))).then_some((path, name))
        });
        links.collect()
    }

    /// A line of `status`, without its name.
    pub(crate) fn status(&self, name: &str) -> Option<String> {
        let status = fs::read(self.path("status")).ok()?;
        let status = String::from_utf8_lossy(&status);
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(value.strip_prefix(':')?.trim().to_owned())
    }

    /// Its numbers in all namespaces that this process sees.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        let numbers = self.status("NSpid").unwrap_or_default();
        let inner = numbers.split_whitespace().filter_map(|n| n.parse().ok());
        std::iter::once(self.pid).chain(inner).collect()
    }

    /// The process that has a thread with this number, unless the number is that of the process.
    pub(crate) fn has_as_thread(&self) -> Option<u32> {
        let process = self.status("Tgid")?.parse().ok()?;
        (process != self.pid).then_some(process)
    }

    /// Whether it has ended and its parent has not waited for it yet.
    pub(crate) fn is_zombie(&self) -> bool {
        self.status("State")
            .is_some_and(|state| state.starts_with(['Z', 'X']))
    }

    /// Its parent, the parent of that one, and so on.
    pub(crate) fn ancestors(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut last = *self;
        while let Some(parent) = last.status("PPid").and_then(|pid| pid.parse().ok())
            && parent != 0
            && all.len() < MOST_ANCESTORS
        {
            last = Self { pid: parent };
            all.push(last);
        }
        all
    }

    /// The name of the user it runs as, or the number.
    pub(crate) fn user(&self) -> Option<String> {
        let ids = self.status("Uid")?;
        let effective = ids.split_whitespace().nth(1)?.to_owned();
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let named = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, id) = (fields.next()?, fields.nth(1)?);
            (id == effective).then(|| format!("user {name}"))
        });
        Some(named.unwrap_or_else(|| format!("user {effective}")))
    }
}

/// All processes that this one sees.
pub(crate) fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.map(|pid| Process { pid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_shared_mappings_from_the_beginning_of_a_file() {
        let parse = |line: &str| Mapping::parse(line.as_bytes());
        let mapped = |name: &str| {
            let line = format!("7fb808000000-7fb808009000 rw-s 00000000 00:01 937220    {name}");
            parse(&line).unwrap()
        };
        let unnamed = mapped(UNNAMED);
        assert_eq!(
            (&*unnamed.range, unnamed.inode),
            ("7fb808000000-7fb808009000", 937_220)
        );
        assert!(unnamed.may_be_recording() && unnamed.has_no_name());
        let named = mapped("/tmp/a b.soglia");
        assert_eq!(named.name, Path::new("/tmp/a b.soglia"));
        assert!(named.may_be_recording() && !named.has_no_name());
        assert_eq!(mapped("/tmp/a\\012b").name, Path::new("/tmp/a\nb"));
        for other in ["/memfd:doublemapper (deleted)", "/dev/dri/card0"] {
            assert!(!mapped(other).may_be_recording(), "{other}");
        }
        for other in [
            "7fb808009000-7fb848000000 ---s 00009000 00:01 937220    /memfd:soglia (deleted)",
            "7fb808009000-7fb848000000 rw-s 00009000 00:01 937220    /memfd:soglia (deleted)",
            "7fb808009000-7fb848000000 rw-p 00000000 00:01 937220    /tmp/a.soglia",
            "7fb808009000-7fb848000000 rw-p 00000000 00:00 0 ",
            "7fb808009000-7fb848000000 rw-s 00000000 00:00 0 [anon]",
            "",
            "\u{fffd}",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn this_process_is_one_of_all() {
        let own = Process {
            pid: std::process::id(),
        };
        assert!(all().any(|process| process.pid == own.pid));
        assert!(own.numbers().contains(&own.pid) && !own.is_zombie());
        assert!(own.user().is_some() && !own.ancestors().is_empty());
        let absent = Process { pid: u32::MAX };
        assert_eq!(absent.mappings(), Err(Why::Absent));
        assert_eq!(own.has_as_thread(), None);
        let thread = std::fs::read_link("/proc/thread-self").unwrap();
        let thread = thread.file_name().unwrap().to_str().unwrap();
        let thread = Process {
            pid: thread.parse().unwrap(),
        };
        // Tests run on threads of their own.
        assert_eq!(thread.has_as_thread(), Some(own.pid), "{thread:?}");
    }
}
