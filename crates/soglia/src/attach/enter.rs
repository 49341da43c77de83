//! Doing something as the process that is attached to would do it: as its user, in its namespaces.
//!
//! Only a process with one thread may enter another user namespace, and what a thread enters it
//! cannot leave. So a child is forked for it, which sends back what it has opened. Between `fork`
//! and `_exit` it makes system calls only.

#![allow(
    unsafe_code,
    reason = "fork, setns and system calls between fork and _exit: std has no means"
)]

use std::{
    ffi::CStr,
    fs::File,
    io,
    mem::{offset_of, size_of, zeroed},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    path::Path,
    ptr,
};

use soglia_core::descriptors;

use super::{ids::Ids, inside::open_in};

/// How long it may take to connect, in seconds.
const PATIENCE: i64 = 5;

/// What to enter before something is done.
#[derive(Debug, Default)]
pub(super) struct Entered {
    /// A user namespace, with all rights in it.
    user: Option<File>,
    /// A network namespace.
    network: Option<File>,
    /// A namespace of processes, for the children of the one that enters it.
    processes: Option<File>,
    /// The user to become in the end, as the user namespace numbers it.
    ids: Option<Ids>,
}

/// What to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed<'a> {
    /// Connect to a Unix socket by its path, or by an abstract name, which a zero begins.
    Connect(&'a [u8]),
    /// Open what a path leads to if a folder is the root.
    Open {
        folder: RawFd,
        path: &'a CStr,
        flags: i32,
    },
    /// Open what a link of the kernel's in a folder of `/proc` leads to.
    Follow {
        folder: RawFd,
        name: &'a CStr,
        flags: i32,
    },
    /// Remove a file below a folder.
    Remove { folder: RawFd, name: &'a CStr },
}

impl Entered {
    /// What differs between this process and that one, of the kinds that are asked for.
    pub(super) fn of(pid: u32, kinds: &[Kind], ids: Option<Ids>) -> io::Result<Self> {
        let mut entered = Self {
            user: differing(pid, Kind::User)?,
            ids,
            ..Self::default()
        };
        for kind in kinds {
            let space = differing(pid, *kind)?;
            match kind {
                Kind::User | Kind::Time => {}
                Kind::Network => entered.network = space,
                Kind::Processes => entered.processes = space,
            }
        }
        // A user namespace is entered for what lies in it: files of its users, for one.
        let only_user = entered.network.is_none() && entered.processes.is_none();
        if only_user && entered.ids.is_none() {
            entered.user = None;
        }
        Ok(entered)
    }

    fn is_nothing(&self) -> bool {
        self.user.is_none()
            && self.network.is_none()
            && self.processes.is_none()
            && self.ids.is_none()
    }

    /// Does it, and returns what was opened.
    pub(super) fn run(&self, deed: Deed<'_>) -> io::Result<Option<OwnedFd>> {
        if self.is_nothing() {
            let opened = perform(deed)?;
            // SAFETY: what a deed opens has no other owner.
            return Ok(opened.map(|file| unsafe { OwnedFd::from_raw_fd(file) }));
        }
        let (here, there) = UnixStream::pair()?;
        let (here_fd, there_fd) = (here.as_raw_fd(), there.as_raw_fd());
        // SAFETY: the child makes system calls only, on numbers and memory that were there before,
        // and ends by `_exit`.
        let child = unsafe {
            match libc::fork() {
                -1 => return Err(io::Error::last_os_error()),
                0 => {
                    libc::close(here_fd);
                    let done = self.enter().and_then(|()| perform(deed));
                    answer(there_fd, done);
                    libc::_exit(0)
                }
                child => child,
            }
        };
        drop(there);
        let answer = hear(&here);
        reap(child);
        answer.map(|(_, file)| file)
    }

    /// Has a process hold this file open where the other one can see it, until it is dropped.
    pub(super) fn hold(&self, file: &File) -> io::Result<Holder> {
        let (here, there) = UnixStream::pair()?;
        let (here_fd, there_fd) = (here.as_raw_fd(), there.as_raw_fd());
        // SAFETY: as in `run`. The second child is the one that is in the namespace of processes.
        let child = unsafe {
            match libc::fork() {
                -1 => return Err(io::Error::last_os_error()),
                0 => {
                    libc::close(here_fd);
                    match self.enter_processes() {
                        Ok(0) => {
                            let entered = self.enter().and_then(|()| be_seen());
                            let pid = i32::try_from(libc::syscall(libc::SYS_getpid)).unwrap_or(0);
                            let entered = entered.map(|()| None);
                            answer_with(there_fd, entered, pid);
                            wait_for_end(there_fd);
                        }
                        Ok(second) => reap(second),
                        Err(error) => answer(there_fd, Err(error)),
                    }
                    libc::_exit(0)
                }
                child => child,
            }
        };
        drop(there);
        match hear(&here) {
            Ok((pid, _)) => Ok(Holder {
                path: format!("/proc/{pid}/fd/{}", file.as_raw_fd()).into(),
                child,
                socket: Some(here),
            }),
            Err(error) => {
                drop(here);
                reap(child);
                Err(error)
            }
        }
    }

    /// Enters the namespace of processes. Returns 0 in a process that is in it.
    fn enter_processes(&self) -> io::Result<libc::pid_t> {
        let Some(processes) = &self.processes else {
            return Ok(0);
        };
        // Rights over a namespace of processes come with the user namespace that owns it, too.
        if let Err(error) = set_namespace(processes) {
            let user = self.user.as_ref().ok_or(error)?;
            set_namespace(user)?;
            set_namespace(processes)?;
        }
        // SAFETY: the caller is a child that makes system calls only, and so does this one.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            child => Ok(child),
        }
    }

    fn enter(&self) -> io::Result<()> {
        // A namespace of the network may belong to either user namespace.
        let early = self
            .network
            .as_ref()
            .is_some_and(|n| set_namespace(n).is_ok());
        if let Some(user) = &self.user
            && !is_current(user, c"/proc/self/ns/user")
        {
            set_namespace(user)?;
        }
        match &self.network {
            Some(network) if !early => set_namespace(network)?,
            _ => {}
        }
        self.ids.as_ref().map_or(Ok(()), become_user)
    }
}

