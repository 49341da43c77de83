//! Ways by which a runtime can load the engine, when it may see other file systems than this tool,
//! or runs as another user.
//!
//! 1. The engine's own path, if the process sees that file and may read it.
//! 2. A copy in memory, which this tool has open. Nothing is left behind, whatever ends first.
//! 3. A copy in a folder that the process can write, removed as soon as the runtime has loaded it.
//! 4. A copy in memory, which a child of this tool has open as the user of the process, in its
//!    namespace of processes. That needs no file system at all.
//!
//! The recording needs no path: it goes to the engine as an open file.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use soglia_core::plain::plain_path;

use crate::memory;

use super::{
    enter::{Deed, Entered, Holder, Kind},
    inside::{Folder, c_string},
    target::Target,
};

/// Where copies are put besides the folder for temporary files.
const FOLDERS: [&str; 4] = ["/tmp", "/dev/shm", "/var/tmp", "/run"];
/// Variables that name more folders.
const OF_VARIABLES: [&str; 2] = ["XDG_RUNTIME_DIR", "HOME"];

/// An engine that a process can load. What was made for that is removed when this is dropped.
#[derive(Debug)]
pub struct Carried {
    /// Its path, as the process names it.
    pub engine: PathBuf,
    /// Whether the process can certainly load code from there.
    pub sure: bool,
    _keep: Keep,
}

/// What has to stay until the engine is loaded.
#[derive(Debug)]
enum Keep {
    Nothing,
    Memory(#[expect(dead_code, reason = "held open")] File),
    Copy(#[expect(dead_code, reason = "removed when dropped")] Copy),
    Held(
        #[expect(dead_code, reason = "held open")] File,
        #[expect(dead_code, reason = "ends when dropped")] Holder,
    ),
}

/// The ways for this process, the best first. Those that turn out to be none are errors, which say
/// what was tried.
pub fn ways<'a>(
    target: &'a Target,
    engine: &'a Path,
) -> impl Iterator<Item = (String, io::Result<Carried>)> + use<'a> {
    let own = std::iter::once_with(move || {
        let what = format!("its own path {}", plain_path(engine));
        (what, as_it_is(target, engine))
    });
    let memory =
        std::iter::once_with(move || ("a file in memory".to_owned(), in_memory(target, engine)));
    let copies = folders(target).map(move |folder| {
        let what = format!("a copy in {}", plain_path(&folder));
        (what, copied(target, engine, &folder))
    });
    let held = std::iter::once_with(move || {
        let what = "a file in memory of a process of its user".to_owned();
        (what, held(target, engine))
    });
    own.chain(memory).chain(copies).chain(held)
}

/// The first way that seems to work for this process. Unlike [`ways`], makes no file that the
/// process could see.
///
/// # Errors
/// What is wrong with each of them.
pub fn plan(target: &Target, engine: &Path) -> Result<String, Vec<String>> {
    let mut tried = Vec::new();
    let mut works = |what: String, way: io::Result<()>| match way {
        Ok(()) => Some(what),
        Err(error) => {
            tried.push(format!("{what}: {error}"));
            None
        }
    };
    let own = format!("its own path {}", plain_path(engine));
    if let Some(what) = works(own, as_it_is(target, engine).map(drop)) {
        return Ok(what);
    }
    if let Some(what) = works(
        "a file in memory".into(),
        in_memory(target, engine).map(drop),
    ) {
        return Ok(what);
    }
    for folder in folders(target) {
        let what = format!("a copy in {}, removed at once", plain_path(&folder));
        if let Some(what) = works(what, takes_copy(target, &folder)) {
            return Ok(what);
        }
    }
    let held = held(target, engine).map(drop);
    works("a file in memory of a process of its user".into(), held).ok_or(tried)
}

/// Whether a copy can be made in a folder, as far as a file without a name shows.
fn takes_copy(target: &Target, folder: &Path) -> io::Result<()> {
    let folder = target.root()?.folder(folder)?;
    if !folder.takes_code() {
        return Err(no_code());
    }
    let make = Deed::Open {
        folder: folder.number(),
        path: c".",
        flags: libc::O_TMPFILE | libc::O_WRONLY,
    };
    match target.as_user(&[])?.run(make) {
        // A file system that has no such files may well have others.
        Err(error) if error.raw_os_error() != Some(libc::EOPNOTSUPP) => Err(error),
        _ => Ok(()),
    }
}

/// Whether the process can open this file by this path, to read and to write. If not, it is to be
/// given the open file.
pub fn reaches(target: &Target, path: &Path, file: &File) -> bool {
    let opened = || -> io::Result<()> {
        let root = target.root()?;
        let about = file.metadata()?;
        let entered = target.as_user(&[])?;
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let opened = if path.starts_with("/proc") {
            let folder = root.folder(path.parent().unwrap_or(Path::new("/")))?;
            let name = c_string(name)?;
            entered.run(Deed::Follow {
                folder: folder.number(),
                name: &name,
                flags: libc::O_RDWR,
            })?
        } else {
            let path = c_string(path.strip_prefix("/").unwrap_or(path).as_os_str())?;
            entered.run(Deed::Open {
                folder: root.number(),
                path: &path,
                flags: libc::O_RDWR | libc::O_NONBLOCK,
            })?
        };
        same(&opened.ok_or(io::ErrorKind::NotFound)?.into(), &about)
    };
    opened().is_ok()
}

