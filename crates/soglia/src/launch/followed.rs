//! How processes end that the program starts, and that record too (`--follow`).
//!
//! The tool is not their parent, so no call waits for them. A process that exits records its own
//! exit code. For all others, a thread of the tool asks the kernel: it opens a descriptor of each
//! process when its recording appears, and the kernel says later how that process ended. The
//! processes notice nothing of it: their parents stay their parents.
#![allow(
    clippy::host_endian_bytes,
    reason = "the kernel writes numbers as this machine has them"
)]

use std::{
    collections::HashSet,
    ffi::{CString, OsStr, OsString},
    fs::{self, File},
    io::{self, PipeWriter, Read},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use soglia_core::trace::{beside, life, reader::Reader, writer};

use super::{ended::Ended, pidfd::Process};

/// Takes the recording of a process that has ended.
pub type Take = Box<dyn FnMut(&Path) + Send>;

/// So many recordings of processes that have ended may lie beside the first one.
const MOST_ENDED: usize = 64;
/// The most processes that are watched at once: each one takes a descriptor.
const MOST: usize = 500;
/// The pause between two looks at the first recording, until a process records into it.
const OFTEN: Duration = Duration::from_millis(20);
/// The pause later.
const RARELY: Duration = Duration::from_millis(100);
/// The pause when a process has just opened the first recording. It may end soon.
const AT_ONCE: Duration = Duration::from_millis(1);
/// How long that pause applies.
const OPENED: Duration = Duration::from_millis(200);
/// How long the first pause applies.
const FIRST: Duration = Duration::from_secs(10);

/// Watches processes that record beside the program.
#[derive(Debug)]
pub struct Followed {
    folder: Folder,
    first: PathBuf,
}

impl Followed {
    /// Prepares to watch the processes whose recordings are made beside this one. To be called
    /// before the program starts.
    ///
    /// # Errors
    /// If the system does not tell of new files.
    pub fn beside(first: &Path) -> io::Result<Self> {
        Ok(Self {
            folder: Folder::of(first)?.and_opens_of(first)?,
            first: first.to_owned(),
        })
    }

    /// Watches on a thread of its own. `child` is the program, for which the tool waits itself. If
    /// the recordings are not kept, `taken` takes those of processes that have ended, before there
    /// are too many.
    ///
    /// To be called after the start of the program: from then on, signals for the program are
    /// blocked, also in the new thread.
    ///
    /// # Errors
    /// If there is no thread for it.
    pub fn watch(self, file: &File, child: u32, taken: Option<Take>) -> io::Result<Watching> {
        let (over, told) = io::pipe()?;
        let file = file.try_clone()?;
        let mut watch = Watch {
            folder: self.folder,
            first: Some((file, self.first)),
            child,
            processes: Vec::new(),
            seen: HashSet::new(),
            ended: Vec::new(),
            taken,
            begin: Instant::now(),
            news: None,
        };
        let look = move || watch.run(&over);
        let thread = thread::Builder::new().name("followed".into()).spawn(look)?;
        Ok(Watching { thread, told })
    }
}

/// A thread that watches processes.
#[derive(Debug)]
pub struct Watching {
    thread: JoinHandle<()>,
    told: PipeWriter,
}

impl Watching {
    /// To be called when the program has ended. What is known of other processes that have ended is
    /// in their recordings then.
    pub fn finish(self) {
        drop(self.told);
        let _ = self.thread.join();
    }
}

/// Writes into the recording of a process that is gone how it ended. Cuts it behind what was
/// written, if the tool does not do so later.
///
/// # Errors
/// Those of writing the file, or if it is not the recording of that process.
fn conclude(of: &Recorded, ended: Ended) -> io::Result<()> {
    let Recorded { process, path, .. } = of;
    let reader = Reader::open_partial(path).map_err(io::Error::other)?;
    if !reader.is_of(process.pid(), process.started) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let file = File::options().read(true).write(true).open(path)?;
    writer::conclude(
        &file,
        match ended {
            Ended::Exited(code) => Ok(code),
            Ended::Killed(signal) => Err(signal),
        },
    )?;
    match of.is_first {
        true => Ok(()),
        false => writer::trim(&file),
    }
}

/// A process, and the recording that it makes.
struct Recorded {
    process: Process,
    path: PathBuf,
    /// It is the first recording, which the tool cuts at the end.
    is_first: bool,
}

/// The work of the thread.
struct Watch {
    folder: Folder,
    /// The first recording, until it is known which process records into it.
    first: Option<(File, PathBuf)>,
    child: u32,
    processes: Vec<Recorded>,
    seen: HashSet<OsString>,
    /// Recordings of processes that have ended, which nothing has taken yet.
    ended: Vec<PathBuf>,
    taken: Option<Take>,
    begin: Instant,
    /// When the folder had news last.
    news: Option<Instant>,
}

impl Watch {
    /// Watches until `over` is closed.
    fn run(&mut self, over: &io::PipeReader) {
        let mut is_over = false;
        while !is_over {
            is_over = self.wait(over);
            self.look_at_first();
            for name in self.folder.news() {
                self.appeared(name);
            }
            let ended_before = &mut self.ended;
            self.processes.retain(|of| {
                let ended = is_readable(of.process.descriptor()).then(|| of.process.ended());
                if let Some(Some(ended)) = ended {
                    // If that fails, its recording says what it knew itself.
                    let _ = conclude(of, ended);
                }
                if ended.is_some() && !of.is_first {
                    ended_before.push(of.path.clone());
                }
                ended.is_none()
            });
            if let Some(take) = &mut self.taken
                && self.ended.len() > MOST_ENDED
            {
                self.ended.drain(..).for_each(|path| take(&path));
            }
        }
    }

    /// Waits for news. Returns whether the program has ended.
    fn wait(&mut self, over: &io::PipeReader) -> bool {
        let of = |fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        let mut all = vec![of(over.as_raw_fd()), of(self.folder.fd.as_raw_fd())];
        let processes = self.processes.iter();
        all.extend(processes.map(|one| of(one.process.descriptor())));
        let timeout = match &self.first {
            None => -1,
            Some(_) if self.news.is_some_and(|at| at.elapsed() < OPENED) => {
                AT_ONCE.as_millis() as i32
            }
            Some(_) if self.begin.elapsed() < FIRST => OFTEN.as_millis() as i32,
            Some(_) => RARELY.as_millis() as i32,
        };
        // SAFETY: the entries are alive during the call, and their number goes with them.
        unsafe { libc::poll(all.as_mut_ptr(), all.len() as libc::nfds_t, timeout) };
        if all[1].revents != 0 {
            self.news = Some(Instant::now());
        }
        all[0].revents != 0
    }

    /// Looks which process records into the first recording. If a script started it, the tool does
    /// not wait for it.
    fn look_at_first(&mut self) {
        let Some((file, path)) = &self.first else {
            return;
        };
        let Ok((pid, started)) = life::claimed_by(file) else {
            return;
        };
        // The number is stored before the time of the start.
        if pid == self.child || (pid != 0 && started != 0) {
            if pid != self.child {
                let path = path.clone();
                self.open(pid, path, true);
            }
            self.first = None;
        }
    }

    /// A file has appeared beside the first recording.
    fn appeared(&mut self, name: OsString) {
        let Some(pid) = beside::pid_of(&name, &self.folder.first) else {
            return;
        };
        if self.seen.insert(name.clone()) {
            self.open(pid, self.folder.path.join(name), false);
        }
    }

    fn open(&mut self, pid: u32, path: PathBuf, is_first: bool) {
        if self.processes.len() < MOST
            && let Ok(process) = Process::of(pid)
        {
            self.processes.push(Recorded {
                process,
                path,
                is_first,
            });
        }
    }
}

/// Whether a descriptor has news.
fn is_readable(fd: i32) -> bool {
    let mut one = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: the entry lives in this frame, and the call does not wait.
    unsafe { libc::poll(&raw mut one, 1, 0) == 1 }
}

/// A folder in which recordings appear.
#[derive(Debug)]
struct Folder {
    /// An inotify descriptor.
    fd: File,
    path: PathBuf,
    /// The name of the first recording.
    first: OsString,
}

impl Folder {
    fn of(first: &Path) -> io::Result<Self> {
        let path = first.parent().unwrap_or(Path::new("/")).to_owned();
        // SAFETY: the flags are numbers. A result that is not negative is a new descriptor, which
        // has no other owner.
        let fd = unsafe {
            let fd = libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        tell(&fd, &path, libc::IN_CREATE | libc::IN_ONLYDIR)?;
        Ok(Self {
            fd: fd.into(),
            path,
            first: first.file_name().unwrap_or_default().to_owned(),
        })
    }

    /// Has news also when a process opens this file. These have no name.
    fn and_opens_of(self, file: &Path) -> io::Result<Self> {
        tell(&self.fd, file, libc::IN_OPEN)?;
        Ok(self)
    }

    /// The names of the files that have appeared.
    fn news(&mut self) -> Vec<OsString> {
        let mut names = Vec::new();
        let mut bytes = [0; 16 << 10];
        while let Ok(n) = self.fd.read(&mut bytes) {
            if n == 0 || !events(&bytes[..n], &mut names) {
                break;
            }
        }
        // Too many at once: the kernel has named some of them only.
        if names.iter().any(|name| name.is_empty()) {
            let there = fs::read_dir(&self.path).into_iter().flatten().flatten();
            names.extend(there.map(|entry| entry.file_name()));
        }
        names
    }
}

/// Has an inotify descriptor tell of what happens to a file or a folder.
fn tell(by: &impl AsRawFd, path: &Path, what: u32) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the name ends with a zero and lives during the call.
    if unsafe { libc::inotify_add_watch(by.as_raw_fd(), name.as_ptr(), what) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Adds the names in the events of inotify; an empty one if the kernel had no room for all. Returns
/// whether all of it was understood.
fn events(mut bytes: &[u8], names: &mut Vec<OsString>) -> bool {
    /// Bytes before the name: which watch, what happened, a number that joins events, and how long
    /// the name is.
    const HEAD: usize = 16;
    while bytes.len() >= HEAD {
        let word = |at: usize| {
            u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let (what, length) = (word(4), word(12) as usize);
        let Some(name) = bytes.get(HEAD..HEAD + length) else {
            return false;
        };
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if what & libc::IN_Q_OVERFLOW != 0 {
            names.push(OsString::new());
        } else if !name.is_empty() {
            names.push(OsStr::from_bytes(name).to_owned());
        }
        bytes = &bytes[HEAD + length..];
    }
    bytes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_files_have_names() {
        let space = tempfile::tempdir().unwrap();
        let first = space.path().join("a b.soglia");
        let mut folder = Folder::of(&first).unwrap();
        assert!(folder.news().is_empty());
        for name in ["a b.soglia.12", "other"] {
            File::create(space.path().join(name)).unwrap();
        }
        assert_eq!(folder.news(), ["a b.soglia.12", "other"]);
        assert!(folder.news().is_empty());
    }

    #[test]
    fn events_that_are_cut_short_are_not_read() {
        let mut event = [0_u8; 32];
        event[4..8].copy_from_slice(&libc::IN_CREATE.to_ne_bytes());
        event[12..16].copy_from_slice(&16_u32.to_ne_bytes());
        event[16] = b'x';
        let mut names = Vec::new();
        assert!(events(&event, &mut names) && names == ["x"]);
        for length in 1..event.len() {
            names.clear();
            assert!(!events(&event[..length], &mut names), "{length}");
            assert!(names.is_empty());
        }
        event[4..8].copy_from_slice(&libc::IN_Q_OVERFLOW.to_ne_bytes());
        assert!(events(&event, &mut names) && names == [""]);
    }
}