/// A kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Network,
    Processes,
    Time,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Network => "net",
            Self::Processes => "pid",
            Self::Time => "time",
        }
    }
}

/// Whether this process and that one are in different namespaces of a kind.
pub(super) fn differ(pid: u32, kind: Kind) -> bool {
    differing(pid, kind).is_ok_and(|space| space.is_some())
}

/// The namespace of that process, unless this process has the same one.
fn differing(pid: u32, kind: Kind) -> io::Result<Option<File>> {
    use std::os::unix::fs::MetadataExt;
    let space = File::open(format!("/proc/{pid}/ns/{}", kind.name()))?;
    let own = std::fs::metadata(format!("/proc/self/ns/{}", kind.name()))?;
    let there = space.metadata()?;
    let same = (own.dev(), own.ino()) == (there.dev(), there.ino());
    Ok(Some(space).filter(|_| !same))
}

/// A process that holds a file open. It ends with the tool.
#[derive(Debug)]
pub(super) struct Holder {
    path: std::path::PathBuf,
    child: libc::pid_t,
    /// The holder ends when this is closed.
    socket: Option<UnixStream>,
}

impl Holder {
    /// The path of the file, as the processes of that namespace name it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.socket.take());
        reap(self.child);
    }
}

/// Does it. Returns what was opened.
fn perform(deed: Deed<'_>) -> io::Result<Option<RawFd>> {
    match deed {
        Deed::Connect(name) => connect(name).map(Some),
        Deed::Open {
            folder,
            path,
            flags,
        } => open_in(folder, path, flags).map(Some),
        Deed::Follow {
            folder,
            name,
            flags,
        } => {
            let flags = flags | libc::O_CLOEXEC | libc::O_NONBLOCK;
            // SAFETY: `name` ends with a zero, and the rest are numbers.
            match unsafe { libc::openat(folder, name.as_ptr(), flags) } {
                -1 => Err(io::Error::last_os_error()),
                file => Ok(Some(file)),
            }
        }
        Deed::Remove { folder, name } => {
            // SAFETY: as above.
            match unsafe { libc::unlinkat(folder, name.as_ptr(), 0) } {
                -1 => Err(io::Error::last_os_error()),
                _ => Ok(None),
            }
        }
    }
}

