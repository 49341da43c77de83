//! Standard input and output of a program that runs several times. Each run gets the same input.

use std::{
    fs::File,
    hash::{DefaultHasher, Hasher},
    io::{self, IsTerminal, Read, Seek, SeekFrom, Write},
    os::fd::AsFd,
    process::{ChildStdin, ChildStdout, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where each run's standard input comes from.
pub enum Input {
    /// Nowhere: a terminal cannot be read twice.
    Nothing,
    /// A file, from here on.
    File(File, u64),
    /// A pipe, which is read once and kept.
    Kept(Arc<Kept>),
}

/// What was read of a pipe.
#[derive(Default)]
pub struct Kept {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// Whether a thread reads it, or has read it.
    begun: bool,
    /// Nothing will follow.
    over: bool,
    /// There was more than is kept.
    cut: bool,
}

/// The most that is kept of a pipe.
const MOST_INPUT: usize = 256 << 20;

impl Input {
    /// The standard input of the tool.
    pub fn of_this_process() -> Self {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Self::Nothing;
        }
        let Ok(descriptor) = stdin.as_fd().try_clone_to_owned() else {
            return Self::Nothing;
        };
        let mut file = File::from(descriptor);
        match file.stream_position() {
            Ok(here) => Self::File(file, here),
            Err(_) => Self::Kept(Arc::default()),
        }
    }

    /// For the program about to be started.
    pub fn for_a_run(&mut self) -> io::Result<Stdio> {
        Ok(match self {
            Self::Nothing => Stdio::null(),
            Self::File(file, start) => {
                file.seek(SeekFrom::Start(*start))?;
                Stdio::from(file.try_clone()?)
            }
            Self::Kept(_) => Stdio::piped(),
        })
    }

    /// Gives the started program what there is, from the beginning.
    ///
    /// If the program does not read all of it, threads wait here until the tool ends.
    pub fn feed(&self, to: Option<ChildStdin>) {
        let (Self::Kept(kept), Some(mut to)) = (self, to) else {
            return;
        };
        if !std::mem::replace(&mut locked(&kept.state).begun, true) {
            let kept = kept.clone();
            thread::spawn(move || kept.read(io::stdin().lock()));
        }
        let kept = kept.clone();
        thread::spawn(move || {
            let mut given = 0;
            while let Some(bytes) = kept.after(given) {
                given += bytes.len();
                if to.write_all(&bytes).is_err() {
                    break;
                }
            }
        });
    }

    /// Says so if the program did not get all.
    pub fn cut(&self) -> Option<String> {
        let Self::Kept(kept) = self else { return None };
        let cut = locked(&kept.state).cut;
        cut.then(|| {
            format!(
                "of standard input only the first {} MiB were given: redirect it from a file",
                MOST_INPUT >> 20
            )
        })
    }
}

impl Kept {
    fn read(&self, mut from: impl Read) {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = from.read(&mut buffer);
            let interrupted = matches!(&read, Err(e) if e.kind() == io::ErrorKind::Interrupted);
            if interrupted {
                continue;
            }
            let mut state = locked(&self.state);
            let read = read.unwrap_or(0);
            state.bytes.extend_from_slice(&buffer[..read]);
            state.cut = state.bytes.len() > MOST_INPUT;
            state.bytes.truncate(MOST_INPUT);
            state.over = read == 0 || state.cut;
            self.more.notify_all();
            if state.over {
                return;
            }
        }
    }

    /// What follows so many bytes, once there is something; `None` at the end.
    fn after(&self, given: usize) -> Option<Vec<u8>> {
        let mut state = locked(&self.state);
        while state.bytes.len() == given && !state.over {
            state = self
                .more
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let rest = &state.bytes[given..];
        (!rest.is_empty()).then(|| rest[..rest.len().min(1 << 16)].to_vec())
    }
}

/// A run's standard output, being read.
pub struct Output {
    read: Arc<Mutex<Written>>,
    over: Receiver<()>,
}

/// What a program wrote.
#[derive(Default)]
pub struct Written {
    /// How many bytes.
    pub bytes: u64,
    /// The first of them.
    pub beginning: Vec<u8>,
    hasher: DefaultHasher,
}

impl Written {
    /// The same for the same bytes.
    pub fn digest(&self) -> u64 {
        self.hasher.finish()
    }
}

/// The most that is kept of what a program wrote.
const MOST_OUTPUT: usize = 1 << 20;

/// A process that the program left behind may hold its output open. The tool stops waiting for it
/// when it has written nothing for this long.
const PATIENCE: Duration = Duration::from_secs(1);

impl Output {
    /// For the program's standard output.
    pub fn pipe() -> Stdio {
        Stdio::piped()
    }

    /// For its standard error.
    pub fn error(pass_on: bool) -> Stdio {
        if pass_on {
            Stdio::inherit()
        } else {
            Stdio::null()
        }
    }

    /// Reads what the program writes, and passes it on as it comes.
    pub fn read(from: Option<ChildStdout>, pass_on: bool) -> Self {
        let (done, over) = mpsc::channel();
        let read = Arc::<Mutex<Written>>::default();
        if let Some(mut from) = from {
            let read = read.clone();
            thread::spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                // If the tool's own output is closed, the rest is still read: it is compared.
                let mut to = pass_on.then(io::stdout);
                while let Ok(bytes @ 1..) = from.read(&mut buffer) {
                    let bytes = &buffer[..bytes];
                    if let Some(out) = &mut to
                        && out.write_all(bytes).and_then(|()| out.flush()).is_err()
                    {
                        to = None;
                    }
                    let mut read = locked(&read);
                    read.bytes += bytes.len() as u64;
                    read.hasher.write(bytes);
                    let room = MOST_OUTPUT - read.beginning.len();
                    read.beginning
                        .extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
                let _ = done.send(());
            });
        }
        Self { read, over }
    }

    /// All that was written. To be called when the program has ended.
    pub fn finish(self) -> Written {
        let mut before = None;
        loop {
            let over = self.over.recv_timeout(PATIENCE);
            let mut read = locked(&self.read);
            if over != Err(mpsc::RecvTimeoutError::Timeout) || before == Some(read.bytes) {
                return std::mem::take(&mut read);
            }
            before = Some(read.bytes);
        }
    }
}
