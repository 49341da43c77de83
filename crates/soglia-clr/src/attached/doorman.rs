//! The engine thread that tools speak with: it listens on a Unix socket, and passes requests on.
//!
//! The thread has a table of descriptors of its own, where the kernel can do that. So the program
//! sees none of them: it cannot close them, and no number that it may count on is taken.
#![allow(
    unsafe_code,
    reason = "asks the kernel for a table of descriptors, and to wait for several of them"
)]

use std::{
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    time::{Duration, Instant},
};

use soglia_core::{
    control::{Answer, Inbox, Peer, ReadError, Request, address, name},
    descriptors, process,
};

/// The most tools that are connected at a time.
const MOST: usize = 16;
/// How long a tool may be connected without a request. One whose session runs may be silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a tool is read from before others are.
const READS: u32 = 64;
/// How long an answer may take to be sent.
const SENDING: Duration = Duration::from_secs(2);
/// How often the thread looks whether a session has ended by itself.
const LOOK: Duration = Duration::from_millis(500);

/// What is done for tools, on the doorman's thread.
pub trait Desk {
    /// Answers a request of the tool with this number. A file may have come with it, which only
    /// this thread can use.
    fn answer(&mut self, tool: u64, peer: Peer, request: Request, file: Option<&File>) -> Answer;
    /// The connection of this tool is closed.
    fn closed(&mut self, tool: u64);
    /// The tool whose session runs.
    fn holder(&self) -> Option<u64>;
    /// The tool whose session has ended by itself, once.
    fn lost(&mut self) -> Option<u64>;
    /// Whether to stop listening when no tool is connected.
    fn leaves(&self) -> bool;
    /// Whether that may become so by itself.
    fn leaves_later(&self) -> bool;
}

/// A tool that is connected.
struct Tool {
    number: u64,
    stream: UnixStream,
    inode: u64,
    peer: Peer,
    inbox: Inbox,
    /// The file that came with the bytes of the next request.
    file: Option<File>,
    since: Instant,
}

/// Serves tools for as long as the process lives, or until no more are connected, if the desk
/// leaves then.
///
/// # Errors
/// If nothing can be listened to.
pub fn serve(desk: &mut impl Desk) -> io::Result<()> {
    let is_own = own_table();
    let pid = std::process::id();
    let name = name(pid, process::started(pid).unwrap_or(0));
    let listener = UnixListener::bind_addr(&address(&name)?)?;
    let listener = if is_own {
        listener
    } else {
        UnixListener::from(moved(listener)?)
    };
    listener.set_nonblocking(true)?;
    let about = inode(&listener);
    let mut tools: Vec<Tool> = Vec::new();
    let mut last = 0;
    let began = Instant::now();
    loop {
        if !is_own {
            // The program may have closed descriptors that it never opened, and use their numbers.
            if inode(&listener) != about {
                std::mem::forget(listener);
                return Err(io::ErrorKind::NotConnected.into());
            }
            for tool in tools.extract_if(.., |tool| inode(&tool.stream) != tool.inode) {
                desk.closed(tool.number);
                std::mem::forget(tool);
            }
        }
        // The tool that has the engine loaded connects some moments later.
        let is_due = last > 0 || began.elapsed() >= PATIENCE;
        if tools.is_empty() && is_due && desk.leaves() {
            // One that has connected meanwhile would find the connection closed, and try again.
            let Ok((stream, _)) = listener.accept() else {
                return Ok(());
            };
            last += 1;
            tools.extend(Tool::accept(last, stream, is_own));
        }
        let mut polled = vec![asked(&listener)];
        polled.extend(tools.iter().map(|tool| asked(&tool.stream)));
        let wait = if tools.is_empty() && !desk.leaves_later() {
            -1
        } else {
            LOOK.as_millis() as i32
        };
        // SAFETY: the kernel reads and writes so many whole pollfds, in a local vector.
        unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, wait) };
        let lost = desk.lost();
        let mut ready = polled[1..].iter().map(|polled| polled.revents != 0);
        tools.retain_mut(|tool| {
            let stays = !ready.next().unwrap_or(false) || tool.hear(desk);
            let is_patient = desk.holder() == Some(tool.number) || tool.since.elapsed() < PATIENCE;
            let may_stay = is_patient && lost != Some(tool.number);
            if !(stays && may_stay) {
                desk.closed(tool.number);
            }
            stays && may_stay
        });
        if polled[0].revents != 0
            && let Ok((stream, _)) = listener.accept()
        {
            last += 1;
            tools.extend(Tool::accept(last, stream, is_own).filter(|_| tools.len() < MOST));
        }
    }
}