fn connect(path: &[u8]) -> io::Result<RawFd> {
    // SAFETY: an address of zeros is valid. The length of the path is checked against the room,
    // and the kernel only reads.
    unsafe {
        let mut address: libc::sockaddr_un = zeroed();
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        if path.len() >= address.sun_path.len() {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        let into = address.sun_path.as_mut_ptr().cast();
        ptr::copy_nonoverlapping(path.as_ptr(), into, path.len());
        let size = offset_of!(libc::sockaddr_un, sun_path) + path.len();
        let socket = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // A process that stands still may have a queue that is full.
        limit_sending(socket, PATIENCE);
        match libc::connect(socket, (&raw const address).cast(), size as libc::socklen_t) {
            0 => {
                limit_sending(socket, 0);
                Ok(socket)
            }
            _ => {
                let error = io::Error::last_os_error();
                libc::close(socket);
                Err(error)
            }
        }
    }
}

/// Limits how long connecting and sending may take, in seconds; 0 is without a limit.
fn limit_sending(socket: RawFd, seconds: i64) {
    let limit = libc::timeval {
        tv_sec: seconds,
        tv_usec: 0,
    };
    // SAFETY: the kernel reads a whole timeval. A socket that takes no limit has none.
    unsafe {
        libc::setsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_SNDTIMEO,
            (&raw const limit).cast(),
            size_of::<libc::timeval>() as libc::socklen_t,
        );
    }
}

fn set_namespace(space: &File) -> io::Result<()> {
    // SAFETY: two numbers; `space` keeps the first one open.
    match unsafe { libc::setns(space.as_raw_fd(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether this process is already in a namespace: entering one's own user namespace is an error.
fn is_current(space: &File, own: &CStr) -> bool {
    // SAFETY: two zeroed stats, which the kernel fills, a path that ends with a zero, and a
    // descriptor that `space` keeps open.
    unsafe {
        let (mut one, mut other): (libc::stat, libc::stat) = (zeroed(), zeroed());
        libc::fstat(space.as_raw_fd(), &raw mut one) == 0
            && libc::stat(own.as_ptr(), &raw mut other) == 0
            && (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
    }
}

/// Becomes a user, by system calls: the C library's functions would speak with threads that a
/// forked child does not have.
fn become_user(ids: &Ids) -> io::Result<()> {
    let (uid, gid) = (ids.user, ids.group);
    // SAFETY: numbers, and a list that outlives the call. Only this process is changed.
    unsafe {
        // In a user namespace this may be forbidden. Then this process keeps its groups.
        libc::syscall(libc::SYS_setgroups, ids.groups.len(), ids.groups.as_ptr());
        if libc::syscall(libc::SYS_setresgid, gid, gid, gid) != 0
            || libc::syscall(libc::SYS_setresuid, uid, uid, uid) != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Lets processes of the same user look at this one, with whatever rights they run: gives up all
/// rights, and what the kernel hides because there were some.
fn be_seen() -> io::Result<()> {
    /// The head of `capset`: the version with two words a set, and this process.
    const HEAD: [u32; 2] = [0x2008_0522, 0];
    let none = [0u32; 6];
    // SAFETY: the kernel reads a head and three sets of two words; the rest are numbers.
    unsafe {
        libc::syscall(libc::SYS_capset, HEAD.as_ptr(), none.as_ptr());
        match libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Sends an error number or what was opened.
fn answer(socket: RawFd, done: io::Result<Option<RawFd>>) {
    answer_with(socket, done, 0);
}

/// The same, with a number besides.
fn answer_with(socket: RawFd, done: io::Result<Option<RawFd>>, number: i32) {
    let (error, file) = match done {
        Ok(file) => (0, file),
        Err(error) => (error.raw_os_error().unwrap_or(libc::EIO), None),
    };
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&error.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_le_bytes());
    // If the tool is gone, no process waits for it.
    let _ = descriptors::send_raw(socket, &bytes, file);
}

fn hear(socket: &UnixStream) -> io::Result<(i32, Option<OwnedFd>)> {
    let mut bytes = [0; 8];
    let (size, file) = descriptors::receive(socket, &mut bytes)?;
    if size < size_of::<[i32; 2]>() {
        return Err(io::Error::other("a child of this tool ended early"));
    }
    let number =
        |at: usize| i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    match number(0) {
        0 => Ok((number(4), file)),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Waits until the other end of a socket is closed.
fn wait_for_end(socket: RawFd) {
    let mut byte = 0u8;
    // SAFETY: the kernel writes at most one byte into a local.
    unsafe {
        while libc::read(socket, (&raw mut byte).cast(), 1) == -1
            && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
        {}
    }
}

fn reap(child: libc::pid_t) {
    // SAFETY: a child of this process that no other place waits for, and no status is asked for.
    unsafe {
        while libc::waitpid(child, ptr::null_mut(), 0) == -1
            && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
        {}
    }
}