/// The file is where it is here, and the process may read it.
fn as_it_is(target: &Target, engine: &Path) -> io::Result<Carried> {
    let root = target.root()?;
    let there = root.look(engine)?;
    same(&there, &fs::metadata(engine)?)?;
    let folder = root.folder(engine.parent().unwrap_or(Path::new("/")))?;
    if !folder.takes_code() {
        return Err(no_code());
    }
    let path = c_string(engine.strip_prefix("/").unwrap_or(engine).as_os_str())?;
    let open = Deed::Open {
        folder: root.number(),
        path: &path,
        flags: libc::O_RDONLY,
    };
    target.as_user(&[])?.run(open)?;
    Ok(Carried {
        engine: engine.to_owned(),
        sure: true,
        _keep: Keep::Nothing,
    })
}

/// This process has it open, and the other one may look at this process.
fn in_memory(target: &Target, engine: &Path) -> io::Result<Carried> {
    let memory = in_new_memory(engine)?;
    let own = PathBuf::from(format!("/proc/{}/fd", std::process::id()));
    let folder = target.root()?.folder(&own)?;
    let name = c_string(memory.as_raw_fd().to_string().as_ref())?;
    let follow = Deed::Follow {
        folder: folder.number(),
        name: &name,
        flags: libc::O_RDONLY,
    };
    let opened = target.as_user(&[])?.run(follow)?;
    let opened = opened.ok_or(io::ErrorKind::NotFound)?;
    same(&opened.into(), &memory.metadata()?)?;
    Ok(Carried {
        engine: own.join(memory.as_raw_fd().to_string()),
        sure: false,
        _keep: Keep::Memory(memory),
    })
}

/// A child of this process has it open.
fn held(target: &Target, engine: &Path) -> io::Result<Carried> {
    let memory = in_new_memory(engine)?;
    let holder = target.as_user(&[Kind::Processes])?.hold(&memory)?;
    Ok(Carried {
        engine: holder.path().to_owned(),
        sure: false,
        _keep: Keep::Held(memory, holder),
    })
}

/// A copy lies in a folder.
fn copied(target: &Target, engine: &Path, folder: &Path) -> io::Result<Carried> {
    let folder = target.root()?.folder(folder)?;
    if !folder.takes_code() {
        return Err(no_code());
    }
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let name = format!("libsoglia-{}-{:x}.so", std::process::id(), since.as_nanos());
    let path = c_string(name.as_ref())?;
    let entered = target.as_user(&[])?;
    let make = Deed::Open {
        folder: folder.number(),
        path: &path,
        flags: libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW,
    };
    let made = entered.run(make)?.ok_or(io::ErrorKind::NotFound)?;
    let carried = Carried {
        engine: folder.path.join(&name),
        sure: true,
        _keep: Keep::Copy(Copy {
            folder,
            name: name.into(),
            entered,
        }),
    };
    let mut made = File::from(made);
    io::copy(&mut File::open(engine)?, &mut made)?;
    made.flush()?;
    Ok(carried)
}

/// A file that is removed as its maker.
#[derive(Debug)]
struct Copy {
    folder: Folder,
    name: OsString,
    entered: Entered,
}

impl Drop for Copy {
    fn drop(&mut self) {
        let Ok(name) = c_string(&self.name) else {
            return;
        };
        // What cannot be removed has been removed, or its folder has become read-only.
        let _ = self.entered.run(Deed::Remove {
            folder: self.folder.number(),
            name: &name,
        });
    }
}

/// The folders that are tried, each once.
fn folders(target: &Target) -> impl Iterator<Item = PathBuf> + use<> {
    let variables = OF_VARIABLES.iter().filter_map(|name| target.variable(name));
    let fixed = FOLDERS.iter().map(PathBuf::from);
    let all = std::iter::once(target.temporary())
        .chain(fixed)
        .chain(variables.map(PathBuf::from));
    let mut once = Vec::new();
    for folder in all.filter(|folder| folder.is_absolute()) {
        if !once.contains(&folder) {
            once.push(folder);
        }
    }
    once.into_iter()
}

fn in_new_memory(engine: &Path) -> io::Result<File> {
    let mut memory = memory::for_code(c"libsoglia.so")?;
    io::copy(&mut File::open(engine)?, &mut memory)?;
    Ok(memory)
}

fn no_code() -> io::Error {
    io::Error::other("no code may be loaded from there")
}

fn same(file: &File, about: &fs::Metadata) -> io::Result<()> {
    let there = file.metadata()?;
    if (there.dev(), there.ino()) == (about.dev(), about.ino()) {
        Ok(())
    } else {
        Err(io::Error::other("another file is there for the process"))
    }
}