impl Tool {
    /// A tool that has connected, if it may: of this user, or of root.
    fn accept(number: u64, stream: UnixStream, is_own: bool) -> Option<Self> {
        let mut stream = if is_own {
            stream
        } else {
            UnixStream::from(moved(stream).ok()?)
        };
        stream.set_nonblocking(true).ok()?;
        stream.set_write_timeout(Some(SENDING)).ok()?;
        let peer = Peer::of(&stream).ok()?;
        // SAFETY: takes nothing, and cannot fail.
        let own = unsafe { libc::geteuid() };
        if !peer.may_attach(own) {
            let why = format!(
                "this process is that of user {own}, and you are user {}",
                peer.uid
            );
            let _ = stream.write_all(&Answer::No(why).encode());
            return None;
        }
        Some(Self {
            number,
            inode: inode(&stream),
            stream,
            peer,
            inbox: Inbox::default(),
            file: None,
            since: Instant::now(),
        })
    }

    /// Reads what has arrived, and answers requests. `false`: the connection is to be closed.
    fn hear(&mut self, desk: &mut impl Desk) -> bool {
        let mut bytes = [0; 4096];
        // Others get their turn too.
        for _ in 0..READS {
            match descriptors::receive(&self.stream, &mut bytes) {
                Ok((0, _)) => return false,
                Ok((count, file)) => {
                    self.inbox.add(&bytes[..count]);
                    self.file = file.map(File::from).or(self.file.take());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
            if !self.answer(desk) {
                return false;
            }
        }
        true
    }

    /// Answers the requests that have arrived. `false`: something else has.
    fn answer(&mut self, desk: &mut impl Desk) -> bool {
        loop {
            let request = match self.inbox.take() {
                Ok(None) => return true,
                Ok(Some(message)) => Request::decode(&message),
                Err(error) => Err(error),
            };
            let (answer, goes_on) = match request {
                Ok(request) => {
                    let file = self.file.take();
                    let answer = desk.answer(self.number, self.peer, request, file.as_ref());
                    (answer, true)
                }
                Err(error) => (Answer::No(of_bad_message(&error)), false),
            };
            self.since = Instant::now();
            if !self.send(&answer.encode()) || !goes_on {
                return false;
            }
        }
    }

    /// Sends bytes, in blocking mode, which ends after a while.
    fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = self
            .stream
            .set_nonblocking(false)
            .and_then(|()| self.stream.write_all(bytes));
        sent.is_ok() && self.stream.set_nonblocking(true).is_ok()
    }
}

fn of_bad_message(error: &ReadError) -> String {
    format!("the engine cannot read the request: {error}")
}

fn asked(socket: &impl AsRawFd) -> libc::pollfd {
    libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    }
}

/// What tells a socket from others; 0: the descriptor is closed.
fn inode(socket: &impl AsRawFd) -> u64 {
    let mut about = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the kernel writes a whole stat into a local of that size, or nothing. Zeros are a
    // valid value of it.
    unsafe {
        libc::fstat(socket.as_raw_fd(), about.as_mut_ptr());
        about.assume_init().st_ino
    }
}

/// Gives the running thread an empty table of descriptors of its own. Returns whether it has one:
/// kernels before 5.9 cannot do that, and a filter of system calls may forbid it.
fn own_table() -> bool {
    // SAFETY: this thread has opened nothing, and what it opens from now on is its own. The
    // program's table stays as it is.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            0,
            u32::MAX,
            libc::CLOSE_RANGE_UNSHARE,
        ) == 0
    }
}

/// Moves a descriptor out of the low numbers, on which programs may count.
fn moved(socket: impl IntoRawFd) -> io::Result<OwnedFd> {
    // SAFETY: `socket` gives its descriptor up, which is closed here.
    let low = unsafe { OwnedFd::from_raw_fd(socket.into_raw_fd()) };
    // SAFETY: the descriptor is open. A result that is not negative is a new one without an owner.
    unsafe {
        match libc::fcntl(low.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 48) {
            high if high >= 0 => Ok(OwnedFd::from_raw_fd(high)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
